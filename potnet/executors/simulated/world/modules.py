"""The modules of a simulated kernel: those on the disk, and those that are loaded."""

from __future__ import annotations

from potnet.executors.simulated.world.state import State

#: The modules on the disk, and whether a new host has them in its kernel.
_FILES = {
    "pf": True,
    "if_bridge": True,
    "bridgestp": True,
    "if_epair": True,
    "if_tuntap": True,
    "if_vlan": True,
    "dummynet": True,
    "sysvshm": True,
    "sysvsem": True,
    "sysvmsg": True,
    "pflog": False,
    "if_wg": False,
    "if_vxlan": False,
}
#: The module of each kind of interface that ifconfig(8) creates; it loads a missing one by the name.
OF_KIND = {
    "bridge": "if_bridge",
    "epair": "if_epair",
    "tap": "if_tuntap",
    "wg": "if_wg",
    "vxlan": "if_vxlan",
}
#: The modules that bring variables of sysctl(8), by the start of their names.
_OF_VARIABLES = {"net.link.tap.": "if_tuntap"}


def known(name: str) -> bool:
    return name in _FILES


def loaded(state: State, name: str) -> bool:
    row = state.get("module", name)
    return _FILES.get(name, False) if row is None else bool(row["loaded"])


def load(state: State, name: str) -> None:
    state.put("module", name, {"loaded": True})


def unload(state: State, name: str) -> None:
    state.put("module", name, {"loaded": False})


def has_variable(state: State, name: str) -> bool:
    """Return whether the module of a variable is loaded."""
    owner = next((module for start, module in _OF_VARIABLES.items() if name.startswith(start)), None)
    return owner is None or loaded(state, owner)
