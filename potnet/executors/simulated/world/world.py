"""Typed access to a simulated host's state, which the commands use."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from potnet.executors.base import CommandResult
from potnet.executors.simulated.world import pf_skip
from potnet.executors.simulated.world.entities import (
    HOST,
    TWIN,
    HostFacts,
    Interface,
    Jail,
    Member,
    Route,
    group_key,
    interface_from,
    name_key,
    row_of,
)
from potnet.executors.simulated.world.release import Release, release_of
from potnet.executors.simulated.world.state import State
from potnet.executors.simulated.world.tree import Tree


class ToolError(Exception):
    """A command's refusal, in the words and with the code of the real one."""

    def __init__(self, err: str, code: int = 1, out: str = "") -> None:
        super().__init__(err)
        self.result = CommandResult(code, out, err + "\n" if err else "")


def unknown(what: str) -> ToolError:
    """Return the error for anything that the simulated host does not know (EX_USAGE of sysexits(3))."""
    return ToolError(f"simulated host: does not know {what}", 64)


@dataclass(frozen=True, slots=True)
class View:
    """The viewpoint of a command: the host's, or that of a jail (jexec, ifconfig -j)."""

    vnet: str = HOST
    jail: Jail | None = None

    def sees(self, family: int, address: str) -> bool:
        """Return whether a jail on the host's stack sees this address (jail(8), ip4 and ip6)."""
        if self.jail is None or self.jail.vnet:
            return True
        mode, own = (
            (self.jail.ip4, self.jail.ip4_addr) if family == 4 else (self.jail.ip6, self.jail.ip6_addr)
        )
        return mode == "inherit" or address in own

    def family(self, family: int) -> bool:
        """Return whether a jail on the host's stack has this family at all."""
        if self.jail is None or self.jail.vnet:
            return True
        if family == 4:
            return self.jail.ip4 == "inherit" or bool(self.jail.ip4_addr)
        return self.jail.ip6 == "inherit" or bool(self.jail.ip6_addr)


