"""Interfaces on the simulated host: words for ifconfig(8), nodes of taps, names that come back from jails.

As recorded on FreeBSD.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from potnet.executors.base import Command, CommandResult
from potnet.executors.simulated import SimulatedHost

Run = Callable[..., CommandResult]
Words = Callable[..., CommandResult]


@pytest.fixture
def words(host: SimulatedHost) -> Words:
    """Run a command of words that may hold anything; it must end with the code."""

    def runner(*argv: str, code: int = 0) -> CommandResult:
        result = host.run(Command(argv))
        assert result.code == code, (argv, result)
        return result

    return runner


def test_an_address_family_is_the_first_word_behind_an_interface(run: Run, host: SimulatedHost) -> None:
    """As recorded, with what each leaves behind."""
    host.plug("em1")
    run("ifconfig em1 ether 02:99:99:99:99:99 mtu 1400 up")
    run("ifconfig em1 down")
    mac = "52:54:00:00:0e:02"
    refused = run(f"ifconfig em1 ether {mac} mtu 1500 inet6 -ifdisabled up", code=1)
    assert refused.err == "ifconfig: can't set link-level netmask or broadcast\n"
    found = host.interface("em1")
    assert found is not None and (found.mac, found.mtu, found.up) == ("02:99:99:99:99:99", 1500, False)
    assert run("ifconfig em1 mtu 1500 inet6 -ifdisabled up", code=1).err == "ifconfig: inet6: bad value\n"
    refused = run("ifconfig em1 inet 192.0.2.1/24 inet6 2001:db8::1/64 up", code=1)
    assert refused.err == "ifconfig: inet6: bad value\n"
    found = host.interface("em1")
    assert found is not None and not found.addresses
    run(f"ifconfig em1 ether {mac} mtu 1500 up")
    run("ifconfig em1 inet6 -ifdisabled")
    run("ifconfig em1 inet6 -ifdisabled up mtu 1500")
    found = host.interface("em1")
    assert found is not None and (found.mac, found.up) == (mac, True)
    assert any(address.startswith("fe80:") for address in found.addresses)


def test_a_look_at_the_node_of_a_tap_makes_the_tap(run: Run, host: SimulatedHost) -> None:
    run("ifconfig tap40 create")
    look = Command(("stat", "-f", "%Su%t%N", "/dev/tap40", "/dev/tap41"), changes_host=False)
    assert host.run(look).out == "uucp\t/dev/tap40\nuucp\t/dev/tap41\n"
    assert {"tap40", "tap41"} <= {*host.interfaces()}
    assert run("chown alice /dev/tap42").out == ""
    assert "tap42" in host.interfaces()
    assert run("stat -f %Su%t%N /dev/tap", code=1).err == "stat: /dev/tap: No such file or directory\n"


@pytest.mark.parametrize("name", ["em0", "-a", "a b", "x\ny", "sl/ash", "lo1"])
def test_an_interface_comes_back_under_the_name_that_it_has_in_the_jail(
    host: SimulatedHost, words: Words, name: str
) -> None:
    words("ifconfig", "epair0", "create")
    words("jail", "-c", "name=sec", "path=/", "persist", "vnet", "vnet.interface=epair0b")
    assert words("ifconfig", "-j", "sec", "epair0b", "name", name).out == f"{name}\n"
    words("jail", "-r", "sec")
    assert words("ifconfig", "-l").out == f"em0 lo0 epair0a {name}\n"
    shown = json.loads(words("netstat", "-bin", "--libxo", "json").out)["statistics"]["interface"]
    links = [(each["name"], each["network"]) for each in shown if each["network"].startswith("<Link")]
    assert links[-2:] == [("epair0a", "<Link#3>"), (name, "<Link#4>")]
    words("ifconfig", "epair0a", "destroy")
    assert words("ifconfig", "-l").out == "em0 lo0\n"
    assert words("ifconfig", "em0").out.startswith("em0: flags=1008843<UP,")


def test_with_two_of_a_name_the_first_is_meant(words: Words) -> None:
    words("ifconfig", "epair0", "create")
    words("jail", "-c", "name=sec", "path=/", "persist", "vnet", "vnet.interface=epair0b")
    words("ifconfig", "-j", "sec", "epair0b", "name", "em0")
    words("ifconfig", "em0", "-vnet", "sec")
    assert words("ifconfig", "em0").out.count("em0: flags=") == 2
    words("ifconfig", "em0", "name", "back0")
    assert words("ifconfig", "-l").out == "back0 lo0 epair0a em0\n"
    assert "inet 192.168.178.20 " in words("ifconfig", "back0").out
    assert "groups: epair" in words("ifconfig", "em0").out
    words("ifconfig", "em0", "destroy")
    assert words("ifconfig", "-l").out == "back0 lo0\n"


def test_a_jail_has_units_of_its_own(words: Words) -> None:
    words("ifconfig", "epair0", "create")
    words("jail", "-c", "name=sec", "path=/", "persist", "vnet", "vnet.interface=epair0b")
    words("jexec", "sec", "ifconfig", "epair0b", "name", "mine0")
    assert words("jexec", "sec", "ifconfig", "epair0", "create").out.endswith("epair0a\n")
    assert words("ifconfig", "-j", "sec", "-l").out == "lo0 mine0 epair0a epair0b\n"
    words("ifconfig", "epair0a", "destroy")
    assert words("ifconfig", "-j", "sec", "-l").out == "lo0 epair0a epair0b\n"
    words("ifconfig", "epair0b", "-vnet", "sec")
    assert words("ifconfig", "-l").out == "em0 lo0 epair0b\n"


def test_what_is_not_there_to_be_moved(words: Words) -> None:
    words("jail", "-c", "name=sec", "path=/", "persist", "vnet")
    assert words("ifconfig", "em1", "-vnet", "sec", code=1).err == (
        "ifconfig: SIOCSIFRVNET(1, em1): Device not configured\n"
    )
    for verb in ("vnet", "-vnet"):
        refused = words("ifconfig", "em0", verb, "nosuch", code=1)
        assert refused.err == 'ifconfig: jail "nosuch" not found\n'
    assert (
        words("netstat", "-j", "nosuch", "-bin", "--libxo", "json", code=1).err == "netstat: Jail not found\n"
    )


def test_a_mac_address_that_a_jail_has_changed_stays(words: Words, host: SimulatedHost) -> None:
    host.plug("em1")
    words("jail", "-c", "name=hw", "path=/", "persist", "vnet", "vnet.interface=em1")
    words("ifconfig", "-j", "hw", "em1", "ether", "02:99:99:99:99:99")
    words("ifconfig", "em1", "-vnet", "hw")
    assert "ether 02:99:99:99:99:99\n\thwaddr " in words("ifconfig", "em1").out
