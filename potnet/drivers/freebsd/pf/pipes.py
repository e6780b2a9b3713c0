"""What limits the traffic of a pot on FreeBSD, by its numbers (dummynet(4))."""

from __future__ import annotations

from potnet.errors import HostError
from potnet.host.ruleset import Pipes

#: dummynet(4) numbers pipes up to 65535; the low ones are left to the administrator.
_FIRST_PIPE, _LAST_PIPE = 10000, 65535


def pipe_numbers(pipes: Pipes) -> tuple[int, int]:
    """The pipes for what a pot receives and for what it sends. Raises HostError when there are none."""
    first = _FIRST_PIPE + 2 * pipes.unit
    if first + 1 > _LAST_PIPE:
        raise HostError(
            f"epair{pipes.unit} has too high a number for bandwidth: dummynet has {_LAST_PIPE} pipes",
            hint="create this pot without --bandwidth-in and --bandwidth-out",
        )
    return first, first + 1
