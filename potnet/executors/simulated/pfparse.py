"""A parser of the part of pf.conf(5) that network set-ups of jails are made of.

One statement a line; lists in braces expand as pfctl's do: interfaces outermost, then protocols, then
addresses. What pf itself refuses is refused in pfctl's words; what is pf's but not known here, in ours.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product

from potnet.executors.simulated.pfrules import ANCHORS, Host, Ports, Rule, Ruleset
from potnet.executors.simulated.pftokens import PfError, PfUnknownError, Tokens, numeric, port_number, prefix

_PROTOCOLS = ("tcp", "udp", "icmp", "icmp6", "ipv6-icmp", "sctp")
_ORDER = "Rules must be in order: options, ethernet, normalization, queueing, translation, filtering"


@dataclass(slots=True)
class Draft:
    """A rule before expansion: where a list may stand there is one."""

    rule: Rule
    interfaces: list[tuple[str, bool]] = field(default_factory=lambda: [("", False)])
    protocols: list[str] = field(default_factory=lambda: [""])
    sources: list[Host] = field(default_factory=lambda: [Host()])
    source_ports: list[Ports | None] = field(default_factory=lambda: [None])
    destinations: list[Host] = field(default_factory=lambda: [Host()])
    destination_ports: list[Ports | None] = field(default_factory=lambda: [None])


#: The addresses of an interface or group of that name now, or None if there is none.
Lookup = Callable[[str], list[str] | None]


class Parser(Tokens):
    """The statements of one text. lookup: for a bare interface name used as an address."""

    def __init__(self, text: str, lookup: Lookup, main: bool) -> None:
        super().__init__()
        self._lookup = lookup
        self._main = main
        self._text = text
        self.result = Ruleset()
        self.errors: list[str] = []
        self._stage = 0

    def parse(self) -> Ruleset:
        """Read on past a bad line, as pfctl does; the errors are in `errors`."""
        begun = ""
        pieces = self._text.split("\n")
        for number, piece in enumerate(pieces, 1):
            line, begun = begun + piece, ""
            if line.endswith("\\") and number < len(pieces):
                begun = line[:-1] + " "
                continue
            try:
                if self.begin(line):
                    self._statement()
            except PfError as error:
                self.errors += [error.before] if error.before else []
                self.errors.append(f"stdin:{number}: {error.text}")
        return self.result

    def _order(self, stage: int) -> None:
        if stage < self._stage:
            raise PfError(_ORDER)
        self._stage = stage

    # Statements

    def _statement(self) -> None:
        word = self._next()
        if word == "no":
            word = self._next()
            if word not in ("nat", "rdr"):
                raise PfError
            self._translation(Rule(word, no=True))
        elif word in ("nat", "rdr"):
            self._translation(Rule(word))
        elif word in ANCHORS:
            self._anchor(word)
        elif word in ("block", "pass", "match"):
            self._filter(word)
        elif word == "table":
            self._table()
        elif word == "set":
            self._set()
        elif re.fullmatch(r"[A-Za-z_]\w*", word) and self._peek() == "=":
            raise PfUnknownError("macros in pf rules")
        elif word in ("scrub", "binat", "altq", "queue", "ether", "antispoof", "include", "load"):
            raise PfUnknownError(f"the pf statement {word}")
        else:
            raise PfError
        if self._tokens:
            raise PfError

    def _set(self) -> None:
        option = self._next()
        if option != "skip":
            raise PfUnknownError(f"the pf option {option}")
        self._order(0)
        self._expect("on")
        names = self._listed(self._name)
        if not self._main:
            raise PfUnknownError("options inside an anchor")
        self.result.skip += names

    def _table(self) -> None:
        self._expect("<")
        name = self._name()
        self._expect(">")
        flags = []
        while self._peek() in ("const", "persist"):
            flags.append(self._next())
        entries = []
        if self._accept("{"):
            while not self._accept("}"):
                negated = self._accept("!")
                entries.append(("!" if negated else "") + prefix(self._name()).text)
                self._accept(",")
        self.result.tables[name] = entries
        listed = f" {{ {' '.join(entries)} }}" if entries else ""
        self.result.definitions.append(" ".join([f"table <{name}>", *sorted(flags)]) + listed)

    def _anchor(self, word: str) -> None:
        rule = Rule(word, anchor=self._name())
        if word == "anchor" and self._peek() in ("in", "out"):
            rule = replace(rule, direction=self._next())
        if word == "anchor":
            rule = replace(rule, quick=self._accept("quick"))
        draft = self._conditions(Draft(rule))
        if word == "anchor" and self._accept("label"):
            draft.rule = replace(draft.rule, label=self._name())
        self._expand(draft, stage=5 if word == "anchor" else 4)

    def _translation(self, rule: Rule) -> None:
        natpass = self._accept("pass")
        if natpass and rule.no:
            raise PfError
        rule = replace(rule, natpass=natpass, log=self._accept("log"))
        draft = self._conditions(Draft(rule))
        if self._accept("tag"):
            draft.rule = replace(draft.rule, tag=self._name())
        if not rule.no:
            self._expect("->")
            hosts = self._host()
            if len(hosts) != 1 or hosts[0].negated or hosts[0].kind in ("any", "table"):
                raise PfUnknownError("address pools in pf rules")
            port = self._target_port(draft) if self._accept("port") else None
            draft.rule = replace(draft.rule, target=hosts[0], target_port=port)
        self._expand(draft, stage=4)

    def _target_port(self, draft: Draft) -> Ports:
        text = self._name()
        low, colon, high = text.partition(":")
        if colon and high == "*":
            start, span = port_number(low), draft.destination_ports[0]
            width = 0 if span is None or span.high is None else span.high - span.low
            return Ports(start, min(start + width, 65535))
        return Ports(port_number(low), port_number(high) if colon else port_number(low))

    def _filter(self, word: str) -> None:
        drop = ""
        if word == "block":
            drop = self._next() if self._peek() in ("return", "drop") else "drop"
        direction = self._next() if self._peek() in ("in", "out") else ""
        rule = Rule(
            word, drop=drop, direction=direction, log=self._accept("log"), quick=self._accept("quick")
        )
        draft = self._conditions(Draft(rule, protocols=[""]))
        rule = self._options(draft.rule, draft)
        if word == "pass" and rule.state != "no":
            rule = replace(rule, state="keep")
        draft.rule = rule
        self._expand(draft, stage=5)

    def _options(self, rule: Rule, draft: Draft) -> Rule:
        while self._tokens:
            word = self._next()
            if word in ("keep", "no") and self._accept("state"):
                rule = replace(rule, state=word)
                if word == "keep" and self._accept("("):
                    rule = replace(rule, limits=self._limits())
            elif word in ("icmp-type", "icmp6-type"):
                rule = replace(rule, icmp=f"{word} {self._name()}")
            elif word == "flags":
                rule = replace(rule, flags=self._name())
            elif word == "label":
                rule = replace(rule, label=self._name())
            elif word == "tag":
                rule = replace(rule, tag=self._name())
            elif word == "tagged" or (word == "!" and self._accept("tagged")):
                rule = replace(rule, tagged=self._name(), untagged=word == "!")
            elif word == "dnpipe":
                rule = replace(rule, pipes=self._pipes())
            elif word in (
                "modulate",
                "synproxy",
                "route-to",
                "reply-to",
                "queue",
                "user",
                "group",
                "tos",
            ):
                raise PfUnknownError(f"the pf rule option {word}")
            else:
                raise PfError
        return rule

    def _limits(self) -> tuple[str, ...]:
        shown: list[str] = []
        bound: list[str] = []
        track = "source-track rule"
        while not self._accept(")"):
            name = self._next()
            if name == "source-track":
                self._expect("rule")
                continue
            if name == "if-bound":
                bound = [name]
                self._accept(",")
                continue
            if name not in ("max", "max-src-conn", "max-src-nodes", "max-src-states"):
                raise PfUnknownError(f"the pf state option {name}")
            number = self._name()
            if not number.isdigit() or number == "0":
                raise PfError
            shown.append(f"{name} {number}")
            self._accept(",")
        tracked = any(item.startswith("max-src") for item in shown)
        first = [item for item in shown if item.startswith("max ")]
        return (*first, *([track] if tracked else []), *(item for item in shown if item not in first), *bound)

    def _pipes(self) -> tuple[int, ...]:
        bracket = self._accept("(")
        numbers = [self._number()]
        if bracket:
            if self._accept(","):
                numbers.append(self._number())
            self._expect(")")
        return tuple(numbers)

    def _number(self) -> int:
        word = self._name()
        if not word.isdigit():
            raise PfError
        return int(word)

    # Conditions

    def _conditions(self, draft: Draft) -> Draft:
        if self._accept("on"):
            draft.interfaces = self._listed(self._interface)
        if self._peek() in ("inet", "inet6"):
            draft.rule = replace(draft.rule, family=self._next())
        if self._accept("proto"):
            draft.protocols = self._listed(self._protocol)
        if self._accept("all"):
            return draft
        if self._accept("from"):
            draft.sources = [Host()] if self._peek() == "port" else self._hosts()
            draft.source_ports = self._ports()
        if self._accept("to"):
            draft.destinations = [Host()] if self._peek() == "port" else self._hosts()
            draft.destination_ports = self._ports()
        ported = draft.source_ports != [None] or draft.destination_ports != [None]
        if ported and not set(draft.protocols) <= {"tcp", "udp", "sctp"}:
            raise PfError("port only applies to tcp/udp/sctp")
        return draft

    def _interface(self) -> tuple[str, bool]:
        negated = self._accept("!")
        return self._name(), negated

    def _protocol(self) -> str:
        word = self._name()
        if word not in _PROTOCOLS:
            raise PfError(f"unknown protocol {word}")
        return {"icmp6": "ipv6-icmp"}.get(word, word)

    def _hosts(self) -> list[Host]:
        return [host for hosts in self._listed(self._host) for host in hosts]

    def _host(self) -> list[Host]:
        negated = self._accept("!")
        if self._accept("<"):
            found = [Host("table", self._name())]
            self._expect(">")
        elif self._accept("("):
            found = [Host("dynamic", self._dynamic())]
            self._expect(")")
        elif self._peek() == "any":
            self._next()
            found = [Host()]
        else:
            found = self._address(self._name())
        return [replace(host, negated=negated) for host in found]

    def _dynamic(self) -> str:
        text = self._name()
        if not re.fullmatch(r"[A-Za-z][\w.-]{0,15}(:(0|network|broadcast|peer))*", text):
            raise PfError
        return text

    def _address(self, text: str) -> list[Host]:
        if text == "self" or (text.endswith((":network", ":0", ":broadcast")) and not numeric(text)):
            raise PfUnknownError(f"the pf address {text}")
        if numeric(text):
            return [prefix(text)]
        found = self._lookup(text)
        if not found:
            raise PfError("could not parse host specification", f"no IP address found for {text}")
        return [Host("prefix", address) for address in found]

    def _ports(self) -> list[Ports | None]:
        if not self._accept("port"):
            return [None]
        return [*self._listed(self._port_item)]

    def _port_item(self) -> Ports:
        if self._peek() in ("<", ">", "!"):
            raise PfUnknownError("port operators other than = and :")
        self._accept("=")
        low, colon, high = self._name().partition(":")
        found = Ports(port_number(low), port_number(high) if colon else port_number(low))
        if found.high is not None and found.high < found.low:
            raise PfUnknownError("a port range that runs backwards")
        return found

    # Expansion

    def _expand(self, draft: Draft, stage: int) -> None:
        """Add the rules of a statement, which has been read to its end: a syntax error comes first."""
        if self._peek():
            raise PfError
        self._order(stage)
        rules = []
        for (name, outside), protocol, source, sport, destination, dport in product(
            draft.interfaces,
            draft.protocols,
            draft.sources,
            draft.source_ports,
            draft.destinations,
            draft.destination_ports,
        ):
            rule = replace(
                draft.rule,
                interface=name,
                outside=outside,
                protocol=protocol,
                source=source,
                source_port=sport,
                destination=destination,
                destination_port=dport,
            )
            family = _family(rule)
            if family is None:
                continue
            rules.append(_finished(replace(rule, family=family)))
        if not rules:
            raise PfError("rule expands to no valid combination")
        self.result.rules += rules


def _finished(rule: Rule) -> Rule:
    if rule.action == "pass" and rule.state == "keep" and not rule.flags and rule.protocol in ("", "tcp"):
        return replace(rule, flags="S/SA")
    return rule


def _family(rule: Rule) -> str | None:
    """inet, inet6 or none said; None when the families of a rule contradict each other."""
    named = {host.family for host in (rule.source, rule.destination, rule.target) if host and host.family}
    if rule.family:
        named.add(4 if rule.family == "inet" else 6)
    if len(named) > 1:
        return None
    return {4: "inet", 6: "inet6"}[named.pop()] if named else ""
