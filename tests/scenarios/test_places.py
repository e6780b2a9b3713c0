"""What potnet makes and removes, and that no jail can change what root runs or reads."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from world import World

from potnet.errors import PotnetError
from potnet.model.pots import HookKind
from potnet.operations.files.hooks import set_hook
from potnet.operations.pots.create import CreateRequest, create
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

JAILS = "opt/potnet/jails"


@pytest.fixture
def hook(tmp_path: Path) -> Path:
    file = tmp_path / "hook"
    file.write_text("#!/bin/sh\nexit 0\n")
    return file


def make(world: World, path: str) -> Path:
    """A directory of the host with something precious in it."""
    place = world.host.tree / path
    place.mkdir(parents=True)
    (place / "precious").write_text("mine\n")
    return place


def real(world: World, path: str) -> Path:
    """Where a path of the host is on this machine."""
    return world.host.tree / path.lstrip("/")


def given(world: World, name: str) -> str:
    """A directory of the host's that is to be a root."""
    real(world, f"/data/{name}").mkdir(parents=True, exist_ok=True)
    return f"/data/{name}"


def hooked(world: World, name: str, hook: Path) -> None:
    world.do(set_hook, name, {HookKind.PRESTART: hook})


def directory(world: World, name: str) -> str | None:
    return next(pot.directory for pot in world.records()["pots"] if pot.name == name)


def by_hand(world: World, sql: str, *values: str) -> None:
    """Change the store as another version of potnet, or somebody, might have."""
    with sqlite3.connect(world.directory / "state/potnet.db") as store:
        store.execute(sql, values)
    store.close()


# What is made and removed.


def test_a_directory_that_was_there_is_not_taken_for_hooks(world: World, hook: Path) -> None:
    place = make(world, f"{JAILS}/c")
    world.create("c", path=given(world, "a"))
    with pytest.raises(PotnetError, match="already exists"):
        hooked(world, "c", hook)
    world.do(destroy_pot, "c")
    assert (place / "precious").exists()
    place.rename(place.with_name("elsewhere"))
    world.create("c", path=given(world, "a"))
    hooked(world, "c", hook)
    world.do(destroy_pot, "c")
    assert not place.exists()


def test_a_directory_that_was_there_is_not_taken_for_a_root(world: World) -> None:
    place = make(world, f"{JAILS}/c")
    with pytest.raises(PotnetError, match="already exists"):
        world.create("c")
    assert world.records()["pots"] == ()
    assert (place / "precious").exists()


@pytest.mark.parametrize("kind", ["made", "given", "unhooked"])
def test_the_recorded_directory_goes_and_not_todays(world: World, hook: Path, kind: str) -> None:
    world.create("c", path=None if kind == "made" else given(world, "a"))
    if kind != "unhooked":
        hooked(world, "c", hook)
    world.configure('[paths]\njails = "/srv/jails"\n')
    place = make(world, "srv/jails/c")
    world.do(start, ["c"])
    world.do(stop, ["c"])
    world.do(destroy_pot, "c")
    assert (place / "precious").exists()
    assert not (world.host.tree / JAILS / "c").exists()


def test_hooks_stay_in_the_recorded_directory(world: World, hook: Path) -> None:
    world.create("c", path=given(world, "a"))
    hooked(world, "c", hook)
    world.configure('[paths]\njails = "/srv/jails"\n')
    world.do(set_hook, "c", {HookKind.POSTSTOP: hook})
    assert sorted(p.name for p in (world.host.tree / JAILS / "c/conf").iterdir()) == ["poststop", "prestart"]
    world.do(start, ["c"])
    world.do(stop, ["c"])
    assert [call["path"] for call in world.host.hooks()] == [
        f"/{JAILS}/c/conf/prestart",
        f"/{JAILS}/c/conf/poststop",
    ]


def test_nothing_was_made_for_a_machine(world: World) -> None:
    world.create("vm", "public-bridge", tap=True)
    place = make(world, f"{JAILS}/vm")
    world.do(destroy_pot, "vm")
    assert (place / "precious").exists()


def test_nothing_was_made_for_a_given_root(world: World) -> None:
    world.create("c", path=given(world, "a"))
    place = make(world, f"{JAILS}/c")
    world.do(destroy_pot, "c")
    assert (place / "precious").exists()


def test_of_hooks_that_an_older_store_did_not_record_only_they_go(world: World, hook: Path) -> None:
    world.create("c", path=given(world, "a"))
    hooked(world, "c", hook)
    by_hand(world, "UPDATE pot SET directory = NULL")
    place = world.host.tree / JAILS / "c"
    (place / "precious").write_text("mine\n")
    world.do(start, ["c"])
    world.do(stop, ["c"])
    world.do(destroy_pot, "c")
    assert [p.name for p in place.iterdir()] == ["precious"]


