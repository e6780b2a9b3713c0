"""What each uplink of a host without root can do, as its driver says, and how fast it is.

An unprivileged user made for it has one TCP connection from his host to the machine, which carries data
either way for a while; beside it is a namespace of root's at the other end of a veth pair.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from statistics import median

import rootless_world
from linux_world import HOST, PATH, Answer, World
from rootless_world import User
from rows import Comparison, Table

from potnet.rootless.uplinks.choose import KINDS
from potnet.rootless.uplinks.options import Options
from potnet.rootless.uplinks.uplink import Uplink

FLOOD = (sys.executable, "-I", "-S", str(Path(__file__).with_name("flood.py")))
#: Seconds of each flood, and until one that does not end counts as stalled.
PORT, SECONDS, PATIENCE, ROUNDS = "7000", "1", "5", 3
MTUS = (1500, 65520)
DIRECTIONS = ("send", "receive")
VETH = "veth"
#: Those that only a stand-in is there for, and the one that has nothing to measure.
UNMEASURED = ("vpnkit", "host")
TITLE = "Uplinks of a host without root"

#: Bits a second, each by the uplink, the MTU and the direction; 0 where nothing came to its end.
Rates = dict[tuple[str, int, str], float]


def measure(table: Table, place: Path) -> None:
    reason = rootless_world.obstacle("setpriv")
    if reason:
        table.left_out.append(f"The uplinks of a host without root: {reason}.")
        return
    with World() as world:
        reason = rootless_world.prepare(world)
        if reason:
            table.left_out.append(f"The uplinks of a host without root: {reason}.")
            return
        rates = _rates(world, table)
    rows = (*((*row, "") for row in capabilities()), *_speeds(rates))
    table.comparisons.append(Comparison(TITLE, ("", *_names(), VETH), rows))


def capabilities() -> list[tuple[str, ...]]:
    """A row for each thing that an uplink may be able to do."""
    rows: list[tuple[str, list[str]]] = [
        ("package", [kind.package or "-" for kind in KINDS]),
        ("needs tun", [_word(kind.needs_tun) for kind in KINDS]),
        ("largest MTU", [str(kind.largest_mtu or "-") for kind in KINDS]),
        ("TCP, UDP ports", [_word(bool(kind.inward)) for kind in KINDS]),
        ("ports in IPv6", [_word(6 in kind.inward) for kind in KINDS]),
        ("ports change by", [kind.port_interface for kind in KINDS]),
    ]
    # copy_up is none of the uplink's.
    options = [name for name in Options.__slots__ if name not in ("uplink", "copy_up")]
    rows += [(name, [_word(name not in kind.lacks) for kind in KINDS]) for name in options]
    return [(what, *cells) for what, cells in rows]


def _word(it_has: bool) -> str:
    return "yes" if it_has else "no"


def _names() -> list[str]:
    return [kind.name for kind in KINDS]


def _rates(world: World, table: Table) -> Rates:
    """The median of each, all of them measured in turns."""
    world.spawn(None, *FLOOD, "serve", HOST, PORT)
    users = _users(world, table)
    taken: dict[tuple[str, int, str], list[float]] = {}
    for _ in range(ROUNDS):
        for mtu in MTUS:
            _set_wire(world, mtu)
            for how in DIRECTIONS:
                said = world.run(*world.within("outside", *_flood(how)))
                taken.setdefault((VETH, mtu, how), []).append(_rate(said))
        for (name, mtu), user in users.items():
            for how in DIRECTIONS:
                said = user.try_potnet("rootless", "enter", "--", *_flood(how))
                taken.setdefault((name, mtu, how), []).append(_rate(said))
    for user in users.values():
        user.potnet("rootless", "stop")
    return {what: median(filter(None, each) if any(each) else (0.0,)) for what, each in taken.items()}


def _flood(how: str) -> tuple[str, ...]:
    return ("timeout", PATIENCE, *FLOOD, how, HOST, PORT, SECONDS)


def _rate(said: Answer) -> float:
    """0 for a flood that did not end."""
    return float(said.out) if said.code == 0 else 0.0


def _set_wire(world: World, mtu: int) -> None:
    for name in (None, "outside"):
        world.run(*world.within(name, "ip", "link", "set", "dev", "eth0", "mtu", str(mtu)))


def _users(world: World, table: Table) -> dict[tuple[str, int], User]:
    """A user for each uplink that is installed and each MTU that it has, whose host runs."""
    users: dict[tuple[str, int], User] = {}
    for kind in KINDS:
        for mtu in MTUS:
            if kind.name in UNMEASURED or not _has_mtu(kind, mtu):
                continue
            if shutil.which(kind.name, path=f"{PATH}:/usr/libexec/lxc") is None:
                table.left_out.append(f"Uplink {kind.name}: it is not installed.")
                break
            user = users[kind.name, mtu] = User(world, next(rootless_world.numbers))
            if kind.name == "lxc-user-nic":
                rootless_world.lend_bridge(user)
            more = {} if "mtu" in kind.lacks else {"mtu": mtu}
            user.configure(uplink=kind.name, **more)
            user.potnet("rootless", "start")
    return users


def _has_mtu(kind: type[Uplink], mtu: int) -> bool:
    """A bridge of the machine's has the usual one."""
    return mtu == MTUS[0] if "mtu" in kind.lacks else mtu <= (kind.largest_mtu or 0)


def _speeds(rates: Rates) -> list[tuple[str, ...]]:
    rows = []
    for mtu in MTUS:
        for how, what in zip(DIRECTIONS, ("out", "in"), strict=True):
            found = [rates.get((name, mtu, how)) for name in (*_names(), VETH)]
            cells = ["-" if rate is None else f"{rate / 1e9:.2f}" if rate else "stalls" for rate in found]
            rows.append((f"{what}, MTU {mtu}", *cells))
    return rows
