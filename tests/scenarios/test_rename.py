"""rename: all that has the name of a pot gets another one, or nothing does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from crash_cases import script
from world import World, both_hosts

from potnet.errors import PotnetError, UsageError
from potnet.executors.dry_run import DryRun
from potnet.model.pots import HookKind
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.files.hooks import set_hook
from potnet.operations.files.pot_logs import log_of
from potnet.operations.journal import RENAME, begin
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.networks import policies
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.pots.rename import rename
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

JAILS = "/opt/potnet/jails"


def with_everything(world: World) -> None:
    """A stopped pot with exports, policies both ways and a log, beside pots that run."""
    for bridge in ("stove", "oven"):
        world.do(create_private_bridge, BridgeRequest(bridge, 4))
    world.create("web", "private-bridge", bridge="stove", base="12.2")
    world.create("pan", "private-bridge", bridge="stove")
    world.create("db", "private-bridge", bridge="oven")
    world.do(export_ports, "web", ExportRequest(["80:30080"]))
    world.do(policies.add, "web", "db", "5432", True)
    world.do(policies.add, "db", "web", None, True)
    world.do(start, ["web", "pan", "db"])
    world.do(stop, ["web"])


def test_all_that_has_the_name_gets_the_new_one(world: World) -> None:
    with_everything(world)
    world.do(set_hook, "web", {HookKind.PRESTART: script(world)})
    before, host = world.records(), world.snapshot()
    world.do(rename, "web", "shop")
    after = world.records()
    (pot,) = [each for each in after["pots"] if each.name == "shop"]
    (old,) = [each for each in before["pots"] if each.name == "web"]
    assert (pot.attachments, pot.exports, pot.hooks) == (old.attachments, old.exports, old.hooks)
    assert (pot.root, pot.directory, pot.hostname) == (f"{JAILS}/shop/m", f"{JAILS}/shop", "shop")
    holders = [lease.pot for leases in after["leases"] for lease in leases]
    assert "web" not in holders and holders.count("shop") == len(old.leased)
    tree = world.host.tree
    shop = tree / JAILS[1:] / "shop"
    assert (shop / "m/bin/sh").exists() and (shop / "conf/prestart").exists()
    assert not (tree / JAILS[1:] / "web").exists()
    with world.app() as app:
        assert (tree / log_of(app, "shop")[1:]).exists() and not (tree / log_of(app, "web")[1:]).exists()
        assert {policy.source.name for policy in app.store.policies()} == {"shop", "db"}
    assert f"{old.ipv4} shop" in " ".join(world.etc("pan", "hosts").split())
    assert world.do(check, (), None) == ()
    world.do(start, ["shop"])
    assert world.redirections("shop") and world.do(check, (), None) == ()
    world.do(stop, ["shop"])
    world.do(rename, "shop", "web")
    assert (world.records(), world.snapshot()) == (before, host)


@both_hosts
def test_there_and_back_again(world: World) -> None:
    world.create("web", "public-bridge")
    world.create("dns", "public-bridge", addresses=("10.192.0.2",))
    before = world.records()
    world.do(rename, "web", "Web")
    world.do(start, ["web"])
    assert world.jails() == ["Web"] and world.do(check, (), None) == ()
    world.do(stop, ["web"])
    world.do(rename, "WEB", "web")
    assert world.records() == before


def test_a_root_that_is_a_dataset_gets_the_name_too(world: World) -> None:
    world.host.make_pool("zroot")
    world.do_there("zfs", "create", "-o", f"mountpoint={JAILS}", "zroot/jails")
    world.create("web", "public-bridge", base="12.2")
    before = world.snapshot()
    world.do(rename, "web", "shop")
    found = world.host.datasets()
    assert (found.get("zroot/jails/shop"), "zroot/jails/web" in found) == (f"{JAILS}/shop/m", False)
    assert f"{JAILS}/shop/m" in world.host.mounts()
    world.do(start, ["shop"])
    assert world.do(check, (), None) == ()
    world.do(stop, ["shop"])
    world.do(rename, "shop", "web")
    assert world.snapshot() == before
    world.do(rename, "web", "shop")
    world.do(destroy_pot, "shop")
    assert set(world.host.datasets()) == {"zroot", "zroot/jails"}


@pytest.mark.parametrize("dataset", [False, True], ids=["directory", "dataset"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_step_that_fails_leaves_the_old_name(world: World, dataset: bool, after: bool) -> None:
    """Whichever step fails, and whether or not it did its work."""
    if dataset:
        world.host.make_pool("zroot")
        world.do_there("zfs", "create", "-o", f"mountpoint={JAILS}", "zroot/jails")
    world.create("web", "public-bridge", base="12.2")
    world.do(start, ["web"])
    world.do(stop, ["web"])
    before, records, steps = world.snapshot(), world.records(), 0
    while True:
        world.executor.fail_at, world.executor.after = world.executor.changes + steps, after
        try:
            world.do(rename, "web", "shop")
        except PotnetError:
            steps += 1
            assert (world.snapshot(), world.records()) == (before, records)
            assert world.do(check, (), None) == ()
            continue
        break
    assert steps == (6 if dataset else 2)


def test_a_directory_of_the_user_keeps_its_place(world: World, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    world.create("web", path=f"{tmp_path}/own", hostname="www.example.org")
    world.do(set_hook, "web", {HookKind.PRESTART: script(world)})
    world.do(rename, "web", "shop")
    (pot,) = world.records()["pots"]
    assert (pot.root, pot.directory, pot.hostname) == (f"{tmp_path}/own", f"{JAILS}/shop", "www.example.org")
    world.do(destroy_pot, "shop")
    assert (tmp_path / "own").is_dir() and not (world.host.tree / JAILS[1:] / "shop").exists()


def test_a_machine_and_a_numbered_pot_get_other_names(world: World) -> None:
    world.create("vm", "public-bridge", tap=True)
    world.create("pot1", "public-bridge")
    world.do(rename, "vm", "guest")
    world.do(rename, "pot1", "web")
    assert world.create(None, "public-bridge").name == "pot1"
    world.do(destroy_pot, "pot1")
    world.do(rename, "web", "pot1")
    assert world.create(None, "public-bridge").name == "pot2"
    world.do(start, ["guest"])
    assert world.do(check, (), None) == ()


REFUSED: dict[str, tuple[str, str, str]] = {
    "running": ("db", "shop", "db is running"),
    "unknown": ("nosuch", "shop", "'nosuch' not found"),
    "itself": ("web", "web", "web has that name already"),
    "taken": ("web", "db", "pot db already exists"),
    "taken but for case": ("web", "DB", "pot db already exists"),
    "in use": ("web", "left", f"{JAILS}/left already exists"),
    "a path": ("web", "../x", "invalid pot name '../x'"),
    "an option": ("web", "-p", "invalid pot name '-p'"),
    "a glob": ("web", "w*b", r"invalid pot name 'w\*b'"),
    "digits": ("web", "12", "invalid pot name '12'"),
    "dots": ("web", "a.b", "invalid pot name 'a.b'"),
    "long": ("web", "a" * 64, "invalid pot name"),
    "special": ("web", "localhost", "another meaning"),
    "the resolver's": ("kettle", "dns", "dns is the name of the DNS server"),
    "another's hooks": ("web", "lid", "already exists"),
}


def test_other_names_are_refused_with_nothing_changed(world: World) -> None:
    with_everything(world)
    world.create("kettle", "public-bridge")
    (world.host.tree / JAILS[1:] / "left").mkdir()
    (world.host.tree / JAILS[1:] / "lid").write_text("a file")
    before, records = world.snapshot(), world.records()
    for what, (old, new, why) in REFUSED.items():
        with pytest.raises((PotnetError, UsageError), match=why) as caught:
            world.do(rename, old, new)
        assert (world.snapshot(), world.records()) == (before, records), what
        if old == "db":
            assert caught.value.hint == "`potnet stop db` first"
    assert not {path.name for path in (world.directory / "state/locks").iterdir()} & {"pot-shop", "pot-left"}


def test_the_resolver_of_pots_keeps_its_name(world: World) -> None:
    world.create("dns", "public-bridge", addresses=("10.192.0.2",))
    world.create("web", "public-bridge", resolver="pot")
    with pytest.raises(PotnetError, match="dns is the resolver of web") as caught:
        world.do(rename, "dns", "names")
    assert caught.value.hint == 'set dns.name = "names" in the configuration first'
    world.configure('dns.name = "names"\n')
    world.do(rename, "dns", "names")
    world.do(start, ["web"])
    assert world.jails() == ["names", "web"]


def test_a_mount_in_the_directory_stops_it(world: World) -> None:
    world.create("web", base="12.2")
    world.host.mount(f"{JAILS}/web/m/dev")
    with pytest.raises(PotnetError, match="something is mounted in /opt/potnet/jails/web: ") as caught:
        world.do(rename, "web", "shop")
    assert caught.value.hint == "unmount it first"


@pytest.mark.parametrize("going_on", [repair, destroy_pot, rename], ids=["repair", "destroy", "rename"])
def test_an_interrupted_rename_is_taken_back(world: World, going_on: Callable[..., object]) -> None:
    world.create("web", base="12.2")
    with world.app() as app:
        begin(app, RENAME, "web", "shop")
    world.do_there("mv", f"{JAILS}/web", f"{JAILS}/shop")
    for refused in (lambda: world.do(start, ["web"]), lambda: world.create("Shop")):
        with pytest.raises(PotnetError, match="the rename of pot web") as caught:
            refused()
        assert caught.value.hint == "`potnet repair web` takes it back"
    (finding,) = world.do(check, (), None)
    assert (finding.kind, finding.pot, finding.remedy) == ("command-cut-off", "web", "repair takes it back")
    if going_on is repair:
        world.do(repair, (), None)
        world.do(start, ["web"])
    elif going_on is rename:
        world.do(rename, "web", "pan")
        assert (world.host.tree / JAILS[1:] / "pan/m/bin/sh").exists()
    else:
        world.do(destroy_pot, "web")
        assert not (world.host.tree / JAILS[1:] / "shop").exists()
    assert world.do(check, (), None) == ()


def test_a_dry_run_shows_the_moves(world: World) -> None:
    world.create("web")
    lines: list[str] = []
    world.executor = DryRun(world.host, lines.append)  # type: ignore[assignment]
    with world.app() as app:
        rename(app, "web", "shop")
    assert lines == [
        f"find -P {JAILS} -mindepth 1 -maxdepth 1 -name web '(' -type f -o -type d ')'"
        " -execdir /bin/mv -h '{}' shop ';'"
    ]
