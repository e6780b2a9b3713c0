"""Backups of the store, and a backup in the place of a store, with whatever else is going on."""

from __future__ import annotations

import multiprocessing
import os
import random
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from world import World

from potnet.cli.main import run
from potnet.errors import DamagedError, HostError, PotnetError, StoreError
from potnet.operations.maintenance.store import backup, restore
from potnet.operations.networks import policies
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.vnet import vnet_start, vnet_stop
from potnet.operations.pots.destroy import destroy_bridge, destroy_pot
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop
from potnet.store import backups
from potnet.store.store import Store


@pytest.fixture
def backed_up(world: World, tmp_path: Path) -> Path:
    """A backup of a world with two pots that are stopped, on two bridges."""
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    world.create("casserole", "public-bridge")
    world.create("kettle", "private-bridge", bridge="stove")
    world.do(backup, tmp_path / "backup.db", False)
    return tmp_path / "backup.db"


def content(world: World) -> dict[str, Any]:
    return world.records()


def files(world: World) -> set[str]:
    """What is in the state directory beside the store itself."""
    return {path.name for path in (world.directory / "state").iterdir()} - {
        "potnet.db", "potnet.db-wal", "potnet.db-shm", "locks",
    }  # fmt: skip


def damage(world: World) -> bytes:
    """Spoil the store; returns what is there now."""
    path = world.directory / "state/potnet.db"
    path.write_bytes(path.read_bytes()[:4096] + b"\xa5" * 8192)
    return path.read_bytes()


def test_a_store_with_policies_can_be_saved_and_put_back(world: World, tmp_path: Path) -> None:
    for name in ("stove", "grill"):
        world.do(create_private_bridge, BridgeRequest(name, 4))
        world.create(f"on-{name}", "private-bridge", bridge=name)
    world.do(policies.add, "on-stove", "on-grill", "tcp:80", False)
    world.do(policies.add, "stove", "on-grill", None, True)
    before = world.do(policies.listed)
    world.do(backup, tmp_path / "backup.db", False)
    world.do(policies.remove, "stove", "on-grill", None)
    world.do(restore, tmp_path / "backup.db", False)
    assert world.do(policies.listed) == before


