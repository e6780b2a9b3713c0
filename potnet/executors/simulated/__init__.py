"""A FreeBSD host in a directory, for trying potnet out and for its tests."""

from potnet.executors.simulated.host import SimulatedHost
from potnet.executors.simulated.network import Connection, Refusal
from potnet.executors.simulated.things import HostFacts

__all__ = ["Connection", "HostFacts", "Refusal", "SimulatedHost"]
