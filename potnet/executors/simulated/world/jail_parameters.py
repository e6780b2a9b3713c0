"""The parameters of jails: those that the kernel knows, their values, and how jls(8) shows them (jail(8))."""

from __future__ import annotations

from collections.abc import Mapping

from potnet.executors.simulated.world.entities import Jail
from potnet.executors.simulated.world.world import ToolError

#: Permissions, and whether a new jail has them. Those of other file systems come with their modules.
FLAGS = {
    "allow.set_hostname": True,
    "allow.sysvipc": False,
    "allow.raw_sockets": False,
    "allow.chflags": False,
    "allow.mount": False,
    "allow.mount.devfs": False,
    "allow.mount.nullfs": False,
    "allow.mount.tmpfs": False,
    "allow.quotas": False,
    "allow.socket_af": False,
    "allow.mlock": False,
    "allow.nfsd": False,
    "allow.read_msgbuf": False,
    "allow.reserved_ports": True,
    "allow.unprivileged_proc_debug": True,
    "allow.suser": True,
    "persist": False,
}
#: Numbers, with the largest value and the value of a new jail.
NUMBERS = {
    "devfs_ruleset": (65535, 0),
    "enforce_statfs": (2, 2),
    "children.max": (999_999, 0),
    "securelevel": (2**31 - 1, -1),
    "osreldate": (2**31 - 1, 0),
    "host.hostid": (2**32 - 1, 0),
}
#: Parts of the system that a jail has itself, shares or lacks, with the value of a new jail.
SYSTEMS = {
    "vnet": "inherit",
    "ip4": "disable",
    "ip6": "disable",
    "sysvshm": "disable",
    "sysvsem": "disable",
    "sysvmsg": "disable",
}
_MODES = ("new", "inherit", "disable")
#: Texts of the kernel, and words that only jail(8) itself reads.
_TEXTS = (
    "name", "path", "host.hostname", "host.hostuuid", "host.domainname", "osrelease", "ip4.addr", "ip6.addr",
)  # fmt: skip
_OWN = (
    "vnet.interface", "mount.devfs", "exec.clean", "exec.timeout", "exec.fib", "exec.consolelog",
    "stop.timeout", "ip_hostname", "jid",
)  # fmt: skip
#: Parameters that the kernel reports.
_SHOWN_ONLY = ("jid", "parent", "dying", "children.cur", "cpuset.id")
#: The longest name of a jail or host, in bytes.
_LONGEST = 255
#: The parameters that stay as they were at the creation.
_FIXED = ("vnet", "path", "ip4", "ip6", "osrelease", "osreldate")

Given = Mapping[str, list[str]]


def _opposite(name: str) -> str:
    """Return a flag's name with ``no``, which stands in its last part."""
    start, _, last = name.rpartition(".")
    return f"{start}.no{last}" if start else f"no{last}"


_OPPOSITES = {_opposite(name): name for name in FLAGS}


def known(name: str) -> bool:
    return _OPPOSITES.get(name, name) in (*FLAGS, *NUMBERS, *SYSTEMS, *_TEXTS, *_OWN)


def of_kernel() -> tuple[str, ...]:
    """Return the parameters of the kernel as variables of sysctl(8); a group of others ends in a dot."""
    names = sorted({*FLAGS, *NUMBERS, *SYSTEMS, *_TEXTS, *_SHOWN_ONLY})
    return tuple(
        f"{each}." if any(other.startswith(f"{each}.") for other in names) else each for each in names
    )


def check(prefix: str, given: Given) -> None:
    """Refuse unknown parameters and invalid values, in jail(8)'s words."""
    for name, values in given.items():
        value = values[-1] if values else ""
        if not known(name):
            raise ToolError(f"{prefix}unknown parameter: {name}")
        if name in NUMBERS and not value.lstrip("-").isdigit():
            raise ToolError(f'{prefix}{name}: non-integer value "{value}"')
        if name in NUMBERS and int(value) > NUMBERS[name][0]:
            raise ToolError(f"{prefix}jail_set: Invalid argument")
        if name in SYSTEMS and value and value not in _MODES:
            if name.startswith("ip"):
                raise ToolError(f'{prefix}unknown value for {name}: "{value}"')
            raise ToolError(f'{prefix}{name}: unknown jailsys value "{value}"')
        if name in ("name", "host.hostname") and len(value.encode("utf-8", "surrogateescape")) > _LONGEST:
            raise ToolError(f"{prefix}jail_set: File name too long")


def changed(jail: Jail, given: Given) -> dict[str, str]:
    """Return the parameters after ``jail -m``; some cannot be changed."""
    found = dict(jail.parameters)
    for name, values in given.items():
        if name in _FIXED:
            raise ToolError(f"jail: {name} cannot be changed after creation")
        positive = _OPPOSITES.get(name, name)
        found.pop(positive, None)
        found.pop(_opposite(positive), None)
        found[name] = values[-1] if values else ""
    return found


def shown(jail: Jail, name: str) -> str | None:
    """Return a parameter as ``jls -n`` prints it; None if the simulated host does not know its value."""
    if name in FLAGS:
        return name if allowed(jail, name) else _opposite(name)
    if name in NUMBERS:
        return f"{name}={jail.parameters.get(name, NUMBERS[name][1])}"
    if name in SYSTEMS and name.startswith("sysv"):
        shared = "inherit" if allowed(jail, "allow.sysvipc") else SYSTEMS[name]
        return f"{name}={jail.parameters.get(name, shared)}"
    return f"{name}={jail.parameters[name]}" if name in jail.parameters else None


def allowed(jail: Jail, name: str) -> bool:
    """Return whether a jail has a flag."""
    if _opposite(name) in jail.parameters:
        return False
    return jail.parameters[name] not in ("0", "false") if name in jail.parameters else FLAGS[name]
