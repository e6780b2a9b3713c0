"""restart: a stop and a start of the same pots, in one command."""

from __future__ import annotations

import pytest
from world import Faulty, World, both_hosts

from potnet.app import App
from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult, Executor, as_shell
from potnet.executors.dry_run import DryRun
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.running.attach import attach
from potnet.operations.running.restart import Restarted, restart
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop
from potnet.operations.selection import running_pots
from potnet.runtime.locks import Locks
from potnet.store.store import Store

NAMES = ["casserole", "lid", "pan"]


class Shown:
    """Passes commands on, and keeps those that change the host as a shell reads them."""

    def __init__(self, inner: Executor) -> None:
        self._inner = inner
        self.lines: list[str] = []

    def run(self, command: Command) -> CommandResult:
        self.lines += [as_shell(command)] if command.changes_host else []
        return self._inner.run(command)

    def attach(self, command: Command) -> int:
        return self._inner.attach(command)


def three(world: World) -> None:
    """Two pots on a bridge, one with an export, and one with an alias."""
    world.create("casserole", "public-bridge", "dual")
    world.do(export_ports, "casserole", ExportRequest(["80:30080", "udp:53:30053"]))
    world.create("lid", "public-bridge")
    world.create("pan", "alias", "dual")


@both_hosts
def test_host_and_store_are_as_after_a_start(world: World) -> None:
    three(world)
    before = world.snapshot()
    world.do(start, NAMES)
    up, leases = world.lasting(), world.records()["leases"]
    assert world.do(restart, NAMES) == tuple(Restarted(name, True, True) for name in NAMES)
    assert world.lasting() == up
    assert world.records()["leases"] == leases
    assert world.do(check, [], None) == ()
    assert world.do(running_pots) == NAMES
    world.do(stop, NAMES)
    assert world.snapshot() == before
    assert world.do(running_pots) == []


def test_a_stopped_pot_and_those_that_it_requires_are_started(world: World) -> None:
    world.create("dns", "public-bridge", addresses=("10.192.0.2",))
    world.create("web", "public-bridge", resolver="pot")
    assert world.do(restart, ["web"]) == (Restarted("dns", True, False), Restarted("web", True, False))
    assert world.do(restart, ["web"]) == (Restarted("dns", False, False), Restarted("web", True, True))
    assert world.do(restart, ["dns", "web"])[0] == Restarted("dns", True, True)
    assert world.jails() == ["dns", "web"]


@pytest.mark.parametrize("names", [["lid"], ["casserole", "lid"], NAMES])
def test_a_dry_run_prints_what_a_restart_does(world: World, names: list[str]) -> None:
    three(world)
    world.do(start, NAMES)
    before, printed = world.lasting(), list[str]()
    with Store.open_copy(world.directory / "state", world.kind) as store:
        dry = App(
            config=world.config,
            store=store,
            host_kind=world.kind,
            notify=printed.append,
            locks=Locks(None),
            make_executor=lambda: DryRun(world.host, printed.append),
            dry_run=True,
        )
        restart(dry, names)
    assert world.lasting() == before
    seen = Shown(world.host)
    world.executor = seen  # type: ignore[assignment]
    world.do(restart, names)
    assert printed == seen.lines


def test_what_waits_for_the_next_start_takes_effect(world: World) -> None:
    world.create("lid", "public-bridge")
    world.do(start, ["lid"])
    world.do(set_options, "lid", SettingsRequest(hostname="cover"))
    world.do(restart, ["lid"])
    asked = Command(("jls", "-j", "lid", "host.hostname"), changes_host=False)
    assert world.host.run(asked).out == "cover\n"


@both_hosts
def test_a_failure_at_any_step_is_told_and_the_next_restart_mends_it(world: World) -> None:
    world.create("lid", "public-bridge")
    world.do(export_ports, "lid", ExportRequest(["80:30080"]))
    world.create("pan", "public-bridge")
    world.do(start, ["lid", "pan"])
    world.executor = Faulty(world.host)
    world.do(restart, ["lid"])
    for number in range(world.executor.changes):
        world.notices.clear()
        world.executor = Faulty(world.host, fail_at=number)
        try:
            world.do(restart, ["lid"])
        except PotnetError as error:
            assert error.message.startswith("cannot restart lid: ")
            # A stop that fails lists what is left, and nothing is started on top of that.
            if "left behind" not in error.message:
                assert world.notices == ["lid is stopped"], world.executor.changed[number]
                assert world.jails() == ["pan"]
        world.executor = Faulty(world.host)
        world.do(restart, ["lid"])
        assert sorted(world.jails()) == ["lid", "pan"]
        assert world.do(check, [], None) == ()


def test_the_others_are_restarted_nevertheless(world: World) -> None:
    three(world)
    world.do(start, NAMES)
    root = world.host.tree / "opt/potnet/jails/lid/m"
    world.executor = Faulty(world.host)
    world.do(stop, ["lid"])
    root.rename(root.with_name("elsewhere"))
    with pytest.raises(PotnetError, match="cannot restart lid: "):
        world.do(restart, NAMES)
    assert world.jails() == ["casserole", "pan"]
    assert sorted(world.notices) == ["casserole is running", "lid is stopped", "pan is running"]


def test_a_jail_of_another_program_is_not_stopped(world: World) -> None:
    world.create("web", "public-bridge")
    world.host.run(Command(("jail", "-c", "name=web", "path=/opt/potnet/jails/web/m", "vnet", "persist")))
    world.do(attach, "web", None, created=True)
    before = world.snapshot()
    with pytest.raises(PotnetError, match="cannot restart web: potnet did not create the jail web"):
        world.do(restart, ["web"])
    assert world.snapshot() == before
    assert world.do(running_pots) == []
