"""Parse the output of Linux tools: ip(8) in JSON, ss(8), stat(1), nft(8)."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from netaddr import IPAddress, IPNetwork

from potnet.drivers.linux.facts.names import (
    BRIDGE_LINK_GROUP,
    LEAVING_LINK_GROUP,
    LINK_GROUP,
    is_wire,
    marked_uplink,
)
from potnet.drivers.reading import UnreadableError, bound_address, lines_of, reads
from potnet.host.state import (
    Access,
    ExportTraffic,
    FileKind,
    FilterEntry,
    Interface,
    InterfaceAddress,
    JailNetwork,
    Listener,
    Route,
    Traffic,
)
from potnet.model.ports import Transport
from potnet.model.pots import BRIDGE_GROUP, GROUP

_GROUPS = {
    str(LINK_GROUP): frozenset({GROUP}),
    str(LEAVING_LINK_GROUP): frozenset({GROUP}),
    str(BRIDGE_LINK_GROUP): frozenset({GROUP, BRIDGE_GROUP}),
}
_KINDS = {
    "directory": FileKind.DIRECTORY,
    "regular file": FileKind.FILE,
    "regular empty file": FileKind.FILE,
    "symbolic link": FileKind.LINK,
}
_SOCKET = re.compile(
    r"(?P<protocol>tcp|udp) +(?:LISTEN|UNCONN) +\d+ +\d+ +(?P<at>\S+):(?P<port>\d+) +\S+:\S+ *(?P<users>.*)"
)
#: The first process; the kernel writes the words after its name.
_USER = re.compile(r'users:\(\("(.*?)",pid=(\d+),fd=\d+\).*')
_REPLY = re.compile(r" src=.* src=(\S+)")
#: The characters in a key of potnet's entries: protocols, ports, addresses, names of interfaces.
_KEY = re.compile(r"[A-Za-z0-9_.:-]+")
#: An additional name that ip(8) can set and remove; a program can set others.
_ALTNAME = re.compile(r"[^\s/\"'\\#]{1,127}")
_FAILED_LINE = re.compile(r"^Command failed -:([0-9]{1,9})$", re.MULTILINE)

#: The key of an export's counters: protocol, port and, if it has only one, address of the host.
_Exported = tuple[Transport, int, IPAddress | None]


@reads("ip")
def documents(text: str) -> list[dict[str, Any]]:
    """Parse the objects of one or more JSON arrays, one after the other, as ``ip -j -batch`` prints them."""
    # ip(8) escapes only some control characters in names and aliases.
    decoder, found, position = json.JSONDecoder(strict=False), [], 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        array, position = decoder.raw_decode(text, position)
        # A filter of ip(8) leaves empty objects for omitted entries.
        found += [each for each in array if each]
    if not all(isinstance(each, dict) for each in found):
        raise UnreadableError("ip", text)
    return found


@reads("ip")
def interfaces(links: list[dict[str, Any]]) -> dict[str, Interface]:
    """Parse links by name. Members are the given links whose master is the bridge."""
    ports: dict[str, list[dict[str, Any]]] = {}
    for link in links:
        if "master" in link:
            ports.setdefault(text_of(link["master"]), []).append(link)
    found = (_interface(link, ports.get(link["ifname"], [])) for link in links)
    return {interface.name: interface for interface in found}


def text_of(value: object) -> str:
    """Return a string from the output of ip(8). Raises TypeError for any other value."""
    if not isinstance(value, str):
        raise TypeError(value)
    return value


Documents = list[dict[str, Any]]


def links_and_routes(found: Documents) -> tuple[Documents, Documents]:
    """Split a batch into links and routes of the main table, ignoring namespaces and local addresses.

    Only a route has a destination, and only routes of other tables show their table.
    """
    links = [each for each in found if "ifname" in each]
    return links, [each for each in found if "dst" in each and "table" not in each]


@reads("ip")
def led_into(found: Documents, group: str) -> frozenset[str]:
    """Return the names of the namespaces with the other end of a link of a group."""
    ends = {each["link_netnsid"] for each in found if "link_netnsid" in each and each.get("group") == group}
    return frozenset(text_of(each["name"]) for each in found if "name" in each and each.get("id") in ends)


def _member(link: dict[str, Any]) -> str:
    """Return a member's name; the wire to an external interface counts as that interface."""
    lead = marked_uplink(text_of(link.get("ifalias", "")))
    return lead[0] if lead else text_of(link["ifname"])


