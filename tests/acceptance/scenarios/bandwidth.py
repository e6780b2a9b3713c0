"""Limits of what pots send and receive."""

from __future__ import annotations

from ..host import HOST, OUTSIDE, PORT
from ..registry import scenario
from ..user import User

#: How the host's tool shows a limit of 1 Mbit/s.
SHOWN = {"freebsd": ("dnctl", "pipe", "show"), "linux": ("tc", "qdisc", "show")}
RATE = {"freebsd": "1.000 Mbit/s", "linux": "rate 1Mbit"}


@scenario("bandwidth")
def limits_come_and_go(user: User) -> None:
    rates = ("--bandwidth-in", "1Mbit/s", "--bandwidth-out", "1Mbit/s")
    slow, web = user.pot("slow", "-N", "public-bridge", *rates), user.pot("web", "-N", "public-bridge")
    user.start(slow, web)
    assert RATE[user.host.kind] in user.tool(*SHOWN[user.host.kind])
    user.connects(web, user.address(slow), slow)
    user.connects(slow, user.address(web), web)
    user.connects(HOST, user.address(slow), slow, protocol="udp")
    if not user.host.lacks("outside"):
        user.host.serve(OUTSIDE, PORT)
        user.connects(slow, user.host.machine(4), OUTSIDE)
    user.agrees()
    user.potnet("stop", slow)
    assert RATE[user.host.kind] not in user.tool(*SHOWN[user.host.kind])
    user.connects(HOST, user.address(web), web)


#: What is sent, and how fast it may be into the pot and out of it, in bit/s: 2 s and 1 s.
KBYTES, RATES = 256, {"in": 1_000_000, "out": 2_000_000}
#: The port of the one that sends.
BULK = PORT + 3


@scenario("bandwidth")
def limits_are_kept(user: User) -> None:
    """A limited pot is not faster than it may be, nor much slower; another one is faster."""
    rates = ("--bandwidth-in", f"{RATES['in']}bit/s", "--bandwidth-out", f"{RATES['out']}bit/s")
    slow, free = user.pot("slow", "-N", "public-bridge", *rates), user.pot("free", "-N", "public-bridge")
    user.start(slow, free)
    gateway = user.facts("info", "-B", "public")["gateway"]
    for way, rate in RATES.items():
        took = {}
        for pot in (slow, free):
            if way == "in":
                took[pot] = user.host.transfer(HOST, pot, gateway, BULK, KBYTES)
            else:
                took[pot] = user.host.transfer(pot, HOST, user.address(pot), BULK, KBYTES)
        due = KBYTES * 1024 * 8 / rate
        # What a queue holds goes at once, and TCP finds its pace only after a while.
        assert 0.6 * due < took[slow] < 3 * due + 2, f"{way}: {took[slow]:.2f} s, not about {due:.2f}"
        assert took[free] < took[slow], f"{way}: without a limit {took[free]:.2f} s"
    user.agrees()
