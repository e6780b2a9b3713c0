"""Loading and keeping pf rulesets."""

from __future__ import annotations

from ipaddress import ip_address

from potnet.executors.simulated.pfparse import Parser
from potnet.executors.simulated.pfrules import Rule, Ruleset, ruleset_from
from potnet.executors.simulated.pftokens import PfUnknownError
from potnet.executors.simulated.world import ToolError, World, unknown

_REFUSED = "pfctl: Syntax error in config file: pf rules not loaded"


def parse(world: World, anchor: str, text: str, test: bool = False, name: str = "stdin") -> Ruleset:
    """The rules of a text, or a ToolError with pfctl's words. test: as with -n, without the closing line."""

    def lookup(interface: str) -> list[str] | None:
        return [
            str(ip_address(address.address))
            for found in world.named(interface)
            for address in found.addresses
            if not address.link_local
        ]

    parser = Parser(text, lookup, main=not anchor)
    try:
        result = parser.parse()
    except PfUnknownError as error:
        raise unknown(str(error)) from None
    if parser.errors:
        lines = [e.replace("stdin:", f"{name}:", 1) if e.startswith("stdin:") else e for e in parser.errors]
        raise ToolError("\n".join([*lines, *([] if test else [_REFUSED])]))
    return result


def load(world: World, anchor: str, text: str, name: str = "stdin") -> None:
    """Replace a ruleset in one piece; an empty anchor is none."""
    result = parse(world, anchor, text, name=name)
    _forget_counters(world, anchor)
    if anchor and not result.rules and not result.tables:
        world.state.delete("anchor", anchor)
        return
    world.state.put("anchor", anchor, result.row())
    if not anchor:
        status = world.state.get("pf", "status") or {}
        world.state.put("pf", "status", {**status, "skip": result.skip})


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
        world.state.delete("anchor", anchor)


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


def children(world: World, parent: str) -> list[str]:
    """The anchors right below a path ("" for the top), made by a load or named by the main ruleset."""
    prefix = f"{parent}/" if parent else ""
    found = {key[len(prefix) :].split("/")[0] for key in world.state.keys("anchor", prefix) if key}
    if not parent:
        main = ruleset(world, "")
        named = [rule.anchor for rule in main.rules if rule.anchor] if main else []
        found |= {name.split("/")[0] for name in named if name != "*"}
    return [prefix + name for name in sorted(found)]