def _has_flag(port: dict[str, Any], name: str) -> bool:
    """Return whether a bridge has a flag set for a port (ip-link(8), bridge_slave); only ``ip -d`` shows
    flags."""
    return port.get("linkinfo", {}).get("info_slave_data", {}).get(name, False) is True


def _is_learned(address: Mapping[str, Any]) -> bool:
    """Return whether an IPv6 address expires: DHCP, too, assigns addresses only if a router says so."""
    return address.get("family") == "inet6" and address.get("dynamic") is True


def _address(shown: Mapping[str, Any]) -> InterfaceAddress:
    return InterfaceAddress(
        IPAddress(text_of(shown["local"])),
        int(shown["prefixlen"]),
        learned=_is_learned(shown),
        expires=shown.get("dynamic") is True,
    )


def _interface(link: dict[str, Any], ports: list[dict[str, Any]]) -> Interface:
    return Interface(
        name=text_of(link["ifname"]),
        up="UP" in link["flags"],
        mac=text_of(link.get("address", "")) if link.get("link_type") == "ether" else None,
        mtu=int(link["mtu"]),
        description=text_of(link["ifalias"]) if "ifalias" in link else None,
        groups=_groups(link),
        addresses=tuple(_address(each) for each in link.get("addr_info", []) if "local" in each),
        members=tuple(map(_member, ports)),
        private=frozenset(_member(port) for port in ports if _has_flag(port, "isolated")),
        hairpin=frozenset(_member(port) for port in ports if _has_flag(port, "hairpin")),
        promiscuous="PROMISC" in link["flags"],
        bridge=link.get("linkinfo", {}).get("info_kind") == "bridge",
        link_group=text_of(link.get("group", "")),
        altnames=tuple(text_of(each) for each in link.get("altnames", []) if _ALTNAME.fullmatch(each)),
        device=f"{link.get('parentbus', '')} {link['parentdev']}" if "parentdev" in link else "",
    )


def _groups(link: Mapping[str, Any]) -> frozenset[str]:
    """Return FreeBSD's groups of a link; the ends of a wire are in none, because they belong to a bridge.

    Hardware, which has no kind, is in none either, even if a pot has changed its group.
    """
    made = link.get("linkinfo", {}).get("info_kind") is not None and not is_wire(link["ifname"])
    return _GROUPS.get(link.get("group", ""), frozenset()) if made else frozenset()


@reads("ip")
def tap_owners(links: Documents) -> dict[str, str | None]:
    """Return taps with their owners: a name, or the number of an unnamed user; None: anybody."""
    told = {link["ifname"]: link.get("linkinfo", {}).get("info_data", {}) for link in links}
    taps = {name: data.get("user") for name, data in told.items() if data.get("type") == "tap"}
    return {name: None if user is None else str(user) for name, user in taps.items()}


@reads("ip")
def network(found: list[dict[str, Any]]) -> JailNetwork:
    """Parse a pot's links and default routes. Plans use FreeBSD's name of the loopback interface."""
    links = interfaces([each for each in found if "ifname" in each])
    gateways = [
        IPAddress(text_of(each["gateway"]))
        for each in found
        if each.get("dst") == "default" and "gateway" in each
    ]
    loopback = {"lo0": replace(links["lo"], name="lo0")} if "lo" in links else {}
    return JailNetwork(links | loopback, {gateway.version: gateway for gateway in gateways})


@reads("ip")
def routes(found: list[dict[str, Any]], family: int) -> tuple[Route, ...]:
    """Parse routes of a family to an interface; a route to several interfaces yields one for each."""
    default = "0.0.0.0/0" if family == 4 else "::/0"
    return tuple(
        Route(IPNetwork(default if each["dst"] == "default" else text_of(each["dst"])), text_of(hop["dev"]))
        for each in found
        for hop in (each, *each.get("nexthops", ()))
        if "dev" in hop
    )


