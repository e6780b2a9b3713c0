"""Pots in the store: one row each, with rows for attachments, aliases and exports in their order."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from netaddr import IPAddress, IPNetwork

from potnet.errors import PotnetError
from potnet.model.ports import Export
from potnet.model.pots import (
    Alias,
    Attachment,
    End,
    HookKind,
    Lease,
    NetworkType,
    Pot,
    Resolver,
    ResolverKind,
    Stack,
)
from potnet.store import ranges
from potnet.store.exports import Exports
from potnet.store.file.database import Row
from potnet.store.numbers import CALLED, Numbers, pot_number
from potnet.store.policies import Policies
from potnet.store.pot_json import address_or_none, strings, text_or_none
from potnet.store.subnets import Subnets

_Names = dict[str, list[str]]
_Children = tuple[dict[str, list[Attachment]], dict[str, list[Alias]], _Names, _Names]
#: The columns of table pot after the name, in the order of `_head` and `_pot`.
_COLUMNS = (
    "network_type", "stack", "root", "root_made", "hostname", "base", "resolver", "resolver_text", "command",
    "boot", "hooks", "whole", "isolate", "internet", "rate_in", "rate_out", "owner", "directory", "dataset",
    "priority", "parameters",
)  # fmt: skip
_POTS = f"SELECT name, {', '.join(_COLUMNS)} FROM pot"  # noqa: S608 - names of our own schema
_DOUBLED = {
    "pot": "SELECT name FROM pot WHERE lower(name) IN"
    " (SELECT lower(name) FROM pot GROUP BY lower(name) HAVING count(*) > 1) ORDER BY name",
    "bridge": "SELECT name FROM bridge WHERE lower(name) IN"
    " (SELECT lower(name) FROM bridge GROUP BY lower(name) HAVING count(*) > 1) ORDER BY name",
}
#: Fields of a pot with several values, each in a table of its own; exports are apart.
_CHILDREN = (
    "SELECT pot, bridge, unit, mac, address, address6, mac_given, lan, learns6, dhcp FROM attachment",
    "SELECT pot, interface, address FROM alias",
    "SELECT pot, interface FROM passed",
    "SELECT pot, needed FROM need",
)
_IN_ORDER = "ORDER BY pot, position"


class Pots(Subnets, Numbers, Exports, Policies):
    """The pots of a store. A method that is given a pot writes all of its fields."""

    def pots(self) -> tuple[Pot, ...]:
        """Return all pots, sorted by name."""
        with self.snapshot():
            heads = self.rows(f"{_POTS} ORDER BY name")
            children = _grouped([self.rows(f"{sql} {_IN_ORDER}") for sql in _CHILDREN])
            exports = self.exports_by_pot()
        return tuple(_pot(head, children, exports) for head in heads)

    def pots_named(self, names: Sequence[str]) -> dict[str, Pot]:
        """Return those of the named pots that exist, by name; this takes half the time of separate reads."""
        with self.snapshot():
            return self._named(names, self.exports_by_pot(names))

    def _named(self, names: Sequence[str], exports: Mapping[str, tuple[Export, ...]]) -> dict[str, Pot]:
        with self.snapshot():
            heads = self.rows_of(f"{_POTS} WHERE name IN", names)
            children = _grouped([self.rows_of(f"{sql} WHERE pot IN", names, _IN_ORDER) for sql in _CHILDREN])
        return {head[0]: _pot(head, children, exports) for head in heads}

    def pot(self, name: str) -> Pot | None:
        """Return one pot, None if the name is not found; see `called`."""
        known = self.called("pot", name)
        return self.pots_named([known])[known] if known is not None else None

    def pot_without_exports(self, name: str) -> Pot | None:
        """Return one pot as `pot` does, but leave out its exports, which may be thousands."""
        known = self.called("pot", name)
        return self._named([known], {})[known] if known is not None else None

    def doubled(self, what: Literal["pot", "bridge"]) -> tuple[tuple[str, ...], ...]:
        """Return groups of pot or bridge names that differ only in case, sorted."""
        found = self.rows(_DOUBLED[what])
        groups: dict[str, list[str]] = {}
        for (name,) in found:
            groups.setdefault(name.lower(), []).append(name)
        return tuple(map(tuple, groups.values()))

    def pot_names(self) -> tuple[str, ...]:
        """Return the names of all pots, sorted."""
        return tuple(name for (name,) in self.rows("SELECT name FROM pot ORDER BY name"))

    def hostnames(self) -> tuple[tuple[str, str], ...]:
        """Return the pots whose host names differ from their names, with the host names, sorted."""
        found = self.rows("SELECT name, hostname FROM pot WHERE hostname <> name ORDER BY name")
        return tuple((name, hostname) for name, hostname in found)

    def has_pot(self, name: str) -> bool:
        """Whether a pot of that name exists; see `called`."""
        return self.called("pot", name) is not None

    def lost_leases(self) -> tuple[Lease, ...]:
        """Return the leases of missing pots, by network and address."""
        found = self.rows(
            "SELECT lease.network, lease.address, lease.pot, network.cidr FROM lease"
            " JOIN network ON network.name = lease.network"
            " WHERE NOT EXISTS (SELECT 1 FROM pot WHERE pot.name = lease.pot)"
            " ORDER BY lease.network, lease.address"
        )
        return tuple(
            Lease(network, IPAddress(ranges.number(stored), IPNetwork(cidr).version), pot)
            for network, stored, pot, cidr in found
        )

    def pieces(self) -> tuple[str, ...]:
        """Return the names of the incomplete pots, sorted."""
        return tuple(name for (name,) in self.rows("SELECT name FROM pot WHERE NOT whole ORDER BY name"))

    def next_pot_names(self) -> tuple[str, ...]:
        """Return the numbered names of incomplete pots, which a create takes over, and `next_pot_name`."""
        numbered = (name for name in self.pieces() if pot_number(name) is not None)
        return (*numbered, self.next_pot_name())

    def bridged_names(self, bridge: str) -> tuple[str, ...]:
        """Return the names of the pots that are attached to a bridge, sorted."""
        found = self.rows("SELECT DISTINCT pot FROM attachment WHERE bridge = ? ORDER BY pot", bridge)
        return tuple(name for (name,) in found)

    def add_pot(self, pot: Pot) -> None:
        """Errors: another pot has the name, root, an alias, epair or tap unit, MAC address or host port."""
        with self.transaction():
            self._refuse_called(pot.name)
            self._check_root(pot)
            self.change(
                f"INSERT INTO pot ({', '.join(_COLUMNS)}, name) VALUES ({'?, ' * len(_COLUMNS)}?)",  # noqa: S608
                *_head(pot),
                pot.name,
            )
            number = pot_number(pot.name)
            if number is not None:
                ranges.take(self, ranges.POT, number, number)
            self._add_children(pot)

    def refuse_present(self, name: str) -> None:
        """Error: a complete pot of this name already exists."""
        self._refuse_called(name, " AND (whole OR name <> ?)", name)

    def _refuse_called(self, name: str, condition: str = "", *values: str) -> None:
        found = self.row(CALLED["pot"] + condition, name, *values)
        if found:
            raise _exists(found[0])

    def update_pot(self, pot: Pot) -> None:
        """Replace the pot of that name. Errors: the pot is not found; else as `add_pot`."""
        with self.transaction():
            if self.row("SELECT 1 FROM pot WHERE name = ?", pot.name) is None:
                raise PotnetError(f"pot {pot.name} not found", hint="`potnet list` shows the pots")
            self._check_root(pot)
            self._drop_children(pot.name)
            self.change(
                f"UPDATE pot SET {' = ?, '.join(_COLUMNS)} = ? WHERE name = ?",  # noqa: S608
                *_head(pot),
                pot.name,
            )
            self._add_children(pot)

    def alias_of(self, address: IPAddress) -> str | None:
        """Return the alias pot that has an address, on any interface."""
        found = self.row("SELECT pot FROM alias WHERE address = ?", str(address))
        return found[0] if found else None

    def remove_pot(self, name: str) -> None:
        """Remove a pot with its leases and its run. A missing pot is not an error."""
        with self.transaction():
            self.release_pot(name)
            self.remove_policies(End(name))
            self._drop_children(name)
            self.drop_exports(name)
            gone = self.change("DELETE FROM pot WHERE name = ?", name)  # The run goes with it.
            number = pot_number(name)
            if gone and number is not None:
                ranges.give(self, ranges.POT, number, number)

    def _check_root(self, pot: Pot) -> None:
        found = self.row("SELECT name FROM pot WHERE root = ? AND name <> ?", pot.root, pot.name)
        if found:
            raise PotnetError(f"{pot.root} is the root of pot {found[0]}", hint="choose another directory")
        if pot.root == "/":
            return
        for name, root, made in self._roots_around(pot):
            # If two roots overlap, the user supplied at least one of them.
            if not (made and pot.root_made):
                raise PotnetError(
                    f"{pot.root} and {root}, the root of pot {name}, overlap",
                    hint="choose another directory",
                )

    def _roots_around(self, pot: Pot) -> list[Row]:
        """Return name, root and root_made of the pots whose root overlaps that of this pot."""
        # A root made by potnet is in the pot's directory; a given root may only have the same name.
        own = pot.root.removesuffix("/m") if pot.root_made else pot.root
        above = _above(pot.root)
        folders = [f"{path}/m" for path in above]
        found = self._around("name, root, root_made", "root", own, above + folders, pot.name)
        return [row for row in found if row[2] or row[1] in above or row[1].startswith(f"{own}/")]

    def roots_around(self, path: str, but: str) -> tuple[tuple[str, str], ...]:
        """Return name and root of the other pots whose root overlaps this path, except for ``/``."""
        return tuple(self._around("name, root", "root", path, [path, *_above(path)], but))

    def directories_around(self, path: str, but: str) -> tuple[tuple[str, str], ...]:
        """Return name and directory of the other pots whose directory overlaps this path."""
        return tuple(self._around("name, directory", "directory", path, [path, *_above(path)], but))

    def _around(self, columns: str, column: str, path: str, above: Sequence[str], but: str) -> list[Row]:
        select = f"SELECT {columns} FROM pot WHERE name <> ? AND"  # noqa: S608 - names of our own schema
        # The character 0 follows the slash in the order of characters.
        inside = self.rows(f"{select} {column} > ? AND {column} < ?", but, f"{path}/", f"{path}0")
        marks = ", ".join("?" * len(above))
        return inside + self.rows(f"{select} {column} IN ({marks})", but, *above)

    def unrecorded_hooks(self) -> tuple[str, ...]:
        """Return the pots with hooks in a directory that an older version of the store did not record."""
        found = self.rows("SELECT name FROM pot WHERE directory IS NULL AND hooks <> '[]'")
        return tuple(name for (name,) in found)

    def has_given_roots(self) -> bool:
        """Whether a pot has a root that potnet did not make."""
        return self.row("SELECT 1 FROM pot WHERE NOT root_made LIMIT 1") is not None

    def _drop_children(self, name: str) -> None:
        for (unit,) in self.rows("SELECT unit FROM attachment WHERE pot = ?", name):
            ranges.give(self, ranges.EPAIR, unit, unit)
        self.change("DELETE FROM attachment WHERE pot = ?", name)
        self.change("DELETE FROM alias WHERE pot = ?", name)
        self.change("DELETE FROM passed WHERE pot = ?", name)
        self.change("DELETE FROM need WHERE pot = ?", name)

    def _add_children(self, pot: Pot) -> None:
        for position, attachment in enumerate(pot.attachments):
            self._add_attachment(pot.name, position, attachment)
        for position, alias in enumerate(pot.aliases):
            self._add_alias(pot.name, position, alias)
        self.put_exports(pot.name, pot.exports)
        for position, interface in enumerate(pot.passed):
            self._add_passed(pot.name, position, interface)
        for position, needed in enumerate(pot.needs):
            sql = "INSERT INTO need (pot, position, needed) VALUES (?, ?, ?)"
            self.change(sql, pot.name, position, needed)

    def _add_passed(self, name: str, position: int, interface: str) -> None:
        holder = self.passed_to(interface)
        if holder is not None:
            raise PotnetError(f"{interface} is passed to pot {holder}", hint="choose another interface")
        self.change(
            "INSERT INTO passed (pot, position, interface) VALUES (?, ?, ?)", name, position, interface
        )

    def passed_to(self, interface: str) -> str | None:
        """Return the pot that has an interface of the host while the pot runs."""
        found = self.row("SELECT pot FROM passed WHERE interface = ?", interface)
        return found[0] if found else None

    def _add_attachment(self, name: str, position: int, item: Attachment) -> None:
        if not ranges.take(self, ranges.EPAIR, item.unit, item.unit):
            found = self.row("SELECT pot FROM attachment WHERE unit = ?", item.unit)
            whose = f"is used by pot {found[0]}" if found else "is out of range"
            what = "tap" if item.tap else "epair"
            raise PotnetError(f"{what} unit {item.unit} {whose}", hint="repeat the command to choose another")
        found = self.row("SELECT pot FROM attachment WHERE mac = ?", item.mac)
        if found:
            raise PotnetError(f"MAC address {item.mac} is used by pot {found[0]}", hint="choose another")
        self.change(
            "INSERT INTO attachment"
            " (pot, position, bridge, unit, mac, address, address6, mac_given, lan, learns6, dhcp)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            name,
            position,
            item.bridge,
            item.unit,
            item.mac,
            text_or_none(item.address),
            text_or_none(item.address6),
            item.mac_given,
            item.lan,
            item.learns6,
            item.dhcp,
        )

    def _add_alias(self, name: str, position: int, item: Alias) -> None:
        address = str(item.address)
        found = self.row("SELECT pot FROM alias WHERE interface = ? AND address = ?", item.interface, address)
        if found:
            raise PotnetError(
                f"{address} on {item.interface} is an alias of pot {found[0]}", hint="choose another address"
            )
        row = (name, position, item.interface, address)
        self.change("INSERT INTO alias (pot, position, interface, address) VALUES (?, ?, ?, ?)", *row)


def _above(path: str) -> list[str]:
    """Return the directories above a path, except for the host's root."""
    parts = path.split("/")
    return ["/".join(parts[:length]) for length in range(2, len(parts))]


