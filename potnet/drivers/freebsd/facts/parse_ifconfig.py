"""Parse the text of ifconfig(8), which prints descriptions and names unescaped, with their newlines.

A jail's administrator sets those of the jail's interfaces, and a returned interface keeps them. The
description is printed between the first line of an interface and its options. All text after the last options
line therefore comes from the kernel. The forms are those recorded from FreeBSD 14, and
those of the sources of FreeBSD 15.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from netaddr import IPAddress

from potnet.drivers.reading import UnreadableError, address, lines_of, reads
from potnet.host.state import Interface, InterfaceAddress

# An interface without flags has no list of names: "pflog0: flags=0 metric 0 mtu 33152".
_HEADER = re.compile(
    r"(?P<name>[^\s:]+): flags=(?P<flags>[0-9a-f]+)(?:<[A-Z0-9_,]*>)?(?:.* mtu (?P<mtu>\d+))?.*"
)
_OPTIONS = "\toptions="
_MEMBER = re.compile(r"\tmember: (?P<name>.+) flags=[0-9a-f]+(?:<(?P<flags>[A-Z0-9_,]*)>)?")
_INET = re.compile(r"\tinet (?P<address>[0-9.]+)(?:.* netmask 0x(?P<mask>[0-9a-f]{8}))?")
_INET6 = re.compile(r"\tinet6 (?P<address>[0-9a-f:.]+)(?:%\S+)?(?:.* prefixlen (?P<prefix>\d+))?")
_ND6 = re.compile(r"\tnd6 options=[0-9a-f]+<([A-Z0-9_,]*)>")
_UP, _PROMISC = 0x1, 0x100


@reads("ifconfig")
def interface(text: str) -> Interface:
    """Parse the one interface of ``ifconfig NAME``."""
    first, *rest = lines_of(text)
    return _interface(_header(first), rest)


@reads("ifconfig")
def first_interface(text: str) -> Interface:
    """Parse the host's own interface, if ``ifconfig NAME`` shows several of that name."""
    first, *rest = lines_of(text)
    header = _header(first)
    return _interface(header, _first_of(header["name"], rest))


def _header(line: str) -> re.Match[str]:
    header = _HEADER.fullmatch(line)
    if header is None:
        raise UnreadableError("ifconfig", line)
    return header


def is_plain(text: str) -> bool:
    """Return whether a text shows one interface only; a description may look like further ones."""
    return sum(line.startswith(_OPTIONS) for line in lines_of(text)) <= 1


def _first_of(name: str, lines: list[str]) -> list[str]:
    """Return the lines of the first block, which is the host's own interface."""
    other = (number for number, line in enumerate(lines) if line.startswith(f"{name}: flags="))
    return lines[: next(other, None)]


@reads("ifconfig")
def interfaces(text: str, names: Sequence[str]) -> dict[str, Interface] | None:
    """Parse the interfaces of these names in ``ifconfig -a``.

    None if the text contains lines that the kernel does not print; the caller then reads each interface
    alone.
    """
    found: list[tuple[re.Match[str], list[str]]] = []
    for line in lines_of(text):
        header = _HEADER.fullmatch(line)
        if header is not None:
            found.append((header, []))
        elif found and line.startswith("\t"):
            found[-1][1].append(line)
        else:
            return None
    shown = [header["name"] for header, _ in found]
    once = all(sum(line.startswith(_OPTIONS) for line in lines) == 1 for _, lines in found)
    if not once or sorted(shown) != sorted(names):
        return None
    return {header["name"]: _interface(header, lines) for header, lines in reversed(found)}


def _interface(header: re.Match[str], lines: list[str]) -> Interface:
    described, lines = _parts(lines)
    words = {line.split(" ", 1)[0]: line for line in lines}
    ether = words.get("\tether")
    flags = int(header["flags"], 16)
    members = [match for match in map(_MEMBER.match, lines) if match]
    names = tuple(match["name"] for match in members)
    limited = _limited(lines)
    private = (match["name"] for match in members if "PRIVATE" in (match["flags"] or "").split(","))
    return Interface(
        name=header["name"],
        up=bool(flags & _UP),
        mac=_second(ether) if ether else None,
        mtu=int(header["mtu"] or 0),
        description=described,
        groups=frozenset(words.get("\tgroups:", "").split()[1:]),
        addresses=tuple(_addresses(lines)),
        members=names,
        private=frozenset(private),
        open=frozenset(names) - limited if members else None,
        promiscuous=bool(flags & _PROMISC),
        wireless="wlan" in words.get("\tgroups:", "").split()[1:],
        bridge="bridge" in words.get("\tgroups:", "").split()[1:],
    )


def _parts(lines: list[str]) -> tuple[str | None, list[str]]:
    """Return the description, if there is one, and the lines from the options on."""
    options = [number for number, line in enumerate(lines) if line.startswith(_OPTIONS)]
    end = options[-1] if options else 0
    text = "\n".join(lines[:end])
    _, mark, description = text.partition("\tdescription: ")
    return (description if mark else None), lines[end:]


def _limited(lines: Sequence[str]) -> frozenset[str]:
    """Return the members of a bridge with one address behind them, from the line after each member.

    FreeBSD 15 shows no limit there if none is set.
    """
    pairs = ((_MEMBER.match(line), after.split()) for line, after in pairwise(lines))
    return frozenset(match["name"] for match, words in pairs if match and words[:2] == ["ifmaxaddr", "1"])


def opened_by(text: str) -> int | None:
    """Return the process that has a tap open, as ifconfig(8) shows it (SIOCGIFSTATUS in if_tuntap.c)."""
    found = re.search(r"^\tOpened by PID (\d{1,10})$", text, re.MULTILINE)
    return int(found[1]) if found else None


def accepts_advertisements(text: str) -> bool:
    """Return whether ifconfig(8) shows an interface that configures itself from router advertisements."""
    return "ACCEPT_RTADV" in nd6_flags(text)


def nd6_flags(text: str) -> frozenset[str]:
    """Return the IPv6 flags of the one interface in a text; empty if the text has none."""
    _, lines = _parts(lines_of(text))
    found = [match[1] for match in map(_ND6.fullmatch, lines) if match]
    return frozenset(found[-1].split(",")) if found else frozenset()


def detection(text: str, wanted: IPAddress) -> str | None:
    """Return the state of an IPv6 address: ``tentative``, ``duplicated``, or None if it is usable."""
    _, lines = _parts(lines_of(text))
    for line in lines:
        match = _INET6.match(line)
        if match is not None and address(match["address"], "ifconfig") == wanted:
            words = line.split()
            return next((word for word in ("duplicated", "tentative") if word in words), None)
    return None


def _second(line: str) -> str:
    """Return the second word of a line, which holds the value."""
    words = line.split()
    if len(words) < 2:
        raise UnreadableError("ifconfig", line)
    return words[1]


def _addresses(lines: Iterable[str]) -> Iterator[InterfaceAddress]:
    """Yield the addresses of an interface; an address without a mask has its full length."""
    for line in lines:
        if line.startswith("\tinet "):
            match = _INET.match(line)
            mask = int(match["mask"], 16).bit_count() if match and match["mask"] else 32
            yield InterfaceAddress(address(match["address"] if match else line, "ifconfig"), mask)
        elif line.startswith("\tinet6 "):
            match = _INET6.match(line)
            prefix = int(match["prefix"]) if match and match["prefix"] else 128
            found = address(match["address"] if match else line, "ifconfig")
            yield InterfaceAddress(found, prefix, learned="autoconf" in line.split())
