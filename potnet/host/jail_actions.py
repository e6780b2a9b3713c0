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


JailAction = StartJail | SetParameters | EndProcesses | StopJail | RunInJail
