"""Commands for interfaces that jails get and give back: ifconfig(8)."""

from __future__ import annotations

from potnet.executors.base import Command
from potnet.host.actions import TakeBack
from potnet.model.pots import Lent


def mtu_words(mtu: int | None) -> tuple[str, ...]:
    return ("mtu", str(mtu)) if mtu is not None else ()


def taking_back(action: TakeBack, called: str) -> tuple[Command, ...]:
    """A passed interface that a jail calls so leaves it under its own name.

    Under another one it could be a second em0 to the host, and pf would lose the first.
    """
    name, jail = action.lent.name, ("-j", action.jail)
    renaming = (_renaming(called, name, *jail),) if called != name else ()
    # At once, while jail -r would leave it to the end of the last of its sockets.
    back = Command(("ifconfig", name, "-vnet", action.jail))
    return (*renaming, back, *restored(action.lent))


def renamed_in(jail: str, interface: str, name: str) -> Command:
    """An interface of a jail gets another name."""
    return _renaming(interface, name, "-j", jail)


def _renaming(interface: str, name: str, *where: str) -> Command:
    # A name may begin with a dash.
    return Command(
        ("ifconfig", *where, *(("--",) if interface.startswith("-") else ()), interface, "name", name)
    )


def restored(lent: Lent) -> tuple[Command, ...]:
    """An interface that comes from a jail is down and without addresses; it keeps its MTU and MAC address."""
    mac = ("ether", lent.mac) if lent.mac is not None else ()
    up = ("up",) if lent.up else ()
    commands = (Command(("ifconfig", lent.name, *mac, *mtu_words(lent.mtu), *up)),)
    # An address family has to be the first word behind the interface.
    return (
        (*commands, Command(("ifconfig", lent.name, "inet6", "-ifdisabled"))) if lent.link_local else commands
    )
