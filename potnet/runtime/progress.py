"""Tells on a terminal how far long work is: one line, which goes when the work is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

#: Erase from here to the end of the line (ECMA-48, EL).
_ERASE = "\r\x1b[K"


class Progress:
    """Nothing is told where there is no terminal, nor of what is done before `patience` seconds are over."""

    def __init__(self, terminal: TextIO | None = None, patience: float = 0.5) -> None:
        self._terminal = terminal if terminal is not None and terminal.isatty() else None
        self._patience = patience
        self._shown = False

    @contextmanager
    def of(self, total: int, done: str) -> Iterator[Callable[[int], None]]:
        """While the block runs, what it yields tells how many of the total are done."""
        begin = time.monotonic()

        def tell(count: int) -> None:
            if self._terminal is not None and time.monotonic() - begin >= self._patience:
                self._terminal.write(f"{_ERASE}potnet: {count} of {total} {done}")
                self._terminal.flush()
                self._shown = True

        try:
            yield tell
        finally:
            self.clear()

    def clear(self) -> None:
        """Take the line away, for what else is to be printed."""
        if self._terminal is not None and self._shown:
            self._terminal.write(_ERASE)
            self._terminal.flush()
            self._shown = False
