"""What is found about a host, as plain data: where it differs from what the store says, what it lacks."""

from __future__ import annotations

from enum import StrEnum

from potnet.runtime.fast_dataclass import dataclass


class Kind(StrEnum):
    """What is off. The values are for scripts and stay as they are."""

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
    MEMBER_MISSING = "member-missing"
    MEMBER_DIFFERS = "member-differs"
    MEMBER_FOREIGN = "member-foreign"
    MAC_DIFFERS = "mac-differs"
    MTU_DIFFERS = "mtu-differs"
    OWNER_DIFFERS = "owner-differs"
    RATE_DIFFERS = "rate-differs"
    ADDRESS_MISSING = "address-missing"
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
    ROOT_EXPOSED = "root-exposed"
    DEVICES_EXPOSED = "devices-exposed"
    NAME_SPECIAL = "name-special"
    NAME_DOUBLED = "name-doubled"


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


class Verdict(StrEnum):
    """Whether a host has what pots need. The values are for scripts and stay as they are.

    limited: pots work, but for what the condition is about. missing: no pot does.
    """

    OK = "ok"
    LIMITED = "limited"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that the network of pots depends on.

    found: how it is, in words. remedy: the command or the step that mends it; None where there is nothing to.
    """

    subject: str
    verdict: Verdict
    found: str
    remedy: str | None = None
