"""The effect of pf's main ruleset on packets, as far as its listing shows (pf.conf(5)).

A rule is compared with a flow of packets as a whole: it matches all of them, none, or perhaps some.
Content that a listing does not show, such as that of a table, counts as "perhaps some".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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
    their destination; empty and None: any.
    """

    direction: str
    interfaces: frozenset[str]
    family: int
    source: IPNetwork | None = None
    destination: IPNetwork | None = None
    protocol: str = ""
    port: int | None = None


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
        _address(rule.destination, flow.destination, flow.family),
        _port(rule.port, flow.port),
    ]
    return min(found)


def _protocol(rule: str, flow: str) -> Match:
    if rule in ("", flow):
        return Match.ALWAYS
    return Match.NEVER if flow else Match.MAYBE


def _address(text: str, network: IPNetwork | None, family: int) -> Match:
    if text.startswith("! "):
        return Match(Match.ALWAYS - _address(text[2:], network, family))
    if text == "any":
        return Match.ALWAYS
    if text.startswith("("):
        # These words mean addresses of the host's interfaces, or the networks there.
        return Match.NEVER if network is not None and ":network" not in text else Match.MAYBE
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
    return [rule for rule in rules if (rule.action, rule.anchor) == (word, anchor)]


def reach(rules: Iterable[MainRule], word: str, anchor: str, flow: Flow) -> Match:
    """Return how much of a flow reaches an anchor through its calls."""
    return max((match(call, flow) for call in calls(rules, word, anchor)), default=Match.NEVER)


def before(rules: Sequence[MainRule], word: str, anchor: str) -> Sequence[MainRule]:
    """Return the rules of the same ruleset that pf evaluates before the first call of an anchor."""
    for number, rule in enumerate(rules):
        if (rule.action, rule.anchor) == (word, anchor):
            return rules[:number]
    return rules


def blocked(rules: Sequence[MainRule], flow: Flow) -> MainRule | None:
    """Return the rule that blocks a flow as a whole; None if some of it may pass.

    The content of anchors that programs fill is not examined. An anchor that the administrator wrote may
    pass some packets.
    """
    deciding: MainRule | None = None
    passes = True
    for rule in rules:
        if rule.action not in ("pass", "block", "anchor") or rule.anchor.endswith("*"):
            continue
        found = match(rule, flow)
        if found is Match.NEVER:
            continue
        if rule.action == "block":
            if found is Match.ALWAYS:
                deciding, passes = rule, False
                if rule.quick:
                    break
            continue
        if rule.quick or rule.action == "anchor":
            return None
        passes = True
    return None if passes else deciding
