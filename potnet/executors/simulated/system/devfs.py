"""devfs(8): rulesets for device file systems, loaded from devfs.rules(5) as by /etc/rc.d/devfs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from potnet.executors.base import CommandResult
from potnet.executors.simulated.files.filetools import FileTool, Stdin
from potnet.executors.simulated.world.world import ToolError, World, unknown

Sets = dict[str, dict[str, str]]

_SHOWN = ("null", "zero", "crypto", "random", "urandom")
_TERMINALS = ("pts", "pts/*", "fd", "fd/*", "stdin", "stdout", "stderr")


def _numbered(*rules: str) -> dict[str, str]:
    return {str(100 * number): rule for number, rule in enumerate(rules, 1)}


#: The parts of /etc/defaults/devfs.rules that a jail's ruleset includes.
DEFAULTS: Sets = {
    "1": _numbered("hide"),
    "2": _numbered(*(f"path {name} unhide" for name in _SHOWN)),
    "3": _numbered(*(f"path {name} unhide" for name in _TERMINALS)),
    "4": _numbered("include 1", "include 2", "include 3", "path fuse unhide", "path zfs unhide"),
}
_RULE = re.compile(r"(?:path \S+ )?(?:hide|unhide|include \d+)(?: mode \d+)?")


def restart(world: World) -> CommandResult:
    """Run `service devfs restart`, which restores the system's rulesets."""
    _keep(world, {**_sets(world), **DEFAULTS})
    return CommandResult()


def apply(world: World, point: str, number: str) -> None:
    """Let the rules of a ruleset decide which nodes a mounted device file system shows."""
    row = world.state.get("mount", point)
    assert row is not None
    depth = int(world.sysctl("vfs.devfs.rule_depth") or 0)
    rules = [*row.get("rules", ()), *_flat(_sets(world), number, depth)]
    world.state.put("mount", point, {**row, "ruleset": number, "rules": rules})


def _flat(sets: Sets, number: str, depth: int) -> Iterator[str]:
    """Yield the rules of a ruleset in their order. depth: of the included rulesets, deeper ones are skipped.

    As recorded, and as devfs_rule.c does: a ruleset with only ``include 4`` misses what 4 itself includes.
    """
    for _, rule in sorted(sets.get(number, {}).items(), key=lambda item: int(item[0])):
        word, _, included = rule.partition(" ")
        if word != "include":
            yield rule
        elif depth > 0:
            yield from _flat(sets, included, depth - 1)


def _of_mount(world: World, point: str, words: list[str]) -> CommandResult:
    """devfs -m POINT ruleset N, for nodes that come later, and rule applyset, for those that are there."""
    row = world.state.get("mount", point)
    if row is None or row.get("source", "devfs") != "devfs":
        raise unknown(f"the devfs at {point}")
    world.state.changing()
    match words:
        case ["ruleset", number] if number.isdigit():
            world.state.put("mount", point, {**row, "ruleset": number})
        case ["rule", "applyset"]:
            apply(world, point, row.get("ruleset", "0"))
        case rest:
            raise unknown(f"devfs -m {point} {' '.join(rest)}")
    return CommandResult()


def devfs(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """devfs rule [-s N] show | showsets | add [NUMBER] RULE | del NUMBER | delset, or -m POINT …."""
    words = argv[1:]
    if words[:1] == ["-m"] and len(words) > 2:
        return _of_mount(world, words[1], words[2:])
    if words[:1] != ["rule"]:
        raise unknown(f"devfs {' '.join(words)}")
    number, words = (words[2], words[3:]) if words[1:2] == ["-s"] and len(words) > 3 else ("0", words[1:])
    if not number.isdigit() or int(number) > 65535:
        raise ToolError(f"devfs rule: error converting to number: {number}")
    if words not in (["show"], ["showsets"]):
        world.state.changing()
    sets = _sets(world)
    rules = sets.get(number, {})
    match words:
        case ["show"]:
            ordered = sorted(rules.items(), key=lambda item: int(item[0]))
            return CommandResult(0, "".join(f"{each} {rule}\n" for each, rule in ordered))
        case ["showsets"]:
            return CommandResult(0, "".join(f"{each}\n" for each in sorted(sets, key=int)))
        case ["add", *rule]:
            rules = rules | _added(rules, rule)
        case ["del", gone]:
            if gone not in rules:
                raise ToolError("devfs rule: ioctl DEVFSIO_RDEL: No such file or directory")
            rules = {each: rule for each, rule in rules.items() if each != gone}
        case ["delset"]:
            rules = {}
        case rest:
            raise unknown(f"devfs rule {' '.join(rest)}")
    _keep(world, {**sets, number: rules})
    return CommandResult()


def _added(rules: dict[str, str], words: list[str]) -> dict[str, str]:
    given = words[0] if words and words[0].isdigit() else None
    rule = " ".join(words[given is not None :]).replace("mode 0", "mode ")
    if given in rules:
        raise ToolError("devfs rule: ioctl DEVFSIO_RADD: File exists")
    if not _RULE.fullmatch(rule):
        raise ToolError(f"devfs rule: unknown argument: {words[-1] if words else ''}")
    return {given or str(max(map(int, rules), default=0) // 100 * 100 + 100): rule}


def _sets(world: World) -> Sets:
    kept: Sets | None = world.state.get("devfs", "sets")
    return DEFAULTS if kept is None else kept


def _keep(world: World, sets: Sets) -> None:
    world.state.put("devfs", "sets", {number: rules for number, rules in sets.items() if rules})


TOOLS: dict[str, FileTool] = {"devfs": devfs}
