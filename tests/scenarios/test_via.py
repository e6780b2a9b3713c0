"""A real host behind a prefix gets the very same commands."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

from forks import Forks
from world import World

from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

FAR_HOST = Path(__file__).with_name("far_host.py")


def test_the_commands_are_those_of_a_local_host(tmp_path: Path, forks: Forks) -> None:
    for name in ("near", "far"):
        (tmp_path / name).mkdir()
    near, far = World(tmp_path / "near"), World(tmp_path / "far")
    near.create("casserole", "public-bridge", "dual")
    near.do(export_ports, "casserole", ExportRequest(["80:30080"]))
    near.executor.commands.clear()
    near.do(start, ["casserole"])
    near.do(stop, ["casserole"])
    mac = near.records()["pots"][0].attachments

    log = tmp_path / "log"
    # The far end greets with a banner, as SSH servers do. potnet hands none of Python's variables on.
    banner = ("sh", "-c", 'echo "Authorized use only." >&2; exec "$@"', "sh")
    variables = [f"{name}={text}" for name, text in forks.of_python.items()]
    far_host = forks.argv(str(FAR_HOST), str(far.directory / "sim"), str(log))
    prefix = shlex.join([*banner, "env", *variables, *far_host])
    environment = forks.environment | {
        "POTNET_STATE_DIR": str(tmp_path / "state"),
        "POTNET_VIA": prefix,
    }

    def potnet(*words: str) -> str:
        argv = [sys.executable, "-m", "potnet", "--host", "freebsd", *words]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    potnet("create", "-p", "casserole", "-N", "public-bridge", "-S", "dual")
    potnet("export-ports", "-p", "casserole", "-e", "80:30080")
    log.unlink()
    assert potnet("start", "casserole") == "casserole started\n"
    assert potnet("stop", "casserole") == "casserole stopped\n"
    issued = [(tuple(argv), stdin or None) for argv, stdin in map(json.loads, log.read_text().splitlines())]
    wanted = [(command.argv, command.stdin or None) for command in near.executor.commands]
    far_mac = json.loads(potnet("-o", "json", "info", "-p", "casserole"))["interfaces"]
    text = json.dumps(wanted)
    for attachment, interface in zip(mac, far_mac, strict=True):
        text = text.replace(attachment.mac, interface["mac"])
    assert json.dumps(issued) == text
