"""Addresses by DHCP: udhcpc in pots, and a real dnsmasq on the LAN."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import which

import pytest
from linux_world import PATH, SILENCE, World

#: What of the host is as before.
STAYS = ("links", "namespaces", "rules", "rules of members")
#: dnsmasq writes its leases here, and every packet of DHCP that it has seen.
LEASES, LOG = "/run/dnsmasq.leases", "/run/dnsmasq.log"

pytestmark = [
    pytest.mark.skipif(which(each, path=PATH) is None, reason=f"{each} is not installed")
    for each in ("dnsmasq", "udhcpc")
]


@pytest.fixture
def lan(world: World) -> World:
    """A host whose bridge lanbr is on the wire, and a bridge of potnet's on it."""
    for line in (
        "link add lanbr type bridge", "link set lanbr up", "addr del 192.0.2.1/24 dev eth0",
        "addr add 192.0.2.1/24 dev lanbr", "link set eth0 master lanbr",
        "route replace default via 192.0.2.9",
    ):  # fmt: skip
        assert world.run("ip", *line.split()).code == 0, line
    world.potnet(
        "create-bridge", "-B", "lan", "--join", "lanbr", "--net", "192.0.2.0/24", "--gateway", "192.0.2.9",
        "--range", "192.0.2.60-192.0.2.62", "--dhcp",
    )  # fmt: skip
    return world


@contextmanager
def server(world: World, first: str) -> Iterator[None]:
    """Offer addresses on the LAN, one after the other."""
    network = first.rpartition(".")[0]
    argv = (
        "/usr/sbin/dnsmasq", "-k", "--port=0", "--user=root", "--interface=wire", "--bind-interfaces", "-C",
        "/dev/null", f"--dhcp-range={first},{network}.{int(first.rpartition('.')[2]) + 5},2m",
        f"--dhcp-leasefile={LEASES}", "--dhcp-option=option:router,192.0.2.9", "--dhcp-sequential-ip",
        "--dhcp-authoritative", "--log-dhcp", f"--log-facility={LOG}", "--no-ping",
        "--pid-file=/run/dnsmasq.pid",
    )  # fmt: skip
    world.spawn("outside", "sh", "-c", 'echo; exec "$@" >/dev/null 2>&1', "sh", *argv)
    try:
        yield
    finally:
        world.run("sh", "-c", f"kill $(cat /run/dnsmasq.pid); rm -f {LEASES}")
        while world.run("pgrep", "-x", "dnsmasq").code == 0:
            time.sleep(0.02)


def address(world: World, pot: str = "web") -> str | None:
    found: str | None = world.facts("info", "-p", pot)["addresses"][0]["address"]
    return found


def test_a_pot_gets_an_address_and_releases_it(lan: World) -> None:
    before = lan.snapshot()
    lan.potnet("create", "-p", "web", "-N", "bridge", "-B", "lan", "-S", "ipv4")
    lan.potnet("create", "-p", "db", "-N", "bridge", "-B", "lan", "-S", "ipv4", "-i", "auto")
    with server(lan, "192.0.2.100"):
        lan.potnet("start", "web", "db")
        assert address(lan) == "192.0.2.100"
        assert "192.0.2.100 web" in lan.run("cat", "/etc/netns/db/hosts").out
        lan.serve("outside", 8080)
        assert lan.ask("web", "tcp", "192.0.2.9", 8080) == "192.0.2.100"
        assert "default via 192.0.2.9" in lan.run(*lan.within("web", "ip", "route")).out
        assert "02:" in lan.run("cat", LEASES).out
        assert "mismatch" not in lan.potnet("check")
        resolver = lan.run("cat", "/etc/resolv.conf").out
        lan.potnet("stop", "web")
        assert "DHCPRELEASE" in lan.run("cat", LOG).out
        assert lan.run("cat", LEASES).out == ""
        assert lan.run("cat", "/etc/resolv.conf").out == resolver
        assert address(lan) is None
    lan.potnet("stop", "db")
    lan.potnet("destroy", "-p", "web")
    lan.potnet("destroy", "-p", "db")
    after = lan.snapshot()
    # The bridge of the host gets its IPv6 addresses late.
    assert [after[what] for what in STAYS] == [before[what] for what in STAYS]
    assert lan.run("ls", "/etc/netns").out == ""


def test_an_unfit_address_stays_unconfirmed(lan: World) -> None:
    lan.potnet("create", "-p", "web", "-N", "bridge", "-B", "lan", "-S", "ipv4", "-i", "dhcp")
    with server(lan, "192.0.2.60"):
        lan.potnet("start", "-p", "web")
        (entry,) = lan.facts("info", "-p", "web")["addresses"]
        assert (entry["address"], entry["unconfirmed"]) == (None, "192.0.2.60")
        checked = lan.try_potnet("check")
        assert checked.code == 1
        assert "inside the range" in checked.out
        lan.potnet("stop", "-p", "web")


def test_antispoof_lets_dhcp_pass_and_nothing_else(lan: World) -> None:
    lan.run("tee", "/run/potnet.toml", stdin="network.antispoof = true\n")
    lan.potnet("create", "-p", "web", "-N", "bridge", "-B", "lan", "-S", "ipv4")
    options = ("--config", "/run/potnet.toml")
    with server(lan, "192.0.2.100"):
        lan.potnet(*options, "start", "-p", "web")
        assert address(lan) == "192.0.2.100"
        lan.serve("outside", 8080)
        assert lan.ask("web", "tcp", "192.0.2.9", 8080) == "192.0.2.100"
        # An address that nobody has assigned reaches nobody.
        for line in ("addr del 192.0.2.100/24", "addr add 192.0.2.150/24"):
            assert lan.run(*lan.within("web", "ip", *line.split(), "dev", "epair0b")).code == 0
        lan.run(*lan.within("web", "ip", "route", "replace", "default", "via", "192.0.2.9"))
        assert lan.ask("web", "tcp", "192.0.2.9", 8080) == SILENCE
        lan.potnet(*options, "repair")
        assert address(lan) == "192.0.2.150"
        # The kernel remembers for a second whom it could not find.
        lan.run(*lan.within("web", "ip", "neigh", "flush", "all"))
        assert lan.ask("web", "tcp", "192.0.2.9", 8080) == "192.0.2.150"
        lan.potnet(*options, "stop", "-p", "web")
