"""Roots whose paths hold what ends a line elsewhere, or what tools print around paths."""

from __future__ import annotations

import pytest
from world import World

from potnet.errors import PotnetError
from potnet.operations.maintenance.check import check
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

ODD = ("u\u2028x", "v\x85x", "w\u2029q", "x on /y (ufs)", 'q"uo\\te', "a  b ", "\u00e9", "= dying", ") = 00")


@pytest.mark.parametrize("name", ODD)
def test_a_pot_lives_at_an_odd_path(world: World, name: str) -> None:
    root = world.directory / "roots" / name
    (root / "dev").mkdir(parents=True)
    (root / "etc").mkdir()
    world.create("web", "public-bridge", path=str(root))
    world.do(start, ("web",))
    assert world.do(check, (), None) == ()
    assert world.host.jails()["web"].path == str(root)
    assert world.host.mounts() == [f"{root}/dev"]
    (root / "etc/hosts").write_text("127.0.0.1 elsewhere\n")
    assert [str(found.kind) for found in world.do(check, (), None)] == ["file-differs"]
    world.do_there("jail", "-r", "web")
    world.do(stop, ("web",))
    assert world.host.mounts() == []
    world.do(destroy_pot, "web")
    assert root.is_dir()


def test_roots_side_by_side_do_not_overlap(world: World) -> None:
    """A root that was given may be called as one that is made."""
    for name in ("m", "n", "m/inner", "o/m"):
        (world.directory / "srv" / name).mkdir(parents=True)
    srv = world.directory / "srv"
    for number, name in enumerate(("m", "n", "o/m")):
        world.create(f"pot{number}", path=str(srv / name))
    for name in ("m/inner", "o"):
        with pytest.raises(PotnetError, match="overlap"):
            world.create("late", path=str(srv / name))
