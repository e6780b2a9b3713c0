"""Parse the text of FreeBSD's tools; for interfaces see `parse_ifconfig` and `parse_netstat`.

Unknown lines are skipped, because new releases add lines. A malformed line raises UnreadableError; nothing is
guessed. The forms are those recorded from FreeBSD 14, and those of the sources of FreeBSD 15.
"""

from __future__ import annotations

import json
import re

from netaddr import IPAddress

from potnet.drivers.reading import INTERFACE, UnreadableError, bound_address, lines_of, reads
from potnet.host.state import Access, FileKind, JailState, Listener
from potnet.model.ports import Transport

# The kernel writes the last fields: process, descriptor, protocol, local and foreign address. If a socket has
# no process, a question mark is there; FreeBSD 15 shows two.
_SOCKET = re.compile(
    r"(?P<who>.*\S)\s+(?P<pid>\d+|\?+)\s+(?:\d+|\?+)\s+(?P<protocol>tcp|udp)\S*\s+(?P<at>\S+):(?P<port>\d+)"
    r"\s+\S+\s*"
)
_STAT_KINDS = {
    "Regular File": FileKind.FILE,
    "Directory": FileKind.DIRECTORY,
    "Symbolic Link": FileKind.LINK,
}


@reads("jls")
def jails(text: str) -> tuple[JailState, ...]:
    """Parse the host's own jails in ``jls -d --libxo json -n jid name path dying``.

    The name of a nested jail has a dot and a name that root in the outer jail chose.
    """
    found = json.loads(text, strict=False)["jail-information"]["jail"]
    # The host names its own jails; only a nested jail can have a name that libxo(3) omits.
    told = ((each["jid"], each.get("name"), each.get("path"), each["dying"]) for each in found)
    return tuple(
        JailState(int(jid), name, path, dying=str(dying).lower() == "true")
        for jid, name, path, dying in told
        if isinstance(name, str) and isinstance(path, str) and "." not in name
    )


@reads("jls")
def jail(text: str) -> JailState:
    """Parse the jail in ``jls -d -n -j NAME jid name path dying``; the host chose its name and path."""
    match = re.fullmatch(r"jid=(\d+) name=(\S+) path=(.*) (no)?dying\n?", text, re.DOTALL)
    if not match:
        raise UnreadableError("jls", text)
    return JailState(int(match[1]), match[2], match[3], dying=match[4] is None)


def parameter_names(text: str) -> frozenset[str]:
    """Parse the names in ``sysctl -d security.jail.param`` (jail(8)); a group of parameters ends in a dot."""
    return frozenset(re.findall(r"^security\.jail\.param\.([a-z0-9_.]*[a-z0-9_])\.?:", text, re.MULTILINE))


@reads("jls")
def jail_addresses(text: str) -> dict[IPAddress, int]:
    """Parse the addresses in ``jls -n jid parent vnet ip4.addr ip6.addr``, which shows no text of a jail.

    A nested jail uses addresses of its parent, and those below a VNET jail are not the host's.
    """
    found: dict[IPAddress, int] = {}
    for line in lines_of(text):
        values = dict(word.split("=", 1) for word in line.split())
        if values["parent"] == "0" and values["vnet"] == "inherit":
            both = f"{values['ip4.addr']},{values['ip6.addr']}"
            found |= {IPAddress(each): int(values["jid"]) for each in both.split(",") if each}
    return found


@reads("sockstat")
def listeners(text: str) -> tuple[Listener, ...]:
    """Parse the listening sockets of ``sockstat -46l``; a program in a jail may have any name."""
    found = []
    for match in filter(None, map(_SOCKET.fullmatch, lines_of(text))):
        command = match["who"].split(maxsplit=1)[-1]
        owner, at = f"{command} (pid {match['pid']})", bound_address(match["at"])
        found.append(Listener(Transport(match["protocol"]), int(match["port"]), owner, at))
    return tuple(found)


def default_interface(text: str) -> str | None:
    """Parse the interface in ``route -n get default``."""
    match = re.search(r"^\s*interface: (\S+)$", text, re.MULTILINE)
    if match and not INTERFACE.fullmatch(match[1]):
        raise UnreadableError("route", match[0])
    return match[1] if match else None


@reads("stat")
def file_kinds(text: str) -> dict[str, FileKind]:
    """Parse the kind of each existing path in ``stat -f %HT%t%N``."""
    kinds = {}
    for line in lines_of(text):
        kind, tab, path = line.partition("\t")
        if not tab:
            raise UnreadableError("stat", line)
        kinds[path] = _STAT_KINDS.get(kind, FileKind.OTHER)
    return kinds


