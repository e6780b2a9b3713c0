"""IPv6 with addresses from the store: translated, or routed."""

from __future__ import annotations

from ..host import OUTSIDE, PORT
from ..registry import scenario
from ..user import User

ROUTED = "2001:db8:5::/64"


@scenario("ipv6", "outside", "outside ipv6")
def translated_on_a_private_bridge(user: User) -> None:
    bridge = user.bridge("stove", "-6", "auto")
    way_out(user, user.run("pan", "-N", "private-bridge", "-B", bridge, "-S", "ipv6"))


@scenario("ipv6", "outside", "outside ipv6")
def translated_on_the_public_bridge(user: User) -> None:
    user.host.configure('[network]\nipv6 = "nat"\n')
    way_out(user, user.run("web", "-N", "public-bridge", "-S", "dual"))
    user.potnet("stop", "--all")


def way_out(user: User, pot: str) -> None:
    """A pot reaches machines outside, which do not reach it."""
    user.host.serve(OUTSIDE, PORT)
    for protocol in ("tcp", "udp"):
        user.connects(pot, user.host.machine(6), OUTSIDE, protocol=protocol)
    user.agrees()


@scenario("ipv6", "outside", "route outside")
def routed(user: User) -> None:
    """Machines outside that have a route to the bridge reach each of its pots."""
    bridge = user.bridge("stove", "-6", ROUTED, "--routed")
    pot = user.run("pan", "-N", "private-bridge", "-B", bridge, "-S", "dual")
    user.host.lead(ROUTED)
    for protocol in ("tcp", "udp"):
        user.connects(OUTSIDE, user.address(pot, 6), pot, protocol=protocol)
    user.fails(OUTSIDE, user.address(pot))
    user.agrees()
    user.potnet("stop", pot)
    user.fails(OUTSIDE, user.address(pot, 6), server=pot)
