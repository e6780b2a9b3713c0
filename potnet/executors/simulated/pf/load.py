"""Load and keep pf rulesets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address

from potnet.executors.simulated.pf.parse import Parser
from potnet.executors.simulated.pf.rules import Rule, Ruleset, ruleset_from
from potnet.executors.simulated.pf.tokens import PfUnknownError
from potnet.executors.simulated.world import pf_skip
from potnet.executors.simulated.world.world import ToolError, World, unknown

_REFUSED = "pfctl: Syntax error in config file: pf rules not loaded"


@dataclass(frozen=True)
class Source:
    """A text of rules. name: used in errors. macros: from the command line; the text cannot change them."""

    text: str
    name: str = "stdin"
    macros: Mapping[str, str] = field(default_factory=dict)


def parse(world: World, anchor: str, source: Source) -> Ruleset:
    """Return the rules of a text for loading. Raises ToolError with pfctl's words."""
    result, errors = _parsed(world, anchor, source)
    if errors:
        if not anchor:
            pf_skip.name_skipped(world.state, result.skip)
        raise ToolError("\n".join([*errors, _REFUSED]))
    return result


def check(world: World, anchor: str, source: Source) -> Ruleset:
    """Return the rules of a text that is only checked, as with -n. Raises ToolError with pfctl's words."""
    result, errors = _parsed(world, anchor, source)
    if errors:
        raise ToolError("\n".join(errors))
    return result


def _parsed(world: World, anchor: str, source: Source) -> tuple[Ruleset, list[str]]:
    """Return the rules of a text, and its errors."""
    parser = Parser(
        source.text, lambda named: _addresses(world, named), not anchor, lambda path: read(world, path)
    )
    parser.given, parser.targets = source.macros, world.release.targets
    parser.macros |= parser.given
    try:
        result = parser.parse()
    except PfUnknownError as error:
        raise unknown(str(error)) from None
    begin = "stdin:"
    return result, [
        each.replace(begin, f"{source.name}:", 1) if each.startswith(begin) else each
        for each in parser.errors
    ]


def _addresses(world: World, named: str) -> list[str]:
    """Return the addresses of an interface, a group or ``self`` (all); with ``:network`` the networks."""
    name, _, modifier = named.partition(":")
    found = world.interfaces() if name == "self" else world.named(name)
    return [
        str(each.network) if modifier == "network" else str(ip_address(each.address))
        for interface in found
        for each in interface.addresses
        if not each.link_local
    ]


def read(world: World, path: str) -> str | None:
    """Return the text of a file that rules name; None if the file is unreadable."""
    try:
        return world.tree.read(path).decode("utf-8", "surrogateescape")
    except OSError:
        return None


#: The time in which a dropped table stays, and its anchor with it: 12 to 60 seconds were seen.
PURGE_SECONDS = 30.0


def load(world: World, anchor: str, source: Source) -> None:
    """Replace a ruleset, and those that it loads, in one step; persistent tables stay."""
    before = pf_skip.marked(world.state)
    result = parse(world, anchor, source)
    others = [(path, parse(world, "", Source(_needed(world, file), file))) for path, file in result.loads]
    for path, found in ((anchor, result), *others):
        _put(world, path, found)
    if not anchor:
        pf_skip.name_skipped(world.state, result.skip)
        pf_skip.loaded(world.state, before, result.skip)
        status = world.state.get("pf", "status") or {}
        world.state.put("pf", "status", {**status, "settings": result.settings})


def _needed(world: World, file: str) -> str:
    text = read(world, file)
    if text is None:
        raise ToolError(f"pfctl: {file}: No such file or directory\npfctl: load anchors")
    return text


def _put(world: World, anchor: str, found: Ruleset) -> None:
    _forget_counters(world, anchor)
    for name, inner in found.inline.items():
        _put(world, f"{anchor}/{name}" if anchor else name, inner)
    before = ruleset(world, anchor) or Ruleset()
    for name, entries in before.tables.items():
        if name in found.persist and name not in found.filled:
            found.tables[name] = entries
        if name in before.persist:
            found.tables.setdefault(name, entries)
            found.persist.append(name)
    for part in range(1, anchor.count("/") + 1):
        # Another transaction clears what an earlier refusal left of a path.
        world.state.delete("anchor-empty", "/".join(anchor.split("/")[:part]))
    keep(world, anchor, found)


def keep(world: World, anchor: str, found: Ruleset) -> None:
    """Replace an anchor's contents; an anchor without contents disappears, after its dropped tables."""
    # Thousands of rules are not read only to replace them.
    before = (world.state.get("anchor", anchor) or {"tables": {}})["tables"]
    dropped = {name: entries for name, entries in before.items() if name not in found.tables}
    if dropped:
        linger(world, anchor, dropped)
    if anchor and not found.rules and not found.tables:
        world.state.delete("anchor", anchor)
    else:
        world.state.put("anchor", anchor, found.row())


