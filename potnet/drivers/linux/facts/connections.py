"""Read connections through a Linux host, and its own addresses: conntrack(8), nft(8), ip(8)."""

from __future__ import annotations

from collections.abc import Iterable

from netaddr import IPAddress

from potnet.drivers.linux.facts import parse
from potnet.drivers.linux.facts.reader import Reader
from potnet.host.ruleset import Redirection
from potnet.host.state import ExportTraffic
from potnet.model.pots import GROUP


class Connections(Reader):
    """Reads the connections through the host."""

    def connected(self) -> frozenset[str]:
        """Return the destination addresses of connections through the host."""
        shown = (self._out("conntrack", "-L", "-f", family) for family in ("ipv4", "ipv6"))
        return parse.reply_sources("".join(shown))

    def export_traffic(self) -> tuple[ExportTraffic, ...]:
        """Return the counters of all exports."""
        shown = self._if_there("nft", "-j", "list", "table", "inet", GROUP)
        return parse.export_traffic(shown) if shown else ()

    def ports_called(self, redirection: Redirection) -> frozenset[int]:
        """Return the ports of the host through which connections reach a pot's address."""
        r = redirection
        family = ("-f", "ipv6") if r.address.version == 6 else ()
        argv = ("conntrack", "-L", *family, "-p", str(r.protocol), "--reply-src", str(r.address))
        return parse.ports_called(self._out(*argv))

    def untranslated(self, redirections: Iterable[Redirection]) -> list[tuple[str, ...]]:
        """Return the conntrack(8) arguments of each connection to the host's own ports of redirections."""
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
        own = self.own_addresses(tuple(dict.fromkeys(called for called, _ in found)))
        return [argv for called, argv in found if called in own]

    def own_addresses(self, wanted: tuple[IPAddress, ...]) -> frozenset[IPAddress]:
        # An unreachable address is an error, and is not the host's own.
        lines = "".join(f"route get {address}\n" for address in wanted)
        shown = self.run("ip", "-j", "-force", "-batch", "-", stdin=lines).out
        return frozenset(wanted) & parse.own_addresses(parse.documents(shown))
