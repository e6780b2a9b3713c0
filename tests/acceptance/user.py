"""Who types the commands of a scenario, and what is expected of their results."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .host import PORT, PREFIX, REFUSED, TIMEOUT, Answer, Host

#: Seconds until a connection that must come about is given up; a slow host takes some.
PATIENT = 15


class User:
    """Types commands at a host; all pots and bridges have names of the suite's own."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._ports: dict[str, tuple[int, ...]] = {}

    # Commands

    def try_potnet(self, *argv: str, kill_after: float | None = None) -> Answer:
        """Run a command line, whatever becomes of it."""
        return self.host.potnet(*argv, kill_after=kill_after)

    def potnet(self, *argv: str) -> str:
        """Run a command line, which must succeed, and return what it prints."""
        answer = self.try_potnet(*argv)
        assert answer.code == 0, f"potnet {' '.join(argv)}: exit code {answer.code}: {answer.err.strip()}"
        return answer.out

    def refused(self, *argv: str) -> str:
        """Run a command line, which must fail, and return what it reports."""
        answer = self.try_potnet(*argv)
        assert answer.code == 1, f"potnet {' '.join(argv)}: exit code {answer.code}, not 1: {answer.out}"
        assert "Traceback" not in answer.err, answer.err
        return answer.err

    def facts(self, *argv: str) -> Any:
        """Return what a command prints in JSON."""
        return json.loads(self.potnet("-o", "json", *argv))

    def tool(self, *argv: str, stdin: str = "") -> str:
        """Run a tool of the host, which must succeed, and return what it prints."""
        answer = self.host.tool(*argv, stdin=stdin)
        assert answer.code == 0, f"{' '.join(argv)}: exit code {answer.code}: {answer.err.strip()}"
        return answer.out

    # Pots and bridges

    def bridge(self, name: str, *options: str, size: int = 4) -> str:
        """Create a private bridge and return its full name."""
        full = PREFIX + name
        network = () if "--net" in options else ("-S", str(size))
        self.potnet("create-private-bridge", "-B", full, *network, *options)
        return full

    def pot(self, name: str, *options: str, ports: tuple[int, ...] = (PORT,)) -> str:
        """Create a pot that has a server on some ports while it runs, and return its full name."""
        full = PREFIX + name
        if "--tap" in options:
            self.potnet("create", "-p", full, *options)
            return full
        self.potnet("create", "-p", full, *options, *self.host.options(full, ports))
        self.host.furnish(full, self.facts("info", "-p", full)["root"])
        self._ports[full] = ports
        return full

    def start(self, *pots: str) -> None:
        """Start pots, and wait until their servers answer."""
        self.potnet("start", *pots)
        for pot in pots:
            if pot in self._ports:
                self.host.started(pot, self._ports[pot])

    def run(self, name: str, *options: str, ports: tuple[int, ...] = (PORT,)) -> str:
        """Create and start a pot, and return its full name."""
        full = self.pot(name, *options, ports=ports)
        self.start(full)
        return full

    def address(self, pot: str, family: int = 4) -> str:
        """Return the first address of a pot; that of SLAAC may take a moment."""
        found: list[str] = []

        def known() -> bool:
            shown = self.facts("info", "-p", pot)["addresses"]
            found[:] = [each["address"] for each in shown if each["family"] == family and each["address"]]
            return bool(found)

        assert eventually(known), f"{pot} has no IPv{family} address"
        return found[0]

    # Connections

    def connects(
        self, source: str, address: str, server: str, port: int = PORT, protocol: str = "tcp"
    ) -> None:
        """Expect a server of that name to answer, at once or in a few seconds.

        An IPv6 address is tentative for a second (RFC 4862), and a new wire may lose the first packets.
        """
        found = ""

        def answers() -> bool:
            nonlocal found
            found = self.host.call(source, address, port, protocol)
            return found not in (REFUSED, TIMEOUT)

        eventually(answers, PATIENT)
        assert found == server, f"{_call(source, address, port, protocol)}: {found}, not {server}"

    def fails(
        self, source: str, address: str, port: int = PORT, protocol: str = "tcp", server: str = ""
    ) -> None:
        """Expect that no connection comes about. server: the one that must not answer, though others may."""
        found = self.host.call(source, address, port, protocol)
        wrong = found == server if server else found not in (REFUSED, TIMEOUT)
        assert not wrong, f"{_call(source, address, port, protocol)}: {found} answers"

    def agrees(self) -> None:
        """Expect that check finds no difference between host and store."""
        answer = self.try_potnet("check")
        assert answer.code == 0, f"potnet check: {answer.out}{answer.err}"

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Expect that the host is afterwards as it was before, at once."""
        before = self.host.snapshot()
        yield
        changes = differences(before, self.host.snapshot())
        assert not changes, "the host has changed:\n" + "\n".join(changes)

    def clean(self) -> list[str]:
        """Remove all pots and bridges of the suite, and return what went wrong."""
        wrong = []
        self.host.configure("")
        for argv in self._removals():
            answer = self.try_potnet(*argv)
            if answer.code != 0:
                wrong.append(f"potnet {' '.join(argv)}: {answer.err.strip()}")
        self.host.tidy()
        self._ports.clear()
        return wrong

    def _removals(self) -> Iterator[tuple[str, ...]]:
        yield ("stop", "--all")
        pots = [each["name"] for each in json.loads(self.try_potnet("-o", "json", "list").out or "[]")]
        for pot in pots:
            yield ("destroy", "-p", pot)
        bridges = json.loads(self.try_potnet("-o", "json", "list", "--bridges").out or "[]")
        for bridge in bridges:
            named = bridge["kind"] in ("private", "lan")
            if bridge["state"] == "up":
                yield ("vnet-stop", *(("-B", bridge["name"]) if named else ()))
            if named:
                yield ("destroy", "-B", bridge["name"])


def _call(source: str, address: str, port: int, protocol: str) -> str:
    return f"{source} to {address} {protocol} {port}"


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Return whether a condition comes true within a time."""
    end = time.monotonic() + seconds
    while True:
        # A look at a slow host may take longer than that: the last one begins after the end.
        last = time.monotonic() >= end
        if condition():
            return True
        if last:
            return False
        time.sleep(0.2)


def differences(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return what of two snapshots differs, in a line for each line that came or went.

    A setting of the kernel that a module brought along is no difference.
    """
    found = []
    for what in sorted(before.keys() | after.keys()):
        if what.startswith("sysctl ") and what not in before:
            continue
        old, new = before.get(what, "").splitlines(), after.get(what, "").splitlines()
        found += [f"{what}: - {line}" for line in old if line not in new]
        found += [f"{what}: + {line}" for line in new if line not in old]
        if not found and old != new:
            found.append(f"{what}: in another order")
    return found
