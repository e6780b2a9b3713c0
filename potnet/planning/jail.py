"""The jail of a pot, as parameters of jail(8)."""

from __future__ import annotations

from potnet.host.jail_actions import Jail
from potnet.host.state import FileKind, HostState
from potnet.host.traits import Traits
from potnet.model.jail_parameters import DEVFS_RULESET, ruleset_of
from potnet.model.pots import NetworkType, Pot

#: Paths that a start observes, relative to the root.
LOOKED_AT = ("dev", "etc/rc", "sbin/rtsol")


#: The DHCP client of a root, relative to the root.
DHCLIENT = "sbin/dhclient"
#: The devfs ruleset of jails with a DHCP client, which needs bpf(4).
PACKETS_RULESET = 6767


def path_in(root: str, name: str) -> str:
    """Return a path below a root; a root of ``/`` is the host's own."""
    return f"{root.rstrip('/')}/{name}"


def host_files(root: str) -> bool:
    """Whether the root is the host's own: potnet writes nothing there, and its rc is not a jail's."""
    return root == "/"


def etc_of(pot: Pot, traits: Traits) -> str | None:
    """Return the directory of a pot's own resolv.conf and hosts; None if it has none, or the host's."""
    if not pot.is_jail:
        return None
    if traits.etc is not None:
        return f"{traits.etc}/{pot.name}"
    return None if host_files(pot.root) else path_in(pot.root, "etc")


def jail_of(pot: Pot, devfs: bool) -> Jail:
    """Return the jail's parameters. devfs: mount a device file system, as the start did or will."""
    families = pot.stack.families
    return Jail(
        name=pot.name,
        hostname=pot.hostname or pot.name,
        root=pot.root,
        vnet_interfaces=tuple(a.jail_end for a in pot.attachments),
        # Addresses of a family that the stack lacks are kept but not used.
        aliases=tuple((a.interface, a.address) for a in pot.aliases if a.address.version in families),
        inherit=families if pot.network_type is NetworkType.INHERIT else (),
        devfs=devfs,
        parameters=(*pot.parameters, *_shows_packets(pot, devfs)),
    )


def _shows_packets(pot: Pot, devfs: bool) -> tuple[str, ...]:
    number = device_rules(pot)
    return (f"{DEVFS_RULESET}={number}",) if devfs and number != ruleset_of(pot.parameters) else ()


def device_rules(pot: Pot) -> int | None:
    """Return the devfs ruleset of the jail's device file system; None stands for the default."""
    given = ruleset_of(pot.parameters)
    return PACKETS_RULESET if given is None and pot.by_dhcp else given


def rulesets_of(pot: Pot, devfs: bool) -> tuple[int | None, ...]:
    """Return the devfs ruleset that limits the jail's devices, if any; None stands for the default."""
    mounts = devfs or "allow.mount.devfs" in pot.parameters
    return (device_rules(pot),) if mounts else ()


def wants_devfs(pot: Pot, state: HostState) -> bool:
    """Whether the directory for a device file system exists."""
    if not pot.is_jail or host_files(pot.root) or not state.traits.own_programs:
        return False
    return state.files.get(path_in(pot.root, "dev")) is FileKind.DIRECTORY


def boot_command(pot: Pot, state: HostState) -> tuple[str, ...]:
    """Return the command that starts the jail: its rc(8), or the pot's command; empty without programs."""
    if pot.command:
        return pot.command
    if not pot.is_jail or host_files(pot.root) or not state.traits.own_programs:
        return ()
    has_rc = state.files.get(path_in(pot.root, "etc/rc")) is FileKind.FILE
    return ("/bin/sh", "/etc/rc") if has_rc else ()
