"""The interfaces of a FreeBSD host and of its jails, asked so that no jail has a say in the answer.

netstat(1) tells them in JSON; what it does not tell, ifconfig(8) does, whose text is read only as far as it
is the kernel's (see `parse_ifconfig`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from potnet.drivers.base import CommandError
from potnet.drivers.freebsd.facts import parse_ifconfig, parse_netstat
from potnet.drivers.reading import INTERFACE, UnreadableError
from potnet.executors.base import Command, CommandResult
from potnet.host.state import Interface, JailNetwork

#: Interfaces come and go between two looks.
_ATTEMPTS = 2
_JSON = ("--libxo", "json")


class Run(Protocol):
    """Runs a command that only reads; raises CommandError when nothing answers."""

    def __call__(self, *argv: str) -> CommandResult: ...


class Links:
    """Looks at interfaces."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def _out(self, *argv: str) -> str:
        result = self._run(*argv)
        if result.code != 0:
            raise CommandError(Command(argv, changes_host=False), result)
        return result.out

    def names(self) -> frozenset[str]:
        """The names of all interfaces of the host."""
        return frozenset(parse_netstat.names(self._listed()))

    def _listed(self) -> str:
        return self._out("netstat", "-bin", *_JSON)

    def group(self, group: str) -> frozenset[str]:
        """The interfaces in a group of the host's: one that comes home from a jail is in no such group."""
        return frozenset(self._out("ifconfig", "-g", group).split("\n")) - {""}

    def named(self, names: Sequence[str]) -> dict[str, Interface]:
        """Those of these interfaces of the host that are there."""
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
        """The host may have two of a name, or one with a description that looks like another."""
        listed = parse_netstat.interfaces(self._out("netstat", "-I", name, "-bn", *_JSON))
        if not listed:
            return None
        read = parse_ifconfig.first_interface if len(listed) > 1 else parse_ifconfig.interface
        return _more(listed[0], read(text))

    def all(self) -> tuple[dict[str, Interface], frozenset[str]]:
        """All interfaces of the host by name, and the names that several of them have."""
        for _ in range(_ATTEMPTS):
            listed = parse_netstat.interfaces(self._listed())
            names = [each.name for each in listed]
            doubled = frozenset(name for name, number in Counter(names).items() if number > 1)
            shown = parse_ifconfig.interfaces(self._out("ifconfig", "-a"), names)
            if shown is not None:
                return _merged(listed, shown), doubled
        # Somebody's text is among it.
        plain = [name for name in dict.fromkeys(names) if INTERFACE.fullmatch(name)]
        return _merged(listed, self.named(plain)), doubled

    def inside(self, jail: str, name: str) -> Interface | None:
        """An interface of a jail's; None if it is not there, or the jail is not, or nothing can be read."""
        shown = self._run("netstat", "-j", jail, "-I", name, "-bn", *_JSON)
        try:
            return next(iter(parse_netstat.interfaces(shown.out))) if shown.code == 0 else None
        except (StopIteration, UnreadableError):
            return None

    def network(self, jail: str, families: tuple[int, ...]) -> JailNetwork | None:
        """A jail's own stack; None if the jail is not there. families: of the default routes to look for.

        Raises UnreadableError, which is about this jail alone.
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
        """The interface, with whether IPv6 is switched off, which only a text of the jail's tells."""
        used = any(each.address.version == 6 and not each.address.is_loopback() for each in found.addresses)
        if not used or found.mac is None or not INTERFACE.fullmatch(found.name):
            return found
        shown = self._run("ifconfig", "-j", jail, found.name)
        flags = parse_ifconfig.nd6_flags(shown.out) if shown.code == 0 else frozenset()
        return replace(found, disabled6="IFDISABLED" in flags)


def _by_name(listed: Sequence[Interface]) -> dict[str, Interface]:
    """Of two of a name the first, which on the host is its own."""
    found: dict[str, Interface] = {}
    for each in listed:
        found.setdefault(each.name, each)
    return found


def _merged(listed: Sequence[Interface], shown: dict[str, Interface]) -> dict[str, Interface]:
    """What both tools tell, by name; one that ifconfig(8) cannot be asked for is told by netstat(1) alone."""
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
