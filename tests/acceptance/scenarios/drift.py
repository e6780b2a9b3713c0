"""What other hands do to the host: check reports it, repair mends it, and nothing else changes."""

from __future__ import annotations

from ..host import HOST, PORT
from ..registry import scenario
from ..user import User
from .exports import EXPORTED
from .interfaces import outer


def kitchen(user: User) -> tuple[str, str, str]:
    """An exporting pot with a sibling; the pot, the sibling, and the host's end of the pot's epair."""
    web, mail = (user.pot(name, "-N", "public-bridge") for name in ("web", "mail"))
    user.potnet("export-ports", "-p", web, "-e", f"{PORT}:{EXPORTED}")
    user.start(web, mail)
    works(user, web, mail)
    return web, mail, outer(user.facts("info", "-p", web)["interfaces"][0]["name"])


def works(user: User, web: str, mail: str) -> None:
    user.connects(mail, user.address(web), web)
    user.connects(mail, user.host.addresses[4], web, EXPORTED)
    user.agrees()


def mended(user: User, web: str, mail: str) -> None:
    """check reports a difference, repair mends it, and all is as before."""
    found = user.try_potnet("check")
    assert found.code == 1, f"check finds nothing: {found.out}"
    user.potnet("repair")
    works(user, web, mail)


@scenario(sample="sim14")
def a_member_is_taken_off_its_bridge(user: User) -> None:
    web, mail, end = kitchen(user)
    if user.host.kind == "freebsd":
        user.tool("ifconfig", user.facts("info", "-B", "public")["interface"], "deletem", end)
    else:
        user.tool("ip", "link", "set", "dev", end, "nomaster")
    user.fails(mail, user.address(web))
    mended(user, web, mail)


@scenario()
def an_epair_is_destroyed(user: User) -> None:
    web, mail, end = kitchen(user)
    user.tool(*(("ifconfig", end, "destroy") if user.host.kind == "freebsd" else ("ip", "link", "del", end)))
    user.fails(mail, user.address(web))
    mended(user, web, mail)


@scenario()
def rules_are_flushed(user: User) -> None:
    web, mail, _ = kitchen(user)
    if user.host.kind == "freebsd":
        user.tool("pfctl", "-a", f"pot-rdr/{web}", "-F", "nat")
    else:
        user.tool("nft", "delete", "table", "inet", "potnet")
    user.fails(mail, user.host.addresses[4], EXPORTED)
    mended(user, web, mail)


@scenario()
def an_address_is_removed(user: User) -> None:
    web, mail, end = kitchen(user)
    own, inner = user.address(web), f"{end.removesuffix('a')}b"
    if user.host.kind == "freebsd":
        user.tool("ifconfig", "-j", web, inner, "inet", own, "-alias")
    else:
        user.tool("ip", "-n", web, "addr", "flush", "dev", inner)
    user.fails(mail, own)
    mended(user, web, mail)


@scenario()
def a_jail_is_removed(user: User) -> None:
    """A pot whose jail is gone is stopped by repair, and starts again."""
    web, mail, _ = kitchen(user)
    user.tool(*(("jail", "-r", web) if user.host.kind == "freebsd" else ("ip", "netns", "del", web)))
    assert user.try_potnet("check").code == 1
    user.potnet("repair")
    user.agrees()
    user.start(web)
    works(user, web, mail)


@scenario()
def a_stop_twice_and_a_start_twice(user: User) -> None:
    """What is already so is left alone and counts as success."""
    pot = user.run("web", "-N", "public-bridge")
    with user.unchanged():
        user.potnet("start", pot)
    user.connects(HOST, user.address(pot), pot)
    user.potnet("stop", pot)
    with user.unchanged():
        user.potnet("stop", pot)


@scenario()
def a_dry_run_changes_nothing(user: User) -> None:
    pot = user.pot("web", "-N", "public-bridge")
    with user.unchanged():
        assert user.potnet("-n", "start", pot)
    user.start(pot)
    with user.unchanged():
        assert user.potnet("-n", "stop", pot)
    user.connects(HOST, user.address(pot), pot)
