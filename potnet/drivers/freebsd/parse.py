"""The text that FreeBSD's tools print, as facts.

Unknown lines are passed over, since tools gain lines between releases; what is looked for and malformed is
an error of `UnreadableError`, never a guess. The forms are those recorded from FreeBSD 14.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from netaddr import AddrFormatError, IPAddress, IPNetwork

from potnet.drivers.reading import INTERFACE, UnreadableError, bound_address, reads
from potnet.host_state import (
    ActiveRedirection,
    ExportTraffic,
    FileKind,
    Interface,
    InterfaceAddress,
    JailState,
    Listener,
    Route,
    Traffic,
)
from potnet.model import Transport
from potnet.ruleset import Redirection
from potnet.values import dataclass

_HEADER = re.compile(r"(?P<name>[^\s:]+): flags=[0-9a-f]+<(?P<flags>[A-Z0-9_,]*)>.*? mtu (?P<mtu>\d+)")
_PRIVATE = re.compile(r" flags=[0-9a-f]+<(?:[A-Z]+,)*PRIVATE[,>]")
_INET = re.compile(r"inet (?P<address>[0-9.]+).*? netmask 0x(?P<mask>[0-9a-f]{8})")
_INET6 = re.compile(r"inet6 (?P<address>[0-9a-f:.]+)(?:%\S+)?.*? prefixlen (?P<prefix>\d+)")
_ANCHOR = re.compile(r'(nat-anchor|rdr-anchor|anchor) "([^"]*)"')
_RDR = re.compile(
    r"rdr (?:pass )?on (?P<interface>\S+) inet6? proto (?P<protocol>tcp|udp) from (?P<source>\S+)"
    r" to (?P<host>\S+) port (?:= )?(?P<port>\d+)(?::(?P<last>\d+))?(?: tag \S+)?"
    r" -> (?P<address>\S+) port (?P<pot_port>\d+)"
)
_COUNTERS = re.compile(
    r"\s*\[ Evaluations: \d+\s+Packets: (?P<packets>\d+)\s+Bytes: (?P<bytes>\d+)\s+States: \d+\s*\]"
    r"\s*\[ Inserted: uid \d+ pid \d+ State Creations: (?P<creations>\d+)\s*\]"
)
_STATE = re.compile(
    r"\S+ (?P<protocol>\w+) (?P<left>\S+)(?: \((?P<left_in>[^)]*)\))? (?P<way><-|->) (?P<right>\S+)\s"
)
_TRANSLATION = re.compile(r"(?:no )?(?:nat|rdr|binat)(?:-anchor)? ")
_RULE = re.compile(r"(?:no|nat|rdr|binat|scrub|pass|block|match|(?:nat-|rdr-|binat-)?anchor) ")
#: As print_tabledef in pfctl_parser.c writes it; a table may hold names of interfaces and files, too.
_TABLE = re.compile(r"table <(\S+)>(?: const| persist| counters)* \{ ([^{}]+) \}")
_ENTRY = re.compile(r"!?[0-9a-fA-F.:]+(?:/[0-9]+)?")
_STATE_ID = re.compile(r"\s+id: (?P<id>[0-9a-f]+) creatorid: (?P<creator>[0-9a-f]+)")
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
        promiscuous="PROMISC" in header["flags"].split(","),
    )


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


def anchors(text: str) -> dict[str, frozenset[str]]:
    """The anchors that a listing of pfctl(8) evaluates, by the word that calls them."""
    calls: dict[str, set[str]] = {"nat-anchor": set(), "rdr-anchor": set(), "anchor": set()}
    for line in text.splitlines():
        match = _ANCHOR.match(line)
        if match:
            calls[match[1]].add(match[2])
    return {word: frozenset(names) for word, names in calls.items()}


@dataclass(frozen=True, slots=True)
class Listing:
    """Rules as pfctl(8) lists them, apart as it does. tables: those that hold addresses alone, by name."""

    translation: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    tables: tuple[tuple[str, frozenset[str]], ...] = ()


@reads("pfctl")
def loaded_rules(text: str) -> Listing:
    """The rules and tables that ``pfctl -v -f`` says it loads, among macros and options."""
    lines = [line for line in text.splitlines() if _RULE.match(line)]
    translation = tuple(line for line in lines if _TRANSLATION.match(line))
    defined = (_TABLE.fullmatch(line) for line in text.splitlines())
    tables = ((match[1], frozenset(match[2].split())) for match in defined if match)
    known = tuple((name, entries) for name, entries in tables if all(map(_ENTRY.fullmatch, entries)))
    return Listing(translation, tuple(line for line in lines if line not in translation), known)


@reads("pfctl")
def table_entries(text: str) -> frozenset[str]:
    """The addresses that ``pfctl -t TABLE -T show`` lists (pfctl_table.c, print_addrx), ``!`` before some."""
    return frozenset(line.strip() for line in text.splitlines())


@reads("pfctl")
def redirections(text: str) -> tuple[ActiveRedirection, ...]:
    """The redirect rules in ``pfctl -a ANCHOR -sn -P``."""
    return tuple(
        ActiveRedirection(
            interface=match["interface"],
            protocol=Transport(match["protocol"]),
            host=match["host"],
            port=int(match["port"]),
            address=address(match["address"], "pfctl"),
            pot_port=int(match["pot_port"]),
            count=int(match["last"] or match["port"]) - int(match["port"]) + 1,
            source=None if match["source"] == "any" else IPNetwork(match["source"]),
        )
        for match in map(_RDR.match, text.splitlines())
        if match
    )


@reads("pfctl")
def export_traffic(text: str) -> tuple[ExportTraffic, ...]:
    """The redirect rules in ``pfctl -a ANCHOR -s nat -P -v``, each with two lines of counters below it."""
    found, lines = [], text.splitlines()
    for number, line in enumerate(lines):
        rule = _RDR.match(line)
        if rule is None:
            continue
        match = _COUNTERS.match(" ".join(lines[number + 1 : number + 3]))
        if match is None:
            raise UnreadableError("pfctl", line)
        connections, packets, octets = (int(match[name]) for name in ("creations", "packets", "bytes"))
        transport, dynamic = Transport(rule["protocol"]), rule["host"].startswith("(")
        host = None if dynamic else address(rule["host"], "pfctl")
        found.append(ExportTraffic(transport, int(rule["port"]), host, connections, packets, octets))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _State:
    protocol: str
    left: str
    left_in: str | None
    way: str
    right: str
    key: str


def _states(text: str) -> Iterator[_State]:
    """The states of ``pfctl -s states -vv`` with ``id/creatorid`` as key."""
    current: re.Match[str] | None = None
    for line in text.splitlines():
        if not line.startswith(" "):
            current = _STATE.match(line)
            continue
        match = _STATE_ID.match(line)
        if match and current:
            yield _State(
                protocol=current["protocol"],
                left=current["left"],
                left_in=current["left_in"],
                way=current["way"],
                right=current["right"],
                key=f"{match['id']}/{match['creator']}",
            )


def _end(text: str | None) -> tuple[IPAddress, int] | None:
    """``10.0.0.1:80`` or ``fd00::1[80]`` as address and port; None for anything else."""
    match = re.fullmatch(r"([0-9a-f:]+)\[(\d+)\]|([0-9.]+):(\d+)", text or "")
    if not match:
        return None
    return address(match[1] or match[3], "pfctl"), int(match[2] or match[4])


def _is_at(text: str | None, redirection: Redirection) -> bool:
    """Whether an end of a state is where a redirection leads to."""
    end, ports = _end(text), range(redirection.pot_port, redirection.pot_port + redirection.count)
    return end is not None and end[0] == redirection.address and end[1] in ports


def _came_by(state: _State, redirection: Redirection) -> bool:
    """Whether a state is that of a connection from the client to the host by a redirection."""
    pot, host = _end(state.left), _end(state.left_in)
    if pot is None or host is None or not _is_at(state.left, redirection):
        return False
    shift = redirection.host_port - redirection.pot_port
    return host[1] == pot[1] + shift and redirection.host in (None, host[0])


@reads("pfctl")
def redirected_states(text: str, removed: Iterable[Redirection], outward: bool = True) -> tuple[str, ...]:
    """The keys of the states of connections that came in by these redirections.

    A redirected connection has a state for its way in, ``POT:PORT (HOST:HPORT) <- CLIENT``, and one for its
    way out to the pot, translated or not; the client tells which of those belong to it.
    outward: the latter, too.
    """
    states = tuple(_states(text))
    keys: list[str] = []
    for r in removed:
        mine = [s for s in states if s.protocol == r.protocol.value]
        inward = [s for s in mine if s.way == "<-" and s.left_in and _came_by(s, r)]
        clients = {s.right for s in inward}
        onward = [
            s
            for s in mine
            if outward and s.way == "->" and _is_at(s.right, r) and (s.left_in or s.left) in clients
        ]
        keys.extend(s.key for s in inward + onward)
    return tuple(dict.fromkeys(keys))


#: Of ``dnctl pipe show``: what a bit/s in a unit is.
_BITS = {"bit/s": 1.0, "Kbit/s": 1e3, "Mbit/s": 1e6, "Gbit/s": 1e9}


@reads("dnctl")
def pipes(text: str) -> dict[int, float]:
    """The rates of pipes by their numbers, in bits a second; 0 for one without a limit."""
    found = re.findall(r"^(\d{5}): +(?:(unlimited)|([0-9.]+) ([KMG]?bit/s))", text, re.MULTILINE)
    return {int(number): 0.0 if free else float(rate) * _BITS[unit] for number, free, rate, unit in found}


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
