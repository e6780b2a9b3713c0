"""The ports of a host beside those of RootlessKit: the same requests have the same result outside."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
import rootless_world
from linux_world import HERE, HOST, SILENCE, World
from rootless_world import User, eventually, numbers, patiently

TALK = (sys.executable, str(HERE / "talk.py"))
#: Protocol, address of the machine, port: what is asked for, one after the other.
WANTED = [
    ("tcp", "0.0.0.0", 4001),
    ("udp", "0.0.0.0", 4001),
    ("tcp", "127.0.0.1", 4002),
    ("udp", HOST, 4003),
]
REFUSED = [
    # Another program's, root's, none at all, and an address of somebody else.
    ("tcp", "0.0.0.0", 4010),
    ("tcp", "0.0.0.0", 80),
    ("udp", "0.0.0.0", 80),
    ("tcp", "0.0.0.0", 70000),
    ("tcp", "0.0.0.0", 65536),
    ("tcp", "192.0.2.77", 4004),
]
#: Who calls where.
CALLS = [
    (caller, protocol, address, port)
    for caller, address in ((None, "127.0.0.1"), (None, HOST), ("outside", HOST))
    for protocol, port in (("tcp", 4001), ("udp", 4001), ("tcp", 4002), ("udp", 4003), ("tcp", 4010))
    # What the machine says by UDP to its own 127.0.0.1 takes slirp4netns no further without host_loopback.
    if (protocol, address) != ("udp", "127.0.0.1")
]

Port = tuple[str, str, int]


class Side(Protocol):
    """A host of one user, in which a server answers on a port by both protocols."""

    def serve(self, port: int) -> None: ...

    def open(self, port: Port) -> bool:
        """Whether it was opened."""
        ...

    def close(self, port: Port) -> bool: ...

    def ports(self) -> list[Port]: ...


class Potnet:
    def __init__(self, user: User) -> None:
        self.user = user
        user.configure(uplink="slirp4netns")
        user.potnet("rootless", "start")

    def serve(self, port: int) -> None:
        self.user.spawn("rootless", "enter", "--", *TALK, "serve", str(port))

    def open(self, port: Port) -> bool:
        return self._change("open", port)

    def close(self, port: Port) -> bool:
        return self._change("close", port)

    def _change(self, verb: str, port: Port) -> bool:
        done = self.user.try_potnet("rootless", verb, "{}:{}:{}".format(*port))
        assert done.code == 0 or done.err.startswith("potnet: ")
        return done.code == 0

    def ports(self) -> list[Port]:
        found = self.user.facts("ports")
        return sorted((each["protocol"], each["address"], each["port"]) for each in found)

    def end(self) -> None:
        self.user.potnet("rootless", "stop")


class RootlessKit:
    def __init__(self, user: User) -> None:
        self.user = user
        self.state = f"{user.home}/rootlesskit"
        user.run(
            "setsid", "sh", "-c", '"$@" > log 2>&1 < /dev/null &', "sh", "rootlesskit", "--net=slirp4netns",
            "--disable-host-loopback", "--port-driver=builtin", f"--state-dir={self.state}", "sleep", "3600",
        )  # fmt: skip
        assert eventually(lambda: self._control("list-ports", "--json").code == 0), user.run("cat", "log")

    def _control(self, *words: str) -> Any:
        return self.user.run("rootlessctl", "--socket", f"{self.state}/api.sock", *words)

    def serve(self, port: int) -> None:
        pid = self.user.run("cat", f"{self.state}/child_pid").out.strip()
        inside = ("nsenter", "--preserve-credentials", "-U", "-n", "-t", pid)
        self.user.run(
            "setsid", "sh", "-c", '"$@" > said 2> /dev/null < /dev/null &', "sh", *inside, *TALK, "serve",
            str(port),
        )  # fmt: skip
        assert eventually(lambda: self.user.run("cat", "said").out == "ready\n")
        self.user.run("rm", "said")

    def open(self, port: Port) -> bool:
        protocol, address, number = port
        return bool(self._control("add-ports", f"{address}:{number}:{number}/{protocol}").code == 0)

    def close(self, port: Port) -> bool:
        (number,) = (each["id"] for each in self._list() if self._port(each) == port)
        return bool(self._control("remove-ports", str(number)).code == 0)

    def _list(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._control("list-ports", "--json").out.splitlines()]

    def ports(self) -> list[Port]:
        return sorted(map(self._port, self._list()))

    def _port(self, entry: dict[str, Any]) -> Port:
        spec = entry["spec"]
        return spec["proto"], spec["parentIP"], spec["parentPort"]

    def end(self) -> None:
        """Its servers are in its user and network namespaces only, and end by themselves with neither."""
        words = ("rootlesskit --net", "talk.py serve")
        found = [each.split()[0] for each in self.user.processes() if any(word in each for word in words)]
        self.user.world.run("kill", *found)


@pytest.fixture
def sides(machine: World) -> Iterator[tuple[Potnet, RootlessKit]]:
    reason = rootless_world.obstacle("rootlesskit", "rootlessctl", "slirp4netns")
    if reason:
        pytest.skip(reason)
    # One after the other, since they are asked for the same ports.
    users = User(machine, next(numbers)), User(machine, next(numbers))
    yield Potnet(users[0]), RootlessKit(users[1])
    assert eventually(lambda: not users[0].processes()), users[0].processes()


def results(world: World, side: Side) -> dict[str, Any]:
    """All that can be seen of what becomes of the requests."""
    for number in (4001, 4002, 4003, 4010):
        side.serve(number)
    seen: dict[str, Any] = {f"open {port}": side.open(port) for port in (*WANTED, *REFUSED)}
    seen["listed"] = side.ports()
    seen |= _answers(world)
    for port in WANTED[:2]:
        seen[f"close {port}"] = side.close(port)
    seen["listed in the end"] = side.ports()
    seen |= {f"{call}, closed": world.ask(*call) in ("", SILENCE) for call in CALLS if call[-1] == 4001}
    return seen


def _answers(world: World) -> dict[str, Any]:
    """Which calls are answered; only what never is takes all of the patience."""
    expected = {call: call[-1] != 4002 or call[2] == "127.0.0.1" for call in CALLS}
    return {
        str(call): (patiently(world.ask, *call) if wanted else world.ask(*call)) not in ("", SILENCE)
        for call, wanted in expected.items()
    }


@pytest.mark.slow
def test_the_same_requests_have_the_same_result(machine: World, sides: tuple[Potnet, RootlessKit]) -> None:
    machine.serve(None, 4010, "grill", only_tcp=True)
    potnet, reference = sides
    found = results(machine, potnet)
    potnet.end()
    expected = results(machine, reference)
    reference.end()
    assert found == expected
    assert [found[f"open {port}"] for port in WANTED] == [True] * len(WANTED)
    assert [found[f"open {port}"] for port in REFUSED] == [False] * len(REFUSED)
