"""The effect of pf's main ruleset on packets, as far as its listing shows (pf.conf(5)).

A rule is compared with a flow of packets as a whole: it matches all of them, none, or perhaps some.
Content that a listing does not show, such as that of a table, counts as "perhaps some".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from enum import IntEnum

from netaddr import AddrFormatError, IPNetwork

from potnet.host.ruleset import MainRule
from potnet.runtime.fast_dataclass import dataclass

_PORTS = re.compile(r"(?:(?P<sign>=|!=|<=?|>=?) )?(?P<low>\d+)(?:(?P<between>:| >< | <> )(?P<high>\d+))?")


class Match(IntEnum):
    NEVER = 0
    MAYBE = 1
    ALWAYS = 2


@dataclass(frozen=True, slots=True)
class Flow:
    """Packets that are alike. interfaces: the name of the interface they pass, and its groups.

    source, destination: their addresses; None: addresses of the host or of the outside. protocol, port: of
    their destination; empty and None: any. host: the destination is an address of the host.
    """

    direction: str
    interfaces: frozenset[str]
    family: int
    source: IPNetwork | None = None
    destination: IPNetwork | None = None
    protocol: str = ""
    port: int | None = None
    host: bool = False


def match(rule: MainRule, flow: Flow) -> Match:
    """Return how much of a flow a rule matches."""
    if rule.direction not in ("", flow.direction) or rule.family not in (None, flow.family):
        return Match.NEVER
    if rule.interface and (rule.interface in flow.interfaces) == rule.outside:
        return Match.NEVER
    found = [
        Match.MAYBE if rule.conditional or rule.source_port else Match.ALWAYS,
        _protocol(rule.protocol, flow.protocol),
        _address(rule.source, flow.source, flow.family),
        _address(rule.destination, flow.destination, flow.family, flow.host),
        _port(rule.port, flow.port),
    ]
    return min(found)


def _protocol(rule: str, flow: str) -> Match:
    if rule in ("", flow):
        return Match.ALWAYS
    return Match.NEVER if flow else Match.MAYBE


def _address(text: str, network: IPNetwork | None, family: int, host: bool = False) -> Match:
    if text.startswith("! "):
        return Match(Match.ALWAYS - _address(text[2:], network, family, host))
    if text == "any":
        return Match.ALWAYS
    if text.startswith("("):
        # These words mean addresses of the host's interfaces, or the networks there.
        unlike = network is not None and not host and ":network" not in text
        return Match.NEVER if unlike else Match.MAYBE
    try:
        named = IPNetwork(text)
    except (AddrFormatError, ValueError):
        return Match.MAYBE
    if named.version != family:
        return Match.NEVER
    if network is None:
        return Match.MAYBE if named.prefixlen else Match.ALWAYS
    if network in named:
        return Match.ALWAYS
    return Match.MAYBE if named in network else Match.NEVER


def _port(text: str, port: int | None) -> Match:
    if not text:
        return Match.ALWAYS
    found = _PORTS.fullmatch(text)
    if port is None or found is None:
        return Match.MAYBE
    low, high = int(found["low"]), int(found["high"] or found["low"])
    inside = {
        None: low <= port <= high, "=": port == low, "!=": port != low, "<": port < low, "<=": port <= low,
        ">": port > low, ">=": port >= low,
    }[found["sign"]]  # fmt: skip
    if (found["between"] or "").strip() == "><":
        inside = low < port < high
    elif (found["between"] or "").strip() == "<>":
        inside = port < low or port > high
    return Match.ALWAYS if inside else Match.NEVER


def calls(rules: Iterable[MainRule], word: str, anchor: str) -> list[MainRule]:
    """Return the calls of an anchor, with or without conditions."""
    found = []
    for rule in rules:
        found += [rule] if (rule.action, rule.anchor) == (word, anchor) else []
        found += calls(rule.inside or (), word, anchor)
    return found


def entered(
    rules: Iterable[MainRule], flow: Flow, least: Match = Match.ALWAYS
) -> Iterator[tuple[MainRule, Match]]:
    """Yield the rules that match some of a flow, in pf's order; of an anchor those inside.

    least: how much of the flow reaches these rules. In a quick anchor each rule that decides is quick.
    """
    for rule in rules:
        found = min(match(rule, flow), least)
        if found is Match.NEVER:
            continue
        if rule.inside:
            for inner, part in entered(rule.inside, flow, found):
                yield replace(inner, quick=True) if rule.quick else inner, part
        else:
            yield rule, found


def reach(rules: Iterable[MainRule], word: str, anchor: str, flow: Flow) -> Match:
    """Return how much of a flow reaches an anchor through its calls."""
    parts = (part for rule, part in entered(rules, flow) if (rule.action, rule.anchor) == (word, anchor))
    return max(parts, default=Match.NEVER)


def before(rules: Sequence[MainRule], word: str, anchor: str, flow: Flow) -> list[MainRule]:
    """Return the rules that match some of a flow before it reaches an anchor; empty if it never does."""
    found: list[MainRule] = []
    for rule, _ in entered(rules, flow):
        if (rule.action, rule.anchor) == (word, anchor):
            return found
        found.append(rule)
    return []


def blocked(rules: Iterable[MainRule], flow: Flow) -> MainRule | None:
    """Return the rule that blocks a flow as a whole; None if some of it may pass.

    potnet's own anchors are not examined. Anchors with unknown rules may pass some packets.
    """
    going, gone = _fates(rules, flow, Match.ALWAYS, [None])
    fates = [*going, *reversed(gone)]
    return fates[0] if all(rule is not None and rule.action == "block" for rule in fates) else None


#: The last rule that some packets of a flow have matched; None: no rule.
_Fate = MainRule | None


def _fates(
    rules: Iterable[MainRule], flow: Flow, least: Match, before: list[_Fate]
) -> tuple[list[_Fate], list[_Fate]]:
    """Return the possible fates of packets that are still evaluated, and of those decided by a quick rule."""
    going, gone = before, list[_Fate]()
    for rule in rules:
        if not going:
            break
        part = min(match(rule, flow), least)
        if part is Match.NEVER or rule.action not in ("pass", "block", "anchor"):
            continue
        hit: list[_Fate] = [rule]
        missed = part is not Match.ALWAYS
        if rule.inside is not None:
            inner, decided = _fates(rule.inside, flow, part, [None] if rule.quick else going)
            gone += decided
            if not rule.quick:
                going = inner
                continue
            hit, missed = [each for each in inner if each is not None], None in inner
        if rule.quick:
            gone += hit
            going = going if missed else []
        else:
            going = [*going, *hit] if missed else hit
    return going, gone
