"""Commands at random, by many processes at once: on a simulated host, or in namespaces that this runs in.

As a program (on Linux): DIRECTORY PROCESSES RUNS; it prints the results and what is left as one line of JSON.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from world import World

from potnet.config.configuration import Config
from potnet.errors import PotnetError
from potnet.executors.base import Executor
from potnet.executors.local import LocalExecutor
from potnet.model.pots import NetworkType
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.networks import policies
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.network_options import NetworkOptions
from potnet.operations.networks.vnet import vnet_start, vnet_stop
from potnet.operations.pots.destroy import destroy_bridge, destroy_pot
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

#: What another command may have done meanwhile; anything else, a locked database above all, is a failure.
REFUSALS = (
    "already exists",
    "not found",
    "is running",
    "is exported by pot",
    "is incomplete",
    "is in use",
    "is full",
    "is still used by pot",
    # Of options that do not go together, or do not with what is there.
    "carries IPv4 only",
    "does not exist",
    "has no address from the store",
    "has IPv6 by SLAAC",
    "is for pots on bridges",
    "are both on bridge",
    "on the public bridge",
    "a policy says the opposite",
    "have the MTU",
    "has the MTU",
    "gives it to the bridge",
    "cannot have the MTU",
    "is too small for IPv6",
    "policies do not change that",
    "policies do not apply between",
    # Of a pot that was there when the host was looked at, and no longer when the store was.
    "is the host's own address",
)
BRIDGES = ("stove", "grill")

#: Commands given, commands refused, and what went wrong.
Result = tuple[int, int, list[str]]


class Here(World):
    """The host that this process runs on: a machine of namespaces."""

    kind = "linux"
    external, prefix = "eth0", "192.0.2."

    def _make_host(self, bare: bool) -> Executor:
        return LocalExecutor()

    def _adapted(self, config: Config) -> Config:
        return replace(config, jails=str(self.directory / "state/jails"))

    def jails(self) -> list[str]:
        return [path.name for path in Path("/run/netns").iterdir() if path.name != "outside"]

    def interfaces(self) -> list[str]:
        return [path.name for path in Path("/sys/class/net").iterdir()]


def command(world: World, chance: random.Random) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Something to do with one of a few pots or bridges."""
    number = chance.randrange(8)
    name, bridge = f"pan{number}", chance.choice(BRIDGES)
    kind = chance.choice(("inherit", "alias", "public-bridge", "public-bridge", "private-bridge"))
    stack = chance.choice(("ipv4", "ipv4", "ipv6", "dual"))
    ports = chance.choice((["80"], ["80:30080"], ["80", "udp:53"], ["8000-8003", "tcp+udp:53:30053"], []))
    other = f"pan{chance.randrange(8)}"
    options = NetworkOptions(
        isolate=chance.choice((None, True, False)),
        internet=chance.choice((None, True, False)),
        bandwidth_in=chance.choice((None, "10Mbit/s", "none")),
        bandwidth_out=chance.choice((None, "1Mbit/s")),
    )
    return chance.choice(
        (
            *(2 * [(create, (world, name, kind, stack, number, bridge))]),
            (create, (world, name, kind, stack, number, bridge, options)),
            (change, (world, name, options)),
            (world.do, (policies.add, name, other, chance.choice((None, "80")), chance.random() < 0.3)),
            (world.do, (policies.add, chance.choice(BRIDGES), name, "udp:53", False)),
            (world.do, (policies.remove, name, other, chance.choice((None, "80")))),
            (world.create, (None, "public-bridge")),
            *(3 * [(world.do, (start, [name]))]),
            *(2 * [(world.do, (stop, [name]))]),
            (world.do, (export_ports, name, ExportRequest(ports))),
            (world.do, (destroy_pot, name)),
            (world.do, (create_private_bridge, BridgeRequest(bridge, 6))),
            (world.do, (create_private_bridge, BridgeRequest(bridge, 6, "auto"))),
            (world.do, (destroy_bridge, bridge)),
            (world.do, (vnet_start, bridge)),
            (world.do, (vnet_stop, bridge)),
        )
    )


def change(world: World, name: str, options: NetworkOptions) -> None:
    """What a pot may do on its network."""
    nothing: dict[str, Any] = {
        "resolver": None, "addresses": (), "hostname": None, "command": None, "boot": None,
    }  # fmt: skip
    world.do(set_options, name, SettingsRequest(**nothing, network=options))


