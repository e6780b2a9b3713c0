"""The world of `world.World` on a Linux kernel, in namespaces of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import linux_world
from linux_world import Answer
from world import World

from potnet.config.configuration import Config
from potnet.executors.base import Command, CommandResult, Executor


class Host:
    """Runs commands in a machine of namespaces."""

    def __init__(self, machine: linux_world.World) -> None:
        self.machine = machine

    def run(self, command: Command) -> CommandResult:
        """See `Executor`."""
        return self.machine.command(command)

    def attach(self, command: Command) -> int:
        """See `Executor`."""
        return self.run(command).code

    def stream(self, command: Command, write: Callable[[bytes], None]) -> int:
        """See `Executor`."""
        result = self.run(command)
        write(result.out.encode())
        return result.code


class Machines:
    """Machines for one test after the other: the same one, as long as it is as it was in the beginning."""

    def __init__(self) -> None:
        self._machine: linux_world.World | None = None
        self._fresh: dict[str, str] = {}

    @contextmanager
    def one(self) -> Iterator[linux_world.World]:
        """A machine with nothing on it."""
        if self._machine is None:
            self._machine = linux_world.World()
            self._fresh = self._machine.snapshot()
        yield self._machine
        if self._machine.children() or self._machine.snapshot() != self._fresh:
            self.close()

    def close(self) -> None:
        """End the machine."""
        if self._machine is not None:
            self._machine.__exit__(None, None, None)
        self._machine = None


class LinuxWorld(World):
    """One host and its store in a directory."""

    kind = "linux"
    external, address, prefix = "eth0", linux_world.HOST, "192.0.2."
    base = None

    def __init__(self, directory: Path, machine: linux_world.World) -> None:
        self.machine = machine
        super().__init__(directory)

    def _make_host(self, bare: bool) -> Executor:
        return Host(self.machine)

    def _adapted(self, config: Config) -> Config:
        place = self.directory / "state"
        return replace(config, jails=str(place / "jails"), logs=str(place / "logs"))

    def snapshot(self) -> dict[str, Any]:
        return self.machine.snapshot(str(self.directory / "state/jails"))

    def without_folders(self, snapshot: dict[str, Any]) -> dict[str, Any]:
        lines = snapshot["files"].splitlines()
        return snapshot | {"files": [line for line in lines if line.split(",")[0] != self.config.jails]}

    def lasting(self) -> dict[str, Any]:
        found = self.snapshot()
        return {what: found[what] for what in ("namespaces", "files", "rules", "routes")}

    def jails(self) -> list[str]:
        return [name for name in self._out("ls", "/run/netns").split() if name != "outside"]

    def interfaces(self) -> list[str]:
        return [line.split()[0].partition("@")[0] for line in self._out("ip", "-br", "link").splitlines()]

    def members(self, bridge: str) -> set[str]:
        shown = self._out("ip", "-br", "link", "show", "master", bridge).splitlines()
        names = {line.split()[0].partition("@")[0] for line in shown}
        return {self.external if re.fullmatch("uplink[0-9]+a", name) else name for name in names}

    def addresses(self, interface: str) -> str:
        return self._out("ip", "-br", "addr", "show", "dev", interface)

    def reaches(self, source: str, address: str, port: int) -> bool:
        for pot in (*self.jails(), "outside"):
            # In a namespace that was made anew nobody serves any more.
            there = self._out("ip", "netns", "exec", pot, "ss", "-Hltn")
            for served in (80, 443):
                if f":{served} " not in there:
                    self.machine.serve(pot, served)
        name = None if source == "host" else source
        # Whom it could not find a moment ago it would look for again a second later, which is too late.
        self.machine.run(*self.machine.within(name, "ip", "neigh", "flush", "all"))
        return self.machine.ask(name, "tcp", address, port) != linux_world.SILENCE

    def redirections(self, pot: str) -> list[tuple[str, int]]:
        address = next(str(p.ipv4) for p in self.records()["pots"] if p.name == pot)
        shown = self._out("nft", "list", "ruleset", "inet")
        counted = r"(?:counter packets \d+ bytes \d+ )?"
        found = re.findall(rf"(tcp|udp) \. (\d+) {counted}: ([0-9.]+) \. ", shown)
        return sorted((protocol, int(port)) for protocol, port, to in found if to == address)

    def etc(self, pot: str, name: str) -> str:
        return self._out("cat", f"/etc/netns/{pot}/{name}")

    def listen(self, port: int, command: str) -> None:
        self.machine.serve(None, port, command, only_tcp=True)

    @property
    def forwarding(self) -> bool:
        return self._out("cat", "/proc/sys/net/ipv4/ip_forward") == "1\n"

    @forwarding.setter
    def forwarding(self, on: bool) -> None:
        self.do_there("tee", "/proc/sys/net/ipv4/ip_forward", stdin=f"{int(on)}\n")

    def add_address(self, address: str) -> None:
        self.do_there("ip", "addr", "add", address, "dev", self.external)

    def remove_address(self, interface: str, address: str) -> None:
        self.do_there("ip", "addr", "del", address, "dev", interface)

    def take(self, name: str) -> None:
        kind = ("type", "bridge") if name.startswith("bridge") else ("type", "veth", "peer", f"{name}b")
        self.do_there("ip", "link", "add", name if name.startswith("bridge") else f"{name}a", *kind)

    def remove_interface(self, name: str) -> None:
        self.do_there("ip", "link", "del", name)

    def add_jail(self, name: str) -> None:
        self.do_there("ip", "netns", "add", name)

    def remove_jail(self, name: str) -> None:
        self.do_there("ip", "netns", "del", name)

    def flush_rules(self) -> None:
        self.do_there("nft", "flush", "ruleset")

    def reboot(self) -> None:
        for name in self.jails():
            self.remove_jail(name)
        # An epair whose end is in a namespace that is going goes by itself, now or a little later.
        made = [name for name in self.interfaces() if re.fullmatch("(bridge|epair|uplink)[0-9]+a?", name)]
        lines = "".join(f"link del dev {name}\n" for name in made)
        self.machine.run("ip", "-force", "-batch", "-", stdin=lines)
        self.do_there("ip", "link", "set", self.external, "promisc", "off")
        for address in (f"{self.prefix}200/32", "2001:db8:7::200/128"):
            if address in self.addresses(self.external):
                self.remove_address(self.external, address)
        self.flush_rules()
        self.forwarding = False

    def _out(self, *argv: str) -> str:
        answer: Answer = self.machine.run(*argv)
        assert answer.code == 0, answer
        return answer.out
