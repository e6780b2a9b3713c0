"""The counters of interfaces: the packets that pass them on the modelled network."""

from __future__ import annotations

from potnet.executors.simulated.net.wires import GUEST, Place, other_side
from potnet.executors.simulated.world.entities import HOST
from potnet.executors.simulated.world.world import World

#: The octets of a connection's packets, request and reply; other packets are like those of ping(8).
_OCTETS = {"tcp": (60, 40)}
_ECHO = (84, 84)
#: The Ethernet header of each packet (IEEE 802.3).
_HEADER = 14


def octets_of(protocol: str) -> tuple[int, int]:
    """Return the sizes of a protocol's packet and of its reply."""
    return _OCTETS.get(protocol, _ECHO)


class Passed:
    """The interfaces that a packet passes, in their order."""

    def __init__(self, world: World) -> None:
        self._world = world
        #: Interfaces by stack and name, and whether the packet came in there.
        self._passed: list[tuple[str, str, bool]] = []

    def into(self, place: Place) -> None:
        """Note that the packet comes in at an interface, and leaves the other end of an epair."""
        self._note(place, True)

    def out_of(self, place: Place) -> None:
        """Note that the packet goes out at an interface, and comes in at the other end of an epair."""
        self._note(place, False)

    def from_wire(self, place: Place) -> None:
        """Note that the packet comes in at the host's interface at a wire, unless a jail has the
        interface."""
        if (found := self._at_wire(place)) is not None:
            self.into(found)

    def to_wire(self, place: Place) -> None:
        """Note that the packet goes out at the host's interface at a wire, unless a jail has the
        interface."""
        if (found := self._at_wire(place)) is not None:
            self.out_of(found)

    def count(self, packets: tuple[int, int]) -> None:
        """Add a packet and its reply, with their octets, to all passed interfaces."""
        there, back = packets
        for stack, name, inward in self._passed:
            found = self._world.interface(name, stack)
            assert found is not None
            first, second = (found.received, found.sent) if inward else (found.sent, found.received)
            for counter, octets in ((first, there), (second, back)):
                counter[0] += 1
                counter[1] += octets + _HEADER
            self._world.save(found)

    def _note(self, place: Place, inward: bool) -> None:
        self._passed.append((place.stack, place.interface, inward))
        found = self._world.interface(place.interface, place.stack)
        paired = found is not None and found.kind in ("epair", "tap", GUEST)
        other = other_side(self._world, found) if found is not None and paired else None
        if other is not None:
            self._passed.append((other.vnet, other.name, not inward))

    def _at_wire(self, place: Place) -> Place | None:
        name = place.interface or self._world.facts.interface
        return Place(HOST, name) if self._world.interface(name) is not None else None
