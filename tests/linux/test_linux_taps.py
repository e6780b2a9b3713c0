"""Taps on a real kernel: a process of a user without rights stands in for an emulator's guest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from linux_world import HERE, PYTHON, SILENCE, World
from rootless_world import eventually

GUEST = (*PYTHON, str(HERE / "guest.py"))
TALK = (*PYTHON, str(HERE / "talk.py"))
#: Any two users.
NOBODY, DAEMON = 65534, 1

pytestmark = pytest.mark.skipif(not Path("/dev/net/tun").exists(), reason="no /dev/net/tun")


@pytest.fixture
def world(world: World) -> World:
    """A world where everybody may open the node of taps, as on most machines."""
    for line in (
        "mknod /run/tun c 10 200",
        "chmod 666 /run/tun",
        "mount --bind /run/tun /dev/net/tun",
    ):
        made = world.run(*line.split())
        if made.code != 0:
            pytest.skip(f"no node for taps here: {made.err}")
    if world.run("id", "-u", "nobody").out != f"{NOBODY}\n":
        pytest.skip("this machine has another nobody")
    return world


def machine(world: World, name: str = "vm1", *options: str) -> dict[str, str]:
    """A machine of nobody's that is started: what is to be told to an emulator of its first tap."""
    world.potnet("create", "-p", name, "--tap", "--owner", "nobody", *options)
    world.potnet("start", name)
    view = world.facts("info", "-p", name)
    found = {each["family"]: each["address"].split("/")[0] for each in view["taps"][0]["addresses"]}
    return {
        "tap": view["taps"][0]["name"],
        "mac": view["taps"][0]["mac"],
        "address": found[4],
        **({"address6": found[6]} if 6 in found else {}),
    }


def opened(world: World, it: dict[str, str], user: int = NOBODY) -> str:
    """What became of a user's try to open a tap; from ``ready`` on the guest answers."""
    addresses = [it[key] for key in ("address", "address6") if key in it]
    return world.spawn(None, *GUEST, str(user), it["tap"], it["mac"], *addresses)


def answers(world: World, who: str | None, address: str) -> bool:
    """Whether an echo request comes back, as soon as it may."""
    if ":" in address:
        argv: tuple[str, ...] = (*TALK, "ping", address)
    else:
        argv = (*GUEST, "echo", address)
    return eventually(lambda: world.run(*world.within(who, *argv)).out.strip() == address)


def told(world: World, who: str | None, address: str, port: int, wanted: Callable[[str], bool]) -> bool:
    """Whether a datagram is answered as wanted, as soon as it may."""
    return eventually(lambda: wanted(world.ask(who, "udp", address, port)))


def test_a_guest_of_a_user_without_rights_is_a_pot_like_any(world: World) -> None:
    world.potnet("create-private-bridge", "-B", "lab", "-S", "4", "-6", "auto")
    world.potnet("create", "-p", "web", "-N", "private-bridge", "-B", "lab", "-S", "dual")
    world.potnet("create", "-p", "far", "-N", "public-bridge")
    fresh = world.snapshot()
    world.potnet("start", "web", "far")
    it = machine(world, "vm1", "-N", "private-bridge", "-B", "lab", "-S", "dual")
    world.potnet("export-ports", "-p", "vm1", "-e", "udp:53:5353")
    # Up before anybody can open it, and for one user only, beside root.
    assert "UP" in world.run("ip", "link", "show", "dev", it["tap"]).out
    assert opened(world, it, DAEMON) == "EPERM"
    assert opened(world, it) == "ready"
    assert opened(world, it) == "EBUSY"
    for who, address in (("web", it["address"]), (None, it["address"]), ("web", it["address6"])):
        assert answers(world, who, address)
    web = world.address("web")
    assert told(world, "web", it["address"], 80, lambda said: said == web)
    # By the export, from outside, with the caller's own address; and not by itself, nor from another bridge.
    assert told(world, "outside", "192.0.2.1", 5353, lambda said: said == "192.0.2.9")
    assert world.ask("outside", "udp", it["address"], 53) == SILENCE
    assert world.ask("far", "udp", it["address"], 53) == SILENCE
    assert world.potnet("check") == ""
    assert "vm1" in world.run("cat", "/etc/netns/web/hosts").out
    seen = {
        sample["labels"]["interface"]: sample["value"]
        for metric in world.facts("metrics")
        if metric["name"] == "potnet_pot_transmit_packets_total"
        for sample in metric["samples"]
    }
    assert seen[it["tap"]] > 0
    # While it is open it goes all the same, and nothing of it is left.
    world.potnet("stop", "vm1")
    assert world.run("ip", "link", "show", "dev", it["tap"]).code != 0
    assert eventually(lambda: not world.children())
    world.potnet("stop", "web", "far")
    world.potnet("destroy", "-p", "vm1")
    assert world.snapshot() == fresh


@pytest.mark.slow
def test_isolated_guests_do_not_see_each_other(world: World) -> None:
    on_it = ("-N", "public-bridge", "--isolate")
    one, two = machine(world, "one", *on_it), machine(world, "two", *on_it)
    world.potnet("create", "-p", "web", *on_it)
    world.potnet("create", "-p", "open", "-N", "public-bridge")
    world.potnet("start", "web", "open")
    assert opened(world, one) == opened(world, two) == "ready"
    for address in (one["address"], two["address"]):
        assert answers(world, "open", address)
        assert answers(world, None, address)
        assert world.run(*world.within("web", *GUEST, "echo", address)).out.strip() == "no answer"
    assert world.potnet("check") == ""


