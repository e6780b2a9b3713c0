"""A FreeBSD host in a directory, for trying potnet out and for its tests."""

from potnet.executors.simulated.host import SimulatedHost
from potnet.executors.simulated.packets.calls import Connection, Refusal
from potnet.executors.simulated.world.entities import HostFacts

__all__ = ["Connection", "HostFacts", "Refusal", "SimulatedHost"]
