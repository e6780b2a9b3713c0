"""The methods of tests for looking at a simulated host and for changing its world."""

from __future__ import annotations

import stat
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from potnet.executors.simulated.net.interfaces import plug
from potnet.executors.simulated.net.routes import table
from potnet.executors.simulated.net.wires import GUEST, GUEST_INTERFACE, guest_stack
from potnet.executors.simulated.pf import load, state_table
from potnet.executors.simulated.pf.state_table import PfState
from potnet.executors.simulated.system import processes
from potnet.executors.simulated.world.devices import Node, nodes, seen_at
from potnet.executors.simulated.world.entities import Address, Interface, Jail, Route
from potnet.executors.simulated.world.world import View, World

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class InterfaceView:
    """An interface as a test sees it. addresses: with prefix length; members: of a bridge, in name order.

    alone: members with the only address that is allowed behind them. owner: of a tap's node.
    """

    name: str
    mac: str
    mtu: int
    up: bool
    descr: str
    groups: tuple[str, ...]
    addresses: tuple[str, ...]
    nd6: tuple[str, ...]
    bridge: str | None
    members: tuple[str, ...]
    private: tuple[str, ...]
    alone: tuple[str, ...] = ()
    owner: str = ""


class Inspection(ABC):
    """The part of SimulatedHost that is for tests."""

    _directory: Path

    @abstractmethod
    def _read(self, work: Callable[[World], _T]) -> _T: ...

    @abstractmethod
    def _write(self, work: Callable[[World], _T]) -> _T: ...

    @abstractmethod
    def _world(self) -> World: ...

    # Looking

    @property
    def tree(self) -> Path:
        """Return the directory that is the host's file tree."""
        return self._world().tree.base

    def interfaces(self, jail: str = "") -> list[str]:
        """Return names, in the order of ``ifconfig -l``."""
        return self._read(lambda world: [i.name for i in world.interfaces(_stack(world, jail))])

    def interface(self, name: str, jail: str = "") -> InterfaceView | None:
        """Return an interface; None if the host or jail has none of that name."""

        def work(world: World) -> InterfaceView | None:
            found = world.interface(name, _stack(world, jail))
            return None if found is None else _interface_view(world, found)

        return self._read(work)

    def jails(self, dying: bool = False) -> dict[str, Jail]:
        return self._read(lambda world: {jail.name: jail for jail in world.jails(dying)})

    def routes(self, jail: str = "") -> list[str]:
        """Return ``DESTINATION GATEWAY INTERFACE``, both families, in the order of netstat -rn."""

        def work(world: World) -> list[str]:
            view = View(_stack(world, jail))
            lines = [line for family in (4, 6) for line in table(world, family, view)]
            return [f"{line.destination} {line.gateway} {line.interface}" for line in lines]

        return self._read(work)

    def anchor(self, path: str = "") -> list[str]:
        """Return all rules of an anchor as pfctl -P lists them; without a path, those of the main ruleset."""

        def work(world: World) -> list[str]:
            found = load.ruleset(world, path)
            if found is None:
                return []
            return [rule.listed(numeric=True) for rule in (*found.translation(), *found.filters())]

        return self._read(work)

    def anchors(self) -> list[str]:
        """Return the paths of the anchors that hold rules."""
        return self._read(lambda world: [key for key in world.state.keys("anchor") if key])

    def pf_enabled(self) -> bool:
        return self._read(lambda world: bool((world.state.get("pf", "status") or {})["enabled"]))

    def sysctl(self, name: str, jail: str = "") -> str | None:
        return self._read(lambda world: world.sysctl(name, _stack(world, jail)))

    def states(self) -> list[PfState]:
        return self._read(state_table.states)

    def hooks(self) -> list[dict[str, Any]]:
        """Return the called hooks, with path and environment."""
        return self._read(lambda world: [row for _, row in world.state.scan("hook")])

    def devices(self, point: str) -> dict[str, Node] | None:
        """Return the nodes of /dev or of another devfs; None if the path is none."""

        def work(world: World) -> dict[str, Node] | None:
            if point == "/dev":
                return nodes(world)
            return seen_at(world, world.tree.resolve(point))

        return self._read(work)

    def mount(self, point: str) -> None:
        """Mount a devfs, as an administrator would by hand."""
        self._write(lambda world: world.mount(point))

    def make_pool(self, name: str) -> None:
        """Give the host a pool of zfs(8), as an administrator would; its datasets come from `zfs create`."""
        self._write(lambda world: world.state.put("dataset", name, {"point": f"/{name}", "order": 0}))

    def datasets(self) -> dict[str, str]:
        """Return the datasets with their mount points."""
        return self._read(
            lambda world: {name: str(row["point"]) for name, row in world.state.scan("dataset")}
        )

    def mounts(self) -> list[str]:
        return self._read(lambda world: world.mounts())

    def snapshot(self) -> dict[str, Any]:
        """Return all that a user can see, except counters, times, logs, and files in mapped directories."""
        tree = self.tree

        def work(world: World) -> dict[str, Any]:
            jails = world.jails()
            stacks = ["", *(jail.stack for jail in jails if jail.vnet)]
            return {
                "interfaces": {
                    found.key: _interface_view(world, found)
                    for stack in stacks
                    for found in world.interfaces(stack)
                },
                "jails": {jail.name: (jail.jid, jail.path, jail.parameters) for jail in jails},
                "routes": {
                    stack: [
                        (line.destination, line.gateway, line.flags, line.interface)
                        for family in (4, 6)
                        for line in table(world, family, View(stack))
                    ]
                    for stack in stacks
                },
                "anchors": dict(world.state.scan("anchor")),
                "sysctls": {key: row["value"] for key, row in world.state.scan("sysctl")},
                "pipes": {int(number): int(row["rate"]) for number, row in world.state.scan("pipe")},
                "pf": (world.state.get("pf", "status") or {})["enabled"],
                "mounts": world.mounts(),
                "datasets": list(world.state.keys("dataset")),
                "files": _files(tree),
            }

        return self._read(work)

    # Moving the world on

    def listen(
        self, protocol: str, port: int, address: str = "*", command: str = "server", jail: str = ""
    ) -> None:
        """Let a program of the host or of a jail listen. protocol: tcp4, udp6 …; tcp and udp mean IPv4."""
        kind = protocol + "4" if protocol in ("tcp", "udp") else protocol

        def work(world: World) -> None:
            stack = _stack(world, jail)
            row = {"protocol": kind, "port": port, "address": address, "command": command, "jail": jail}
            world.state.put("listen", f"{stack}/{kind}/{port:05}/{address}", row)

        self._write(work)

    def unlisten(self, protocol: str, port: int, jail: str = "") -> None:
        """End the programs of the host or of a jail that listen on a port. protocol: as for `listen`."""
        kind = protocol + "4" if protocol in ("tcp", "udp") else protocol

        def work(world: World) -> None:
            for key in world.state.keys("listen", f"{_stack(world, jail)}/{kind}/{port:05}/"):
                world.state.delete("listen", key)

        self._write(work)

    def begin(self, jail: str, stubborn: bool = False, children: int = 0, command: str = "") -> int:
        """Start a process in a jail. stubborn: it survives SIGTERM. children: the number of forks."""

        def work(world: World) -> int:
            found = world.jail(jail)
            if found is None:
                raise KeyError(jail)
            return processes.begin(world, found.jid, stubborn, children, command)

        return self._write(work)

    def processes(self, jail: str) -> list[int]:
        """Return the PIDs of the processes in a jail."""

        def work(world: World) -> list[int]:
            found = world.jail(jail)
            return processes.running(world, found.jid) if found is not None else []

        return self._read(work)

    def plug(self, name: str) -> None:
        """Add a physical interface, on a wire of its own."""
        self._write(lambda world: plug(world, name, world.made_mac(name)))

    def add_machine(self, wire: str, address: str) -> None:
        """Add a machine to the wire of an interface or to a VLAN (em0.30); address: with its prefix."""
        self._write(lambda world: world.state.put("machine", f"{wire}/{address}", {"address": address}))

    def add_route_outside(self, network: str) -> None:
        """Let the machines on the external wire reach a network by the host."""
        self._write(lambda world: world.state.put("outside-route", network, {}))

    def open_tap(
        self, tap: str, name: str, *addresses: str, gateways: tuple[str, ...] = (), user: str = "root"
    ) -> str:
        """Let a machine of this name open a tap; addresses have prefixes. Returns the errno, if any."""

        def work(world: World) -> str:
            found = world.interface(tap)
            if found is None or found.kind != "tap":
                return "ENOENT"
            if user not in ("root", found.owner):
                return "EACCES"
            if found.opened is not None:
                return "EBUSY"
            found.opened = 1000 + world.state.next_number("pid")
            found.running = True
            world.save(found)
            _plug_in(world, tap, addresses, gateways)
            world.state.put("guest", name, {"stack": guest_stack(tap)})
            return ""

        return self._write(work)

    def close_tap(self, tap: str) -> None:
        """End the machine that has a tap open."""

        def work(world: World) -> None:
            found, stack = world.need(tap), guest_stack(tap)
            found.opened, found.up = None, found.up and found.link0
            found.running = found.link0
            world.save(found)
            world.detach(world.need(GUEST_INTERFACE, stack))
            for family in (4, 6):
                world.drop_route("default", family, stack)
            for name, row in world.state.scan("guest"):
                if row["stack"] == stack:
                    world.state.delete("guest", name)

        self._write(work)

    def count_from(self, counter: str, number: int) -> None:
        """Let a counter of the host, such as that of jails, go on from a number."""
        self._write(lambda world: world.state.put("counter", counter, {"n": number}))

    def serve_dhcp(self, on: bool) -> None:
        """Start or stop the DHCP server on the external wire."""

        def work(world: World) -> None:
            if on:
                world.state.delete("test", "dhcp-off")
            else:
                world.state.put("test", "dhcp-off", {})

        self._write(work)

    def purge(self, anchor: str) -> None:
        """Let pf purge the dropped tables of an anchor."""
        self._write(lambda world: world.state.delete("anchor-purged", anchor))

    def let_go(self, jid: int) -> None:
        """Let a dying jail end at the next look."""

        def work(world: World) -> None:
            found = world.jail(str(jid), dying=True)
            assert found is not None
            found.dying = 0
            world.save_jail(found)

        self._write(work)

    def linger(self, looks: int) -> None:
        """Let the next removed jail stay dying for this number of looks (jls, ifconfig)."""
        self._write(lambda world: world.state.put("test", "linger", {"looks": looks}))

    def advance(self, seconds: float) -> None:
        """Let time pass."""

        def work(world: World) -> None:
            world.wait(seconds)

        self._write(work)


