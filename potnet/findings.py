"""Where a host differs from what the store says, as plain data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is off. The values are for scripts and stay as they are."""

    POT_CUT_OFF = "pot-cut-off"
    START_CUT_OFF = "start-cut-off"
    STOP_CUT_OFF = "stop-cut-off"
    POT_GONE = "pot-gone"
    JAIL_FOREIGN = "jail-foreign"
    FILTER_DISABLED = "filter-disabled"
    ANCHOR_UNCALLED = "anchor-uncalled"
    FORWARDING_OFF = "forwarding-off"
    FORWARDING_LEFT = "forwarding-left"
    LOOPBACK_OFF = "loopback-off"
    EXTERNAL_MISSING = "external-missing"
    BRIDGE_MISSING = "bridge-missing"
    INTERFACE_MISSING = "interface-missing"
    INTERFACE_DOWN = "interface-down"
    INTERFACE_LEFT = "interface-left"
    INTERFACE_FOREIGN = "interface-foreign"
    MEMBER_MISSING = "member-missing"
    MEMBER_DIFFERS = "member-differs"
    MEMBER_FOREIGN = "member-foreign"
    MAC_DIFFERS = "mac-differs"
    MTU_DIFFERS = "mtu-differs"
    ADDRESS_MISSING = "address-missing"
    ROUTE_MISSING = "route-missing"
    ROUTE_DIFFERS = "route-differs"
    RULES_MISSING = "rules-missing"
    RULES_DIFFER = "rules-differ"
    RULES_LEFT = "rules-left"
    RULES_FOREIGN = "rules-foreign"
    FILE_MISSING = "file-missing"
    PORT_HELD = "port-held"
    LEASE_LEFT = "lease-left"


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference.

    pot, bridge, interface: what it is about, as far as it is about one. expected, found: in words; of rules
    the rules themselves, a line each. repairable: `repair` mends it. remedy: what it does, or what somebody
    has to do.
    """

    kind: Kind
    expected: str
    found: str
    remedy: str
    pot: str | None = None
    bridge: str | None = None
    interface: str | None = None
    repairable: bool = True
