"""Snapshots of zfs(8), and the clones that depend on them; `zfs` has the commands."""

from __future__ import annotations

from potnet.executors.simulated.world.world import ToolError, World


def make(world: World, name: str) -> None:
    """Make a snapshot DATASET@NAME."""
    world.state.changing()
    source, _, _ = name.partition("@")
    if world.state.get("dataset", source) is None:
        raise ToolError(f"cannot open '{source}': dataset does not exist\nusage:\n\tsnapshot [-r] ...")
    if world.state.get("snapshot", name) is not None:
        raise ToolError(f"cannot create snapshot '{name}': dataset already exists")
    world.state.put("snapshot", name, {"order": world.state.next_number("snapshot"), "deferred": False})


def of(world: World, dataset: str) -> list[str]:
    """Return the snapshots of a dataset, the oldest first."""
    found = [(int(row["order"]), key) for key, row in world.state.scan("snapshot", f"{dataset}@")]
    return [key for _, key in sorted(found)]


def source_of(world: World, snapshot: str) -> str:
    """Return the dataset of an existing snapshot."""
    if world.state.get("snapshot", snapshot) is None:
        raise ToolError(f"cannot open '{snapshot}': dataset does not exist")
    return snapshot.partition("@")[0]


def listed(world: World, dataset: str) -> str:
    """Return the snapshots of a dataset with their clones."""
    if world.state.get("dataset", dataset) is None:
        raise ToolError(f"cannot open '{dataset}': dataset does not exist")
    return "".join(f"{name}\t{','.join(_clones(world, name)) or '-'}\n" for name in of(world, dataset))


def drop(world: World, snapshot: str) -> None:
    """Destroy a snapshot when no clone depends on it, at once or later."""
    world.state.changing()
    row = world.state.get("snapshot", snapshot)
    if row is None:
        raise ToolError("could not find any snapshots to destroy; check snapshot names.")
    world.state.put("snapshot", snapshot, {**row, "deferred": True})
    swept(world)


def swept(world: World) -> None:
    """Destroy deferred snapshots without clones."""
    for name, row in [*world.state.scan("snapshot")]:
        if row["deferred"] and not _clones(world, name):
            world.state.delete("snapshot", name)


def promote(world: World, name: str) -> None:
    """Give the snapshots up to a clone's origin to the clone; their former dataset becomes the clone."""
    world.state.changing()
    row = world.state.get("dataset", name)
    if row is None:
        raise ToolError(f"cannot open '{name}': dataset does not exist")
    origin = str(row.get("origin") or "")
    if not origin:
        raise ToolError(f"cannot promote '{name}': not a cloned filesystem")
    source = origin.partition("@")[0]
    before = world.state.get("dataset", source)
    assert before is not None
    world.state.put("dataset", name, {**row, "origin": before.get("origin")})
    earlier = of(world, source)
    for each in earlier[: earlier.index(origin) + 1]:
        _move(world, each, f"{name}@{each.partition('@')[2]}")
    former = world.state.get("dataset", source)
    assert former is not None
    world.state.put("dataset", source, {**former, "origin": f"{name}@{origin.partition('@')[2]}"})


def renamed(world: World, before: str, after: str) -> None:
    """Follow a dataset that got another name."""
    for each in of(world, before):
        _move(world, each, f"{after}@{each.partition('@')[2]}")


def _move(world: World, before: str, after: str) -> None:
    row = world.state.get("snapshot", before)
    assert row is not None
    world.state.delete("snapshot", before)
    world.state.put("snapshot", after, row)
    for key in _clones(world, before):
        clone = world.state.get("dataset", key)
        assert clone is not None
        world.state.put("dataset", key, {**clone, "origin": after})


def _clones(world: World, snapshot: str) -> list[str]:
    rows = world.state.scan("dataset")
    found = [(int(row["order"]), key) for key, row in rows if row.get("origin") == snapshot]
    return [key for _, key in sorted(found)]
