"""The kernel's modules, pipes and accounts: kldload(8), kldunload(8), kldstat(8), dnctl(8), rctl(8)."""

from __future__ import annotations

import re

from potnet.executors.base import CommandResult
from potnet.executors.simulated.files.filetools import FileTool, Stdin
from potnet.executors.simulated.pf import load
from potnet.executors.simulated.system import processes
from potnet.executors.simulated.system.seed import make_pflog
from potnet.executors.simulated.world import modules, pf_skip
from potnet.executors.simulated.world.entities import HOST
from potnet.executors.simulated.world.world import ToolError, World, unknown


def kldload(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """kldload [-n] MODULE …; with -n, a loaded module is skipped."""
    world.state.changing()
    again = argv[1:2] == ["-n"]
    names = argv[1 + again :]
    if not names or names[0].startswith("-"):
        raise unknown(f"kldload {' '.join(argv[1:])}")
    for name in names:
        if not modules.known(name):
            raise ToolError(f"kldload: can't load {name}: No such file or directory")
        if not modules.loaded(world.state, name):
            _load(world, name)
        elif not again:
            raise ToolError(f"kldload: can't load {name}: module already loaded or in kernel")
    return CommandResult()


def _load(world: World, name: str) -> None:
    modules.load(world.state, name)
    if name == "pf":
        _switch_off(world)
        pf_skip.found_again(world.state)
    if name == "pflog":
        for stack in (HOST, *(jail.stack for jail in world.jails(dying=True) if jail.vnet)):
            make_pflog(world, stack)


def kldunload(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """kldunload MODULE: pf forgets everything."""
    world.state.changing()
    if len(argv) != 2 or not modules.known(argv[1]):
        raise unknown(f"kldunload {' '.join(argv[1:])}")
    name = argv[1]
    if not modules.loaded(world.state, name):
        raise ToolError(f"kldunload: can't find file {name}")
    if name == "pf":
        load.unload(world)
        for anchor in world.state.keys("anchor"):
            if anchor:
                world.state.delete("anchor", anchor)
        _switch_off(world)
    modules.unload(world.state, name)
    return CommandResult()


def _switch_off(world: World) -> None:
    status = world.state.get("pf", "status") or {}
    world.state.put("pf", "status", {**status, "enabled": False})


def kldstat(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """kldstat [-q] -m NAME | -n NAME."""
    match argv[1:]:
        case [("-q"), ("-m" | "-n"), name]:
            return CommandResult(0 if modules.loaded(world.state, name) else 1)
        case ["-n", name] if not modules.loaded(world.state, name):
            raise ToolError(f"kldstat: can't find file {name}: No such file or directory")
        case rest:
            raise unknown(f"kldstat {' '.join(rest)}")


_RATE = re.compile(r"(\d+)(bit/s|Kbit/s|Mbit/s|Gbit/s)")
_UNITS = {"bit/s": 1, "Kbit/s": 10**3, "Mbit/s": 10**6, "Gbit/s": 10**9}


def dnctl(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """dnctl pipe NUMBER config bw RATE | pipe delete NUMBER | pipe show."""
    match argv[1:]:
        case ["pipe", "show"]:
            pipes = [(int(number), int(row["rate"])) for number, row in world.state.scan("pipe")]
            return CommandResult(0, "".join(_pipe(*each) for each in sorted(pipes, key=_bucket)))
        case ["pipe", number, "config", "bw", rate] if number.isdigit():
            found = _RATE.fullmatch(rate)
            if found is None or not 0 < int(number) < 65536:
                raise unknown(" ".join(argv))
            world.state.changing()
            world.state.put("pipe", f"{int(number):05}", {"rate": int(found[1]) * _UNITS[found[2]]})
        case ["pipe", "delete", number] if number.isdigit():
            world.state.changing()
            if world.state.get("pipe", f"{int(number):05}") is None:
                # dnctl(8) tells of the error, and ends with 0 all the same.
                return CommandResult(0, "", "dnctl: rule 1: setsockopt(IP_DUMMYNET_DEL): Invalid argument\n")
            world.state.delete("pipe", f"{int(number):05}")
        case rest:
            raise unknown(f"dnctl {' '.join(rest)}")
    return CommandResult()


def _bucket(pipe: tuple[int, int]) -> int:
    """Return the place of a pipe in dummynet's table of 64 buckets, whose order dnctl(8) prints."""
    number = pipe[0] + 0x10000
    return ((number >> 8) ^ (number >> 4) ^ number) & 63


def _pipe(number: int, rate: int) -> str:
    """Return a pipe and its queue as dnctl shows them."""
    shown = "unlimited     "
    for unit, width in (("Gbit/s", 10**9), ("Mbit/s", 10**6), ("Kbit/s", 10**3), ("bit/s ", 1)):
        if rate >= width:
            shown = f"{rate / width:7.3f} {unit}"
            break
    sched = number + 0x10000
    queue = f"q{number + 0x20000}  50 sl. 0 flows (1 buckets) sched {sched} weight 0 lmax 0 pri 0 droptail"
    end = f" sched {sched} type FIFO flags 0x0 0 buckets 0 active"
    return f"{number:05}: {shown}    0 ms burst 0 \n{queue}\n{end}\n"


#: The resources that rctl(8) counts, in its order; a jail without processes uses none.
_RESOURCES = (
    "cputime", "datasize", "stacksize", "coredumpsize", "memoryuse", "memorylocked", "maxproc", "openfiles",
    "vmemoryuse", "pseudoterminals", "swapuse", "nthr", "msgqqueued", "msgqsize", "nmsgq", "nsem", "nsemop",
    "nshm", "shmsize", "wallclock", "pcpu", "readbps", "writebps", "readiops", "writeiops",
)  # fmt: skip


def rctl(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """rctl -hu jail:NAME; a jail that does not exist uses nothing."""
    if argv[1:2] != ["-hu"] or len(argv) != 3 or not argv[2].startswith("jail:"):
        raise unknown(f"rctl {' '.join(argv[1:])}")
    if world.sysctl("kern.racct.enable") != "1":
        raise ToolError("rctl: RACCT/RCTL present, but disabled; enable using kern.racct.enable=1 tunable")
    jail = world.jail(argv[2].removeprefix("jail:"))
    running = len(processes.running(world, jail.jid)) if jail is not None else 0
    used = {"maxproc": running, "nthr": running}
    return CommandResult(0, "".join(f"{name}={used.get(name, 0)}\n" for name in _RESOURCES))


TOOLS: dict[str, FileTool] = {
    "kldload": kldload, "kldunload": kldunload, "kldstat": kldstat, "dnctl": dnctl, "rctl": rctl,
}  # fmt: skip
