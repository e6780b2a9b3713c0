"""A world for each test: a host with `eth0`, a namespace `outside` at the other end of its wire, and pots.

All of it lives in namespaces of its own (network, mounts, PIDs; for those who are not root, users too) and
ends with its first process. Nothing leaves them: their only interfaces are lo and the wire.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import which
from types import TracebackType
from typing import Any

from potnet.executors.base import Command, CommandResult, expanded

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
#: The kernel's network settings, as files.
NET = "/proc/sys/net"

#: What changes by itself in what ip(8) says of a link, and what a bridge once had from a member.
PASSING = re.compile(
    r",LOWER_UP\b|\bNO-CARRIER,| linkdown|\bstate \w+|\b([gt]so_\w+|\w+_timer) +[0-9.]+"
    r"|\bcounter packets \d+ bytes \d+"
)
#: What `ask` returns when there is none.
SILENCE = "no answer"
HOST, OUTSIDE = "192.0.2.1", "192.0.2.9"
TOOLS = ("unshare", "ip", "ss", "tc", "nft", "conntrack")
#: Who is not root finds less in it.
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
#: Python without what a few lines do not need.
PYTHON = (sys.executable, "-I", "-S")


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str


class World:
    """Starts the first process of a world, and asks it to run commands there."""

    def __init__(self, own_users: bool = False) -> None:
        user = () if os.geteuid() == 0 and not own_users else ("-Ur",)
        environment = {name: text for name, text in os.environ.items() if not name.startswith("POTNET_")}
        environment |= {
            "PATH": PATH,
            "PYTHONPATH": str(TOP),
            "POTNET_HOST": "linux",
            "POTNET_STATE_DIR": "/run/state",
            "XDG_CONFIG_HOME": "/run/config",
        }
        self._process = subprocess.Popen(
            [
                "unshare",
                *user,
                "-nmpf",
                "--kill-child",
                "--mount-proc",
                sys.executable,
                str(HERE / "agent.py"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.failed: str | None = self._receive()["failed"]

    def __enter__(self) -> World:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def _receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            _, err = self._process.communicate()
            return {"failed": err.strip() or "it ended"}
        received: dict[str, Any] = json.loads(line)
        return received

    def _ask(self, verb: str, **arguments: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"verb": verb, "arguments": arguments}) + "\n")
        self._process.stdin.flush()
        received = self._receive()
        assert not received.get("failed"), received["failed"]
        return received

    def try_potnet(
        self, *argv: str, kill_after: float | None = None, user: int | None = None, **environment: str
    ) -> Answer:
        """Run potnet, whatever becomes of it. user: who runs it, with this environment alone."""
        more = {"kill_after": kill_after, "user": user, "environment": environment}
        return Answer(**self._ask("potnet", argv=argv, **more))

    def timed(self, mark: str, *argv: str) -> tuple[list[float], float]:
        """When each line with a mark was on stderr, and when the command had ended, in seconds."""
        received = self._ask("timed", argv=argv, mark=mark)
        assert received["code"] == 0
        return received["times"], received["total"]

    def potnet(self, *argv: str) -> str:
        """Run potnet, which must succeed, and return what it prints."""
        done = self.try_potnet(*argv)
        assert done.code == 0, f"potnet {' '.join(argv)}: {done.err}"
        return done.out

    def facts(self, *argv: str) -> Any:
        """What potnet answers in JSON."""
        return json.loads(self.potnet("-o", "json", *argv))

    def run(self, *argv: str, stdin: str = "", patience: float = 60) -> Answer:
        """Run a command in the host's namespace. patience: seconds until it is given up."""
        return Answer(**self._ask("run", argv=argv, text=stdin, patience=patience))

    def within(self, name: str | None, *argv: str) -> tuple[str, ...]:
        """A command in a namespace; None for the host's."""
        return argv if name is None else ("ip", "netns", "exec", name, *argv)

    def spawn(self, name: str | None, *argv: str) -> str:
        """Start a command that goes on, in a namespace, and return the first line that it prints."""
        return str(self._ask("spawn", argv=self.within(name, *argv))["said"]).strip()

    def serve(
        self, name: str | None, port: int, called: str = "python", only_tcp: bool = False, named: str = ""
    ) -> int:
        """Answer each caller with its address, or with a name, and return the PID that does so.

        called: what the process is called.
        """
        asked = self._ask("serve", name=name, port=port, called=called, only_tcp=only_tcp, named=named)
        assert asked["said"] == "ready"
        return int(asked["pid"])

    def ask(self, name: str | None, protocol: str, address: str, port: int) -> str:
        """What a server at an address answers to a caller in a namespace: where it called from."""
        return str(self._ask("ask", name=name, protocol=protocol, address=address, port=port)["said"])

    def command(self, command: Command) -> CommandResult:
        """Run a command as potnet would run it in the host's namespace."""
        command = expanded(command)
        stdin, file = command.stdin, None
        if isinstance(stdin, Path):
            stdin, file = None, str(stdin)
        more = {"timeout": command.timeout, "quiet": command.quiet, "inside": command.inside}
        return CommandResult(**self._ask("command", argv=command.argv, stdin=stdin, file=file, **more))

    def address(self, pot: str) -> str:
        """The first address of a pot, as potnet says it."""
        return str(self.facts("info", "-p", pot)["addresses"][0]["address"])

    def children(self) -> bool:
        """Whether a process of the world's goes on: a server, or what was spawned."""
        return bool(self._ask("children")["running"])

    def snapshot(self, jails: str = "/run/state/jails") -> dict[str, str]:
        """All of the host that a pot could change. jails: where roots are."""
        commands = {
            "links": "ip -d link show",
            "addresses": "ip addr show",
            "routes": "ip route show table all",
            "routes of IPv6": "ip -6 route show table all",
            "rules": "nft list ruleset inet",
            "rules of members": "nft list ruleset bridge",
            # Without who was heard, which changes by itself.
            "rules of devices": "nft -t list ruleset netdev",
            "policy": "ip rule show",
            "namespaces": "ls /run/netns",
            # The size of a directory depends on its file system and on what was in it once.
            "files": f"find /etc/netns {jails} -type d -printf %p,%y,%m\\n -o -printf %p,%y,%m,%s\\n",
            "sysctls": f"grep -rs . {NET}/ipv4/ip_forward {NET}/ipv4/conf {NET}/ipv6/conf",
        }
        seen = self._ask("several", commands={what: text.split() for what, text in commands.items()})
        return {what: PASSING.sub("", text) for what, text in seen.items()}


@cache
def obstacle() -> str | None:
    """Why no world can be made on this machine; None where one can."""
    missing = [tool for tool in TOOLS if which(tool, path=PATH) is None]
    if sys.platform != "linux":
        return "this is not Linux"
    if missing:
        return f"{', '.join(missing)} not installed"
    with World() as world:
        if world.failed:
            return f"no namespaces here: {world.failed}"
        return None
