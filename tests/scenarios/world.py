"""A world for whole commands: a host, a store beside it, and an executor that can fail.

The host of a `World` is the simulated one. `on_linux.LinuxWorld` has the same methods and a real kernel:
tests that go by these alone run on both (`both_hosts`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from potnet import pot_installation
from potnet.app import App, with_anchors_in_force
from potnet.config import configuration
from potnet.config.configuration import Config
from potnet.errors import PotnetError
from potnet.executors.base import TIMED_OUT, Command, CommandResult, Executor
from potnet.executors.simulated import HostFacts, SimulatedHost
from potnet.model.bridges import BridgeKind
from potnet.model.pots import NetworkType, Pot, Stack
from potnet.operations.pots.create import CreateRequest, create
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop
from potnet.runtime.locks import Locks
from potnet.store.store import Store

#: What a command answers that fails, and one that was killed since it gave no answer.
FAILURE = CommandResult(71, "", "injected failure")
HANG = CommandResult(TIMED_OUT, "", "injected failure: no answer")


@dataclass
class Faulty:
    """Passes commands on, keeps them, and lets one that changes the host fail.

    fail_at: which of the changing commands, from 0. after: it does its work first, and fails then.
    """

    inner: Executor
    fail_at: int | None = None
    after: bool = False
    answer: CommandResult = FAILURE
    commands: list[Command] = field(default_factory=list)

    def run(self, command: Command) -> CommandResult:
        self.commands.append(command)
        if command.changes_host and self.changes - 1 == self.fail_at:
            if self.after:
                self.inner.run(command)
            return self.answer
        return self.inner.run(command)

    def attach(self, command: Command) -> int:
        self.commands.append(command)
        return self.inner.attach(command)

    def stream(self, command: Command, write: Callable[[bytes], None]) -> int:
        self.commands.append(command)
        return self.inner.stream(command, write)

    @property
    def changes(self) -> int:
        """How many commands changed the host so far."""
        return sum(command.changes_host for command in self.commands)

    @property
    def changed(self) -> list[str]:
        """The commands that changed the host, as one would type them."""
        return [" ".join(command.argv) for command in self.commands if command.changes_host]


#: Lets a test run on the simulated host and on a Linux kernel.
both_hosts = pytest.mark.parametrize("world", ["freebsd", "linux"], indirect=True)


def both_hosts_with(
    names: tuple[str, ...], cases: Sequence[tuple[object, ...]], linux: Collection[tuple[object, ...]]
) -> pytest.MarkDecorator:
    """Let a test run with each case on both. linux: those that `make test`, too, tries on a Linux kernel."""
    values = [pytest.param("freebsd", *case) for case in cases] + [
        pytest.param("linux", *case, marks=() if case in linux else pytest.mark.slow) for case in cases
    ]
    return pytest.mark.parametrize(("world", *names), values, indirect=["world"])


class World:
    """One host and its store in a directory."""

    kind = "sim"
    #: The external interface, the host's address there and what all addresses there begin with.
    external, address, prefix = "em0", "192.168.178.20", "192.168.178."
    #: A release, where pots can have one.
    base: str | None = "12.2"
    #: The release of FreeBSD, and whether em0 is a bridge of the host's own with the interface igb0 on it.
    #: On 15, an interface with addresses cannot join the bridge of pots with IPv6.
    release, lan_bridge = "14.3", False

    def __init__(self, directory: Path, bare: bool = False) -> None:
        self.directory = directory
        self.host: Any = self._make_host(bare)
        self.config_file = directory / "potnet.toml"
        self.config_file.write_text("")
        self.executor = Faulty(self.host)
        self.notices: list[str] = []
        self.configure("")

    def _make_host(self, bare: bool) -> Executor:
        host = SimulatedHost(self.directory / "sim", bare=bare, facts=self._facts())
        found = host.interface("em0")
        if found is None:
            self.move_addresses(host)
            found = host.interface("em0")
        if not any(":" in address for address in found.addresses):
            # The first IPv6 address of an interface brings a link-local one along, which stays.
            host.run(Command(("ifconfig", "em0", "inet6", "2001:db8:7::20/64", "no_dad", "-ifdisabled")))
        return host

    def _facts(self) -> HostFacts:
        facts = HostFacts().of_release(self.release)
        return replace(facts, interface="igb0") if self.lan_bridge else facts

    @classmethod
    def move_addresses(cls, host: Executor) -> None:
        """Give the addresses and the default route of igb0 to a bridge called em0."""
        for line in (
            f"ifconfig igb0 inet {cls.address} -alias", "ifconfig bridge99 create",
            "ifconfig bridge99 name em0", "ifconfig em0 addm igb0 up",
            f"ifconfig em0 inet {cls.address}/24", f"route add default {cls.prefix}1",
        ):  # fmt: skip
            result = host.run(Command(tuple(line.split())))
            assert result.code == 0, (line, result)

    def configure(self, text: str) -> None:
        """Set the configuration, as TOML."""
        self.config_file.write_text(text)
        self.config = self._adapted(configuration.load(self.config_file, explicit=True))

    def _adapted(self, config: Config) -> Config:
        return config

    @contextmanager
    def app(self) -> Iterator[App]:
        """The application on this world, as a command has it."""
        with Store.open(self.directory / "state", self.kind) as store:
            yield App(
                config=with_anchors_in_force(self.config, store),
                store=store,
                host_kind=self.kind,
                notify=self.notices.append,
                locks=Locks(self.directory / "state" / "locks", self.config.lock_wait),
                make_executor=lambda: self.executor,
                find_installation=lambda: pot_installation.find(None, [str(self.directory / "usr/bin")]),
            )

    def do(self, operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Carry out one operation, as one command does."""
        with self.app() as app:
            return operation(app, *args, **kwargs)

    def create(self, name: str, kind: str = "inherit", stack: str = "ipv4", **more: Any) -> Pot:
        """Create a pot; addresses default to what its type needs."""
        addresses = {
            "alias": {
                "ipv4": (f"{self.prefix}200",),
                "ipv6": (f"{self.external}|2001:db8:7::200",),
                "dual": (f"{self.prefix}200", f"{self.external}|2001:db8:7::200"),
            }[stack]
        }.get(kind, ())
        more.setdefault("addresses", addresses)
        request = CreateRequest(name=name, network_type=NetworkType(kind), stack=Stack(stack), **more)
        with self.app() as app:
            return create(app, request)

    def failing_starts(self, *names: str, after: bool = False) -> Iterator[int]:
        """Let each command of a start fail, one in each round: the start has been refused, and nothing else.

        after: the command does its work first.
        """
        self.executor.commands.clear()
        self.do(start, names)
        changes = self.executor.changes
        self.do(stop, names)
        for number in range(changes):
            self.executor.commands.clear()
            self.executor.fail_at, self.executor.after = number, after
            with pytest.raises(PotnetError):
                self.do(start, names)
            self.executor.fail_at = None
            yield number

    def records(self) -> dict[str, Any]:
        """Everything that the store knows."""
        with self.app() as app:
            store = app.store
            return {
                "pots": store.pots(),
                "bridges": store.bridges(),
                "runs": store.runs(),
                "leases": [store.leases(b.name) for b in store.bridges() if b.network is not None],
                "forwarding": store.remembered("forwarding4"),
            }

    # What a test sees of the host, and does to it beside potnet.

    def snapshot(self) -> dict[str, Any]:
        """All of the host that a pot could change."""
        return dict(self.host.snapshot())

    def without_folders(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        """A snapshot without the folders of all roots and of releases, which stay."""
        files = {path: what for path, what in snapshot["files"].items() if not path.startswith("/opt")}
        return snapshot | {"files": files}

    def lasting(self) -> dict[str, Any]:
        """What of a snapshot is the same each time that the same pots run."""
        found = self.snapshot()
        found["jails"] = {name: jail[1:] for name, jail in found["jails"].items()}
        return {what: found[what] for what in ("jails", "files", "anchors")}

    def jails(self) -> list[str]:
        return list(self.host.jails())

    def interfaces(self) -> list[str]:
        return list(self.host.interfaces())

    def members(self, bridge: str) -> set[str]:
        return set(self.host.interface(bridge).members)

    def slaac_bridge(self) -> str:
        """The bridge of pots with SLAAC: one that potnet made, or one of the host's own."""
        (found,) = (bridge for bridge in self.records()["bridges"] if bridge.kind is BridgeKind.PUBLIC6)
        return str(found.joined or found.interface)

    def addresses(self, interface: str) -> str:
        """In a text."""
        return str(self.host.interface(interface).addresses)

    def reaches(self, source: str, address: str, port: int) -> bool:
        """Whether a connection comes about by tcp. source: a pot, "outside" or "host"."""
        return bool(self.host.connect(source, address, port).ok)

    def redirections(self, pot: str) -> list[tuple[str, int]]:
        """Which host ports lead to a pot: protocol and number, each once."""
        rules = [rule for rule in self.host.anchor(f"pot-rdr/{pot}") if rule.startswith("rdr")]
        found = {(rule.split(" proto ")[1].split()[0], rule) for rule in rules}
        return sorted({(protocol, int(rule.split(" port = ")[1].split()[0])) for protocol, rule in found})

    def etc(self, pot: str, name: str) -> str:
        """A file of a running pot's etc."""
        return str((self.host.tree / f"opt/potnet/jails/{pot}/m/etc/{name}").read_text())

    def listen(self, port: int, command: str) -> None:
        """Let a process of the host listen by tcp."""
        self.host.listen("tcp", port, command=command)

    @property
    def forwarding(self) -> bool:
        return bool(self.host.sysctl("net.inet.ip.forwarding") == "1")

    @forwarding.setter
    def forwarding(self, on: bool) -> None:
        self.do_there("sysctl", f"net.inet.ip.forwarding={int(on)}")

    def do_there(self, *argv: str, stdin: str | None = None) -> None:
        """Run a command on the host, which must succeed."""
        result = self.host.run(Command(argv, stdin))
        assert result.code == 0, result

    def add_address(self, address: str) -> None:
        """To the external interface."""
        self.do_there("ifconfig", self.external, "inet", address, "alias")

    def remove_address(self, interface: str, address: str) -> None:
        family = "inet6" if ":" in address else "inet"
        self.do_there("ifconfig", interface, family, address.partition("/")[0], "-alias")

    def take(self, name: str) -> None:
        """Make an interface of somebody else's: bridgeN, or epairN with two ends."""
        self.do_there("ifconfig", name, "create")

    def remove_interface(self, name: str) -> None:
        self.do_there("ifconfig", name, "destroy")

    def add_jail(self, name: str) -> None:
        """One that potnet has not started."""
        self.do_there("mkdir", "-p", "/jails/other")
        self.do_there("jail", "-c", f"name={name}", "path=/jails/other", "persist")

    def remove_jail(self, name: str) -> None:
        """As somebody would who does not use potnet."""
        path = self.host.jails()[name].path
        self.do_there("jail", "-r", name)
        if f"{path}/dev" in self.host.mounts():
            self.do_there("umount", f"{path}/dev")

    def flush_rules(self) -> None:
        for anchor in self.host.anchors():
            self.do_there("pfctl", "-a", anchor, "-f", "-", stdin="")

    def reboot(self) -> None:
        """What a host is after it went down with its pots up: files stay, all else is as it was at first."""
        for name in self.jails():
            self.remove_jail(name)
        for name in self.interfaces():
            if name.startswith("bridge") or (name.startswith("epair") and name.endswith("a")):
                self.remove_interface(name)
        for address in (f"{self.prefix}200", "2001:db8:7::200"):
            if address in self.addresses(self.external):
                self.remove_address(self.external, address)
        self.flush_rules()
