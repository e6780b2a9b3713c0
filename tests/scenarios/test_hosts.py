"""Hosts files of running pots follow as others start and stop."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from world import World

from potnet.operations.files.hosts_files import hosts_key
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.pots.destroy import destroy_bridge, destroy_pot
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop


def root(world: World, name: str) -> Path:
    return world.host.tree / f"opt/potnet/jails/{name}/m"


def known(world: World, name: str) -> list[str]:
    """The lines about other pots in a pot's hosts file."""
    lines = (root(world, name) / "etc/hosts").read_text().splitlines()
    return [line for line in lines if "localhost" not in line]


def kitchen(world: World, *names: str) -> None:
    """Pots on one private bridge, and one on the public bridge that runs."""
    if world.do(lambda app: app.store.bridge("stove")) is None:
        world.do(create_private_bridge, BridgeRequest("stove", 8))
        world.create("wok", "public-bridge")
        world.do(start, ["wok"])
    for name in names:
        world.create(name, "private-bridge", bridge="stove")


def staged(world: World) -> list[Path]:
    """Files that were made and have not taken another's place."""
    return list((world.host.tree / "opt/potnet").rglob("*.potnet-new"))


def changed_by(world: World, name: str) -> list[str]:
    """The commands of a start that change the host."""
    world.executor.commands.clear()
    world.do(start, [name])
    return world.executor.changed


def test_a_new_pot_becomes_known_to_those_that_run(world: World) -> None:
    kitchen(world, "kettle", "pan")
    world.do(start, ["kettle", "pan"])
    first = ["10.192.0.18 kettle", "10.192.0.19 pan"]
    assert known(world, "kettle") == known(world, "pan") == first
    kitchen(world, "lid")
    assert known(world, "kettle") == first
    world.do(start, ["lid"])
    assert known(world, "kettle") == known(world, "pan") == known(world, "lid") == [*first, "10.192.0.20 lid"]
    assert known(world, "wok") == ["10.192.0.3 wok"]
    assert not staged(world)


def test_a_start_that_is_no_news_touches_no_other_pot(world: World) -> None:
    kitchen(world, "kettle", "pan", "lid")
    for name in ("kettle", "pan", "lid"):
        assert not any("hosts.potnet-new" in line for line in changed_by(world, name))
    world.do(stop, ["pan"])
    assert not any("hosts.potnet-new" in line for line in changed_by(world, "pan"))


def test_those_that_stopped_have_their_own_files_again(world: World) -> None:
    kitchen(world, "kettle", "pan")
    own = root(world, "kettle") / "etc/hosts"
    own.write_text("its own\n")
    world.do(start, ["kettle"])
    kitchen(world, "lid")
    world.do(start, ["lid"])
    assert "10.192.0.20 lid" in known(world, "kettle")
    world.do(stop, ["kettle"])
    assert own.read_text() == "its own\n"


def test_a_root_of_the_administrators_own_follows_too(world: World, tmp_path: Path) -> None:
    kitchen(world)
    (tmp_path / "own/etc").mkdir(parents=True)
    world.create("kettle", "private-bridge", bridge="stove", path=str(tmp_path / "own"))
    world.do(start, ["kettle"])
    kitchen(world, "lid")
    world.do(start, ["lid"])
    assert "10.192.0.19 lid" in (tmp_path / "own/etc/hosts").read_text()
    assert [path.name for path in (tmp_path / "own/etc").iterdir()].count("hosts") == 1
    assert not staged(world)


def test_a_bridge_that_goes_leaves_no_memory(world: World) -> None:
    kitchen(world, "kettle")
    world.do(start, ["kettle"])
    assert world.do(lambda app: app.store.remembered(hosts_key("stove"))) is not None
    world.do(stop, ["kettle"])
    world.do(destroy_pot, "kettle")
    world.do(destroy_bridge, "stove")
    assert world.do(lambda app: app.store.remembered(hosts_key("stove"))) is None


def test_an_address_of_now_is_told_when_it_is_in_use(world: World) -> None:
    kitchen(world, "kettle", "pan")
    world.do(start, ["kettle", "pan"])
    keep = {"resolver": None, "hostname": None, "command": None, "boot": None}
    world.do(set_options, "pan", SettingsRequest(addresses=("10.192.0.25",), **keep))
    assert "10.192.0.19 pan" in known(world, "kettle")
    world.do(stop, ["pan"])
    assert known(world, "kettle") == ["10.192.0.18 kettle", "10.192.0.25 pan"]


def test_a_destroyed_pot_is_forgotten_at_once(world: World) -> None:
    kitchen(world, "kettle", "pan", "lid")
    world.do(start, ["kettle", "lid"])
    world.do(destroy_pot, "pan")
    assert known(world, "kettle") == known(world, "lid") == ["10.192.0.18 kettle", "10.192.0.20 lid"]
    world.do(stop, ["lid"])
    world.do(destroy_pot, "lid")
    assert known(world, "kettle") == ["10.192.0.18 kettle"]
    assert not staged(world)


#: What a jail may make of its etc, as a change to that and the file in it.
SPOILT = {
    "a link to a file": lambda etc: replaced(etc / "hosts").symlink_to("/outside/hosts"),
    "a link to a folder": lambda etc: replaced(etc / "hosts").symlink_to("/outside"),
    "a folder": lambda etc: replaced(etc / "hosts").mkdir(),
    "nothing": lambda etc: replaced(etc / "hosts"),
    "etc a link": lambda etc: replaced(etc).symlink_to("/outside"),
    "no etc": lambda etc: replaced(etc),
    "no root": lambda etc: replaced(etc.parent),
}


def replaced(path: Path) -> Path:
    """The path, with nothing there any more."""
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    return path


@pytest.mark.parametrize("how", SPOILT)
def test_a_hostile_root_neither_leads_astray_nor_stops_a_start(world: World, how: str) -> None:
    kitchen(world, "kettle", "pan")
    world.do(start, ["kettle", "pan"])
    outside = world.host.tree / "outside"
    outside.mkdir()
    (outside / "hosts").write_text("precious\n")
    SPOILT[how](root(world, "kettle") / "etc")
    kitchen(world, "lid")
    world.do(start, ["lid"])
    assert [(path.name, path.read_text()) for path in outside.iterdir()] == [("hosts", "precious\n")]
    assert "10.192.0.20 lid" in known(world, "pan")
    assert not staged(world)


def test_a_failure_with_another_pots_file_is_told_and_no_more(world: World) -> None:
    kitchen(world, "kettle", "pan")
    world.do(start, ["kettle"])
    changes = len(changed_by(world, "pan"))
    assert not world.notices[-1:] or "out of date" not in world.notices[-1]
    kitchen(world, "lid")
    world.executor.commands.clear()
    world.executor.fail_at = changes + 1
    world.do(start, ["lid"])
    assert any("is out of date" in notice for notice in world.notices)
    states = {run.pot.name for run in world.records()["runs"]}
    assert states == {"wok", "kettle", "pan", "lid"}
