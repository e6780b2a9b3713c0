"""A world for whole commands: a simulated host, a store beside it, and an executor that can fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from potnet import config as configuration
from potnet.app import App, with_anchors_in_force
from potnet.executors.base import Command, CommandResult, Executor
from potnet.executors.simulated import SimulatedHost
from potnet.locks import Locks
from potnet.model import NetworkType, Pot, Stack
from potnet.operations.create import CreateRequest, create
from potnet.store.store import Store


@dataclass
class Faulty:
    """Passes commands on, keeps them, and lets one that changes the host fail.

    fail_at: which of the changing commands, from 0. after: it does its work first, and fails then.
    """

    inner: Executor
    fail_at: int | None = None
    after: bool = False
    commands: list[Command] = field(default_factory=list)

    def run(self, command: Command) -> CommandResult:
        self.commands.append(command)
        if command.changes_host and self.changes - 1 == self.fail_at:
            if self.after:
                self.inner.run(command)
            return CommandResult(71, "", f"{command.argv[0]}: injected failure")
        return self.inner.run(command)

    def attach(self, command: Command) -> int:
        self.commands.append(command)
        return self.inner.attach(command)

    @property
    def changes(self) -> int:
        """How many commands changed the host so far."""
        return sum(command.changes_host for command in self.commands)

    @property
    def changed(self) -> list[str]:
        """The commands that changed the host, as one would type them."""
        return [" ".join(command.argv) for command in self.commands if command.changes_host]


class World:
    """One host and its store in a directory."""

    def __init__(self, directory: Path, bare: bool = False) -> None:
        self.directory = directory
        self.host = SimulatedHost(directory / "sim", bare=bare)
        if not any(":" in address for address in self.host.interface("em0").addresses):
            # The first IPv6 address of an interface brings a link-local one along, which stays.
            self.host.run(Command(("ifconfig", "em0", "inet6", "2001:db8:7::20/64", "-ifdisabled")))
        self.config_file = directory / "potnet.toml"
        self.config_file.write_text("")
        self.executor = Faulty(self.host)
        self.notices: list[str] = []
        self.configure("")

    def configure(self, text: str) -> None:
        """Set the configuration, as TOML."""
        self.config_file.write_text(text)
        self.config = configuration.load(self.config_file, explicit=True)

    @contextmanager
    def app(self) -> Iterator[App]:
        """The application on this world, as a command has it."""
        with Store.open(self.directory / "state", "sim") as store:
            yield App(
                config=with_anchors_in_force(self.config, store),
                store=store,
                host_kind="sim",
                notify=self.notices.append,
                locks=Locks(self.directory / "state" / "locks"),
                make_executor=lambda: self.executor,
            )

    def do(self, operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Carry out one operation, as one command does."""
        with self.app() as app:
            return operation(app, *args, **kwargs)

    def create(self, name: str, kind: str = "inherit", stack: str = "ipv4", **more: Any) -> Pot:
        """Create a pot; addresses default to what its type needs."""
        addresses = {
            "alias": {
                "ipv4": ("192.168.178.200",),
                "ipv6": ("em0|2001:db8:7::200",),
                "dual": ("192.168.178.200", "em0|2001:db8:7::200"),
            }[stack]
        }.get(kind, ())
        more.setdefault("addresses", addresses)
        request = CreateRequest(name=name, network_type=NetworkType(kind), stack=Stack(stack), **more)
        with self.app() as app:
            return create(app, request)

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
