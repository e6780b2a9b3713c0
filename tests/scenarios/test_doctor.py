"""doctor: what a host lacks, and that looking changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import World, both_hosts

from potnet.drivers.freebsd import conditions as freebsd
from potnet.drivers.linux import conditions as linux
from potnet.executors.base import Command
from potnet.host.findings import Condition, Verdict
from potnet.operations.maintenance.doctor import doctor
from potnet.operations.maintenance.init import init
from potnet.operations.running.start import start


def verdicts(world: World) -> dict[str, Verdict]:
    found: tuple[Condition, ...] = world.do(doctor)
    assert all((each.remedy is None) == (each.verdict is Verdict.OK) for each in found)
    return {each.subject: each.verdict for each in found}


def run(world: World, *argv: str) -> None:
    assert world.host.run(Command(argv)).code == 0


@both_hosts
def test_a_host_that_starts_pots_lacks_nothing(world: World) -> None:
    world.create("casserole", "public-bridge", "dual")
    before, count = world.snapshot(), len(world.executor.changed)
    found = verdicts(world)
    assert Verdict.MISSING not in found.values()
    assert found["external interface"] is found["bridges"] is Verdict.OK
    assert world.snapshot() == before
    assert len(world.executor.changed) == count
    world.do(start, ["casserole"])


@both_hosts
def test_a_host_without_a_way_out(world: World) -> None:
    gone = {"freebsd": ("route", "delete", "default"), "linux": ("ip", "route", "del", "default")}
    run(world, *gone["linux" if world.kind == "linux" else "freebsd"])
    found = world.do(doctor)
    assert [each.subject for each in found if each.verdict is Verdict.MISSING] == ["external interface"]


def test_what_init_mends_is_missing_before_it(bare_world: World) -> None:
    assert verdicts(bare_world)["packet filter"] is Verdict.MISSING
    run(bare_world, "kldload", "-n", "pf")
    run(bare_world, "pfctl", "-e")
    found = verdicts(bare_world)
    assert (found["packet filter"], found["anchors"]) == (Verdict.OK, Verdict.LIMITED)
    bare_world.do(init, True, True)
    found = verdicts(bare_world)
    assert found["anchors"] is found["loopback exports"] is Verdict.OK


def test_an_interface_that_learns_and_listens(world: World) -> None:
    assert verdicts(world)["router advertisements"] is Verdict.LIMITED
    run(world, "ifconfig", "em0", "inet6", "accept_rtadv", "-ifdisabled")
    run(world, "rtsol", "em0")
    assert verdicts(world)["router advertisements"] is Verdict.OK
    world.configure('[network]\nipv6 = "nat"\n')
    assert "router advertisements" not in verdicts(world)


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ({"kern.osreldate": "1302001"}, ["release"]),
        ({"kern.osreldate": None}, ["release"]),
        ({"kern.features.vimage": None}, []),
        ({"net.link.tap.user_open": None}, []),
        ({"security.jail.jailed": "1"}, ["place"]),
    ],
)
def test_another_freebsd(values: dict[str, str | None], missing: list[str]) -> None:
    usual = {"kern.osreldate": "1400507", "kern.features.vimage": "1", "security.jail.jailed": "0"}
    usual |= {"net.link.tap.user_open": "0"}
    found = freebsd.conditions((usual | values).get)
    assert [each.subject for each in found if each.verdict is Verdict.MISSING] == missing
    assert sum(each.verdict is not Verdict.OK for each in found) == 1


WHOLE: dict[str, Any] = {
    "uid": "1000 cook",
    "ip": "ip utility, iproute2-6.1.0, libbpf 1.1.2",
    "/proc/sys/user/max_user_namespaces": "96365",
    "/proc/sys/net/ipv4/ping_group_range": "0 2147483647",
    "/etc/subuid": "listed",
    "/etc/subgid": "listed",
}
TOOLS = ("ip", "ss", "tc", "nft", "conntrack", "nsenter", "unshare", "newuidmap")


def told(values: dict[str, Any], tools: tuple[str, ...] = TOOLS, tun: bool = True) -> str:
    lines = [f"{name} {value}" for name, value in values.items() if value is not None]
    lines += [f"has {tool}" for tool in tools] + (["tun there", "tun usable"] if tun else [])
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("said", "subject", "remedy"),
    [
        (told(WHOLE, TOOLS[1:]), "ip", "apt-get install iproute2"),
        (told(WHOLE, TOOLS[:-1]), "subordinate ids", "apt-get install uidmap"),
        (told(WHOLE, tun=False), "/dev/net/tun", "modprobe tun"),
        (
            told(WHOLE | {"/etc/subgid": None}),
            "subordinate ids",
            "usermod --add-subuids 100000-165535 --add-subgids 100000-165535 cook",
        ),
        (
            told(WHOLE | {"/proc/sys/kernel/unprivileged_userns_clone": "0"}),
            "user namespaces",
            "sysctl -w kernel.unprivileged_userns_clone=1",
        ),
        (
            told(WHOLE | {"/proc/sys/net/ipv4/ping_group_range": "1 0"}),
            "ping_group_range",
            'sysctl -w net.ipv4.ping_group_range="0 2147483647"',
        ),
    ],
)
def test_another_linux(said: str, subject: str, remedy: str) -> None:
    lacks = [each for each in linux.conditions(said) if each.verdict is not Verdict.OK]
    assert [(each.subject, each.remedy) for each in lacks] == [(subject, remedy)]


@given(st.text(st.characters(codec="utf-8")) | st.lists(st.sampled_from(sorted(WHOLE))).map("\n".join))
def test_whatever_tools_print_is_judged(said: str) -> None:
    assert {"user namespaces", "ping_group_range"} <= {each.subject for each in linux.conditions(said)}
    assert len(freebsd.conditions(lambda _: said)) == 4
