"""Commands for interfaces that a jail receives and returns: ifconfig(8)."""

from __future__ import annotations

from potnet.executors.base import Command
from potnet.host.actions import TakeBack
from potnet.model.pots import Lent


def mtu_words(mtu: int | None) -> tuple[str, ...]:
    return ("mtu", str(mtu)) if mtu is not None else ()


def taking_back(action: TakeBack, called: str) -> tuple[Command, ...]:
    """Return a passed interface from a jail under its own name; called: its name in the jail.

    Under another name the host could get a second em0, and pf would lose the first one.
    """
    name, jail = action.lent.name, ("-j", action.jail)
    renaming = (_renaming(called, name, *jail),) if called != name else ()
    # This command acts at once; jail -r would wait for the last socket of the jail.
    back = Command(("ifconfig", name, "-vnet", action.jail))
    return (*renaming, back, *restored(action.lent))


def renamed_in(jail: str, interface: str, name: str) -> Command:
    """Rename an interface of a jail."""
    return _renaming(interface, name, "-j", jail)


def _renaming(interface: str, name: str, *where: str) -> Command:
    # An interface's name may begin with a dash.
    return Command(
        ("ifconfig", *where, *(("--",) if interface.startswith("-") else ()), interface, "name", name)
    )


def restored(lent: Lent) -> tuple[Command, ...]:
    """Restore an interface that comes back from a jail: it is down, without addresses, with the jail's MTU
    and MAC."""
    mac = ("ether", lent.mac) if lent.mac is not None else ()
    up = ("up",) if lent.up else ()
    commands = (Command(("ifconfig", lent.name, *mac, *mtu_words(lent.mtu), *up)),)
    # ifconfig(8) requires the address family directly after the interface.
    return (
        (*commands, Command(("ifconfig", lent.name, "inet6", "-ifdisabled"))) if lent.link_local else commands
    )
