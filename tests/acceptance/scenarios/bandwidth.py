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