@reads("ip")
def traffic(links: list[dict[str, Any]]) -> dict[str, Traffic]:
    """Parse the counters of each link."""
    counters = ((text_of(link["ifname"]), link["stats64"]) for link in links)
    return {name: _traffic(counter["rx"], counter["tx"]) for name, counter in counters}


def _traffic(received: dict[str, int], sent: dict[str, int]) -> Traffic:
    return Traffic(
        received_bytes=int(received["bytes"]),
        received_packets=int(received["packets"]),
        received_errors=int(received["errors"]),
        sent_bytes=int(sent["bytes"]),
        sent_packets=int(sent["packets"]),
        sent_errors=int(sent["errors"]),
    )


@reads("ss")
def listeners(text: str) -> tuple[Listener, ...]:
    """Parse sockets of ``ss -H -lntup``: protocol, state, two queue lengths, local and peer address, process.

    The name of a process may contain anything, even a newline. Only lines that begin like those of ss are
    used.
    """
    found = []
    for match in filter(None, map(_SOCKET.match, lines_of(text))):
        user = _USER.fullmatch(match["users"])
        owner = f"{user[1]} (pid {user[2]})" if user else "a process of the host"
        at = bound_address(match["at"])
        found.append(Listener(Transport(match["protocol"]), int(match["port"]), owner, at))
    return tuple(found)


def file_kinds(text: str) -> dict[str, FileKind]:
    """Parse the kind of each path in ``stat -c '%F\t%n'``."""
    pairs = (line.partition("\t") for line in lines_of(text))
    return {path: _KINDS.get(kind, FileKind.OTHER) for kind, _, path in pairs}


@reads("stat")
def file_access(text: str) -> dict[str, Access]:
    """Parse the access to each path in ``stat -c '%u\t%g\t%f\t%n'``; the mode is hexadecimal."""
    found = {}
    for line in lines_of(text):
        owner, group, mode, path = line.split("\t", 3)
        bits = int(mode, 16)
        # The permissions of a symbolic link are always 777 and mean nothing (symlink(7)).
        found[path] = Access(int(owner), int(group), 0 if stat.S_ISLNK(bits) else stat.S_IMODE(bits))
    return found


@reads("sha256sum")
def digests(text: str) -> dict[str, str]:
    """Parse the output of sha256sum(1) for files: ``DIGEST PATH``."""
    found = (re.fullmatch(r"([0-9a-f]{64})  (.*)", line) for line in lines_of(text))
    return {match[2]: match[1] for match in found if match}


@reads("stat")
def inodes(text: str) -> dict[str, int]:
    """Parse lines of an inode and a name."""
    pairs = (line.partition(" ") for line in lines_of(text))
    return {name: int(inode) for inode, _, name in pairs if inode.isdigit()}


@reads("cat")
def mount_points(text: str) -> tuple[str, ...]:
    """Parse the second field of proc_mounts(5), with its octal escapes decoded."""
    fields = (line.split(" ") for line in lines_of(text))
    return tuple(re.sub(r"\\([0-7]{3})", _character, words[1]) for words in fields if len(words) > 1)


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 8))


def blocks(text: str, family: str = "inet") -> dict[str, tuple[str, ...]]:
    """Parse the chains, maps and sets of potnet's table of a family, by name, from ``nft -t list
    ruleset``."""
    found: dict[str, tuple[str, ...]] = {}
    _, _, table = f"\n{text}".partition(f"\ntable {family} {GROUP} {{\n")
    for block in table.partition("\n}")[0].split("\n\n"):
        lines = tuple(line.strip() for line in lines_of(block))
        head = lines[0].split() if lines else []
        if len(head) == 3:
            found[head[1]] = lines
    return found


