"""Observe a FreeBSD host with as few commands as the query needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from netaddr import IPAddress

from potnet.drivers import owners, posix
from potnet.drivers.base import CommandError
from potnet.drivers.freebsd.commands.render import FORWARDING, KEEP_ROUTER, MEMBERS
from potnet.drivers.freebsd.commands.taps import tap_node
from potnet.drivers.freebsd.facts import boot, parse, parse_ifconfig, parse_netstat
from potnet.drivers.freebsd.facts.links import Links
from potnet.drivers.freebsd.facts.neighbours import answering
from potnet.drivers.freebsd.facts.packet_filter import FilterReader
from potnet.drivers.freebsd.facts.reader import Reader
from potnet.drivers.freebsd.facts.traits import TRAITS
from potnet.drivers.reading import UnreadableError, jail_networks
from potnet.errors import HostError
from potnet.executors.base import Command, Executor
from potnet.host.own_addresses import all_listening
from potnet.host.query import Query
from potnet.host.ruleset import Outlet
from potnet.host.state import (
    Access,
    FileKind,
    HostState,
    Interface,
    JailState,
    PacketFilter,
    Route,
    Traffic,
    Usage,
)
from potnet.model.pots import BRIDGE_GROUP, GROUP

_JSON = ("--libxo", "json")
_PORT_RANGE = ("net.inet.ip.portrange.reservedhigh", "net.inet.ip.portrange.first")


class Observer(Reader):
    """Answers a `Query` by commands that only read."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self.filter = FilterReader(executor)
        self._links = Links(self.run)
        self._exact: bool | None = None

    def observe(self, query: Query) -> HostState:
        """Return the requested facts. Raises HostError if a tool is missing or its output is invalid."""
        # stat(1) on a tap's node would create the tap (net.link.tap.devfs_cloning, tap(4)).
        asked = query.names or query.candidates or query.tap_owners
        names = self._links.names() if asked else frozenset()
        interfaces, doubled = self._interfaces(query.interfaces, names if query.names else None)
        own = self._links.group(GROUP) if query.own or query.taps else frozenset()
        networks, unreadable = jail_networks(self._links.network, query.jail_networks, UnreadableError)
        mounted = self._out("mount", *_JSON) if query.mounts else None
        files, access = self._files(query.files, query.ways)
        return HostState(
            traits=TRAITS,
            jails=self._jails(query.jails),
            jail_parameters=self._jail_parameters(query.jail_parameters),
            known_parameters=self._known_parameters() if query.known_parameters else frozenset(),
            taps=own & {*query.taps},
            misowned=owners.misowned(self.run, self._tap_owners(query.tap_owners, names), query.tap_owners),
            users=owners.users(self.run, query.users),
            names=names if query.names or query.candidates else frozenset(),
            interfaces=interfaces,
            doubled=doubled,
            lost=self._lost(interfaces) if query.lost else frozenset(),
            own=own if query.own else frozenset(),
            pot_bridges=self._links.group(BRIDGE_GROUP) if query.pot_bridges else frozenset(),
            external=self._external() if query.external else None,
            packet_filter=self._packet_filter(query),
            forwarding=self._forwarding() if query.forwarding else {},
            routes=(
                *(self._routes("inet") if query.routes else ()),
                *(self._routes("inet6") if query.routes6 else ()),
            ),
            listeners=parse.listeners(self._out("sockstat", "-46l")) if query.listeners else (),
            port_range=self._port_range() if query.port_range else None,
            own_addresses=self._own_addresses(query.own_addresses),
            answering=answering(self.run, query.answering),
            jail_addresses=self._jail_addresses() if query.jail_addresses else {},
            files={**self._directories(query.directories), **files},
            access=access,
            texts=self._each(query.texts, "cat"),
            digests=posix.digests(self._executor, query.digests, "sha256", parse.digests),
            boot_variables=boot.variables(self._optional, query.boot_variables),
            boot_files=boot.files(self._optional, query.boot_files),
            main_drift=self.filter.main_drift(query.main_text),
            jail_interfaces=self._jail_interfaces(query.jail_interfaces),
            hostname=self._out("hostname").strip() if query.hostname else None,
            nat_loaded=self.filter.loaded(query.loaded_anchor) if query.loaded_anchor else False,
            members_keep_addresses=self._members_keep_addresses() if query.bridge_rules else True,
            mounts=parse.mount_points(mounted) if mounted is not None else (),
            binds=parse.binds(mounted) if mounted is not None else (),
            datasets=parse.datasets(mounted) if mounted is not None else (),
            mount_points=self._mount_points(query.mount_points),
            snapshots={name: self._snapshots(name) for name in query.snapshots},
            base_digest=self._base_digest(query.release) if query.release else None,
            machine=parse.machine(self._out("uname", "-m", "-p")) if query.machine else None,
            jail_networks=networks,
            unreadable=unreadable,
            anchor_names=frozenset(
                name for parent in query.anchor_parents for name in self.filter.below(parent)
            ),
            holding=frozenset(anchor for anchor in query.holding if self.filter.holds_rules(anchor)),
            limited=self.filter.limited(query.pipes),
            traffic=self._traffic() if query.traffic else {},
            learns_router=self._learns_router(query.learns_router) if query.learns_router else False,
            unfiltered=self._unfiltered() if query.unfiltered else (),
            indexes=self._indexes() if query.indexes else {},
        )

    def real_path(self, path: str) -> str | None:
        """Return a path with its links resolved, as jail(8) shows it; None if it does not exist."""
        found = self._optional("realpath", path)
        return found.removesuffix("\n") if found else None

    def usage(self, pot: str, root: str) -> Usage:
        """Return the disk usage of a root, and the memory usage of its jail if racct(9) is on."""
        disk = self._optional("du", "-sh", root)
        memory = parse.memory_use(self._optional("rctl", "-hu", f"jail:{pot}") or "")
        return Usage(
            disk=disk.split("\t", 1)[0].strip() if disk else None,
            virtual_memory=memory.get("vmemoryuse"),
            physical_memory=memory.get("memoryuse"),
        )

    def sysctl(self, name: str) -> str | None:
        """Return the value of a kernel variable; None if this kernel lacks the variable."""
        found = self._optional("sysctl", "-n", name)
        return found.strip() if found is not None else None

    def devfs_rules(self, number: int) -> str:
        """Return the rules of a devfs ruleset, a line each; empty for an empty or missing ruleset."""
        return self._out("devfs", "rule", "-s", str(number), "show")

    def opened_by(self, tap: str) -> int | None:
        """Return the process that has a tap open; None if the tap is closed or missing."""
        result = self.run("ifconfig", tap)
        return parse_ifconfig.opened_by(result.out) if result.code == 0 else None

    def detection(self, jail: str, interface: str, address: IPAddress) -> str | None:
        """Return the state of duplicate detection of an address in a jail, as `detecting` needs it."""
        shown = self.run("ifconfig", "-j", jail, interface)
        return parse_ifconfig.detection(shown.out, address) if shown.code == 0 else None

    def links(self, jail: str) -> tuple[Interface, ...]:
        """Return the interfaces of a jail with their indexes; empty if the jail does not exist."""
        argv = ("netstat", "-j", jail, "-bin", *_JSON)
        result = self.run(*argv)
        if result.code != 0 and "not found" not in result.err:
            raise CommandError(Command(argv, changes_host=False), result)
        return parse_netstat.interfaces(result.out) if result.code == 0 else ()

    def names(self) -> frozenset[str]:
        """Return the names of the host's interfaces."""
        return self._links.names()

    def has(self, interface: str) -> bool:
        """Return whether the host has an interface of this name."""
        return bool(self._links.named((interface,)))

    def _indexes(self) -> dict[str, int]:
        found = parse_netstat.interfaces(self._out("netstat", "-bin", *_JSON))
        return {each.name: each.index for each in reversed(found) if each.index is not None}

    def jid(self, jail: str) -> int | None:
        """Return the JID of a jail; None if the jail does not exist."""
        return next((each.jid for each in self._jail(jail) if not each.dying), None)

    def processes(self, jids: Collection[int]) -> frozenset[str]:
        """Return the PIDs in these jails. JIDs are used, because "none" and "any" are special to pgrep(1)."""
        argv = ("pgrep", "-j", ",".join(map(str, jids)))
        result = self.run(*argv)
        if result.code > 1:
            raise CommandError(Command(argv, changes_host=False), result)
        return frozenset(result.out.split())

    def offered(self, outlets: Iterable[Outlet]) -> frozenset[IPAddress]:
        """Return the host's addresses at which exports listen."""
        outlets = tuple(outlets)
        shown = self._links.named([outlet.interface for outlet in outlets])
        return all_listening(outlets, shown, TRAITS)

    def _jails(self, names: tuple[str, ...] | None) -> dict[str, JailState]:
        if names is None:
            found = parse.jails(self._out("jls", "-d", *_JSON, "-n", "jid", "name", "path", "dying"))
        else:
            found = tuple(jail for name in names for jail in self._jail(name))
        # A dying jail may share its name with a live jail; the live jail wins.
        return {jail.name: jail for jail in sorted(found, key=lambda jail: not jail.dying)}

    def _jail(self, name: str) -> tuple[JailState, ...]:
        argv = ("jls", "-d", "-n", "-j", name, "jid", "name", "path", "dying")
        result = self.run(*argv)
        if result.code != 0 and "not found" not in result.err:
            raise CommandError(Command(argv, changes_host=False), result)
        return (parse.jail(result.out),) if result.code == 0 else ()

    def _jail_parameters(self, wanted: tuple[tuple[str, tuple[str, ...]], ...]) -> dict[str, tuple[str, ...]]:
        """Return parameters of existing jails. A missing module takes its parameters along."""
        found = {jail: self._optional("jls", "-n", "-j", jail, *names) for jail, names in wanted if names}
        return {jail: tuple(text.split()) for jail, text in found.items() if text is not None}

    def _known_parameters(self) -> frozenset[str]:
        return parse.parameter_names(self._optional("sysctl", "-d", "security.jail.param") or "")

    def _tap_owners(
        self, wanted: tuple[tuple[str, str], ...], names: frozenset[str]
    ) -> dict[str, str | None]:
        nodes = {tap_node(tap): tap for tap, _ in wanted if tap in names}
        shown = self._stat("%Su%t%N", tuple(nodes)) if nodes else ""
        found = parse.file_owners(shown)
        return {tap: found[node] for node, tap in nodes.items() if node in found}

    def _interfaces(
        self, wanted: tuple[str, ...] | None, names: frozenset[str] | None
    ) -> tuple[dict[str, Interface], frozenset[str]]:
        """Return interfaces by name, and shared names, which are known only if all interfaces are read."""
        if wanted is None:
            return self._links.all()
        there = [name for name in wanted if names is None or name in names]
        return self._links.named(there), frozenset()

    def _jail_interfaces(self, wanted: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], Interface]:
        found = {key: self._links.inside(*key) for key in wanted}
        return {key: interface for key, interface in found.items() if interface is not None}

    def _each(self, subjects: tuple[str, ...], *argv: str) -> dict[str, str]:
        found = {subject: self._optional(*argv, subject) for subject in subjects}
        return {subject: text for subject, text in found.items() if text is not None}

    def _external(self) -> str | None:
        for family in ((), ("-inet6",)):
            found = self._optional("route", "-n", "get", *family, "default")
            interface = parse.default_interface(found or "")
            if interface:
                return interface
        return None

    def _forwarding(self) -> dict[int, bool]:
        values = self._sysctls(tuple(FORWARDING.values()))
        return {family: bool(value) for family, value in zip(FORWARDING, values, strict=True)}

    def _packet_filter(self, query: Query) -> PacketFilter:
        if not query.packet_filter:
            return PacketFilter()
        found = self.filter.packet_filter(query.own_anchors)
        if found is None:
            return PacketFilter()
        local = query.filter_local and self._sysctls(("net.pf.filter_local",)) == (1,)
        return replace(found, filter_local=local)

    def _lost(self, shown: Iterable[str]) -> frozenset[str]:
        known = self.filter.attached()
        missing = frozenset(shown) - known if known is not None else frozenset()
        # An interface that has gone since then is not lost.
        return missing & self._links.names() if missing else missing

    def _routes(self, family: str) -> tuple[Route, ...]:
        return parse_netstat.routes(self._out("netstat", *_JSON, "-rn", "-f", family))

    def _traffic(self) -> dict[str, Traffic]:
        return parse_netstat.traffic(self._out("netstat", *_JSON, "-ibn"))

    def _own_addresses(self, wanted: tuple[IPAddress, ...]) -> frozenset[IPAddress]:
        families = {4: "inet", 6: "inet6"}
        routes = (
            route
            for family in sorted({address.version for address in wanted})
            for route in self._routes(families[family])
        )
        # The host's own address is a host route through the loopback interface.
        own = {
            route.destination.ip
            for route in routes
            if route.interface == "lo0" and route.destination.size == 1
        }
        return frozenset(own.intersection(wanted))

    def _jail_addresses(self) -> dict[IPAddress, int]:
        return parse.jail_addresses(self._out("jls", "-n", "jid", "parent", "vnet", "ip4.addr", "ip6.addr"))

    def _learns_router(self, interface: str) -> bool:
        # The administrator may have set this variable, which keeps default routes in spite of forwarding.
        text = self._optional("ifconfig", interface) or ""
        return parse_ifconfig.accepts_advertisements(text) and self._sysctls((KEEP_ROUTER,)) == (0,)

    def _unfiltered(self) -> tuple[str, ...]:
        # These variables are missing until if_bridge(4) is loaded.
        values = {name: self._optional("sysctl", "-n", name) or "0" for name in MEMBERS}
        return tuple(name for name, value in values.items() if value.strip() == "0")

    def _port_range(self) -> tuple[int, int]:
        reserved, first = self._sysctls(_PORT_RANGE)
        return reserved + 1, first - 1

    def _members_keep_addresses(self) -> bool:
        # The variable came with FreeBSD 15; earlier, an interface with addresses could always join.
        value = self._optional("sysctl", "-n", "net.link.bridge.member_ifaddrs")
        if value is not None:
            return value.strip() != "0"
        # The variable is also missing until if_bridge(4) is loaded.
        return self._sysctls(("kern.osreldate",)) < (1_500_000,)

    def counts_exactly(self) -> bool:
        """Return whether pf compares with a limit of states before it counts the new one."""
        if self._exact is None:
            self._exact = self._sysctls(("kern.osreldate",)) >= (1_500_000,)
        return self._exact

    def _base_digest(self, release: str) -> str | None:
        manifest = self._out("fetch", "-q", "-o", "-", f"{release}/MANIFEST")
        return parse.manifest_digest(manifest, "base.txz")

    def _directories(self, paths: tuple[str, ...]) -> dict[str, FileKind]:
        found = {path: self.run("test", "-d", path).code == 0 for path in paths}
        return {path: FileKind.DIRECTORY if there else FileKind.ABSENT for path, there in found.items()}

    def _files(
        self, paths: tuple[str, ...], ways: tuple[str, ...]
    ) -> tuple[dict[str, FileKind], dict[str, Access]]:
        """Return the kinds of the files, and for ways, from the same command, who may change them."""
        kinds: dict[str, FileKind] = {}
        access: dict[str, Access] = {}
        if ways:
            form = "%HT%t%u%t%g%t%Mp%Lp%t%d%t%N"
            kinds, access = parse.file_access(self._stat(form, _each_once(paths, ways)))
        elif paths:
            kinds = parse.file_kinds(self._stat("%HT%t%N", paths))
        return {path: kinds.get(path, FileKind.ABSENT) for path in paths}, access

    def _snapshots(self, dataset: str) -> tuple[tuple[str, ...], ...]:
        """Return the snapshots of a dataset, the oldest first, each with its clones."""
        columns = ("-o", "name,clones", "-s", "createtxg", "-d", "1")
        return parse.snapshots(self.run("zfs", "list", "-H", "-t", "snapshot", *columns, dataset).out)

    def _mount_points(self, datasets: tuple[str, ...]) -> dict[str, str]:
        """Return the mount points of those datasets that exist."""
        found: dict[str, str] = {}
        for dataset in datasets:
            result = self.run("zfs", "list", "-H", "-o", "name,mountpoint", dataset)
            if result.code == 0:
                found |= parse.dataset_points(result.out)
            elif "dataset does not exist" not in result.err:
                raise HostError(f"zfs list {dataset}: {result.err.strip() or f'exit code {result.code}'}")
        return found


def _each_once(*paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path for some in paths for path in some))
