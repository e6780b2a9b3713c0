"""The nodes of device file systems: those of the host, and what a ruleset of devfs(8) leaves of them."""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from potnet.executors.simulated.world import modules
from potnet.executors.simulated.world.world import World

_LINKS = {
    "bpf0": "bpf", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "urandom": "random",
}  # fmt: skip
_DIRECTORIES = ("fd", "input")
_FOR_ALL = ("ctty", "full", "null", "zero")
#: The other nodes of the recorded machine, which only root may use.
_FOR_ROOT = (
    "acpi", "apm", "apmctl", "atkbd0", "audit", "auditpipe", "bpf", "console", "consolectl", "cuau0",
    "cuau0.init", "cuau0.lock", "devctl", "devctl2", "devstat", "fido", "geom.ctl", "hpet0", "io", "kbd0",
    "kbd1", "kbdmux0", "klog", "kmem", "mdctl", "mem", "pci", "pfil", "reroot", "sysmouse", "ttyu0",
    "ttyu0.init", "ttyu0.lock", "ttyv0", "ttyv1", "ttyv2", "ttyv3", "ttyv4", "ttyv5", "ttyv6", "ttyv7",
    "ttyv8", "ttyv9", "ttyva", "ttyvb", "ufssuspend", "uinput",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Node:
    """A node. mode: as in stat(2); target: of a symbolic link."""

    mode: int
    target: str = ""


def nodes(world: World) -> dict[str, Node]:
    """Return the nodes of the host by their names."""
    found = {name: Node(stat.S_IFCHR | 0o600) for name in (*_FOR_ROOT, *_present(world))}
    found |= {name: Node(stat.S_IFCHR | 0o666) for name in _FOR_ALL}
    found["random"] = Node(stat.S_IFCHR | 0o644)
    found |= {name: Node(stat.S_IFDIR | 0o555) for name in _DIRECTORIES}
    return found | {name: Node(stat.S_IFLNK | 0o755, target) for name, target in _LINKS.items()}


def _present(world: World) -> list[str]:
    """Return the nodes of what this host has: its disk, pf and taps (tap(4))."""
    taps = [each.origin for each in world.interfaces() if each.kind == "tap"]
    pf = ["pf"] if modules.loaded(world.state, "pf") else []
    return [world.facts.root_device.removeprefix("/dev/"), *pf, *taps]


def seen_at(world: World, real: Path) -> dict[str, Node] | None:
    """Return the nodes that a device file system shows; None if none is mounted on that directory."""
    place = world.state.get("mount-at", str(real))
    row = world.state.get("mount", place["point"]) if place is not None else None
    if row is None or row.get("source", "devfs") != "devfs":
        return None
    return ruled(nodes(world), row.get("rules", ()))


def ruled(found: dict[str, Node], rules: tuple[str, ...] | list[str]) -> dict[str, Node]:
    """Return the nodes that rules leave visible; a later rule changes what an earlier one did."""
    shown = dict(found)
    for rule in rules:
        words = rule.split()
        pattern = words[1] if words[0] == "path" else "*"
        chosen = [name for name in found if fnmatchcase(name, pattern)]
        for name in chosen:
            if "hide" in words:
                shown.pop(name, None)
            elif "unhide" in words:
                shown[name] = shown.get(name, found[name])
            if "mode" in words and name in shown:
                kind = stat.S_IFMT(shown[name].mode)
                shown[name] = replace(shown[name], mode=kind | int(words[-1], 8))
    return shown
