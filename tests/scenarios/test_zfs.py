"""Roots of pots as datasets of zfs(8), where the directory of the pots is one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from world import World

from potnet.errors import PotnetError
from potnet.executors.base import Command
from potnet.executors.dry_run import DryRun
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

JAILS, ROOT = "/opt/potnet/jails", "/opt/potnet/jails/web/m"


def zfs(world: World, *words: str) -> None:
    result = world.host.run(Command(("zfs", *words)))
    assert result.code == 0, result


@pytest.fixture
def pool(world: World) -> World:
    """A host whose directory of pots is a dataset."""
    world.host.make_pool("zroot")
    zfs(world, "create", "-o", f"mountpoint={JAILS}", "zroot/jails")
    return world


def test_the_root_of_a_pot_is_a_dataset_that_destroy_removes(pool: World) -> None:
    pot = pool.create("web", "public-bridge", base="12.2")
    assert (pot.dataset, pot.root) == ("zroot/jails/web", ROOT)
    assert pool.host.datasets() == {"zroot": "/zroot", "zroot/jails": JAILS, "zroot/jails/web": ROOT}
    assert ROOT in pool.host.mounts() and (pool.host.tree / ROOT[1:] / "etc").is_dir()
    pool.do(start, ["web"])
    assert pool.do(check, (), None) == ()
    pool.do(stop, ["web"])
    pool.do(destroy_pot, "web")
    assert pool.host.datasets() == {"zroot": "/zroot", "zroot/jails": JAILS}
    assert not (pool.host.tree / JAILS[1:] / "web").exists()


@pytest.mark.parametrize("place", ["no pool", "above", "below"])
def test_elsewhere_the_root_is_a_directory_and_zfs_is_not_called(world: World, place: str) -> None:
    """The directory of the pots is no dataset of its own: not even a look at the mounts is made."""
    if place != "no pool":
        world.host.make_pool("zroot")
        zfs(
            world,
            "create",
            "-o",
            f"mountpoint={'/opt' if place == 'above' else '/opt/potnet/cache'}",
            "zroot/x",
        )
    assert world.create("web", base="12.2").dataset is None
    world.do(start, ["web"])
    assert world.do(check, (), None) == ()
    world.do(stop, ["web"])
    world.do(destroy_pot, "web")
    called = [command.argv[0] for command in world.executor.commands]
    assert "zfs" not in called
    # destroy looks at the mounts, as ever.
    assert called.count("mount") == 1


def test_a_dry_run_shows_the_dataset(pool: World) -> None:
    lines: list[str] = []
    pool.executor = DryRun(pool.host, lines.append)  # type: ignore[assignment]
    with pool.app() as app:
        from potnet.operations.pots.create import CreateRequest, create

        create(app, CreateRequest(name="web"))
    assert lines[:2] == [
        f"mkdir -p -m 700 {JAILS}/web",
        f"zfs create -o mountpoint={ROOT} zroot/jails/web",
    ]
    assert "zroot/jails/web" not in pool.host.datasets()


def test_a_dataset_of_others_is_never_taken_over(pool: World) -> None:
    zfs(pool, "create", "-o", "mountpoint=/home/web", "zroot/jails/web")
    before = pool.snapshot()
    with pytest.raises(PotnetError, match="dataset zroot/jails/web already exists"):
        pool.create("web")
    assert pool.snapshot() == before


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_create_that_fails_leaves_no_dataset(pool: World, after: bool) -> None:
    """Whichever step fails, and whether or not it did its work."""
    before = pool.snapshot()
    steps = 0
    while True:
        pool.executor.fail_at, pool.executor.after = pool.executor.changes + steps, after
        try:
            pool.create("web", base="12.2")
        except PotnetError:
            steps += 1
            assert pool.without_folders(pool.snapshot()) == pool.without_folders(before)
            continue
        break
    assert steps >= 3


def test_snapshots_and_children_stop_the_destroy_and_nothing_is_lost(pool: World) -> None:
    pool.create("web")
    zfs(pool, "create", "zroot/jails/web/data")
    with pytest.raises(PotnetError) as caught:
        pool.do(destroy_pot, "web")
    assert (
        "something is mounted in /opt/potnet/jails/web: /opt/potnet/jails/web/m/data" in caught.value.message
    )
    pool.host.run(Command(("umount", f"{ROOT}/data")))
    with pytest.raises(PotnetError) as caught:
        pool.do(destroy_pot, "web")
    assert "filesystem has children" in caught.value.message
    assert {"zroot/jails/web", "zroot/jails/web/data"} <= pool.host.datasets().keys()
    zfs(pool, "destroy", "zroot/jails/web/data")
    pool.do(destroy_pot, "web")
    assert "zroot/jails/web" not in pool.host.datasets()


def gone(world: World) -> None:
    zfs(world, "destroy", "-f", "zroot/jails/web")


def replaced(world: World) -> None:
    gone(world)
    zfs(world, "create", "-o", "mountpoint=/home/web", "zroot/jails/web")


@pytest.mark.parametrize(("change", "refused"), [(gone, False), (replaced, True)])
def test_destroy_removes_exactly_the_recorded_dataset(
    pool: World, change: Callable[[World], None], refused: bool
) -> None:
    pool.create("web")
    change(pool)
    if refused:
        with pytest.raises(PotnetError, match="has the mount point /home/web, not /opt/potnet/jails/web/m"):
            pool.do(destroy_pot, "web")
        assert pool.host.datasets()["zroot/jails/web"] == "/home/web"
        return
    pool.do(destroy_pot, "web")
    with pool.app() as app:
        assert not app.store.has_pot("web")
    assert not (pool.host.tree / JAILS[1:] / "web").exists()


def test_an_unmounted_root_is_refused_reported_and_mounted_again(pool: World) -> None:
    pool.create("web", base="12.2")
    pool.create("db")
    pool.host.run(Command(("umount", ROOT)))
    with pytest.raises(PotnetError) as caught:
        pool.do(start, ["web", "db"])
    assert "dataset zroot/jails/web is not mounted" in caught.value.message
    assert pool.jails() == ["db"]
    (finding,) = pool.do(check, (), None)
    assert (finding.kind, finding.pot) == ("dataset-unmounted", "web")
    assert [each.kind for each in pool.do(repair, (), None).mended] == ["dataset-unmounted"]
    assert pool.do(check, (), None) == ()
    pool.do(start, ["web"])
    assert sorted(pool.jails()) == ["db", "web"]


def test_the_dataset_of_an_imported_or_given_root_stays(pool: World) -> None:
    zfs(pool, "create", "-o", "mountpoint=/data/web", "zroot/data")
    pot = pool.create("web", path="/data/web")
    assert pot.dataset is None
    pool.do(destroy_pot, "web")
    assert pool.host.datasets()["zroot/data"] == "/data/web" and "/data/web" in pool.host.mounts()
