"""Read facts about pf and dummynet on a FreeBSD host: pfctl(8), dnctl(8)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from potnet.drivers.base import CommandError
from potnet.drivers.freebsd.facts.anchors import AnchorReader, called
from potnet.drivers.freebsd.facts.reader import Reader
from potnet.drivers.freebsd.pf import parse_pf
from potnet.drivers.freebsd.pf.pipes import pipe_numbers
from potnet.drivers.reading import lines_of
from potnet.executors.base import Command
from potnet.host.ruleset import MainText, Pipes, RulesetDrift
from potnet.host.state import ActiveRedirection, ExportTraffic, PacketFilter

#: The words of pfctl(8) for a missing table, those of FreeBSD 15 last; its exit code alone could also mean a
#: lost connection.
_NO_TABLE = ("Unknown error: -1", "Table does not exist")


class FilterReader(Reader):
    """Reads the rules and the state of the packet filter."""

    def redirections(self, anchor: str) -> tuple[ActiveRedirection, ...]:
        """Return the active redirect rules of an anchor; empty for an empty or missing anchor."""
        return parse_pf.redirections(self.run("pfctl", "-a", anchor, "-sn", "-P").out)

    def normal_form(self, anchor: str, rules: str) -> parse_pf.Listing:
        """Return what pfctl(8) would list of an anchor with these rules; nothing is loaded (-n)."""
        argv = ("pfctl", "-a", anchor, "-n", "-v", "-P", "-f", "-")
        result = self.run(*argv, stdin=rules)
        if result.code != 0:
            command = Command(argv, rules, changes_host=False)
            raise CommandError(command, result, "check paths.templates in the configuration")
        return parse_pf.loaded_rules(result.out)

    def table(self, anchor: str, name: str) -> frozenset[str]:
        """Return the addresses in a table of an anchor; empty for a missing table (pfctl(8) exits with
        -1)."""
        result = self.run("pfctl", "-a", anchor, "-t", name, "-T", "show", absent=_NO_TABLE)
        return parse_pf.table_entries(result.out) if result.code == 0 else frozenset()

    def listed(self, anchor: str, kinds: parse_pf.Listing) -> tuple[str, ...]:
        """Return the rules of an anchor, of the expected kinds only; empty if pf is not loaded."""
        words = (("nat",) if kinds.translation else ()) + (("rules",) if kinds.filters else ())
        shown = [self.run("pfctl", "-a", anchor, "-s", word, "-P") for word in words]
        return tuple(line for result in shown for line in lines_of(result.out))

    def export_traffic(self, anchor: str) -> tuple[ExportTraffic, ...]:
        """Return the counters of active redirect rules in an anchor; empty for an empty or missing anchor."""
        return parse_pf.export_traffic(self.run("pfctl", "-a", anchor, "-s", "nat", "-P", "-v").out)

    def states(self) -> str:
        """Return the state table, as text for `parse_pf.redirected_states`."""
        argv = ("pfctl", "-s", "states", "-vv")
        result = self.run(*argv)
        if result.code != 0 and parse_pf.NO_FILTER not in result.err:
            raise CommandError(Command(argv, changes_host=False), result)
        return result.out

    def limited(self, wanted: tuple[Pipes, ...]) -> frozenset[Pipes]:
        """Return those of these pipes that have the requested rates."""
        if not wanted:
            return frozenset()
        shown = parse_pf.pipes(self._optional("dnctl", "pipe", "show") or "")
        return frozenset(pipes for pipes in wanted if _as_wanted(pipes, shown))

    def below(self, parent: str) -> tuple[str, ...]:
        """Return the anchors below an anchor, by their full paths."""
        return tuple(self.run("pfctl", "-a", parent, "-s", "Anchors").out.split())

    def holds_rules(self, anchor: str) -> bool:
        """Return whether an anchor holds rules of any kind."""
        # pf lists an emptied anchor that had a table for up to a minute.
        return any(self.run("pfctl", "-a", anchor, "-s", word, "-P").out for word in ("rules", "nat"))

    def main_drift(self, wanted: MainText | None) -> RulesetDrift:
        """Compare the active main ruleset with a text."""
        if wanted is None:
            return RulesetDrift()
        from potnet.drivers.freebsd.pf import main_rules

        return main_rules.drift(lambda argv, stdin: self.run(*argv, stdin=stdin), wanted)

    def packet_filter(self, own_anchors: Collection[str] = ()) -> PacketFilter | None:
        """Return the filter's state and its main ruleset; None if pf's module is not loaded.

        own_anchors: as of `Query`.
        """
        status = self.run("pfctl", "-s", "info")
        if status.code != 0 and parse_pf.NO_FILTER in status.err:
            return None
        anchors = AnchorReader(self._executor, own_anchors)
        translation, filters = (
            anchors.filled(parse_pf.main_rules(self._out("pfctl", what, "-P"))) for what in ("-sn", "-sr")
        )
        return PacketFilter(
            enabled=status.out.startswith("Status: Enabled"),
            nat_anchors=called(translation, "nat-anchor"),
            rdr_anchors=called(translation, "rdr-anchor"),
            filter_anchors=called(filters, "anchor"),
            translation=translation,
            filters=filters,
            skipped=parse_pf.skipped(self._out("pfctl", "-v", "-s", "Interfaces")),
        )

    def attached(self) -> frozenset[str] | None:
        """Return the interfaces that pf has, with the name of the group; None if pf's module is not loaded.

        All interfaces are in the group. pf lists a name that only rules mention without a group (pfi_skip_if
        in pf_if.c), so an interface that pf has lost is missing.
        """
        result = self.run("pfctl", "-i", "all", "-s", "Interfaces")
        return frozenset(lines_of(result.out)) if result.code == 0 else None

    def loaded(self, anchor: str) -> bool:
        """Return whether an anchor holds translation rules."""
        return bool(self._out("pfctl", "-a", anchor, "-sn").strip())


def _as_wanted(pipes: Pipes, shown: Mapping[int, float]) -> bool:
    """Return whether both pipes have their rates; dnctl(8) shows at most seven digits."""
    pairs = zip(pipe_numbers(pipes), (pipes.rate_in, pipes.rate_out), strict=True)
    return all(abs(shown.get(number, -1) - (rate or 0)) <= (rate or 0) / 1000 for number, rate in pairs)
