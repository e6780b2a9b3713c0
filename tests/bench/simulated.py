"""Commands and memory on the simulated FreeBSD host."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from measure import POTNET, environment, process
from rows import Row, Table

#: What a second pot on the public bridge takes: IPv4, one export, resolver inherited, no base. One line is
#: one external command, with what keeps it from being a part of another one.
FEWEST = {
    "create": (
        "stat(1): is its folder there",
        "ifconfig -l: which epair is free",
        "mkdir -m 700 of its folder",
        "mkdir of its etc: -m holds for the last folder only",
        "realpath(1) of its root, as jail(8) will show it",
    ),
    "start": (
        "jls(8): does the jail run",
        "ifconfig -l: are the epair's names free",
        "ifconfig bridge0: is it ours, up, and not full; -l tells no more than names",
        "route get default: the external interface",
        "pfctl -s info: is pf on; of several -s only the last holds",
        "pfctl -s nat: are the anchors in force",
        "pfctl -s rules: the same for those that filter",
        "sockstat(1): are the host ports free",
        "stat(1): what the root has, for all paths at once",
        "cat of the host's resolv.conf",
        "tee etc/resolv.conf: a program writes one text",
        "tee etc/hosts",
        "ifconfig epair create descr … group … up: the name is of one interface",
        "ifconfig epair1b ether: the other end is another one",
        "ifconfig bridge0 addm",
        "jail -c, which moves the epair",
        "ifconfig -j lo0",
        "ifconfig -j epair1b inet",
        "route -j add default",
        "pfctl -a pot-rdr/POT -f",
    ),
    "stop": (
        "jls(8): does the jail run, and is it ours",
        "ifconfig bridge0: is this its last pot",
        "ifconfig -g potnet: is the epair there, and ours",
        "stat(1): which files in its etc are ours",
        "pfctl -a pot-rdr/POT -f",
        "pfctl -s states: which are of its exports; -k by label takes the way in only",
        "jail -r",
        "ifconfig epair1a destroy: the jail gave it back",
        "find(1) that removes both files of its etc",
    ),
}
#: The memory that `start --all` of the most pots may take, in MB.
MEMORY = 80
SOME, MOST = 250, 1_000
#: Runs a command, and prints the most memory that it had, in the unit of getrusage(2).
_USAGE = """import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def measure(table: Table, place: Path) -> None:
    _commands(table, environment(place / "counted"))
    _many(table, place)


def _commands(table: Table, env: dict[str, str]) -> None:
    process(*POTNET, "create", "-p", "first", "-N", "public-bridge", env=env)
    counts = {"create": _count(env, "create", "-p", "second", "-N", "public-bridge")}
    process(*POTNET, "start", "first", env=env)
    process(*POTNET, "export-ports", "-p", "second", "-e", "80:8080", env=env)
    counts |= {verb: _count(env, verb, "second") for verb in ("start", "stop")}
    for verb, count in counts.items():
        fewest = FEWEST[verb]
        row = Row("commands", f"{verb} of one pot, FreeBSD", count, "commands", 1.0, len(fewest))
        table.rows.append(row)
        table.notes.append(f"The fewest commands for a {verb}: {'; '.join(fewest)}.")


def _count(env: dict[str, str], *words: str) -> int:
    done = subprocess.run([*POTNET, "-v", *words], env=env, capture_output=True, text=True, check=True)
    return sum(line.startswith("potnet: + ") for line in done.stderr.splitlines())


def _many(table: Table, place: Path) -> None:
    seconds, memory = {}, 0.0
    for pots in (SOME, MOST):
        env = environment(place / f"simulated-{pots}")
        filling = str(Path(__file__).with_name("filling.py"))
        process(sys.executable, filling, str(pots), "1", env=env)
        begin = time.perf_counter()
        memory = _memory(env, "start", "--all")
        seconds[pots] = time.perf_counter() - begin
    each = {pots: 1000 * took / pots for pots, took in seconds.items()}
    what = f"start --all of {MOST:,} simulated pots"
    beside = f"one of {SOME} pots, each"
    table.rows += [
        Row("simulated", f"{what}, each", each[MOST], "ms", 1.2, each[SOME], beside),
        Row("simulated", f"{what}, memory", memory, "MB", MEMORY),
    ]


def _memory(env: dict[str, str], *words: str) -> float:
    """The most memory that a command had, in MB."""
    # A process begins with what the one had that it is forked from, and this one has measured a lot before.
    small = (sys.executable, "-c", _USAGE)
    done = subprocess.run([*small, *POTNET, *words], env=env, capture_output=True, check=True)
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024) / 1e6