@reads("nft")
def entries(text: str) -> tuple[FilterEntry, ...]:
    """Parse the elements of maps and sets in ``nft -j list table``, with the keys for their removal.

    Maps and sets of single pots' chains, whose names have a slash, are skipped.
    """
    found = []
    for each in json.loads(text)["nftables"]:
        place = each.get("map") or each.get("set")
        if place is not None and "/" not in place["name"]:
            keys = (entry[0] if "map" in each else entry for entry in place.get("elem", ()))
            named, members = place["type"] == "ifname", place.get("family") == "bridge"
            found += [FilterEntry(text_of(place["name"]), _key(key, named), members) for key in keys]
    return tuple(found)


def _key(value: Any, quoted: bool = False) -> str:
    if not isinstance(value, dict):
        text = str(value)
        if not _KEY.fullmatch(text):
            raise ValueError(text)
        return f'"{text}"' if quoted else text
    if "elem" in value:
        return _key(value["elem"]["val"], quoted)
    if "prefix" in value:
        return f"{_key(value['prefix']['addr'])}/{int(value['prefix']['len'])}"
    if "range" in value:
        return "-".join(map(_key, value["range"]))
    return " . ".join(map(_key, value["concat"]))


def failed_line(err: str) -> int | None:
    """Return the line, from 0, at which ``ip -batch -`` stopped; None if unknown."""
    match = _FAILED_LINE.search(err)
    return int(match[1]) - 1 if match else None


def without_line(err: str) -> str:
    """Return the complaint of ``ip -batch -`` without the number of the line."""
    return _FAILED_LINE.sub("", err).strip()


def other_complaints(err: str, absent: tuple[str, ...]) -> list[str]:
    """Return the complaints of ``ip -force -batch -`` or nft(8), except those about missing things."""
    lines = [line for line in lines_of(err) if line and not _FAILED_LINE.match(line)]
    return [line for line in lines if not any(words in line for words in absent)]


@reads("conntrack")
def ports_called(text: str) -> frozenset[int]:
    """Parse the original destination port of each connection in ``conntrack -L``."""
    found = (re.search(r" dport=(\d+)", line) for line in lines_of(text))
    return frozenset(int(match[1]) for match in found if match)


@reads("conntrack")
def untranslated(text: str) -> tuple[tuple[IPAddress, int, IPAddress, int], ...]:
    """Parse both ends of each connection in ``conntrack -L`` that the called address itself answers."""
    found = []
    for line in lines_of(text):
        ends = dict(reversed(re.findall(r" (src|dst|sport|dport)=(\S+)", line)))
        answer = re.findall(r" src=(\S+)", line)[1:2]
        if len(ends) == 4 and answer == [ends["dst"]]:
            source, called = IPAddress(ends["src"]), IPAddress(ends["dst"])
            found.append((source, int(ends["sport"]), called, int(ends["dport"])))
    return tuple(found)


@reads("nft")
def export_traffic(text: str) -> tuple[ExportTraffic, ...]:
    """Parse the counters of exports in ``nft -j list table``: maps count connections, sets count traffic."""
    connections: dict[_Exported, int] = {}
    through: dict[_Exported, tuple[int, int]] = {}
    for entry in json.loads(text)["nftables"]:
        place = entry.get("map") or entry.get("set") or {"name": ""}
        if place["name"].startswith(("redirections", "traffic")):
            for element in place.get("elem", ()):
                # A map's element is a list of key and value.
                counted = (element[0] if isinstance(element, list) else element)["elem"]
                key, counter = _exported(counted["val"]["concat"]), counted["counter"]
                if place["name"].startswith("traffic"):
                    through[key] = int(counter["packets"]), int(counter["bytes"])
                else:
                    connections[key] = connections.get(key, 0) + int(counter["packets"])
    return tuple(
        ExportTraffic(key[0], key[1], key[2], connections.get(key, 0), *figures)
        for key, figures in through.items()
    )


def _exported(key: list[Any]) -> _Exported:
    host, protocol, port = key if len(key) == 3 else (None, *key)
    return Transport(str(protocol)), int(port), IPAddress(host) if host is not None else None


def reply_sources(text: str) -> frozenset[str]:
    """Parse the replying address of each connection in ``conntrack -L``: the source of its second half."""
    return frozenset(match[1] for match in map(_REPLY.search, lines_of(text)) if match)
