"""Read the output of tools: malformed text is an error, never a guess."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar

from netaddr import AddrFormatError, IPAddress

from potnet.errors import HostError
from potnet.executors.base import CommandResult
from potnet.host.state import JailNetwork
from potnet.model.names import INTERFACE as INTERFACE

#: The exceptions of Python for text with a missing or wrong part.
_MALFORMED = (
    *(ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError),
    AddrFormatError,
)

_Arguments = ParamSpec("_Arguments")
_Facts = TypeVar("_Facts")


class Run(Protocol):
    """Runs a command that only reads. Raises CommandError if it has no result."""

    def __call__(self, *argv: str) -> CommandResult: ...


def lines_of(text: str) -> list[str]:
    """Return the lines of a tool's output; only a newline ends a line, while `str.splitlines` has ten
    others."""
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


class UnreadableError(HostError):
    """A tool printed unexpected output."""

    def __init__(self, tool: str, text: str) -> None:
        super().__init__(
            f"unexpected output of {tool}: {text.strip()[:200]!r}",
            hint="please report this output as a bug of potnet",
        )


def reads(tool: str) -> Callable[[Callable[_Arguments, _Facts]], Callable[_Arguments, _Facts]]:
    """Decorate a parser of a tool's output, its first argument: errors become `UnreadableError`."""

    def decorate(function: Callable[_Arguments, _Facts]) -> Callable[_Arguments, _Facts]:
        @wraps(function)
        def read(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Facts:
            try:
                return function(*args, **kwargs)
            except _MALFORMED as error:
                raise UnreadableError(tool, str(args[0])) from error

        return read

    return decorate


def jail_networks(
    read: Callable[[str, tuple[int, ...]], JailNetwork | None],
    jails: Iterable[tuple[str, tuple[int, ...]]],
    failure: type[HostError],
) -> tuple[dict[str, JailNetwork], dict[str, str]]:
    """Return the networks of existing jails, and why others are unreadable.

    read: returns the network of a jail with its default routes of some families, None for a missing jail.
    failure: the error of one jail, which must not hide the others.
    """
    found: dict[str, JailNetwork] = {}
    unreadable: dict[str, str] = {}
    for jail, families in jails:
        try:
            network = read(jail, families)
        except failure as error:
            unreadable[jail] = error.message
        else:
            found |= {jail: network} if network is not None else {}
    return found, unreadable


def address(text: str, tool: str) -> IPAddress:
    """Parse an address that `tool` printed."""
    try:
        return IPAddress(text)
    except (AddrFormatError, ValueError) as error:
        raise UnreadableError(tool, text) from error


def bound_address(text: str) -> IPAddress | None:
    """Parse the address of a listening socket in sockstat(1) or ss(8); None: any address of the host."""
    try:
        found = IPAddress(text.strip("[]").partition("%")[0].strip("]"))
    except (AddrFormatError, ValueError):
        return None
    return found if int(found) else None
