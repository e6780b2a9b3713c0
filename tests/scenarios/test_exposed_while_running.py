"""What start refuses, told by check and doctor: devices of the host in jails, ways that others can change."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from world import World, both_hosts

from potnet.errors import PotnetError
from potnet.model.pots import HookKind
from potnet.operations.files.hooks import set_hook
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.doctor import doctor
from potnet.operations.maintenance.store import backup
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

ALICE = 1001
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")
JAILS = "opt/potnet/jails"
STOPPING = (HookKind.PRESTOP, HookKind.POSTSTOP)


def kinds(world: World) -> set[str]:
    return {f"{each.kind} {each.pot}" for each in world.do(check, [], None)}


def condition(world: World, subject: str) -> str:
    return str(next(each.verdict for each in world.do(doctor) if each.subject == subject))


@pytest.fixture
def running(world: World) -> World:
    for name in ("web", "db"):
        world.create(name, "public-bridge", base="12.2")
        (world.host.tree / f"{JAILS}/{name}/m/etc/rc").unlink()
    (world.host.tree / f"{JAILS}/db/m/dev").rmdir()
    world.do(start, ["web", "db"])
    assert world.do(check, [], None) == ()
    return world


@pytest.mark.parametrize("gone", ["-s 4 delset", "-s 1 delset", "-s 4 del 100"])
def test_a_ruleset_that_hides_nothing_any_more(running: World, gone: str) -> None:
    assert condition(running, "devices") == "ok"
    running.do_there("devfs", "rule", *gone.split())
    # A jail without a device file system sees none.
    assert kinds(running) == {"devices-exposed web"}
    assert condition(running, "devices") == "limited"
    running.do_there("service", "devfs", "restart")
    assert kinds(running) == set()
    assert condition(running, "devices") == "ok"


@pytest.mark.parametrize("place", [JAILS, f"{JAILS}/web", "opt"])
@pytest.mark.parametrize("how", [pytest.param("owner", marks=as_root), "mode"])
def test_a_way_to_a_root_that_others_can_change(running: World, place: str, how: str) -> None:
    path = running.host.tree / place
    before = path.stat()
    assert condition(running, "directory of jails") == "ok"
    if how == "owner":
        os.chown(path, ALICE, -1)
    else:
        path.chmod(0o777)
    shared = not place.endswith("/web")
    assert kinds(running) == {"root-exposed web", *(["root-exposed db"] if shared else [])}
    assert condition(running, "directory of jails") == ("limited" if shared else "ok")
    running.do(stop, ["web"])
    with pytest.raises(PotnetError, match="is not safe"):
        running.do(start, ["web"])
    os.chown(path, before.st_uid, -1)
    path.chmod(before.st_mode & 0o7777)
    running.do(start, ["web"])
    assert kinds(running) == set()


@pytest.mark.parametrize("up", [".", ".."])
def test_hooks_are_kept_where_only_root_can_change_them(world: World, tmp_path: Path, up: str) -> None:
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\n")
    (world.host.tree / "data/web/etc").mkdir(parents=True)
    jails = world.host.tree / JAILS
    jails.mkdir(parents=True, exist_ok=True)
    world.create("web", path="/data/web")
    place = (jails / up).resolve()
    mode = place.stat().st_mode & 0o7777
    place.chmod(0o777)
    before = world.snapshot()
    with pytest.raises(PotnetError, match="where the hooks of web are kept, is not safe"):
        world.do(set_hook, "web", {HookKind.PRESTART: hook})
    assert world.snapshot() == before
    place.chmod(mode)
    world.do(set_hook, "web", {HookKind.PRESTART: hook})
    world.do(start, ["web"])
    place.chmod(0o777)
    assert kinds(world) == {"root-exposed web"}
    world.do(stop, ["web"])
    with pytest.raises(PotnetError, match="is not safe"):
        world.do(start, ["web"])


@as_root
@pytest.mark.parametrize("how", ["owner", "mode", "above"])
def test_no_backup_is_written_where_others_can_lead_it_elsewhere(
    world: World, tmp_path: Path, how: str
) -> None:
    world.create("web")
    place = tmp_path / "alice" / "backups"
    place.mkdir(parents=True)
    if how == "mode":
        place.chmod(0o777)
    else:
        os.chown(place if how == "owner" else place.parent, ALICE, -1)
    with pytest.raises(PotnetError, match="root obeys only files of root"):
        world.do(backup, place / "backup", False)
    assert list(place.iterdir()) == []
    for each in (place, place.parent):
        os.chown(each, 0, -1)
        each.chmod(0o700)
    world.do(backup, place / "backup", False)
    assert [path.name for path in place.iterdir()] == ["backup"]


HOOK_PLACES = [
    ("conf/{kind}", 0o722),
    ("conf/{kind}", 0o1777),
    ("conf", 0o770),
    (".", 0o777),
    ("..", 0o777),
]


def hook_of(world: World, kind: HookKind) -> Path:
    """Where the hook of the pot is, on this machine."""
    path = f"{world.config.jails}/web/conf/{kind}"
    return Path(path) if world.kind == "linux" else world.host.tree / path.lstrip("/")


def ran(world: World, kind: HookKind) -> bool:
    return any(line.endswith(f"web/conf/{kind}") for line in world.executor.changed)


@as_root
@both_hosts
@pytest.mark.parametrize("kind", [HookKind.PRESTOP, HookKind.POSTSTOP])
def test_a_stop_skips_a_hook_that_others_can_change_and_goes_on(
    world: World, tmp_path: Path, kind: HookKind
) -> None:
    script = tmp_path / "hook"
    script.write_text("#!/bin/sh\n")
    world.create("web", "public-bridge")
    world.do(set_hook, "web", dict.fromkeys(HookKind, script))
    for place, mode in HOOK_PLACES:
        path = Path(os.path.normpath(hook_of(world, kind).parents[1] / place.format(kind=kind)))
        world.do(start, ["web"])
        before = path.stat().st_mode & 0o7777
        path.chmod(mode)
        if mode == 0o770:
            os.chown(path, -1, ALICE)
        world.executor.commands.clear()
        with pytest.raises(
            PotnetError, match=f"potnet skipped the {kind} hook of web: .* is not safe"
        ) as told:
            world.do(stop, ["web"])
        assert told.value.hint is not None
        assert not ran(world, kind)
        assert world.jails() == []
        assert world.records()["runs"] == ()
        if place == "conf/{kind}":
            assert ran(world, next(each for each in STOPPING if each is not kind))
        else:
            with pytest.raises(PotnetError, match="is not safe"):
                world.do(start, ["web"])
            assert world.jails() == []
        path.chmod(before)
        os.chown(path, -1, 0)
    world.do(start, ["web"])
    world.executor.commands.clear()
    world.do(stop, ["web"])
    assert all(ran(world, each) for each in STOPPING)


@both_hosts
@pytest.mark.parametrize("kind", [HookKind.PRESTART, HookKind.POSTSTART])
def test_a_hook_of_somebody_else_is_found_before_a_start_changes_anything(
    world: World, tmp_path: Path, kind: HookKind
) -> None:
    script = tmp_path / "hook"
    script.write_text("#!/bin/sh\n")
    world.create("web", "public-bridge")
    world.do(set_hook, "web", {kind: script})
    hook_of(world, kind).chmod(0o777)
    before = world.snapshot()
    with pytest.raises(PotnetError, match=f"the {kind} hook of web is not safe: everybody can write to"):
        world.do(start, ["web"])
    assert world.snapshot() == before
    assert not ran(world, kind)
    assert world.records()["runs"] == ()


@both_hosts
def test_a_link_on_the_way_to_hooks_counts_by_what_it_leads_to(world: World, tmp_path: Path) -> None:
    script = tmp_path / "hook"
    script.write_text("#!/bin/sh\n")
    jails = hook_of(world, HookKind.PRESTOP).parents[2]
    moved = jails.parents[1] / "elsewhere" / "jails"
    moved.mkdir(0o755, parents=True)
    jails.parent.mkdir(parents=True, exist_ok=True)
    if jails.exists():
        jails.rmdir()
    jails.symlink_to("../elsewhere/jails")
    world.create("web", "public-bridge")
    world.do(set_hook, "web", {HookKind.PRESTOP: script})
    world.do(start, ["web"])
    moved.parent.chmod(0o777)
    with pytest.raises(PotnetError, match=r"skipped the prestop hook of web: .* write to \S*/elsewhere "):
        world.do(stop, ["web"])
    assert world.jails() == []
