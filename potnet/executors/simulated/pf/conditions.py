"""The conditions of pf rules: interfaces, families, protocols, addresses, ports (pf.conf(5), PARAMETERS)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import product

from potnet.executors.simulated.pf.options import Options
from potnet.executors.simulated.pf.rules import Host, Ports, Rule
from potnet.executors.simulated.pf.tokens import PfError, PfUnknownError, numeric, port_number, prefix

_PROTOCOLS = ("tcp", "udp", "icmp", "icmp6", "ipv6-icmp", "sctp")
_PORT_SIGNS = ("<", ">", "!", "=")


@dataclass(slots=True)
class Draft:
    """A rule before expansion; it has a list wherever pf accepts one."""

    rule: Rule
    interfaces: list[tuple[str, bool]] = field(default_factory=lambda: [("", False)])
    protocols: list[str] = field(default_factory=lambda: [""])
    sources: list[Host] = field(default_factory=lambda: [Host()])
    source_ports: list[Ports | None] = field(default_factory=lambda: [None])
    destinations: list[Host] = field(default_factory=lambda: [Host()])
    destination_ports: list[Ports | None] = field(default_factory=lambda: [None])


#: Returns the addresses of an interface or group of that name, or None if it does not exist; with
#: ``:network`` its networks.
Lookup = Callable[[str], list[str] | None]


class Conditions(Options):
    """Reads conditions into a `Draft`, and expands its lists."""

    def __init__(self, lookup: Lookup, main: bool) -> None:
        super().__init__(main)
        self._lookup = lookup

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

    def _expand(self, draft: Draft, stage: int) -> None:
        """Add the rules of a complete statement; a syntax error is reported first."""
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
            family = family_of(draft.rule, source, destination)
            if family is None:
                continue
            rule = replace(
                draft.rule,
                interface=name,
                outside=outside,
                family=family,
                protocol=protocol,
                source=source,
                source_port=sport,
                destination=destination,
                destination_port=dport,
            )
            rules.append(_finished(rule))
        if not rules:
            raise PfError("rule expands to no valid combination")
        self.result.rules += rules

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
        elif self._peek() in ("no-route", "urpf-failed"):
            found = [Host("none", self._next())]
        else:
            found = self._address(self._name())
        return [replace(host, negated=True) for host in found] if negated else found

    def _dynamic(self) -> str:
        text = self._name()
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}(:(0|network|broadcast|peer))*", text):
            raise PfError
        return text

    def _address(self, text: str) -> list[Host]:
        if text.endswith((":0", ":broadcast")) and not numeric(text):
            raise PfUnknownError(f"the pf address {text}")
        if numeric(text):
            return [prefix(text)]
        found = self._lookup(text)
        if not found:
            raise PfError("could not parse host specification", f"no IP address found for {text}")
        return [prefix(address) for address in found]

    def _ports(self) -> list[Ports | None]:
        if not self._accept("port"):
            return [None]
        return [*self._listed(self._port_item)]

    def _port_item(self) -> Ports:
        sign = ""
        while self._peek() in _PORT_SIGNS:
            sign += self._next()
        if sign not in ("", "=") and not self._main:
            raise PfUnknownError("port operators other than = and :")
        low, colon, high = self._name().partition(":")
        found = Ports(port_number(low), port_number(high) if colon else port_number(low), sign.strip("="))
        if sign in ("<=", ">=", "!="):
            found = replace(found, sign=sign)
        if not sign and self._peek() in ("<", ">"):
            sign = self._next() + self._next()
            if sign not in ("><", "<>"):
                raise PfError
            found = Ports(found.low, port_number(self._name()), sign)
        if found.high is not None and found.high < found.low:
            raise PfUnknownError("a port range that runs backwards")
        return found


def _finished(rule: Rule) -> Rule:
    if rule.action == "pass" and rule.keeps and not rule.flags and rule.protocol in ("", "tcp"):
        return replace(rule, flags="S/SA")
    return rule


def family_of(rule: Rule, *hosts: Host) -> str | None:
    """Return inet, inet6 or an empty string; None if the families of a rule contradict each other.

    hosts: its source and destination, if the rule does not have them yet.
    """
    ends = hosts or (rule.source, rule.destination)
    named = {host.family for host in (*ends, rule.target) if host and host.family}
    if rule.family:
        named.add(4 if rule.family == "inet" else 6)
    if len(named) > 1:
        return None
    return {4: "inet", 6: "inet6"}[named.pop()] if named else ""
