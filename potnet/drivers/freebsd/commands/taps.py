"""Taps on FreeBSD: tap(4), chown(8)."""

from __future__ import annotations

from potnet.executors.base import Command


def is_tap(interface: str) -> bool:
    """Whether an interface of this name is one that processes open (tap(4))."""
    return interface.startswith("tap")


def tap_node(interface: str) -> str:
    """What they open."""
    return f"/dev/{interface}"


def owned(tap: str, user: str) -> Command:
    return Command(("chown", user, tap_node(tap)))
