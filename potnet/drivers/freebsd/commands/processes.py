"""Commands for processes of jails: pkill(1)."""

from __future__ import annotations

from collections.abc import Collection

from potnet.executors.base import Command


def ending(jids: Collection[int], signal: str) -> Command:
    """Send a signal to all processes of jails. JIDs are used, because "none" and "any" are special to
    pkill(1)."""
    return Command(("pkill", f"-{signal}", "-j", ",".join(map(str, jids))))