class World:
    """Interfaces, jails, routes, sysctls of one host, read and written inside the current transaction."""

    def __init__(self, state: State, tree: Tree, facts: HostFacts) -> None:
        self.state = state
        self.tree = tree
        self.facts = facts

    @property
    def release(self) -> Release:
        """Return the release of FreeBSD that the host runs."""
        return release_of(self.facts.osreldate)

    def now(self) -> float:
        """Return the time in seconds; tests and sleep(1) advance the clock."""
        row = self.state.get("clock", "offset")
        return time.time() + (0.0 if row is None else float(row["seconds"]))

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        row = self.state.get("clock", "offset") or {"seconds": 0.0}
        self.state.put("clock", "offset", {"seconds": float(row["seconds"]) + seconds})

    # Interfaces

    def interface(self, name: str, vnet: str = HOST) -> Interface | None:
        """Return the first interface of that name."""
        return self._at_key(f"{vnet}/{name_key(name)}")

    def same(self, name: str, vnet: str = HOST) -> list[Interface]:
        """Return all interfaces of that name; one from a jail keeps its name even if the host uses it."""
        first = self.interface(name, vnet)
        rows = self.state.scan("interface", f"{vnet}/{name_key(name)}{TWIN}")
        return [*([first] if first else []), *(interface_from(row) for _, row in rows)]

    def made(self, origin: str, home: str = HOST) -> Interface | None:
        """Return the interface created under that name, in any stack and with any present name."""
        row = self.state.get("made", f"{home}/{origin}")
        return None if row is None else self.at(int(row["index"]))

    def at(self, index: int) -> Interface | None:
        """Return the interface with an index, in any stack."""
        row = self.state.get("at", f"{index:06}")
        return None if row is None else self._at_key(str(row["key"]))

    def _at_key(self, key: str) -> Interface | None:
        row = self.state.get("interface", key)
        return None if row is None else interface_from(row)

    def need(self, name: str, vnet: str = HOST) -> Interface:
        found = self.interface(name, vnet)
        if found is None:
            raise ToolError(f"ifconfig: interface {name} does not exist")
        return found

    def interfaces(self, vnet: str = HOST) -> list[Interface]:
        rows = self.state.scan("interface", f"{vnet}/")
        return sorted((interface_from(row) for _, row in rows), key=lambda i: i.order)

    def save(self, interface: Interface) -> None:
        self.state.put("interface", interface.key, interface.row())

    def attach(self, name: str, vnet: str, kind: str) -> Interface:
        """Create an interface with the lowest free index (if_index of ifnet(9))."""
        index, order = self._free_index(), self.state.next_number("order")
        made = Interface(name, vnet, index, order, kind, home=vnet)
        self._place(made)
        self.state.put("made", f"{vnet}/{name}", {"index": index})
        return made

    def detach(self, interface: Interface) -> None:
        self.set_groups(interface, [])
        self._displace(interface)
        self.state.delete("at", f"{interface.index:06}")
        self.state.delete("made", f"{interface.home}/{interface.origin}")
        self.state.put("free-index", f"{interface.index:06}", {})

    def replace(self, interface: Interface, name: str, vnet: str) -> None:
        """Give an interface another name or stack; it leaves all groups."""
        self.set_groups(interface, [])
        self._displace(interface)
        origin = interface.origin
        interface.name, interface.made_as, interface.vnet = name, "" if name == origin else origin, vnet
        interface.twin = self.interface(name, vnet) is not None
        self._place(interface)

    def _place(self, interface: Interface) -> None:
        self.save(interface)
        self.state.put("at", f"{interface.index:06}", {"key": interface.key})

    def _displace(self, interface: Interface) -> None:
        """Remove an interface's key; the next one of the same name, if any, becomes the first."""
        self.state.delete("interface", interface.key)
        others = self.same(interface.name, interface.vnet)
        if others and not interface.twin:
            groups = others[0].groups
            self.set_groups(others[0], [])
            self.state.delete("interface", others[0].key)
            others[0].twin = False
            self._place(others[0])
            self.set_groups(others[0], groups)
            self.save(others[0])

    def _free_index(self) -> int:
        key = self.state.first("free-index")
        if key is None:
            return self.state.next_number("index")
        self.state.delete("free-index", key)
        return int(key)

    def set_groups(self, interface: Interface, groups: list[str]) -> None:
        for gone in set(interface.groups) - set(groups):
            self.state.delete("group", self._group_key(interface, gone))
        for new in set(groups) - set(interface.groups):
            row = {"key": interface.key, "name": interface.name, "group": new}
            self.state.put("group", self._group_key(interface, new), row)
        if interface.vnet == HOST:
            pf_skip.joined(self.state, set(groups) - set(interface.groups))
        interface.groups = groups

    def _group_key(self, interface: Interface, group: str) -> str:
        return group_key(interface.vnet, group) + interface.place

    def group(self, group: str, vnet: str = HOST) -> list[Interface]:
        """Return the interfaces of a group in the order of their creation."""
        rows = self.state.scan("group", group_key(vnet, group))
        found = [i for i in (self._at_key(str(row["key"])) for _, row in rows) if i is not None]
        return sorted(found, key=lambda i: i.order)

    def named(self, name: str, vnet: str = HOST) -> list[Interface]:
        """Return the interface or the group of that name, as pf understands ``on NAME``."""
        single = self.interface(name, vnet)
        return [single] if single else self.group(name, vnet)

    def members(self, bridge: str) -> list[Member]:
        """Return the ports of a bridge, the last added first, as ifconfig(8) lists them."""
        rows = self.state.scan("member", f"{bridge}/")
        return sorted((Member(**row) for _, row in rows), key=lambda m: -m.order)

    def peer(self, interface: Interface) -> Interface | None:
        """Return the other end of an epair."""
        return self.at(interface.peer)

    def made_mac(self, name: str, end: str = "") -> str:
        """Return a locally administered address that depends only on the name."""
        digest = hashlib.sha256(name.encode()).digest()
        octets = [
            0x02,
            digest[0],
            digest[1],
            digest[2],
            digest[3],
            {"a": 0x0A, "b": 0x0B}.get(end, digest[4]),
        ]
        if not end:
            octets[0] = 0x58 | 2
        return ":".join(f"{octet:02x}" for octet in octets)

    # Jails

    def jail(self, name: str, dying: bool = False) -> Jail | None:
        """Return a jail by name or by jid."""
        if not name.isdigit():
            row = self.state.get("jail-name", name)
            if row is None:
                return next((j for j in self.dying() if j.name == name), None) if dying else None
            name = str(row["jid"])
        row = self.state.get("jail", f"{int(name):09}")
        found = None if row is None else Jail(**row)
        return None if found is not None and found.dying is not None and not dying else found

    def jails(self, dying: bool = False) -> list[Jail]:
        found = [Jail(**row) for _, row in self.state.scan("jail")]
        return [j for j in found if dying or j.dying is None]

    def dying(self) -> list[Jail]:
        rows = (self.state.get("jail", key) for key in self.state.keys("dying"))
        return [Jail(**row) for row in rows if row is not None]

    def save_jail(self, jail: Jail) -> None:
        self.state.put("jail", f"{jail.jid:09}", row_of(jail))

    # Routes

    def routes(self, vnet: str = HOST) -> list[Route]:
        return [Route(**row) for _, row in self.state.scan("route", f"{vnet}/")]

    def route(self, destination: str, family: int, vnet: str = HOST) -> Route | None:
        row = self.state.get("route", f"{vnet}/{family}/{destination}")
        return None if row is None else Route(**row)

    def save_route(self, route: Route, family: int, vnet: str = HOST) -> None:
        self.state.put("route", f"{vnet}/{family}/{route.destination}", row_of(route))

    def drop_route(self, destination: str, family: int, vnet: str = HOST) -> None:
        self.state.delete("route", f"{vnet}/{family}/{destination}")

    # Sysctls

    def sysctl(self, name: str, vnet: str = HOST) -> str | None:
        """Return a value, or None for an unknown name. Each stack has its own network variables."""
        row = self.state.get("sysctl", f"{vnet}/{name}")
        if row is None and vnet != HOST:
            row = self.state.get("sysctl-default", name) or self.state.get("sysctl", f"/{name}")
        return None if row is None else str(row["value"])

    def set_sysctl(self, name: str, value: str, vnet: str = HOST) -> None:
        self.state.put("sysctl", f"{vnet}/{name}", {"value": value})

    # Mounts

    def mount(self, point: str, source: str = "devfs", kind: str | None = None) -> None:
        """Mount a devfs, a directory a second time, or a dataset; the mount point itself stays empty.

        The real path is stored too, so that removals need not search all mounts.
        """
        point = self.without_links(point)
        real = str(self.tree.resolve(point))
        order = self.state.next_number("mount")
        self.state.put("mount", point, {"order": order, "real": real, "source": source, "kind": kind})
        self.state.put("mount-at", real, {"point": point})

    def unmount(self, point: str) -> bool:
        """Unmount a point. False if nothing is mounted there."""
        if self.state.get("mount", point) is None:
            point = self.without_links(point)
        row = self.state.get("mount", point)
        if row is not None:
            self.state.delete("mount", point)
            self.state.delete("mount-at", row["real"])
        return row is not None

    def without_links(self, point: str) -> str:
        """Return the point as in the kernel's table, or unchanged if the path no longer exists."""
        try:
            return self.tree.canonical(point)
        except OSError:
            return point

    def mounted(self) -> list[tuple[str, str, str]]:
        """Return sources (devfs, a directory or a dataset), points and kinds, in the order of mounting."""
        rows = sorted(self.state.scan("mount"), key=lambda row: int(row[1]["order"]))
        found = [(row.get("source", "devfs"), key, row.get("kind")) for key, row in rows]
        return [(what, key, kind or ("devfs" if what == "devfs" else "nullfs")) for what, key, kind in found]

    def device_of(self, path: str) -> int:
        """Return the number of the file system that holds a path: a dataset has one of its own."""
        held = [
            (point, int(row["order"]))
            for point, row in self.state.scan("mount")
            if row.get("kind") == "zfs" and f"{path.rstrip('/')}/".startswith(f"{point.rstrip('/')}/")
        ]
        return 100 + max(held, key=lambda each: len(each[0]), default=("", 0))[1]

    def mounts(self) -> list[str]:
        """Return the mount points in the order of mounting."""
        return [point for _, point, _ in self.mounted()]
