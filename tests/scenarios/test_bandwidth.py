"""Bandwidth: how much a pot may receive and send, and that nothing of it stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import World, both_hosts

from potnet.drivers.base import CommandError
from potnet.errors import PotnetError, UsageError
from potnet.executors.base import Command, CommandResult
from potnet.host.findings import Kind
from potnet.model.pots import NetworkType, Pot, Stack
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.network_options import NetworkOptions, rate_text, with_options
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.info import info
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

NOTHING = {"resolver": None, "addresses": (), "hostname": None, "command": None, "boot": None}
BOTH = NetworkOptions(bandwidth_in="10Mbit/s", bandwidth_out="500KByte/s")
CASES = [BOTH, NetworkOptions(bandwidth_in="10Mbit/s"), NetworkOptions(bandwidth_out="1.5Mbit/s")]


@both_hosts
@pytest.mark.parametrize("options", CASES, ids=["both", "in", "out"])
def test_a_start_limits_and_a_stop_leaves_nothing(world: World, options: NetworkOptions) -> None:
    world.create("web", "public-bridge", network=options)
    world.create("mail", "public-bridge")
    before = world.snapshot()
    world.do(start, ["web", "mail"])
    web, mail = (str(pot.ipv4) for pot in sorted(world.records()["pots"], key=lambda pot: pot.name == "mail"))
    assert world.reaches("host", web, 80)
    assert world.reaches("web", mail, 80) and world.reaches("mail", web, 80)
    assert world.do(check, [], None) == ()
    world.do(stop, ["web"])
    assert world.reaches("host", mail, 80)
    assert world.do(check, [], None) == ()
    world.do(stop, ["mail"])
    assert world.snapshot() == before


@both_hosts
def test_what_somebody_changes_is_told_and_mended(world: World) -> None:
    world.create("web", "public-bridge", network=BOTH)
    world.do(start, ["web"])
    if world.kind == "linux":
        world.do_there("tc", "qdisc", "del", "dev", "epair0a", "root")
    else:
        world.do_there("dnctl", "pipe", "delete", "10000")
    (found,) = world.do(check, [], None)
    assert (found.kind, found.pot) == (Kind.RATE_DIFFERS, "web")
    world.do(repair, [], None)
    assert world.do(check, [], None) == ()
    web = str(next(pot.ipv4 for pot in world.records()["pots"]))
    assert world.reaches("host", web, 80)
    world.do(stop, ["web"])


def test_the_rules_are_those_of_pf_conf(world: World) -> None:
    world.create("web", "public-bridge", network=BOTH)
    world.do(start, ["web"])
    address = str(next(pot.ipv4 for pot in world.records()["pots"]))
    assert world.host.anchor("pot-filter/.web") == [
        f"match in on bridge0 inet from {address} to any dnpipe(10001, 10000)",
        f"match out on bridge0 inet from any to {address} dnpipe(10000, 10001)",
    ]
    assert world.host.snapshot()["pipes"] == {10000: 10_000_000, 10001: 4_000_000}
    assert world.host.connect("web", "192.168.178.99", 80).ok


@both_hosts
def test_set_changes_it_from_the_next_start(world: World) -> None:
    world.create("web", "public-bridge", network=BOTH)
    world.do(start, ["web"])
    assert world.do(
        set_options, "web", SettingsRequest(**NOTHING, network=NetworkOptions(bandwidth_in="none"))
    )
    view = world.do(info, "web")
    assert (view["bandwidth_in"], view["bandwidth_out"]) == (None, "4Mbit/s")
    assert world.do(check, [], None) == ()
    world.do(stop, ["web"])
    before = world.snapshot()
    world.do(start, ["web"])
    assert world.do(check, [], None) == ()
    world.do(stop, ["web"])
    assert world.snapshot() == before


@both_hosts
def test_a_start_that_cannot_limit_is_undone(world: World) -> None:
    world.create("web", "public-bridge", network=BOTH)
    before, inner = world.snapshot(), world.executor.inner

    class Refusing:
        """A host without dummynet, or without tc's queues."""

        def run(self, command: Command) -> CommandResult:
            limits = command.argv[0] == "dnctl" or command.argv[:2] == ("tc", "-batch")
            return CommandResult(71, "", "Protocol not available") if limits else inner.run(command)

        def attach(self, command: Command) -> int:
            return inner.attach(command)

    world.executor.inner = Refusing()
    # What could not be made cannot be taken away either, where all of it is refused.
    with pytest.raises(CommandError, match="Protocol not available"):
        world.do(start, ["web"])
    world.executor.inner = inner
    world.do(stop, ["web"])
    assert world.snapshot() == before


@pytest.mark.parametrize(
    "text", ["10", "10M", "10Mbit", "10 Mbit/s", "-1Mbit/s", "1Kbit/s", "5Gbit/s", "10mbit/s", "1Tbit/s", ""]
)
def test_bad_rates(world: World, text: str) -> None:
    with pytest.raises(UsageError, match="a rate is a number with bit/s or Byte/s"):
        world.create("web", "public-bridge", network=NetworkOptions(bandwidth_in=text))


def test_pots_without_a_bridge_of_their_own_have_none(world: World) -> None:
    with pytest.raises(PotnetError, match="--bandwidth-in is for pots on bridges"):
        world.create("web", "inherit", network=BOTH)
    with pytest.raises(PotnetError, match="IPv6 by SLAAC"):
        world.create("web", "public-bridge", "dual", network=BOTH)


@given(st.integers(8_000, 4_000_000_000))
def test_a_rate_that_is_shown_can_be_given(rate: int) -> None:
    pot = Pot("web", NetworkType.PUBLIC_BRIDGE, Stack.IPV4, "/web", rate_in=rate)
    assert with_options(pot, NetworkOptions(bandwidth_in=rate_text(pot.rate_in))).rate_in == rate
