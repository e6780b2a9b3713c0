"""A control socket for the exports of a rootless host."""

from __future__ import annotations

import json
import sys
from typing import Any

from rootless_world import User, eventually, patiently, serving

REQUEST = """import socket, sys
with socket.socket(socket.AF_UNIX) as control:
    control.settimeout(60)
    control.connect(sys.argv[1])
    control.sendall(sys.argv[2].encode())
    control.shutdown(socket.SHUT_WR)
    while part := control.recv(4096):
        print(part.decode(), end="")
"""


def test_ports_are_led_by_requests_one_after_the_other(cook: User) -> None:
    serving(cook, "443:30443")
    control = f"{cook.home}/control"
    serve = f"{sys.executable} -m potnet serve --socket {control} -p casserole"
    cook.run("sh", "-c", f"setsid {serve} > {cook.home}/said 2>&1 < /dev/null &")

    def ask(execute: str, **arguments: Any) -> Any:
        text = json.dumps({"execute": execute, "arguments": arguments})
        done = cook.run(sys.executable, "-I", "-S", "-c", REQUEST, control, text)
        assert done.code == 0, (done.err, cook.run("cat", f"{cook.home}/said").out)
        return json.loads(done.out)

    assert eventually(lambda: cook.run("grep", "-q", "listening", f"{cook.home}/said").code == 0)
    for number, port in enumerate((30081, 30082, 30083), 1):
        added = ask("add_hostfwd", proto="tcp", host_port=port, guest_port=80)
        assert added == {"return": {"id": number}}, cook.run("cat", f"{cook.home}/said").out
    assert patiently(cook.world.ask, "outside", "tcp", "192.0.2.1", 30082)
    assert ask("remove_hostfwd", id=2) == {"return": {}}
    assert [entry["host_port"] for entry in ask("list_hostfwd")["entries"]] == [30081, 30083, 30443]
    assert ask("remove_hostfwd", id=2) == {"error": {"desc": "bad request: remove_hostfwd: bad arguments.id"}}
    # It goes on when the host has ended and is there again.
    cook.potnet("rootless", "stop")
    assert ask("add_hostfwd", proto="udp", host_port=30081, guest_port=80)["return"]["id"] > 4
    cook.run("kill", str(cook.pid("potnet serve")))
    assert eventually(lambda: cook.run("test", "-e", control).code == 1)
    assert not [each for each in cook.processes() if "serve" in each]
