"""Observe a Linux host with as few commands as the query needs.

Links are looked up by name in one ``ip -batch`` if possible. A list of all links takes 25 µs for each link,
and a host has one link for each pot.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from potnet.drivers import owners
from potnet.drivers.base import CommandError
from potnet.drivers.linux.facts import addresses, default_route, parse, rates
from potnet.drivers.linux.facts.connections import Connections
from potnet.drivers.linux.facts.names import (
    MEMBERS,
    marked_uplink,
    setting6,
    uplinked,
    without_export,
)
from potnet.drivers.linux.facts.namespaces import Namespaces
from potnet.drivers.linux.facts.neighbours import answering
from potnet.drivers.linux.facts.others import dropping
from potnet.drivers.linux.facts.reader import Reader
from potnet.drivers.linux.facts.traits import TRAITS
from potnet.drivers.posix import digests
from potnet.drivers.reading import UnreadableError, jail_networks, lines_of
from potnet.errors import HostError
from potnet.executors.base import Command, Executor
from potnet.host.query import Query
from potnet.host.ruleset import Pipes
from potnet.host.state import Access, FileKind, HostState, Interface, PacketFilter, Route, Usage
from potnet.model.pots import BRIDGE_GROUP, GROUP

FORWARDING = {4: "/proc/sys/net/ipv4/ip_forward", 6: "/proc/sys/net/ipv6/conf/all/forwarding"}
#: Ports below the first value need privileges; the kernel assigns ports from the second on (ip-sysctl).
_PORT_RANGE = ("/proc/sys/net/ipv4/ip_unprivileged_port_start", "/proc/sys/net/ipv4/ip_local_port_range")


_FILTER = PacketFilter(enabled=True, filter_local=True, self_contained=True)


class Observer(Reader):
    """Answers a `Query` by commands that only read."""

    def __init__(self, executor: Executor) -> None:
        super().__init__(executor)
        self.namespaces = Namespaces(executor)
        self.connections = Connections(executor)

    def observe(self, query: Query) -> HostState:
        """Return the requested facts. Raises HostError if a tool is missing or its output is invalid."""
        shown = self._shown(query)
        found, routes = parse.links_and_routes(shown)
        links = parse.interfaces(found)
        leading = self._leading_out(routes) if query.external else ()
        asked = {*_asked(query, links), *leading}
        local = addresses.local_addresses(shown) if query.local_addresses else None
        seen = shown if _namespaces(query) else None
        # A pot that keeps changing its links never yields a complete list.
        networks, unreadable = jail_networks(self.namespaces.network, query.jail_networks, HostError)
        return HostState(
            traits=TRAITS,
            jails=self.namespaces.jails(query.jails, dict(query.roots), seen),
            taps=_in_group(links, GROUP) & {*query.taps},
            misowned=owners.misowned(self.run, parse.tap_owners(found), query.tap_owners)
            if query.tap_owners
            else {},
            users=owners.users(self.run, query.users),
            names=frozenset(links),
            interfaces=self._with_wireless({name: links[name] for name in links if name in asked}, query),
            own=_in_group(links, GROUP) if query.own else frozenset(),
            pot_bridges=_in_group(links, BRIDGE_GROUP) if query.pot_bridges else frozenset(),
            severed=_severed(links) if query.own or query.interfaces is None else frozenset(),
            external=leading[0] if leading else None,
            external_beside=leading[1:],
            packet_filter=replace(_FILTER, others=dropping(self._optional) if query.packet_filter else ()),
            forwarding=self._forwarding() if query.forwarding else {},
            routes=(
                *(parse.routes(routes, 4) if query.routes else ()),
                *(self._routes6() if query.routes6 else ()),
            ),
            listeners=parse.listeners(self._out(*_listing_sockets(query))) if query.listeners else (),
            port_range=self._port_range() if query.port_range else None,
            own_addresses=self.connections.own_addresses(query.own_addresses)
            if query.own_addresses
            else frozenset(),
            answering=answering(self.run, query.answering),
            local_addresses=local,
            files={**self._directories(query.directories), **self._files(query.files)},
            access=self._access(query.ways),
            texts=self._texts(query.texts),
            digests=digests(self._executor, query.digests, "sha256sum", parse.digests),
            jail_interfaces=self.namespaces.jail_interfaces(query.jail_interfaces),
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
            # On Linux a listed anchor always holds rules.
            holding=frozenset(query.holding),
            anchor_names=self._below(query.anchor_parents) if query.anchor_parents else frozenset(),
        )

    def real_path(self, path: str) -> str | None:
        """Return a path with its links resolved; None if it does not exist."""
        found = self._optional("realpath", "-e", path)
        return found.removesuffix("\n") if found else None

    def usage(self, root: str) -> Usage:
        """Return the disk usage of a root."""
        disk = self._optional("du", "-sh", root)
        return Usage(disk=disk.split("\t", 1)[0].strip() if disk else None)

    def link(self, name: str) -> dict[str, Any] | None:
        """Return ip(8)'s description of one link of the host; None if the link does not exist."""
        found = self._if_there("ip", "-j", "link", "show", "dev", name)
        return next(iter(parse.documents(found)), None) if found else None

    def chains(self) -> dict[str, tuple[str, ...]]:
        """Return the chains, maps and sets of potnet's table by name, without the elements."""
        return parse.blocks(self._out("nft", "-t", "list", "ruleset", "inet"))

    def member_chains(self) -> dict[str, tuple[str, ...]]:
        """Return the chains, maps and sets of the table for members of bridges."""
        return parse.blocks(self._out("nft", "-t", "list", "ruleset", "bridge"), "bridge")

    def tables(self) -> tuple[str, ...]:
        """Return potnet's tables with all their contents, in JSON."""
        shown = (self._if_there("nft", "-j", "list", "table", each, GROUP) for each in ("inet", "bridge"))
        return tuple(each for each in shown if each is not None)

    def switched_on(self, settings: Collection[str]) -> frozenset[str]:
        """Return those of these files below /proc/sys that exist and contain 1."""
        found = self.run("grep", "-Hs", "^1$", *sorted(settings)).out if settings else ""
        return frozenset(line.partition(":")[0] for line in lines_of(found))

    def would_take(self, transaction: str) -> bool:
        """Return whether the kernel would accept an nft(8) transaction; nothing is changed."""
        return self.run("nft", "-c", "-f", "-", stdin=transaction).code == 0

    def _shown(self, query: Query) -> parse.Documents:
        """Return the links, the IPv4 routes and the namespaces that the query needs."""
        # Only -d shows the alias of a link with its addresses.
        argv = ("ip", "-d", "-j", "-force", "-batch", "-")
        lines = "".join(f"{line}\n" for line in (*_links(query), *_routes(query), *_namespaces(query)))
        if not lines:
            return []
        result = self.run(*argv, stdin=lines)
        if parse.other_complaints(result.err, ("does not exist", "Cannot find device")):
            raise CommandError(Command(argv, lines, changes_host=False), result)
        return parse.documents(result.out)

    def _with_wireless(self, found: dict[str, Interface], query: Query) -> dict[str, Interface]:
        """Mark the wireless interfaces if the query requests it: the kernel shows the radio of each."""
        marks = {f"/sys/class/net/{name}/phy80211": name for name in found} if query.wireless else {}
        radios = {
            marks[path] for path, kind in self._files(tuple(marks)).items() if kind is not FileKind.ABSENT
        }
        return (
            {name: replace(each, wireless=name in radios) for name, each in found.items()}
            if radios
            else found
        )

    def _limited(self, wanted: tuple[Pipes, ...]) -> frozenset[Pipes]:
        queues = parse.documents(self._optional("tc", "-j", "qdisc", "show") or "")
        members = (each for pipes in wanted for each in pipes.members)
        filters = {each: self._optional("tc", "filter", "show", "dev", each, "ingress") for each in members}
        leading = {each: text or "" for each, text in filters.items()}
        return frozenset(pipes for pipes in wanted if rates.in_force(pipes, queues, leading))

    def _below(self, parents: tuple[str, ...]) -> frozenset[str]:
        """Return the anchors below these parents that have chains; most redirections of pots have none."""
        found = (*self.chains().items(), *self.member_chains().items())
        # The names of a pot's inner chains have one more dot.
        own = ((name, lines) for name, lines in found if not name.endswith(".in"))
        chains = (without_export(name) for name, lines in own if lines[0].startswith("chain "))
        return frozenset(name for name in chains if name.rpartition("/")[0] in parents)

    def _leading_out(self, routes: parse.Documents) -> tuple[str, ...]:
        """Return the interfaces of the default route of IPv4, or else of IPv6; the first one is to be
        used."""
        found = self._of_default(default_route.default(routes))
        return found or self._of_tables("-4") or self._of_tables("-6")

    def _of_tables(self, family: str) -> tuple[str, ...]:
        """Return the interfaces for one family, if the main table of IPv4 has no default route."""
        lines = "rule show\nroute show table all default\n"
        result = self.run("ip", family, "-j", "-force", "-batch", "-", stdin=lines)
        return self._of_default(default_route.of_first_table(parse.documents(result.out)))

    def _of_default(self, routes: parse.Documents) -> tuple[str, ...]:
        numbered = default_route.by_number_only(routes)
        nexthops = parse.documents(self._out("ip", "-j", "nexthop", "show")) if numbered else []
        return default_route.leading_out(routes, nexthops)

    def _forwarding(self) -> dict[int, bool]:
        values = {family: self._optional("cat", path) for family, path in FORWARDING.items()}
        # A host without IPv6 does not forward IPv6.
        return {family: (value or "0").strip() != "0" for family, value in values.items()}

    def _routes6(self) -> tuple[Route, ...]:
        return parse.routes(parse.documents(self._out("ip", "-j", "-6", "route", "show")), 6)

    def _learns_router(self, interface: str) -> bool:
        # With 2 a host learns default routes even if it forwards (ip-sysctl).
        return (self._optional("cat", setting6(interface, "accept_ra")) or "").strip() == "1"

    def _port_range(self) -> tuple[int, int]:
        text = self._out("cat", *_PORT_RANGE)
        try:
            privileged, first, _ = (int(word) for word in text.split())
        except ValueError as error:
            raise UnreadableError("cat", text) from error
        return max(privileged, 1), first - 1

    def _unfiltered(self) -> tuple[str, ...]:
        """Return the table for members of bridges, if it is missing or incomplete."""
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

    def _access(self, ways: tuple[str, ...]) -> dict[str, Access]:
        return parse.file_access(self._stat("-c", "%u\t%g\t%f\t%n", *ways)) if ways else {}

    def _texts(self, paths: tuple[str, ...]) -> dict[str, str]:
        found = {path: self._optional("cat", path) for path in paths}
        return {path: text for path, text in found.items() if text is not None}


