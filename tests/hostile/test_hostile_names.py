"""Names, descriptions, groups and addresses that jails choose: the host is read as it is, whatever they are.

The model is the simulated host's own state, which prints them as the recorded FreeBSD does.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox import NASTY

from potnet.drivers.freebsd.facts.observe import Observer
from potnet.executors.base import Command
from potnet.executors.simulated import SimulatedHost
from potnet.executors.simulated.inspection import InterfaceView
from potnet.host.query import Query
from potnet.host.state import Interface, JailState
from potnet.model.pots import BRIDGE_GROUP, GROUP

LINES = (
    "em0: flags=1008843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 9000",
    "epair1a: flags=8842<BROADCAST> metric 0 mtu 1500", "bridge0: flags=0 metric 0 mtu 1400",
    "\tdescription: potnet bridge public", "\toptions=8<VLAN_MTU>", "\toptions=0",
    "\tether 02:00:00:00:00:99", "\tinet 10.192.0.99 netmask 0xffc00000",
    "\tinet6 fd00::9 prefixlen 64 autoconf", "\tgroups: potnet potbridge",
    "\tmember: em0 flags=943<LEARNING,PRIVATE>", "\t        ifmaxaddr 1 port 1 priority 128 path cost 2000",
    "\tnd6 options=29<PERFORMNUD,IFDISABLED>", "plain", "", "\t",
)  # fmt: skip
#: The lines of an interface that ends, and of another that begins: the text as a whole is well-formed.
FORGED = "\n".join(("x", LINES[5], LINES[9], LINES[1], LINES[6], LINES[7], LINES[9]))
#: Pieces of names and groups; at most 15 bytes of them are taken.
PIECES = (
    *(
        "em0",
        "em9",
        "lo0",
        "bridge0",
        "epair1a",
        " ",
        "\t",
        "\n",
        "\r",
        '"',
        "\\",
        "'",
        ",",
        "{",
        "}",
        "[",
        "]",
    ),
    *(
        ":",
        "%",
        "/",
        "-",
        "-a",
        "<UP>",
        "=",
        ": flags=",
        "mtu 9",
        "\x01",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\u2028",
    ),
    *("\udcff", "Link#1", "x", "0"),
)
JAILS = ("web", "db", "mail")


class Mischief:
    """A host whose jails do what they can to what it reads."""

    def __init__(self, directory: Path, chance: random.Random) -> None:
        self.host, self.chance = SimulatedHost(directory), chance
        self.do("kldload", "-n", "pflog")
        self.do("ifconfig", "bridge0", "create", "descr", "potnet bridge public", "group", GROUP, "group",
                BRIDGE_GROUP, "up")  # fmt: skip
        self.do("ifconfig", "bridge0", "inet", "10.192.0.1/10")
        for number, jail in enumerate(JAILS):
            self.do("mkdir", "-p", f"/jails/{jail}")
            self.do("ifconfig", f"epair{number}", "create", "descr", f"potnet:{jail}", "group", GROUP, "up")
            self.do("ifconfig", "bridge0", "addm", f"epair{number}a", *self.private(number))
            vnet = ("vnet", f"vnet.interface=epair{number}b", "children.max=9")
            self.do("jail", "-c", f"name={jail}", f"path=/jails/{jail}", "persist", *vnet)
            self.do("ifconfig", "-j", jail, f"epair{number}b", "inet", f"10.192.0.{number + 3}/10", "up")

    def private(self, number: int) -> tuple[str, ...]:
        return ("private", f"epair{number}a") if number == 1 else ()

    def do(self, *argv: str) -> None:
        result = self.host.run(Command(argv))
        assert result.code == 0, (argv, result)

    def try_in(self, jail: str, *argv: str) -> None:
        """The kernel refuses some of it."""
        result = self.host.run(Command(("jexec", jail, *argv)))
        assert result.code in (0, 1), (argv, result)

    def text(self) -> str:
        if self.chance.random() < 0.2:
            return self.chance.choice([nasty for nasty in NASTY if nasty and "\0" not in nasty])[:900]
        if self.chance.random() < 0.3:
            return FORGED
        return "\n".join(self.chance.choices(LINES, k=self.chance.randrange(1, 9)))

    def name(self) -> str:
        text = "".join(self.chance.choices(PIECES, k=self.chance.randrange(1, 5)))
        return text.encode("utf-8", "surrogateescape")[:15].decode("utf-8", "surrogateescape")

    def act(self) -> None:
        """One thing that root in a jail may do, or that makes one of its interfaces come home."""
        jail = self.chance.choice(JAILS)
        own = [name for name in self.host.interfaces(jail) if name not in ("lo0", "pflog0")]
        if not own:
            return
        interface = ("ifconfig", "--", self.chance.choice(own))
        match self.chance.randrange(9):
            case 0 | 1 | 2:
                self.try_in(jail, *interface, "description", self.text())
            case 3 | 4:
                self.try_in(jail, *interface, "name", self.name())
            case 5:
                self.try_in(jail, *interface, "group", self.name())
            case 6:
                self.try_in(jail, *interface, "inet", f"10.{self.chance.randrange(256)}.0.9/24", "alias")
            case 7:
                self.try_in(jail, "jail", "-c", "path=/", "persist", f"name={self.name()}")
            case _:
                self.host.run(Command((*interface, "-vnet", jail)))


def same(found: Interface, there: InterfaceView, detailed: bool) -> None:
    """detailed: with what only ifconfig(8) tells."""
    addresses = tuple(f"{each.address}/{each.prefix}" for each in found.addresses)
    assert sorted(addresses) == sorted(there.addresses)
    assert (found.name, found.mac or "", found.mtu, found.up) == (there.name, there.mac, there.mtu, there.up)
    if detailed:
        ours = {GROUP, BRIDGE_GROUP}
        assert found.groups & ours == {*there.groups} & ours
        assert (sorted(found.members), sorted(found.private)) == (
            sorted(there.members),
            sorted(there.private),
        )
        assert (found.description or "") == there.descr


@pytest.mark.parametrize("rounds", [8, pytest.param(400, marks=pytest.mark.slow)])
def test_the_host_is_read_as_it_is(rounds: int, tmp_path: Path, figure: Callable[..., None]) -> None:
    for number in range(rounds):
        mischief = Mischief(tmp_path / str(number), random.Random(number))
        for _ in range(12):
            mischief.act()
            compare(mischief.host)
            figure("hostile names and descriptions", compared=1, failures=0)


def compare(host: SimulatedHost) -> None:
    families = tuple((jail, (4, 6)) for jail in JAILS)
    query = Query(interfaces=None, jails=None, names=True, own=True, pot_bridges=True, jail_networks=families)
    state = Observer(host).observe(query)
    names = host.interfaces()
    assert state.names == {*names} == {*state.interfaces}
    assert state.doubled == {name for name in names if names.count(name) > 1}
    for name in names:
        there = host.interface(name)
        assert there is not None
        plain = name.isascii() and name.isalnum()
        same(state.interfaces[name], there, detailed=plain)
    assert state.own == {"bridge0", "epair0a", "epair1a", "epair2a"}
    assert state.pot_bridges == {"bridge0"}
    assert state.jails == {n: JailState(j.jid, n, j.path) for n, j in host.jails().items() if "." not in n}
    assert state.unreadable == {}
    for jail in JAILS:
        network = state.jail_networks[jail]
        assert {*network.interfaces} == {*host.interfaces(jail)}
        for name, found in network.interfaces.items():
            there = host.interface(name, jail)
            assert there is not None
            same(found, there, detailed=False)
    for name in ("bridge0", "epair0a", "em0"):
        alone = Observer(host).observe(Query(interfaces=(name,))).interfaces[name]
        there = host.interface(name)
        assert there is not None
        same(alone, there, detailed=True)
