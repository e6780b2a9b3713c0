"""Each type of network with each stack: pots connect as the manual says, and a stop leaves nothing."""

from __future__ import annotations

from ..host import HOST, OUTSIDE, PORT
from ..registry import scenario
from ..user import User

FAMILIES = {"ipv4": (4,), "ipv6": (6,), "dual": (4, 6)}


def inherit(user: User, stack: str) -> None:
    pot = user.run("inherit", "-N", "inherit", "-S", stack)
    for family in FAMILIES[stack]:
        if family in user.host.addresses:
            user.connects(HOST, user.host.addresses[family], pot)
    user.agrees()
    user.potnet("stop", pot)
    if user.host.kind == "freebsd":
        # A jail's processes end with it; on Linux they are left alone.
        for family in user.host.addresses:
            user.fails(HOST, user.host.addresses[family])


def alias(user: User, stack: str) -> None:
    given = [word for family in FAMILIES[stack] for word in ("-i", user.host.alias[family])]
    pot = user.run("alias", "-N", "alias", "-S", stack, *given)
    for family in FAMILIES[stack]:
        user.connects(HOST, user.host.alias[family], pot)
        if not user.host.lacks("outside") and not user.host.lacks(f"alias {family}"):
            user.connects(OUTSIDE, user.host.alias[family], pot)
    user.agrees()
    user.potnet("stop", pot)
    for family in FAMILIES[stack]:
        user.fails(HOST, user.host.alias[family], server=pot)


def public(user: User, stack: str) -> None:
    pots = [user.pot(name, "-N", "public-bridge", "-S", stack) for name in ("web", "mail")]
    on_bridge(user, pots, FAMILIES[stack])


def private(user: User, stack: str) -> None:
    bridge = user.bridge("stove", *(("-6", "auto") if stack != "ipv4" else ()))
    pots = [user.pot(name, "-N", "private-bridge", "-B", bridge, "-S", stack) for name in ("web", "mail")]
    on_bridge(user, pots, FAMILIES[stack])


def on_bridge(user: User, pots: list[str], families: tuple[int, ...]) -> None:
    """Two pots of one bridge reach each other, and the host reaches both, until they stop."""
    user.start(*pots)
    web, mail = pots
    address = {(pot, family): user.address(pot, family) for pot in pots for family in families}
    for family in families:
        user.connects(mail, address[web, family], web)
        user.connects(web, address[mail, family], mail, protocol="udp")
        user.connects(HOST, address[web, family], web)
    user.agrees()
    user.potnet("stop", web)
    for family in families:
        user.fails(mail, address[web, family], server=web)
    user.potnet("stop", mail)


def _register() -> None:
    for stack, families in FAMILIES.items():
        six = ("ipv6",) if 6 in families else ()
        scenario(*six, name=f"inherit, {stack}")(lambda user, stack=stack: inherit(user, stack))
        scenario(*six, name=f"alias, {stack}")(lambda user, stack=stack: alias(user, stack))
        slaac = ("slaac",) if 6 in families else ()
        scenario(*slaac, name=f"public bridge, {stack}")(lambda user, stack=stack: public(user, stack))
        scenario(name=f"private bridge, {stack}", sample="sim14" if stack == "dual" else "")(
            lambda user, stack=stack: private(user, stack)
        )


_register()


@scenario("outside")
def the_way_out(user: User) -> None:
    """Pots reach machines outside, and these reach no pot without an export."""
    pot = user.run("web", "-N", "public-bridge")
    user.host.serve(OUTSIDE, PORT)
    user.connects(pot, user.host.machine(4), OUTSIDE)
    user.connects(pot, user.host.machine(4), OUTSIDE, protocol="udp")
    user.fails(OUTSIDE, user.host.addresses[4])
