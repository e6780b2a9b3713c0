"""Signals that end a command: heeded where it waits, so that nothing in between is torn apart.

SIGINT, SIGTERM and SIGHUP raise KeyboardInterrupt, but only inside `waiting`: one that comes elsewhere is
kept until the next such place. After the first all that is done is to take back; further ones change nothing.
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
    """Take the signals over, but for those that nohup(1) or a parent has switched off."""
    for number in SIGNALS:
        if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            # A handler of our own, and not SIG_IGN at any time, which commands would inherit.
            signal.signal(number, _interrupts.arrive)


@contextmanager
def waiting() -> Iterator[None]:
    """Let a signal end what the block waits for; one that came before ends it at once."""
    _interrupts.waiting = True
    try:
        _interrupts.heed()
        yield
    finally:
        _interrupts.waiting = False


@contextmanager
def deferred_signals() -> Iterator[None]:
    """Defer signals while the block runs: an undo is not interrupted. They take effect after it."""
    _interrupts.shielded += 1
    try:
        yield
    finally:
        _interrupts.shielded -= 1
