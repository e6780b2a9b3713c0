"""What stands between a mistake, or an unlucky moment, and something lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from world import Faulty, World

from potnet.errors import PotnetError
from potnet.executors.base import Command, CommandResult
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop


@pytest.mark.parametrize("name", ["a$b", "${path}", "$name", 'a"b', "a\\b", "a'b", "a # b"])
def test_no_text_in_a_jails_configuration_is_more_than_text(world: World, tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    (root / "etc").mkdir(parents=True)
    world.create("web", path=str(root))
    world.do(start, ["web"])
    assert world.host.jails()["web"].path == str(root)
    world.do(stop, ["web"])
    assert world.jails() == []


class Mounting(Faulty):
    """Somebody mounts something in a root when potnet has looked whether there is anything."""

    point = "/opt/potnet/jails/web/m/mnt"

    def run(self, command: Command) -> CommandResult:
        if command.argv[0] == "chflags":
            self.inner.run(Command(("mount", "-t", "devfs", "devfs", self.point)))
        return super().run(command)


def test_what_is_mounted_while_a_root_goes_keeps_its_files(world: World) -> None:
    world.create("web")
    precious = Path(world.host.tree / Mounting.point.lstrip("/")) / "precious"
    precious.parent.mkdir()
    precious.write_text("text")
    world.executor = Mounting(world.host)
    with pytest.raises(PotnetError, match="mnt: Device or resource busy"):
        world.do(destroy_pot, "web")
    assert precious.read_text() == "text"
    world.executor = Faulty(world.host)
    with pytest.raises(PotnetError, match="something is mounted"):
        world.do(destroy_pot, "web")
    world.do_there("umount", Mounting.point)
    world.do(destroy_pot, "web")
    assert not precious.parent.parent.exists()


def test_no_lock_is_left_of_a_pot_that_is_gone(world: World) -> None:
    world.create("web")
    world.do(start, ["web"])
    world.do(stop, ["web"])
    world.do(destroy_pot, "web")
    with pytest.raises(PotnetError):
        world.create("db", path="/nonexistent")
    with pytest.raises(PotnetError):
        world.do(start, ["db"])
    locks = {path.name for path in (world.directory / "state/locks").iterdir()}
    assert not {name for name in locks if name.startswith("pot-")}


class Shrinking(Faulty):
    """Somebody lowers the MTU of an interface just before a VLAN of it is made."""

    def run(self, command: Command) -> CommandResult:
        if command.argv[:3] == ("ifconfig", "em0.30", "create"):
            self.inner.run(Command(("ifconfig", "em0", "mtu", "1400")))
            result = super().run(command)
            assert "em0.30" in self.inner.run(Command(("ifconfig", "-l"))).out.split()
            return result
        return super().run(command)


@pytest.mark.plain_interface
def test_a_vlan_that_cannot_have_its_mtu_does_not_stay(world: World) -> None:
    """The kernel makes it before it refuses the MTU."""
    world.do(create_private_bridge, BridgeRequest("stove", 4, uplink="em0.30"))
    world.create("web", "private-bridge", bridge="stove")
    before = world.interfaces()
    world.executor = Shrinking(world.host)
    with pytest.raises(PotnetError, match="set mtu"):
        world.do(start, ["web"])
    assert world.interfaces() == before
