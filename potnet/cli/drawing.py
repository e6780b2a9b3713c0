"""What `potnet graph` draws: boxes with text in them, and lines between them, as data for templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from potnet.cli.views import exports_text
from potnet.values import dataclass

View = Mapping[str, Any]

#: What pots with the host's own stack hang on.
STACK = "the host's stack"


@dataclass(frozen=True, slots=True)
class Node:
    """A box. key: its identity among all; kind: interface, bridge, stack or pot; lines: below its title.

    active: up, or running.
    """

    key: str
    kind: str
    title: str
    lines: tuple[str, ...]
    active: bool = True


@dataclass(frozen=True, slots=True)
class Edge:
    """A line between two boxes, by their keys; what is written on it."""

    one: str
    other: str
    lines: tuple[str, ...]
    active: bool = True


def title(view: View) -> str:
    """What stands over the whole."""
    return f"{view['host'] or 'host'} ({view['kind']})"


def nodes(view: View) -> Iterator[Node]:
    """Interfaces of the host, bridges and pots; the host's stack if pots are on it without an address."""
    for each in view["interfaces"]:
        yield interface_node(each)
    for each in view["bridges"]:
        yield bridge_node(each)
    if any(not pot["links"] for pot in view["pots"]):
        yield Node("stack", "stack", STACK, ())
    for each in view["pots"]:
        yield Node(f"pot {each['name']}", "pot", each["name"], exports_lines(each), _runs(each))


def edges(view: View) -> Iterator[Edge]:
    """From what leads outside to the bridges, and from those to the pots."""
    for interface in view["interfaces"]:
        for bridge in view["bridges"] if interface["external"] else ():
            how = "NAT" if bridge["uplink"] == "nat" else "member"
            yield Edge(
                f"interface {interface['name']}", f"bridge {bridge['name']}", (how,), bridge["state"] == "up"
            )
    there = {interface["name"] for interface in view["interfaces"]}
    for bridge in view["bridges"]:
        parent = (bridge["vlan"] or "").rpartition(".")[0]
        if parent in there:
            key, up = f"bridge {bridge['name']}", bridge["state"] == "up"
            yield Edge(f"interface {parent}", key, (f"VLAN {bridge['vlan']}",), up)
    for pot in view["pots"]:
        key, runs = f"pot {pot['name']}", _runs(pot)
        if not pot["links"]:
            yield Edge("stack", key, (), runs)
        for link in pot["links"]:
            if link["bridge"] is None:
                yield Edge(f"interface {link['interface']}", key, addresses(link), runs)
            else:
                yield Edge(f"bridge {link['bridge']}", key, (link["interface"], *addresses(link)), runs)


def interface_node(interface: View) -> Node:
    return Node(
        f"interface {interface['name']}", "interface", interface["name"], tuple(interface["addresses"])
    )


def bridge_node(bridge: View) -> Node:
    lines = [f"{bridge['interface']}, {bridge['kind']}"]
    lines += [bridge["network"]] if bridge["network"] else []
    lines += [f"gateway {bridge['gateway']}"] if bridge["gateway"] else []
    lines += [bridge["network6"]] if bridge["network6"] else []
    up = bridge["state"] == "up"
    lines += [] if up else ["down"]
    return Node(f"bridge {bridge['name']}", "bridge", bridge["name"], tuple(lines), up)


def addresses(link: View) -> tuple[str, ...]:
    """The addresses of a link, each with its prefix but for those of one host alone."""
    return tuple(each.removesuffix("/32").removesuffix("/128") for each in link["addresses"])


def exports_lines(pot: View, width: int = 32) -> tuple[str, ...]:
    """A pot's exports as `export-ports` takes them, in lines of about so many characters."""
    lines = [""]
    for word in exports_text(pot).split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else f"exports {word}" if len(lines) == 1 else word
    return tuple(line for line in lines if line)


def _runs(pot: View) -> bool:
    return bool(pot["state"] == "running")
