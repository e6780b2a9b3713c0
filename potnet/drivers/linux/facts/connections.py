"""Read connections through a Linux host, and its own addresses: conntrack(8), nft(8), ip(8)."""

from __future__ import annotations

from collections.abc import Iterable

from netaddr import IPAddress

from potnet.drivers.linux.facts import addresses, parse
from potnet.drivers.linux.facts.reader import Reader
from potnet.drivers.linux.facts.traits import TRAITS
from potnet.host.own_addresses import all_listening
from potnet.host.ruleset import Outlet, Redirection
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

    def untranslated(
        self, redirections: Iterable[Redirection], outlets: Iterable[Outlet]
    ) -> list[tuple[str, ...]]:
        """Return the conntrack(8) arguments of each connection that redirections would have caught.

        Connections to other addresses of the host, such as those of alias pots, go on.
        """
        wanted: dict[tuple[str, int], dict[int, list[Redirection]]] = {}
        for r in redirections:
            at = wanted.setdefault((str(r.protocol), r.address.version), {})
            for port in range(r.host_port, r.host_port + r.count):
                at.setdefault(port, []).append(r)
        found: list[tuple[IPAddress, bool, tuple[str, ...]]] = []
        for (protocol, version), ports in wanted.items():
            kind = ("-f", "ipv6" if version == 6 else "ipv4", "-p", protocol)
            for source, sport, called, dport in parse.untranslated(self._out("conntrack", "-L", *kind)):
                fit = [r for r in ports.get(dport, ()) if r.host in (None, called)]
                if not fit:
                    continue
                ends = ("-s", f"{source}", "-d", f"{called}", "--sport", f"{sport}", "--dport", f"{dport}")
                local = any(r.loopback for r in fit) and called.is_loopback()
                found.append((called, local or any(r.host == called for r in fit), (*kind, *ends)))
        own = self.own_addresses(tuple(dict.fromkeys(called for called, _, _ in found)))
        offered = self.offered(outlets) if own else frozenset()
        return [argv for called, sure, argv in found if called in own and (sure or called in offered)]

    def offered(self, outlets: Iterable[Outlet]) -> frozenset[IPAddress]:
        """Return the host's addresses at which exports listen."""
        outlets = tuple(outlets)
        shown = (self._if_there("ip", "-j", "addr", "show", "dev", each.interface) for each in outlets)
        found = [link for text in shown for link in parse.documents(text or "")]
        return all_listening(outlets, parse.interfaces(found), TRAITS)

    def own_addresses(self, wanted: tuple[IPAddress, ...]) -> frozenset[IPAddress]:
        # An unreachable address is an error, and is not the host's own.
        lines = "".join(f"route get {address}\n" for address in wanted)
        shown = self.run("ip", "-j", "-force", "-batch", "-", stdin=lines).out
        return frozenset(wanted) & addresses.own_addresses(parse.documents(shown))
