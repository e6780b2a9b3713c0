"""Users without root on a machine of `linux_world`: its eth0 and its neighbour are all that they reach.

They are in the world's own /etc/passwd and /etc/subuid, and have a /dev/net/tun that they may open.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import linux_world
from linux_world import HERE, PATH, TOP, Answer, World

#: Free on every machine that the tests run on, and in namespaces of the world's alone.
FIRST_ID = 61001
HOMES = "/run/homes"
#: Of users, each for one test.
numbers = iter(range(90))
PATIENCE = 60.0

#: $1: a directory that all may read and search; those above it that they may not search are replaced.
EXPOSE = """
set -e
number=0
for path; do
    number=$((number + 1)); mkdir -p /run/exposed/$number
    mount --rbind "$path" /run/exposed/$number
done
number=0
for path; do
    number=$((number + 1)); above=$path; closed=
    while [ "$above" != / ]; do
        above=$(dirname "$above")
        case $(stat -c %A "$above") in *[xt]) ;; *) closed=$above ;; esac
    done
    if [ -n "$closed" ]; then
        mount -t tmpfs -o mode=755 tmpfs "$closed"
    fi
    [ -e "$path" ] || mkdir -p "$path"
    mount --rbind /run/exposed/$number "$path"
done
mknod /run/tun c 10 200; chmod 666 /run/tun
[ -e /dev/net/tun ] || { mkdir -p /dev/net; touch /dev/net/tun; }
mount --bind /run/tun /dev/net/tun
"""


class User:
    """One user, with a home and a host of pots without root. pids: its keeper ends with `stop`."""

    def __init__(self, world: World, number: int = 0, subordinate: bool = True) -> None:
        self.world = world
        self.uid = FIRST_ID + number
        self.name = f"cook{number}"
        self.home = f"{HOMES}/{self.name}"
        self.config = f"{self.home}/.config/potnet/potnet.toml"
        self.environment = {
            "HOME": self.home,
            "PATH": PATH,
            "PYTHONPATH": str(TOP),
            "POTNET_HOST": "linux",
            "SHELL": "/bin/sh",
        }
        world.run("mkdir", "-p", self.home, str(Path(self.config).parent))
        world.run("chown", "-R", f"{self.uid}:{self.uid}", self.home)
        self._append("/etc/passwd", f"{self.name}:x:{self.uid}:{self.uid}::{self.home}:/bin/sh")
        if subordinate:
            for path in ("/etc/subuid", "/etc/subgid"):
                self._append(path, f"{self.name}:{200000 + number * 65536}:65536")

    def _append(self, path: str, line: str) -> None:
        self.world.run("sh", "-c", f"echo {line} >> {path}")

    def stand_in(self, program: str) -> None:
        """Let this user have a program of the tests' in the place of one that is not to be had."""
        folder = f"{self.home}/bin"
        script = f'#!/bin/sh\nexec {sys.executable} -I -S {HERE}/{program}_standin.py "$@"\n'
        self.world.run("mkdir", "-p", folder)
        self.world.run("tee", f"{folder}/{program}", stdin=script)
        self.world.run("chmod", "755", f"{folder}/{program}")
        self.environment["PATH"] = f"{folder}:{PATH}"

    def configure(self, **options: Any) -> None:
        """Write the [rootless] table of the configuration."""
        lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in options.items())
        self.world.run("tee", self.config, stdin=f"[rootless]\n{lines}")
        self.world.run("chown", f"{self.uid}:{self.uid}", self.config)

    def run(self, *argv: str, stdin: str = "", **environment: str) -> Answer:
        """Run a command as this user."""
        variables = [f"{name}={value}" for name, value in {**self.environment, **environment}.items()]
        become = ("setpriv", "--reuid", str(self.uid), "--regid", str(self.uid), "--clear-groups")
        return self.world.run(*become, "env", "-i", "-C", self.home, *variables, *argv, stdin=stdin)

    def try_potnet(self, *argv: str) -> Answer:
        """Run potnet, whatever becomes of it."""
        return self.world.try_potnet(*argv, user=self.uid, **self.environment)

    def potnet(self, *argv: str) -> str:
        """Run potnet, which must succeed, and return what it prints."""
        done = self.try_potnet(*argv)
        assert done.code == 0, f"potnet {' '.join(argv)}: {done.err}"
        return done.out

    def facts(self, *argv: str) -> Any:
        """What potnet answers in JSON."""
        return json.loads(self.potnet("-o", "json", *argv))

    def serve(self, pot: str, port: int) -> None:
        """Answer callers of a pot, by TCP and UDP, until it stops."""
        self.spawn("exec", pot, "--", sys.executable, str(HERE / "talk.py"), "serve", str(port))

    def spawn(self, *argv: str) -> None:
        """Run potnet in the background, once it has printed its first line."""
        script = 'mkfifo "$0"; "$@" < /dev/null > "$0" 2> /dev/null & head -n 1 "$0"; rm "$0"'
        potnet = (sys.executable, "-m", "potnet", *argv)
        said = self.run("setsid", "sh", "-c", script, f"{self.home}/fifo", *potnet)
        assert said.out == "ready\n", said

    def ask(self, pot: str, protocol: str, address: str, port: int) -> str:
        """What a server answers to a caller in a pot."""
        argv = (sys.executable, str(HERE / "talk.py"), "ask", protocol, address, str(port))
        return self.potnet("exec", pot, "--", *argv).strip()

    def whole(self, address: str, port: int, count: int) -> str:
        """What is answered to one datagram from the host itself, which is not sent in fragments."""
        argv = (sys.executable, str(HERE / "talk.py"), "whole", address, str(port), str(count))
        return self.potnet("rootless", "enter", "--", *argv).strip()

    def processes(self) -> list[str]:
        """The PIDs and command lines of all processes of users that go on."""
        script = """for each in /proc/[0-9]*; do
            [ "$(stat -c %u $each)" -ge 61001 ] && echo "${each#/proc/} $(tr '\\0' ' ' < $each/cmdline)"
        done 2> /dev/null"""
        shown = self.world.run("sh", "-c", script).out.splitlines()
        # One that has ended, and that nobody has asked about, has no words any more.
        return [line for line in shown if len(line.split()) > 1]

    def pid(self, words: str) -> int:
        """The first process of a user's whose command line has these words."""
        found = [int(each.split()[0]) for each in self.processes() if words in each]
        assert found, self.processes()
        return min(found)

    def log(self) -> str:
        return self.world.run("cat", f"{self.home}/.local/state/potnet/rootless/host/log").out


