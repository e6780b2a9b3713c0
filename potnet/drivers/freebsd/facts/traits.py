"""The properties of all FreeBSD hosts."""

from __future__ import annotations

from potnet.host.traits import Tools, Traits

TRAITS = Traits(
    tools=Tools(
        list_interfaces="ifconfig -l",
        show_interface="ifconfig {interface}",
        bring_up="ifconfig {interface} up",
        show_rules="pfctl -a {anchor} -s nat; pfctl -a {anchor} -s rules",
        enable_filter="pfctl -e",
        load_filter="service pf restart",
        load_device_rules="service devfs restart",
        list_parameters="sysctl -d security.jail.param",
    )
)
