"""pf's state table: the states of connections, their listing and removal (pfctl(8))."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network

from potnet.executors.base import CommandResult
from potnet.executors.simulated.world.entities import row_of
from potnet.executors.simulated.world.world import ToolError, World, unknown

CREATOR = "e8c5d680"


@dataclass(slots=True)
class PfState:
    """One state. wire: the addresses on the side that pf saw first, in the direction of the arrow.

    left, right: as listed, each with its port; translated: the end in parentheses after the left one. label,
    rule: of the filter rule that created it, the rule as listed. ends: the progress of both sides.
    numbers: of the filter rule, after that of its anchor call in the main ruleset.
    """

    id: str
    protocol: str
    left: str
    translated: str
    arrow: str
    right: str
    interface: str
    label: str = ""
    rule: str = ""
    ends: str = ""
    numbers: tuple[int, ...] = ()

    @property
    def wire(self) -> tuple[str, str, str, str, str]:
        return self.protocol, self.left, self.translated, self.arrow, self.right

    def line(self) -> str:
        middle = f" ({self.translated})" if self.translated else ""
        ends = self.ends or {"tcp": "ESTABLISHED:ESTABLISHED", "udp": "MULTIPLE:SINGLE"}.get(
            self.protocol, "0:0"
        )
        where = self.interface if "if-bound" in self.rule else "all"
        return f"{where} {self.protocol} {self.left}{middle} {self.arrow} {self.right}       {ends}\n"


def endpoint(address: str, port: int) -> str:
    return f"{address}[{port}]" if ":" in address else f"{address}:{port}"


def renew(world: World, state: PfState) -> None:
    """Add a state, or renew the one that has the same ends; a second answer is noted in one of udp."""
    for key, row in world.state.scan("state"):
        known = PfState(**row)
        if known.wire == state.wire:
            again = "" if known.ends or state.ends or state.protocol != "udp" else "MULTIPLE:MULTIPLE"
            world.state.put("state", key, row_of(replace(known, ends=state.ends or again or known.ends)))
            return
    add(world, state)


def add(world: World, state: PfState) -> None:
    number = world.state.next_number("state")
    state.id = f"{number:02x}3c026b00000000"[-16:].rjust(16, "0")
    world.state.put("state", f"{number:09}", row_of(state))


def states(world: World) -> list[PfState]:
    return [PfState(**row) for _, row in world.state.scan("state")]


def of_source(world: World, rules: str, source: str) -> int:
    """Return how many states filter rules have created for connections from an address.

    rules: words in the rule, or all of it.
    """
    ends = (
        state.right if state.arrow == "<-" else state.left for state in states(world) if rules in state.rule
    )
    return sum(_inside(end, source) for end in ends)


def listing(found: list[PfState], verbose: bool) -> str:
    return "".join(state.line() + (_details(state) if verbose else "") for state in found)


def _details(state: PfState) -> str:
    expires = {"tcp": "24:00:00", "udp": "00:01:00"}.get(state.protocol, "00:00:10")
    out = "   [0 + 262144]  [998380233 + 33554432]\n" if state.protocol == "tcp" else ""
    out += f"   age 00:00:00, expires in {expires}, 1:1 pkts, 60:40 bytes"
    out += f", anchor {state.numbers[0]}" if len(state.numbers) > 1 else ""
    out += f", rule {state.numbers[-1]}" if state.numbers else ""
    return f"{out}\n   id: {state.id} creatorid: {CREATOR}\n   origif: {state.interface}\n"


def flush(world: World) -> int:
    keys = world.state.keys("state")
    for key in keys:
        world.state.delete("state", key)
    return len(keys)


def kill(world: World, what: list[str]) -> CommandResult:
    """Kill states by ID and creator, by label, or by source and destination."""
    match what:
        case ["id", wanted]:
            identifier, _, creator = wanted.partition("/")
            killed = _remove(world, lambda s: int(s.id, 16) == _hex(identifier) and creator in ("", CREATOR))
            return CommandResult(0, "", f"killed {killed} states\n")
        case ["label", wanted]:
            killed = _remove(world, lambda s: s.label == wanted and bool(wanted))
            return CommandResult(0, "", f"killed {killed} states\n")
        case [source, destination]:
            killed = _remove(world, lambda s: _matches(s, source, destination))
            text = f"killed {killed} states from 1 sources and 1 destinations\n"
            return CommandResult(0, "", text)
    raise unknown(f"pfctl -k {' -k '.join(what)}")


def _hex(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        raise ToolError("pfctl: could not parse state id") from None


def _remove(world: World, chosen: object) -> int:
    assert callable(chosen)
    killed = 0
    for key, row in world.state.scan("state"):
        if chosen(PfState(**row)):
            world.state.delete("state", key)
            killed += 1
    return killed


def _matches(state: PfState, source: str, destination: str) -> bool:
    """Match the addresses on the wire: a redirected connection has the host's, not the jail's."""
    first, last = state.translated or state.left, state.right
    if state.arrow == "->":
        first = state.left if not state.translated else state.translated
        return _inside(first, source) and _inside(last, destination)
    return _inside(last, source) and _inside(first, destination)


def _inside(end: str, network: str) -> bool:
    text = end.partition("[")[0] if "[" in end else end.rpartition(":")[0]
    try:
        wanted = ip_network(network, strict=False)
    except ValueError:
        raise ToolError(f"pfctl: {network}: could not parse host specification") from None
    address = ip_address(text)
    return address.version == wanted.version and address in wanted
