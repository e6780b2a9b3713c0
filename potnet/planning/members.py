"""Membership of pots in bridges."""

from __future__ import annotations

from potnet.config.configuration import Config
from potnet.host.actions import AddMember
from potnet.model.bridges import Bridge
from potnet.model.pots import Attachment, Pot


def isolated(pot: Pot, bridge: Bridge, config: Config) -> bool:
    """Whether a pot and other isolated pots of its bridge cannot reach one another."""
    return pot.isolate or bridge.isolate or config.isolate


def join(pot: Pot, attachment: Attachment, bridge: Bridge, config: Config) -> AddMember:
    """Return the action that adds a pot to a bridge."""
    hairpin = bool(bridge.subnets)
    mac = attachment.mac if pot.antispoof else None
    return AddMember(bridge.interface, attachment.host_end, isolated(pot, bridge, config), hairpin, mac)
