"""Random lives of pots: whatever is done in whatever order, nothing is shared, lost or left."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from world import World

from potnet.errors import PotnetError
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.pots.destroy import destroy_bridge, destroy_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

NAMES = st.sampled_from(["casserole", "ragout", "stew", "dns"])
KINDS = st.sampled_from(["inherit", "alias", "public-bridge", "private-bridge"])
STACKS = st.sampled_from(["ipv4", "ipv6", "dual"])
PORTS = st.lists(st.sampled_from(["80", "80:30080", "udp:53:30053", "443:30443"]), max_size=3)


class Lives(RuleBasedStateMachine):
    """A host, a store, and an administrator who does as she pleases."""

    @initialize()
    def begin(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.world = World(Path(self.directory.name))
        self.before = self.world.host.snapshot()

    def attempt(self, operation: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """A refusal is an answer, too."""
        try:
            operation(*args, **kwargs)
        except PotnetError as error:
            assert error.message
            assert not error.left_behind

    @rule(name=NAMES, kind=KINDS, stack=STACKS)
    def create(self, name: str, kind: str, stack: str) -> None:
        bridge = "stove" if kind == "private-bridge" else None
        self.attempt(self.world.create, name, kind, stack, bridge=bridge)

    @rule(size=st.integers(1, 3))
    def make_bridge(self, size: int) -> None:
        self.attempt(self.world.do, create_private_bridge, BridgeRequest("stove", size))

    @rule()
    def remove_bridge(self) -> None:
        self.attempt(self.world.do, destroy_bridge, "stove")

    @rule(name=NAMES)
    def start(self, name: str) -> None:
        self.attempt(self.world.do, start, [name])

    @rule(name=NAMES)
    def stop(self, name: str) -> None:
        self.attempt(self.world.do, stop, [name])

    @rule(name=NAMES)
    def destroy(self, name: str) -> None:
        self.attempt(self.world.do, destroy_pot, name)

    @rule(name=NAMES, ports=PORTS)
    def export(self, name: str, ports: list[str]) -> None:
        self.attempt(self.world.do, export_ports, name, ExportRequest(ports))

    @invariant()
    def nothing_is_shared(self) -> None:
        records = self.world.records()
        attachments = [a for pot in records["pots"] for a in pot.attachments]
        for values in (
            [a.unit for a in attachments],
            [a.mac for a in attachments],
            [a.address for a in attachments if a.address],
            [(a.interface, a.address) for pot in records["pots"] for a in pot.aliases],
            [(e.protocol, e.host_port) for pot in records["pots"] for e in pot.exports if e.host_port],
        ):
            assert len(values) == len(set(values))
        leased = {lease.address for leases in records["leases"] for lease in leases}
        assert leased == {a.address for a in attachments if a.address}

    @invariant()
    def what_runs_is_recorded(self) -> None:
        runs = {run.pot.name for run in self.world.records()["runs"]}
        assert runs == set(self.world.host.jails())

    def teardown(self) -> None:
        world = getattr(self, "world", None)
        if world is None:
            return
        names = [pot.name for pot in world.records()["pots"]]
        world.do(stop, names)
        for name in names:
            world.do(destroy_pot, name)
        after = world.host.snapshot()
        for snapshot in (self.before, after):
            snapshot["files"] = {k: v for k, v in snapshot["files"].items() if not k.startswith("/opt")}
        assert after == self.before
        self.directory.cleanup()


Lives.TestCase.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestLives = Lives.TestCase