def test_a_directory_in_which_a_root_was_given_is_not_removed(world: World, hook: Path) -> None:
    own = given(world, "a")
    (real(world, own) / "precious").write_text("mine\n")
    world.create("c", path=own)
    hooked(world, "c", hook)
    by_hand(world, "UPDATE pot SET directory = ?", str(Path(own).parent))
    with pytest.raises(PotnetError, match="overlap"):
        world.do(destroy_pot, "c")
    assert (real(world, own) / "precious").exists()


def test_a_directory_with_anothers_root_in_it_is_not_removed(world: World, hook: Path) -> None:
    own = given(world, "a")
    (real(world, own) / "precious").write_text("mine\n")
    world.create("d", path=own)
    world.create("c", path=given(world, "b"))
    hooked(world, "c", hook)
    by_hand(world, "UPDATE pot SET directory = ? WHERE name = 'c'", own)
    with pytest.raises(PotnetError, match="the root of pot d"):
        world.do(destroy_pot, "c")
    assert (real(world, own) / "precious").exists()


@pytest.mark.parametrize("number", range(4))
def test_a_set_hook_that_failed_has_made_nothing(world: World, hook: Path, number: int) -> None:
    world.create("c", path=given(world, "a"))
    before, files = world.records(), world.snapshot()["files"]
    world.executor = type(world.executor)(world.host, fail_at=number)
    with pytest.raises(PotnetError):
        hooked(world, "c", hook)
    world.executor = type(world.executor)(world.host)
    assert world.records() == before
    assert {p for p in world.snapshot()["files"] if "/c" in p} == {p for p in files if "/c" in p}
    place = make(world, f"{JAILS}/c")
    world.do(destroy_pot, "c")
    assert (place / "precious").exists()


@pytest.mark.parametrize("number", range(4))
def test_a_create_that_failed_removes_only_its_own(world: World, number: int) -> None:
    for name in ("other", "cc"):
        make(world, f"{JAILS}/{name}")
    world.executor = type(world.executor)(world.host, fail_at=number)
    with pytest.raises(PotnetError):
        world.create("c", base="14.2")
    world.executor = type(world.executor)(world.host)
    assert not (world.host.tree / JAILS / "c").exists()
    assert all((world.host.tree / JAILS / name / "precious").exists() for name in ("other", "cc"))


# What no jail can change.

KEPT = f"/{JAILS}"


def through(world: World, path: str, form: str) -> str:
    """The same directory, written in another way."""
    if form.startswith("link"):
        above, _, name = path.rpartition("/")
        target = path if form == "link" else above or "/"
        real(world, "/link").symlink_to(target)
        return "/link" if form == "link" else f"/link/{name}"
    forms = {"plain": path, "slash": f"{path}/", "slashes": path.replace("/", "//"), "dot": f"{path}/."}
    return {**forms, "dots": f"{path}/x/.."}[form]


