"""The simulated host, as one release of FreeBSD: tools answer in this process, connections are calculated."""

from __future__ import annotations

from pathlib import Path

from potnet.executors.base import Command
from potnet.executors.simulated import Connection, HostFacts, Refusal, SimulatedHost

from . import agent, program
from .freebsd import FreeBSD
from .host import HOST, OUTSIDE, REFUSED, TIMEOUT, Answer

#: What happens between two wires is not calculated, so a refusal tells these apart by its words.
_CLOSED = ("nothing listens", "returns an error", "refused")
RELEASES = {"sim14": "14.3", "sim15": "15.0", "sim15-plain": "15.0"}
#: How the addresses of an interface get to a bridge that it joins.
BRIDGED = (
    "ifconfig em0 inet 192.168.178.20 -alias", "ifconfig bridge99 create", "ifconfig bridge99 name lan0",
    "ifconfig lan0 addm em0 up", "ifconfig lan0 inet 192.168.178.20/24", "route add default 192.168.178.1",
)  # fmt: skip
#: Free addresses of the external network, and machines there.
ALIAS = {4: "192.168.178.200", 6: "2001:db8:7::200"}
_MACHINE = {4: "192.168.178.99", 6: "2001:db8:7::63"}


def simulated(directory: Path, release: str, bare: bool = False, bridged: bool = False) -> SimulatedHost:
    """Return a new host that has an IPv6 address from its router. bridged: its addresses are on a bridge."""
    host = SimulatedHost(directory, bare, HostFacts(spare="em1").of_release(release))
    name = "lan0" if bridged else "em0"
    own = "auto_linklocal " if bridged else ""
    lines = (f"ifconfig {name} inet6 {own}accept_rtadv -ifdisabled", f"rtsol {name}")
    for line in (*(BRIDGED if bridged else ()), *lines):
        result = host.run(Command(tuple(line.split())))
        assert result.code == 0, result
    return host


def seconds(kbytes: int, connection: Connection) -> float:
    """Return how long a server's answer takes: its packets are the replies."""
    return kbytes * 1024 * 8 / (connection.rates[1] or 1_000_000_000)


class Sim(FreeBSD):
    """See `Host`. name: of `RELEASES`; on sim15 the host's addresses are on a bridge, since pots with SLAAC
    require that there. forked: potnet runs in copies of this process, which saves starting Python anew."""

    def __init__(self, directory: Path, name: str, forked: bool = False) -> None:
        release = RELEASES[name]
        state = directory / "state"
        self._forked = forked
        super().__init__(name, state)
        self.host = simulated(state / "sim", release, bridged=name == "sim15")
        self.environment = program.environment(state, "sim", POTNET_SIM_RELEASE=release)
        self.look_around()
        self.alias, self.spare = ALIAS, "em1"
        #: What listens on the stack of the host.
        self._listening: list[tuple[str, int]] = []
        prepared = self.potnet("init", "--loopback", "--apply")
        assert prepared.code == 0, prepared
        self.must("mkdir", "-p", self.jails)

    def tool(self, *argv: str, stdin: str = "") -> Answer:
        """See `Host`."""
        done = self.host.run(Command(argv, stdin))
        return Answer(done.code, done.out, done.err)

    def potnet(self, *argv: str, kill_after: float | None = None) -> Answer:
        """See `Host`."""
        if not self._forked:
            return super().potnet(*argv, kill_after=kill_after)
        return Answer(**agent.potnet([*argv], kill_after, self.environment))

    def options(self, pot: str, ports: tuple[int, ...]) -> tuple[str, ...]:
        """See `Host`: a simulated jail answers on every port."""
        return ()

    def furnish(self, pot: str, root: str) -> None:
        """See `Host`."""

    def started(self, pot: str, ports: tuple[int, ...]) -> None:
        """See `Host`: a jail that shares the stack of the host listens there."""
        if self.host.jails()[pot].ip4 == "inherit" or self.host.jails()[pot].ip6 == "inherit":
            for port in ports:
                self._listen(port, pot)

    def serve(self, who: str, port: int) -> None:
        """See `Host`: machines outside answer on every port."""
        if who != OUTSIDE:
            self._listen(port, "" if who == HOST else who)

    def _listen(self, port: int, pot: str) -> None:
        for protocol in ("tcp4", "tcp6", "udp4", "udp6"):
            self.host.listen(protocol, port, command="nc", jail=pot)
            self._listening.append((protocol, port))

    def call(self, source: str, address: str, port: int, protocol: str = "tcp") -> str:
        """See `Host`."""
        found = self.host.connect(source, address, port, protocol)
        if isinstance(found, Refusal):
            return REFUSED if any(words in found.reason for words in _CLOSED) else TIMEOUT
        return found.server

    def transfer(self, sender: str, receiver: str, address: str, port: int, kbytes: int) -> float:
        """See `Host`: the pipes on the way tell."""
        self.serve(sender, port)
        found = self.host.connect(receiver, address, port)
        assert not isinstance(found, Refusal) and found.server == sender, found
        return seconds(kbytes, found)

    def hold(self, source: str, address: str, port: int) -> None:
        """See `Host`: pf counts what has ended for a while."""
        self.call(source, address, port)

    def machine(self, family: int) -> str:
        """See `Host`."""
        return _MACHINE[family]

    def lead(self, network: str) -> None:
        """See `Host`: the machine has the host as its gateway."""

    def tidy(self) -> None:
        """See `Host`."""
        for protocol, port in self._listening:
            self.host.unlisten(protocol, port)
        self._listening.clear()
        self.configure("")

    def close(self) -> None:
        """See `Host`: the directory goes with the run."""
