"""Properties that all hosts of a kind share."""

from __future__ import annotations

from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Tools:
    """Command lines that an administrator of the host can type, for hints.

    In braces is what a line is about: an interface or an anchor. A line is empty
    where hosts of this kind need no such command.
    """

    list_interfaces: str = ""
    show_interface: str = ""
    bring_up: str = ""
    show_rules: str = ""
    enable_filter: str = ""
    load_filter: str = ""
    load_device_rules: str = ""


@dataclass(frozen=True, slots=True)
class Traits:
    """Properties that all hosts of a kind share, so that plans need not ask for the kind.

    own_programs: a pot runs the programs in its root; otherwise the host's, and its root only holds files.
    etc: the directory with an etc for each pot, by its name; None: it is in the pot's root.
    bridge_ports: how many members a bridge takes; None: no limit.
    confines: a pot that shares the host's stack is kept to its addresses and families.
    one_mtu: the members of a bridge always have its MTU.
    to_prepare: `init` has something to do there. bhyve: it has that hypervisor. loopback_families: those in
    which the host itself can reach an export. ports_by_address: one port may lead to different pots at
    different addresses of the host. first_address: its filter knows the first address of an interface.
    owners_change: another user can be given a tap that is there.
    upstream_resolvers: the file that names the resolvers which one on the host's loopback asks.
    tools: the host's own commands.
    """

    own_programs: bool = True
    etc: str | None = None
    bridge_ports: int | None = None
    confines: bool = True
    one_mtu: bool = True
    to_prepare: bool = True
    bhyve: bool = True
    loopback_families: tuple[int, ...] = (4,)
    ports_by_address: bool = True
    first_address: bool = True
    owners_change: bool = True
    upstream_resolvers: str | None = None
    tools: Tools = Tools()
