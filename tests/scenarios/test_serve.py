"""serve: exports by slirp4netns's requests."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from world import World, both_hosts

from potnet.errors import PotnetError
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.exports.serve import Numbers, answer
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop
from potnet.rootless.ports.hostfwd import BadRequestError, Entry, listed, parse
from potnet.runtime import clients

TOP = Path(__file__).parents[2]


def request(execute: str, **arguments: Any) -> bytes:
    return json.dumps({"execute": execute, "arguments": arguments}).encode()


def adding(port: int, pot_port: int = 80, **more: Any) -> bytes:
    return request("add_hostfwd", **({"proto": "tcp", "host_port": port, "guest_port": pot_port} | more))


class Control:
    """What a server does with requests, without its socket."""

    def __init__(self, world: World, usual: str | None = None) -> None:
        self._world = world
        self._usual = usual
        self._numbers = Numbers()

    def __call__(self, text: bytes) -> dict[str, Any]:
        found = self._world.do(answer, self._numbers, parse(text), self._usual)
        return dict(json.loads(found))

    def entries(self) -> list[tuple[int, str, str, int, str, int]]:
        return [tuple(entry.values()) for entry in self(request("list_hostfwd"))["entries"]]


@both_hosts
def test_a_port_is_led_and_led_no_more(world: World) -> None:
    pot = world.create("casserole", "public-bridge")
    world.do(start, ["casserole"])
    control, guest = Control(world), str(pot.ipv4)
    before = world.snapshot()
    assert control(adding(30080, guest_addr=guest)) == {"return": {"id": 1}}
    assert control(adding(30053, 53, proto="udp", guest_addr=guest)) == {"return": {"id": 2}}
    assert world.reaches("outside", world.address, 30080)
    assert control.entries() == [
        (1, "tcp", "0.0.0.0", 30080, guest, 80),
        (2, "udp", "0.0.0.0", 30053, guest, 53),
    ]
    assert control(request("remove_hostfwd", id=1)) == {"return": {}}
    assert not world.reaches("outside", world.address, 30080)
    assert control(request("remove_hostfwd", id=2)) == {"return": {}}
    assert control.entries() == []
    assert world.snapshot() == before
    world.do(stop, ["casserole"])


def test_what_others_export_is_listed_and_can_be_removed(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.create("ladle", "public-bridge", "ipv6")
    world.do(
        export_ports,
        "casserole",
        ExportRequest(["80-81:30080-30081", "192.168.178.20@tcp+udp:53:30053"]),
    )
    control = Control(world)
    assert [entry[1:4] for entry in control.entries()] == [
        ("tcp", "0.0.0.0", 30080),
        ("tcp", "0.0.0.0", 30081),
        ("tcp", "192.168.178.20", 30053),
        ("udp", "192.168.178.20", 30053),
    ]
    # An export is one thing, however many ports it has.
    assert control(request("remove_hostfwd", id=2)) == {"return": {}}
    assert [entry[0] for entry in control.entries()] == [3, 4]
    world.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    assert [entry[0] for entry in control.entries()] == [5]


def test_what_cannot_be_is_refused(world: World) -> None:
    pot = world.create("casserole", "public-bridge")
    other = world.create("wok", "public-bridge")
    control, guest = Control(world), str(pot.ipv4)
    control(adding(30080, guest_addr=guest))
    for refused in (adding(30080, guest_addr=str(other.ipv4)), adding(30080, guest_addr=guest)):
        with pytest.raises(PotnetError, match="30080"):
            control(refused)
    for absent in (adding(30081), adding(30081, guest_addr="10.192.0.99")):
        with pytest.raises(BadRequestError, match=r"bad arguments\.guest_addr"):
            control(absent)
    with pytest.raises(BadRequestError, match=r"bad arguments\.id"):
        control(request("remove_hostfwd", id=7))
    assert [entry[3] for entry in control.entries()] == [30080]
    assert Control(world, "wok")(adding(30081)) == {"return": {"id": 1}}
    world.do(destroy_pot, "casserole")
    assert [entry[4] for entry in control.entries()] == [str(other.ipv4)]


@contextmanager
def serving(directory: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A server as a process, on the simulated host, with a pot for its requests."""
    environment = os.environ | {"PYTHONPATH": str(TOP), "POTNET_STATE_DIR": str(directory / "state")}
    potnet, path = (sys.executable, "-m", "potnet", "--host", "sim"), directory / "socket"
    create = (*potnet, "create", "-p", "casserole", "-N", "public-bridge")
    if not (directory / "state").exists():
        subprocess.run(create, env=environment, check=True, capture_output=True)
    argv = (*potnet, "serve", "--socket", str(path), *options)
    with subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            while (line := process.stderr.readline()) and "listening" not in line:
                pass
            yield process, path
        finally:
            process.kill()


