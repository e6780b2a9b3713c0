"""A forked copy of a process that has imported potnet finds what a real start does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from forks import Forks

#: Everything that a program can see of how it was started.
PROBE = """
import gc, json, locale, os, signal, subprocess, sys, time
streams = (sys.stdin, sys.stdout, sys.stderr)
seen = {
    "argv": sys.argv, "original": sys.orig_argv, "executable": sys.executable, "path": sys.path,
    "flags": str(sys.flags), "prefix": sys.prefix, "name": __name__, "file": __file__, "cwd": os.getcwd(),
    "environment": dict(os.environ), "in_c": str(subprocess.check_output("env")), "zone": time.tzname,
    "streams": [(s.encoding, s.errors, s.line_buffering, s.newlines, s.mode, s.isatty()) for s in streams],
    "the_same": [streams[0] is sys.__stdin__, streams[1] is sys.__stdout__, streams[2] is sys.__stderr__],
    "files": sorted(os.listdir("/dev/fd")), "umask": os.umask(0), "session": os.getsid(0),
    "group": os.getpgrp(), "user": os.getresuid() + os.getresgid(), "garbage": gc.isenabled(),
    "locale": locale.getlocale(), "main": sys.modules["__main__"].__file__ == __file__,
    "signals": {n: str(signal.getsignal(n)).split(" at ")[0] for n in signal.valid_signals()},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "given": sys.stdin.read(),
}
print(json.dumps(seen), flush=True)
print("by the way", file=sys.stderr)
end = sys.argv[1]
if end == "raise":
    raise ValueError("of the program")
if end.isdigit():
    os.kill(os.getpid(), int(end))
sys.exit(end if end != "status" else 3)
"""


def run(argv: list[str], **more: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, **more)


@pytest.mark.parametrize(
    ("way", "end"),
    [
        *(("script", end) for end in ("status", "text", "9")),
        *(("-m", end) for end in ("status", "raise", "15")),
        *(("-c", end) for end in ("status", "2")),
    ],
)
def test_a_copy_is_as_a_real_start(tmp_path: Path, forks: Forks, way: str, end: str) -> None:
    (tmp_path / "probe.py").write_text(PROBE)
    environment = forks.environment | {"TZ": "Asia/Tokyo", "ODD": "\udcff=\n"}
    surroundings = {"cwd": tmp_path, "env": environment, "umask": 0o27, "input": "a line\nü"}
    # Lines are in no file.
    lines = PROBE.replace("__file__", "__name__")
    program = {"script": [str(tmp_path / "probe.py")], "-m": ["-m", "probe"], "-c": ["-c", lines]}[way]
    words = (*program, end, "", "ö\udcff", "--", "-x y")
    wanted, copy = (run(argv, **surroundings) for argv in ([sys.executable, *words], forks.argv(*words)))
    assert json.loads(copy.stdout) == json.loads(wanted.stdout)
    assert copy.returncode == wanted.returncode
    assert copy.stderr.splitlines()[0] == "by the way"
    assert copy.stderr.splitlines()[-1] == wanted.stderr.splitlines()[-1]


def test_copies_run_at_the_same_time(forks: Forks, tmp_path: Path) -> None:
    (tmp_path / "wait.py").write_text("import sys\nprint(sys.stdin.readline())")
    argv, pipes = forks.argv(str(tmp_path / "wait.py")), {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    one, two = (subprocess.Popen(argv, text=True, env=forks.environment, **pipes) for _ in "12")
    # The first one has to go on while the second one ends.
    assert two.communicate("second\n", timeout=60) == ("second\n\n", None)
    assert one.communicate("first\n", timeout=60) == ("first\n\n", None)


def test_nobody_gets_another_python_than_he_asks_for(forks: Forks) -> None:
    done = run(forks.argv("-m", "potnet", "--version"), env=forks.environment | {"LC_ALL": "C"})
    assert done.returncode == 1
    assert "the server has not run it" in done.stderr