FORMS = ["plain", "slash", "slashes", "dot", "dots", "link", "link above"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("place", [f"{KEPT}/c", f"{KEPT}/c/conf", KEPT, "/opt"])
def test_no_root_is_given_where_hooks_are(world: World, hook: Path, form: str, place: str) -> None:
    world.create("c", path=given(world, "b"))
    hooked(world, "c", hook)
    (real(world, place) / "x").mkdir(parents=True, exist_ok=True)
    with pytest.raises(PotnetError, match=r"overlap|could change it|keeps what belongs to d"):
        world.create("d", path=through(world, place, form))
    assert [pot.name for pot in world.records()["pots"]] == ["c"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("below", ["c", "c/conf", "c/m"])
def test_no_hooks_are_kept_in_a_root(world: World, hook: Path, form: str, below: str) -> None:
    (real(world, f"{KEPT}/{below}") / "x").mkdir(parents=True)
    world.create("d", path=through(world, f"{KEPT}/{below}", form))
    world.create("c", path=given(world, "b"))
    with pytest.raises(PotnetError, match=r"already exists"):
        hooked(world, "c", hook)
    # The same where that directory is not there at the moment.
    real(world, f"{KEPT}/c").rename(real(world, "/elsewhere"))
    with pytest.raises(PotnetError, match=r"overlap"):
        hooked(world, "c", hook)
    assert not real(world, f"{KEPT}/c").exists()


def test_no_hooks_are_kept_in_a_root_after_paths_jails_changed(world: World, hook: Path) -> None:
    world.create("d", path=given(world, "d"))
    world.create("c", path=given(world, "c"))
    world.configure('[paths]\njails = "/data/d/sub"\n')
    with pytest.raises(PotnetError, match=r"the root of pot d"):
        hooked(world, "c", hook)
    with pytest.raises(PotnetError, match=r"the root of pot d|root of pot d, overlap"):
        world.create("e")
    assert [pot.name for pot in world.records()["pots"]] == ["c", "d"]


def test_no_root_is_made_in_anothers_root(world: World) -> None:
    world.create("a")
    world.configure(f'[paths]\njails = "/{JAILS}/a/m/opt"\n')
    with pytest.raises(PotnetError, match=r"overlap"):
        world.create("b")


def test_no_root_is_given_around_recorded_hooks(world: World, hook: Path) -> None:
    world.create("c", path=given(world, "b"))
    hooked(world, "c", hook)
    world.configure('[paths]\njails = "/srv/jails"\n')
    for path in (KEPT, f"{KEPT}/c", "/opt", f"{KEPT}/c/conf"):
        with pytest.raises(PotnetError, match=r"overlap|keeps what belongs to d"):
            world.create("d", path=path)


@pytest.mark.parametrize("order", ["root first", "hooks first"])
@pytest.mark.parametrize("mounted", ["on the root", "in the root", "above the root"])
def test_a_mount_shows_no_jail_the_hooks(world: World, hook: Path, order: str, mounted: str) -> None:
    (real(world, KEPT) / "other").mkdir(parents=True)
    given(world, "d/potnet/jails")
    given(world, "d/sub")
    root, point, source = {
        "on the root": ("/data/d", "/data/d", KEPT),
        "in the root": ("/data/d", "/data/d/sub", KEPT),
        "above the root": ("/data/d/potnet/jails", "/data/d", "/opt"),
    }[mounted]

    def mount() -> None:
        world.do_there("mount", "-t", "nullfs", source, point)

    if order == "hooks first":
        world.create("c", path=given(world, "b"))
        hooked(world, "c", hook)
        mount()
        with pytest.raises(PotnetError, match=r"overlap|could change it"):
            world.create("d", path=root)
        return
    world.create("d", path=root)
    mount()
    world.create("c", path=given(world, "b"))
    with pytest.raises(PotnetError, match=r"the root of pot d"):
        hooked(world, "c", hook)
    with pytest.raises(PotnetError, match=r"the root of pot d"):
        world.create("e")


@pytest.mark.parametrize("key", ["cache", "jails"])
def test_no_root_holds_what_root_reads(world: World, key: str) -> None:
    outside = given(world, "root")
    given(world, "root/read/c")
    world.configure(f'[paths]\n{key} = "/data/root/read"\n')
    with pytest.raises(PotnetError, match=rf"paths.{key}|keeps what belongs to c"):
        world.create("c", path=outside)
    real(world, "/link").symlink_to("/data/root/read")
    world.configure(f'[paths]\n{key} = "/link"\n')
    with pytest.raises(PotnetError, match=rf"paths.{key}"):
        world.create("c", path=outside)


@pytest.mark.parametrize("what", ["the configuration", "paths.templates"])
def test_no_root_holds_the_configuration(world: World, what: str) -> None:
    outside = world.directory / "root"
    (outside / "read").mkdir(parents=True)
    if what == "the configuration":
        world.config_file = outside / "potnet.toml"
    world.configure(f'[paths]\ntemplates = "{outside}/read"\n')
    if what == "the configuration":
        world.config_file.write_text("")
    with pytest.raises(PotnetError, match=what):
        world.create("c", path=str(outside))


def test_hooks_that_a_jail_could_have_changed_are_not_run(world: World, hook: Path) -> None:
    """As an older potnet, or somebody, may have left them."""
    world.create("d", path=given(world, "d"))
    world.create("c", path=given(world, "c"))
    hooked(world, "c", hook)
    by_hand(world, "UPDATE pot SET directory = '/data/d/kept' WHERE name = 'c'")
    with pytest.raises(PotnetError, match=r"the root of pot d"):
        world.do(start, ["c"])
    assert world.host.hooks() == []
    assert world.jails() == []


def test_the_real_path_of_a_root_counts(world: World) -> None:
    """A link that leads to where the pot's own hooks would be kept."""
    real(world, f"{KEPT}/c").mkdir(parents=True)
    real(world, "/link").symlink_to(f"{KEPT}/c")
    with pytest.raises(PotnetError, match=r"potnet keeps what belongs to c"):
        world.create("c", path="/link")
    assert world.records()["pots"] == ()


def test_a_store_through_a_link_is_seen_by_no_jail(world: World) -> None:
    world.records()
    real(world, "/link").symlink_to(world.directory / "state")
    with pytest.raises(PotnetError, match=r"nothing of the store|not a directory"):
        world.do(create, CreateRequest(name="c", path="/link"))
    assert world.records()["pots"] == ()


def test_files_for_a_running_jail_are_made_where_no_jail_can_change_them(world: World) -> None:
    world.create("d", path=given(world, "d"))
    world.create("c", "public-bridge", path=given(world, "c"))
    (real(world, "/data/c") / "etc").mkdir()
    world.do(start, ["c"])
    world.configure('[paths]\njails = "/data/d/sub"\n')
    world.create("e", "public-bridge", path=given(world, "e"))
    world.do(start, ["e"])
    assert not (real(world, "/data/d") / "sub").exists()
    assert any("is out of date" in notice for notice in world.notices)