def _stack(world: World, jail: str) -> str:
    if not jail:
        return ""
    found = world.jail(jail, dying=True)
    if found is None:
        raise KeyError(jail)
    return found.stack


def _plug_in(world: World, tap: str, addresses: tuple[str, ...], gateways: tuple[str, ...]) -> None:
    """Create the interface of the machine behind a tap."""
    stack = guest_stack(tap)
    guest = world.attach(GUEST_INTERFACE, stack, GUEST)
    guest.up = True
    for text in addresses:
        address, _, prefix = text.partition("/")
        (guest.inet6 if ":" in address else guest.inet).append(Address(address, int(prefix)))
    world.save(guest)
    for gateway in gateways:
        world.save_route(Route("default", gateway, GUEST_INTERFACE), 6 if ":" in gateway else 4, stack)


def _interface_view(world: World, found: Interface) -> InterfaceView:
    members = sorted(world.members(found.name), key=lambda m: m.name) if found.kind == "bridge" else []
    static = {str(row["member"]): key for key, row in world.state.scan("static", f"{found.name}/")}
    return InterfaceView(
        found.name,
        found.mac,
        found.mtu,
        found.up,
        found.descr,
        tuple(found.groups),
        tuple(_address(a) for a in found.addresses),
        tuple(sorted(found.nd6)),
        found.bridge,
        tuple(m.name for m in members),
        tuple(m.name for m in members if m.private),
        tuple(f"{m.name} {static[m.name].partition('/')[2]}" for m in members if m.most and m.name in static),
        found.owner,
    )


def _address(address: Address) -> str:
    return f"{address.address}/{address.prefix}"


def _files(tree: Path) -> dict[str, tuple[int, bytes | str | None]]:
    found: dict[str, tuple[int, bytes | str | None]] = {}
    for path in sorted(tree.rglob("*")):
        if path.is_relative_to(tree / "var/log"):
            # Logs only grow, whatever is undone.
            continue
        status = path.lstat()
        content: bytes | str | None = None
        if stat.S_ISLNK(status.st_mode):
            content = str(path.readlink())
        elif stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        found["/" + str(path.relative_to(tree))] = (status.st_mode, content)
    return found
