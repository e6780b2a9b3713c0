"""Taps on FreeBSD: tap(4), chown(8)."""

from __future__ import annotations

from potnet.executors.base import Command


def is_tap(interface: str) -> bool:
    """Return whether this name is the name of a tap (tap(4))."""
    return interface.startswith("tap")


def tap_node(interface: str) -> str:
    """Return the device node that a process opens."""
    return f"/dev/{interface}"


def owned(tap: str, user: str) -> Command:
    return Command(("chown", user, tap_node(tap)))
