"""init, on a host as its installer leaves it."""

from __future__ import annotations

import pytest
from world import Faulty, World

from potnet.errors import PotnetError
from potnet.operations.export_ports import export_ports
from potnet.operations.init import init
from potnet.operations.start import start


def test_a_bare_host_becomes_one_that_can_start_pots(bare_world: World) -> None:
    world = bare_world
    world.create("casserole", "public-bridge")
    world.do(export_ports, "casserole", ["80:30080"], False)
    with pytest.raises(PotnetError, match="pf is not enabled"):
        world.do(start, ["casserole"])
    report = world.do(init, False, False)
    assert not report.loaded
    assert report.load_commands[-1] == "pfctl -e"
    assert "pfctl -f /etc/pf.conf" in report.load_commands
    text = (world.host.tree / "etc/pf.conf").read_text()
    assert 'rdr-anchor "pot-rdr/*"' in text
    with pytest.raises(PotnetError, match="pf is not enabled"):
        world.do(start, ["casserole"])
    assert world.do(init, True, False).loaded
    world.do(start, ["casserole"])
    assert world.host.connect("outside", "192.168.178.20", 30080).ok


def test_twice_is_harmless(bare_world: World) -> None:
    bare_world.do(init, True, True)
    before = bare_world.host.snapshot()
    again = bare_world.do(init, True, True)
    assert (again.done, again.load_commands) == ((), ())
    assert bare_world.host.snapshot() == before


def test_a_prepared_host_is_left_alone(world: World) -> None:
    before = world.host.snapshot()
    report = world.do(init, True, False)
    assert (report.done, report.load_commands) == ((), ())
    assert world.host.snapshot() == before


def test_the_file_as_it_was_is_kept(bare_world: World) -> None:
    rules = bare_world.host.tree / "etc/pf.conf"
    rules.write_text("set skip on lo0\npass\n")
    rules.chmod(0o600)
    report = bare_world.do(init, False, False)
    assert "before-potnet" in report.done[0]
    assert (rules.parent / "pf.conf.before-potnet").read_text() == "set skip on lo0\npass\n"
    assert rules.stat().st_mode & 0o777 == 0o600
    assert rules.read_text().splitlines()[0] == "set skip on lo0"
    assert rules.read_text().splitlines()[-1] == "pass"
    assert [p.name for p in rules.parent.iterdir() if "potnet-new" in p.name] == []


def test_rules_that_pf_would_not_take_are_not_put_in_place(bare_world: World) -> None:
    rules = bare_world.host.tree / "etc/pf.conf"
    rules.write_text("pass in on\n")
    before = bare_world.host.snapshot()["files"]
    with pytest.raises(PotnetError, match="pfctl -nf"):
        bare_world.do(init, True, False)
    after = bare_world.host.snapshot()["files"]
    assert {p for p in after if "potnet-new" in p} == set()
    assert after["/etc/pf.conf"] == before["/etc/pf.conf"]


def test_a_failure_at_any_step_leaves_pf_conf_whole(bare_world: World) -> None:
    rules = bare_world.host.tree / "etc/pf.conf"
    rules.write_text("pass\n")
    for number in range(6):
        bare_world.executor = Faulty(bare_world.host, fail_at=number)
        try:
            bare_world.do(init, False, False)
        except PotnetError:
            assert rules.read_text() == "pass\n" or 'anchor "pot-filter/*"' in rules.read_text()
            assert [p.name for p in rules.parent.iterdir() if "potnet-new" in p.name] == []
    bare_world.executor = Faulty(bare_world.host)
    bare_world.do(init, True, False)
    assert 'anchor "pot-filter/*"' in rules.read_text()
