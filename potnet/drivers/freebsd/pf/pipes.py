"""Number the pipes that limit a pot's traffic on FreeBSD (dummynet(4))."""

from __future__ import annotations

from potnet.errors import HostError
from potnet.host.ruleset import Pipes

#: dummynet(4) numbers pipes up to 65535; the administrator can use the low numbers.
_FIRST_PIPE, _LAST_PIPE = 10000, 65535


def pipe_numbers(pipes: Pipes) -> tuple[int, int]:
    """Return the pipes for what a pot receives and sends. Raises HostError if the number is too high."""
    first = _FIRST_PIPE + 2 * pipes.unit
    if first + 1 > _LAST_PIPE:
        raise HostError(
            f"epair{pipes.unit} has too high a number for bandwidth: dummynet has {_LAST_PIPE} pipes",
            hint="create this pot without --bandwidth-in and --bandwidth-out",
        )
    return first, first + 1
