"""Facts from a FreeBSD host, with as few commands as the question needs."""

from __future__ import annotations

from potnet.actions import BRIDGE_GROUP, GROUP
from potnet.drivers.base import CommandError
from potnet.drivers.freebsd import parse
from potnet.drivers.freebsd.render import FORWARDING
from potnet.executors.base import NOT_FOUND, Command, CommandResult, Executor
from potnet.host_state import FileKind, HostState, Interface, JailState, PacketFilter, Query

_PORT_RANGE = ("net.inet.ip.portrange.reservedhigh", "net.inet.ip.portrange.first")


class Observer:
    """Answers a `Query` by running what only reads."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def observe(self, query: Query) -> HostState:
        """The facts asked for; raises HostError when a tool is missing or cannot be understood."""
        names = self._names() if query.names else frozenset()
        return HostState(
            jails=self._jails(query.jails),
            names=names,
            interfaces=self._interfaces(query.interfaces),
            own=self._group(GROUP) if query.own else frozenset(),
            pot_bridges=self._group(BRIDGE_GROUP) if query.pot_bridges else frozenset(),
            external=self._external() if query.external else None,
            packet_filter=self._packet_filter() if query.packet_filter else PacketFilter(),
            forwarding=self._forwarding() if query.forwarding else {},
            routes=parse.routes(self._out("netstat", "--libxo", "json", "-rn", "-f", "inet"))
            if query.routes
            else (),
            listeners=parse.listeners(self._out("sockstat", "-46l")) if query.listeners else (),
            port_range=self._port_range() if query.port_range else None,
            files=self._files(query.files) if query.files else {},
            resolv_conf=self._optional("cat", "/etc/resolv.conf") if query.resolv_conf else None,
            hostname=self._out("hostname").strip() if query.hostname else None,
            nat_loaded=self._loaded(query.loaded_anchor) if query.loaded_anchor else False,
            members_keep_addresses=self._members_keep_addresses() if query.bridge_rules else True,
            mounts=parse.mount_points(self._out("mount")) if query.mounts else (),
        )

    def redirections(self, anchor: str) -> tuple[parse.ActiveRedirection, ...]:
        """The redirect rules in force in an anchor; none when it is empty or absent."""
        return parse.redirections(self._run("pfctl", "-a", anchor, "-sn", "-P").out)

    def states(self) -> str:
        """The state table, as text for `parse.redirected_states`."""
        return self._out("pfctl", "-s", "states", "-vv")

    def _run(self, *argv: str) -> CommandResult:
        command = Command(argv, changes_host=False)
        result = self._executor.run(command)
        if result.code == NOT_FOUND:
            raise CommandError(command, result, hint="is this a FreeBSD host? look at --host and --via")
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
            found = parse.jails(self._out("jls", "-d", "-n", "jid", "name", "path", "dying"))
        else:
            found = tuple(jail for name in names for jail in self._jail(name))
        # A dying jail may share its name with a live one, which is the one that counts.
        return {jail.name: jail for jail in sorted(found, key=lambda jail: not jail.dying)}

    def _jail(self, name: str) -> tuple[JailState, ...]:
        argv = ("jls", "-d", "-n", "-j", name, "jid", "name", "path", "dying")
        result = self._run(*argv)
        if result.code != 0 and "not found" not in result.err:
            raise CommandError(Command(argv, changes_host=False), result)
        return parse.jails(result.out) if result.code == 0 else ()

    def _names(self) -> frozenset[str]:
        return frozenset(self._out("ifconfig", "-l").split())

    def _group(self, group: str) -> frozenset[str]:
        return frozenset(self._out("ifconfig", "-g", group).split())

    def _interfaces(self, wanted: tuple[str, ...]) -> dict[str, Interface]:
        shown = (self._optional("ifconfig", name) for name in wanted)
        found = (interface for text in shown if text for interface in parse.interfaces(text))
        return {interface.name: interface for interface in found}

    def _external(self) -> str | None:
        for family in ((), ("-inet6",)):
            found = self._optional("route", "-n", "get", *family, "default")
            interface = parse.default_interface(found or "")
            if interface:
                return interface
        return None

    def _packet_filter(self) -> PacketFilter:
        calls = parse.anchors(self._out("pfctl", "-sn") + self._out("pfctl", "-sr"))
        return PacketFilter(
            enabled=self._out("pfctl", "-s", "info").startswith("Status: Enabled"),
            nat_anchors=calls["nat-anchor"],
            rdr_anchors=calls["rdr-anchor"],
            filter_anchors=calls["anchor"],
        )

    def _sysctls(self, names: tuple[str, ...]) -> tuple[int, ...]:
        text = self._out("sysctl", "-n", *names)
        try:
            return tuple(int(word) for word in text.split())
        except ValueError as error:
            raise parse.UnreadableError("sysctl", text) from error

    def _forwarding(self) -> dict[int, bool]:
        values = self._sysctls(tuple(FORWARDING.values()))
        return {family: bool(value) for family, value in zip(FORWARDING, values, strict=True)}

    def _port_range(self) -> tuple[int, int]:
        reserved, first = self._sysctls(_PORT_RANGE)
        return reserved + 1, first - 1

    def _members_keep_addresses(self) -> bool:
        # The sysctl came with FreeBSD 15; before it, an interface with addresses may always join.
        value = self._optional("sysctl", "-n", "net.link.bridge.member_ifaddrs")
        return value is None or value.strip() != "0"

    def _loaded(self, anchor: str) -> bool:
        return bool(self._out("pfctl", "-a", anchor, "-sn").strip())

    def _files(self, paths: tuple[str, ...]) -> dict[str, FileKind]:
        # Its code is 1 as soon as one path is absent, which is an answer too.
        found = parse.file_kinds(self._run("stat", "-f", "%HT%t%N", *paths).out)
        return {path: found.get(path, FileKind.ABSENT) for path in paths}