def test_a_backup_is_one_file_for_its_owner_alone(world: World, backed_up: Path, tmp_path: Path) -> None:
    assert stat.S_IMODE(backed_up.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("backup.db*")] == ["backup.db"]
    assert [path.name for path in tmp_path.glob(".potnet-*")] == []
    with closing(sqlite3.connect(f"{backed_up.as_uri()}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)


@pytest.mark.parametrize("umask", [0, 0o77])
def test_a_backup_is_private_whatever_the_umask(world: World, tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        world.do(backup, tmp_path / "backup.db", False)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "backup.db").stat().st_mode) == 0o600


def test_what_was_saved_comes_back(world: World, backed_up: Path) -> None:
    before = content(world)
    world.do(destroy_pot, "kettle")
    world.create("wok", "public-bridge")
    done = world.do(restore, backed_up, False)
    assert content(world) == before
    assert (done.pots, done.bridges) == (2, 2)
    assert any("wok" in notice and "roots stay" in notice for notice in world.notices)
    with backups.read(done.replaced, "sim") as former:
        assert former.pot_names() == ("casserole", "wok")
    # A second one keeps the first one's.
    assert world.do(restore, done.replaced, False).replaced.name == "potnet.db.replaced.1"
    assert files(world) == {"potnet.db.replaced", "potnet.db.replaced.1"}
    assert [pot.name for pot in content(world)["pots"]] == ["casserole", "wok"]


def test_a_restored_store_hands_out_no_address_twice(world: World, backed_up: Path) -> None:
    world.create("wok", "public-bridge")
    world.do(restore, backed_up, False)
    pots = [world.create(name, "public-bridge") for name in ("ladle", "spoon")]
    assert [str(pot.ipv4) for pot in pots] == ["10.192.0.4", "10.192.0.5"]


def test_what_is_there_is_not_overwritten_unasked(world: World, tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("precious\n")
    with pytest.raises(StoreError, match="already exists"):
        world.do(backup, path, False)
    assert path.read_text() == "precious\n"
    world.do(backup, path, True)
    with backups.read(path, "sim") as saved:
        assert saved.pot_names() == ()


@pytest.mark.parametrize("kind", ["directory", "fifo", "link", "dangling", "device"])
def test_nothing_but_a_plain_file_is_overwritten(world: World, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "target"
    (tmp_path / "precious").write_text("precious\n")
    match kind:
        case "directory":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "link":
            path.symlink_to("precious")
        case "dangling":
            path.symlink_to("nowhere")
        case "device":
            path = Path("/dev/null")
    before = path.lstat()
    with pytest.raises(StoreError, match="not a plain file"):
        world.do(backup, path, True)
    assert path.lstat().st_ino == before.st_ino
    assert (tmp_path / "precious").read_text() == "precious\n"


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
def test_the_store_is_no_target_for_its_backup(world: World, tmp_path: Path, ending: str) -> None:
    world.create("casserole")
    (tmp_path / "link").symlink_to(world.directory / f"state/potnet.db{ending}")
    for path in (world.directory / f"state/potnet.db{ending}", tmp_path / "link"):
        with pytest.raises(PotnetError, match="is the store itself"):
            world.do(backup, path, True)
    assert [pot.name for pot in content(world)["pots"]] == ["casserole"]


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_place_where_others_can_write_is_told(world: World, tmp_path: Path, mode: int) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(mode)
    told = mode != 0o1777
    if told and os.geteuid() == 0:
        # Root writes nowhere that others lead.
        with pytest.raises(PotnetError, match="others can write"):
            world.do(backup, tmp_path / "shared/backup.db", False)
        assert not (tmp_path / "shared/backup.db").exists()
    else:
        world.do(backup, tmp_path / "shared/backup.db", False)
        assert any("others can write" in notice for notice in world.notices) == told


def test_a_damaged_store_is_not_saved(world: World, backed_up: Path, tmp_path: Path) -> None:
    with Store.open(world.directory / "state", "sim") as store:
        store.change("UPDATE pot SET stack = 'ipv5'")
    for force in (False, True):
        with pytest.raises(DamagedError, match="is damaged"):
            world.do(backup, backed_up if force else tmp_path / "new.db", force)
    assert not (tmp_path / "new.db").exists()
    with backups.read(backed_up, "sim") as saved:
        assert len(saved.pots()) == 2


def test_what_runs_has_to_be_in_the_backup_just_so(world: World, backed_up: Path, tmp_path: Path) -> None:
    before = content(world)
    world.do(start, ["kettle"])
    running = content(world)
    with pytest.raises(PotnetError, match="pot kettle") as refused:
        world.do(restore, backed_up, False)
    assert refused.value.hint and "stop" in refused.value.hint
    assert content(world) == running
    assert files(world) == set()
    # With the same start in it, it fits.
    world.do(backup, tmp_path / "while.db", False)
    world.create("wok", "public-bridge")
    world.do(restore, tmp_path / "while.db", False)
    assert content(world) == running
    host = world.host.snapshot()
    world.do(stop, ["kettle"])
    assert world.host.snapshot() != host
    world.do(restore, backed_up, False)
    assert content(world) == before


def test_another_start_of_the_same_pot_is_not_the_one_in_the_backup(world: World, tmp_path: Path) -> None:
    world.create("casserole", "public-bridge")
    world.do(start, ["casserole"])
    world.do(backup, tmp_path / "first.db", False)
    world.do(stop, ["casserole"])
    world.do(start, ["casserole"])
    with pytest.raises(PotnetError, match="pot casserole"):
        world.do(restore, tmp_path / "first.db", False)


def test_a_bridge_that_is_up_has_to_be_in_the_backup(world: World, tmp_path: Path) -> None:
    world.do(backup, tmp_path / "empty.db", False)
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    world.do(vnet_start, "stove")
    with pytest.raises(PotnetError, match="bridge stove"):
        world.do(restore, tmp_path / "empty.db", False)


def test_a_bridge_that_is_up_has_to_have_its_networks_of_both_families(world: World, tmp_path: Path) -> None:
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    world.do(backup, tmp_path / "before.db", False)
    world.do(destroy_bridge, "stove")
    world.do(create_private_bridge, BridgeRequest("stove", 4, "fd00:192:0:20::/64"))
    world.do(vnet_start, "stove")
    with pytest.raises(PotnetError, match="bridge stove"):
        world.do(restore, tmp_path / "before.db", False)
    world.do(vnet_stop, "stove")
    world.do(restore, tmp_path / "before.db", False)


def test_a_pot_that_a_reboot_took_away_is_in_nobodys_way(world: World, backed_up: Path) -> None:
    before = content(world)
    world.do(start, ["casserole"])
    with Store.open(world.directory / "state", "sim") as store:
        run = store.run("casserole")
        assert run is not None
        store.put_run(run.__class__(**{**{f: getattr(run, f) for f in run.__slots__}, "jid": 999}))
    world.do(restore, backed_up, True)
    assert content(world) == before


def test_forced_it_says_what_runs_on_unknown(world: World, backed_up: Path) -> None:
    before = content(world)
    world.do(start, ["casserole"])
    host = world.host.snapshot()
    world.do(restore, backed_up, True)
    assert content(world) == before
    assert world.host.snapshot() == host
    assert any("still running" in notice and "casserole" in notice for notice in world.notices)


@pytest.mark.parametrize("state", ["damaged", "gone", "log alone", "cut"])
def test_a_store_that_cannot_be_read_is_set_aside(world: World, backed_up: Path, state: str) -> None:
    before = content(world)
    place = world.directory / "state"
    spoilt = b""
    match state:
        case "damaged":
            spoilt = damage(world)
        case "cut":
            os.truncate(place / "potnet.db", 5000)
            spoilt = (place / "potnet.db").read_bytes()
        case "gone":
            (place / "potnet.db").unlink()
        case "log alone":
            (place / "potnet.db").rename(place / "potnet.db-wal")
    options = ["--host", "sim", "--state-dir", str(place), "-q", "store", "restore", str(backed_up)]
    assert run(options) == 0
    assert content(world) == before
    if spoilt:
        assert (place / "potnet.db.replaced").read_bytes() == spoilt
    if state == "log alone":
        assert (place / "potnet.db.replaced-wal").exists()
    assert run([*options[:-3], "list"]) == 0


def test_a_store_of_a_newer_potnet_is_not_replaced(world: World, backed_up: Path) -> None:
    with Store.open(world.directory / "state", "sim") as store:
        store.change("PRAGMA user_version = 99")
    before = (world.directory / "state/potnet.db").read_bytes()
    assert run(["--state-dir", str(world.directory / "state"), "-q", "store", "restore", str(backed_up)]) == 1
    assert (world.directory / "state/potnet.db").read_bytes() == before


def spoil(path: Path, how: str) -> None:
    """Make something else of a backup."""
    data = path.read_bytes()
    match how:
        case "text":
            path.write_text("a shopping list\n" * 500)
        case "empty":
            path.write_bytes(b"")
        case "cut":
            path.write_bytes(data[: len(data) // 2])
        case "flipped":
            path.write_bytes(data[:9000] + bytes(byte ^ 255 for byte in data[9000:9100]) + data[9100:])
        case "open to all":
            path.chmod(0o666)
        case "absent":
            path.unlink()
        case _:
            with closing(sqlite3.connect(path)) as connection:
                connection.executescript(how)
                connection.commit()


@pytest.mark.parametrize(
    "how",
    [
        "text", "empty", "cut", "open to all", "absent",
        "PRAGMA user_version = 99",
        "PRAGMA user_version = 0",
        "PRAGMA application_id = 1",
        "UPDATE meta SET value = 'freebsd'",
        "CREATE TRIGGER t AFTER INSERT ON pot BEGIN DELETE FROM lease; END",
        "DROP TABLE lease; CREATE VIEW lease AS SELECT name AS network, '' AS address, '' AS pot FROM pot",
        "CREATE TABLE more (a)",
        "DROP INDEX lease_of_pot",
        "UPDATE pot SET stack = 'ipv5'",
        "UPDATE pot SET command = '['",
        "UPDATE bridge SET network = 'x' WHERE network IS NOT NULL",
        "PRAGMA foreign_keys = OFF; DELETE FROM pot",
    ],
)  # fmt: skip
def test_what_is_no_sound_backup_changes_nothing(world: World, backed_up: Path, how: str) -> None:
    spoil(backed_up, how)
    before = content(world)
    with pytest.raises(StoreError) as refused:
        world.do(restore, backed_up, True)
    assert refused.value.hint
    assert content(world) == before
    assert files(world) == set()


def test_a_dry_run_says_whether_it_would_fit_and_changes_nothing(world: World, backed_up: Path) -> None:
    world.do(destroy_pot, "kettle")
    before = content(world)
    options = ["-n", "--state-dir", str(world.directory / "state"), "-q", "store"]
    assert run([*options, "restore", str(backed_up)]) == 0
    assert run([*options, "backup", str(backed_up.parent / "new.db")]) == 0
    assert content(world) == before
    assert files(world) == set()
    assert not (backed_up.parent / "new.db").exists()
    damage(world)
    assert run([*options, "restore", str(backed_up)]) == 0
    assert files(world) == set()


def test_a_restore_waits_for_who_is_at_work_and_names_him(world: World, backed_up: Path) -> None:
    with world.app() as busy, busy.locks.hold("pot-casserole"), world.app() as app:
        app.locks.patience = 0.1
        with pytest.raises(HostError, match=rf"pot casserole is in use .*pid {os.getpid()}"):
            restore(app, backed_up, False)
    with world.app() as app, app.locks.hold_all(), world.app() as late:
        late.locks.patience = 0.1
        with pytest.raises(HostError, match=rf"store is in use .*pid {os.getpid()}"):
            create_late(late)


def create_late(app: Any) -> None:
    from potnet.operations.pots.create import CreateRequest, create

    create(app, CreateRequest(name="late"))


def live(directory: str, number: int, rounds: int) -> None:
    """Create, change and destroy pots, as one of several."""
    world, chance = World(Path(directory)), random.Random(number)
    names = [f"pot-{number}-{each}" for each in range(3)]
    nothing = {"resolver": None, "hostname": None, "command": None, "boot": None}
    for _ in range(rounds):
        name = chance.choice(names)
        try:
            match chance.randrange(3):
                case 0:
                    world.create(name, "public-bridge")
                case 1:
                    world.do(set_options, name, SettingsRequest(addresses=("auto",), **nothing))
                case _:
                    world.do(destroy_pot, name)
        except PotnetError as error:
            # A restore may take a pot away, and leaves its root; nothing else goes wrong.
            assert any(words in error.message for words in ("not found", "already exists")), error


@pytest.mark.parametrize("rounds", [12, pytest.param(120, marks=pytest.mark.slow)])
def test_while_other_commands_run(tmp_path: Path, rounds: int, figure: Callable[..., None]) -> None:
    world = World(tmp_path)
    world.create("casserole", "public-bridge")
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=live, args=(str(tmp_path), number, rounds)) for number in range(4)]
    for process in others:
        process.start()
    saved = restored = 0
    while any(process.is_alive() for process in others):
        path = tmp_path / f"backup-{saved}.db"
        world.do(backup, path, False)
        saved += 1
        with backups.read(path, "sim") as copy:
            attached = {a.address for pot in copy.pots() for a in pot.attachments}
            assert attached == {lease.address for lease in copy.leases("public")}
        if saved % 3 == 0:
            world.do(restore, path, False)
            restored += 1
    assert [process.exitcode for process in others] == [0] * 4
    with Store.open(tmp_path / "state", "sim") as store:
        assert store.damage() is None
        attached = [a.address for pot in store.pots() for a in pot.attachments]
        assert len(attached) == len(set(attached))
        assert set(attached) == {lease.address for lease in store.leases("public")}
    assert saved > 2
    figure("backup and restore", backups=saved, restores=restored, commands_beside=4 * rounds, failures=0)


@pytest.mark.parametrize("bits", [60, pytest.param(1000, marks=pytest.mark.slow)])
def test_flipped_bits_are_told_or_do_no_harm(
    world: World, backed_up: Path, bits: int, figure: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    path = world.directory / "state/potnet.db"
    whole, chance, told = path.read_bytes(), random.Random(1), 0
    options = ["--host", "sim", "--state-dir", str(path.parent)]
    for _ in range(bits):
        data = bytearray(whole)
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        for ending in ("-wal", "-shm"):
            Path(f"{path}{ending}").unlink(missing_ok=True)
        path.write_bytes(data)
        for line in ("list", "info -p kettle", "show -b stove", "create -N public-bridge", "start kettle"):
            code = run([*options, "-n", *line.split()])
            said = capsys.readouterr().err
            assert code in (0, 1), (line, said)
            assert "internal error" not in said and "fault in potnet" not in said, (line, said)
            told += "is damaged" in said
    figure("damaged stores", bits_flipped=bits, told=told, tracebacks=0)
