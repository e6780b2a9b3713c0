"""Pots that change: their names and settings."""

from __future__ import annotations

from ..host import HOST, PORT, PREFIX
from ..registry import scenario
from ..user import User, eventually
from .exports import EXPORTED


def answers(user: User, source: str, address: str, *names: str) -> None:
    """Expect the server of a pot to answer; on some hosts it keeps the name that the pot had at first."""
    called = lambda: user.host.call(source, address, PORT, "tcp") in names  # noqa: E731
    assert eventually(called), f"{source} to {address}: none of {', '.join(names)} answers"


@scenario()
def one_needs_another(user: User) -> None:
    """A pot that another one requires starts with it, and is neither destroyed nor part of a circle."""
    base = user.pot("base", "-N", "public-bridge")
    web = user.pot("web", "-N", "public-bridge", "--needs", base)
    last = user.pot("last", "-N", "public-bridge", "--priority", "10")
    user.start(last, web)
    user.connects(web, user.address(base), base)
    assert [each["name"] for each in user.facts("stop", base, web, last)] == [last, web, base]
    assert web in user.refused("destroy", "-p", base)
    assert "circle" in user.refused("set", "-p", base, "--needs", web)
    user.potnet("set", "-p", web, "--no-needs")
    user.agrees()


@scenario()
def a_clone(user: User) -> None:
    """A clone has the root and the server of the other pot, and an address of its own."""
    web = user.pot("web", "-N", "public-bridge")
    twin = f"{PREFIX}twin"
    user.start(web)
    assert f"potnet stop {web}" in user.refused("clone", web, twin)
    user.potnet("stop", web)
    user.potnet("clone", web, twin)
    assert user.address(twin) != user.address(web)
    user.potnet("start", web, twin)
    answers(user, web, user.address(twin), web, twin)
    user.connects(twin, user.address(web), web)
    user.potnet("stop", web, twin)
    user.potnet("destroy", "-p", web)
    user.potnet("start", twin)
    answers(user, HOST, user.address(twin), web, twin)
    user.agrees()


@scenario()
def another_name(user: User) -> None:
    """A stopped pot gets another name; its address, root, exports and server stay."""
    web = user.pot("web", "-N", "public-bridge")
    client = user.run("client", "-N", "public-bridge")
    user.potnet("export-ports", "-p", web, "-e", f"{PORT}:{EXPORTED}")
    address, shop = user.address(web), f"{PREFIX}shop"
    user.start(web)
    assert f"potnet stop {web}" in user.refused("rename", web, shop)
    user.potnet("stop", web)
    user.potnet("rename", web, shop)
    user.agrees()
    assert user.address(shop) == address
    user.potnet("start", shop)
    answers(user, client, address, web, shop)
    answers(user, HOST, address, web, shop)
    user.agrees()
    user.potnet("stop", shop)
    user.potnet("rename", shop, web)
    user.agrees()
