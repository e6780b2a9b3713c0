"""What each uplink carries, and what becomes of it when its driver ends."""

from __future__ import annotations

import sys

import pytest
from linux_world import HERE, HOST, OUTSIDE, SILENCE
from rootless_world import User, eventually, serving

HOST6, OUTSIDE6 = "2001:db8:7::20", "2001:db8:7::1"
PASTA = pytest.mark.parametrize("cook", ["pasta"], indirect=True)


@pytest.fixture
def cook6(cook: User) -> User:
    """A user on a machine whose way out leads by its neighbour in IPv6, too.

    pasta takes the link-local address of its machine for itself, and is lost without one.
    """
    cook.world.run("ip", "addr", "replace", "fe80::1/64", "dev", "eth0", "nodad")
    cook.world.run("ip", "-6", "route", "replace", "default", "via", OUTSIDE6)
    return cook


@PASTA
def test_both_families_in_and_out(cook6: User) -> None:
    cook6.configure(uplink="pasta", ipv6=True)
    cook6.potnet("create-private-bridge", "-B", "stove", "-S", "4", "-6", "auto")
    cook6.potnet("create", "-p", "kettle", "-N", "private-bridge", "-B", "stove", "-S", "dual")
    cook6.potnet("export-ports", "-p", "kettle", "-e", "80:30080", "-e", "udp:80:30080", "--loopback")
    cook6.potnet("start", "kettle")
    cook6.serve("kettle", 80)
    cook6.world.serve("outside", 7001)
    assert cook6.world.ask(None, "tcp", "127.0.0.1", 30080) != SILENCE
    for protocol in ("tcp", "udp"):
        assert cook6.world.ask("outside", protocol, HOST, 30080) == OUTSIDE
        assert cook6.world.ask("outside", protocol, HOST6, 30080) == OUTSIDE6
        assert cook6.ask("kettle", protocol, OUTSIDE, 7001) == HOST
        assert cook6.ask("kettle", protocol, OUTSIDE6, 7001) == HOST6
    assert cook6.potnet("check") == ""
    assert len(cook6.facts("ports")) == 4


@PASTA
@pytest.mark.slow
def test_a_port_comes_and_goes_and_the_others_stay(cook: User) -> None:
    serving(cook, "80:30080", "udp:80:30080")
    before = cook.facts("rootless", "status")
    cook.potnet("rootless", "open", "tcp:4000", "tcp:127.0.0.1:4001")
    assert cook.world.ask("outside", "tcp", HOST, 30080) != SILENCE
    after = cook.facts("rootless", "status")
    assert (after["state"], after["pid"] != before["pid"]) == ("running", True)
    refused = cook.try_potnet("rootless", "open", "tcp:4003", "tcp:80")
    assert "host port tcp 80 is for root alone" in refused.err
    assert cook.facts("rootless", "status") == after
    refused = cook.try_potnet("rootless", "open", "tcp:[::1]:4002")
    assert "tcp:[::1]:4002: this host has no IPv6" in refused.err
    cook.potnet("rootless", "close", "tcp:4000", "tcp:127.0.0.1:4001")
    assert cook.world.ask("outside", "udp", HOST, 30080) != SILENCE
    assert sorted(cook.facts("rootless", "status")["ports"]) == ["tcp:30080", "udp:30080"]


@PASTA
@pytest.mark.slow
def test_a_killed_driver_comes_back(cook: User) -> None:
    serving(cook, "80:30080")
    # The driver, and then who ends it with its keeper.
    for words in (" pasta -f ", " -I -S "):
        driver = max(int(each.split()[0]) for each in cook.processes() if words in each)
        cook.world.run("kill", "-9", str(driver))
        assert eventually(lambda gone=driver: str(gone) not in str(cook.processes()))
        assert eventually(lambda: cook.world.ask("outside", "tcp", HOST, 30080) != SILENCE)
    cook.world.run("kill", "-9", str(cook.pid("potnet.rootless.keeper")))
    assert eventually(lambda: not cook.processes())


@PASTA
@pytest.mark.slow
@pytest.mark.parametrize("mtu", [1500, 65520])
def test_options(cook: User, mtu: int) -> None:
    cook.configure(
        uplink="pasta", mtu=mtu, cidr="10.9.0.0/24", dns=False, mac="02:00:00:00:00:07", outbound=HOST,
        host_loopback=True,
    )  # fmt: skip
    serving(cook, "80:30080", "81:30081")
    link = cook.potnet("rootless", "enter", "--", "ip", "addr", "show", "dev", "tap0")
    assert f"mtu {mtu} " in link
    assert "02:00:00:00:00:07" in link
    assert "inet 10.9.0.100/24" in link
    cook.world.serve(None, 7200 + mtu % 7, only_tcp=True)
    assert cook.ask("casserole", "tcp", "10.9.0.2", 7200 + mtu % 7) != SILENCE
    talk = (sys.executable, str(HERE / "talk.py"))
    cook.spawn("exec", "casserole", "--", *talk, "sink", "81")
    argv = cook.world.within("outside", *talk, "pour", HOST, "30081", "4000000")
    assert cook.world.run(*argv).out == "4000000\n"


@PASTA
@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mtu": 65521}, "pasta takes 65520 at most"),
        ({"bridge": "br0"}, "pasta joins no bridge"),
        ({"sandbox": False}, "pasta is always in its sandbox"),
        ({"seccomp": False}, "pasta always gives up"),
    ],
)
def test_what_it_does_not_have_is_refused(cook: User, options: dict[str, object], words: str) -> None:
    cook.configure(uplink="pasta", **options)
    refused = cook.try_potnet("rootless", "start")
    assert (refused.code, words in refused.err) == (1, True), refused.err
