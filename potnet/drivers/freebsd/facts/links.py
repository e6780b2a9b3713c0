"""Read the interfaces of a FreeBSD host and of its jails; no jail can forge the answer.

netstat(1) prints most facts in JSON. Other facts come from ifconfig(8), and only from the text that the
kernel prints (see `parse_ifconfig`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from potnet.drivers.base import CommandError
from potnet.drivers.freebsd.facts import parse_ifconfig, parse_netstat
from potnet.drivers.reading import INTERFACE, Run, UnreadableError
from potnet.executors.base import Command
from potnet.host.state import Interface, JailNetwork

#: Interfaces may come and go between two commands.
_ATTEMPTS = 2
_JSON = ("--libxo", "json")


class Links:
    """Reads interfaces."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def _out(self, *argv: str) -> str:
        result = self._run(*argv)
        if result.code != 0:
            raise CommandError(Command(argv, changes_host=False), result)
        return result.out

    def names(self) -> frozenset[str]:
        """Return the names of all interfaces of the host."""
        return frozenset(parse_netstat.names(self._listed()))

    def _listed(self) -> str:
        return self._out("netstat", "-bin", *_JSON)

    def group(self, group: str) -> frozenset[str]:
        """Return the interfaces in a group of the host; interfaces from a jail are never in it."""
        return frozenset(self._out("ifconfig", "-g", group).split("\n")) - {""}

    def named(self, names: Sequence[str]) -> dict[str, Interface]:
        """Return those of these interfaces that the host has."""
        return {name: found for name in names if (found := self._alone(name)) is not None}

    def _alone(self, name: str) -> Interface | None:
        argv = ("ifconfig", name)
        result = self._run(*argv)
        if result.code == 0:
            plain = parse_ifconfig.is_plain(result.out)
            return parse_ifconfig.interface(result.out) if plain else self._of_several(name, result.out)
        if "does not exist" in result.err:
            return None
        raise CommandError(Command(argv, changes_host=False), result)

    def _of_several(self, name: str, text: str) -> Interface | None:
        """Read an interface if the host has two of this name, or if a description looks like another
        interface."""
        listed = parse_netstat.interfaces(self._out("netstat", "-I", name, "-bn", *_JSON))
        if not listed:
            return None
        read = parse_ifconfig.first_interface if len(listed) > 1 else parse_ifconfig.interface
        return _more(listed[0], read(text))

    def all(self) -> tuple[dict[str, Interface], frozenset[str]]:
        """Return all interfaces of the host by name, and the names that several of them share."""
        for _ in range(_ATTEMPTS):
            listed = parse_netstat.interfaces(self._listed())
            names = [each.name for each in listed]
            doubled = frozenset(name for name, number in Counter(names).items() if number > 1)
            shown = parse_ifconfig.interfaces(self._out("ifconfig", "-a"), names)
            if shown is not None:
                return _merged(listed, shown), doubled
        # The text contains lines that a jail may have written.
        plain = [name for name in dict.fromkeys(names) if INTERFACE.fullmatch(name)]
        return _merged(listed, self.named(plain)), doubled

    def inside(self, jail: str, name: str) -> Interface | None:
        """Return an interface of a jail; None if the interface or the jail is missing or unreadable."""
        shown = self._run("netstat", "-j", jail, "-I", name, "-bn", *_JSON)
        try:
            return next(iter(parse_netstat.interfaces(shown.out))) if shown.code == 0 else None
        except (StopIteration, UnreadableError):
            return None

    def network(self, jail: str, families: tuple[int, ...]) -> JailNetwork | None:
        """Return a jail's own stack; None if the jail does not exist. families: of the default routes to
        find.

        Raises UnreadableError, which concerns this jail alone.
        """
        texts = []
        for options in (("-bin",), ("-rn",)) if families else (("-bin",),):
            shown = self._run("netstat", "-j", jail, *options, *_JSON)
            if "Jail not found" in shown.err:
                return None
            if shown.code != 0:
                raise UnreadableError("netstat", shown.err or f"exit code {shown.code}")
            texts.append(shown.out)
        gateways = parse_netstat.gateways(texts[1]) if families else {}
        wanted_gateways = {family: gateways[family] for family in families if family in gateways}
        found = _by_name(parse_netstat.interfaces(texts[0]))
        if 6 in families:
            found = {name: self._told6(jail, each) for name, each in found.items()}
        return JailNetwork(found, wanted_gateways)

    def _told6(self, jail: str, found: Interface) -> Interface:
        """Return the interface with disabled6, which only text of the jail shows."""
        used = any(each.address.version == 6 and not each.address.is_loopback() for each in found.addresses)
        if not used or found.mac is None or not INTERFACE.fullmatch(found.name):
            return found
        shown = self._run("ifconfig", "-j", jail, found.name)
        flags = parse_ifconfig.nd6_flags(shown.out) if shown.code == 0 else frozenset()
        return replace(found, disabled6="IFDISABLED" in flags)


def _by_name(listed: Sequence[Interface]) -> dict[str, Interface]:
    """Return interfaces by name. If two share a name, the first wins, which is the host's own."""
    found: dict[str, Interface] = {}
    for each in listed:
        found.setdefault(each.name, each)
    return found


def _merged(listed: Sequence[Interface], shown: dict[str, Interface]) -> dict[str, Interface]:
    """Merge the facts of both tools by name; odd names, which ifconfig(8) cannot take, come from
    netstat(1) alone."""
    return {
        name: _more(each, shown[name]) if name in shown else each
        for name, each in _by_name(listed).items()
        if name in shown or not INTERFACE.fullmatch(name)
    }


def _more(listed: Interface, shown: Interface) -> Interface:
    learned = {each.address for each in shown.addresses if each.learned}
    return replace(
        shown, up=listed.up, mac=listed.mac, mtu=listed.mtu, index=listed.index,
        promiscuous=listed.promiscuous,
        addresses=tuple(replace(each, learned=each.address in learned) for each in listed.addresses),
    )  # fmt: skip
