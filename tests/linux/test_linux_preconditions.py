"""What a Linux host lacks is said before anything is changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from linux_world import World

#: In the place of a tool: it says what a kernel without something says, and does all else.
STUB = """#!/bin/sh
case "$*" in
*"{words}"*) echo "{said}" >&2; exit 2;;
esac
exec {tool} "$@"
"""


def pots(world: World) -> dict[str, str]:
    """One pot for each kind of bridge, none of them running; the host as it is."""
    world.potnet("create", "-p", "wok", "-N", "public-bridge")
    world.potnet("create", "-p", "pan", "-N", "public-bridge", "-S", "ipv6")
    return world.snapshot()


@contextmanager
def stub(world: World, tool: str, words: str, said: str) -> Iterator[None]:
    """Put a stub in the place of a tool: root's PATH is not asked for it."""
    real = world.run("sh", "-c", f"readlink -f $(command -v {tool})").out.strip()
    world.run("mkdir", "-p", "/run/stubs")
    world.run("cp", real, f"/run/stubs/real-{tool}")
    world.run(
        "tee", f"/run/stubs/{tool}", stdin=STUB.format(words=words, said=said, tool=f"/run/stubs/real-{tool}")
    )
    world.run("chmod", "755", f"/run/stubs/{tool}")
    assert world.run("mount", "--bind", f"/run/stubs/{tool}", real).code == 0
    try:
        yield
    finally:
        world.run("umount", real)


@pytest.mark.parametrize(
    ("tool", "package"),
    [("nft", "nftables"), ("conntrack", "conntrack"), ("tc", "iproute2"), ("unshare", "util-linux")],
)
def test_a_missing_tool(world: World, tool: str, package: str) -> None:
    before = pots(world)
    # An empty file hides the program: what cannot be run is not found.
    real = world.run("sh", "-c", f"readlink -f $(command -v {tool})").out.strip()
    world.run("mount", "--bind", "/dev/null", real)
    refused = world.try_potnet("start", "wok")
    assert refused.code == 1
    assert refused.err == (
        f"potnet: cannot start wok: this host lacks {tool}\nhint: on Debian: apt-get install {package}\n"
    )
    world.run("umount", real)
    assert world.snapshot() == before


@pytest.mark.parametrize(
    ("pot", "tool", "words", "said", "lack"),
    [
        ("wok", "ip", "type bridge", "Error: Unknown device type.", "has no bridges"),
        ("wok", "ip", "type veth", "Error: Unknown device type.", "has no veth pairs"),
        (
            "pan",
            "tc",
            "clsact",
            "Error: Specified qdisc kind is unknown.",
            "lacks modules that tc(8) requires",
        ),
        (
            "pan",
            "tc",
            "mirred",
            "Error: Failed to load TC action module.",
            "lacks modules that tc(8) requires",
        ),
        ("wok", "nft", "-f -", "Error: Not supported", "refuses the nftables rules of potnet"),
        ("pan", "nft", "-f -", "Error: Not supported", "refuses the nftables rules of potnet"),
        ("pan", "unshare", "--net", "unshare: Invalid argument", "cannot create a network namespace"),
    ],
)
def test_a_kernel_without_something(
    world: World, pot: str, tool: str, words: str, said: str, lack: str
) -> None:
    before = pots(world)
    with stub(world, tool, words, said):
        refused = world.try_potnet("start", pot)
    assert refused.code == 1
    assert lack in refused.err
    assert said in refused.err
    assert "\nhint: " in refused.err
    assert world.snapshot() == before
    world.potnet("start", pot)


def test_a_kernel_that_cannot_keep_pots_to_their_addresses(world: World) -> None:
    before = pots(world)
    world.run("tee", "/run/potnet.toml", stdin="network.antispoof = true\n")
    asked = ("--config", "/run/potnet.toml", "-o", "json")
    with stub(world, "nft", "table bridge", "Error: Operation not supported"):
        refused = world.try_potnet(*asked, "start", "wok")
        doctor = world.try_potnet(*asked, "doctor")
    assert (refused.code, "cannot filter traffic on bridges" in refused.err) == (1, True)
    assert world.snapshot() == before
    told = {each["subject"]: each for each in json.loads(doctor.out)}
    assert told["antispoof"]["verdict"] == "limited"
    assert "cannot filter traffic on bridges" in told["antispoof"]["found"]
    world.potnet("start", "wok")


def test_a_kernel_without_ipv6(world: World) -> None:
    before = pots(world)
    world.run("mount", "-t", "tmpfs", "tmpfs", "/proc/sys/net")
    refused = world.try_potnet("start", "pan")
    assert (refused.code, "the kernel of this host has no IPv6" in refused.err) == (1, True)
    world.run("umount", "/proc/sys/net")
    assert world.snapshot() == before


@pytest.mark.parametrize("kind", ["wireless", "no Ethernet"])
def test_an_interface_that_no_bridge_can_have(world: World, kind: str) -> None:
    pots(world)
    if kind == "wireless":
        world.run("mount", "-t", "tmpfs", "tmpfs", "/sys/class/net")
        world.run("mkdir", "-p", "/sys/class/net/eth0/phy80211")
    else:
        if world.run("ip", "tuntap", "add", "dev", "tunnel", "mode", "tun").code:
            pytest.skip("there is no /dev/net/tun")
        world.run("mkdir", "-p", "/run/config/potnet")
        world.run("tee", "/run/config/potnet/potnet.toml", stdin='[network]\nexternal_interface = "tunnel"\n')
    before = world.snapshot()
    refused = world.try_potnet("start", "pan")
    assert refused.code == 1
    assert "the public bridge for IPv6 cannot have" in refused.err
    assert ("wireless" if kind == "wireless" else "not an Ethernet interface") in refused.err
    assert world.snapshot() == before


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("/run/netns", "cannot create network namespaces: /run/netns"),
        ("/etc/netns", "cannot write files of pots: /etc/netns"),
    ],
)
def test_a_folder_that_cannot_be_written_to(world: World, folder: str, said: str) -> None:
    world.potnet("create", "-p", "casserole", "-N", "public-bridge")
    world.run("mount", "--bind", folder, folder)
    world.run("mount", "-o", "remount,bind,ro", folder)
    refused = world.try_potnet("start", "casserole")
    assert refused.code == 1
    assert said in refused.err
    refused = world.try_potnet("create", "-p", "wok", "-N", "public-bridge")
    assert refused.code == 1
    assert said in refused.err
    assert [each["name"] for each in world.facts("list")] == ["casserole"]


def test_a_full_bridge_takes_no_more(world: World) -> None:
    for name in ("wok", "pan"):
        world.potnet("create", "-p", name, "-N", "public-bridge")
    world.potnet("start", "pan")
    lines = (
        f"link add name f{n} type veth peer name g{n}\nlink set f{n} master bridge0" for n in range(1022)
    )
    assert world.run("ip", "-batch", "-", stdin="\n".join(lines) + "\n").code == 0
    before = world.run("ip", "-br", "link").out
    refused = world.try_potnet("-v", "start", "wok")
    assert refused.code == 1
    assert "cannot start wok: bridge0 is full: a bridge holds 1023 members" in refused.err
    assert "\nhint: stop a pot on it" in refused.err
    assert "netns add" not in refused.err
    assert world.run("ip", "-br", "link").out == before
    world.run("ip", "link", "del", "f7")
    assert world.potnet("start", "wok") == "wok started\n"
