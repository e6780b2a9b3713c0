"""Loading and keeping pf rulesets."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address

from potnet.executors.simulated.pf.parse import Parser
from potnet.executors.simulated.pf.rules import Rule, Ruleset, ruleset_from
from potnet.executors.simulated.pf.tokens import PfUnknownError
from potnet.executors.simulated.world import pf_skip
from potnet.executors.simulated.world.world import ToolError, World, unknown

_REFUSED = "pfctl: Syntax error in config file: pf rules not loaded"


def parse(
    world: World,
    anchor: str,
    text: str,
    test: bool = False,
    name: str = "stdin",
    macros: Mapping[str, str] | None = None,
) -> Ruleset:
    """The rules of a text, or a ToolError with pfctl's words. test: as with -n, without the closing line.

    macros: of the command line, which a text cannot change.
    """
    parser = Parser(text, lambda named: _addresses(world, named), not anchor, lambda path: read(world, path))
    parser.given = macros or {}
    parser.macros |= parser.given
    try:
        result = parser.parse()
    except PfUnknownError as error:
        raise unknown(str(error)) from None
    if parser.errors:
        if not (test or anchor):
            pf_skip.name_skipped(world.state, result.skip)
        lines = [e.replace("stdin:", f"{name}:", 1) if e.startswith("stdin:") else e for e in parser.errors]
        raise ToolError("\n".join([*lines, *([] if test else [_REFUSED])]))
    return result


def _addresses(world: World, named: str) -> list[str]:
    """Of an interface, the members of a group or, for ``self``, all; with ``:network`` the networks."""
    name, _, modifier = named.partition(":")
    found = world.interfaces() if name == "self" else world.named(name)
    return [
        str(each.network) if modifier == "network" else str(ip_address(each.address))
        for interface in found
        for each in interface.addresses
        if not each.link_local
    ]


def read(world: World, path: str) -> str | None:
    """A file that rules name."""
    try:
        return world.tree.read(path).decode("utf-8", "surrogateescape")
    except OSError:
        return None


#: From when an anchor with a table is emptied until it is no longer listed: 12 to 60 were seen.
_PURGE_SECONDS = 30.0


def load(
    world: World, anchor: str, text: str, name: str = "stdin", macros: Mapping[str, str] | None = None
) -> None:
    """Replace a ruleset in one piece, and those that it loads; an empty anchor is none."""
    before = pf_skip.marked(world.state)
    result = parse(world, anchor, text, name=name, macros=macros)
    others = [(path, parse(world, "", _needed(world, file), name=file)) for path, file in result.loads]
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
    if anchor and not found.rules and not found.tables:
        _forget(world, anchor)
    else:
        world.state.put("anchor", anchor, found.row())


def ruleset(world: World, anchor: str) -> Ruleset | None:
    row = world.state.get("anchor", anchor)
    return None if row is None else ruleset_from(row)


def flush(world: World, anchor: str, what: str) -> None:
    """Drop the translation or the filter rules, or all, of one anchor."""
    found = ruleset(world, anchor)
    if found is None:
        return
    _forget_counters(world, anchor)
    kept = {"nat": found.filters(), "rules": found.translation(), "all": []}[what]
    if kept or not anchor:
        world.state.put(
            "anchor", anchor, Ruleset(kept, {} if what == "all" else found.tables, found.skip).row()
        )
    else:
        _forget(world, anchor)


def _forget(world: World, anchor: str) -> None:
    """One that had a table is still listed until pf purges it."""
    before = ruleset(world, anchor)
    world.state.delete("anchor", anchor)
    if before is not None and before.tables:
        world.state.put("anchor-purged", anchor, {"at": world.now() + _PURGE_SECONDS})


def lingers(world: World, anchor: str) -> bool:
    """Whether an emptied anchor is still listed."""
    row = world.state.get("anchor-purged", anchor)
    return row is not None and float(row["at"]) > world.now()


def _counter(anchor: str, rule: Rule) -> str:
    return f"{anchor}\n{rule.listed()}"


def count(world: World, anchor: str, rule: Rule, packets: int, octets: int) -> None:
    """Add a connection to the counters of a translation rule."""
    was = counters(world, anchor, rule)
    now = {"packets": was[0] + packets, "bytes": was[1] + octets, "states": was[2] + 1}
    world.state.put("counters", _counter(anchor, rule), now)


def counters(world: World, anchor: str, rule: Rule) -> tuple[int, int, int]:
    """Packets and bytes in both directions, and states made, since the rule was loaded."""
    row = world.state.get("counters", _counter(anchor, rule)) or {"packets": 0, "bytes": 0, "states": 0}
    return row["packets"], row["bytes"], row["states"]


def _forget_counters(world: World, anchor: str) -> None:
    for key in world.state.keys("counters", f"{anchor}\n"):
        world.state.delete("counters", key)


def unload(world: World) -> None:
    """All that pf holds goes with its module, and with `pfctl -F all` (no anchors go with that)."""
    world.state.put("anchor", "", Ruleset().row())
    pf_skip.put(world.state, frozenset())


def children(world: World, parent: str) -> list[str]:
    """The anchors right below a path ("" for the top), made by a load or named by the main ruleset."""
    prefix = f"{parent}/" if parent else ""
    keys = [key for key in world.state.keys("anchor", prefix) if key]
    keys += [key for key in world.state.keys("anchor-purged", prefix) if lingers(world, key)]
    found = {key[len(prefix) :].split("/")[0] for key in keys}
    if not parent:
        main = ruleset(world, "")
        named = [rule.anchor for rule in main.rules if rule.anchor] if main else []
        found |= {name.split("/")[0] for name in named if name != "*"}
    return [prefix + name for name in sorted(found)]
