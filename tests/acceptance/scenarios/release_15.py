"""What FreeBSD 15 does in another way than 14."""

from __future__ import annotations

import re

from ..host import HOST, OUTSIDE, PORT
from ..registry import scenario
from ..user import User


@scenario("kind freebsd", "release 15", "plain")
def an_interface_with_addresses_joins_no_bridge(user: User) -> None:
    """net.link.bridge.member_ifaddrs: SLAAC through the external interface is refused, with what to do."""
    pot = user.pot("web", "-N", "public-bridge", "-S", "ipv6")
    with user.unchanged():
        said = user.refused("start", pot)
    assert user.host.external in said and "rc.conf" in said, said


@scenario("kind freebsd", "release 15", "slaac")
def pots_join_the_bridge_of_the_host(user: User) -> None:
    """The external interface is a bridge: pots with SLAAC are members of it, and it stays as it was."""
    bridge = user.host.external
    own = members(user, bridge)
    web, mail = (user.pot(name, "-N", "public-bridge", "-S", "dual") for name in ("web", "mail"))
    user.start(web, mail)
    joined = members(user, bridge) - own
    assert len(joined) == 2 and all(name.startswith("epair") for name in joined), joined
    user.connects(web, user.address(mail, 6), mail)
    user.connects(HOST, user.address(web, 6), web)
    if not user.host.lacks("outside") and not user.host.lacks("outside ipv6"):
        user.host.serve(OUTSIDE, PORT)
        user.connects(web, user.host.machine(6), OUTSIDE)
        user.connects(OUTSIDE, user.address(web, 6), web)
    user.agrees()
    user.potnet("stop", web, mail)
    assert members(user, bridge) == own


def members(user: User, bridge: str) -> set[str]:
    return set(re.findall(r"^\tmember: (\S+)", user.host.interface(bridge), re.M))