def ask(path: Path, text: bytes, close: bool = True) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        # With a timeout a full queue would be an error, and not waited for.
        client.connect(str(path))
        client.settimeout(60)
        client.sendall(text)
        if close:
            client.shutdown(socket.SHUT_WR)
        answered = b""
        while part := client.recv(4096):
            answered += part
        return answered


def test_a_server_answers_until_it_is_told_to_end(tmp_path: Path) -> None:
    with serving(tmp_path, "-p", "casserole") as (process, path):
        assert stat.S_IMODE(path.lstat().st_mode) == 0o600
        assert ask(path, adding(30080)) == b'{"return":{"id":1}}'
        failed = b'{"error":{"desc":"bad request: add_hostfwd: slirp_add_hostfwd failed"}}'
        assert ask(path, adding(30080)) == failed
        entry = Entry(1, "tcp", "0.0.0.0", 30080, "10.192.0.3", 80)
        assert ask(path, request("list_hostfwd"), close=False) == listed([entry])
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(str(path))
            # Whoever says nothing is not waited for for ever.
            assert ask(path, b"{") == b'{"error":{"desc":"bad request: cannot parse JSON"}}'
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not path.exists()


def test_one_server_at_a_place(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, path):
        with serving(tmp_path) as (second, _):
            assert second.wait(60) == 1
        assert ask(path, request("list_hostfwd")) == listed([])
        process.kill()
        process.wait(60)
    assert path.exists()
    # What a server that was killed has left gives way.
    with serving(tmp_path) as (_, path):
        assert ask(path, request("list_hostfwd")) == listed([])


def test_what_is_not_a_socket_stays(tmp_path: Path) -> None:
    (tmp_path / "socket").write_text("kept")
    with serving(tmp_path) as (process, path):
        assert process.wait(60) == 1
    assert path.read_text() == "kept"


def connected(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    client.settimeout(60)
    return client


def trickle(client: socket.socket, given_up: threading.Event) -> None:
    """Send a byte of a request again and again, until the other side has had enough."""
    with suppress(OSError):
        while True:
            client.sendall(b" ")
            time.sleep(0.2)
    given_up.set()


def test_who_takes_its_time_keeps_nobody_waiting(tmp_path: Path) -> None:
    with serving(tmp_path) as (_, path), connected(path) as slow:
        given_up = threading.Event()
        threading.Thread(target=trickle, args=(slow, given_up), daemon=True).start()
        with connected(path), connected(path) as begun:
            begun.sendall(b'{"execute": ')
            before = time.monotonic()
            assert ask(path, request("list_hostfwd")) == listed([])
            # A machine that does much else takes its time over any request.
            assert time.monotonic() - before < clients.PATIENCE or not given_up.is_set()
        # The deadline is for the whole request, however often something comes of it.
        assert given_up.wait(60)


def test_many_who_say_nothing_keep_nobody_out(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, path), ExitStack() as idle:
        for _ in range(3 * clients.MOST):
            idle.enter_context(connected(path))
        assert ask(path, request("list_hostfwd")) == listed([])
        assert process.poll() is None


def test_who_reads_no_answer_keeps_nobody_waiting(tmp_path: Path) -> None:
    with serving(tmp_path, "-p", "casserole") as (process, path):
        # More than a socket holds that nobody reads.
        assert ask(path, adding(30080)) == b'{"return":{"id":1}}'
        with ExitStack() as deaf:
            for _ in range(20):
                deaf.enter_context(connected(path)).sendall(request("list_hostfwd"))
            entry = Entry(1, "tcp", "0.0.0.0", 30080, "10.192.0.3", 80)
            assert ask(path, request("list_hostfwd")) == listed([entry])
        assert process.poll() is None


@pytest.mark.parametrize("text", [b"x" * 100_000, b"{" * 4095, b'{"execute": "' + b"a" * 1_000_000 + b'"}'])
def test_a_request_without_end_is_refused(tmp_path: Path, text: bytes) -> None:
    with serving(tmp_path) as (process, path):
        with suppress(OSError):
            ask(path, text)
        assert ask(path, request("list_hostfwd")) == listed([])
        assert process.poll() is None


def test_an_answer_that_is_not_taken_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(clients, "PATIENCE", 1.0)
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        # More than a socket holds that nobody reads.
        server = clients.Clients(listener, lambda text: text.endswith(b"\n"), 9, lambda text: text * 200_000)
        threading.Thread(target=server.serve, daemon=True).start()
        with connected(path) as deaf:
            deaf.sendall(b"deaf\n")
            assert len(ask(path, b"other\n")) == 1_200_000
            time.sleep(3 * clients.PATIENCE)
            received = 0
            while part := deaf.recv(1 << 20):
                received += len(part)
            assert 0 < received < 1_000_000
