"""Compare the packet filter's rules with the expected ones, without reading the elements of maps.

nft 1.0.6 reads all elements of a table even to print one chain or to look up one element: 2 s with 60,000.
Two commands avoid this: listing the ruleset with -t, and checking a transaction (-c). Chains are therefore
listed with -t. An element exists if it could be deleted, and has the right value if it could be added.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from netaddr import IPAddress

from potnet.drivers.base import CommandError
from potnet.drivers.linux.facts import parse
from potnet.drivers.linux.facts.names import without_export
from potnet.drivers.linux.facts.observe import Observer
from potnet.drivers.linux.nft.exports import Element, guarded, redirected
from potnet.drivers.linux.nft.filter import POTS6, Filter, opened_bridge, route_localnet
from potnet.drivers.reading import lines_of
from potnet.executors.base import Command
from potnet.host.filter_actions import LoadAnchor
from potnet.host.ruleset import NoRules, PotFilter, Redirection, Redirections, Ruleset, SourceNat
from potnet.host.state import AnchorRules, FilterEntry
from potnet.model.ports import Transport
from potnet.model.pots import GROUP

#: Loads rules in a temporary network namespace, and lists them in the kernel's form.
_NORMAL = "nft -f - && nft -t list ruleset"
_ELEMENT = re.compile(rf"add element (inet|bridge) {GROUP} (\S+) {{ (.*?)(?: : (.*))? }}")
#: The prefix for names of chains in the table for members of bridges.
_MEMBERS = "bridge "
_REDIRECTION = re.compile(r"(?:(\S+) \. )?(tcp|udp) \. ([0-9]+)")


class Rules:
    """Reads the contents of anchors."""

    def __init__(self, observer: Observer, rules: Filter) -> None:
        self._observer = observer
        self._filter = rules

    def look(self, anchors: Sequence[tuple[str, Ruleset]]) -> dict[str, AnchorRules]:
        """Return expected and actual rules of each anchor. Raises CommandError if nft rejects a template."""
        texts = {anchor: self._filter.load(LoadAnchor(anchor, rules), ()) for anchor, rules in anchors}
        chains = {anchor for anchor, rules in anchors if _has_chain(rules)}
        sending = any(isinstance(rules, PotFilter) and rules.identities for _, rules in anchors)
        first = self._filter.members() if sending else ""
        expected = self._normal(first + "".join(texts[anchor] for anchor, _ in anchors if anchor in chains))
        found = self._observer.chains() if chains else {}
        found |= _of_members(self._observer.member_chains()) if sending else {}
        elements = {anchor: _elements(text) for anchor, text in texts.items()}
        present = self._present(elements.values())
        settings = {anchor: _settings(rules) for anchor, rules in anchors}
        on = self._observer.switched_on({path for paths in settings.values() for path in paths})
        looked = {}
        for anchor, rules in anchors:
            names = _blocks_of(anchor, rules, expected, chains)
            missing = [each for each in elements[anchor] if each not in present]
            present_here = [each for each in elements[anchor] if each in present]
            looked[anchor] = AnchorRules(
                _listed(expected, names, elements[anchor], settings[anchor]),
                _listed(found, names, present_here, [path for path in settings[anchor] if path in on]),
                _in_the_way(rules, missing),
            )
        return looked

    def stray(self, anchors: Sequence[tuple[str, Ruleset]]) -> tuple[FilterEntry, ...]:
        """Return the entries that belong to none of these anchors. All entries are read, which takes a while.

        Entries that name the IPv6 networks of pots stay when pots go, and are skipped.
        """
        texts = (self._filter.load(LoadAnchor(anchor, rules), ()) for anchor, rules in anchors)
        known = {(each.place, each.key) for text in texts for each in _elements(text)}
        found = (each for table in self._observer.tables() for each in parse.entries(table))
        return tuple(each for each in found if each.place != POTS6 and (each.place, each.key) not in known)

    def in_force(self, rules: Redirections) -> tuple[Redirection, ...]:
        """Return the redirections that the filter has."""
        wanted = {item: redirected(item) for item in rules.items}
        present = self._present(wanted.values())
        return tuple(item for item in wanted if present.issuperset(wanted[item]))

    def _normal(self, text: str) -> dict[str, tuple[str, ...]]:
        """Return the chains, maps and sets of rules in the kernel's form; the host is not changed."""
        if not text:
            return {}
        argv = ("unshare", "-n", "sh", "-c", _NORMAL)
        result = self._observer.run(*argv, stdin=text)
        if result.code != 0:
            command = Command(argv, text, changes_host=False)
            raise CommandError(command, result, "check paths.templates in the configuration")
        return parse.blocks(result.out) | _of_members(parse.blocks(result.out, "bridge"))

    def _present(self, groups: Iterable[Sequence[Element]]) -> set[Element]:
        """Return the existing elements; all are checked at once, and parts only if one is missing."""
        return set(self._those_there([each for group in groups for each in group]))

    def _those_there(self, elements: Sequence[Element]) -> Sequence[Element]:
        """Return the existing elements; halves are checked until they are complete or a single missing
        element."""
        if self._all_there(elements):
            return elements
        middle = len(elements) // 2
        if not middle:
            return ()
        return (*self._those_there(elements[:middle]), *self._those_there(elements[middle:]))

    def _all_there(self, elements: Sequence[Element]) -> bool:
        return not elements or (
            self._observer.would_take("".join(f"{each.removal}\n" for each in elements))
            and self._observer.would_take("".join(f"{each.addition}\n" for each in elements))
        )


