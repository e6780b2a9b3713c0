"""The text that FreeBSD's tools print, as facts.

Unknown lines are passed over, since tools gain lines between releases; what is looked for and malformed is
an error of `UnreadableError`, never a guess. The forms are those recorded from FreeBSD 14.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator

from netaddr import AddrFormatError, IPAddress, IPNetwork

from potnet.drivers.reading import INTERFACE, UnreadableError, bound_address, reads
from potnet.host_state import (
    FileKind,
    Interface,
    InterfaceAddress,
    JailState,
    Listener,
    Route,
    Traffic,
)
from potnet.ports import Transport

_HEADER = re.compile(r"(?P<name>[^\s:]+): flags=[0-9a-f]+<(?P<flags>[A-Z0-9_,]*)>.*? mtu (?P<mtu>\d+)")
_PRIVATE = re.compile(r" flags=[0-9a-f]+<(?:[A-Z]+,)*PRIVATE[,>]")
_INET = re.compile(r"inet (?P<address>[0-9.]+).*? netmask 0x(?P<mask>[0-9a-f]{8})")
_INET6 = re.compile(r"inet6 (?P<address>[0-9a-f:.]+)(?:%\S+)?.*? prefixlen (?P<prefix>\d+)")
_STAT_KINDS = {
    "Regular File": FileKind.FILE,
    "Directory": FileKind.DIRECTORY,
    "Symbolic Link": FileKind.LINK,
}


@reads("ifconfig")
def interfaces(text: str) -> tuple[Interface, ...]:
    """The interfaces that ifconfig(8) shows, with the members of bridges."""
    found: list[tuple[re.Match[str], list[str]]] = []
    for line in text.splitlines():
        header = _HEADER.match(line)
        if header:
            found.append((header, []))
        elif found and line.startswith("\t"):
            found[-1][1].append(line.strip())
        elif line.strip():
            raise UnreadableError("ifconfig", line)
    return tuple(_interface(header, lines) for header, lines in found)


def _interface(header: re.Match[str], lines: list[str]) -> Interface:
    words = {line.split(" ", 1)[0]: line for line in reversed(lines)}
    description = words.get("description:")
    ether = words.get("ether")
    members = [line for line in lines if line.startswith("member:")]
    limited = {name for name, most in zip(map(_second, members), _limits(lines), strict=False) if most == "1"}
    return Interface(
        name=header["name"],
        up="UP" in header["flags"].split(","),
        mac=_second(ether) if ether else None,
        mtu=int(header["mtu"]),
        description=description.removeprefix("description: ") if description else None,
        groups=frozenset(words.get("groups:", "groups:").split()[1:]),
        addresses=tuple(_addresses(lines)),
        members=tuple(map(_second, members)),
        private=frozenset(_second(line) for line in members if _PRIVATE.search(line)),
        open=frozenset(map(_second, members)) - limited if members else None,
        promiscuous="PROMISC" in header["flags"].split(","),
    )


def _limits(lines: Iterable[str]) -> Iterator[str]:
    """How many addresses there may be behind each member of a bridge, which is told on the line after it."""
    return (_second(line) for line in lines if line.startswith("ifmaxaddr "))


def opened_by(text: str) -> int | None:
    """The process that has a tap open, as ifconfig(8) shows it (SIOCGIFSTATUS in if_tuntap.c)."""
    found = re.search(r"^\tOpened by PID (\d{1,10})$", text, re.MULTILINE)
    return int(found[1]) if found else None


def accepts_advertisements(text: str) -> bool:
    """Whether ifconfig(8) shows an interface that configures itself from router advertisements."""
    return re.search(r"^\tnd6 options=\S*[<,]ACCEPT_RTADV[,>]", text, re.MULTILINE) is not None


def _second(line: str) -> str:
    """The word behind the one that says what it is."""
    words = line.split()
    if len(words) < 2:
        raise UnreadableError("ifconfig", line)
    return words[1]


def _addresses(lines: Iterable[str]) -> Iterator[InterfaceAddress]:
    for line in lines:
        if line.startswith("inet "):
            match = _INET.match(line)
            if not match:
                raise UnreadableError("ifconfig", line)
            yield InterfaceAddress(address(match["address"], "ifconfig"), int(match["mask"], 16).bit_count())
        elif line.startswith("inet6 "):
            match = _INET6.match(line)
            if not match:
                raise UnreadableError("ifconfig", line)
            found = address(match["address"], "ifconfig")
            yield InterfaceAddress(found, int(match["prefix"]), learned="autoconf" in line.split())


def address(text: str, tool: str) -> IPAddress:
    """An address that `tool` printed."""
    try:
        return IPAddress(text)
    except (AddrFormatError, ValueError) as error:
        raise UnreadableError(tool, text) from error


@reads("jls")
def jails(text: str) -> tuple[JailState, ...]:
    """The lines of ``jls -d -n jid name path dying``; a path may hold blanks, so it is cut from both ends."""
    found = []
    for line in text.splitlines():
        match = re.fullmatch(r"jid=(\d+) name=(\S+) path=(.*) (no)?dying(?:=\S+)?", line)
        if not match:
            raise UnreadableError("jls", line)
        found.append(JailState(int(match[1]), match[2], match[3], dying=match[4] is None))
    return tuple(found)


@reads("sockstat")
def listeners(text: str) -> tuple[Listener, ...]:
    """The listening sockets of ``sockstat -46l``: the last three columns are protocol, local, foreign."""
    found = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 7 or words[0] == "USER":
            continue
        protocol, local = words[-3], words[-2]
        at, _, port = local.rpartition(":")
        if protocol[:3] in ("tcp", "udp") and port.isdigit():
            owner = f"{words[1]} (pid {words[2]})"
            found.append(Listener(Transport(protocol[:3]), int(port), owner, bound_address(at)))
    return tuple(found)


@reads("netstat")
def routes(text: str) -> tuple[Route, ...]:
    """The routes of ``netstat --libxo json -rn -f inet`` (or inet6); host routes included."""
    tables = json.loads(text)["statistics"]["route-information"]["route-table"]["rt-family"]
    entries = [entry for table in tables for entry in table.get("rt-entry", ())]
    return tuple(
        Route(_destination(entry["destination"], entry["gateway"]), str(entry["interface-name"]))
        for entry in entries
    )


@reads("netstat")
def traffic(text: str) -> dict[str, Traffic]:
    """The counters of each interface in ``netstat --libxo json -ibn``.

    It has an entry for each of its addresses, too; only the one of the link layer counts all.
    """
    entries = json.loads(text)["statistics"]["interface"]
    return {
        str(entry["name"]): Traffic(
            received_bytes=int(entry["received-bytes"]),
            received_packets=int(entry["received-packets"]),
            received_errors=int(entry["received-errors"]),
            sent_bytes=int(entry["sent-bytes"]),
            sent_packets=int(entry["sent-packets"]),
            sent_errors=int(entry["send-errors"]),
        )
        for entry in entries
        if str(entry["network"]).startswith("<Link#")
    }


@reads("netstat")
def links(text: str) -> tuple[Interface, ...]:
    """The interfaces of ``netstat -bin --libxo json``: name, MTU, MAC address and index.

    A jail may give its own any name. libxo escapes what would end a string, and not all control characters.
    """
    entries = json.loads(text, strict=False)["statistics"]["interface"]
    found = ((entry, re.fullmatch(r"<Link#(\d+)>", str(entry["network"]))) for entry in entries)
    return tuple(
        Interface(str(entry["name"]), mac=_mac(entry), mtu=int(entry["mtu"]), index=int(match[1]))
        for entry, match in found
        if match
    )


def _mac(entry: dict[str, object]) -> str | None:
    """Of the link layer's entry; an interface that has none is called by its name there."""
    text = str(entry["address"])
    return text if re.fullmatch(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}", text) else None


