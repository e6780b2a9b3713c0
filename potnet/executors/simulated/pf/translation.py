"""The translation rules of pf.conf(5): nat, rdr and binat, with their targets and pools."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

from potnet.executors.simulated.pf.conditions import Conditions, Draft, family_of
from potnet.executors.simulated.pf.rules import Host, Ports, Rule
from potnet.executors.simulated.pf.tokens import PfError, PfUnknownError, port_number

#: The ways in which a pool's next address is chosen.
_POOLS = ("round-robin", "random", "bitmask")


class Translation(Conditions):
    """Reads translation rules, after their first word."""

    def _translation(self, rule: Rule) -> None:
        natpass = self._accept("pass")
        if natpass and rule.no:
            raise PfError
        rule = self._log(replace(rule, natpass=True) if natpass else rule)
        draft = self._conditions(Draft(rule))
        if rule.action == "binat" and (draft.source_ports, draft.destination_ports) != ([None], [None]):
            raise PfError
        if self._accept("tag"):
            draft.rule = replace(draft.rule, tag=self._name())
        if not rule.no:
            self._expect("->")
            hosts = self._targets(draft)
            port = self._target_port(draft) if self._accept("port") else None
            pool = self._pool(draft.rule, hosts)
            draft.rule = replace(draft.rule, target=_one(hosts), target_port=port, pool=pool)
        self._expand(_single(draft) if rule.action == "binat" else draft, stage=4)

    def _targets(self, draft: Draft) -> list[Host]:
        hosts = self._hosts()
        if any(host.negated or host.kind in ("any", "table", "none") for host in hosts):
            raise PfUnknownError("this target of pf's translation")
        if draft.rule.action == "binat":
            return _both_ways(draft, hosts)
        if len(hosts) > 1 and any(host.kind == "dynamic" for host in hosts):
            raise PfUnknownError("dynamic addresses in a pool of pf")
        return hosts

    def _pool(self, rule: Rule, hosts: list[Host]) -> str:
        """Return the pool options in the order of a listing; several addresses take turns by default."""
        given = set[str]()
        while self._peek() in (*_POOLS, "sticky-address", "static-port"):
            given.add(self._next())
        if rule.action != "nat" and "static-port" in given:
            raise PfError("the 'static-port' option is only valid with nat rules")
        several = len(hosts) > 1 or (hosts[0].kind == "dynamic" and ":0" not in hosts[0].text)
        if several and rule.action == "nat" and not given & {*_POOLS}:
            given.add("round-robin")
        return " ".join(each for each in (*_POOLS, "sticky-address", "static-port") if each in given)

    def _log(self, rule: Rule) -> Rule:
        if not self._accept("log"):
            return rule
        words = []
        if self._accept("("):
            while not self._accept(")"):
                words.append(self._next())
        return replace(rule, log=True, log_to=" ".join(words).replace(" ,", ","))

    def _target_port(self, draft: Draft) -> Ports:
        text = self._name()
        low, colon, high = text.partition(":")
        if colon and high == "*":
            start, span = port_number(low), draft.destination_ports[0]
            width = 0 if span is None or span.high is None else span.high - span.low
            return Ports(start, min(start + width, 65535))
        return Ports(port_number(low), port_number(high) if colon else port_number(low))


def _one(hosts: list[Host]) -> Host:
    """Return the target of a rule: the address, or the pool of several."""
    return hosts[0] if len(hosts) == 1 else Host("pool", ", ".join(map(str, hosts)))


def _single(draft: Draft) -> Draft:
    """Return the first interface and protocol of a binat rule; pfctl ignores others."""
    return replace(draft, interfaces=draft.interfaces[:1], protocols=draft.protocols[:1])


def _both_ways(draft: Draft, targets: list[Host]) -> list[Host]:
    """Return the only address that a binat rule can translate to (binatrule in parse.y of pfctl)."""
    source, destination = draft.sources[0], draft.destinations[0]
    family = family_of(draft.rule, source, destination)
    if family == "":
        family = family_of(draft.rule, targets[0])
    if family == "":
        raise PfError("address family (inet/inet6) undefined")
    for ends in (draft.sources, draft.destinations):
        if len(ends) > 1:
            raise PfError("multiple binat ip addresses")
    if family is None or source.kind == "any":
        raise PfError("binat ip versions must match")
    left = [host for host in targets if family_of(draft.rule, source, host) is not None]
    if len(left) != 1:
        raise PfError("binat rule must redirect to a single address")
    if _width(source) != _width(left[0]):
        raise PfError("'binat' source mask and redirect mask must be the same")
    return left


def _width(host: Host) -> int:
    """Return the number of bits of an address that its mask leaves open; none for an interface's address."""
    network = ip_network(host.text) if host.kind == "prefix" else None
    return 0 if network is None else network.max_prefixlen - network.prefixlen
