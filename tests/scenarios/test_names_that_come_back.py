"""A jail that renames, swaps or destroys its interfaces: the host keeps its own, and pf knows them.

What comes home when a jail is removed keeps its name, and a second em0 makes pf lose the first one. So no way
out of a jail may let that happen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from world import FAILURE, Faulty, World

from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult
from potnet.host.findings import Kind
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.doctor import doctor
from potnet.operations.maintenance.repair import repair
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.running.attach import attach, detach
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

#: What root in a jail may call an interface (1 to 15 bytes); the last is no UTF-8.
NAMES = [
    "em0", "em1", "bridge0", "epair1a", "-a", "--", "a b", "a\nem0", "tab\tname", 'q"uote', "back\\slash",
    "sl/ash", "*", "em0 em0", "\x1b[31m", "\udcfc",
]  # fmt: skip


def inside(world: World, *argv: str) -> None:
    """What root in web does."""
    world.do_there("ifconfig", "-j", "web", "--", *argv)


def rename(world: World, name: str) -> None:
    if name != "em1" or "em1" not in world.host.interfaces("web"):
        inside(world, "epair1b", "name", name)


def swap(world: World, name: str) -> None:
    """The jail's own end gets another name, and an epair of the jail's own takes its place."""
    rename(world, name)
    inside(world, "epair1", "create")
    inside(world, "epair1a", "name", "x")


def destroyed(world: World, _: str) -> None:
    inside(world, "epair1b", "destroy")


@pytest.fixture
def pots(world: World) -> World:
    """db, which exports a port, web, which is hostile, and wok; the host has a second interface."""
    world.host.plug("em1")
    for name in ("db", "web", "wok"):
        world.create(name, "public-bridge")
    world.do(export_ports, "db", ExportRequest(("80:30081",)))
    world.do(start, ["db"])
    assert intact(world)
    return world


def intact(world: World) -> bool:
    """Each name is one interface's, and exports, NAT and the isolation of pots are in force."""
    names = world.host.interfaces()
    assert len(names) == len({*names}) and "em0" in names, names
    assert world.reaches("outside", world.address, 30081)
    assert world.host.connect("db", "203.0.113.9", 7).client == world.address
    assert not world.reaches("outside", "10.192.0.3", 80)
    return True


def attached(world: World) -> None:
    """Another manager's jail, with the network of web."""
    with world.app() as app:
        pot = app.store.pot("web")
    assert pot is not None
    world.do_there("jail", "-c", "name=web", f"path={pot.root}", "persist", "vnet")
    world.do(attach, "web", None, False)


def stopped_halfway(world: World) -> None:
    """A stop of web that failed at its first command."""
    world.executor.commands.clear()
    world.executor.fail_at = 0
    with pytest.raises(PotnetError):
        world.do(stop, ["web"])
    world.executor.fail_at = None
    assert "web" in world.jails()


def stop_after_start(world: World, hostile: Callable[[World], None]) -> None:
    world.do(start, ["web"])
    hostile(world)
    world.do(stop, ["web"])


def stop_together(world: World, hostile: Callable[[World], None]) -> None:
    world.do(start, ["web", "wok"])
    hostile(world)
    world.do(stop, ["web", "wok"])


def repair_of_a_stop(world: World, hostile: Callable[[World], None]) -> None:
    world.do(start, ["web"])
    hostile(world)
    stopped_halfway(world)
    world.do(repair, [], None)


def start_after_a_stop_that_was_cut_off(world: World, hostile: Callable[[World], None]) -> None:
    world.do(start, ["web"])
    hostile(world)
    stopped_halfway(world)
    world.do(start, ["web"])
    assert intact(world)
    world.do(stop, ["web"])


def destroy_after_a_start_that_was_cut_off(world: World, hostile: Callable[[World], None]) -> None:
    world.do(start, ["web"])
    hostile(world)
    with world.app() as app:
        # As it is recorded before anything is done, and until all is.
        run = app.store.run("web")
        assert run is not None
        app.store.put_run(replace(run, jid=None))
    world.do(destroy_pot, "web")


def detach_of_a_jail(world: World, hostile: Callable[[World], None]) -> None:
    attached(world)
    hostile(world)
    world.do(detach, ["web"])
    assert world.jails() == ["db", "web"]
    world.do_there("jail", "-r", "web")


def stop_of_an_attached_jail(world: World, hostile: Callable[[World], None]) -> None:
    attached(world)
    hostile(world)
    world.do(stop, ["web", "wok"])
    world.do_there("jail", "-r", "web")


WAYS = [
    stop_after_start, stop_together, repair_of_a_stop, start_after_a_stop_that_was_cut_off,
    destroy_after_a_start_that_was_cut_off, detach_of_a_jail, stop_of_an_attached_jail,
]  # fmt: skip


