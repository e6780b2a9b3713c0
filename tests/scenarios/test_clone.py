"""clone: a pot with the settings and the root of another one, and with addresses of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from crash_cases import script
from world import World, both_hosts

from potnet.errors import PotnetError, UsageError
from potnet.model.pots import HookKind, NetworkType
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.files.hooks import set_hook
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks import policies
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.network_options import NetworkOptions
from potnet.operations.pots.clone import clone
from potnet.operations.pots.create import CreateRequest, create
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

JAILS = "opt/potnet/jails"


def on_datasets(world: World) -> None:
    world.host.make_pool("zroot")
    world.do_there("zfs", "create", "-o", f"mountpoint=/{JAILS}", "zroot/jails")


def furnish(world: World, root: Path) -> None:
    """Give a root what is easily lost in a copy."""
    (root / "usr/share").mkdir(parents=True)
    (root / "usr/share/page").write_text("text")
    (root / "usr/share/twin").hardlink_to(root / "usr/share/page")
    (root / "usr/share/link").symlink_to("/etc/passwd")
    (root / "usr/share/page").chmod(0o4755)


@pytest.mark.parametrize("dataset", [False, True], ids=["directory", "dataset"])
def test_a_clone_has_settings_root_hooks_and_policies(world: World, dataset: bool) -> None:
    if dataset:
        on_datasets(world)
    for bridge in ("stove", "oven"):
        world.do(create_private_bridge, BridgeRequest(bridge, 4))
    world.create("db", "private-bridge", bridge="oven")
    limits = NetworkOptions(internet=False, bandwidth_out="1Mbit/s", isolate=True)
    web = world.create(
        "web",
        "private-bridge",
        bridge="stove",
        more=((NetworkType.PUBLIC_BRIDGE, None),),
        macs=("02:00:00:00:00:77",),
        base="12.2",
        boot=True,
        command="/bin/sh -c true",
        needs=("db",),
        priority=3,
        network=limits,
    )
    furnish(world, world.host.tree / web.root[1:])
    world.do(export_ports, "web", ExportRequest(["80:30080", "443"]))
    world.do(policies.add, "web", "db", "5432", True)
    world.do(policies.add, "db", "web", None, True)
    world.do(set_hook, "web", {HookKind.PRESTART: script(world, "true\n")})
    world.notices.clear()
    made = world.do(clone, "web", "web2")
    assert made.leased and set(made.leased).isdisjoint(web.leased)
    assert {a.mac for a in made.attachments}.isdisjoint(a.mac for a in web.attachments)
    same = ("network_type", "stack", "command", "boot", "needs", "priority", "internet", "rate_out")
    assert [getattr(made, name) for name in same] == [getattr(web, name) for name in same]
    assert (made.bridges, made.hostname, made.hooks) == (web.bridges, "web2", (HookKind.PRESTART,))
    assert [each.pot_port for each in made.exports] == [443]
    assert world.notices == ["exports with a port of the host stay with web: 80:30080"]
    root = world.host.tree / JAILS / "web2/m"
    page, twin = root / "usr/share/page", root / "usr/share/twin"
    assert page.read_text() == "text" and page.stat().st_mode & 0o7777 == 0o4755
    assert str((root / "usr/share/link").readlink()) == "/etc/passwd"
    assert dataset or page.samefile(twin)
    assert (world.host.tree / JAILS / "web2/conf/prestart").read_text().endswith("true\n")
    assert sorted(path.name for path in (world.host.tree / JAILS / "web2").iterdir()) == ["conf", "m"]
    with world.app() as app:
        sides = {(each.source.name, each.destination.name) for each in app.store.policies()}
    assert sides == {("web", "db"), ("db", "web"), ("web2", "db"), ("db", "web2")}
    world.do(start, ["web", "web2"])
    assert world.do(check, (), None) == ()
    world.do(stop, ["web", "web2"])
    for name in ("web", "web2"):
        world.do(destroy_pot, name)
        assert not (world.host.tree / JAILS / name).exists()
        assert world.do(check, (), None) == ()
    assert not dataset or set(world.host.datasets()) == {"zroot", "zroot/jails", "zroot/jails/db"}


@both_hosts
def test_a_clone_of_a_directory_of_the_user(world: World, tmp_path: Path) -> None:
    (tmp_path / "own/etc").mkdir(parents=True)
    (tmp_path / "own/etc/motd").write_text("welcome")
    world.create("web", "public-bridge", path=f"{tmp_path}/own")
    made = world.do(clone, "web", "web2", ["10.192.0.77"])
    assert (str(made.ipv4), made.root_made) == ("10.192.0.77", True)
    world.do(start, ["web2"])
    assert world.do(check, (), None) == ()
    world.do(stop, ["web2"])
    world.do(destroy_pot, "web2")
    assert (tmp_path / "own/etc/motd").read_text() == "welcome"


def test_clones_of_clones_go_in_any_order(world: World) -> None:
    on_datasets(world)
    world.create("a", base="12.2")
    for one, other in (("a", "b"), ("a", "c"), ("b", "d")):
        world.do(clone, one, other)
    for name in ("a", "b", "c", "d"):
        world.do(destroy_pot, name)
        assert world.do(check, (), None) == ()
    assert set(world.host.datasets()) == {"zroot", "zroot/jails"}


def test_snapshots_of_others_are_never_given_to_a_clone(world: World) -> None:
    on_datasets(world)
    world.create("a", base="12.2")
    world.do_there("zfs", "snapshot", "zroot/jails/a@mine")
    world.do(clone, "a", "b")
    with pytest.raises(PotnetError, match="filesystem has children"):
        world.do(destroy_pot, "a")
    assert "zroot/jails/a" in world.host.datasets()


@pytest.mark.parametrize("dataset", [False, True], ids=["directory", "dataset"])
def test_a_step_that_fails_leaves_nothing(world: World, dataset: bool) -> None:
    if dataset:
        on_datasets(world)
    world.create("web", "public-bridge", base="12.2")
    world.do(set_hook, "web", {HookKind.PRESTART: script(world)})
    before, records, steps = world.snapshot(), world.records(), 0
    while True:
        world.executor.fail_at, world.executor.after = world.executor.changes + steps, bool(steps % 2)
        try:
            world.do(clone, "web", "web2")
        except PotnetError:
            steps += 1
            assert (world.snapshot(), world.records()) == (before, records), steps
            continue
        break
    assert steps >= 5


@pytest.mark.parametrize("going_on", [repair, clone, create])
def test_an_interrupted_clone_leaves_no_snapshot(world: World, going_on: Callable[..., Any]) -> None:
    on_datasets(world)
    world.create("web", base="12.2")
    made = world.do(clone, "web", "web2")
    # As after the command was killed behind the snapshot, before the clone of it.
    world.do_there("zfs", "destroy", "-f", "zroot/jails/web2")
    world.do_there("zfs", "snapshot", "zroot/jails/web@potnet-web2")
    with world.app() as app:
        from dataclasses import replace

        app.store.update_pot(replace(made, whole=False))
        app.store.remember("snapshot web2", "zroot/jails/web@potnet-web2")
    if going_on is repair:
        world.do(repair, (), None)
    elif going_on is clone:
        world.do(clone, "web", "web2")
    else:
        world.do(create, CreateRequest("web2"))
    if going_on is not repair:
        world.do(destroy_pot, "web2")
    world.do(destroy_pot, "web")
    assert world.do(check, (), None) == () and set(world.host.datasets()) == {"zroot", "zroot/jails"}


def test_other_clones_are_refused_with_nothing_changed(world: World, tmp_path: Path) -> None:
    world.create("web", "public-bridge", base="12.2")
    world.create("up", "public-bridge")
    world.create("host", path="/")
    world.create("alias", "alias")
    world.create("mounted", base="12.2")
    world.host.mount(f"/{JAILS}/mounted/m/mnt")
    world.do(start, ["up"])
    (world.host.tree / JAILS / "left").mkdir()
    refused = (
        ("up", "up2", (), "up is running"),
        ("nosuch", "web2", (), "'nosuch' not found"),
        ("web", "web", (), "has that name already"),
        ("web", "UP", (), "pot up already exists"),
        ("web", "left", (), "/opt/potnet/jails/left already exists"),
        ("web", "../x", (), "invalid pot name"),
        ("web", "a b", (), "invalid pot name"),
        ("web", "wpad", (), "another meaning"),
        ("web", "web2", ("192.0.2.1",), "outside network public"),
        ("web", "web2", ("10.192.0.3",), "in use by pot"),
        ("host", "host2", (), "the host's own"),
        ("alias", "alias2", (), "-N alias needs an address"),
        ("mounted", "mounted2", (), "something is mounted"),
    )
    before, records = world.snapshot(), world.records()
    for old, new, addresses, why in refused:
        with pytest.raises((PotnetError, UsageError), match=why):
            world.do(clone, old, new, addresses)
        assert (world.snapshot(), world.records()) == (before, records), (old, new)