def _listing_sockets(query: Query) -> tuple[str, ...]:
    # ss(8) reads the open files of all processes to find the owners, which takes long.
    return ("ss", "-H", "-lntup" if query.owners else "-lntu")


def _links(query: Query) -> Iterable[str]:
    """Return the lines that show links; all links are listed if some are found by properties."""
    if _all_links(query):
        return ("addr show",)
    named = (*(query.interfaces or ()), *query.candidates, *query.taps, *dict(query.tap_owners))
    return (f"addr show dev {name}" for name in dict.fromkeys(named))


def _all_links(query: Query) -> bool:
    return query.names or query.own or query.pot_bridges or query.members or query.interfaces is None


def _namespaces(query: Query) -> tuple[str, ...]:
    """Return the lines that show the namespaces of links, if there are many jails to read."""
    return ("netns list",) if _all_links(query) and len(query.jails or ()) > 1 else ()


def _routes(query: Query) -> Iterable[str]:
    """Return the lines that show routes; those of type local are the addresses of the host."""
    if query.routes:
        yield "route show"
    elif query.external:
        yield "route show default"
    if query.local_addresses:
        # Only with all tables does ip(8) show both families.
        yield "route show table all type local"


def _asked(query: Query, links: dict[str, Interface]) -> Iterable[str]:
    return links if query.interfaces is None else query.interfaces


def _severed(links: dict[str, Interface]) -> frozenset[str]:
    """Return the removed bridges whose wire still exists."""
    bridges = (uplinked(name) for name, link in links.items() if marked_uplink(link.description or ""))
    return frozenset(bridge for bridge in bridges if bridge and bridge not in links)


def _in_group(links: dict[str, Interface], group: str) -> frozenset[str]:
    return frozenset(name for name, link in links.items() if group in link.groups)
