"""Bridges: who is on one, who is not, and the way out of them."""

from __future__ import annotations

from ..host import HOST, OUTSIDE, PORT
from ..registry import scenario
from ..user import User
from .exports import EXPORTED


@scenario()
def private_bridges_are_apart(user: User) -> None:
    stove, oven = user.bridge("stove"), user.bridge("oven")
    on = {
        user.pot("pan", "-N", "private-bridge", "-B", stove): stove,
        user.pot("wok", "-N", "private-bridge", "-B", stove): stove,
        user.pot("tray", "-N", "private-bridge", "-B", oven): oven,
        user.pot("web", "-N", "public-bridge"): "",
    }
    user.start(*on)
    at = {pot: user.address(pot) for pot in on}
    for one in on:
        user.connects(HOST, at[one], one)
        for other in on:
            if one != other and on[one] == on[other]:
                user.connects(one, at[other], other)
            elif one != other:
                user.fails(one, at[other])
    user.agrees()


@scenario("outside")
def a_network_of_choice(user: User) -> None:
    """Pots of a network outside the public one have NAT, exports and isolation like all others."""
    stove, oven = user.bridge("stove", "--net", "172.30.77.0/24"), user.bridge("oven")
    pan, wok = (user.pot(name, "-N", "private-bridge", "-B", stove) for name in ("pan", "wok"))
    tray = user.pot("tray", "-N", "private-bridge", "-B", oven)
    web = user.pot("web", "-N", "public-bridge")
    user.potnet("export-ports", "-p", pan, "-e", f"{PORT}:{EXPORTED}")
    user.start(web, tray, pan, wok)
    user.host.serve(OUTSIDE, PORT)
    assert user.address(wok).startswith("172.30.77.")
    user.connects(wok, user.host.machine(4), OUTSIDE)
    user.connects(pan, user.address(wok), wok)
    user.connects(OUTSIDE, user.host.addresses[4], pan, port=EXPORTED)
    for other in (tray, web):
        user.fails(other, user.address(wok))
        user.fails(wok, user.address(other))
    user.agrees()
    user.potnet("stop", pan, wok)
    user.potnet("destroy", "-p", pan)
    user.potnet("destroy", "-p", wok)
    user.potnet("destroy", "-B", stove)
    user.agrees()


@scenario("outside", "route outside")
def the_outside_reaches_no_pot(user: User) -> None:
    """A machine outside that sends packets for pots to the host gets nowhere, by IPv4 and IPv6."""
    bridge = user.bridge("stove", "-6", "auto")
    pot = user.run("pan", "-N", "private-bridge", "-B", bridge, "-S", "dual")
    web = user.run("web", "-N", "public-bridge")
    user.host.lead(user.facts("info", "-B", bridge)["network6"])
    for address in (user.address(pot), user.address(pot, 6), user.address(web)):
        user.fails(OUTSIDE, address)


@scenario()
def isolated_pots(user: User) -> None:
    one, two = (user.pot(name, "-N", "public-bridge", "--isolate") for name in ("one", "two"))
    web = user.pot("web", "-N", "public-bridge")
    user.start(one, two, web)
    user.host.serve(HOST, PORT)
    gateway = user.facts("info", "-B", "public")["gateway"]
    user.fails(one, user.address(two))
    user.fails(two, user.address(one))
    for pot in (one, two):
        user.connects(pot, user.address(web), web)
        user.connects(web, user.address(pot), pot)
        user.connects(pot, gateway, HOST)
    user.agrees()


@scenario()
def an_isolated_bridge(user: User) -> None:
    bridge = user.bridge("stove", "--isolate")
    one, two = (user.pot(name, "-N", "private-bridge", "-B", bridge) for name in ("one", "two"))
    user.start(one, two)
    user.fails(one, user.address(two))
    user.connects(HOST, user.address(one), one)
    user.agrees()


@scenario("outside")
def no_internet(user: User) -> None:
    closed = user.pot("closed", "-N", "public-bridge", "--no-internet")
    web = user.pot("web", "-N", "public-bridge")
    user.start(closed, web)
    user.host.serve(OUTSIDE, PORT)
    user.connects(closed, user.address(web), web)
    user.connects(web, user.address(closed), closed)
    user.connects(web, user.host.machine(4), OUTSIDE)
    user.fails(closed, user.host.machine(4))
    user.agrees()
    user.potnet("stop", closed)
    user.potnet("set", "-p", closed, "--internet")
    user.start(closed)
    user.connects(closed, user.host.machine(4), OUTSIDE)


@scenario()
def several_networks(user: User) -> None:
    back = user.bridge("back")
    both = user.pot("both", "-N", "public-bridge", "-N", "private-bridge", "-B", back)
    web = user.pot("web", "-N", "public-bridge")
    db = user.pot("db", "-N", "private-bridge", "-B", back)
    user.start(both, web, db)
    front, behind = (each["address"] for each in user.facts("info", "-p", both)["addresses"])
    user.connects(web, front, both)
    user.connects(db, behind, both)
    user.connects(both, user.address(web), web)
    user.connects(both, user.address(db), db)
    user.fails(web, user.address(db))
    user.fails(db, user.address(web))
    user.agrees()


@scenario()
def a_bridge_that_is_kept_up(user: User) -> None:
    bridge = user.bridge("stove")
    user.potnet("vnet-start", "-B", bridge)
    name = user.facts("info", "-B", bridge)["interface"]
    assert user.host.interface(name)
    pot = user.run("pan", "-N", "private-bridge", "-B", bridge)
    assert "in use" in user.refused("vnet-stop", "-B", bridge)
    user.potnet("stop", pot)
    assert user.host.interface(name)
    user.potnet("vnet-stop", "-B", bridge)
    assert not user.host.interface(name)
