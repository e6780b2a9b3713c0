"""What runs programs of a jail's, of all that potnet runs."""

from __future__ import annotations

import pytest
from world import World, both_hosts

from potnet.operations.running.run_exec import execute
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

#: What begins a command that runs programs of a jail, or may do so by a template of the administrator's.
JAILED = (("jexec",), ("jail",), ("ip", "netns", "exec"))


@pytest.mark.parametrize("command", [None, "true"])
@both_hosts
def test_all_that_runs_in_a_jail_is_told_to_have_no_terminal(world: World, command: str | None) -> None:
    world.create("casserole", "public-bridge", "dual", base=world.base, command=command)
    world.do(start, ["casserole"])
    world.do(stop, ["casserole"])
    kept = [c for c in world.executor.commands if any(c.argv[: len(each)] == each for each in JAILED)]
    # Tools of the host, which look into a network namespace.
    jailed = [c for c in kept if c.argv[4:5] not in (("ip",), ("tee",), ("cat",), ("nft",), ("sysctl",))]
    assert world.kind != "sim" or {c.argv[0] for c in jailed} == {"jail", "jexec"}
    assert [c.argv for c in jailed if not c.inside] == []
    assert [c.argv for c in jailed if c.argv[0] != "jail" and not (c.quiet or c.output_to)] == []


def test_what_is_attached_learns_as_little(world: World) -> None:
    world.create("casserole", "public-bridge", base="12.2")
    world.do(start, ["casserole"])
    world.do(execute, "casserole", ("true",))
    assert world.executor.commands[-1].inside