def _elements(text: str) -> tuple[Element, ...]:
    matches = (_ELEMENT.fullmatch(line.strip()) for line in lines_of(text))
    return tuple(Element(match[2], match[3], match[4] or "", match[1]) for match in matches if match)


def _of_members(chains: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {f"{_MEMBERS}{name}": lines for name, lines in chains.items()}


def _has_chain(rules: Ruleset) -> bool:
    """Return whether an anchor with these rules has more than elements of maps."""
    return not isinstance(rules, Redirections) or any(map(guarded, rules.items))


def _blocks_of(anchor: str, rules: Ruleset, expected: Iterable[str], chains: set[str]) -> list[str]:
    """Return the blocks of an anchor: its chain and sets; the NAT anchor has all other blocks."""
    if not isinstance(rules, SourceNat) or rules.network.version == 6:
        own = [name for name in expected if anchor in _names(name)]
        return own if anchor in chains else []
    # The table for members is reported separately (`Query.unfiltered`).
    others = [name for name in expected if not name.startswith(_MEMBERS)]
    return [name for name in others if name == anchor or chains.isdisjoint(_names(name))]


def _names(block: str) -> tuple[str, str, str]:
    """Return the possible anchors of a block.

    The name of a set is that of its chain, and a number. The name of an export's chain is that of the pot's
    anchor, and a port.
    """
    name = block.removeprefix(_MEMBERS)
    return name, name.rpartition(".")[0], without_export(name)


def _settings(rules: Ruleset) -> tuple[str, ...]:
    """Return the settings, as files, that the rules require."""
    bridge = opened_bridge(rules)
    return (route_localnet(bridge),) if bridge else ()


def _listed(
    found: dict[str, tuple[str, ...]],
    names: Iterable[str],
    elements: Iterable[Element],
    settings: Iterable[str],
) -> tuple[str, ...]:
    lines = (line for name in names for line in found.get(name, ()))
    return (*lines, *(each.shown for each in elements), *(f"{path} is 1" for path in settings))


def _in_the_way(rules: Ruleset, missing: Sequence[Element]) -> Ruleset:
    """Return dummy redirections of the missing ports: entries with another value must be removed first."""
    if not isinstance(rules, Redirections):
        return NoRules()
    items = tuple(_to_nowhere(each) for each in missing if each.place.startswith("redirections"))
    return Redirections(rules.bridge, rules.network, rules.outlets, items) if items else NoRules()


def _to_nowhere(element: Element) -> Redirection:
    match = _REDIRECTION.fullmatch(element.key)
    assert match is not None, element
    host = IPAddress(match[1]) if match[1] else None
    return Redirection(
        Transport(match[2]), int(match[3]), IPAddress(0, 6 if "6" in element.place else 4), 0, host=host
    )
