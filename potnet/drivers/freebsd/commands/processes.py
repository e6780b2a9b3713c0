"""Commands for what runs in jails: pkill(1)."""

from __future__ import annotations

from collections.abc import Collection

from potnet.executors.base import Command


def ending(jids: Collection[int], signal: str) -> Command:
    """A signal to all that runs in jails. By JIDs: pkill(1) knows jails called none and any."""
    return Command(("pkill", f"-{signal}", "-j", ",".join(map(str, jids))))
