"""The releases of FreeBSD that a simulated host can have, and how their tools answer differently.

The differences and their sources are in tests/data/freebsd-15.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Release:
    """The answers of one major release; the defaults are those of FreeBSD 14.

    member_addresses: the value of net.link.bridge.member_ifaddrs, if the variable exists. vlan_bridges: a
    bridge shows its flags, the VLAN protocol of members, and only limits that are set. mask_required:
    ifconfig(8) refuses an IPv4 address without a mask. offloads: an epair has checksum offload. owner: of a
    socket without process, as sockstat(1) shows it. no_rules, no_anchors, no_table: the words of pfctl(8) for
    a missing anchor or table. all_anchors: pfctl(8) always lists anchors at every depth. exact_limits:
    max-src-states lets in as many states as it says, and source-track global counts for all rules. targets:
    pass and match rules of pf can translate (nat-to, rdr-to, binat-to).
    """

    member_addresses: str | None = None
    vlan_bridges: bool = False
    mask_required: bool = False
    offloads: bool = False
    owner: str = "?"
    no_rules: str = "DIOCGETRULES: Invalid argument"
    no_anchors: str = "DIOCGETRULESETS: No such file or directory"
    no_table: str = "Unknown error: -1."
    all_anchors: bool = False
    exact_limits: bool = False
    targets: bool = False


_FREEBSD_15 = Release(
    member_addresses="0",
    vlan_bridges=True,
    mask_required=True,
    offloads=True,
    owner="??",
    no_rules="Anchor does not exist.",
    no_anchors="Anchor does not exist.",
    no_table="Table does not exist.",
    all_anchors=True,
    exact_limits=True,
    targets=True,
)

#: The value of kern.osreldate of the known releases (sys/param.h); others are named as their branch begins.
OSRELDATES = {"14.3": 1403000, "15.0": 1500068}


def release_of(osreldate: int) -> Release:
    """Return the release with this value of kern.osreldate."""
    return _FREEBSD_15 if osreldate >= 1_500_000 else Release()
