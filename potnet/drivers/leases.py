"""Wait until a DHCP client has an address (RFC 2131)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from potnet.executors.base import Command

#: Number of looks, and the time between two of them in seconds: half a minute together.
_LOOKS, _PAUSE = 60, "0.5"


def awaiting(look: Callable[[], bool]) -> Iterator[Command]:
    """Yield pauses until there is an address, or until the time is up.

    look: returns whether waiting is over: the interface has an address, or it does not exist.
    """
    for _ in range(_LOOKS):
        if look():
            return
        yield Command(("sleep", _PAUSE), changes_host=False)
