"""Words of ip-link(8) that several commands share."""

from __future__ import annotations

from potnet.model.pots import SMALLEST_MTU6

#: The third byte of the MAC address of the host's end.
EPAIR, TAP = "6f", "74"


def far_mac(kind: str, unit: int) -> str:
    """Return the MAC address of the host's end of an epair or tap; no frame ever has this address.

    The host's other bridges may take the lowest address of their members. This one is higher than any
    hardware's.
    """
    number = f"{unit:06x}"
    return f"fe:70:{kind}:{number[:2]}:{number[2:4]}:{number[4:]}"


def quietly_up(description: str, mtu: int | None) -> str:
    """Return words for a link of the host without addresses, not even a link-local one."""
    return f'alias "{description}"{quiet(mtu)} up'


def quiet(mtu: int | None) -> str:
    """Return words that prevent a link-local IPv6 address; a link with a small MTU lacks IPv6 anyway."""
    return "" if mtu is not None and mtu < SMALLEST_MTU6 else " addrgenmode none"


def mtu_words(mtu: int | None) -> str:
    return f" mtu {mtu}" if mtu is not None else ""
