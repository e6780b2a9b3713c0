"""Turn the view of `potnet graph` into boxes with text and lines between them, as data for templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from potnet.cli.views import exports_text
from potnet.runtime.fast_dataclass import dataclass

View = Mapping[str, Any]

#: The box of the pots with the host's own stack.
STACK = "the host's stack"


@dataclass(frozen=True, slots=True)
class Node:
    """A box. key: its identity among all; kind: interface, bridge, stack, pot or policies.

    lines: below its title. active: up, or running.
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
    """Return the title of the picture."""
    return f"{view['host'] or 'host'} ({view['kind']})"


def nodes(view: View) -> Iterator[Node]:
    """Yield interfaces of the host, bridges and pots; the host's stack if pots use it without an address.

    The last box lists the policies: thirty arrows between pots would be unreadable.
    """
    for each in view["interfaces"]:
        yield interface_node(each)
    for each in view["bridges"]:
        yield bridge_node(each)
    if any(not pot["links"] for pot in view["pots"]):
        yield Node("stack", "stack", STACK, ())
    for each in view["pots"]:
        yield Node(f"pot {each['name']}", "pot", each["name"], pot_lines(each), _runs(each))
    if view["policies"]:
        yield Node("policies", "policies", "policies", policy_lines(view))


def edges(view: View) -> Iterator[Edge]:
    """From what leads outside to the bridges, and from those to the pots."""
    for interface in view["interfaces"]:
        for bridge in view["bridges"] if interface["external"] else ():
            one, other = f"interface {interface['name']}", f"bridge {bridge['name']}"
            yield Edge(one, other, (uplink_text(bridge),), bridge["state"] == "up")
    there = {interface["name"] for interface in view["interfaces"]}
    for bridge in view["bridges"]:
        parent = (bridge["vlan"] or "").rpartition(".")[0]
        if parent in there:
            key, up = f"bridge {bridge['name']}", bridge["state"] == "up"
            yield Edge(f"interface {parent}", key, (f"VLAN {bridge['vlan']}",), up)
    apart = apart_bridges(view)
    for pot in view["pots"]:
        yield from _pot_edges(pot, apart)


def _pot_edges(pot: View, apart: set[str]) -> Iterator[Edge]:
    key, runs = f"pot {pot['name']}", _runs(pot)
    if not pot["links"]:
        yield Edge("stack", key, (), runs)
    for link in pot["links"]:
        if link["bridge"] is None:
            how = ("passed",) if link["interface"] in pot["passed"] else addresses(link)
            yield Edge(f"interface {link['interface']}", key, how, runs)
        else:
            yield Edge(f"bridge {link['bridge']}", key, (link["interface"], *link_lines(link, apart)), runs)


def interface_node(interface: View) -> Node:
    passed = (f"passed to {interface['passed']}",) if interface["passed"] else ()
    return Node(
        f"interface {interface['name']}", "interface", interface["name"], (*interface["addresses"], *passed)
    )


def bridge_node(bridge: View) -> Node:
    up = bridge["state"] == "up"
    lines = [
        f"{bridge['interface']}, {bridge['kind']}",
        bridge["network"],
        f"gateway {bridge['gateway']}" if bridge["gateway"] else None,
        bridge["network6"],
        "IPv6 without NAT" if bridge["routed"] else None,
        f"VLAN {bridge['vlan']}" if bridge["vlan"] else None,
        f"MTU {bridge['mtu']}" if bridge["mtu"] else None,
        "isolated pots" if bridge["isolated"] else None,
        None if up else "down",
    ]
    return Node(f"bridge {bridge['name']}", "bridge", bridge["name"], tuple(filter(None, lines)), up)


def uplink_text(bridge: View) -> str:
    """How a bridge reaches the outside."""
    return "NAT" if bridge["uplink"] == "nat" else "member"


def apart_bridges(view: View) -> set[str]:
    """Return the bridges whose pots are all isolated; the bridge then shows it instead of each pot."""
    return {bridge["name"] for bridge in view["bridges"] if bridge["isolated"]}


def link_lines(link: View, apart: set[str]) -> tuple[str, ...]:
    """Return the text of a pot's link to a bridge. apart: bridges that themselves show the isolation."""
    alone = link["isolated"] and link["bridge"] not in apart
    return (*addresses(link), *(("isolated",) if alone else ()))


def addresses(link: View) -> tuple[str, ...]:
    """The addresses of a link, each with its prefix but for those of one host alone."""
    return tuple(each.removesuffix("/32").removesuffix("/128") for each in link["addresses"])


def pot_lines(pot: View) -> tuple[str, ...]:
    """Return the text of a pot's box."""
    rates = [f"{way} {pot[f'bandwidth_{way}']}" for way in ("in", "out") if pot[f"bandwidth_{way}"]]
    return (
        *_exports_lines(pot),
        *((f"a machine of {pot['owner']}'s",) if pot["owner"] else ()),
        *(() if pot["internet"] else ("no internet",)),
        *([", ".join(rates)] if rates else []),
        *((f"passed {' '.join(pot['passed'])}",) if pot["passed"] else ()),
        *((f"needs {' '.join(pot['needs'])}",) if pot.get("needs") else ()),
    )


def policy_lines(view: View) -> tuple[str, ...]:
    """All policies, those that decide first at the top."""
    return tuple(map(_policy, view["policies"]))


def _policy(policy: View) -> str:
    one, other = (f"{'bridge:' if policy[f'{end}_bridge'] else ''}{policy[end]}" for end in ("from", "to"))
    return " ".join([policy["action"], one, "to", other, *([policy["port"]] if policy["port"] else [])])


def _exports_lines(pot: View, width: int = 32) -> tuple[str, ...]:
    """A pot's exports as `export-ports` takes them, in lines of about so many characters."""
    lines = [""]
    for word in exports_text(pot).split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("")
        lines[-1] += f" {word}" if lines[-1] else f"exports {word}" if len(lines) == 1 else word
    return tuple(line for line in lines if line)


def _runs(pot: View) -> bool:
    return bool(pot["state"] == "running")
