"""vpnkit as an uplink, against a stand-in that speaks its command line and its protocol."""

from __future__ import annotations

import pytest
from linux_world import HOST, OUTSIDE, SILENCE
from rootless_world import User, eventually, patiently, serving

pytestmark = pytest.mark.parametrize("cook", ["vpnkit"], indirect=True)


def test_frames_go_both_ways_and_ports_lead_in(cook: User) -> None:
    before = cook.world.snapshot()
    serving(cook, "80:30080", "udp:80:30080")
    cook.world.serve("outside", 7004)
    assert patiently(cook.ask, "casserole", "udp", OUTSIDE, 7004) == HOST
    for protocol in ("tcp", "udp"):
        assert patiently(cook.world.ask, "outside", protocol, HOST, 30080) != SILENCE
        assert patiently(cook.world.ask, None, protocol, "127.0.0.1", 30080) != SILENCE
    assert cook.potnet("check") == ""
    status = cook.facts("rootless", "status")
    assert (status["version"], status["interface"], status["address"], status["mtu"]) == (
        "0.5.0", "eth0", "10.0.2.100", 1500,
    )  # fmt: skip
    link = cook.potnet("rootless", "enter", "--", "ip", "addr", "show", "dev", "eth0")
    assert "02:50:00:00:00:01" in link and "mtu 1500 " in link
    assert cook.potnet("rootless", "enter", "--", "cat", "/etc/resolv.conf") == "nameserver 10.0.2.2\n"
    cook.potnet("rootless", "stop")
    assert cook.processes() == []
    assert cook.world.snapshot() == before


@pytest.mark.slow
@pytest.mark.parametrize("mtu", [1500, 9000])
def test_options(cook: User, mtu: int) -> None:
    cook.configure(uplink="vpnkit", mtu=mtu, cidr="192.168.65.0/24", dns=False, host_loopback=True)
    serving(cook, "80:30080")
    link = cook.potnet("rootless", "enter", "--", "ip", "addr", "show", "dev", "eth0")
    assert f"mtu {mtu} " in link and "inet 192.168.65.100/24" in link
    assert cook.potnet("rootless", "enter", "--", "cat", "/etc/resolv.conf") == "nameserver 192.0.2.9\n"
    cook.world.serve(None, 7300 + mtu % 7)
    assert patiently(cook.ask, "casserole", "udp", "192.168.65.3", 7300 + mtu % 7) != SILENCE
    # One datagram that fills a frame.
    assert cook.whole("192.168.65.3", 7300 + mtu % 7, mtu - 28) == "127.0.0.1"
    assert "Message too long" in cook.whole("192.168.65.3", 7300 + mtu % 7, mtu - 27)


@pytest.mark.slow
def test_the_loopback_of_the_machine_is_out_of_reach(cook: User) -> None:
    serving(cook, "80:30080")
    cook.world.serve(None, 7010)
    for address in ("10.0.2.2", "10.0.2.3"):
        assert cook.ask("casserole", "udp", address, 7010) == SILENCE


@pytest.mark.slow
def test_whatever_of_it_is_killed_comes_back(cook: User) -> None:
    serving(cook, "80:30080")
    cook.world.serve("outside", 7005)
    before = cook.facts("ports")
    for victim in ("vpnkit_standin.py", "middle.py", "forwarder.py"):
        gone = [each.split()[0] for each in cook.processes() if victim in each]
        cook.world.run("kill", "-9", *gone)
        assert patiently(cook.world.ask, "outside", "tcp", HOST, 30080) not in (SILENCE, ""), victim
        assert patiently(cook.ask, "casserole", "udp", OUTSIDE, 7005) == HOST, victim
        assert cook.facts("ports") == before
        assert cook.potnet("check") == ""
    cook.world.run("kill", "-9", str(cook.pid("potnet.rootless.host.keeper")))
    assert eventually(lambda: not cook.processes())


@pytest.mark.slow
def test_what_it_does_not_have_is_refused(cook: User) -> None:
    refused = {
        "mtu": 16425, "ipv6": True, "outbound": HOST, "mac": "02:00:00:00:00:07", "sandbox": False,
        "seccomp": False, "bridge": "br0",
    }  # fmt: skip
    for name, value in refused.items():
        cook.configure(uplink="vpnkit", **{name: value})
        done = cook.try_potnet("rootless", "start")
        assert (done.code, f"rootless.{name} = {value}: vpnkit " in done.err) == (1, True), done.err


def test_a_program_that_is_something_else_is_told(cook: User) -> None:
    path = f"{cook.home}/bin/vpnkit"
    for script, words in {
        "exit 1": "vpnkit did not come up",
        'exec socat "UNIX-LISTEN:$2" "EXEC:echo soup"': "vpnkit",
    }.items():
        cook.world.run("tee", path, stdin=f"#!/bin/sh\n{script}\n")
        done = cook.try_potnet("rootless", "start")
        assert done.code == 1 and words in done.err and "Traceback" not in done.err, done
        assert eventually(lambda: not cook.processes())
