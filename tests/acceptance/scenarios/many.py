"""Many pots at once."""

from __future__ import annotations

from ..host import PREFIX
from ..registry import scenario
from ..user import User

COUNT = 100


@scenario()
def a_hundred_pots(user: User) -> None:
    """A hundred pots start and stop with one command each; the first and the last one reach each other."""
    names = [f"{PREFIX}n{number:03}" for number in range(COUNT)]
    first, last = (
        user.pot(name.removeprefix(PREFIX), "-N", "public-bridge") for name in (names[0], names[-1])
    )
    for name in names[1:-1]:
        user.potnet("create", "-p", name, "-N", "public-bridge")
    user.start(*names)
    assert len(user.facts("list", "--running")) == COUNT
    user.connects(first, user.address(last), last)
    user.connects(last, user.address(first), first)
    user.agrees()
    user.potnet("stop", "--all")
    assert not user.facts("list", "--running")
    user.agrees()
