"""Roots on a way that somebody else than root of the host can change."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from world import World

from potnet.errors import PotnetError
from potnet.operations.pots.copy_in import copy_in
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.pots.rename import rename
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

ALICE = 1001
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root that is there already, below a home."""
    root = tmp_path / "home" / "alice" / "jail"
    (root / "etc").mkdir(parents=True)
    (root / "etc/hosts").write_text("the jail's own\n")
    return root


#: The directory of the way, from the root upwards, and what is done to it.
CHANGES = [
    *(pytest.param(up, "owner", marks=as_root) for up in ("etc", ".", "..", "../..")),
    *((up, "everybody") for up in ("etc", ".", "..", "../..")),
    *(pytest.param(up, "group", marks=as_root) for up in ("etc", ".", "..", "../..")),
    ("etc", "sticky"),
]


def expose(place: Path, how: str) -> str:
    """Let others change a directory; what is said of it."""
    if how == "owner":
        os.chown(place, ALICE, 0)
        return f"user {ALICE} owns"
    if how == "group":
        os.chown(place, -1, ALICE)
        place.chmod(0o775)
        return f"group {ALICE} can write to"
    place.chmod(0o1777 if how == "sticky" else 0o777)
    return "everybody can write to"


@pytest.mark.parametrize(("up", "how"), CHANGES)
def test_a_root_that_others_can_lead_elsewhere_is_refused(
    world: World, root: Path, up: str, how: str
) -> None:
    said = expose(root / up, how)
    before = world.snapshot()
    place = re.escape(os.path.normpath(root / up))
    with pytest.raises(PotnetError, match=f"is not safe: {said} {place} and could redirect"):
        world.create("web", path=str(root))
    assert world.snapshot() == before
    assert world.records()["pots"] == ()


@pytest.mark.parametrize(("up", "how"), CHANGES)
def test_a_root_that_others_can_lead_elsewhere_by_now_is_not_written(
    world: World, root: Path, up: str, how: str
) -> None:
    world.create("web", path=str(root))
    said = expose(root / up, how)
    source = root.parent.parent.parent / "copied"
    source.write_text("text")
    before = world.snapshot()
    with pytest.raises(PotnetError, match=f"is not safe: {said}"):
        world.do(start, ["web"])
    with pytest.raises(PotnetError, match=f"is not safe: {said}"):
        world.do(copy_in, "web", source, "/copied")
    assert world.snapshot() == before
    assert world.jails() == []


def test_a_sticky_directory_above_is_safe(world: World, root: Path) -> None:
    root.parent.chmod(0o1777)
    world.create("web", path=str(root))
    world.do(start, ["web"])
    world.do(stop, ["web"])


def test_a_link_on_the_way_counts_by_what_it_leads_to(world: World, root: Path, tmp_path: Path) -> None:
    (tmp_path / "short").symlink_to(root)
    root.parent.chmod(0o777)
    with pytest.raises(PotnetError, match="is not safe: everybody can write to"):
        world.create("web", path=str(tmp_path / "short"))


def test_a_running_pot_can_be_stopped_whatever_became_of_its_way(world: World, root: Path) -> None:
    world.create("web", path=str(root))
    world.do(start, ["web"])
    root.parent.chmod(0o777)
    world.do(stop, ["web"])
    assert (root / "etc/hosts").read_text() == "the jail's own\n"


@pytest.mark.parametrize(("key", "up"), [("jails", ""), ("jails", ".."), ("cache", ""), ("cache", "..")])
def test_neither_roots_nor_archives_are_kept_where_others_can_swap_them(
    world: World, key: str, up: str
) -> None:
    place = world.host.tree / "srv/pots"
    place.mkdir(parents=True)
    world.configure(f'[paths]\n{key} = "/srv/pots"\n')
    (place / up).chmod(0o777)
    with pytest.raises(PotnetError, match="is not safe: everybody can write to /srv"):
        world.create("web", base="12.2")
    assert world.records()["pots"] == ()
    if key == "cache":
        # Without a release, nothing is taken from there.
        world.create("web")


@pytest.mark.parametrize("how", ["everybody", pytest.param("owner", marks=as_root)])
def test_a_directory_that_others_can_lead_elsewhere_is_neither_moved_nor_removed(
    world: World, how: str
) -> None:
    """A pot called home, and a link in the place of the directory of all pots, would lead root to /home."""
    world.create("home")
    place = world.host.tree / "opt"
    before = world.snapshot()
    mode = place.stat().st_mode
    said = expose(place, how)
    for work, words in ((rename, ("home", "web")), (destroy_pot, ("home",))):
        with pytest.raises(PotnetError, match=f"is neither moved nor removed: {said} /opt and could lead"):
            world.do(work, *words)
    place.chmod(mode)
    if how == "owner":
        os.chown(place, 0, 0)
    assert world.snapshot() == before
    world.do(destroy_pot, "home")
    assert not (world.host.tree / "opt/potnet/jails/home").exists()
