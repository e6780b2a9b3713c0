"""A simulated FreeBSD host: it takes the argv of the real tools and answers in their words."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TypeVar

from potnet.errors import HostError
from potnet.executors.base import NOT_FOUND, Command, CommandResult, expanded
from potnet.executors.simulated.files import archive, filetools, names, removal
from potnet.executors.simulated.files.filetools import FileTool, Stdin, feed, text
from potnet.executors.simulated.inspection import Inspection
from potnet.executors.simulated.jail.endings import look_at_dying, settle
from potnet.executors.simulated.jail.jails import jail
from potnet.executors.simulated.jail.jexec import find_program, inner_world, jexec, line
from potnet.executors.simulated.jail.jls import jls
from potnet.executors.simulated.net import routes, slaac, wires
from potnet.executors.simulated.net.ifconfig import ifconfig
from potnet.executors.simulated.net.ndp import ndp
from potnet.executors.simulated.net.netstat import netstat
from potnet.executors.simulated.net.wg import wg
from potnet.executors.simulated.packets import learnt, network, probes
from potnet.executors.simulated.packets.calls import Call, Connection, Refusal
from potnet.executors.simulated.pf import pfctl
from potnet.executors.simulated.system import devfs, kernel, processes, seed, tools, zfs
from potnet.executors.simulated.system.shell import shell, timeout
from potnet.executors.simulated.world.entities import HOST, HostFacts
from potnet.executors.simulated.world.state import NeedsWriteError, State, WriteInReadError
from potnet.executors.simulated.world.tree import Tree
from potnet.executors.simulated.world.world import ToolError, View, World, unknown
from potnet.runtime.interrupts import waiting

_T = TypeVar("_T")
#: The time in seconds between two looks at a file that grows.
_PAUSE = 0.2


def _ifconfig(world: World, argv: list[str], _: Stdin) -> CommandResult:
    look_at_dying(world)
    return ifconfig(world, argv, View())


def _pkill(world: World, argv: list[str], stdin: Stdin) -> CommandResult:
    result = processes.pkill(world, argv, stdin)
    settle(world)
    return result


def _jls(world: World, argv: list[str], _: Stdin) -> CommandResult:
    look_at_dying(world)
    return jls(world, argv)


def _ndp(world: World, argv: list[str], _: Stdin) -> CommandResult:
    match argv[1:]:
        case ["-n", address]:
            return learnt.shown(world, address, 6)
        case ["-d", address]:
            learnt.forget(world, address)
    return ndp(world, argv, lambda interface, text: wires.knows(world, interface, text))


_TOOLS: dict[str, FileTool] = {
    **filetools.TOOLS,
    **removal.TOOLS,
    **names.TOOLS,
    **archive.TOOLS,
    **devfs.TOOLS,
    **tools.TOOLS,
    **kernel.TOOLS,
    **processes.TOOLS,
    **zfs.TOOLS,
    "ifconfig": _ifconfig,
    "jls": _jls,
    "pkill": _pkill,
    "jail": lambda world, argv, stdin: jail(world, argv, text(feed(stdin))),
    "jexec": jexec,
    "route": lambda world, argv, _: routes.route(world, argv, View()),
    "netstat": lambda world, argv, _: netstat(world, argv, View()),
    "sysctl": lambda world, argv, _: tools.sysctl(world, argv, View()),
    "ndp": _ndp,
    "rtsol": lambda world, argv, _: slaac.rtsol(world, argv, HOST),
    "ping": lambda world, argv, _: probes.ping(world, argv, View()),
    "ping6": lambda world, argv, _: probes.ping(world, argv, View()),
    "arp": lambda world, argv, _: learnt.arp(world, argv),
    "nc": lambda world, argv, _: probes.nc(world, argv, View()),
    "sockstat": lambda world, argv, _: tools.sockstat(world, argv, View()),
    "wg": lambda world, argv, stdin: wg(world, argv, text(feed(stdin))),
    "pfctl": lambda world, argv, stdin: pfctl.pfctl(world, argv, text(feed(stdin))),
}


def _run(world: World, argv: list[str]) -> CommandResult:
    tool = _TOOLS.get(PurePosixPath(argv[0]).name)
    if tool is None:
        return CommandResult(NOT_FOUND, "", f"sh: {argv[0]}: not found\n")
    try:
        return tool(world, argv, None)
    except ToolError as failure:
        return failure.result


_TOOLS["sh"] = shell(_run)
_TOOLS["timeout"] = timeout(_run)


class SimulatedHost(Inspection):
    """An Executor whose host is a directory: host.db and the file tree ``root``.

    bare, facts: the initial state of a new host; an existing host keeps its state. The first command that
    changes something or looks at a file creates the files.
    """

    def __init__(self, directory: Path, bare: bool = False, facts: HostFacts | None = None) -> None:
        self._directory = Path(directory)
        self._bare = bare
        self._facts = facts or HostFacts()
        self._opened: World | None = None
        self._preview: World | None = None

    def run(self, command: Command) -> CommandResult:
        """Answer as the real host would; a command that is not simulated is refused with code 64.

        A command takes no time here, so its watch gets one call, at the end.
        """
        with waiting():
            pass  # an earlier signal is handled before the command starts
        result = self._answer(expanded(command))
        if command.watch is not None:
            command.watch()
        return result

    def _answer(self, command: Command) -> CommandResult:
        program = PurePosixPath(command.argv[0]).name
        tool = _TOOLS.get(program)
        if tool is None:
            return unknown(f"the command {command.argv[0]}").result
        argv = [program, *command.argv[1:]]

        def work(world: World) -> CommandResult:
            # A refusal keeps the earlier changes, as on a real host: it is an answer, and causes no rollback.
            try:
                return tool(world, list(argv), command.stdin)
            except ToolError as failure:
                return failure.result

        if command.changes_host:
            return self._write(work)
        try:
            return self._read(work)
        except WriteInReadError:
            shown = " ".join(command.argv)
            return CommandResult(
                64, "", f"simulated host: called as reading only, but changes the host: {shown}\n"
            )

    def log(self, line: str) -> None:
        """Write a line of potnet's to /var/log/messages, as syslogd(8) does."""

        def work(world: World) -> None:
            messages = world.tree.resolve("/var/log/messages")
            messages.parent.mkdir(parents=True, exist_ok=True)
            with messages.open("a") as file:
                now = time.strftime("%b %e %H:%M:%S")
                file.write(f"{now} {world.facts.hostname} potnet[{os.getpid()}]: {line}\n")

        self._write(work)

    def stream(self, command: Command, write: Callable[[bytes], None]) -> int:
        """See `Executor`: tail -c +1 -F FILE, which never ends. A missing file may appear."""
        if command.argv[:-1] != ("tail", "-c", "+1", "-F"):
            return unknown(" ".join(command.argv)).result.code
        opened, offset = 0, 0
        while True:
            number, data = self._read(lambda world: _content(world, command.argv[-1]))
            offset = offset if number == opened else 0
            if data[offset:]:
                write(data[offset:])
            opened, offset = number, len(data)
            with waiting():
                time.sleep(_PAUSE)

    def connect(
        self, source: str, destination: str, port: int, protocol: str = "tcp", client: str = ""
    ) -> Connection | Refusal:
        """Try a new connection from "outside", "host" or a jail; see `Call`."""
        return self.call(Call(source, destination, port, protocol, client))

    def call(self, call: Call) -> Connection | Refusal:
        """Try a connection, including a client's that sends on."""
        return self._write(lambda world: network.connect(world, call))

    def attach(self, command: Command) -> int:
        """Use this process's standard input and output; a shell in a jail reads its lines from there."""
        argv = command.argv
        shell = PurePosixPath(argv[-1]).name in ("sh", "csh", "tcsh")
        if PurePosixPath(argv[0]).name == "jexec" and len(argv) == 3 and shell:
            return self._shell(argv[1], argv[2])
        return _print(self.run(command))

    def _shell(self, name: str, shell: str) -> int:
        found = self._read(lambda world: world.jail(name))
        if found is None:
            return _print(ToolError(f'jexec: jail "{name}" not found').result)
        try:
            there = self._read(lambda world: find_program(inner_world(world, found, shell), shell))
        except ToolError as failure:
            return _print(failure.result)
        if there is None:
            return _print(ToolError(f"jexec: execvp: {shell}: No such file or directory").result)
        code = 0
        while True:
            if sys.stdin.isatty():
                print(f"root@{found.hostname}:/ # ", end="", flush=True)
            text_line = sys.stdin.readline()
            words = text_line.split()
            if not text_line or words[:1] == ["exit"]:
                return int(words[1]) & 255 if len(words) > 1 and words[1].isdigit() else code
            code = _print(self._write(_in_jail(name, text_line)))

    def close(self) -> None:
        """Close the host's database; the next command opens it again."""
        if self._opened is not None:
            self._opened.state.close()
            self._opened = None

    # Transactions

    def _write(self, work: Callable[[World], _T]) -> _T:
        with self._own_files():
            world = self._world()
            with world.state.transaction(write=True):
                return work(world)

    def _read(self, work: Callable[[World], _T]) -> _T:
        try:
            with self._own_files():
                world = self._opened or self._existing()
                with world.state.transaction(write=False):
                    return work(world)
        except NeedsWriteError:
            return self._write(work)

    @contextmanager
    def _own_files(self) -> Iterator[None]:
        """Report errors of the host's own files in words for the user of the simulation."""
        again = f"remove {self._directory} to begin with a fresh simulated host"
        try:
            yield
        except sqlite3.Error as error:
            file = self._directory / "host.db"
            words, hint = f"the simulated host cannot use {file}: {error}", again
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                hint = f"another command is using it: try again, or {again}"
            raise HostError(words, hint) from error
        except json.JSONDecodeError as error:
            file = self._directory / "host.db"
            raise HostError(f"the simulated host cannot read {file}: {error}", again) from error
        except OSError as error:
            file = Path(os.fsdecode(error.filename)) if error.filename else self._directory
            hint = again if file.is_relative_to(self._directory) else "look whether it can be written"
            raise HostError(
                f"the simulated host cannot use {file}: {error.strerror or error}", hint
            ) from error

    def _existing(self) -> World:
        """Return the existing host, or a new host in memory with its files."""
        self._look_at_directory()
        if (self._directory / "host.db").exists():
            return self._world()
        if self._preview is None:
            state = State(None)
            self._preview = World(state, _Unmade(self), self._facts)
            with state.transaction(write=True):
                seed.seed_state(self._preview, self._bare)
        return self._preview

    def _look_at_directory(self) -> None:
        if os.path.lexists(self._directory) and not self._directory.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(self._directory))

    def _world(self) -> World:
        """Return the host in the directory, created if it does not exist."""
        if self._opened is None:
            self._look_at_directory()
            state = State(self._directory / "host.db")
            world = World(state, Tree(self._directory / "root", lambda: _mapped(state)), self._facts)
            row = state.get("facts", "")
            if row is None:
                with state.transaction(write=True):
                    # Another process may have created it first.
                    row = state.get("facts", "")
                    if row is None:
                        seed.seed_state(world, self._bare)
                        seed.seed_tree(world.tree.base, self._facts, self._bare)
            if row is not None:
                world.facts = HostFacts(**row)
            self._opened = world
        return self._opened


def _content(world: World, path: str) -> tuple[int, bytes]:
    """Return the number and the content of a file; 0 if it is missing."""
    status = world.tree.stat(path)
    return (status.st_ino, world.tree.read(path)) if status is not None else (0, b"")


class _Unmade(Tree):
    """The tree of a host that does not exist yet; looking at a file creates the host."""

    def __init__(self, host: SimulatedHost) -> None:
        super().__init__(host._directory / "root", dict)

    def walk(self, path: str, follow: bool = True) -> tuple[str, ...]:
        raise NeedsWriteError


def _mapped(state: State) -> dict[str, str]:
    return {key: str(row["real"]) for key, row in state.scan("mapped")}


def _in_jail(name: str, text_line: str) -> Callable[[World], CommandResult]:
    def work(world: World) -> CommandResult:
        found = world.jail(name)
        if found is None:
            return ToolError(f'jexec: jail "{name}" not found').result
        try:
            words = text_line.split()
            return line(inner_world(world, found, words[0]), found, text_line) if words else CommandResult()
        except ToolError as failure:
            return failure.result

    return work


def _print(result: CommandResult) -> int:
    sys.stdout.write(result.out)
    sys.stdout.flush()
    sys.stderr.write(result.err)
    return result.code
