"""Wait until duplicate address detection has ended (RFC 4862, 5.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from potnet.errors import HostError
from potnet.executors.base import Command
from potnet.host.actions import AwaitAddress

TENTATIVE, DUPLICATED = "tentative", "duplicated"
#: Number of looks, and the time between two of them in seconds. Detection takes one or two seconds.
_LOOKS, _PAUSE = 60, "0.2"


def detecting(action: AwaitAddress, look: Callable[[], str | None]) -> Iterator[Command]:
    """Yield pauses until an address can be used. Raises HostError if another machine has the address.

    look: returns TENTATIVE, DUPLICATED, or None for an address that is in use or missing.
    """
    for _ in range(_LOOKS):
        state = look()
        if state is None:
            return
        if state == DUPLICATED:
            raise HostError(
                f"another machine of the LAN has {action.address}",
                hint=f"`potnet set -p {action.jail} -i ADDRESS` gives the pot another one",
            )
        yield Command(("sleep", _PAUSE), changes_host=False)
    raise HostError(f"{action.address} of {action.jail} is still tentative: duplicate detection does not end")