@pytest.mark.parametrize("trick", [rename, swap, destroyed])
@pytest.mark.parametrize("way", WAYS)
def test_no_way_out_gives_a_second_em0(
    pots: World, way: Callable[..., None], trick: Callable[[World, str], None]
) -> None:
    before = pots.interfaces()
    way(pots, lambda world: trick(world, "em0"))
    assert intact(pots)
    assert pots.jails() == ["db"]
    assert pots.interfaces() == before


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_whatever_a_jail_calls_its_interface(pots: World, name: str) -> None:
    before = pots.interfaces()
    stop_after_start(pots, lambda world: rename(world, name))
    assert pots.interfaces() == before
    assert intact(pots)


class Quick(Faulty):
    """Root in web renames its interface as soon as it has one, as rtsol(8) of its own could."""

    def run(self, command: Command) -> CommandResult:
        if "web" in self.inner.jails() and "epair1b" in self.inner.interfaces("web"):  # type: ignore[attr-defined]
            self.inner.run(Command(("ifconfig", "-j", "web", "epair1b", "name", "em0")))
        return super().run(command)


@pytest.mark.parametrize("passed", [(), ("em1",)])
@pytest.mark.parametrize("names", [("web",), ("web", "wok")])
def test_the_undo_of_a_start_gives_no_second_em0(
    pots: World, names: tuple[str, ...], passed: tuple[str, ...]
) -> None:
    if passed:
        pots.do(destroy_pot, "web")
        pots.create("web", "public-bridge", passed=passed)
    before = pots.interfaces()
    pots.executor.commands.clear()
    pots.do(start, names)
    changes = pots.executor.changes
    pots.do(stop, names)
    for number in (*range(changes), None):
        pots.executor = Quick(pots.host, fail_at=number)
        with pytest.raises(PotnetError):
            pots.do(start, names)
        assert intact(pots), number
        pots.executor = Faulty(pots.host)
        pots.do(stop, names)
        assert sorted(pots.interfaces()) == sorted(before), number


def lent(world: World) -> None:
    world.do(destroy_pot, "web")
    world.create("web", "public-bridge", passed=("em1",))


def named_em0(world: World) -> None:
    inside(world, "em1", "name", "em0")


def named_with_a_dash(world: World) -> None:
    inside(world, "em1", "name", "-a")


def another_in_its_place(world: World) -> None:
    """An interface of the jail's own has its name and its MAC address, and others have the next names."""
    mac = world.host.interface("em1", "web").mac
    inside(world, "em1", "name", "em0")
    inside(world, "em0", "ether", "02:00:00:00:00:99")
    for number, name in enumerate(("em1", "other0", "other1")):
        inside(world, f"epair{20 + number}", "create")
        inside(world, f"epair{20 + number}a", "name", name)
    inside(world, "em1", "ether", mac)


@pytest.mark.parametrize("trick", [named_em0, named_with_a_dash, another_in_its_place])
@pytest.mark.parametrize("way", [way for way in WAYS if way is not start_after_a_stop_that_was_cut_off])
def test_a_passed_interface_is_found_by_what_only_the_host_knows(
    pots: World, way: Callable[..., None], trick: Callable[[World], None]
) -> None:
    lent(pots)
    before, there = pots.interfaces(), pots.host.interface("em1")
    way(pots, trick)
    assert intact(pots)
    assert pots.host.interface("em1") == there
    assert sorted(pots.interfaces()) == sorted(before)


class Restless(Faulty):
    """As long as something runs in web, its interfaces get other names between any two commands."""

    def run(self, command: Command) -> CommandResult:
        host = self.inner
        if host.processes("web"):  # type: ignore[attr-defined]
            for name in host.interfaces("web"):  # type: ignore[attr-defined]
                if name in ("em1", "epair1b"):
                    host.run(Command(("ifconfig", "-j", "web", name, "name", "em0")))
        return super().run(command)


@pytest.mark.parametrize("process", [{}, {"stubborn": True}, {"stubborn": True, "children": 4}], ids=str)
def test_what_runs_in_a_jail_has_ended_before_its_interfaces_are_named(
    pots: World, process: dict[str, object]
) -> None:
    lent(pots)
    there = pots.host.interface("em1")
    pots.do(start, ["web"])
    pots.host.begin("web", **process)
    pots.executor = Restless(pots.host)
    pots.do(stop, ["web"])
    assert pots.host.interface("em1") == there
    assert intact(pots)


def test_a_jail_whose_processes_do_not_end_keeps_its_passed_interface(pots: World) -> None:
    lent(pots)
    pots.do(start, ["web"])
    pots.host.begin("web", children=1000)
    named_em0(pots)
    with pytest.raises(PotnetError, match="processes in web cannot be killed"):
        pots.do(stop, ["web"])
    names = pots.host.interfaces()
    assert names.count("em0") == 1 and pots.jails() == ["db", "web"]
    assert "em0" in pots.host.interfaces("web")
    pots.do_there("pkill", "-KILL", "-j", "web")
    for _ in range(1000):
        pots.host.run(Command(("pkill", "-KILL", "-j", "web")))
    pots.do(stop, ["web"])
    assert intact(pots)


