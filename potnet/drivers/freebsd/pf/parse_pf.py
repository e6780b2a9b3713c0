"""Parse the text of pfctl(8) and dnctl(8) (see `potnet.drivers.freebsd.facts.parse`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from netaddr import IPAddress, IPNetwork

from potnet.drivers.reading import UnreadableError, address, lines_of, reads
from potnet.host.ruleset import MainRule, Redirection
from potnet.host.state import ActiveRedirection, ExportTraffic
from potnet.model.ports import Transport
from potnet.runtime.fast_dataclass import dataclass

_ADDRESS = r"(?:! )?(?:<[^>]+>|\([^)]*\)|\S+)(?: - \S+)?"
_PORT = r"(?:[<>]=? \d+|!= \S+|= \S+|\d+:\d+|\d+ (?:><|<>) \d+)"
#: A line of a main ruleset, up to further conditions after the addresses (print_rule in pfctl_parser.c).
_MAIN = re.compile(
    r"(?P<no>no )?(?P<action>pass|block|match|scrub|nat|rdr|binat|(?:nat-|rdr-|binat-)?anchor)"
    r'(?: "(?P<anchor>[^"]*)")?(?: (?:pass|drop|return(?:-rst|-icmp6?)?(?:\([^)]*\))?))?'
    r"(?: (?P<direction>in|out))?(?: log(?: \([^)]*\))?)?(?P<quick> quick)?"
    r"(?: on (?P<outside>! )?(?P<interface>\S+))?(?: (?:route-to|reply-to|dup-to) (?:\([^)]*\)|\S+))?"
    r"(?: (?P<family>inet6?))?(?: proto (?P<protocol>\S+))?"
    rf"(?: all| from (?P<source>{_ADDRESS})(?: port (?P<source_port>{_PORT}))?"
    rf" to (?P<destination>{_ADDRESS})(?: port (?P<port>{_PORT}))?)(?P<rest>(?: .*)?)"
)
#: The parts that may follow without narrowing a rule: states, labels, tags that it sets, targets. On FreeBSD
#: 15 rules that pass can have targets, too; they apply after those of nat and rdr rules.
_NO_CONDITION = re.compile(
    r" (?:flags S/SA|flags any|(?:keep|modulate|synproxy|no) state(?: \([^)]*\))?|label \"[^\"]*\"|rtable 0"
    r"|tag \S+|dnpipe ?\([^)]*\)|queue \S+|allow-opts|fragment reassemble|ridentifier \d+|set \([^)]*\)"
    r"|scrub\([^)]*\)|(?:nat|rdr|binat)-to .*|-> .*)"
)
#: The new address of a translation; of several, only the first is read, with its brace.
_TARGET = re.compile(r" -> (\S+)")
_RDR = re.compile(
    r"rdr (?:pass )?on (?P<interface>\S+) inet6? proto (?P<protocol>tcp|udp) from (?P<source>\S+)"
    r" to (?P<host>\S+) port (?:= )?(?P<port>\d+)(?::(?P<last>\d+))?(?: tag \S+)?"
    r" -> (?P<address>\S+) port (?P<pot_port>\d+)"
)
_COUNTERS = re.compile(
    r"\s*\[ Evaluations: \d+\s+Packets: (?P<packets>\d+)\s+Bytes: (?P<bytes>\d+)\s+States: \d+\s*\]"
    r"\s*\[ Inserted: uid \d+ pid \d+ State Creations: (?P<creations>\d+)\s*\]"
)
_STATE = re.compile(
    r"\S+ (?P<protocol>\w+) (?P<left>\S+)(?: \((?P<left_in>[^)]*)\))? (?P<way><-|->) (?P<right>\S+)\s"
)
_TRANSLATION = re.compile(r"(?:no )?(?:nat|rdr|binat)(?:-anchor)? ")
_RULE = re.compile(r"(?:no|nat|rdr|binat|scrub|pass|block|match|(?:nat-|rdr-|binat-)?anchor) ")
#: The form of print_tabledef in pfctl_parser.c; a table may hold names of interfaces and files, too.
_TABLE = re.compile(r"table <(\S+)>(?: const| persist| counters)* \{ ([^{}]+) \}")
_ENTRY = re.compile(r"!?[0-9a-fA-F.:]+(?:/[0-9]+)?")
_STATE_ID = re.compile(r"\s+id: (?P<id>[0-9a-f]+) creatorid: (?P<creator>[0-9a-f]+)")

#: The words of pfctl(8) if pf's module is not loaded.
NO_FILTER = "/dev/pf"


@reads("pfctl")
def main_rules(text: str) -> tuple[MainRule, ...]:
    """Parse the rules in ``pfctl -sn -P`` or ``pfctl -sr -P``, of the main ruleset or of an anchor.

    Rules in braces belong to an anchor without a name, and apply only if the anchor's call matches.
    """
    calls: list[MainRule] = []
    levels: list[list[MainRule]] = [[]]
    for line in lines_of(text):
        if line.strip() == "}" and calls:
            inside = tuple(levels.pop())
            levels[-1].append(replace(calls.pop(), inside=inside))
        elif line.endswith(" {"):
            calls.append(_main_rule(line.removesuffix(" {")))
            levels.append([])
        elif line.strip():
            levels[-1].append(_main_rule(line))
    if calls:
        raise UnreadableError("pfctl", text)
    return tuple(levels[0])


def _main_rule(line: str) -> MainRule:
    text = line.strip()
    found = _MAIN.fullmatch(text)
    if found is None:
        words = text.split()
        action = words[1] if words[0] == "no" and len(words) > 1 else words[0]
        return MainRule(text, action, conditional=True)
    families = {"inet": 4, "inet6": 6}
    target = _TARGET.search(found["rest"])
    return MainRule(
        text=text,
        action=found["action"],
        no=found["no"] is not None,
        anchor=found["anchor"] or "",
        direction=found["direction"] or "",
        quick=found["quick"] is not None,
        interface=found["interface"] or "",
        outside=found["outside"] is not None,
        family=families.get(found["family"] or ""),
        protocol=found["protocol"] or "",
        source=found["source"] or "any",
        source_port=found["source_port"] or "",
        destination=found["destination"] or "any",
        port=found["port"] or "",
        target=target[1] if target else "",
        conditional=bool(_NO_CONDITION.sub("", found["rest"]).strip()),
    )


@reads("pfctl")
def skipped(text: str) -> frozenset[str]:
    """Parse the skipped interfaces and groups in ``pfctl -v -s Interfaces``."""
    return frozenset(line.removesuffix(" (skip)") for line in lines_of(text) if line.endswith(" (skip)"))


@dataclass(frozen=True, slots=True)
class Listing:
    """Rules as pfctl(8) lists them, in its two parts. tables: tables with addresses only, by name."""

    translation: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    tables: tuple[tuple[str, frozenset[str]], ...] = ()


def is_rule(line: str) -> bool:
    """Return whether a line of ``pfctl -v -f`` is a rule, not a macro, option or table."""
    return _RULE.match(line) is not None


@reads("pfctl")
def loaded_rules(text: str) -> Listing:
    """Parse the rules and tables of ``pfctl -v -f``, which prints macros and options, too."""
    lines = [line for line in lines_of(text) if _RULE.match(line)]
    translation = tuple(line for line in lines if _TRANSLATION.match(line))
    defined = (_TABLE.fullmatch(line) for line in lines_of(text))
    tables = ((match[1], frozenset(match[2].split())) for match in defined if match)
    known = tuple((name, entries) for name, entries in tables if all(map(_ENTRY.fullmatch, entries)))
    return Listing(translation, tuple(line for line in lines if line not in translation), known)


@reads("pfctl")
def table_entries(text: str) -> frozenset[str]:
    """Parse the addresses of ``pfctl -t TABLE -T show`` (pfctl_table.c, print_addrx); some start with
    ``!``."""
    return frozenset(line.strip() for line in lines_of(text))


@reads("pfctl")
def redirections(text: str) -> tuple[ActiveRedirection, ...]:
    """Parse the redirect rules in ``pfctl -a ANCHOR -sn -P``."""
    return tuple(
        ActiveRedirection(
            interface=match["interface"],
            protocol=Transport(match["protocol"]),
            host=match["host"],
            port=int(match["port"]),
            address=address(match["address"], "pfctl"),
            pot_port=int(match["pot_port"]),
            count=int(match["last"] or match["port"]) - int(match["port"]) + 1,
            source=None if match["source"] == "any" else IPNetwork(match["source"]),
        )
        for match in map(_RDR.match, lines_of(text))
        if match
    )


@reads("pfctl")
def export_traffic(text: str) -> tuple[ExportTraffic, ...]:
    """Parse the redirect rules in ``pfctl -a ANCHOR -s nat -P -v``, each with two lines of counters below
    it."""
    found, lines = [], lines_of(text)
    for number, line in enumerate(lines):
        rule = _RDR.match(line)
        if rule is None:
            continue
        match = _COUNTERS.match(" ".join(lines[number + 1 : number + 3]))
        if match is None:
            raise UnreadableError("pfctl", line)
        connections, packets, octets = (int(match[name]) for name in ("creations", "packets", "bytes"))
        transport, dynamic = Transport(rule["protocol"]), rule["host"].startswith("(")
        host = None if dynamic else address(rule["host"], "pfctl")
        found.append(ExportTraffic(transport, int(rule["port"]), host, connections, packets, octets))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _State:
    protocol: str
    left: str
    left_in: str | None
    way: str
    right: str
    key: str


def _states(text: str) -> Iterator[_State]:
    """Parse the states of ``pfctl -s states -vv`` with ``id/creatorid`` as key."""
    current: re.Match[str] | None = None
    for line in lines_of(text):
        if not line.startswith(" "):
            current = _STATE.match(line)
            continue
        match = _STATE_ID.match(line)
        if match and current:
            yield _State(
                protocol=current["protocol"],
                left=current["left"],
                left_in=current["left_in"],
                way=current["way"],
                right=current["right"],
                key=f"{match['id']}/{match['creator']}",
            )


def _end(text: str | None) -> tuple[IPAddress, int] | None:
    """Parse ``10.0.0.1:80`` or ``fd00::1[80]`` as address and port; None for anything else."""
    match = re.fullmatch(r"([0-9a-f:]+)\[(\d+)\]|([0-9.]+):(\d+)", text or "")
    if not match:
        return None
    return address(match[1] or match[3], "pfctl"), int(match[2] or match[4])


def _came_by(state: _State, redirection: Redirection) -> bool:
    """Return whether a state belongs to a connection from the client to the host through a redirection."""
    pot, host = _end(state.left), _end(state.left_in)
    if pot is None or host is None:
        return False
    shift = redirection.host_port - redirection.pot_port
    return host[1] == pot[1] + shift and redirection.host in (None, host[0])


@reads("pfctl")
def redirected_states(text: str, removed: Iterable[Redirection]) -> tuple[str, ...]:
    """Return the keys of all states of connections that came through these redirections.

    A redirected connection has an inbound state, ``POT:PORT (HOST:HPORT) <- CLIENT``, and an outbound state
    to the pot, translated or not. Both show the client, which connects them.
    """
    ways = _redirected(text, tuple(removed))
    return tuple(dict.fromkeys(key for inward, onward in ways for key in (*inward, *onward)))


@reads("pfctl")
def inward_states(text: str, removed: Iterable[Redirection]) -> tuple[str, ...]:
    """Return the keys of the inbound states alone."""
    return tuple(dict.fromkeys(key for inward, _ in _redirected(text, tuple(removed)) for key in inward))


def _redirected(text: str, removed: tuple[Redirection, ...]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield for each redirection the keys of the inbound states, and of the outbound states to the pot."""
    known = {(r.protocol.value, r.address) for r in removed}
    # States are grouped by the pot's end, in the order of the listing.
    states: dict[tuple[str, IPAddress, int], list[_State]] = {}
    for state in _states(text):
        end = _end(state.left if state.way == "<-" else state.right)
        if end is not None and (state.protocol, end[0]) in known:
            states.setdefault((state.protocol, *end), []).append(state)
    for r in removed:
        ports = range(r.pot_port, r.pot_port + r.count)
        mine = [s for port in ports for s in states.get((r.protocol.value, r.address, port), ())]
        inward = [s for s in mine if s.way == "<-" and s.left_in and _came_by(s, r)]
        clients = {s.right for s in inward}
        onward = [s for s in mine if s.way == "->" and (s.left_in or s.left) in clients]
        yield [s.key for s in inward], [s.key for s in onward]


