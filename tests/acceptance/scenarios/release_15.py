"""What FreeBSD 15 does in another way than 14."""

from __future__ import annotations

from ..registry import scenario
from ..user import User


@scenario("kind freebsd", "release 15")
def an_interface_with_addresses_joins_no_bridge(user: User) -> None:
    """net.link.bridge.member_ifaddrs: SLAAC through the external interface is refused, with what to do."""
    pot = user.pot("web", "-N", "public-bridge", "-S", "ipv6")
    with user.unchanged():
        said = user.refused("start", pot)
    assert user.host.external in said and "rc.conf" in said, said
