"""The requirements of a Linux host for pots: tools, and permissions of the kernel."""

from __future__ import annotations

import re
from collections.abc import Iterator

from potnet.drivers.linux.preconditions import PACKAGES
from potnet.drivers.reading import lines_of
from potnet.host.findings import Condition, Verdict

#: The tools, with the option that prints the version.
_VERSIONS = {"ip": "-V", "nft": "--version", "conntrack": "--version"}
_USER_NAMESPACES = "/proc/sys/user/max_user_namespaces"
#: These switches exist only in kernels of Debian and Ubuntu.
_CLONE = "/proc/sys/kernel/unprivileged_userns_clone"
_APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
_PING = "/proc/sys/net/ipv4/ping_group_range"
_PORTS = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
_VERSION = re.compile(r"\d+(?:\.\d+)+")
#: Prints IDs, existing tools, versions after the tools' names, and files after their paths.
LOOK = f"""echo uid $(id -u) $(id -un)
for tool in {" ".join(PACKAGES)}; do command -v $tool >/dev/null && echo has $tool; done
{"; ".join(f"echo {tool} $({tool} {option} 2>/dev/null)" for tool, option in _VERSIONS.items())}
for file in {_USER_NAMESPACES} {_CLONE} {_APPARMOR} {_PING} {_PORTS}; do
  [ -r $file ] && echo $file $(cat $file)
done
[ -c /dev/net/tun ] && echo tun there
[ -r /dev/net/tun ] && [ -w /dev/net/tun ] && echo tun usable
for file in /etc/subuid /etc/subgid; do
  grep -qs -e "^$(id -un):" -e "^$(id -u):" $file && echo $file listed
done
command -v newuidmap >/dev/null && command -v newgidmap >/dev/null && echo has newuidmap
:"""


def conditions(said: str) -> tuple[Condition, ...]:
    """Judge the output of the script `LOOK`."""
    told: dict[str, list[str]] = {}
    for line in lines_of(said):
        what, _, rest = line.partition(" ")
        told.setdefault(what, []).append(rest)
    return tuple(_judged(told))


def _judged(told: dict[str, list[str]]) -> Iterator[Condition]:
    there = set(told.get("has", []))
    for tool, package in PACKAGES.items():
        if tool not in there:
            yield Condition(tool, Verdict.MISSING, "not installed", f"apt-get install {package}")
        elif tool in _VERSIONS:
            version = _VERSION.search(_first(told, tool))
            yield Condition(tool, Verdict.OK, version[0] if version else "unknown version")
    yield _user_namespaces(told)
    yield _subordinate_ids(told, there)
    yield _tun(told.get("tun", []))
    yield _ping(_first(told, _PING))
    yield _ports(_first(told, _PORTS))


def _first(told: dict[str, list[str]], what: str) -> str:
    return next(iter(told.get(what, [])), "")


def _user_namespaces(told: dict[str, list[str]]) -> Condition:
    subject = "user namespaces"
    for path, wrong, right in ((_USER_NAMESPACES, "0", "15000"), (_CLONE, "0", "1"), (_APPARMOR, "1", "0")):
        if _first(told, path) == wrong:
            name = path.removeprefix("/proc/sys/").replace("/", ".")
            return Condition(
                subject, Verdict.LIMITED, f"{name} is {wrong}: only root can create them",
                f"sysctl -w {name}={right}",
            )  # fmt: skip
    if not told.get(_USER_NAMESPACES):
        found = "not in this kernel: potnet requires root"
        return Condition(subject, Verdict.LIMITED, found, "boot a kernel with CONFIG_USER_NS")
    return Condition(subject, Verdict.OK, "every user can create them")


def _subordinate_ids(told: dict[str, list[str]], there: set[str]) -> Condition:
    subject = "subordinate ids"
    uid, _, user = _first(told, "uid").partition(" ")
    if uid == "0":
        return Condition(subject, Verdict.OK, "not required for root")
    if not {"/etc/subuid", "/etc/subgid"} <= told.keys():
        return Condition(
            subject, Verdict.LIMITED, f"none for {user or uid}: pots have the id of this user only",
            f"usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user or uid}",
        )  # fmt: skip
    if "newuidmap" not in there:
        found = "listed, but newuidmap(1) is not installed"
        return Condition(subject, Verdict.LIMITED, found, "apt-get install uidmap")
    return Condition(subject, Verdict.OK, f"listed for {user or uid}")


def _tun(said: list[str]) -> Condition:
    if "there" not in said:
        found = "not found: taps and rootless networks require it"
        return Condition("/dev/net/tun", Verdict.LIMITED, found, "modprobe tun")
    if "usable" not in said:
        found = "not accessible: taps and rootless networks require it"
        return Condition("/dev/net/tun", Verdict.LIMITED, found, "chmod 666 /dev/net/tun")
    return Condition("/dev/net/tun", Verdict.OK, "usable")


def _ping(words: str) -> Condition:
    """Judge who may send ICMP echo requests without root (icmp(7)): a range of groups."""
    ends = [int(word) for word in words.split() if word.isascii() and word.isdigit()]
    if len(ends) == 2 and ends[0] <= ends[1]:
        return Condition("ping_group_range", Verdict.OK, f"groups {ends[0]} to {ends[1]}")
    return Condition(
        "ping_group_range", Verdict.LIMITED, "no group: pots of a user cannot ping the outside",
        'sysctl -w net.ipv4.ping_group_range="0 2147483647"',
    )  # fmt: skip


def _ports(first: str) -> Condition:
    """Judge the first port that users other than root may use (ip(7)); the kernel's default is 1024."""
    number = int(first) if first.isascii() and first.isdigit() else 1024
    lower = "; lower ones require `sysctl net.ipv4.ip_unprivileged_port_start=PORT`" if number > 1 else ""
    return Condition("ports of users", Verdict.OK, f"{number} and above{lower}")