@pytest.mark.parametrize("what", ["epair1a destroy", "name em1", "em1 -vnet web"])
def test_a_jail_stays_while_what_is_the_hosts_is_in_it(pots: World, what: str) -> None:
    class Stuck(Faulty):
        def run(self, command: Command) -> CommandResult:
            if command.changes_host and what in " ".join(command.argv):
                return FAILURE
            return super().run(command)

    lent(pots)
    pots.do(start, ["web"])
    rename(pots, "x")
    named_em0(pots)
    pots.executor = Stuck(pots.host)
    with pytest.raises(PotnetError, match=r"not tried after that failure: .*jail -f - -r web"):
        pots.do(stop, ["web"])
    assert pots.jails() == ["db", "web"]
    assert pots.host.interfaces().count("em0") == 1
    pots.executor = Faulty(pots.host)
    pots.do(stop, ["web"])
    assert intact(pots)


@pytest.mark.parametrize("name", ["none", "any"])
def test_a_pot_of_that_name_ends_no_process_of_the_host_or_of_others(pots: World, name: str) -> None:
    pots.create(name, "public-bridge")
    pots.do(start, [name])
    pots.host.begin("db")
    pots.host.begin(name)
    pots.do(stop, [name])
    assert len(pots.host.processes("db")) == 1
    assert pots.jails() == ["db"]


def test_processes_are_asked_to_end_before_they_are_ended(pots: World) -> None:
    pots.do(start, ["web", "wok"])
    for name in ("web", "wok"):
        pots.host.begin(name)
    pots.executor.commands.clear()
    pots.do(stop, ["web", "wok"])
    assert [line.split()[1] for line in pots.executor.changed if line.startswith("pkill")] == ["-TERM"]


def test_two_interfaces_of_one_name_are_told(pots: World) -> None:
    pots.do(start, ["web"])
    rename(pots, "em0")
    pots.do_there("jail", "-r", "web")
    assert pots.host.interfaces().count("em0") == 2
    found = pots.do(check, [], None)
    told = [finding for finding in found if finding.kind is Kind.INTERFACE_DOUBLED]
    assert [(each.interface, each.repairable) for each in told] == [("em0", False)]
    assert not pots.reaches("outside", pots.address, 30081)


def test_an_interface_that_pf_has_lost_is_told_after_the_other_has_gone(pots: World) -> None:
    """The host's names look right again, exports and NAT are dead, and no load of rules helps (45c, 41e)."""
    pots.do(start, ["web"])
    rename(pots, "em0")
    pots.do_there("jail", "-r", "web")
    pots.do(repair, [], None)
    pots.do_there("pfctl", "-f", "/etc/pf.conf")
    assert pots.host.interfaces().count("em0") == 1
    assert not pots.reaches("outside", pots.address, 30081)
    found = pots.do(check, [], None)
    assert [(each.kind, each.repairable) for each in found] == [(Kind.INTERFACE_LOST, False)]
    assert [each.found for each in pots.do(doctor) if "lost em0" in each.found]
    pots.do_there("kldunload", "pf")
    pots.do_there("kldload", "-n", "pf")
    pots.do_there("pfctl", "-e")
    pots.do_there("pfctl", "-f", "/etc/pf.conf")
    pots.do(repair, [], None)
    assert intact(pots)
    assert pots.do(check, [], None) == ()


def test_pf_lists_a_lost_interface_only_if_a_rule_names_it(pots: World) -> None:
    def listed(*options: str) -> set[str]:
        shown = pots.host.run(Command(("pfctl", *options, "-s", "Interfaces"), changes_host=False))
        return set(shown.out.split()) & {"em0", "em1", "all"}

    assert listed() == listed("-i", "all") == {"all", "em0", "em1"}
    pots.do(start, ["web"])
    rename(pots, "em0")
    pots.do_there("jail", "-r", "web")
    pots.do_there("ifconfig", "epair1a", "destroy")
    assert (listed(), listed("-i", "all")) == ({"all", "em0", "em1"}, {"all", "em1"})
    for anchor in ("pot-nat", "pot-filter/ext", "pot-rdr/db", "pot-rdr/web"):
        pots.do_there("pfctl", "-a", anchor, "-F", "all")
    assert listed() == {"all", "em1"}


def test_the_host_has_taken_the_name_meanwhile(pots: World) -> None:
    lent(pots)
    pots.do(start, ["web"])
    pots.do_there("ifconfig", "epair30", "create")
    pots.do_there("ifconfig", "epair30a", "name", "em1")
    with pytest.raises(PotnetError, match="the host has another em1"):
        pots.do(stop, ["web"])
    assert pots.jails() == ["db", "web"]
    pots.do_there("ifconfig", "em1", "name", "spare0")
    pots.do(stop, ["web"])
    assert intact(pots)


@pytest.mark.parametrize("name", ["em0", "bridge0", "em1"])
def test_what_an_administrator_gave_to_a_jail_comes_home_under_another_name(pots: World, name: str) -> None:
    """potnet does not know of it, and the jail has renamed it."""
    pots.do(start, ["web"])
    pots.host.plug("em7")
    pots.do_there("ifconfig", "em7", "vnet", "web")
    inside(pots, "em7", "name", name)
    pots.do(stop, ["web"])
    assert intact(pots)
    assert "other0" in pots.host.interfaces()
