"""The interfaces and groups that pf skips: marks in the kernel that outlive the rules.

As recorded, a mark on a group applies to its members, including later ones. A load removes the marks of
groups that it does not name, and those of their members; marks of interfaces stay.
"""

from __future__ import annotations

from potnet.executors.simulated.world.entities import HOST, group_key, name_key
from potnet.executors.simulated.world.state import State

ALL = "all"


def marked(state: State) -> frozenset[str]:
    return frozenset((state.get("pf", "status") or {}).get("skip", ()))


def put(state: State, names: frozenset[str]) -> None:
    status = state.get("pf", "status") or {}
    if frozenset(status.get("skip", ())) != names:
        state.put("pf", "status", {**status, "skip": sorted(names)})


def members(state: State, group: str) -> frozenset[str]:
    return frozenset(str(row["name"]) for _, row in state.scan("group", group_key(HOST, group)))


def name_skipped(state: State, names: list[str]) -> None:
    """Mark the names of `set skip` as pfctl reads them, even if it rejects the rest of the text."""
    if names:
        put(state, marked(state).union(names, *(members(state, name) for name in names)))


def loaded(state: State, before: frozenset[str], names: list[str]) -> None:
    """Remove old marks at the end of a load. before: the marks at its start."""
    left = {name for name in before - {*names} if members(state, name)}
    put(state, marked(state).difference(left, *(members(state, name) for name in left)))


def joined(state: State, groups: set[str]) -> None:
    """Mark all members of a marked group after an interface has joined."""
    found = groups & marked(state)
    if found:
        put(state, marked(state).union(*(members(state, group) for group in found)))


def listing(state: State, only: str, marks: bool, named: frozenset[str] = frozenset()) -> str:
    """pfctl -s Interfaces, limited to an interface or a group with its members. named: by rules.

    A lost interface is in no group for pf, not even in ``all``; without a rule that names it, it is unknown.
    """
    skipped = marked(state)
    grouped = [row for _, row in state.scan("group", f"{HOST}/")]
    there = [str(row["name"]) for _, row in state.scan("interface", f"{HOST}/")]
    lost = frozenset(state.keys("pf-lost"))
    gone = {name for name in there if name_key(name) in lost and there.count(name) == 1}
    names = {ALL, *skipped, *there, *(str(row[what]) for row in grouped for what in ("group", "name"))}
    names -= gone - named - {only}
    if only:
        group = frozenset(there) if only == ALL else members(state, only)
        names &= {only, *(group - gone)}
    return "".join(f"{name}{' (skip)' if marks and name in skipped else ''}\n" for name in sorted(names))


def found_again(state: State) -> None:
    """Forget which interfaces pf had lost, as at its start; of two with one name, it loses one again."""
    there = [name_key(str(row["name"])) for _, row in state.scan("interface", f"{HOST}/")]
    for key in state.keys("pf-lost"):
        if there.count(key) < 2:
            state.delete("pf-lost", key)
