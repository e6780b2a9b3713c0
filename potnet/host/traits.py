"""Properties that all hosts of a kind share."""

from __future__ import annotations

from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Tools:
    """Command lines that an administrator of the host can type, for hints.

    Braces hold the argument of a line: an interface or an anchor. A line is empty if hosts of this kind need
    no such command.
    """

    list_interfaces: str = ""
    show_interface: str = ""
    bring_up: str = ""
    show_rules: str = ""
    enable_filter: str = ""
    load_filter: str = ""
    load_device_rules: str = ""
    list_parameters: str = ""


@dataclass(frozen=True, slots=True)
class Traits:
    """Properties that all hosts of a kind share, so that plans need not test the kind.

    own_programs: a pot runs the programs in its root; otherwise the host's programs, and its root holds only
    files. etc: the directory with an etc for each pot, by its name; None: the etc is in the pot's root.
    bridge_ports: the limit of members of a bridge; None: unlimited. confines: a pot on the host's stack can
    use only its addresses and families. one_mtu: the members of a bridge always have the bridge's MTU.
    to_prepare: `init` has work to do there. bhyve: the host has that hypervisor. loopback_families: families
    in which the host itself can reach an export. members_reached: an interface keeps its own IP traffic as a
    member of a bridge. limits_lan: bandwidth is limited for packets that a bridge passes on.
    ports_by_address: one port may lead to different pots at different addresses of the host. single_exports:
    its filter changes one export without the others of the pot. first_address: its filter knows the first
    address of an interface. owners_change: an existing tap can be given to another user. upstream_resolvers:
    the file with the resolvers that a resolver on the host's loopback forwards to. jail_parameters: pots are
    jails with the parameters of jail(8). tools: the host's own commands.
    """

    own_programs: bool = True
    etc: str | None = None
    bridge_ports: int | None = None
    confines: bool = True
    one_mtu: bool = True
    to_prepare: bool = True
    bhyve: bool = True
    loopback_families: tuple[int, ...] = (4,)
    members_reached: bool = True
    limits_lan: bool = False
    ports_by_address: bool = True
    single_exports: bool = False
    first_address: bool = True
    owners_change: bool = True
    upstream_resolvers: str | None = None
    jail_parameters: bool = True
    tools: Tools = Tools()
