"""Policies between pots and bridges, and pots that take what is not theirs."""

from __future__ import annotations

from ..host import HOST, PORT
from ..registry import scenario
from ..user import User

ANTISPOOF = '[network]\nantispoof = true\nipv6 = "nat"\n'


@scenario()
def one_port_between_bridges(user: User) -> None:
    front, back = user.bridge("front"), user.bridge("back")
    web = user.pot("web", "-N", "private-bridge", "-B", front)
    db, log = (
        user.pot(name, "-N", "private-bridge", "-B", back, ports=(PORT, PORT + 1)) for name in ("db", "log")
    )
    user.start(web, db, log)
    at = {pot: user.address(pot) for pot in (web, db, log)}
    user.fails(web, at[db])
    user.potnet("policy", "add", "--from", web, "--to", db, "--port", str(PORT))
    user.connects(web, at[db], db)
    user.fails(web, at[db], PORT + 1)
    user.fails(web, at[db], protocol="udp")
    user.fails(web, at[log])
    user.fails(db, at[web])
    user.agrees()
    user.potnet("policy", "remove", "--from", web, "--to", db, "--port", str(PORT))
    user.fails(web, at[db])
    user.agrees()


@scenario()
def a_denial_within_an_allowance(user: User) -> None:
    """The most specific policy decides, whatever the order in which they are added."""
    front, back = user.bridge("front"), user.bridge("back")
    web, api = (user.pot(name, "-N", "private-bridge", "-B", front) for name in ("web", "api"))
    db = user.pot("db", "-N", "private-bridge", "-B", back)
    user.potnet("policy", "add", "--from", web, "--to", back, "--deny")
    user.potnet("policy", "add", "--from", front, "--to", back)
    user.start(web, api, db)
    user.connects(api, user.address(db), db)
    user.connects(api, user.address(db), db, protocol="udp")
    user.fails(web, user.address(db))
    user.fails(db, user.address(api))
    user.agrees()


@scenario()
def within_a_bridge(user: User) -> None:
    user.host.configure(ANTISPOOF)
    bridge = user.bridge("stove")
    web, db = (user.pot(name, "-N", "private-bridge", "-B", bridge) for name in ("web", "db"))
    user.start(web, db)
    user.connects(web, user.address(db), db)
    user.potnet("policy", "add", "--from", web, "--to", db, "--deny")
    user.fails(web, user.address(db))
    user.connects(db, user.address(web), web)
    user.agrees()
    user.potnet("stop", web, db)


@scenario()
def a_pot_that_takes_an_address(user: User) -> None:
    """With network.antispoof a stolen address leads nowhere, and the owner is not disturbed."""
    user.host.configure(ANTISPOOF)
    bridge = user.bridge("stove", size=5)
    thief, web, away = (
        user.pot(name, "-N", "private-bridge", "-B", bridge) for name in ("thief", "web", "away")
    )
    user.start(thief, web)
    user.host.serve(HOST, PORT)
    gateway = user.facts("info", "-B", bridge)["gateway"]
    own, stolen = user.address(thief), user.facts("info", "-p", away)["addresses"][0]["address"]
    user.connects(thief, user.address(web), web)
    user.connects(thief, gateway, HOST)
    take(user, thief, own, stolen)
    user.fails(thief, user.address(web))
    user.fails(thief, gateway)
    user.fails(web, stolen)
    user.connects(HOST, user.address(web), web)
    user.connects(web, gateway, HOST)
    take(user, thief, stolen, own)
    user.connects(thief, user.address(web), web)
    user.potnet("stop", thief, web)


def take(user: User, pot: str, old: str, new: str) -> None:
    """Let root in a pot change its address."""
    end = user.facts("info", "-p", pot)["interfaces"][0]["name"]
    steps = {
        "freebsd": (
            ("ifconfig", end, "inet", old, "-alias"),
            ("ifconfig", end, "inet", f"{new}/29", "alias"),
        ),
        "linux": (
            ("ip", "addr", "del", f"{old}/29", "dev", end),
            ("ip", "addr", "add", f"{new}/29", "dev", end),
        ),
    }
    for argv in steps[user.host.kind]:
        answer = user.host.inside(pot, *argv)
        assert answer.code == 0, answer


@scenario()
def a_pot_that_takes_a_mac_address(user: User) -> None:
    """With network.antispoof neither an unknown MAC address nor that of a neighbour carries anything."""
    user.host.configure(ANTISPOOF)
    bridge = user.bridge("stove")
    thief, web = (user.pot(name, "-N", "private-bridge", "-B", bridge) for name in ("thief", "web"))
    user.start(thief, web)
    user.host.serve(HOST, PORT)
    gateway = user.facts("info", "-B", bridge)["gateway"]
    own, neighbour = (user.facts("info", "-p", pot)["mac"] for pot in (thief, web))
    wear(user, thief, "02:00:00:00:ac:99")
    user.fails(thief, user.address(web))
    user.fails(HOST, user.address(thief))
    wear(user, thief, neighbour)
    user.fails(thief, gateway)
    user.fails(HOST, user.address(thief))
    user.connects(HOST, user.address(web), web)
    wear(user, thief, own)
    user.connects(thief, user.address(web), web)
    user.potnet("stop", thief, web)


def wear(user: User, pot: str, mac: str) -> None:
    """Let root in a pot change its MAC address."""
    end = user.facts("info", "-p", pot)["interfaces"][0]["name"]
    words: tuple[str, ...] = ("ifconfig", end, "ether", mac)
    if user.host.kind == "linux":
        words = ("ip", "link", "set", "dev", end, "address", mac)
    answer = user.host.inside(pot, *words)
    assert answer.code == 0, answer