@reads("pfctl")
def untranslated_states(
    text: str, redirections: Iterable[Redirection]
) -> tuple[tuple[str, IPAddress, bool], ...]:
    """Return the states of connections to redirected ports that no rule has translated.

    Each comes with the called address, and whether the host itself may connect to that port by its loopback.
    """
    wanted: dict[tuple[str, int], list[Redirection]] = {}
    for r in redirections:
        for port in range(r.host_port, r.host_port + r.count):
            wanted.setdefault((r.protocol.value, port), []).append(r)
    found = []
    for state in _states(text):
        end = _end(state.left if state.way == "<-" else state.right) if state.left_in is None else None
        if end is not None:
            called = wanted.get((state.protocol, end[1]), ())
            fit = [r for r in called if r.address.version == end[0].version and r.host in (None, end[0])]
            found += [(state.key, end[0], any(r.loopback for r in fit))] if fit else []
    return tuple(found)


#: Bits per second in each unit of ``dnctl pipe show``.
_BITS = {"bit/s": 1.0, "Kbit/s": 1e3, "Mbit/s": 1e6, "Gbit/s": 1e9}


@reads("dnctl")
def pipes(text: str) -> dict[int, float]:
    """Parse the rates of pipes by their numbers, in bits per second; 0 means no limit."""
    found = re.findall(r"^(\d{5}): +(?:(unlimited)|([0-9.]+) ([KMG]?bit/s))", text, re.MULTILINE)
    return {int(number): 0.0 if free else float(rate) * _BITS[unit] for number, free, rate, unit in found}
