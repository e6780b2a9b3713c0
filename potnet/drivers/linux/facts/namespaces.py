"""Read facts about pots on a Linux host; each pot is a network namespace: ip-netns(8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from potnet.drivers.linux.facts import parse
from potnet.drivers.linux.facts.names import LINK_GROUP, NAMESPACES, OWN_NAMESPACE, entering, marked_root
from potnet.drivers.linux.facts.reader import Reader
from potnet.drivers.reading import UnreadableError, lines_of
from potnet.errors import HostError
from potnet.host.state import Interface, JailNetwork, JailState

#: Prints the namespaces of all processes with a single command.
_PROCESSES = 'exec stat -L -c "%i %n" "$@" /proc/[0-9]*/ns/net'


class Namespaces(Reader):
    """Reads namespaces and their contents."""

    def namespace_ids(self, names: tuple[str, ...]) -> dict[str, int]:
        """Return the inodes of namespaces, which identify them while they exist (namespaces(7))."""
        return self._inodes(names)

    def processes(self, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
        """Return the PIDs in each of those namespaces that have any."""
        paths = (f"{NAMESPACES}/{name}" for name in names)
        # Errors are ignored: processes may end meanwhile, and some namespaces are not readable.
        found = parse.inodes(self.run("sh", "-c", _PROCESSES, "sh", *paths).out)
        pots = {inode: path for path, inode in found.items() if path.startswith(f"{NAMESPACES}/")}
        pids: dict[str, tuple[str, ...]] = {}
        for path, inode in found.items():
            if inode in pots and path.startswith("/proc/"):
                name = pots[inode].removeprefix(f"{NAMESPACES}/")
                pids[name] = (*pids.get(name, ()), path.split("/")[2])
        return pids

    def network(self, jail: str, families: tuple[int, ...] = ()) -> JailNetwork | None:
        """Return the network of a pot; None if the pot does not exist. families: of its default routes."""
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
        """Return namespaces as jails. expected: roots by name. shown: all links and namespaces, if already
        read."""
        if names is None:
            # The time makes find examine each mount itself, not only its directory entry.
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
        """Return the names of namespaces that contain an end of one of potnet's epairs."""
        if shown is None:
            lines = f"netns list\nlink show group {LINK_GROUP}\n"
            shown = parse.documents(self.run("ip", "-d", "-j", "-force", "-batch", "-", stdin=lines).out)
        return parse.led_into(shown, str(LINK_GROUP))

    def _roots(
        self, names: Sequence[str], expected: Mapping[str, str], shown: parse.Documents | None
    ) -> dict[str, str | None]:
        """Return the roots of namespaces: None if only an epair marks it as potnet's; its own path for
        others.

        A mark is in the namespace, where the pot can change it. The host's end of an epair therefore comes
        first.
        """
        if len(names) == 1 and names[0] in expected and self._mark(names[0]) == expected[names[0]]:
            # Reading one namespace is faster than reading all links.
            return {names[0]: expected[names[0]]}
        ours = self._led_into(shown) if names else frozenset()
        return {name: None if name in ours else self._mark(name) or f"{NAMESPACES}/{name}" for name in names}

    def _mark(self, name: str) -> str | None:
        """Return the root in a namespace's mark; None if the mark is missing or unreadable."""
        try:
            shown = parse.documents(self._if_there(*entering(name), "ip", "-j", "link", "show") or "")
        except HostError:
            return None
        marks = (marked_root(str(link.get("ifalias", ""))) for link in shown)
        return next((root for root in marks if root is not None), None)
