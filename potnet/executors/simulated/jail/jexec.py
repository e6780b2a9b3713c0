"""jexec(8): the programs that are simulated inside a jail."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Callable
from pathlib import PurePosixPath

from potnet.executors.base import CommandResult
from potnet.executors.simulated.files import filetools, flags, names
from potnet.executors.simulated.files.filetools import Stdin
from potnet.executors.simulated.jail.dhclient import dhclient
from potnet.executors.simulated.jail.nested import beget, list_inside
from potnet.executors.simulated.net import routes
from potnet.executors.simulated.net.ifconfig import ifconfig
from potnet.executors.simulated.net.netstat import netstat
from potnet.executors.simulated.net.slaac import rtsol
from potnet.executors.simulated.packets import probes
from potnet.executors.simulated.system import tools
from potnet.executors.simulated.world import jail_parameters
from potnet.executors.simulated.world.entities import Jail
from potnet.executors.simulated.world.tree import Tree
from potnet.executors.simulated.world.world import ToolError, View, World, unknown

_SEARCH = ("/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin")
_NOTE = "simulated host: the root has no {program}; the simulated host answers for the network tools\n"


def jexec(world: World, argv: list[str], stdin: Stdin) -> CommandResult:
    """jexec [-l] JAIL PROGRAM [ARGUMENT …]."""
    world.state.look()
    args = argv[1:]
    if args[:1] == ["-l"]:
        args = args[1:]
    if len(args) < 2 or args[0].startswith("-"):
        raise unknown(f"jexec {' '.join(argv[1:])}")
    jail = world.jail(args[0])
    if jail is None:
        raise ToolError(f'jexec: jail "{args[0]}" not found')
    return inside(inner_world(world, jail, args[1]), jail, args[1:], stdin)


def inner_world(world: World, jail: Jail, program: str) -> World:
    """Return the host as seen from a jail's root, where paths begin. program: the program to run.

    A root that was removed while the jail runs is an empty directory to the jail.
    """
    if not world.tree.is_dir(jail.path):
        raise ToolError(f"jexec: execvp: {program}: No such file or directory")
    return World(world.state, Tree(world.tree.resolve(jail.path), dict), world.facts)


def inside(inner: World, jail: Jail, argv: list[str], stdin: Stdin = None) -> CommandResult:
    """Run one program in a jail; network tools work even if the root lacks the program."""
    program = PurePosixPath(argv[0]).name
    found = find_program(inner, argv[0])
    if found is None and (program not in NETWORK or "/" in argv[0]):
        raise ToolError(f"jexec: execvp: {argv[0]}: No such file or directory")
    if program not in NETWORK and program not in PROGRAMS:
        known = ", ".join(sorted({*NETWORK, *PROGRAMS}))
        raise ToolError(
            f"simulated host: {program} is in the jail but is not simulated; these are: {known}", 126
        )
    _record(inner, jail, argv)
    note = ""
    if found is None and not jail.told:
        jail.told = True
        inner.save_jail(jail)
        note = _NOTE.format(program=program)
    run = NETWORK.get(program) or PROGRAMS[program]
    result = run(inner, jail, [program, *argv[1:]], stdin)
    return CommandResult(result.code, result.out, note + result.err)


def find_program(inner: World, name: str) -> str | None:
    """Return the path of a program in the jail's root, as execvp(3) finds it."""
    for path in [name] if "/" in name else [f"{folder}/{name}" for folder in _SEARCH]:
        status = inner.tree.stat(path)
        if status is not None and stat.S_ISREG(status.st_mode) and status.st_mode & 0o111:
            return path
    return None


def _record(world: World, jail: Jail, argv: list[str]) -> None:
    """Record programs for tests: the jail's own rc and shutdown, and rtsol."""
    line = " ".join(argv)
    if argv[0].endswith(("sh", "rtsol")) and line not in jail.ran:
        jail.ran.append(line)
        world.save_jail(jail)


def _view(jail: Jail) -> View:
    return View(jail.stack, jail)


