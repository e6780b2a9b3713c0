"""What check and repair make of files: those of running pots, and those that a command has half written."""

from __future__ import annotations

import os

import pytest
from test_repair import NAMES, found, mend, named, prepare
from world import FAILURE, Faulty, World

from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult
from potnet.operations.maintenance.init import init
from potnet.operations.pots.copy_in import copy_in
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop


@pytest.fixture
def kitchen(world: World) -> World:
    """A host with a running pot of each kind, all of it as it should be."""
    prepare(world)
    world.do(start, NAMES)
    return world


def test_a_resolver_of_the_host_that_is_another_by_now(kitchen: World) -> None:
    (kitchen.host.tree / "etc/resolv.conf").write_text("nameserver 192.168.178.77\n")
    assert found(kitchen) == [f"file-differs {name}" for name in sorted(NAMES)]
    mend(kitchen)
    assert kitchen.etc("stew", "resolv.conf") == "nameserver 192.168.178.77\n"


def test_a_link_or_a_pipe_in_the_place_of_a_file_is_not_read(kitchen: World) -> None:
    etc = kitchen.host.tree / "opt/potnet/jails/stew/m/etc"
    for name, make in (("hosts", os.mkfifo), ("resolv.conf", lambda path: path.symlink_to("/etc/passwd"))):
        (etc / name).unlink()
        make(etc / name)
    assert found(kitchen) == ["file-missing stew"] * 2
    with (etc / "hosts.big").open("wb") as file:
        file.truncate(1 << 40)
    (etc / "hosts.big").rename(etc / "hosts")
    assert found(kitchen) == ["file-missing stew", "file-differs stew"]


def test_a_hosts_file_that_a_new_pot_is_not_in_yet_is_as_it_should_be(kitchen: World) -> None:
    kitchen.create("ragout", "public-bridge")
    assert found(kitchen) == []
    kitchen.do(start, ["ragout"])
    assert "ragout" in kitchen.etc("stew", "hosts")
    assert found(kitchen) == []


@pytest.mark.parametrize("how", ["destroyed", "started"])
def test_hosts_files_that_were_not_all_written_are_found_and_mended(kitchen: World, how: str) -> None:
    kitchen.create("ragout", "public-bridge")
    if how == "destroyed":
        kitchen.do(start, ["ragout"])
        kitchen.do(stop, ["ragout"])

    class Dead(Faulty):
        def run(self, command: Command) -> CommandResult:
            if "hosts.potnet-new" in " ".join(command.argv):
                raise SystemExit
            return super().run(command)

    kitchen.executor = Dead(kitchen.host)
    with pytest.raises(SystemExit):
        if how == "destroyed":
            kitchen.do(destroy_pot, "ragout")
        else:
            kitchen.do(start, ["ragout"])
    kitchen.executor = Faulty(kitchen.host)
    assert found(kitchen) == ["file-differs stew"]
    mend(kitchen)
    assert ("ragout" in kitchen.etc("stew", "hosts")) == (how == "started")
    assert found(kitchen) == []


def test_a_copy_that_was_cut_off_is_told_until_it_is_done(kitchen: World) -> None:
    kitchen.create("ragout", "inherit", base="12.2")
    source = kitchen.directory / "motd"
    source.write_text("hello\n")
    kitchen.executor = Faulty(kitchen.host, fail_at=0, after=True)
    with pytest.raises(PotnetError, match="left behind: a partial copy at ") as caught:
        kitchen.do(copy_in, "ragout", source, "/etc/motd")
    assert "injected failure" in caught.value.message
    kitchen.executor = Faulty(kitchen.host)
    assert found(kitchen) == ["command-cut-off ragout"]
    assert [finding.remedy for finding in mend(kitchen).left] == ["copy it in once more: /etc/motd"]
    kitchen.do(copy_in, "ragout", source, "/etc/motd.template")
    assert found(kitchen) == ["command-cut-off ragout"]
    kitchen.do(copy_in, "ragout", source, "/etc/motd")
    assert found(kitchen) == []


def test_an_init_that_failed_is_finished_by_repair(bare_world: World) -> None:
    world = bare_world
    (world.host.tree / "etc/pf.conf").write_text("pass\n")
    before = world.host.snapshot()
    world.executor = Faulty(world.host, fail_at=0)
    with pytest.raises(PotnetError) as caught:
        world.do(init, True, False)
    assert (world.host.snapshot(), caught.value.left_behind, found(world)) == (before, (), [])

    class NoVariables(Faulty):
        def run(self, command: Command) -> CommandResult:
            return FAILURE if command.changes_host and command.argv[0] == "sysrc" else super().run(command)

    world.executor = NoVariables(world.host)
    with pytest.raises(PotnetError, match=r"left behind: /etc/pf.conf: anchors added") as caught:
        world.do(init, True, False)
    assert "potnet init" in str(caught.value.hint)
    world.executor = Faulty(world.host)
    assert found(world) == ["command-cut-off"]
    assert [named(finding) for finding in mend(world).mended] == ["command-cut-off"]
    report = world.do(init, True, False)
    assert (report.done, report.load_commands, found(world)) == ((), (), [])
    assert 'rdr-anchor "pot-rdr/*"' in (world.host.tree / "etc/pf.conf").read_text()
