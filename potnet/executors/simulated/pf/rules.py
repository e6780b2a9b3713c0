"""pf rules as data, and how pfctl(8) lists them (pf.conf(5))."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

#: The names that pfctl prints for these ports in filter and NAT conditions, except with -P.
SERVICES = {
    21: "ftp",
    22: "ssh",
    25: "smtp",
    53: "domain",
    80: "http",
    123: "ntp",
    443: "https",
    993: "imaps",
    5353: "mdns",
}
TRANSLATION = ("nat", "rdr", "binat")
ANCHORS = ("nat-anchor", "rdr-anchor", "binat-anchor", "anchor")


@dataclass(frozen=True, slots=True)
class Host:
    """An address. kind: any, prefix, dynamic ``(em0)``, table, pool or none; text: without its marks.

    pool: the addresses of a target, with commas between. none: words like no-route, which match no address of
    a packet here.
    """

    kind: str = "any"
    text: str = "any"
    negated: bool = False

    def __str__(self) -> str:
        marks = {"dynamic": "({})", "table": "<{}>", "pool": "{{ {} }}"}
        shown = marks.get(self.kind, "{}").format(self.text)
        return ("! " if self.negated else "") + shown

    @property
    def family(self) -> int | None:
        """Return 4 or 6 for a prefix or a pool; None if both families match."""
        if self.kind not in ("prefix", "pool"):
            return None
        return 6 if ":" in self.text else 4


@dataclass(frozen=True, slots=True)
class Ports:
    """A range from low to high, inclusive; high None on a target means ``low:*``.

    sign: an operator of pf.conf(5) between the word port and one number, or between two.
    """

    low: int
    high: int | None
    sign: str = ""

    def shown(self, numeric: bool) -> str:
        if self.sign in ("><", "<>"):
            return f"{self.low} {self.sign} {self.high}"
        if self.sign:
            return f"{self.sign} {self.low}"
        if self.low == self.high:
            return f"= {self.low if numeric else SERVICES.get(self.low, self.low)}"
        return f"{self.low}:{self.high}"

    def __contains__(self, port: object) -> bool:
        if not isinstance(port, int) or self.high is None:
            return False
        compared = {
            "<": port < self.low, "<=": port <= self.low, ">": port > self.low, ">=": port >= self.low,
            "!=": port != self.low, "><": self.low < port < self.high,
            "<>": port < self.low or port > self.high,
        }  # fmt: skip
        return compared.get(self.sign, self.low <= port <= self.high)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule after expansion: at most one interface, family, protocol, address and port of each kind.

    log_to: in brackets after log. owner: a condition about a socket's user or group. chance: the probability
    of a match. table: of routes. scrub: changes to packets. pool: how targets are chosen.
    """

    action: str
    no: bool = False
    natpass: bool = False
    drop: str = ""
    direction: str = ""
    log: bool = False
    quick: bool = False
    interface: str = ""
    outside: bool = False
    family: str = ""
    protocol: str = ""
    source: Host = field(default_factory=Host)
    source_port: Ports | None = None
    destination: Host = field(default_factory=Host)
    destination_port: Ports | None = None
    icmp: str = ""
    flags: str = ""
    state: str = ""
    limits: tuple[str, ...] = ()
    label: str = ""
    tag: str = ""
    tagged: str = ""
    untagged: bool = False
    pipes: tuple[int, ...] = ()
    target: Host | None = None
    target_port: Ports | None = None
    anchor: str = ""
    log_to: str = ""
    owner: str = ""
    chance: str = ""
    table: str = ""
    scrub: str = ""
    pool: str = ""

    def listed(self, numeric: bool = False) -> str:
        """Return the line of ``pfctl -s nat`` or ``-s rules``."""
        parts = [*self._head(), *self._conditions(numeric), *self._tail()]
        return " ".join(parts)

    def _head(self) -> list[str]:
        if self.action in ANCHORS:
            # An anchor in braces without a name has a name of pf's own, which is hidden.
            words = [self.action] if self.anchor.startswith("_") else [self.action, f'"{self.anchor}"']
        else:
            words = (["no"] if self.no else []) + [self.action]
        words += ["pass"] if self.natpass else []
        words += [self.drop] if self.drop else []
        words += [self.direction] if self.direction else []
        words += ["log"] if self.log else []
        words += [f"({self.log_to})"] if self.log_to else []
        words += ["quick"] if self.quick else []
        words += ["on", ("! " if self.outside else "") + self.interface] if self.interface else []
        words += [self.family] if self.family else []
        words += ["proto", self.protocol] if self.protocol else []
        return words

    def _conditions(self, numeric: bool) -> list[str]:
        ends = (self.source, self.destination)
        ports = (self.source_port, self.destination_port)
        if ports == (None, None) and all(end.kind == "any" and not end.negated for end in ends):
            return ["all"]
        words = []
        for name, end, port in zip(("from", "to"), ends, ports, strict=True):
            words += [name, str(end)] + ([f"port {port.shown(numeric)}"] if port else [])
        return words

    def _tail(self) -> list[str]:
        if self.action in TRANSLATION:
            words = ["tag", self.tag] if self.tag else []
            if self.target is not None:
                words += ["->", str(self.target)]
            if self.target_port is not None:
                low, high = self.target_port.low, self.target_port.high
                words += ["port", str(low) if low == high else f"{low}:{'*' if high is None else high}"]
            return words + ([self.pool] if self.pool else [])
        words = [self.owner] if self.owner else []
        words += [self.icmp] if self.icmp else []
        words += ["flags", self.flags] if self.flags else []
        words += [f"{self.state} state"] if self.state else []
        words += [f"({', '.join(self.limits)})"] if self.limits else []
        words += [f"probability {self.chance}"] if self.chance else []
        words += [self.scrub] if self.scrub else []
        words += [f'label "{self.label}"'] if self.label else []
        words += ["tag", self.tag] if self.tag else []
        words += [f"dnpipe({', '.join(map(str, self.pipes))})"] if self.pipes else []
        words += ["!"] if self.untagged else []
        words += ["tagged", self.tagged] if self.tagged else []
        words += [f"rtable {self.table}"] if self.table else []
        return words

    @property
    def keeps(self) -> bool:
        """Return whether the rule creates a state."""
        return self.state not in ("", "no")

    def most(self, option: str) -> int | None:
        """Return the limit that a state option sets."""
        return next((int(each.split()[1]) for each in self.limits if each.split()[0] == option), None)

    def row(self) -> dict[str, Any]:
        """Return the fields that differ from the defaults; asdict() copies all of them and takes ten times
        as long."""
        found = {name: getattr(self, name) for name in _FIELDS}
        return {
            name: [getattr(value, each) for each in _PARTS[type(value)]] if type(value) in _PARTS else value
            for name, value in found.items()
            if value != _DEFAULTS[name]
        }


