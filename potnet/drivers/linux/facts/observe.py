"""Facts from a Linux host, with as few commands as the question needs.

What can be looked up by name is, in one ``ip -batch``: a list of all links takes the longer the more there
are (25 µs each), and a host has one for each pot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from netaddr import IPAddress

from potnet.drivers import owners
from potnet.drivers.base import CommandError
from potnet.drivers.linux.facts import default_route, parse, rates
from potnet.drivers.linux.facts.names import (
    LINK_GROUP,
    MEMBERS,
    NAMESPACES,
    OWN_ETC,
    OWN_NAMESPACE,
    entering,
    marked_root,
    marked_uplink,
    setting6,
    uplinked,
)
from potnet.drivers.linux.facts.others import dropping
from potnet.drivers.linux.facts.reader import Reader
from potnet.drivers.posix import digests
from potnet.drivers.reading import UnreadableError, lines_of
from potnet.errors import HostError
from potnet.executors.base import Command
from potnet.host.ruleset import Pipes, Redirection
from potnet.host.state import (
    ExportTraffic,
    FileKind,
    HostState,
    Interface,
    JailNetwork,
    JailState,
    Listener,
    PacketFilter,
    Query,
    Route,
    Traits,
    Usage,
)
from potnet.model.pots import BRIDGE_GROUP, GROUP

FORWARDING = {4: "/proc/sys/net/ipv4/ip_forward", 6: "/proc/sys/net/ipv6/conf/all/forwarding"}
#: Ports below the first need privileges; from the second one on, the host itself picks (ip-sysctl).
_PORT_RANGE = ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/net/ipv4/ip_local_port_range")

#: BR_MAX_PORTS in net/bridge/br_private.h is 1024, and port 0 is none.
BRIDGE_PORTS = 1023

#: The namespaces of those who are there, one process for all.
_PROCESSES = 'exec stat -L -c "%i %n" "$@" /proc/[0-9]*/ns/net'

TRAITS = Traits(
    own_programs=False,
    etc=OWN_ETC,
    bridge_ports=BRIDGE_PORTS,
    confines=False,
    one_mtu=False,
    to_prepare=False,
    bhyve=False,
    loopback_families=(4, 6),
    owners_change=False,
    upstream_resolvers="/run/systemd/resolve/resolv.conf",
)


_FILTER = PacketFilter(enabled=True, filter_local=True, self_contained=True)


class Observer(Reader):
    """Answers a `Query` by running what only reads."""

    def observe(self, query: Query) -> HostState:
        """The facts asked for; raises HostError when a tool is missing or cannot be understood."""
        shown = self._shown(query)
        found, routes = parse.links_and_routes(shown)
        links = parse.interfaces(found)
        leading = self._leading_out(routes) if query.external else ()
        networks, unreadable = self._jail_networks(query.jail_networks)
        return HostState(
            traits=TRAITS,
            jails=self._jails(query.jails, dict(query.roots), shown if _namespaces(query) else None),
            taps=_in_group(links, GROUP) & {*query.taps},
            misowned=owners.misowned(self.run, parse.tap_owners(found), query.tap_owners)
            if query.tap_owners
            else {},
            users=owners.users(self.run, query.users),
            names=frozenset(links),
            interfaces={name: links[name] for name in links if name in _asked(query, links)},
            own=_in_group(links, GROUP) if query.own else frozenset(),
            pot_bridges=_in_group(links, BRIDGE_GROUP) if query.pot_bridges else frozenset(),
            severed=_severed(links) if query.own or query.interfaces is None else frozenset(),
            external=leading[0] if leading else None,
            external_beside=leading[1:],
            packet_filter=replace(_FILTER, others=dropping(self._optional) if query.packet_filter else ()),
            forwarding=self._forwarding() if query.forwarding else {},
            routes=(*parse.routes(routes if query.routes else [], 4), *self._routes6(query.routes6)),
            listeners=self._listeners(query.owners) if query.listeners else (),
            port_range=self._port_range() if query.port_range else None,
            own_addresses=self._own_addresses(query.own_addresses) if query.own_addresses else frozenset(),
            files={**self._directories(query.directories), **self._files(query.files)},
            texts=self._texts(query.texts),
            digests=digests(self._executor, query.digests, "sha256sum", parse.digests),
            jail_interfaces=self._jail_interfaces(query.jail_interfaces),
            hostname=self._out("uname", "-n").strip() if query.hostname else None,
            nat_loaded=self._loaded(query.loaded_anchor) if query.loaded_anchor else False,
            limited=self._limited(query.pipes) if query.pipes else frozenset(),
            learns_router=self._learns_router(query.learns_router) if query.learns_router else False,
            mounts=parse.mount_points(self._out("cat", "/proc/self/mounts")) if query.mounts else (),
            traffic=parse.traffic(parse.documents(self._out("ip", "-s", "-j", "link", "show")))
            if query.traffic
            else {},
            unfiltered=self._unfiltered() if query.unfiltered else (),
            jail_networks=networks,
            unreadable=unreadable,
            # One that is listed holds rules here.
            holding=frozenset(query.holding),
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

    def connected(self) -> frozenset[str]:
        """The addresses that connections through the host lead to."""
        shown = (self._out("conntrack", "-L", "-f", family) for family in ("ipv4", "ipv6"))
        return parse.reply_sources("".join(shown))

    def export_traffic(self) -> tuple[ExportTraffic, ...]:
        """What went through all exports."""
        shown = self._if_there("nft", "-j", "list", "table", "inet", GROUP)
        return parse.export_traffic(shown) if shown else ()

    def ports_called(self, redirection: Redirection) -> frozenset[int]:
        """The ports of the host by which there are connections to a pot's address."""
        r = redirection
        family = ("-f", "ipv6") if r.address.version == 6 else ()
        argv = ("conntrack", "-L", *family, "-p", str(r.protocol), "--reply-src", str(r.address))
        return parse.ports_called(self._out(*argv))

    def untranslated(self, redirections: Iterable[Redirection]) -> list[tuple[str, ...]]:
        """What conntrack(8) knows the connections by that lead to the host's own ports of redirections."""
        wanted: dict[tuple[str, int], dict[int, list[Redirection]]] = {}
        for r in redirections:
            at = wanted.setdefault((str(r.protocol), r.address.version), {})
            for port in range(r.host_port, r.host_port + r.count):
                at.setdefault(port, []).append(r)
        found = []
        for (protocol, version), ports in wanted.items():
            kind = ("-f", "ipv6" if version == 6 else "ipv4", "-p", protocol)
            for source, sport, called, dport in parse.untranslated(self._out("conntrack", "-L", *kind)):
                if any(r.host in (None, called) for r in ports.get(dport, ())):
                    ends = (
                        "-s",
                        str(source),
                        "-d",
                        str(called),
                        "--sport",
                        str(sport),
                        "--dport",
                        str(dport),
                    )
                    found.append((called, (*kind, *ends)))
        own = self._own_addresses(tuple(dict.fromkeys(called for called, _ in found)))
        return [argv for called, argv in found if called in own]

    def chains(self) -> dict[str, tuple[str, ...]]:
        """The chains, maps and sets of our table, by name, without what is in maps and sets."""
        return parse.blocks(self._out("nft", "-t", "list", "ruleset", "inet"))

    def member_chains(self) -> dict[str, tuple[str, ...]]:
        """The same of the table of what comes in at members of bridges."""
        return parse.blocks(self._out("nft", "-t", "list", "ruleset", "bridge"), "bridge")

    def tables(self) -> tuple[str, ...]:
        """Our tables with all that is in them, in JSON."""
        shown = (self._if_there("nft", "-j", "list", "table", each, GROUP) for each in ("inet", "bridge"))
        return tuple(each for each in shown if each is not None)

    def switched_on(self, settings: Collection[str]) -> frozenset[str]:
        """Those of these files below /proc/sys that are there and hold a 1."""
        found = self.run("grep", "-Hs", "^1$", *sorted(settings)).out if settings else ""
        return frozenset(line.partition(":")[0] for line in lines_of(found))

    def would_take(self, transaction: str) -> bool:
        """Whether the kernel would carry out a transaction of nft(8)'s; nothing is changed."""
        return self.run("nft", "-c", "-f", "-", stdin=transaction).code == 0

    def _shown(self, query: Query) -> parse.Documents:
        """The links, the IPv4 routes and the namespaces that the query is about."""
        # Without -d the text beside a link's name is not told with its addresses.
        argv = ("ip", "-d", "-j", "-force", "-batch", "-")
        lines = "".join(f"{line}\n" for line in (*_links(query), *_routes(query), *_namespaces(query)))
        if not lines:
            return []
        result = self.run(*argv, stdin=lines)
        if parse.other_complaints(result.err, ("does not exist", "Cannot find device")):
            raise CommandError(Command(argv, lines, changes_host=False), result)
        return parse.documents(result.out)

    def _listeners(self, owners: bool) -> tuple[Listener, ...]:
        # Whose they are, ss(8) looks up in all open files of all processes.
        return parse.listeners(self._out("ss", "-H", "-lntup" if owners else "-lntu"))

    def _jails(
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

    def _jail_interfaces(self, wanted: tuple[tuple[str, str], ...]) -> dict[tuple[str, str], Interface]:
        found = {}
        for jail, name in wanted:
            with suppress(UnreadableError):
                shown = self._if_there(*entering(jail), "ip", "-j", "addr", "show", "dev", name)
                for interface in parse.interfaces(parse.documents(shown or "")).values():
                    found[jail, name] = interface
        return found

    def _jail_networks(
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

    def network(self, jail: str, families: tuple[int, ...] = ()) -> JailNetwork | None:
        """The network of a pot; None when it is not there. families: of its default routes."""
        argv = (*entering(jail), "ip", "-d", "-j", "-batch", "-")
        shown = self._if_there(*argv, stdin="addr show\nroute show default\n")
        if shown is None:
            return None
        if 6 in families:
            shown += self._out(*entering(jail), "ip", "-6", "-j", "route", "show", "default")
        return parse.network(parse.documents(shown))

    def _limited(self, wanted: tuple[Pipes, ...]) -> frozenset[Pipes]:
        queues = parse.documents(self._optional("tc", "-j", "qdisc", "show") or "")
        members = (each for pipes in wanted for each in pipes.members)
        filters = {each: self._optional("tc", "filter", "show", "dev", each, "ingress") for each in members}
        leading = {each: text or "" for each, text in filters.items()}
        return frozenset(pipes for pipes in wanted if rates.in_force(pipes, queues, leading))

    def _below(self, parents: tuple[str, ...]) -> frozenset[str]:
        """Chains whose names are below these; most redirections of pots are not in chains."""
        found = (*self.chains().items(), *self.member_chains().items())
        # Of the chains of a pot that only others lead to, the name has one dot more.
        own = ((name, lines) for name, lines in found if not name.endswith(".in"))
        chains = (name for name, lines in own if lines[0].startswith("chain "))
        return frozenset(name for name in chains if name.rpartition("/")[0] in parents)

    def _leading_out(self, routes: parse.Documents) -> tuple[str, ...]:
        """The interfaces of the default route: that of IPv4, or else that of IPv6; first the one to use."""
        found = self._of_default(default_route.default(routes))
        return found or self._of_tables("-4") or self._of_tables("-6")

    def _of_tables(self, family: str) -> tuple[str, ...]:
        """The same for one family, where the main table of IPv4 has no default route."""
        lines = "rule show\nroute show table all default\n"
        result = self.run("ip", family, "-j", "-force", "-batch", "-", stdin=lines)
        return self._of_default(default_route.of_first_table(parse.documents(result.out)))

    def _of_default(self, routes: parse.Documents) -> tuple[str, ...]:
        numbered = default_route.by_number_only(routes)
        nexthops = parse.documents(self._out("ip", "-j", "nexthop", "show")) if numbered else []
        return default_route.leading_out(routes, nexthops)

    def _forwarding(self) -> dict[int, bool]:
        values = {family: self._optional("cat", path) for family, path in FORWARDING.items()}
        # A host without IPv6 does not forward it.
        return {family: (value or "0").strip() != "0" for family, value in values.items()}

    def _routes6(self, wanted: bool) -> tuple[Route, ...]:
        if not wanted:
            return ()
        return parse.routes(parse.documents(self._out("ip", "-j", "-6", "route", "show")), 6)

    def _own_addresses(self, wanted: tuple[IPAddress, ...]) -> frozenset[IPAddress]:
        # An address that leads nowhere is an error, and the host's own no more than another's.
        lines = "".join(f"route get {address}\n" for address in wanted)
        shown = self.run("ip", "-j", "-force", "-batch", "-", stdin=lines).out
        return frozenset(wanted) & parse.own_addresses(parse.documents(shown))

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

    def _unfiltered(self) -> tuple[str, ...]:
        """The table of what comes in at members of bridges, where it is not there or leads elsewhere."""
        chains = self.member_chains()
        ways = {"prerouting": "iifname vmap @members", "forward": "oifname vmap @receivers"}
        there = all(chains.get(name, ())[2:-1] == (line,) for name, line in ways.items())
        return () if there else (MEMBERS,)

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


def _links(query: Query) -> Iterable[str]:
    """The lines that show links: all of them when some are to be found by what they are."""
    if _all_links(query):
        return ("addr show",)
    named = (*(query.interfaces or ()), *query.candidates, *query.taps, *dict(query.tap_owners))
    return (f"addr show dev {name}" for name in dict.fromkeys(named))


def _all_links(query: Query) -> bool:
    return query.names or query.own or query.pot_bridges or query.members or query.interfaces is None


def _namespaces(query: Query) -> tuple[str, ...]:
    """The lines that show where links lead, for jails that are not looked into one by one."""
    return ("netns list",) if _all_links(query) and len(query.jails or ()) > 1 else ()


def _routes(query: Query) -> Iterable[str]:
    if query.routes:
        return ("route show",)
    return ("route show default",) if query.external else ()


def _asked(query: Query, links: dict[str, Interface]) -> Iterable[str]:
    return links if query.interfaces is None else query.interfaces


def _severed(links: dict[str, Interface]) -> frozenset[str]:
    """The bridges that have left a wire behind."""
    bridges = (uplinked(name) for name, link in links.items() if marked_uplink(link.description or ""))
    return frozenset(bridge for bridge in bridges if bridge and bridge not in links)


def _in_group(links: dict[str, Interface], group: str) -> frozenset[str]:
    return frozenset(name for name, link in links.items() if group in link.groups)
