"""Facts from a FreeBSD host, with as few commands as the question needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import product

from netaddr import IPAddress

from potnet.drivers import owners, posix
from potnet.drivers.base import CommandError
from potnet.drivers.freebsd.commands.render import FORWARDING, KEEP_ROUTER, MEMBERS, tap_node
from potnet.drivers.freebsd.facts import boot, parse, parse_ifconfig, parse_netstat
from potnet.drivers.freebsd.facts.links import Links
from potnet.drivers.freebsd.pf import parse_pf
from potnet.drivers.freebsd.pf.pipes import pipe_numbers
from potnet.drivers.reading import UnreadableError, lines_of
from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, CommandResult, Executor
from potnet.host.ruleset import MainText, Outlet, Pipes, RulesetDrift
from potnet.host.state import (
    Access,
    ActiveRedirection,
    ExportTraffic,
    FileKind,
    HostState,
    Interface,
    JailNetwork,
    JailState,
    PacketFilter,
    Query,
    Route,
    Traffic,
    Usage,
)
from potnet.model.pots import BRIDGE_GROUP, GROUP

#: What pfctl(8) says where pf's module is not loaded.
NO_FILTER = "/dev/pf"

_JSON = ("--libxo", "json")
#: What pfctl(8) says of a table that is not there, beside the code of a connection that is not.
_NO_TABLE = "Unknown error: -1"
_PORT_RANGE = ("net.inet.ip.portrange.reservedhigh", "net.inet.ip.portrange.first")


class Observer:
    """Answers a `Query` by running what only reads."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._links = Links(self._run)

    def observe(self, query: Query) -> HostState:
        """The facts asked for; raises HostError when a tool is missing or cannot be understood."""
        # A look at a tap's node would make the tap (net.link.tap.devfs_cloning, tap(4)).
        asked = query.names or query.candidates or query.tap_owners
        names = self._links.names() if asked else frozenset()
        interfaces, doubled = self._interfaces(query.interfaces, names if query.names else None)
        own = self._links.group(GROUP) if query.own or query.taps else frozenset()
        networks, unreadable = self._jail_networks(query.jail_networks)
        mounted = self._out("mount", *_JSON) if query.mounts else None
        files, access = self._files(query.files, query.ways)
        return HostState(
            jails=self._jails(query.jails),
            taps=own & {*query.taps},
            misowned=owners.misowned(self._run, self._tap_owners(query.tap_owners, names), query.tap_owners),
            users=owners.users(self._run, query.users),
            names=names if query.names or query.candidates else frozenset(),
            interfaces=interfaces,
            doubled=doubled,
            own=own if query.own else frozenset(),
            pot_bridges=self._links.group(BRIDGE_GROUP) if query.pot_bridges else frozenset(),
            external=self._external() if query.external else None,
            packet_filter=self._packet_filter(query.filter_local) if query.packet_filter else PacketFilter(),
            forwarding=self._forwarding() if query.forwarding else {},
            routes=(*self._routes("inet", query.routes), *self._routes("inet6", query.routes6)),
            listeners=parse.listeners(self._out("sockstat", "-46l")) if query.listeners else (),
            port_range=self._port_range() if query.port_range else None,
            own_addresses=self._own_addresses(query.own_addresses),
            files={**self._directories(query.directories), **files},
            access=access,
            texts=self._each(query.texts, "cat"),
            digests=posix.digests(self._executor, query.digests, "sha256", parse.digests),
            boot_variables=boot.variables(self._optional, query.boot_variables),
            boot_files=boot.files(self._optional, query.boot_files),
            main_drift=self._main_drift(query.main_text),
            jail_interfaces=self._jail_interfaces(query.jail_interfaces),
            hostname=self._out("hostname").strip() if query.hostname else None,
            nat_loaded=self._loaded(query.loaded_anchor) if query.loaded_anchor else False,
            members_keep_addresses=self._members_keep_addresses() if query.bridge_rules else True,
            mounts=parse.mount_points(mounted) if mounted is not None else (),
            binds=parse.binds(mounted) if mounted is not None else (),
            base_digest=self._base_digest(query.release) if query.release else None,
            jail_networks=networks,
            unreadable=unreadable,
            anchor_names=frozenset(name for parent in query.anchor_parents for name in self._below(parent)),
            holding=frozenset(anchor for anchor in query.holding if self._holds_rules(anchor)),
            limited=self._limited(query.pipes),
            traffic=self._traffic() if query.traffic else {},
            learns_router=self._learns_router(query.learns_router) if query.learns_router else False,
            unfiltered=self._unfiltered() if query.unfiltered else (),
            indexes=self._indexes() if query.indexes else {},
        )

    def real_path(self, path: str) -> str | None:
        """A path with its links resolved, as jail(8) will show it; None when it is not there."""
        found = self._optional("realpath", path)
        return found.removesuffix("\n") if found else None

    def usage(self, pot: str, root: str) -> Usage:
        """The disk that a root takes, and the memory that its jail does, where racct(9) is on."""
        disk = self._optional("du", "-sh", root)
        memory = parse.memory_use(self._optional("rctl", "-hu", f"jail:{pot}") or "")
        return Usage(
            disk=disk.split("\t", 1)[0].strip() if disk else None,
            virtual_memory=memory.get("vmemoryuse"),
            physical_memory=memory.get("memoryuse"),
        )

    def redirections(self, anchor: str) -> tuple[ActiveRedirection, ...]:
        """The redirect rules in force in an anchor; none when it is empty or absent."""
        return parse_pf.redirections(self._run("pfctl", "-a", anchor, "-sn", "-P").out)

    def normal_form(self, anchor: str, rules: str) -> parse_pf.Listing:
        """What pfctl(8) would list of an anchor with these rules in it; nothing is loaded (-n)."""
        argv = ("pfctl", "-a", anchor, "-n", "-v", "-P", "-f", "-")
        result = self._run(*argv, stdin=rules)
        if result.code != 0:
            command = Command(argv, rules, changes_host=False)
            raise CommandError(command, result, "look at paths.templates in the configuration")
        return parse_pf.loaded_rules(result.out)

    def table(self, anchor: str, name: str) -> frozenset[str]:
        """The addresses in a table of an anchor; none when it is not there, which ends pfctl(8) with -1."""
        result = self._run("pfctl", "-a", anchor, "-t", name, "-T", "show", absent=_NO_TABLE)
        return parse_pf.table_entries(result.out) if result.code == 0 else frozenset()

    def listed(self, anchor: str, kinds: parse_pf.Listing) -> tuple[str, ...]:
        """The rules in an anchor, those of the kinds that it should have any of; none if pf is not there."""
        words = (("nat",) if kinds.translation else ()) + (("rules",) if kinds.filters else ())
        shown = [self._run("pfctl", "-a", anchor, "-s", word, "-P") for word in words]
        return tuple(line for result in shown for line in lines_of(result.out))

    def export_traffic(self, anchor: str) -> tuple[ExportTraffic, ...]:
        """The counters of the redirect rules in force in an anchor; none when it is empty or absent."""
        return parse_pf.export_traffic(self._run("pfctl", "-a", anchor, "-s", "nat", "-P", "-v").out)

    def sysctl(self, name: str) -> str | None:
        """The value of a variable of the kernel; None when this kernel does not have it."""
        found = self._optional("sysctl", "-n", name)
        return found.strip() if found is not None else None

    def devfs_rules(self, number: int) -> str:
        """The rules of a devfs ruleset, a line each; none when it is empty or does not exist."""
        return self._out("devfs", "rule", "-s", str(number), "show")

    def opened_by(self, tap: str) -> int | None:
        """The process that has a tap open; None when none has, or it is not there."""
        result = self._run("ifconfig", tap)
        return parse_ifconfig.opened_by(result.out) if result.code == 0 else None

    def links(self, jail: str) -> tuple[Interface, ...]:
        """The interfaces of a jail, with their indexes; none where the jail is not there."""
        argv = ("netstat", "-j", jail, "-bin", *_JSON)
        result = self._run(*argv)
        if result.code != 0 and "not found" not in result.err:
            raise CommandError(Command(argv, changes_host=False), result)
        return parse_netstat.interfaces(result.out) if result.code == 0 else ()

    def names(self) -> frozenset[str]:
        """The names of the host's interfaces."""
        return self._links.names()

    def has(self, interface: str) -> bool:
        """Whether the host has an interface of this name."""
        return bool(self._links.named((interface,)))

    def _indexes(self) -> dict[str, int]:
        found = parse_netstat.interfaces(self._out("netstat", "-bin", *_JSON))
        return {each.name: each.index for each in reversed(found) if each.index is not None}

    def jid(self, jail: str) -> int | None:
        """The JID of a jail; None when it is not there."""
        return next((each.jid for each in self._jail(jail) if not each.dying), None)

    def processes(self, jids: Collection[int]) -> frozenset[str]:
        """The PIDs of all that runs in these jails. By JIDs: pgrep(1) knows jails called none and any."""
        argv = ("pgrep", "-j", ",".join(map(str, jids)))
        result = self._run(*argv)
        if result.code > 1:
            raise CommandError(Command(argv, changes_host=False), result)
        return frozenset(result.out.split())

    def offered(self, outlets: Iterable[Outlet]) -> frozenset[IPAddress]:
        """The host's addresses that exports are offered on: those given, else the first of each family."""
        outlets = tuple(outlets)
        shown = self._links.named([outlet.interface for outlet in outlets])
        found: set[IPAddress] = set()
        for outlet, family in product(outlets, (4, 6)):
            there = shown[outlet.interface].addresses if outlet.interface in shown else ()
            own = [a.address for a in there if a.address.version == family and not a.address.is_link_local()]
            found |= {*(outlet.of_family(family) or own[:1])}
        return frozenset(found)

    def states(self) -> str:
        """The state table, as text for `parse_pf.redirected_states`."""
        argv = ("pfctl", "-s", "states", "-vv")
        result = self._run(*argv)
        if result.code != 0 and NO_FILTER not in result.err:
            raise CommandError(Command(argv, changes_host=False), result)
        return result.out

    def _run(self, *argv: str, stdin: str | None = None, absent: str | None = None) -> CommandResult:
        """absent: words that make an answer of any code."""
        command = Command(argv, stdin, changes_host=False)
        result = self._executor.run(command)
        if result.code == NOT_FOUND:
            raise CommandError(command, result, hint="is this a FreeBSD host? look at --host and --via")
        if result.code in (TIMED_OUT, posix.NO_CONNECTION) and not (absent and absent in result.err):
            # No answer says nothing about the host.
            raise CommandError(command, result)
        return result

    def _out(self, *argv: str) -> str:
        command = Command(argv, changes_host=False)
        result = self._run(*argv)
        if result.code != 0:
            raise CommandError(command, result)
        return result.out

    def _optional(self, *argv: str) -> str | None:
        result = self._run(*argv)
        return result.out if result.code == 0 else None

    def _jails(self, names: tuple[str, ...] | None) -> dict[str, JailState]:
        if names is None:
            found = parse.jails(self._out("jls", "-d", *_JSON, "-n", "jid", "name", "path", "dying"))
        else:
            found = tuple(jail for name in names for jail in self._jail(name))
        # A dying jail may share its name with a live one, which is the one that counts.
        return {jail.name: jail for jail in sorted(found, key=lambda jail: not jail.dying)}

    def _jail(self, name: str) -> tuple[JailState, ...]:
        argv = ("jls", "-d", "-n", "-j", name, "jid", "name", "path", "dying")
        result = self._run(*argv)
        if result.code != 0 and "not found" not in result.err:
            raise CommandError(Command(argv, changes_host=False), result)
        return (parse.jail(result.out),) if result.code == 0 else ()

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
        """Interfaces by name, and the names that several have, which is told only of all."""
        if wanted is None:
            return self._links.all()
        there = [name for name in wanted if names is None or name in names]
        return self._links.named(there), frozenset()

    def _jail_interfaces(self, wanted: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], Interface]:
        found = {key: self._links.inside(*key) for key in wanted}
        return {key: interface for key, interface in found.items() if interface is not None}

    def _jail_networks(
        self, jails: tuple[tuple[str, tuple[int, ...]], ...]
    ) -> tuple[dict[str, JailNetwork], dict[str, str]]:
        """The networks of those jails that are there, and why others cannot be read."""
        found: dict[str, JailNetwork] = {}
        unreadable: dict[str, str] = {}
        for jail, families in jails:
            try:
                network = self._links.network(jail, families)
            except UnreadableError as error:
                unreadable[jail] = error.message
            else:
                found |= {jail: network} if network is not None else {}
        return found, unreadable

    def _limited(self, wanted: tuple[Pipes, ...]) -> frozenset[Pipes]:
        if not wanted:
            return frozenset()
        shown = parse_pf.pipes(self._optional("dnctl", "pipe", "show") or "")
        return frozenset(pipes for pipes in wanted if _as_wanted(pipes, shown))

    def _below(self, parent: str) -> tuple[str, ...]:
        return tuple(self._run("pfctl", "-a", parent, "-s", "Anchors").out.split())

    def _holds_rules(self, anchor: str) -> bool:
        # One that had a table is listed for up to a minute after it was emptied.
        return any(self._run("pfctl", "-a", anchor, "-s", word, "-P").out for word in ("rules", "nat"))

    def _each(self, subjects: tuple[str, ...], *argv: str) -> dict[str, str]:
        found = {subject: self._optional(*argv, subject) for subject in subjects}
        return {subject: text for subject, text in found.items() if text is not None}

    def _main_drift(self, wanted: MainText | None) -> RulesetDrift:
        if wanted is None:
            return RulesetDrift()
        from potnet.drivers.freebsd.pf import main_rules

        return main_rules.drift(lambda argv, stdin: self._run(*argv, stdin=stdin), wanted)

    def _external(self) -> str | None:
        for family in ((), ("-inet6",)):
            found = self._optional("route", "-n", "get", *family, "default")
            interface = parse.default_interface(found or "")
            if interface:
                return interface
        return None

    def _packet_filter(self, local: bool) -> PacketFilter:
        status = self._run("pfctl", "-s", "info")
        if status.code != 0 and NO_FILTER in status.err:
            # The module is not loaded: there is no filter at all.
            return PacketFilter()
        translation, filters = self._out("pfctl", "-sn", "-P"), self._out("pfctl", "-sr", "-P")
        calls = parse_pf.anchors(translation + filters)
        return PacketFilter(
            enabled=status.out.startswith("Status: Enabled"),
            nat_anchors=calls["nat-anchor"],
            rdr_anchors=calls["rdr-anchor"],
            filter_anchors=calls["anchor"],
            filter_local=local and self._sysctls(("net.pf.filter_local",)) == (1,),
            translation=parse_pf.main_rules(translation),
            filters=parse_pf.main_rules(filters),
            skipped=parse_pf.skipped(self._out("pfctl", "-v", "-s", "Interfaces")),
        )

    def _sysctls(self, names: tuple[str, ...]) -> tuple[int, ...]:
        text = self._out("sysctl", "-n", *names)
        try:
            values = tuple(int(word) for word in text.split())
        except ValueError as error:
            raise UnreadableError("sysctl", text) from error
        if len(values) != len(names):
            raise UnreadableError("sysctl", text)
        return values

    def _forwarding(self) -> dict[int, bool]:
        values = self._sysctls(tuple(FORWARDING.values()))
        return {family: bool(value) for family, value in zip(FORWARDING, values, strict=True)}

    def _routes(self, family: str, wanted: bool) -> tuple[Route, ...]:
        if not wanted:
            return ()
        return parse_netstat.routes(self._out("netstat", *_JSON, "-rn", "-f", family))

    def _traffic(self) -> dict[str, Traffic]:
        return parse_netstat.traffic(self._out("netstat", *_JSON, "-ibn"))

    def _own_addresses(self, wanted: tuple[IPAddress, ...]) -> frozenset[IPAddress]:
        families = {4: "inet", 6: "inet6"}
        routes = (
            route
            for family in sorted({address.version for address in wanted})
            for route in self._routes(families[family], True)
        )
        # An own address is a host route by the loopback interface.
        own = {
            route.destination.ip
            for route in routes
            if route.interface == "lo0" and route.destination.size == 1
        }
        return frozenset(own.intersection(wanted))

    def _learns_router(self, interface: str) -> bool:
        # The setting of the host that keeps them in spite of forwarding may be the administrator's own.
        text = self._optional("ifconfig", interface) or ""
        return parse_ifconfig.accepts_advertisements(text) and self._sysctls((KEEP_ROUTER,)) == (0,)

    def _unfiltered(self) -> tuple[str, ...]:
        # They are not there before if_bridge(4) is loaded.
        values = {name: self._optional("sysctl", "-n", name) or "0" for name in MEMBERS}
        return tuple(name for name, value in values.items() if value.strip() == "0")

    def _port_range(self) -> tuple[int, int]:
        reserved, first = self._sysctls(_PORT_RANGE)
        return reserved + 1, first - 1

    def _members_keep_addresses(self) -> bool:
        # The sysctl came with FreeBSD 15; before it, an interface with addresses may always join.
        value = self._optional("sysctl", "-n", "net.link.bridge.member_ifaddrs")
        if value is not None:
            return value.strip() != "0"
        # Nor is it there before if_bridge(4) is loaded.
        return self._sysctls(("kern.osreldate",)) < (1_500_000,)

    def _base_digest(self, release: str) -> str | None:
        manifest = self._out("fetch", "-q", "-o", "-", f"{release}/MANIFEST")
        return parse.manifest_digest(manifest, "base.txz")

    def _loaded(self, anchor: str) -> bool:
        return bool(self._out("pfctl", "-a", anchor, "-sn").strip())

    def _directories(self, paths: tuple[str, ...]) -> dict[str, FileKind]:
        found = {path: self._run("test", "-d", path).code == 0 for path in paths}
        return {path: FileKind.DIRECTORY if there else FileKind.ABSENT for path, there in found.items()}

    def _files(
        self, paths: tuple[str, ...], ways: tuple[str, ...]
    ) -> tuple[dict[str, FileKind], dict[str, Access]]:
        """What lies at the paths; of ways, in the same look, also who may change it."""
        kinds: dict[str, FileKind] = {}
        access: dict[str, Access] = {}
        if ways:
            kinds, access = parse.file_access(self._stat("%HT%t%u%t%g%t%Mp%Lp%t%N", _each_once(paths, ways)))
        elif paths:
            kinds = parse.file_kinds(self._stat("%HT%t%N", paths))
        return {path: kinds.get(path, FileKind.ABSENT) for path in paths}, access

    def _stat(self, form: str, paths: tuple[str, ...]) -> str:
        """What stat(1) says of those paths that are there: its code is 1 as soon as one is not."""
        argv = ("stat", "-f", form, *paths)
        result = self._run(*argv)
        if not posix.only_absent(result):
            raise CommandError(Command(argv, changes_host=False), result)
        return result.out


def _each_once(*paths: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(path for some in paths for path in some))


def _as_wanted(pipes: Pipes, shown: Mapping[int, float]) -> bool:
    """Whether both pipes have their rates; dnctl(8) shows no more than seven digits."""
    pairs = zip(pipe_numbers(pipes), (pipes.rate_in, pipes.rate_out), strict=True)
    return all(abs(shown.get(number, -1) - (rate or 0)) <= (rate or 0) / 1000 for number, rate in pairs)
