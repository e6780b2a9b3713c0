"""Facts about pots on a Linux host, each of which is a network namespace: ip-netns(8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from potnet.drivers.linux.facts import parse
from potnet.drivers.linux.facts.names import LINK_GROUP, NAMESPACES, OWN_NAMESPACE, entering, marked_root
from potnet.drivers.linux.facts.reader import Reader
from potnet.drivers.reading import UnreadableError, lines_of
from potnet.errors import HostError
from potnet.host.state import Interface, JailNetwork, JailState

#: The namespaces of those who are there, one process for all.
_PROCESSES = 'exec stat -L -c "%i %n" "$@" /proc/[0-9]*/ns/net'


class Namespaces(Reader):
    """Looks at namespaces and into them."""

    def namespace_ids(self, names: tuple[str, ...]) -> dict[str, int]:
        """The inodes of namespaces, which name them as long as they are there (namespaces(7))."""
        return self._inodes(names)

    def processes(self, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """The PIDs in each of those namespaces that have any."""
        paths = (f"{NAMESPACES}/{name}" for name in names)
        # Processes end while they are looked at, and their threads may not be looked at.
        found = parse.inodes(self.run("sh", "-c", _PROCESSES, "sh", *paths).out)
        pots = {inode: path for path, inode in found.items() if path.startswith(f"{NAMESPACES}/")}
        pids: dict[str, tuple[str, ...]] = {}
        for path, inode in found.items():
            if inode in pots and path.startswith("/proc/"):
                name = pots[inode].removeprefix(f"{NAMESPACES}/")
                pids[name] = (*pids.get(name, ()), path.split("/")[2])
        return pids

    def network(self, jail: str, families: tuple[int, ...] = ()) -> JailNetwork | None:
        """The network of a pot; None when it is not there. families: of its default routes."""
        argv = (*entering(jail), "ip", "-d", "-j", "-batch", "-")
        shown = self._if_there(*argv, stdin="addr show\nroute show default\n")
        if shown is None:
            return None
        if 6 in families:
            shown += self._out(*entering(jail), "ip", "-6", "-j", "route", "show", "default")
        return parse.network(parse.documents(shown))

    def jails(
        self, names: tuple[str, ...] | None, expected: Mapping[str, str], shown: parse.Documents | None
    ) -> dict[str, JailState]:
        """expected: roots by name. shown: all links and namespaces, if they have been looked at."""
        if names is None:
            # Asked for its time, too, find looks at what is mounted there, and not only into the directory.
            argv = ("find", NAMESPACES, "-mindepth", "1", "-maxdepth", "1", "-printf", r"%Ts %i %f\n")
            lines = lines_of(self._if_there(*argv) or "")
            found = parse.inodes("\n".join(line.partition(" ")[2] for line in lines))
            return {name: JailState(inode, name, None) for name, inode in found.items()}
        if not names:
            return {}
        found = self._inodes(names)
        own = found.pop(OWN_NAMESPACE, None)
        roots = self._roots([name for name in found if found[name] != own], expected, shown)
        return {name: JailState(inode, name, roots.get(name)) for name, inode in found.items()}

    def jail_networks(
        self, jails: tuple[tuple[str, tuple[int, ...]], ...]
    ) -> tuple[dict[str, JailNetwork], dict[str, str]]:
        """The networks of those jails that are there, and why others cannot be read."""
        found: dict[str, JailNetwork] = {}
        unreadable: dict[str, str] = {}
        for jail, families in jails:
            try:
                network = self.network(jail, families)
            except HostError as error:
                # A pot that changes its links all the time has no list of them that is whole.
                unreadable[jail] = error.message
            else:
                found |= {jail: network} if network is not None else {}
        return found, unreadable

    def jail_interfaces(self, wanted: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], Interface]:
        found = {}
        for jail, name in wanted:
            with suppress(UnreadableError):
                shown = self._if_there(*entering(jail), "ip", "-j", "addr", "show", "dev", name)
                for interface in parse.interfaces(parse.documents(shown or "")).values():
                    found[jail, name] = interface
        return found

    def _inodes(self, names: tuple[str, ...]) -> dict[str, int]:
        paths = (f"{NAMESPACES}/{name}" for name in names)
        found = parse.inodes(self._stat("-L", "-c", "%i %n", OWN_NAMESPACE, *paths))
        return {path.removeprefix(f"{NAMESPACES}/"): inode for path, inode in found.items()}

    def _led_into(self, shown: parse.Documents | None) -> frozenset[str]:
        """The names of namespaces that an epair of ours leads into."""
        if shown is None:
            lines = f"netns list\nlink show group {LINK_GROUP}\n"
            shown = parse.documents(self.run("ip", "-d", "-j", "-force", "-batch", "-", stdin=lines).out)
        return parse.led_into(shown, str(LINK_GROUP))

    def _roots(
        self, names: Sequence[str], expected: Mapping[str, str], shown: parse.Documents | None
    ) -> dict[str, str | None]:
        """The roots of namespaces: None where only an epair says that it is ours, its own path for others.

        A mark is in the namespace, where the pot can change it: what the host has of an epair counts first.
        """
        if len(names) == 1 and names[0] in expected and self._mark(names[0]) == expected[names[0]]:
            # One look into it is faster than one at all links.
            return {names[0]: expected[names[0]]}
        ours = self._led_into(shown) if names else frozenset()
        return {name: None if name in ours else self._mark(name) or f"{NAMESPACES}/{name}" for name in names}

    def _mark(self, name: str) -> str | None:
        """The root that a namespace is marked with; None where nothing can be read."""
        try:
            shown = parse.documents(self._if_there(*entering(name), "ip", "-j", "link", "show") or "")
        except HostError:
            return None
        marks = (marked_root(str(link.get("ifalias", ""))) for link in shown)
        return next((root for root in marks if root is not None), None)
