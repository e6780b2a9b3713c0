"""The actions on jails; see `potnet.host.actions`."""

from __future__ import annotations

from netaddr import IPAddress

from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Jail:
    """The parameters of a jail (jail(8)). inherit: families taken from the host, for a pot without VNET.

    parameters: further ones, which the user set, as `potnet.model.jail_parameters` describes them.
    """

    name: str
    hostname: str
    root: str
    vnet_interfaces: tuple[str, ...] = ()
    aliases: tuple[tuple[str, IPAddress], ...] = ()
    inherit: tuple[int, ...] = ()
    devfs: bool = False
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StartJail:
    jail: Jail


@dataclass(frozen=True, slots=True)
class SetParameters:
    """Set parameters of a running jail, as `potnet.model.jail_parameters` describes them."""

    jail: str
    parameters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EndProcesses:
    """End all processes of a jail; the jail stays. jid: None: the driver looks it up."""

    jail: str
    jid: int | None = None


@dataclass(frozen=True, slots=True)
class StopJail:
    """Remove a jail with the configuration of its start, so that aliases and mounts are removed too."""

    jail: Jail


@dataclass(frozen=True, slots=True)
class RunInJail:
    """Run a program inside a jail. tolerant: its failure is ignored.

    patience: the time limit in seconds; None: the limit for slow commands. log: the file on the host for what
    the program prints; None: nowhere. The action prints the reason
    if the log cannot be written.
    """

    jail: str
    argv: tuple[str, ...]
    tolerant: bool = False
    patience: float | None = None
    log: str | None = None


@dataclass(frozen=True, slots=True)
class ShowPackets:
    """Make the devfs ruleset that shows bpf(4) to a jail and hides what the default ruleset hides.

    number: of the ruleset; one that exists stays.
    """

    number: int


@dataclass(frozen=True, slots=True)
class StartDhcp:
    """Start the DHCP client of a jail for one of its interfaces, which is up. The client stays.

    routes: it requests a default route, for a client without a file that says so.
    """

    interface: str
    jail: str
    routes: bool = True


@dataclass(frozen=True, slots=True)
class ForgetDhcp:
    """Remove what the host keeps for the DHCP client of a jail, which has ended."""

    jail: str


@dataclass(frozen=True, slots=True)
class AwaitLease:
    """Wait until an interface of a jail has an IPv4 address. The wait also succeeds when its time is up."""

    interface: str
    jail: str


JailAction = (
    StartJail
    | SetParameters
    | EndProcesses
    | StopJail
    | RunInJail
    | ShowPackets
    | StartDhcp
    | ForgetDhcp
    | AwaitLease
)