def create(
    world: World,
    name: str,
    kind: str,
    stack: str,
    number: int,
    bridge: str,
    options: NetworkOptions | None = None,
) -> None:
    """A pot with what its kind needs, and with options on both bridges; each has aliases of its own."""
    more: dict[str, Any] = {}
    if options is not None and kind.endswith("bridge"):
        stack, more["network"] = "ipv4", options
        behind = next(each for each in BRIDGES if each != bridge or kind == "public-bridge")
        more["more"] = ((NetworkType.PRIVATE_BRIDGE, behind),)
    if kind == "alias":
        last = 200 + number
        own = {"ipv4": f"{world.prefix}{last}", "ipv6": f"{world.external}|2001:db8:7::{last}"}
        more["addresses"] = tuple(own[family] for family in own if stack in (family, "dual"))
    if kind == "private-bridge":
        more["bridge"] = bridge
        stack = "dual" if stack == "ipv6" else stack
    world.create(name, kind, stack, **more)


def work(make: Callable[[Path], World], directory: str, seed: int, runs: int, results: Any) -> None:
    world, chance, wrong, refused = make(Path(directory)), random.Random(seed), [], 0
    for _ in range(runs):
        operation, arguments = command(world, chance)
        try:
            operation(*arguments)
        except PotnetError as error:
            refused += 1
            if not any(words in error.message for words in REFUSALS):
                wrong.append(f"{arguments}: {error.message}")
        except Exception as error:
            wrong.append(f"{arguments}: {error!r}")
    results.put((runs, refused, wrong))


def many(make: Callable[[Path], World], directory: Path, processes: int, runs: int) -> list[Result]:
    """The results of processes that give commands at the same time, each so many."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    children = [
        context.Process(target=work, args=(make, str(directory), seed, runs, results))
        for seed in range(processes)
    ]
    for child in children:
        child.start()
    answers = [results.get(timeout=3000) for _ in children]
    for child in children:
        child.join(60)
    return answers


def unsound(world: World) -> list[str]:
    """What is shared or half done, and where store and host do not agree; in the end all is taken away."""
    records = world.records()
    attachments = [a for pot in records["pots"] for a in pot.attachments]
    unique = {
        "unit": [a.unit for a in attachments],
        "mac": [a.mac for a in attachments],
        "address": [address for a in attachments for address in a.addresses],
        "alias": [(a.interface, a.address) for pot in records["pots"] for a in pot.aliases],
        "port": [(e.protocol, e.host_port) for pot in records["pots"] for e in pot.exports if e.host_port],
        "bridge": [bridge.unit for bridge in records["bridges"]],
    }
    wrong = [
        f"{what} {value} is given {count} times"
        for what, values in unique.items()
        for value, count in Counter(values).items()
        if count > 1
    ]
    leased = {lease.address for leases in records["leases"] for lease in leases}
    wrong += [f"leases: {leased}"] if leased != {a.address for a in attachments if a.address} else []
    wrong += [f"{pot.name} is incomplete" for pot in records["pots"] if not pot.whole]
    runs = {run.pot.name for run in records["runs"]}
    wrong += [f"runs: {runs}, jails: {world.jails()}"] if runs != set(world.jails()) else []
    wrong += [f"check: {finding}" for finding in world.do(check, (), None)]
    return [*wrong, *_left(world, records)]


def _left(world: World, records: dict[str, Any]) -> list[str]:
    names = [pot.name for pot in records["pots"]]
    world.do(stop, names)
    for name in names:
        world.do(destroy_pot, name)
    for bridge in records["bridges"]:
        world.do(vnet_stop, bridge.name)
        if bridge.name in BRIDGES:
            world.do(destroy_bridge, bridge.name)
    ours = ("epair", "bridge", "uplink")
    left = [f"{name} is left" for name in world.interfaces() if name.startswith(ours)]
    locks = [path.name for path in (world.directory / "state/locks").iterdir()]
    left += [f"the lock {name} is left" for name in locks if name.startswith("pot-")]
    return [*left, *(f"jail {name} is left" for name in world.jails())]


if __name__ == "__main__":
    place = Path(sys.argv[1])
    answers = many(Here, place, int(sys.argv[2]), int(sys.argv[3]))
    print(json.dumps({"answers": answers, "unsound": unsound(Here(place))}), flush=True)
