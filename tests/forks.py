"""Programs in forked copies of one process that has imported potnet: this saves starting Python anew.

A copy has the arguments, environment, directory, umask and open files of a real start. The caller ends
with its exit code or signal. It stays in the session and process group of the server: a signal to the caller
does not reach it. ``tests/test_forks.py`` compares a copy with a real start.
"""

from __future__ import annotations

import gc
import importlib
import io
import marshal
import os
import pkgutil
import runpy
import select
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import ModuleType, TracebackType
from typing import NamedTuple

TOP = Path(__file__).resolve().parents[1]
CLIENT = Path(__file__).with_name("fork_client.py")
#: Variables that Python reads at its start: those of the server hold for all copies.
_OF_PYTHON = ("PYTHON", "LC_", "LANG")


class Forks:
    """The server, as long as the block lasts."""

    def __enter__(self) -> Forks:
        # The path of a socket has at most 103 characters.
        self._directory = tempfile.TemporaryDirectory(prefix="forks")
        self._socket = f"{self._directory.name}/s"
        argv = [sys.executable, __file__, self._socket]
        self.environment = os.environ | {"PYTHONPATH": str(TOP), "LC_ALL": "C.UTF-8"}
        #: The part that copies must be given: Python has read it when the server started.
        self.of_python = _of_python(self.environment)
        self._server = subprocess.Popen(
            argv, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == b"ready\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()
        self._directory.cleanup()

    def argv(self, *words: str) -> list[str]:
        """Return the command that runs ``python WORD…`` in a copy: a script, -m MODULE or -c LINES."""
        return [sys.executable, "-I", "-S", str(CLIENT), self._socket, *words]


def write_program(path: Path, argv: list[str]) -> None:
    """Write a program that runs another one with further arguments."""
    path.write_text(f'#!/bin/sh\nexec {shlex.join(argv)} "$@"\n')
    path.chmod(0o755)


class _Asked(NamedTuple):
    argv: list[str]
    environment: dict[str, str]
    directory: str
    umask: int
    files: list[int]


def _serve(path: str) -> _Asked:
    """Answer callers until standard input ends. Only copies return, with what they are to do."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        print("ready", flush=True)
        while listening in select.select([listening, sys.stdin], [], [])[0]:
            caller, _ = listening.accept()
            # The one that waits for a copy is a child of its own, so that copies may run at the same time.
            if os.fork() == 0:
                listening.close()
                return _attend(caller)
            caller.close()
            _reap()
    sys.exit()


def _reap() -> None:
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _attend(caller: socket.socket) -> _Asked:
    asked = _receive(caller)
    own, theirs = _of_python(os.environ), _of_python(asked.environment)
    if own != theirs:
        sys.stderr.write(f"forks: Python was started with {own}, not with {theirs}: {asked.argv}\n")
        sys.stderr.flush()
        os._exit(1)
    child = os.fork()
    if child == 0:
        caller.close()
        return asked
    for file in asked.files:
        os.close(file)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    caller.sendall(str(code).encode())
    os._exit(0)


def _receive(caller: socket.socket) -> _Asked:
    length, files, _, _ = socket.recv_fds(caller, 4, 3)
    missing, text = int.from_bytes(length, "big"), b""
    while len(text) < missing:
        text += caller.recv(missing - len(text))
    return _Asked(*marshal.loads(text), files)


def _of_python(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in environment.items() if name.startswith(_OF_PYTHON)}


def _import_potnet() -> None:
    """Import all of potnet as a start would, but for what the program does before its first command."""
    before = signal.getsignal(signal.SIGINT)
    gc.disable()
    # It says which packages are imported in part, so it comes first.
    importlib.import_module("potnet.__main__")
    potnet = importlib.import_module("potnet")
    for module in pkgutil.walk_packages(potnet.__path__, "potnet."):
        importlib.import_module(module.name)
    gc.freeze()
    gc.enable()
    signal.signal(signal.SIGINT, before)
    del sys.modules["potnet.__main__"]
    del potnet.__dict__["__main__"]


def _become(asked: _Asked) -> None:
    """Have the surroundings of a new process."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    for number, file in enumerate(asked.files):
        os.dup2(file, number)
    os.closerange(3, 1024)
    os.chdir(asked.directory)
    os.umask(asked.umask)
    os.environ.clear()
    os.environ.update(asked.environment)
    time.tzset()
    opened = [_opened(number, stream) for number, stream in enumerate(streams)]
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = opened


def _opened(number: int, like: io.TextIOWrapper) -> io.TextIOWrapper:
    """Open a standard stream as Python does at its start."""
    unbuffered = like.write_through
    file = open(  # noqa: SIM115
        number, "rb" if number == 0 else "wb", buffering=0 if unbuffered and number else -1, closefd=False
    )
    stream = io.TextIOWrapper(
        file,
        like.encoding,
        like.errors,
        newline=None if number == 0 else "\n",
        line_buffering=not unbuffered and (number == 2 or file.isatty()),
        write_through=unbuffered,
    )
    stream.mode = "r" if number == 0 else "w"
    return stream


def _run(words: list[str]) -> None:
    """Do what ``python WORD…`` does; the end of this process is that of the program."""
    sys.orig_argv = [sys.executable, *words]
    if words[0] == "-c":
        sys.argv = ["-c", *words[2:]]
        sys.path[0] = ""
        main = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(words[1], "<string>", "exec"), vars(main))
    elif words[0] == "-m":
        sys.argv = words[1:]
        sys.path[0] = str(Path.cwd())
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        sys.path[0] = str(Path(words[0]).resolve().parent)
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    _import_potnet()
    asked = _serve(sys.argv[1])
    _become(asked)
    _run(asked.argv)