def linger(world: World, anchor: str, tables: dict[str, list[str]]) -> None:
    """Let tables that no rule names any more stay until the purge, and their anchor with them."""
    old = lingering(world, anchor) or {}
    row = {"at": world.now() + PURGE_SECONDS, "tables": {**old, **tables}}
    world.state.put("anchor-purged", anchor, row)


def lingering(world: World, anchor: str) -> dict[str, list[str]] | None:
    """Return an anchor's dropped tables; None if pf has purged the anchor, or if it dropped none."""
    row = world.state.get("anchor-purged", anchor)
    if row is None or float(row["at"]) <= world.now():
        return None
    tables: dict[str, list[str]] = row["tables"]
    return tables


def ruleset(world: World, anchor: str) -> Ruleset | None:
    row = world.state.get("anchor", anchor)
    return None if row is None else ruleset_from(row)


def _tables_named(rules: Iterable[Rule]) -> set[str]:
    """Return the tables that rules name as source or destination."""
    hosts = (host for rule in rules for host in (rule.source, rule.destination))
    return {host.text for host in hosts if host.kind == "table"}


def flush(world: World, anchor: str, what: str) -> None:
    """Remove the translation rules or the filter rules of one anchor.

    The tables of an anchor that no rule names any more go with them, if they are not persistent.
    """
    found = ruleset(world, anchor)
    if found is None:
        return
    _forget_counters(world, anchor)
    kept = {"nat": found.filters(), "rules": found.translation()}[what]
    found.rules = kept
    if anchor:
        # Rules of other anchors may name the tables of the main ruleset.
        stay = _tables_named(kept).union(found.persist)
        found.tables = {name: entries for name, entries in found.tables.items() if name in stay}
    keep(world, anchor, found)


def clear(world: World, anchor: str) -> int | None:
    """Remove the rules and tables of an anchor, as `-F all` does.

    Returns the number of tables; None if no rule named one, so that the anchor went with its rules.
    """
    found = ruleset(world, anchor) or Ruleset()
    _forget_counters(world, anchor)
    kept = bool(found.tables or _tables_named(found.rules)) or lingering(world, anchor) is not None
    if kept:
        linger(world, anchor, {})
    world.state.delete("anchor", anchor)
    return len(found.tables) if kept else None


def exists(world: World, anchor: str) -> bool:
    """Return whether pf has a ruleset of that path: loaded, with anchors below, or named by rules."""
    inner = f"{anchor}/"
    loaded = world.state.get("anchor", anchor) is not None or lingering(world, anchor) is not None
    if not anchor or loaded or world.state.first("anchor", inner) is not None:
        return True
    below = (lingering(world, key) is not None for key in world.state.keys("anchor-purged", inner))
    return any(below) or any(each == anchor or each.startswith(inner) for each in _named(world))


def _named(world: World) -> list[str]:
    """Return the paths that rules of the main ruleset name; pf makes their anchors."""
    main = ruleset(world, "")
    names = [rule.anchor.lstrip("/") for rule in main.rules if rule.anchor] if main else []
    return [name.removesuffix("/*") for name in names if name != "*"]


def _counter(anchor: str, rule: Rule) -> str:
    return f"{anchor}\n{rule.listed()}"


def count(world: World, anchor: str, rule: Rule, packets: int, octets: int) -> None:
    """Add a connection to the counters of a translation rule."""
    was = counters(world, anchor, rule)
    now = {"packets": was[0] + packets, "bytes": was[1] + octets, "states": was[2] + 1}
    world.state.put("counters", _counter(anchor, rule), now)


def counters(world: World, anchor: str, rule: Rule) -> tuple[int, int, int]:
    """Return packets and bytes in both directions, and states created, since the rule was loaded."""
    row = world.state.get("counters", _counter(anchor, rule)) or {"packets": 0, "bytes": 0, "states": 0}
    return row["packets"], row["bytes"], row["states"]


def _forget_counters(world: World, anchor: str) -> None:
    for key in world.state.keys("counters", f"{anchor}\n"):
        world.state.delete("counters", key)


def unload(world: World) -> None:
    """Forget everything, as with pf's module or `pfctl -F all`; anchors stay with the latter."""
    world.state.put("anchor", "", Ruleset().row())
    pf_skip.put(world.state, frozenset())


def children(world: World, parent: str) -> list[str]:
    """Return the anchors directly below a path ("" for the top), loaded or named by the main ruleset."""
    prefix = f"{parent}/" if parent else ""
    keys = [key for key in world.state.keys("anchor", prefix) if key]
    purged = world.state.keys("anchor-purged", prefix)
    keys += [key for key in purged if key and lingering(world, key) is not None]
    keys += [name for name in _named(world) if name.startswith(prefix)]
    found = {key[len(prefix) :].split("/")[0] for key in keys}
    return [prefix + name for name in sorted(found, key=lambda name: name.encode())]
