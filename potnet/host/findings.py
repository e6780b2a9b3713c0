"""Findings about a host, as plain data: differences from the store, and missing requirements."""

from __future__ import annotations

from enum import StrEnum

from potnet.runtime.fast_dataclass import dataclass


class Kind(StrEnum):
    """The kinds of findings. Scripts read the values, which therefore never change."""

    COMMAND_CUT_OFF = "command-cut-off"
    POT_CUT_OFF = "pot-cut-off"
    START_CUT_OFF = "start-cut-off"
    STOP_CUT_OFF = "stop-cut-off"
    POT_GONE = "pot-gone"
    JAIL_FOREIGN = "jail-foreign"
    JAIL_UNREADABLE = "jail-unreadable"
    FILTER_DISABLED = "filter-disabled"
    ANCHOR_UNCALLED = "anchor-uncalled"
    ANCHOR_LIMITED = "anchor-limited"
    ANCHOR_BYPASSED = "anchor-bypassed"
    INTERFACE_SKIPPED = "interface-skipped"
    TRAFFIC_BLOCKED = "traffic-blocked"
    EXPORT_SHADOWED = "export-shadowed"
    EXPORT_ADDRESS_GONE = "export-address-gone"
    EXPORT_ADDRESS_TAKEN = "export-address-taken"
    FORWARDING_OFF = "forwarding-off"
    FORWARDING_LEFT = "forwarding-left"
    MEMBERS_UNFILTERED = "members-unfiltered"
    MEMBERS_FILTERED = "members-filtered"
    LOOPBACK_OFF = "loopback-off"
    EXTERNAL_MISSING = "external-missing"
    BRIDGE_MISSING = "bridge-missing"
    INTERFACE_MISSING = "interface-missing"
    INTERFACE_DOWN = "interface-down"
    INTERFACE_LEFT = "interface-left"
    INTERFACE_FOREIGN = "interface-foreign"
    INTERFACE_DOUBLED = "interface-doubled"
    INTERFACE_LOST = "interface-lost"
    MEMBER_MISSING = "member-missing"
    MEMBER_DIFFERS = "member-differs"
    MEMBER_FOREIGN = "member-foreign"
    MAC_DIFFERS = "mac-differs"
    MTU_DIFFERS = "mtu-differs"
    OWNER_DIFFERS = "owner-differs"
    PARAMETER_DIFFERS = "parameter-differs"
    RATE_DIFFERS = "rate-differs"
    ADDRESS_MISSING = "address-missing"
    ADDRESS_TAKEN = "address-taken"
    ADDRESS_CHANGED = "address-changed"
    ADDRESS_UNCONFIRMED = "address-unconfirmed"
    ROUTE_MISSING = "route-missing"
    ROUTE_DIFFERS = "route-differs"
    RULES_MISSING = "rules-missing"
    RULES_DIFFER = "rules-differ"
    RULES_LEFT = "rules-left"
    RULES_FOREIGN = "rules-foreign"
    FILE_MISSING = "file-missing"
    FILE_DIFFERS = "file-differs"
    PORT_HELD = "port-held"
    LEASE_LEFT = "lease-left"
    STORE_CONTRADICTS = "store-contradicts"
    DATASET_UNMOUNTED = "dataset-unmounted"
    ROOT_EXPOSED = "root-exposed"
    DEVICES_EXPOSED = "devices-exposed"
    LOGS_EXPOSED = "logs-exposed"
    NAME_SPECIAL = "name-special"
    NAME_DOUBLED = "name-doubled"


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference between the host and the store.

    pot, bridge, interface: what the difference is about, if it is about one. expected, found: in words; for
    rules, the rules themselves, a line each. repairable: `repair` fixes it. remedy: what `repair` does, or
    what the administrator has to do.
    """

    kind: Kind
    expected: str
    found: str
    remedy: str
    pot: str | None = None
    bridge: str | None = None
    interface: str | None = None
    repairable: bool = True


class Verdict(StrEnum):
    """The verdict on one requirement of pots. Scripts read the values, which therefore never change.

    limited: pots work, except for what the condition is about. missing: pots do not work.
    """

    OK = "ok"
    LIMITED = "limited"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Condition:
    """One requirement of the network of pots.

    found: its present state, in words. remedy: the command or step that fixes it; None if nothing helps or is
    needed.
    """

    subject: str
    verdict: Verdict
    found: str
    remedy: str | None = None
