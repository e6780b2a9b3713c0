"""logs: what the rc of a pot, or its command, printed at its starts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from potnet.errors import printable
from potnet.host.query import Query
from potnet.operations.common import require_jail, require_pot
from potnet.operations.files.pot_logs import log_of

if TYPE_CHECKING:
    from potnet.app import App

#: A line of the pot, numbered by cat(1), and a line of potnet's. See `KEEP_OUTPUT`.
_OF_POT = re.compile(r" {0,5}[0-9]+\t(.*)", re.DOTALL)
_OF_POTNET = re.compile(r"== (\S+) (.*)", re.DOTALL)
_START = "start"


def log(app: App, name: str) -> str | None:
    """Return the text of a pot's log; None if there is none. Raises PotnetError."""
    path = _path(app, name)
    return app.driver.observe(Query(texts=(path,))).texts.get(path)


def follow(app: App, name: str, write: Callable[[str], None]) -> None:
    """Pass on the lines of a pot's log for a terminal, old and new ones, until a signal arrives."""
    command, rest = app.driver.follow(_path(app, name)), b""

    def take(piece: bytes) -> None:
        nonlocal rest
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            if line:
                write(shown(line.decode("utf-8", "surrogateescape")))

    app.executor.stream(command, take)


def _path(app: App, name: str) -> str:
    pot = require_pot(app, name)
    require_jail(pot, "no output of it is kept")
    return log_of(app, pot.name)


def text_of(log: str) -> str:
    """Return a log for a terminal."""
    return "\n".join(shown(line) for line in log.split("\n") if line)


def shown(line: str) -> str:
    """Return a line for a terminal. Only lines of the host's own programs begin at the margin."""
    found = _OF_POT.fullmatch(line)
    return f"  {printable(found[1])}" if found else printable(line)


def starts(log: str) -> list[dict[str, Any]]:
    """Return what each start printed; the time is None if the beginning was rotated away."""
    return list(_starts(log))


def _starts(log: str) -> Iterator[dict[str, Any]]:
    present: dict[str, Any] = {"time": None, "lines": [], "complete": True}
    for line in log.split("\n"):
        of_pot, of_potnet = _OF_POT.fullmatch(line), _OF_POTNET.fullmatch(line)
        if of_pot:
            present["lines"].append(of_pot[1])
        elif of_potnet and of_potnet[2] == _START:
            if present["time"] is not None or present["lines"]:
                yield present
            present = {"time": of_potnet[1], "lines": [], "complete": True}
        elif of_potnet:
            present["complete"] = False
    if present["time"] is not None or present["lines"]:
        yield present