def _exists(name: str) -> PotnetError:
    return PotnetError(f"pot {name} already exists", hint="choose another name")


def _head(pot: Pot) -> tuple[object, ...]:
    """Return the columns of table pot, except for the name."""
    return (
        str(pot.network_type),
        str(pot.stack),
        pot.root,
        pot.root_made,
        pot.hostname,
        pot.base,
        str(pot.resolver.kind),
        pot.resolver.text,
        json.dumps(pot.command),
        pot.boot,
        json.dumps(pot.hooks),
        pot.whole,
        pot.isolate,
        pot.internet,
        pot.rate_in,
        pot.rate_out,
        pot.owner,
        pot.directory,
        pot.dataset,
        pot.priority,
        json.dumps(pot.parameters),
    )


def _grouped(found: Sequence[Iterable[Row]]) -> _Children:
    """Return the rows of `_CHILDREN` by the name of their pot, in order."""
    attachments, aliases, *names = found
    children: _Children = tuple(defaultdict(list) for _ in _CHILDREN)  # type: ignore[assignment]
    for name, bridge, unit, mac, address, address6, *flags in attachments:
        addresses = address_or_none(address), address_or_none(address6)
        given, lan, learns6, dhcp = map(bool, flags)
        item = Attachment(bridge, unit, mac, *addresses, mac_given=given, lan=lan, learns6=learns6, dhcp=dhcp)
        children[0][name].append(item)
    for name, interface, address in aliases:
        children[1][name].append(Alias(interface, IPAddress(address)))
    for kept, rows in zip(children[2:], names, strict=True):
        for name, value in rows:
            kept[name].append(value)
    return children