def test_root_alone_opens_a_tap_of_nobody_in_particular(world: World) -> None:
    world.potnet("create", "-p", "vm1", "--tap", "-N", "public-bridge", "--mtu", "1400")
    world.potnet("start", "vm1")
    view = world.facts("info", "-p", "vm1")
    tap = view["taps"][0]
    assert (view["owner"], tap["mtu"]) == ("root", 1400)
    assert "mtu 1400" in world.run("ip", "link", "show", "dev", tap["name"]).out
    it = {"tap": tap["name"], "mac": tap["mac"], "address": tap["addresses"][0]["address"].split("/")[0]}
    assert opened(world, it, NOBODY) == "EPERM"
    assert opened(world, it, 0) == "ready"
    assert answers(world, None, it["address"])


SET_OWNER = """import fcntl, struct, sys
tap = open("/dev/net/tun", "r+b", buffering=0)
fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), 0x1002))
fcntl.ioctl(tap, 0x400454CC, int(sys.argv[2]))
"""


@pytest.mark.parametrize(("number", "words"), [(DAEMON, "daemon may"), (61234, "61234 may")])
def test_another_who_may_open_a_tap_is_noticed(world: World, number: int, words: str) -> None:
    it = machine(world, "vm1", "-N", "public-bridge")
    assert world.potnet("check") == ""
    changed = world.run(*PYTHON, "-c", SET_OWNER, it["tap"], str(number))
    assert changed.code == 0, changed.err
    done = world.try_potnet("-o", "json", "check")
    (found,) = json.loads(done.out)
    assert (found["kind"], found["found"], found["repairable"]) == ("owner-differs", words, False)
    world.potnet("stop", "vm1")
    world.potnet("start", "vm1")
    assert world.potnet("check") == ""


def test_what_limits_a_pot_limits_a_guest(world: World) -> None:
    it = machine(
        world, "vm1", "-N", "public-bridge", "--bandwidth-in", "10Mbit/s", "--bandwidth-out", "1Mbit/s"
    )
    assert opened(world, it) == "ready"
    assert "tbf" in world.run("tc", "qdisc", "show", "dev", it["tap"]).out
    assert answers(world, None, it["address"])
    assert world.potnet("check") == ""
    world.potnet("stop", "vm1")
    assert it["tap"] not in world.run("tc", "qdisc", "show").out
    assert world.run("ip", "link", "show", "type", "ifb").out == ""


@pytest.mark.slow
def test_a_guest_that_ends_can_begin_anew(world: World) -> None:
    it = machine(world, "vm1", "-N", "public-bridge")
    assert opened(world, it) == "ready"
    assert answers(world, None, it["address"])
    # proc(5): of a descriptor of a tap, its interface.
    held = world.run("sh", "-c", f"grep -ls '^iff:.*{it['tap']}$' /proc/[0-9]*/fdinfo/*").out.split()
    world.run("kill", *{path.split("/")[2] for path in held})
    assert eventually(lambda: not world.children())
    assert "UP" in world.run("ip", "link", "show", "dev", it["tap"]).out
    assert opened(world, it) == "ready"
    assert answers(world, None, it["address"])
    assert world.potnet("check") == ""


def test_without_the_node_a_start_says_so_and_leaves_nothing(world: World) -> None:
    world.potnet("create", "-p", "vm1", "--tap", "-N", "public-bridge")
    fresh = world.snapshot()
    world.run("umount", "/dev/net/tun")
    world.run("mount", "--bind", "/dev/null", "/dev/net/tun")
    failed = world.try_potnet("start", "vm1")
    assert failed.code == 1
    assert "modprobe tun" in failed.err
    assert world.snapshot() == fresh


@pytest.mark.slow
def test_a_tap_of_somebody_elses_keeps_its_name(world: World) -> None:
    assert world.run("ip", "tuntap", "add", "dev", "tap0", "mode", "tap", "user", "daemon").code == 0
    it = machine(world, "vm1", "-N", "public-bridge")
    assert it["tap"] == "tap1"
    world.potnet("stop", "vm1")
    # One that comes while the machine is down is worked round.
    assert world.run("ip", "tuntap", "add", "dev", "tap1", "mode", "tap").code == 0
    world.potnet("start", "vm1")
    assert world.facts("info", "-p", "vm1")["taps"][0]["name"] == "tap2"
    world.potnet("stop", "vm1")
    assert "user daemon" in world.run("ip", "-d", "link", "show", "dev", "tap0").out
    assert world.run("ip", "link", "show", "dev", "tap1").code == 0


@pytest.mark.slow
def test_a_guest_cannot_take_the_address_of_another_where_antispoof_says_so(world: World) -> None:
    world.run("mkdir", "-p", "/run/config/potnet")
    world.run("tee", "/run/config/potnet/potnet.toml", stdin="network.antispoof = true\n")
    it = machine(world, "vm1", "-N", "public-bridge")
    world.potnet("create", "-p", "web", "-N", "public-bridge")
    world.potnet("start", "web")
    assert opened(world, it) == "ready"
    assert answers(world, "web", it["address"])
    assert world.potnet("check") == ""
    # Another guest has no address of its own but a pot's that is stopped.
    world.potnet("create", "-p", "absent", "-N", "public-bridge")
    thief = machine(world, "vm2", "-N", "public-bridge")
    assert opened(world, thief | {"address": world.address("absent")}) == "ready"
    assert world.run(*world.within("web", *GUEST, "echo", world.address("absent"))).out.strip() == "no answer"
    assert answers(world, "web", it["address"])
