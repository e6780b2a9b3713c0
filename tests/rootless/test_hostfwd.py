"""The requests of slirp4netns, with the answers that its version 1.2.0 gave."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress

from potnet.model.ports import Transport
from potnet.rootless.ports.hostfwd import (
    LONGEST,
    Add,
    BadRequestError,
    Entry,
    List,
    Remove,
    added,
    listed,
    parse,
    refused,
    removed,
)

USUAL = {
    "proto": "tcp",
    "host_addr": "127.0.0.1",
    "host_port": 18080,
    "guest_addr": "10.0.2.100",
    "guest_port": 80,
}


def adding(**changes: Any) -> bytes:
    arguments = {name: value for name, value in (USUAL | changes).items() if value is not None}
    return json.dumps({"execute": "add_hostfwd", "arguments": arguments}).encode()


#: What is refused, and the reason.
BAD = [
    (adding(proto="sctp"), "add_hostfwd: bad arguments.proto"),
    (adding(proto="TCP"), "add_hostfwd: bad arguments.proto"),
    (adding(proto="tcp+udp"), "add_hostfwd: bad arguments.proto"),
    (adding(host_addr="x"), "add_hostfwd: bad arguments.host_addr"),
    (adding(host_addr="::1"), "add_hostfwd: bad arguments.host_addr"),
    (adding(host_port=0), "add_hostfwd: bad arguments.host_port"),
    (adding(host_port="80"), "add_hostfwd: bad arguments.host_port"),
    (adding(guest_addr="::1"), "add_hostfwd: bad arguments.guest_addr"),
    (adding(guest_port=0), "add_hostfwd: bad arguments.guest_port"),
    (adding(guest_port=None), "add_hostfwd: bad arguments.guest_port"),
    (adding(proto="sctp", host_addr="x", guest_port=0), "add_hostfwd: bad arguments.proto"),
    (b'{"execute": "nope"}', "unknown execute"),
    (b'{"execute": 3}', "no execute found"),
    (b"{}", "no execute found"),
    (b"[]", "json_object() failed"),
    (b'"x"', "json_object() failed"),
    (b"null", "json_object() failed"),
    (b"", "cannot parse JSON"),
    (b"{", "cannot parse JSON"),
    (b"x" * (LONGEST - 1), "cannot parse JSON"),
    (b'{"execute":"list_hostfwd","execute":"nope"}', "cannot parse JSON"),
    (b'// c\n{"execute":"nope"}', "cannot parse JSON"),
    (b"x" * LONGEST, "too large message"),
]
#: What the original takes, and should not: it wraps such a port, or ends.
WORSE = [
    (adding(host_port=70000), "add_hostfwd: bad arguments.host_port"),
    (adding(host_port=-1), "add_hostfwd: bad arguments.host_port"),
    (adding(guest_port=70000), "add_hostfwd: bad arguments.guest_port"),
    (b'{"execute": "add_hostfwd"}', "add_hostfwd: bad arguments.proto"),
]
GUEST = IPAddress("10.0.2.100")
GOOD = [
    (adding(), Add(Transport.TCP, IPAddress("127.0.0.1"), 18080, GUEST, 80)),
    (adding(proto="udp"), Add(Transport.UDP, IPAddress("127.0.0.1"), 18080, GUEST, 80)),
    (adding(host_addr=None), Add(Transport.TCP, IPAddress("0.0.0.0"), 18080, GUEST, 80)),
    (adding(host_addr=""), Add(Transport.TCP, IPAddress("0.0.0.0"), 18080, GUEST, 80)),
    (adding(host_port=18082.7), Add(Transport.TCP, IPAddress("127.0.0.1"), 18082, GUEST, 80)),
    (adding(guest_addr=None), Add(Transport.TCP, IPAddress("127.0.0.1"), 18080, None, 80)),
    (b'{"execute": "list_hostfwd"}', List()),
    (b'{"execute": "list_hostfwd", "arguments": {"a": 1}}', List()),
    (b' {"execute":"list_hostfwd"} trailing', List()),
    (b'{"execute": "remove_hostfwd", "arguments": {"id": 1}}', Remove(1)),
    (b'{"execute": "remove_hostfwd", "arguments": {"id": 2.9}}', Remove(2)),
    (b'{"execute": "remove_hostfwd", "arguments": {"id": "2"}}', Remove(0)),
    (b'{"execute": "remove_hostfwd"}', Remove(0)),
]


def answered(text: bytes) -> bytes:
    try:
        parse(text)
    except BadRequestError as error:
        return refused(error)
    return b""


@pytest.mark.parametrize(("text", "reason"), BAD + WORSE)
def test_a_bad_request_is_answered_with_the_reason(text: bytes, reason: str) -> None:
    assert answered(text) == b'{"error":{"desc":"bad request: %s"}}' % reason.encode()


@pytest.mark.parametrize(("text", "request_"), GOOD)
def test_a_good_request_is_understood(text: bytes, request_: object) -> None:
    assert parse(text) == request_


def test_answers_to_the_byte() -> None:
    entry = Entry(1, "tcp", "127.0.0.1", 18080, "10.0.2.100", 80)
    assert added(1) == b'{"return":{"id":1}}'
    assert removed() == b'{"return":{}}'
    assert listed([]) == b'{"entries":[]}'
    assert listed([entry]) == (
        b'{"entries":[{"id":1,"proto":"tcp","host_addr":"127.0.0.1","host_port":18080,'
        b'"guest_addr":"10.0.2.100","guest_port":80}]}'
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
REQUESTS = st.fixed_dictionaries(
    {"execute": st.sampled_from(["add_hostfwd", "remove_hostfwd", "list_hostfwd"])},
    optional={"arguments": JSON | st.dictionaries(st.sampled_from([*USUAL, "id"]), JSON)},
)


@given(st.binary() | st.builds(lambda each: json.dumps(each).encode(), REQUESTS))
def test_whatever_comes_is_a_request_or_a_bad_one(text: bytes) -> None:
    try:
        found = parse(text)
    except BadRequestError as error:
        assert json.loads(refused(error))["error"]["desc"].startswith("bad request: ")
    else:
        assert isinstance(found, (List, Remove)) or 0 < found.host_port < 65536


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bytes], bytes]]:
    """Asks a slirp4netns that serves a namespace of its own, inside another one."""
    if not all(map(shutil.which, ("slirp4netns", "unshare"))):
        pytest.skip("needs slirp4netns and unshare")
    path = tmp_path_factory.mktemp("slirp") / "socket"
    script = (
        'ip link set lo up; unshare -n sleep 1000 & guest=$!; until [ "$(readlink /proc/$guest/ns/net)" != '
        '"$(readlink /proc/self/ns/net)" ]; do sleep 0.01; done; '
        f"exec slirp4netns -c -a {path} -r 1 $guest tap0 2>/dev/null"
    )
    argv = ("unshare", "-Urn", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script)
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        if os.read(process.stdout.fileno(), 1) != b"1":
            pytest.skip("slirp4netns does not start here")
        yield lambda text: ask(path, text)
        process.kill()


def ask(path: Path, text: bytes) -> bytes:
    """Send one request, and take the answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(60)
        client.connect(str(path))
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while part := client.recv(LONGEST):
            answer += part
        return answer


def test_the_original_answers_the_same(original: Callable[[bytes], bytes]) -> None:
    assert [original(text) for text, _ in BAD] == [answered(text) for text, _ in BAD]
    assert original(b'{"execute": "list_hostfwd"}') == listed([])
    assert original(adding()) == added(1)
    assert original(adding(proto="udp")) == added(2)
    udp = Entry(2, "udp", "127.0.0.1", 18080, "10.0.2.100", 80)
    assert original(b'{"execute": "remove_hostfwd", "arguments": {"id": 1}}') == removed()
    assert original(b'{"execute": "list_hostfwd"}') == listed([udp])
    gone = refused(BadRequestError("remove_hostfwd: bad arguments.id"))
    assert original(b'{"execute": "remove_hostfwd", "arguments": {"id": 1}}') == gone
