"""What the suite needs of a host, whatever the host is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

#: Who calls, beside pots: a machine on the wire of the external interface, and the host itself.
OUTSIDE, HOST = "outside", "host"
#: The answers of a call that does not come about.
REFUSED, TIMEOUT = "refused", "timeout"
#: All names of pots and bridges that the suite makes begin with this.
PREFIX = "accept-"
#: The port on which each pot of the suite has a server.
PORT = 7580


class UnfitError(Exception):
    """The suite cannot run on a host: the reason, and the step that helps."""


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str


class Needs:
    """Answers `Host.lacks` by a method for each need, which its first word names."""

    kind: str

    def lacks(self, need: str) -> str:
        """See `Host`."""
        name, _, value = need.partition(" ")
        reason = getattr(self, f"_lacks_{name}", lambda _: "")(value)
        return str(reason)

    def _lacks_kind(self, value: str) -> str:
        return "" if value == self.kind else f"this is not about {self.kind}"


class Host(Protocol):
    """A host with its tools, a machine outside and a store of its own.

    title: what the table calls it. kind: freebsd or linux, for what the two have different words for.
    external: the interface that leads outside. addresses: those of the host there, by family.
    alias: free addresses for alias pots, by family. spare: an interface that a pot can have, or "".
    """

    title: str
    kind: str
    external: str
    addresses: dict[int, str]
    alias: dict[int, str]
    spare: str

    def lacks(self, need: str) -> str:
        """Return why the host cannot do something that a scenario requires; "" if it can."""
        ...

    def configure(self, text: str) -> None:
        """Replace the scenario's part of the configuration, as TOML without the table of paths."""
        ...

    def potnet(self, *argv: str, kill_after: float | None = None) -> Answer:
        """Run a command line of potnet. kill_after: the seconds until it is killed (SIGKILL)."""
        ...

    def tool(self, *argv: str, stdin: str = "") -> Answer:
        """Run a tool of the host."""
        ...

    def inside(self, pot: str, *argv: str) -> Answer:
        """Run a tool of the host in the network of a running pot, as root there."""
        ...

    def interface(self, name: str, pot: str = "") -> str:
        """Return how the host's tool shows an interface of the host or of a running pot; "" if absent."""
        ...

    def options(self, pot: str, ports: tuple[int, ...]) -> tuple[str, ...]:
        """Return the options of `potnet create` with which a pot has a server after its start."""
        ...

    def furnish(self, pot: str, root: str) -> None:
        """Put into the root of a new pot what its server requires."""
        ...

    def started(self, pot: str, ports: tuple[int, ...]) -> None:
        """Have a server in a pot that has started; return when it answers."""
        ...

    def serve(self, who: str, port: int) -> None:
        """Have a server at OUTSIDE or HOST until the scenario ends."""
        ...

    def transfer(self, sender: str, receiver: str, address: str, port: int, kbytes: int) -> float:
        """Send so much by TCP to a receiver that calls the sender's address, and return the seconds.

        sender, receiver: a running pot or HOST.
        """
        ...

    def call(self, source: str, address: str, port: int, protocol: str = "tcp") -> str:
        """Return the name of the server that answers, REFUSED or TIMEOUT. source: a pot, OUTSIDE or HOST."""
        ...

    def hold(self, source: str, address: str, port: int) -> None:
        """Open a connection by TCP that lasts until the scenario ends, whatever becomes of it."""
        ...

    def machine(self, family: int) -> str:
        """Return the address of the machine outside."""
        ...

    def lead(self, network: str) -> None:
        """Have the machine outside send packets for a network of pots to the host."""
        ...

    def snapshot(self) -> dict[str, str]:
        """Return interfaces, routes, pf, sysctls, mounts, /dev and files, as the host's tools show them."""
        ...

    def tidy(self) -> None:
        """End servers and connections of a scenario, and forget its configuration."""
        ...

    def close(self) -> None:
        """Remove everything that the suite itself has put on the host."""
        ...