def prepare(world: World) -> str | None:
    """Make a world fit for users; why it cannot be, or None."""
    done = world.run("sh", "-c", EXPOSE, "sh", *dict.fromkeys((str(TOP), sys.prefix, sys.base_prefix)))
    if done.code != 0:
        return f"no place for users: {done.err.strip()}"
    trial = User(world, 99)
    done = trial.run(sys.executable, "-m", "potnet", "--version")
    if done.code != 0:
        return f"users cannot run potnet here: {done.err.strip()}"
    done = trial.run("unshare", "-Urnmpf", "--mount-proc", "mount", "-t", "sysfs", "sysfs", "/sys")
    return None if done.code == 0 else f"users cannot have namespaces here: {done.err.strip()}"


def lend_bridge(user: User) -> None:
    """Give a user interfaces on a bridge of the machine's that leads outwards (lxc-usernet(5))."""
    world = user.world
    nat = """table ip lxc {
        chain postrouting {
            type nat hook postrouting priority srcnat
            ip saddr 10.0.3.0/24 oifname eth0 masquerade
        }
    }"""
    world.run("ip", "-batch", "-", stdin="link add lxcbr0 type bridge\nlink set lxcbr0 up\n")
    world.run("ip", "addr", "replace", "10.0.3.1/24", "dev", "lxcbr0")
    world.run("tee", "/proc/sys/net/ipv4/ip_forward", stdin="1\n")
    world.run("sh", "-c", "nft delete table ip lxc 2> /dev/null; nft -f -", stdin=nat)
    world.run("mkdir", "-p", "/run/lxc", "/etc/lxc")
    world.run("tee", "/etc/lxc/lxc-usernet", stdin=f"{user.name} veth lxcbr0 2\n")


def eventually(true: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.05)
    return True


def patiently(ask: Callable[..., str], *arguments: Any) -> str:
    """What is answered in the end: on a machine that does much else, a way through a driver takes time."""
    said = [""]

    def answered() -> bool:
        said[0] = ask(*arguments)
        return said[0] not in ("", linux_world.SILENCE)

    return said[0] if eventually(answered) else linux_world.SILENCE


def serving(user: User, *exports: str) -> None:
    """A running pot with exports that answers on its port 80, and 53."""
    user.potnet("create", "-p", "casserole", "-N", "public-bridge")
    user.potnet("export-ports", "-p", "casserole", *(word for each in exports for word in ("-e", each)))
    user.potnet("start", "casserole")
    user.serve("casserole", 80)


@cache
def obstacle(*tools: str) -> str | None:
    """Why rootless hosts cannot be tried on this machine with these tools; None where they can."""
    import os
    from shutil import which

    # Where Debian has lxc-user-nic.
    missing = [tool for tool in tools if which(tool, path=f"{PATH}:/usr/libexec/lxc") is None]
    if missing:
        return f"{', '.join(missing)} not installed"
    if os.geteuid() != 0:
        return "root makes the users"
    return linux_world.obstacle()