@reads("stat")
def file_access(text: str) -> tuple[dict[str, FileKind], dict[str, Access]]:
    """Parse kind and access of each existing path in ``stat -f %HT%t%u%t%g%t%Mp%Lp%t%d%t%N``."""
    kinds, access = {}, {}
    for line in lines_of(text):
        kind, owner, group, mode, device, path = line.split("\t", 5)
        kinds[path] = _STAT_KINDS.get(kind, FileKind.OTHER)
        access[path] = Access(int(owner), int(group), int(mode, 8), int(device))
    return kinds, access


@reads("stat")
def file_owners(text: str) -> dict[str, str | None]:
    """Parse the owner of each existing path in ``stat -f %Su%t%N``; a user without a name is a number."""
    lines = [line.partition("\t") for line in lines_of(text)]
    if not all(user and path for user, _, path in lines):
        raise UnreadableError("stat", text)
    return {path: user for user, _, path in lines}


@reads("sha256")
def digests(text: str) -> dict[str, str]:
    """Parse the output of sha256(1) for files: ``SHA256 (PATH) = DIGEST``."""
    found = (re.fullmatch(r"SHA256 \((.*)\) = ([0-9a-f]{64})", line) for line in lines_of(text))
    return {match[1]: match[2] for match in found if match}


@reads("mount")
def mount_points(text: str) -> tuple[str, ...]:
    """Parse the mount points of ``mount --libxo json``.

    If no locale is set, mount decodes the bytes as Latin-1 (libxo(3), %hs), so both spellings are returned.
    """
    nodes = [each["node"] for each in json.loads(text, strict=False)["mount"].get("mounted", ())]
    spellings = (spelling for node in nodes if isinstance(node, str) for spelling in (node, _as_bytes(node)))
    return tuple(dict.fromkeys(spellings))


def _as_bytes(node: str) -> str:
    try:
        return node.encode("latin-1").decode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return node


@reads("mount")
def binds(text: str) -> tuple[tuple[str, str], ...]:
    """Parse source and point of writable nullfs(4) and unionfs(8) mounts in ``mount --libxo json``.

    Points have both spellings, as in `mount_points`.
    """
    found = []
    for each in json.loads(text, strict=False)["mount"].get("mounted", ()):
        source, node = each.get("special"), each.get("node")
        writable = each.get("fstype") in ("nullfs", "unionfs") and "read-only" not in each.get("opts", ())
        if writable and isinstance(source, str) and isinstance(node, str):
            source = re.sub("^<(above|below)>:", "", source)
            found += [(source, node), (_as_bytes(source), _as_bytes(node))]
    return tuple(dict.fromkeys(found))


@reads("mount")
def datasets(text: str) -> tuple[tuple[str, str], ...]:
    """Parse dataset and point of each mounted dataset of zfs(8) in ``mount --libxo json``.

    Points have both spellings, as in `mount_points`.
    """
    found = []
    for each in json.loads(text, strict=False)["mount"].get("mounted", ()):
        name, node = each.get("special"), each.get("node")
        if each.get("fstype") == "zfs" and isinstance(name, str) and isinstance(node, str):
            found += [(name, node), (name, _as_bytes(node))]
    return tuple(dict.fromkeys(found))


@reads("zfs")
def dataset_points(text: str) -> dict[str, str]:
    """Parse ``zfs list -H -o name,mountpoint``: one tab between the two (zfs-list(8))."""
    points = {}
    for line in lines_of(text):
        name, point = line.split("\t", 1)
        points[name] = point
    return points


@reads("zfs")
def snapshots(text: str) -> tuple[tuple[str, ...], ...]:
    """Parse ``zfs list -t snapshot -H -o name,clones``: clones with commas between them, ``-`` for none."""
    found = []
    for line in lines_of(text):
        name, clones = line.split("\t", 1)
        found.append((name, *(clones.split(",") if clones not in ("", "-") else ())))
    return tuple(found)


@reads("uname")
def machine(text: str) -> tuple[str, str]:
    """Parse ``uname -m -p``: the machine and its processor, such as ``arm64 aarch64``."""
    found = re.fullmatch(r"([A-Za-z0-9_]+) ([A-Za-z0-9_]+)\n?", text)
    if found is None:
        raise UnreadableError("uname", text)
    return found[1], found[2]


def manifest_digest(text: str, archive: str) -> str | None:
    """Parse the SHA-256 of an archive in a release's MANIFEST."""
    for line in lines_of(text):
        fields = line.split("\t")
        if len(fields) >= 2 and fields[0] == archive and re.fullmatch(r"[0-9a-f]{64}", fields[1]):
            return fields[1]
    return None


def memory_use(text: str) -> dict[str, str]:
    """Parse the resources of ``rctl -hu jail:NAME``, lines of ``name=amount``."""
    return dict(line.split("=", 1) for line in lines_of(text) if "=" in line)
