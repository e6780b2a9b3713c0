"""Signals that end a command: they take effect where it waits, so that other steps stay complete.

SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, but only inside `waiting`. A signal at another time waits
for the next such place. After the first signal only the rollback runs; further signals have no effect.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Interrupts:
    def __init__(self) -> None:
        self.waiting = False
        self.shielded = 0
        self.pending = False
        self.heeded = False

    def arrive(self, number: int, frame: FrameType | None) -> None:
        self.pending = True
        if self.waiting:
            self.heed()

    def heed(self) -> None:
        if self.pending and not self.heeded and not self.shielded:
            self.heeded = True
            raise KeyboardInterrupt


_interrupts = _Interrupts()


def install() -> None:
    """Handle the signals, except those that nohup(1) or a parent has switched off."""
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            # Commands would inherit SIG_IGN, so a handler is set at all times.
            signal.signal(number, _interrupts.arrive)


@contextmanager
def waiting() -> Iterator[None]:
    """Let a signal end the wait inside the block; an earlier signal ends it at once. Blocks may nest."""
    before, _interrupts.waiting = _interrupts.waiting, True
    try:
        _interrupts.heed()
        yield
    finally:
        _interrupts.waiting = before


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer signals while the block runs, because an undo must be complete. They take effect after it."""
    _interrupts.shielded += 1
    try:
        yield
    finally:
        _interrupts.shielded -= 1
