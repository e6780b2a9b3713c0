"""Limit what a pot may receive and send, by tc(8).

Packets to a pot wait in a queue of its epair's end on the host (tc-tbf(8)). Packets from the pot cannot wait
there, so they pass an ifb interface, whose queue holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from potnet.drivers.linux.facts.names import shaper
from potnet.drivers.reading import reads
from potnet.executors.base import Command
from potnet.host.ruleset import Pipes

#: The longest wait of a packet. A burst holds the packets of 20 ms, but at least this many bytes.
_LATENCY = "200ms"
_SMALLEST_BURST = 16384


def made(pipes: Pipes) -> tuple[Command, ...]:
    """Return the commands that limit traffic in both directions."""
    lines = []
    commands = []
    if pipes.rate_in is not None:
        lines += [f"qdisc add dev {each} root {_bucket(pipes.rate_in)}" for each in pipes.members]
    if pipes.rate_out is not None:
        way = shaper(pipes.unit)
        commands.append(Command(("ip", "link", "add", "name", way, "type", "ifb")))
        commands.append(Command(("ip", "link", "set", "dev", way, "up")))
        lines.append(f"qdisc add dev {way} root {_bucket(pipes.rate_out)}")
        lines += [line for each in pipes.members for line in _diverted(each, way)]
    return *commands, _batch(lines)


def lifted(pipes: Pipes) -> tuple[Command, ...]:
    """Return the commands that remove all parts of the limits that exist."""
    lines = []
    if pipes.rate_in is not None:
        lines += [f"qdisc del dev {each} root" for each in pipes.members]
    if pipes.rate_out is not None:
        lines += [f"qdisc del dev {each} clsact" for each in pipes.members]
    remove = Command(("ip", "link", "del", "dev", shaper(pipes.unit)))
    return _batch(lines, "-force"), *((remove,) if pipes.rate_out is not None else ())


@reads("tc")
def in_force(pipes: Pipes, queues: Sequence[Mapping[str, Any]], filters: Mapping[str, str]) -> bool:
    """Return whether the limits are in force. queues: of ``tc -j qdisc show``; filters: by interface, as
    text."""
    rates = {each["dev"]: 8 * int(each["options"]["rate"]) for each in queues if each.get("kind") == "tbf"}
    wanted = dict.fromkeys(pipes.members, pipes.rate_in) if pipes.rate_in is not None else {}
    way = shaper(pipes.unit)
    if pipes.rate_out is not None:
        wanted[way] = pipes.rate_out
        if not all(f"device {way})" in filters.get(each, "") for each in pipes.members):
            return False
    # The kernel counts in bytes.
    return all(rates.get(name, 0) // 8 == (rate or 0) // 8 for name, rate in wanted.items())


def trial(near: str, far: str) -> tuple[str, ...]:
    """Return commands that test on two unused interfaces whether the kernel supports the limits."""
    way = "ip link add name shaper0 type ifb"
    queue = f"tc qdisc add dev {near} root {_bucket(8_000_000)}"
    return way, queue, *(f"tc {line}" for line in _diverted(near, "shaper0"))


def _bucket(rate: int) -> str:
    return f"tbf rate {rate}bit burst {max(rate // 8 // 50, _SMALLEST_BURST)}b latency {_LATENCY}"


def _diverted(member: str, way: str) -> tuple[str, str]:
    return (
        f"qdisc add dev {member} clsact",
        f"filter add dev {member} ingress protocol all prio 1 u32 match u32 0 0"
        f" action mirred egress redirect dev {way}",
    )


def _batch(lines: list[str], *options: str) -> Command:
    return Command(("tc", *options, "-batch", "-"), stdin="".join(f"{line}\n" for line in lines))