_FIELDS = tuple(each.name for each in fields(Rule))
_DEFAULTS = {name: getattr(Rule(""), name) for name in _FIELDS}
_PARTS = {kind: tuple(each.name for each in fields(kind)) for kind in (Host, Ports)}
_HOSTS = frozenset({"source", "destination", "target"})
_PORTS = frozenset({"source_port", "destination_port", "target_port"})


def rule_from(row: dict[str, Any]) -> Rule:
    return Rule(**{name: _value(name, value) for name, value in row.items()})


def _value(name: str, value: Any) -> Any:
    if name in _HOSTS:
        return Host(*value)
    if name in _PORTS:
        return Ports(*value)
    return tuple(value) if isinstance(value, list) else value


@dataclass(slots=True)
class Ruleset:
    """The contents that one load puts into one anchor (or the main ruleset).

    skip: the names of `set skip`. persist: tables that stay if no rule names them. filled: tables whose
    addresses the text gives. definitions: macros, options and tables, as -v prints them. settings: timeouts
    and limits. inline: contents in braces of anchors. loads: anchors and files.
    """

    rules: list[Rule] = field(default_factory=list)
    tables: dict[str, list[str]] = field(default_factory=dict)
    skip: list[str] = field(default_factory=list)
    persist: list[str] = field(default_factory=list)
    filled: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)
    settings: dict[str, int] = field(default_factory=dict)
    inline: dict[str, Ruleset] = field(default_factory=dict)
    loads: list[tuple[str, str]] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        rows = [rule.row() for rule in self.rules]
        return {"rules": rows, "tables": self.tables, "skip": self.skip, "persist": sorted({*self.persist})}

    def translation(self) -> list[Rule]:
        """Return rules in the order of ``pfctl -s nat``: nat, rdr, binat, each in its own order."""
        kinds = (("nat", "nat-anchor"), ("rdr", "rdr-anchor"), ("binat", "binat-anchor"))
        return [rule for kind in kinds for rule in self.rules if rule.action in kind]

    def scrubs(self) -> list[Rule]:
        return [rule for rule in self.rules if rule.action == "scrub"]

    def filters(self) -> list[Rule]:
        return [rule for rule in self.rules if rule.action in ("block", "pass", "match", "anchor")]


def ruleset_from(row: dict[str, Any]) -> Ruleset:
    rules = [rule_from(r) for r in row["rules"]]
    return Ruleset(rules, row["tables"], row["skip"], row.get("persist", []))
