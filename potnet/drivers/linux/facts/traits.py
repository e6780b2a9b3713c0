"""The properties of all Linux hosts."""

from __future__ import annotations

from potnet.drivers.linux.facts.names import OWN_ETC
from potnet.host.traits import Tools, Traits

#: BR_MAX_PORTS in net/bridge/br_private.h is 1024, and port 0 is unused.
BRIDGE_PORTS = 1023

TRAITS = Traits(
    own_programs=False,
    etc=OWN_ETC,
    bridge_ports=BRIDGE_PORTS,
    confines=False,
    one_mtu=False,
    to_prepare=False,
    bhyve=False,
    loopback_families=(4, 6),
    members_reached=False,
    limits_lan=True,
    single_exports=True,
    first_address=False,
    owners_change=False,
    jail_parameters=False,
    upstream_resolvers="/run/systemd/resolve/resolv.conf",
    tools=Tools(
        list_interfaces="ip -br link",
        show_interface="ip addr show dev {interface}",
        bring_up="ip link set dev {interface} up",
        show_rules="nft list table inet potnet",
    ),
)
