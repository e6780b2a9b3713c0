"""The parameters of jail(8) that users set for a pot, as texts such as ``allow.mlock`` and ``sysvshm=new``.

A flag that is off has ``no`` before the last part of its name, as jls(8) shows it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from potnet.errors import UsageError

_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*", re.ASCII)
_FLAGS = "allow."
_TRUTH = {"true": True, "1": True, "false": False, "0": False}
#: Parameters with a number, and its least and greatest value.
_NUMBERS = {
    "devfs_ruleset": (1, 65535),
    "enforce_statfs": (0, 2),
    "children.max": (0, 999_999),
    "securelevel": (-1, 3),
    "osreldate": (1, 2**31 - 1),
    "host.hostid": (0, 2**32 - 1),
    "stop.timeout": (0, 3600),
}
_SYSTEMS = ("sysvmsg", "sysvsem", "sysvshm")
_MODES = ("new", "inherit", "disable")
#: Parameters, also those below them, that cannot be given; each with the reason and the hint.
_NETWORK = ("potnet sets it", "-N and -i choose the network of the pot")
_PROGRAMS = ("potnet runs the programs of the jail", "--cmd or `potnet set-hook` runs programs")
_MOUNTS = ("potnet mounts only /dev", "`potnet set-hook` runs programs that mount file systems")
_SHOWN = ("the kernel reports it", "omit it")
_REFUSED: dict[str, tuple[str, str]] = {
    "name": ("potnet sets it", "-p names the pot"),
    "path": ("potnet sets it", "`potnet create --path` gives the root"),
    "host.hostname": ("potnet sets it", "--hostname gives the host name"),
    "persist": ("potnet sets it", "omit it"),
    "jid": ("potnet recognizes its jails by it", "omit it"),
    "vnet": _NETWORK,
    "ip4": _NETWORK,
    "ip6": _NETWORK,
    "interface": _NETWORK,
    "ip_hostname": _NETWORK,
    "mount": _MOUNTS,
    "exec": _PROGRAMS,
    "command": _PROGRAMS,
    "depend": ("potnet starts each jail alone", "omit it"),
    "allow.dying": ("it has no effect on a new jail", "omit it"),
    "parent": _SHOWN,
    "dying": _SHOWN,
    "children.cur": _SHOWN,
    "cpuset": _SHOWN,
}
#: A parameter that cannot be given, although those below it can.
_ALONE = {"host": ("potnet sets the host name", "--hostname gives the host name")}
#: Flags with an effect only in a jail with a network of its own (jail(8)).
_NEED_NETWORK = ("allow.nfsd",)
#: Parameters that only jail(8) itself reads.
_NOT_OF_KERNEL = ("stop.timeout",)
#: Parameters that no program in a jail can change, beside the flags.
_KEPT = ("devfs_ruleset", "enforce_statfs", "children.max", *_SYSTEMS)
DEVFS_RULESET = "devfs_ruleset"

#: Names for completion.
USUAL = (
    *(f"allow.{name}" for name in (
        "chflags", "extattr", "mlock", "mount", "mount.devfs", "mount.fdescfs", "mount.fusefs",
        "mount.linprocfs", "mount.linsysfs", "mount.nullfs", "mount.procfs", "mount.tmpfs", "mount.zfs",
        "nfsd", "quotas", "raw_sockets", "read_msgbuf", "reserved_ports", "set_hostname", "socket_af",
        "suser", "unprivileged_proc_debug", "vmm",
    )),
    "children.max", "devfs_ruleset", "enforce_statfs", "host.domainname", "host.hostid", "host.hostuuid",
    "osreldate", "osrelease", "securelevel", "stop.timeout", *_SYSTEMS,
)  # fmt: skip


def split(text: str) -> tuple[str, str | None]:
    """Return the name of a parameter and its value; None: a flag."""
    name, equals, value = text.partition("=")
    return name, value if equals else None


def positive(name: str) -> str:
    """Return a name without the ``no`` of a flag that is off."""
    start, dot, last = name.rpartition(".")
    flag = name.startswith(_FLAGS) or f"{start}{dot}{last.removeprefix('no')}" in _REFUSED
    return f"{start}{dot}{last.removeprefix('no')}" if flag else name


def parse(text: str) -> str:
    """Return a parameter in its normal form. Raises UsageError for one that cannot be given."""
    name, value = split(text)
    if not _NAME.fullmatch(name):
        raise _invalid(text, "a name consists of lower-case letters, digits, dots and underscores")
    _refuse(text, name)
    if value is not None and not value.isprintable():
        raise _invalid(text, "the value has characters that cannot be printed")
    if value == "":
        raise _invalid(text, "the value is missing")
    if name.startswith(_FLAGS):
        return _flag(text, name, value)
    if name in _NUMBERS:
        _check_number(text, value, *_NUMBERS[name])
    if name in _SYSTEMS and value not in _MODES:
        raise _invalid(text, f"the value is one of {', '.join(_MODES)}")
    if value is None and name in USUAL:
        raise _invalid(text, "the value is missing")
    return text


def _refuse(text: str, name: str) -> None:
    """Raises UsageError for a parameter that potnet sets itself, or that has no effect."""
    wanted = positive(name)
    above = [wanted]
    while "." in above[-1]:
        above.append(above[-1].rpartition(".")[0])
    found = _ALONE.get(wanted) or next((_REFUSED[each] for each in above if each in _REFUSED), None)
    if found is not None:
        why, hint = found
        raise _invalid(text, f"{wanted} cannot be given, as {why}", hint)


def _flag(text: str, name: str, value: str | None) -> str:
    start, _, last = name.rpartition(".")
    on = not last.startswith("no")
    if value is not None:
        if value.lower() not in _TRUTH:
            raise _invalid(text, "the value of a flag is true or false")
        on = on is _TRUTH[value.lower()]
    return f"{start}.{'' if on else 'no'}{last.removeprefix('no')}"


def _check_number(text: str, value: str | None, least: int, greatest: int) -> None:
    number = value or ""
    if not re.fullmatch(r"-?[0-9]{1,10}", number, re.ASCII) or not least <= int(number) <= greatest:
        raise _invalid(text, f"the value is a number from {least} to {greatest}")


def _invalid(text: str, why: str, hint: str | None = None) -> UsageError:
    return UsageError(
        f"invalid jail parameter --param {text[:100]!r}: {why}",
        hint=hint or "write one such as allow.mlock or sysvshm=new",
    )


def needs_network(parameters: Iterable[str]) -> str | None:
    """Return a flag that has no effect without a network of the jail's own; None if there is none."""
    return next((each for each in parameters if each in _NEED_NETWORK), None)


def is_of_kernel(text: str) -> bool:
    """Whether the kernel reads a parameter; jail(8) alone reads the others."""
    return split(text)[0] not in _NOT_OF_KERNEL


def is_kept(text: str) -> bool:
    """Whether no program in the jail can change a parameter, so that a difference comes from the host."""
    name, _ = split(text)
    return name.startswith(_FLAGS) or name in _KEPT


def kept_names(parameters: Iterable[str]) -> tuple[str, ...]:
    """Return the names of those parameters that no program in the jail can change."""
    return tuple(positive(split(each)[0]) for each in parameters if is_kept(each))


def differing(wanted: Iterable[str], found: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the wanted parameters that a jail has otherwise, and in the same order as it has them."""
    there = {positive(split(each)[0]): each for each in found}
    pairs = [(each, there.get(positive(split(each)[0]), each)) for each in wanted]
    apart = [(each, had) for each, had in pairs if each != had]
    return tuple(each for each, _ in apart), tuple(had for _, had in apart)


def ruleset_of(parameters: Iterable[str]) -> int | None:
    """Return the devfs ruleset among the parameters; None: the default."""
    values = [split(each)[1] for each in parameters if split(each)[0] == DEVFS_RULESET]
    return int(values[-1] or 0) if values else None
