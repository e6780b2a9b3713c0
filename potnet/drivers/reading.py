"""Reading the answers of tools: text that is not as it should be is an error, never a guess."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from netaddr import AddrFormatError, IPAddress

from potnet.errors import HostError
from potnet.model.names import INTERFACE as INTERFACE

#: What Python raises for text in which something is missing, or is something else.
_MALFORMED = (
    *(ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError),
    AddrFormatError,
)

_Arguments = ParamSpec("_Arguments")
_Facts = TypeVar("_Facts")


def lines_of(text: str) -> list[str]:
    """The lines of what a tool printed: only a newline ends one, where `str.splitlines` knows ten others."""
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


class UnreadableError(HostError):
    """A tool printed what it never prints."""

    def __init__(self, tool: str, text: str) -> None:
        super().__init__(
            f"cannot read what {tool} printed: {text.strip()[:200]!r}",
            hint="if the tool is the system's own, this is a bug of potnet: please report it with this text",
        )


def reads(tool: str) -> Callable[[Callable[_Arguments, _Facts]], Callable[_Arguments, _Facts]]:
    """For a function of what a tool printed, its first argument: what it cannot read is `UnreadableError`."""

    def decorate(function: Callable[_Arguments, _Facts]) -> Callable[_Arguments, _Facts]:
        @wraps(function)
        def read(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Facts:
            try:
                return function(*args, **kwargs)
            except _MALFORMED as error:
                raise UnreadableError(tool, str(args[0])) from error

        return read

    return decorate


def address(text: str, tool: str) -> IPAddress:
    """An address that `tool` printed."""
    try:
        return IPAddress(text)
    except (AddrFormatError, ValueError) as error:
        raise UnreadableError(tool, text) from error


def bound_address(text: str) -> IPAddress | None:
    """Where a socket listens, as sockstat(1) and ss(8) print it; None: at any address of the host."""
    try:
        found = IPAddress(text.strip("[]").partition("%")[0].strip("]"))
    except (AddrFormatError, ValueError):
        return None
    return found if int(found) else None
