"""serve: change exports by the requests of slirp4netns(1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netaddr import IPAddress

from potnet.errors import PotnetError
from potnet.model.ports import Export, Transport
from potnet.model.pots import Pot
from potnet.operations.common import require_pot
from potnet.operations.exports.change_exports import Change
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.rootless.ports.hostfwd import (
    Add,
    BadRequestError,
    Entry,
    List,
    Remove,
    Request,
    added,
    listed,
    refused,
    removed,
)

if TYPE_CHECKING:
    from potnet.app import App

#: One port of the host, as requests identify it.
Port = tuple[Transport, IPAddress, int]
_ANY = IPAddress("0.0.0.0")


class Numbers:
    """The ids of ports: a port gets one when it is first seen, and no id is used twice."""

    def __init__(self) -> None:
        self._ids: dict[Port, int] = {}
        self._last = 0

    def of(self, port: Port) -> int:
        """Return the id of a port; a new port gets a new id."""
        if port not in self._ids:
            self._last += 1
            self._ids[port] = self._last
        return self._ids[port]

    def forget(self, port: Port) -> None:
        """Forget a port; if it comes back later, it gets a new id."""
        self._ids.pop(port, None)

    def become(self, other: Numbers) -> None:
        """Take over the ids that another process has assigned."""
        self._ids, self._last = other._ids, other._last

    def keep(self, ports: Iterator[Port]) -> None:
        """Forget all other ports."""
        there = set(ports)
        self._ids = {port: number for port, number in self._ids.items() if port in there}


def answer(app: App, numbers: Numbers, request: Request, usual: str | None) -> bytes:
    """Carry out one request. usual: the pot that a request without a pot's name applies to.

    Raises BadRequestError for errors that the protocol defines, and PotnetError for all others.
    """
    match request:
        case Add():
            return _add(app, numbers, request, usual)
        case List():
            return listed(_entries(app, numbers))
        case Remove():
            return _remove(app, numbers, request)


def failure(request: Request) -> bytes:
    """Return the answer to a failed request, in the words of slirp4netns."""
    verb = "remove" if isinstance(request, Remove) else "add"
    return refused(BadRequestError(f"{verb}_hostfwd: slirp_{verb}_hostfwd failed"))


def _add(app: App, numbers: Numbers, request: Add, usual: str | None) -> bytes:
    name = app.store.holder(request.guest_address) if request.guest_address is not None else usual
    if name is None:
        raise BadRequestError("add_hostfwd: bad arguments.guest_addr")
    port = (request.protocol, request.host_address, request.host_port)
    export = Export(
        request.protocol,
        request.guest_port,
        request.host_port,
        host_address=request.host_address if request.host_address != _ANY else None,
    )
    pot = require_pot(app, name)
    name = pot.name
    if any(port == there for each in pot.exports for there, _ in _ports(each)):
        raise PotnetError(f"{name} exports {export} already")
    export_ports(app, name, ExportRequest([str(export)], change=Change.ADD))
    return added(numbers.of(port))


def _remove(app: App, numbers: Numbers, request: Remove) -> bytes:
    for pot, export, port, _ in _all(app):
        if numbers.of(port) == request.id:
            export_ports(app, pot.name, ExportRequest([str(export)], change=Change.REMOVE))
            numbers.forget(port)
            return removed()
    raise BadRequestError("remove_hostfwd: bad arguments.id")


def _entries(app: App, numbers: Numbers) -> list[Entry]:
    found = list(_all(app))
    numbers.keep(port for _, _, port, _ in found)
    entries = [
        Entry(numbers.of(port), port[0].value, str(port[1]), port[2], str(pot.ipv4), guest_port)
        for pot, _, port, guest_port in found
    ]
    return sorted(entries, key=lambda entry: entry.id)


def _all(app: App) -> Iterator[tuple[Pot, Export, Port, int]]:
    """Return all exported ports that the protocol can name: of pots with IPv4, at one or any IPv4 address."""
    for pot in app.store.pots():
        if pot.ipv4 is None:
            continue
        for export in pot.exports:
            for port, guest_port in _ports(export):
                yield pot, export, port, guest_port


def _ports(export: Export) -> Iterator[tuple[Port, int]]:
    """Return the ports of an export one by one, each with the port of the pot."""
    address = export.host_address or _ANY
    if address.version != 4:
        return
    for protocol, host_port in export.ends:
        yield (protocol, address, host_port), export.pot_port + host_port - export.host_ports.start