def _ifconfig(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    return ifconfig(inner, argv, _view(jail))


def _netstat(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    return netstat(inner, argv, _view(jail))


def _route(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    return routes.route(inner, argv, _view(jail))


def _sysctl(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    if argv[-1] == "security.jail.jailed":
        return CommandResult(0, "1\n")
    return tools.sysctl(inner, argv, _view(jail))


def _sockstat(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    return tools.sockstat(inner, argv, _view(jail))


def _ping(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    return probes.ping(inner, argv, _view(jail))


def _nc(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    return probes.nc(inner, argv, _view(jail))


def _jail(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    inner.state.changing()
    return beget(inner, jail, argv[1:])


def _jls(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    return list_inside(inner, jail, argv)


def _chflags(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    level = int(jail.parameters.get("securelevel", "-1"))
    return flags.chflags_inside(inner, argv, jail_parameters.allowed(jail, "allow.chflags") and level < 1)


def _hostname(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    if len(argv) == 2 and not argv[1].startswith("-"):
        inner.state.changing()
        jail.hostname = argv[1]
        inner.save_jail(jail)
        return CommandResult()
    return tools.hostname(argv, jail.hostname)


def _uname(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    release = jail.parameters.get("osrelease") or inner.facts.release
    return tools.uname(argv, jail.hostname, release)


def _cat(inner: World, _: Jail, argv: list[str], stdin: Stdin) -> CommandResult:
    return filetools.cat(inner, argv, stdin)


def _rtsol(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    return rtsol(inner, argv, jail.stack)


def _dhclient(inner: World, jail: Jail, argv: list[str], _: Stdin) -> CommandResult:
    return dhclient(inner, jail, argv)


def _sh(inner: World, jail: Jail, argv: list[str], stdin: Stdin) -> CommandResult:
    """Run sh /etc/rc and /etc/rc.shutdown, and sh -c with single commands."""
    match argv[1:]:
        case [("/etc/rc" | "/etc/rc.shutdown") as script, *_]:
            if inner.tree.stat(script) is None:
                return CommandResult(2, "", f"sh: cannot open {script}: No such file or directory\n")
            return _rc(inner, jail, script)
        case ["-c", text]:
            return line(inner, jail, text)
        case []:
            return _lines(inner, jail, filetools.text(filetools.feed(stdin)))
    raise unknown(f"sh {' '.join(argv[1:])}")


def _rc(inner: World, jail: Jail, script: str) -> CommandResult:
    """Run a script of a root: it prints what its lines with echo say, and all other lines do nothing."""
    lines = filetools.text(inner.tree.read(script)).split("\n")
    said = [line(inner, jail, each).out for each in lines if each.startswith("echo ")]
    return CommandResult(0, "".join(said))


def _lines(inner: World, jail: Jail, text: str) -> CommandResult:
    code, out, err = 0, "", ""
    for one in text.splitlines():
        if one.split()[:1] == ["exit"]:
            break
        result = line(inner, jail, one)
        code, out, err = result.code, out + result.out, err + result.err
    return CommandResult(code, out, err)


def line(inner: World, jail: Jail, text: str) -> CommandResult:
    """Run one command line of a shell: words and quotes, no other syntax."""
    try:
        lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer)
    except ValueError:
        raise ToolError("sh: Syntax error: Unterminated quoted string", 2) from None
    if not words:
        return CommandResult()
    if any(set(word) <= set(";&|<>()") for word in words) or "$" in text or "`" in text:
        raise unknown(f"this shell syntax: {text}")
    if words == ["pwd"]:
        # The shell has this command built in, so it requires no program.
        return CommandResult(0, "/\n")
    if words[0] == "exit":
        return CommandResult(int(words[1]) & 255 if len(words) > 1 and words[1].isdigit() else 0)
    try:
        return inside(inner, jail, words)
    except ToolError as failure:
        if failure.result.err.startswith("jexec: execvp:"):
            return CommandResult(127, "", f"sh: {words[0]}: not found\n")
        return failure.result


def _plain(inner: World, _: Jail, argv: list[str], __: Stdin) -> CommandResult:
    match argv:
        case ["true", *_]:
            return CommandResult()
        case ["false", *_]:
            return CommandResult(1)
        case ["echo", *words]:
            return CommandResult(0, " ".join(words) + "\n")
        case ["id", *_]:
            return tools.root_id(argv)
        case ["pwd"]:
            return CommandResult(0, "/\n")
        case ["which", name]:
            found = find_program(inner, name)
            return CommandResult(0 if found else 1, f"{found}\n" if found else "")
        case ["ls", *_]:
            return names.ls(inner, argv)
    raise unknown(" ".join(argv))


Program = Callable[[World, Jail, list[str], Stdin], CommandResult]

#: Programs that work even if the root lacks them.
NETWORK: dict[str, Program] = {
    "ifconfig": _ifconfig, "netstat": _netstat, "route": _route, "sysctl": _sysctl, "sockstat": _sockstat,
    "hostname": _hostname, "jail": _jail, "jls": _jls, "cat": _cat, "ping": _ping,
    "ping6": _ping, "nc": _nc,
}  # fmt: skip
#: Programs that the root must have.
PROGRAMS: dict[str, Program] = {
    "sh": _sh, "chflags": _chflags, "rtsol": _rtsol, "dhclient": _dhclient, "true": _plain, "false": _plain,
    "echo": _plain, "id": _plain, "which": _plain, "ls": _plain, "pwd": _plain, "uname": _uname,
}  # fmt: skip
