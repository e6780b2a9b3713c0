"""Facts from a Linux host, with as few commands as the question needs.

What can be looked up by name is, in one ``ip -batch``: a list of all links takes the longer the more there
are (25 µs each), and a host has one for each pot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from potnet.drivers.base import CommandError
from potnet.drivers.linux import parse
from potnet.drivers.linux.names import (
    NAMESPACES,
    OWN_ETC,
    OWN_NAMESPACE,
    marked_root,
    setting6,
    uplinked,
)
from potnet.drivers.reading import UnreadableError
from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, CommandResult, Executor
from potnet.host_state import (
    FileKind,
    HostState,
    Interface,
    JailNetwork,
    JailState,
    PacketFilter,
    Query,
    Route,
    Traits,
    Usage,
)
from potnet.model import BRIDGE_GROUP, GROUP

FORWARDING = {4: "/proc/sys/net/ipv4/ip_forward", 6: "/proc/sys/net/ipv6/conf/all/forwarding"}
#: Ports below the first need privileges; from the second one on, the host itself picks (ip-sysctl).
_PORT_RANGE = ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/net/ipv4/ip_local_port_range")

#: What a tool says when the thing that it is asked for, or is to take away, is not there.
ABSENT = (
    "Cannot find device",
    "does not exist",
    "No such device",
    "No such file or directory",
    "Cannot assign requested address",
    "Address not found",
    "ipv6: address not found",
)
_NO_FILE = ("No such file or directory", "Not a directory")
#: ssh(1) itself failed: the command may not even have begun.
_NO_CONNECTION = 255

#: BR_MAX_PORTS in net/bridge/br_private.h is 1024, and port 0 is none.
BRIDGE_PORTS = 1023

TRAITS = Traits(
    own_programs=False,
    etc=OWN_ETC,
    bridge_ports=BRIDGE_PORTS,
    confines=False,
    to_prepare=False,
)


class Observer:
    """Answers a `Query` by running what only reads."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def observe(self, query: Query) -> HostState:
        """The facts asked for; raises HostError when a tool is missing or cannot be understood."""
        links = self._links(query)
        return HostState(
            traits=TRAITS,
            jails=self._jails(query.jails),
            names=frozenset(links),
            interfaces={name: links[name] for name in links if name in _asked(query, links)},
            own=_in_group(links, GROUP) if query.own else frozenset(),
            pot_bridges=_in_group(links, BRIDGE_GROUP) if query.pot_bridges else frozenset(),
            severed=_severed(links) if query.own or query.interfaces is None else frozenset(),
            external=self._external() if query.external else None,
            packet_filter=PacketFilter(enabled=True, filter_local=True, self_contained=True),
            forwarding=self._forwarding() if query.forwarding else {},
            routes=(*self._routes(4, query.routes), *self._routes(6, query.routes6)),
            listeners=parse.listeners(self._out("ss", "-H", "-lntup")) if query.listeners else (),
            port_range=self._port_range() if query.port_range else None,
            files={**self._directories(query.directories), **self._files(query.files)},
            texts=self._texts(query.texts),
            jail_interfaces=self._jail_interfaces(query.jail_interfaces),
            hostname=self._out("uname", "-n").strip() if query.hostname else None,
            nat_loaded=self._loaded(query.loaded_anchor) if query.loaded_anchor else False,
            learns_router=self._learns_router(query.learns_router) if query.learns_router else False,
            mounts=parse.mount_points(self._out("cat", "/proc/self/mounts")) if query.mounts else (),
            traffic=parse.traffic(parse.documents(self._out("ip", "-s", "-j", "link", "show")))
            if query.traffic
            else {},
            jail_networks=self._jail_networks(query.jail_networks),
            anchor_names=self._below(query.anchor_parents) if query.anchor_parents else frozenset(),
        )

    def real_path(self, path: str) -> str | None:
        """A path with its links resolved; None when it is not there."""
        found = self._optional("realpath", "-e", path)
        return found.removesuffix("\n") if found else None

    def usage(self, root: str) -> Usage:
        """The disk that a root takes."""
        disk = self._optional("du", "-sh", root)
        return Usage(disk=disk.split("\t", 1)[0].strip() if disk else None)

    def link(self, name: str) -> dict[str, Any] | None:
        """What ip(8) says of one link of the host; None when it is not there."""
        found = self._if_there("ip", "-j", "link", "show", "dev", name)
        return next(iter(parse.documents(found)), None) if found else None

    def namespace_id(self, name: str) -> int | None:
        """The inode of a namespace, which names it as long as it is there (namespaces(7))."""
        return self._inodes((name,)).get(name)

    def processes(self, name: str) -> tuple[str, ...]:
        """The PIDs in a namespace; none when it is not there."""
        return tuple((self._if_there("ip", "netns", "pids", name) or "").split())

    def chains(self) -> dict[str, tuple[str, ...]]:
        """The chains, maps and sets of our table, by name, without what is in maps and sets."""
        return parse.blocks(self._out("nft", "-t", "list", "ruleset", "inet"))

    def switched_on(self, settings: Collection[str]) -> frozenset[str]:
        """Those of these files below /proc/sys that are there and hold a 1."""
        found = self.run("grep", "-Hs", "^1$", *sorted(settings)).out if settings else ""
        return frozenset(line.partition(":")[0] for line in found.splitlines())

    def would_take(self, transaction: str) -> bool:
        """Whether the kernel would carry out a transaction of nft(8)'s; nothing is changed."""
        return self.run("nft", "-c", "-f", "-", stdin=transaction).code == 0

    def run(self, *argv: str, stdin: str | None = None) -> CommandResult:
        """Run what only reads; raises CommandError when its program is missing."""
        command = Command(argv, stdin=stdin, changes_host=False)
        result = self._executor.run(command)
        if result.code == NOT_FOUND:
            raise CommandError(command, result, hint="is this a Linux host? install iproute2 and nftables")
        if result.code in (TIMED_OUT, _NO_CONNECTION):
            # No answer says nothing about the host.
            raise CommandError(command, result)
        return result

    def _out(self, *argv: str) -> str:
        result = self.run(*argv)
        if result.code != 0:
            raise CommandError(Command(argv, changes_host=False), result)
        return result.out

    def _optional(self, *argv: str) -> str | None:
        result = self.run(*argv)
        return result.out if result.code == 0 else None

    def _if_there(self, *argv: str, stdin: str | None = None) -> str | None:
        """What a command says of something; None when that is not there, and only then."""
        result = self.run(*argv, stdin=stdin)
        if result.code == 0:
            return result.out
        if any(words in result.err for words in ABSENT):
            return None
        raise CommandError(Command(argv, changes_host=False), result)

    def _stat(self, *arguments: str) -> str:
        """What stat(1) says of those paths that are there: its code is 1 as soon as one is not."""
        argv = ("stat", *arguments)
        result = self.run(*argv)
        if not all(any(words in line for words in _NO_FILE) for line in result.err.splitlines()):
            raise CommandError(Command(argv, changes_host=False), result)
        return result.out

    def _links(self, query: Query) -> dict[str, Interface]:
        """The links that the query is about; all of them when some are to be found by what they are."""
        # Without -d the text beside a link's name is not told with its addresses.
        if query.names or query.own or query.pot_bridges or query.members or query.interfaces is None:
            return parse.interfaces(parse.documents(self._out("ip", "-d", "-j", "addr", "show")))
        wanted = dict.fromkeys((*(query.interfaces or ()), *query.candidates))
        if not wanted:
            return {}
        lines = "".join(f"addr show dev {name}\n" for name in wanted)
        argv = ("ip", "-d", "-j", "-force", "-batch", "-")
        result = self.run(*argv, stdin=lines)
        if parse.other_complaints(result.err, ("does not exist", "Cannot find device")):
            raise CommandError(Command(argv, lines, changes_host=False), result)
        return parse.interfaces(parse.documents(result.out))

    def _jails(self, names: tuple[str, ...] | None) -> dict[str, JailState]:
        if names is None:
            # Asked for its time, too, find looks at what is mounted there, and not only into the directory.
            argv = ("find", NAMESPACES, "-mindepth", "1", "-maxdepth", "1", "-printf", r"%Ts %i %f\n")
            lines = (self._if_there(*argv) or "").splitlines()
            found = parse.inodes("\n".join(line.partition(" ")[2] for line in lines))
            return {name: JailState(inode, name, None) for name, inode in found.items()}
        if not names:
            return {}
        found = self._inodes(names)
        own = found.pop(OWN_NAMESPACE, None)
        return {
            name: JailState(inode, name, None if inode == own else self._root_of(name))
            for name, inode in found.items()
        }

    def _inodes(self, names: tuple[str, ...]) -> dict[str, int]:
        paths = (f"{NAMESPACES}/{name}" for name in names)
        found = parse.inodes(self._stat("-L", "-c", "%i %n", OWN_NAMESPACE, *paths))
        return {path.removeprefix(f"{NAMESPACES}/"): inode for path, inode in found.items()}

    def _root_of(self, name: str) -> str:
        """The root that a namespace is for; its own path for one that potnet has not made."""
        shown = parse.documents(self._if_there("ip", "-n", name, "-j", "link", "show") or "")
        roots = (marked_root(link.get("ifalias", "")) for link in shown)
        return next((root for root in roots if root is not None), f"{NAMESPACES}/{name}")

    def _jail_interfaces(self, wanted: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], Interface]:
        found = {}
        for jail, name in wanted:
            shown = self._if_there("ip", "-n", jail, "-j", "addr", "show", "dev", name)
            for interface in parse.interfaces(parse.documents(shown or "")).values():
                found[jail, name] = interface
        return found

    def _jail_networks(self, jails: tuple[tuple[str, tuple[int, ...]], ...]) -> dict[str, JailNetwork]:
        found = {}
        for jail, families in jails:
            argv = ("ip", "-n", jail, "-d", "-j", "-batch", "-")
            shown = self._if_there(*argv, stdin="addr show\nroute show default\n")
            if shown is not None:
                if 6 in families:
                    shown += self._out("ip", "-n", jail, "-6", "-j", "route", "show", "default")
                found[jail] = parse.network(parse.documents(shown))
        return found

    def _below(self, parents: tuple[str, ...]) -> frozenset[str]:
        """Chains whose names are below these; the redirections of pots are not in chains."""
        return frozenset(name for name in self.chains() if name.rpartition("/")[0] in parents)

    def _external(self) -> str | None:
        for family in ("-4", "-6"):
            found = parse.documents(self._out("ip", "-j", family, "route", "show", "default"))
            interface = parse.external(found)
            if interface:
                return interface
        return None

    def _forwarding(self) -> dict[int, bool]:
        values = {family: self._optional("cat", path) for family, path in FORWARDING.items()}
        # A host without IPv6 does not forward it.
        return {family: (value or "0").strip() != "0" for family, value in values.items()}

    def _routes(self, family: int, wanted: bool) -> tuple[Route, ...]:
        if not wanted:
            return ()
        return parse.routes(parse.documents(self._out("ip", "-j", f"-{family}", "route", "show")), family)

    def _learns_router(self, interface: str) -> bool:
        # 2 is how it goes on to learn them while it forwards (ip-sysctl).
        return (self._optional("cat", setting6(interface, "accept_ra")) or "").strip() == "1"

    def _port_range(self) -> tuple[int, int]:
        text = self._out("cat", *_PORT_RANGE)
        try:
            privileged, first, _ = (int(word) for word in text.split())
        except ValueError as error:
            raise UnreadableError("cat", text) from error
        return max(privileged, 1), first - 1

    def _loaded(self, chain: str) -> bool:
        return chain in self.chains()

    def _directories(self, paths: tuple[str, ...]) -> dict[str, FileKind]:
        found = {path: self.run("test", "-d", path).code == 0 for path in paths}
        return {path: FileKind.DIRECTORY if there else FileKind.ABSENT for path, there in found.items()}

    def _files(self, paths: tuple[str, ...]) -> dict[str, FileKind]:
        if not paths:
            return {}
        found = parse.file_kinds(self._stat("-c", "%F\t%n", *paths))
        return {path: found.get(path, FileKind.ABSENT) for path in paths}

    def _texts(self, paths: tuple[str, ...]) -> dict[str, str]:
        found = {path: self._optional("cat", path) for path in paths}
        return {path: text for path, text in found.items() if text is not None}


def _asked(query: Query, links: dict[str, Interface]) -> Iterable[str]:
    return links if query.interfaces is None else query.interfaces


def _severed(links: dict[str, Interface]) -> frozenset[str]:
    """The bridges that have left a wire behind."""
    bridges = (uplinked(name) for name in links)
    return frozenset(bridge for bridge in bridges if bridge and bridge not in links)


def _in_group(links: dict[str, Interface], group: str) -> frozenset[str]:
    return frozenset(name for name, link in links.items() if group in link.groups)