def doubled(found: Iterable[Interface]) -> frozenset[str]:
    """The names that several of these have."""
    return frozenset(name for name, number in Counter(each.name for each in found).items() if number > 1)


def _destination(text: str, gateway: str) -> IPNetwork:
    if text == "default":
        return IPNetwork("::/0" if ":" in gateway and not gateway.startswith("link#") else "0.0.0.0/0")
    return IPNetwork(re.sub(r"%[^/]*", "", text))


def default_interface(text: str) -> str | None:
    """The interface in ``route -n get default``."""
    match = re.search(r"^\s*interface: (\S+)$", text, re.MULTILINE)
    if match and not INTERFACE.fullmatch(match[1]):
        raise UnreadableError("route", match[0])
    return match[1] if match else None


@reads("route")
def gateway(text: str) -> IPAddress | None:
    """The gateway in ``route -n get default``; one of IPv6 may have its scope behind it."""
    match = re.search(r"^\s*gateway: ([0-9a-f.:]+)", text, re.MULTILINE)
    return address(match[1], "route") if match else None


@reads("stat")
def file_kinds(text: str) -> dict[str, FileKind]:
    """What ``stat -f %HT%t%N`` says of each path that exists."""
    kinds = {}
    for line in text.splitlines():
        kind, tab, path = line.partition("\t")
        if not tab:
            raise UnreadableError("stat", line)
        kinds[path] = _STAT_KINDS.get(kind, FileKind.OTHER)
    return kinds


@reads("stat")
def file_owners(text: str) -> dict[str, str | None]:
    """What ``stat -f %Su%t%N`` says of each path that exists; a user without a name is a number."""
    lines = [line.partition("\t") for line in text.splitlines()]
    if not all(user and path for user, _, path in lines):
        raise UnreadableError("stat", text)
    return {path: user for user, _, path in lines}


@reads("sha256")
def digests(text: str) -> dict[str, str]:
    """What sha256(1) prints of files: ``SHA256 (PATH) = DIGEST``."""
    found = (re.fullmatch(r"SHA256 \((.*)\) = ([0-9a-f]{64})", line) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match}


@reads("mount")
def mount_points(text: str) -> tuple[str, ...]:
    """The mount points of mount(8), ``DEVICE on POINT (TYPE, …)``."""
    points = (re.fullmatch(r".+? on (.+) \([^()]*\)", line) for line in text.splitlines())
    return tuple(match[1] for match in points if match)


def manifest_digest(text: str, archive: str) -> str | None:
    """The SHA-256 that a release's MANIFEST gives for an archive."""
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) >= 2 and fields[0] == archive and re.fullmatch(r"[0-9a-f]{64}", fields[1]):
            return fields[1]
    return None


def memory_use(text: str) -> dict[str, str]:
    """The resources of ``rctl -hu jail:NAME``, lines of ``name=amount``."""
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
