"""Read the rules in anchors that pf's main ruleset calls beside potnet's own (pf.conf(5), ANCHORS).

`pfctl -a '*'` would list all of them, but it stops after the first nested call.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from potnet.drivers.freebsd.facts.reader import Reader
from potnet.drivers.freebsd.pf import parse_pf
from potnet.drivers.reading import lines_of
from potnet.executors.base import Executor
from potnet.host.ruleset import MainRule

#: The most listings that are read; each costs a command.
_MOST = 200
#: The options that list the rules of a call, and the rules that the call evaluates; empty: all.
_LISTINGS: dict[str, tuple[str, tuple[str, ...]]] = {
    "nat-anchor": ("-sn", ("nat", "nat-anchor")),
    "rdr-anchor": ("-sn", ("rdr", "rdr-anchor")),
    "anchor": ("-sr", ()),
}


class AnchorReader(Reader):
    """Reads anchors. own: the anchors that are not read, as their calls name them; empty: none are read."""

    def __init__(self, executor: Executor, own: Collection[str]) -> None:
        super().__init__(executor)
        self._own = own
        self._listings: dict[tuple[str, ...], str] = {}

    def filled(self, rules: Iterable[MainRule]) -> tuple[MainRule, ...]:
        """Return the rules of the main ruleset, with the contents of the anchors that they call."""
        return self._of("", rules, ())

    def _of(self, path: str | None, rules: Iterable[MainRule], above: Sequence[str]) -> tuple[MainRule, ...]:
        """Return the rules of an anchor. path: None for braces without a name, whose path pf hides."""
        placed = (replace(rule, within=path or "") for rule in rules)
        return tuple(self._call(path, each, above) if each.action in _LISTINGS else each for each in placed)

    def _call(self, path: str | None, rule: MainRule, above: Sequence[str]) -> MainRule:
        if rule.inside is not None:
            return replace(rule, inside=self._of(None, rule.inside, above))
        name = _whole(path, rule.anchor)
        if name is None:
            return replace(rule, anchor="")
        parent, star, _ = name.rpartition("*")
        if name in self._own or name in above:
            inside: tuple[MainRule, ...] | None = ()
        elif star:
            inside = self._below(parent.removesuffix("/"), rule.action, (*above, name))
        else:
            inside = self._rules(name, rule.action, (*above, name))
        return replace(rule, anchor=name, inside=inside)

    def _below(self, parent: str, action: str, above: Sequence[str]) -> tuple[MainRule, ...] | None:
        """Return the rules of all direct children of an anchor, in pf's order."""
        place = ("-a", parent) if parent else ()
        listed = self._listed(*place, "-s", "Anchors")
        if listed is None:
            return None
        children = [line.strip() for line in lines_of(listed) if line.strip()]
        found = [self._rules(child, action, above) for child in children if child not in self._own]
        if any(each is None for each in found):
            return None
        return tuple(rule for rules in found if rules is not None for rule in rules)

    def _rules(self, path: str, action: str, above: Sequence[str]) -> tuple[MainRule, ...] | None:
        what, kinds = _LISTINGS[action]
        listed = self._listed("-a", path, what, "-P")
        if listed is None:
            return None
        rules = [rule for rule in parse_pf.main_rules(listed) if not kinds or rule.action in kinds]
        return self._of(path, rules, above)

    def _listed(self, *options: str) -> str | None:
        """Return a listing, which is empty for a missing anchor; None if it is not read."""
        if options not in self._listings:
            if not self._own or len(self._listings) >= _MOST:
                return None
            self._listings[options] = self.run("pfctl", *options).out
        return self._listings[options]


def called(rules: Iterable[MainRule], action: str) -> frozenset[str]:
    """Return the anchors that calls of a kind name, conditionally or not, also inside other anchors."""
    found: set[str] = set()
    for rule in rules:
        found |= called(rule.inside or (), action)
        if rule.action == action and rule.anchor:
            found.add(rule.anchor)
    return frozenset(found)


def _whole(path: str | None, name: str) -> str | None:
    """Return the full path of an anchor that a rule in another one calls; None if it cannot be known."""
    if name.startswith("/"):
        return name[1:]
    if path is None:
        return None
    while name.startswith("../"):
        name, path = name[3:], path.rpartition("/")[0]
    return f"{path}/{name}" if path else name