def _pot(head: Row, children: _Children, exports: Mapping[str, tuple[Export, ...]]) -> Pot:
    name, kind, stack, root, root_made, hostname, base, resolver, text, command, boot, hooks, *options = head
    whole, isolate, internet, rate_in, rate_out, owner, directory, dataset, priority, parameters = options
    attachments, aliases, passed, needs = children
    wires = attachments.get(name, ())
    return Pot(
        name=name,
        network_type=NetworkType(kind),
        stack=Stack(stack),
        root=root,
        root_made=bool(root_made),
        directory=directory,
        dataset=dataset,
        hostname=hostname,
        base=base,
        resolver=Resolver(ResolverKind(resolver), text),
        command=strings(command),
        boot=bool(boot),
        attachments=tuple(wires if owner is None else (replace(each, tap=True) for each in wires)),
        aliases=tuple(aliases.get(name, ())),
        exports=exports.get(name, ()),
        passed=tuple(passed.get(name, ())),
        hooks=tuple(map(HookKind, strings(hooks))),
        whole=bool(whole),
        isolate=bool(isolate),
        internet=bool(internet),
        rate_in=rate_in,
        rate_out=rate_out,
        owner=owner,
        needs=tuple(needs.get(name, ())),
        priority=priority,
        parameters=strings(parameters),
    )
