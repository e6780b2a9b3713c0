"""Every single command of start and stop made to fail, or to hang, before and after it did its work."""

from __future__ import annotations

import pytest
from test_life import KINDS, prepare
from world import FAILURE, HANG, Faulty, World, both_hosts

from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult
from potnet.host.findings import Kind
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks.vnet import vnet_start
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

#: Whether a command fails after its work. On a Linux kernel there are a few kinds of pots, which between them
#: issue every command: each failure takes a start and a look there.
STARTS = [("freebsd", *each, after) for each in KINDS for after in (False, True)]
LINUX_STARTS = [
    ("linux", "public-bridge", "dual", False),
    ("linux", "private-bridge", "ipv4", True),
    ("linux", "alias", "dual", False),
    ("linux", "alias", "dual", True),
]
STOPS = [("freebsd", *each) for each in KINDS]
LINUX_STOPS = [
    ("linux", "public-bridge", "ipv6"),
    ("linux", "private-bridge", "ipv4"),
    ("linux", "alias", "dual"),
]


def answered(cases: list[tuple[object, ...]], linux: list[tuple[object, ...]], turns: int) -> list[object]:
    """Each case with a failure and with a time-out.

    `make test` takes turns at these, so that each kind of pot has both. turns: the cases that one kind and
    stack have. On a Linux kernel a time-out is no sample.
    """
    answers = (FAILURE, HANG)

    def param(each: tuple[object, ...], answer: CommandResult, quick: bool) -> object:
        return pytest.param(*each, answer, marks=[] if quick else [pytest.mark.slow])

    simulated = [
        param(each, answer, answer is answers[(number // turns + number % turns) % 2])
        for answer in answers
        for number, each in enumerate(cases)
    ]
    return simulated + [param(each, answer, answer is FAILURE) for answer in answers for each in linux]


def commands_of(world: World, operation: object, name: str) -> int:
    """How many commands that change the host an undisturbed operation takes."""
    world.executor = Faulty(world.host)
    world.do(operation, [name])  # type: ignore[arg-type]
    return world.executor.changes


@pytest.mark.parametrize(
    ("world", "kind", "stack", "after", "answer"), answered(STARTS, LINUX_STARTS, 2), indirect=["world"]
)
def test_a_failure_at_any_step_of_start_leaves_host_and_store_as_they_were(
    world: World, kind: str, stack: str, after: bool, answer: CommandResult
) -> None:
    world.forwarding = False
    prepare(world, kind, stack, base=world.base)
    before, records = world.snapshot(), world.records()
    count = commands_of(world, start, "casserole")
    world.do(stop, ["casserole"])
    assert count >= 3
    for number in range(count):
        records = world.records()
        world.executor = Faulty(world.host, fail_at=number, after=after, answer=answer)
        try:
            world.do(start, ["casserole"])
        except PotnetError as error:
            assert error.message.startswith("cannot start casserole: ")
            assert "injected failure" in error.message
            assert "left behind" not in error.message
            assert world.snapshot() == before, world.executor.changed[number]
            assert world.records() == records
        else:
            # What may fail without harm: asking for an advertisement, and what is then tried one by one.
            assert "rtsol" in world.executor.changed[number] or world.executor.changed[number] == "nft -f -"
            world.executor = Faulty(world.host)
            world.do(stop, ["casserole"])
        world.executor = Faulty(world.host)
    assert commands_of(world, start, "casserole") == count
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


@pytest.mark.parametrize(
    ("world", "kind", "stack", "answer"), answered(STOPS, LINUX_STOPS, 1), indirect=["world"]
)
def test_a_failure_in_stop_leaves_all_else_done_and_a_second_stop_finishes(
    world: World, kind: str, stack: str, answer: CommandResult
) -> None:
    world.forwarding = False
    prepare(world, kind, stack, base=world.base)
    before = world.snapshot()
    world.do(start, ["casserole"])
    count = commands_of(world, stop, "casserole")
    for number in range(count):
        world.executor = Faulty(world.host)
        world.do(start, ["casserole"])
        world.executor = Faulty(world.host, fail_at=number, answer=answer)
        try:
            world.do(stop, ["casserole"])
        except PotnetError as error:
            assert error.message.startswith("cannot stop casserole: ")
            assert "left behind: " in error.message
            # What could still be done was: the failure of one did not keep the others from running.
            assert world.executor.changes >= count - 1
            world.executor = Faulty(world.host)
            world.do(stop, ["casserole"])
        else:
            # What goes together is tried again one by one.
            changed = world.executor.changed[number]
            assert "rc.shutdown" in changed or changed.split()[0] in ("ip", "nft", "find")
        assert world.snapshot() == before, number


class Killed(Faulty):
    """jail(8) is killed when it has done half of what it had to, and takes nothing back."""

    verb = "-c"

    def run(self, command: Command) -> CommandResult:
        if command.argv[0] != "jail" or self.verb not in command.argv:
            return super().run(command)
        if self.verb == "-c":
            self.inner.run(Command(("ifconfig", "em0", "inet", "192.168.178.200/32", "alias")))
            self.inner.run(Command(("ifconfig", "em0", "inet6", "2001:db8:7::200/128", "alias")))
            self.inner.mount("/opt/potnet/jails/casserole/m/dev")  # type: ignore[attr-defined]
        else:
            self.inner.run(Command(("jail", "-r", command.argv[-1])))
        return HANG


def test_what_a_killed_jail_leaves_is_taken_away(world: World) -> None:
    prepare(world, "alias", "dual", base=world.base)
    before, records = world.snapshot(), world.records()
    world.executor = Killed(world.host)
    with pytest.raises(PotnetError, match="no answer") as caught:
        world.do(start, ["casserole"])
    assert not caught.value.left_behind
    assert (world.snapshot(), world.records()) == (before, records)


def test_what_the_removal_of_a_jail_left_when_it_was_killed_is_taken_away_by_repair(world: World) -> None:
    prepare(world, "alias", "dual", base=world.base)
    before = world.snapshot()
    world.do(start, ["casserole"])
    world.executor = Killed(world.host)
    world.executor.verb = "-r"
    with pytest.raises(PotnetError, match=r"left behind: jail .* no answer"):
        world.do(stop, ["casserole"])
    assert world.jails() == []
    assert world.snapshot() != before
    world.executor = Faulty(world.host)
    (finding,) = world.do(check, (), None)
    assert finding.kind is Kind.STOP_CUT_OFF
    world.do(repair, (), None)
    assert world.snapshot() == before
    assert world.do(check, (), None) == ()


def test_what_an_undo_could_not_take_away_is_listed_and_stop_removes_it(world: World) -> None:
    prepare(world, "public-bridge", "ipv4")
    before = world.snapshot()

    class Stubborn(Faulty):
        """Fails at the jail, and then at taking the epair away."""

        def run(self, command):  # type: ignore[no-untyped-def]
            if command.argv[0] == "jail" or command.argv[-1] == "destroy":
                self.fail_at = self.changes
            return super().run(command)

    world.executor = Stubborn(world.host)
    with pytest.raises(PotnetError, match="left behind: ifconfig epair0a destroy") as caught:
        world.do(start, ["casserole"])
    assert len(caught.value.left_behind) == 3
    world.executor = Faulty(world.host)
    world.do(stop, ["casserole"])
    assert world.snapshot() == before


def test_a_fault_of_ours_is_not_taken_for_an_interrupt(world: World) -> None:
    prepare(world, "public-bridge", "ipv4")

    class Broken(Faulty):
        """Breaks at the jail, and fails at taking the epair away."""

        def run(self, command):  # type: ignore[no-untyped-def]
            if command.argv[0] == "jail" and "-c" in command.argv:
                raise ZeroDivisionError("division by zero")
            if command.argv[-1] == "destroy":
                self.fail_at = self.changes
            return super().run(command)

    world.executor = Broken(world.host)
    with pytest.raises(RuntimeError, match=r"(?s)ZeroDivisionError.*left behind: ifconfig epair0a"):
        world.do(start, ["casserole"])
    world.executor = Faulty(world.host)
    world.do(stop, ["casserole"])


def test_an_interrupt_during_start_undoes_it(world: World) -> None:
    prepare(world, "public-bridge", "dual")
    before, records = world.snapshot(), world.records()
    count = commands_of(world, start, "casserole")
    world.do(stop, ["casserole"])
    records = world.records()

    class Interrupted(Faulty):
        def run(self, command):  # type: ignore[no-untyped-def]
            result = super().run(command)
            if result.code == 71:
                raise KeyboardInterrupt
            return result

    for number in range(count):
        for after in (False, True):
            world.executor = Interrupted(world.host, fail_at=number, after=after)
            with pytest.raises(KeyboardInterrupt):
                world.do(start, ["casserole"])
            assert world.snapshot() == before
            assert world.records() == records


@both_hosts
def test_a_failed_change_of_exports_leaves_those_in_force(world: World) -> None:
    prepare(world, "public-bridge", "ipv4")
    world.do(start, ["casserole"])
    before, records = world.snapshot(), world.records()
    for after in (False, True):
        world.executor = Faulty(world.host, fail_at=0, after=after)
        with pytest.raises(PotnetError, match="injected"):
            world.do(export_ports, "casserole", ExportRequest(["443:30443"]))
        assert world.snapshot() == before
        assert world.records() == records


def test_a_bridge_that_another_pot_uses_meanwhile_outlives_a_failed_boot(world: World) -> None:
    for name in ("casserole", "ragout"):
        world.create(name, "public-bridge", base=world.base)

    class Overtaken(Faulty):
        """While the first pot boots, the second one starts; then the boot fails."""

        def run(self, command):  # type: ignore[no-untyped-def]
            if command.argv == ("jexec", "casserole", "/bin/sh", "/etc/rc"):
                world.executor = Faulty(world.host)
                world.do(start, ["ragout"])
                return CommandResult(1, "", "rc: no")
            return super().run(command)

    world.executor = Overtaken(world.host)
    with pytest.raises(PotnetError, match="rc: no"):
        world.do(start, ["casserole"])
    bridge = world.host.interface("bridge0")
    assert bridge is not None
    assert bridge.members == ("epair1a",)
    assert list(world.host.jails()) == ["ragout"]
    assert [run.pot.name for run in world.records()["runs"]] == ["ragout"]


@both_hosts
def test_a_bridge_that_lost_its_address_is_completed(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do(vnet_start, None)
    complete = world.snapshot()
    world.remove_address("bridge0", "10.192.0.1/10")
    world.do(start, ["casserole"])
    world.do(stop, ["casserole"])
    assert world.snapshot() == complete


@both_hosts
def test_a_create_that_fails_when_its_root_is_made_takes_that_away(world: World) -> None:
    class Silent(Faulty):
        def run(self, command: Command) -> CommandResult:
            return HANG if command.argv[0] in ("realpath", "readlink") else super().run(command)

    world.create("ragout", base=world.base)
    before, records = world.snapshot(), world.records()
    world.executor = Silent(world.host)
    with pytest.raises(PotnetError, match="no answer"):
        world.create("casserole", "public-bridge", base=world.base)
    after = world.records()
    assert (world.snapshot(), after["pots"]) == (before, records["pots"])
    world.executor = Faulty(world.host)
    world.create("casserole", "public-bridge", base=world.base)
