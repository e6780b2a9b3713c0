"""Show the progress of long work on a terminal, in one line that disappears at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

#: Erase from here to the end of the line (ECMA-48, EL).
_ERASE = "\r\x1b[K"


class Progress:
    """The progress line; hidden without a terminal, and in the first `patience` seconds."""

    def __init__(self, terminal: TextIO | None = None, patience: float = 0.5) -> None:
        self._terminal = terminal if terminal is not None and terminal.isatty() else None
        self._patience = patience
        self._shown = False

    @property
    def visible(self) -> bool:
        """Return whether there is a terminal for the line."""
        return self._terminal is not None

    @contextmanager
    def of(self, total: int | None, done: str) -> Iterator[Callable[[int], None]]:
        """Yield a function that shows how many of the total are done, while the block runs.

        The total may be unknown.
        """
        begin = time.monotonic()
        rest = done if total is None else f"of {total} {done}"

        def tell(count: int) -> None:
            if self._terminal is not None and time.monotonic() - begin >= self._patience:
                # An interrupt may arrive between these lines.
                self._shown = True
                self._terminal.write(f"{_ERASE}potnet: {count} {rest}")
                self._terminal.flush()

        try:
            yield tell
        finally:
            self.clear()

    def clear(self) -> None:
        """Clear the line for other output."""
        if self._terminal is not None and self._shown:
            self._terminal.write(_ERASE)
            self._terminal.flush()
            self._shown = False
