"""Whole commands in a sandbox, and what must hold of each whatever it was given.

A command runs in this process on a simulated host, or on whatever executor a test gives; each command that it
issues is looked at. The sandbox has files that nobody may change beside the state directory.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import pkgutil
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unittest import mock

from potnet import app, templates
from potnet.cli.main import run
from potnet.config.configuration import Config
from potnet.drivers import linux
from potnet.executors.base import KEEP_OUTPUT, Command, CommandResult, Executor
from potnet.executors.simulated import SimulatedHost
from potnet.executors.simulated.world.entities import HostFacts
from potnet.rootless.host.client import RootlessHost
from potnet.runtime.clients import Clients

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"

#: What potnet may ever run; sh(1) with scripts of its own only.
PROGRAMS = {
    *(
        "ifconfig",
        "jail",
        "jls",
        "jexec",
        "dnctl",
        "route",
        "netstat",
        "sysctl",
        "sysrc",
        "pfctl",
        "kldload",
        "sockstat",
    ),
    *("hostname", "mount", "umount", "rctl", "fetch", "sha256", "tar", "tee", "chmod", "chflags", "mv", "cp"),
    *("rm", "mkdir", "find", "env", "stat", "test", "cat", "du", "realpath", "sh", "id", "chown", "getent"),
    *("pgrep", "pkill", "pwait", "ping", "arp", "ndp", "sleep"),
    *("awk", "chattr", "devfs", "ip", "nft", "ss", "uname", "kill", "nsenter", "conntrack", "unshare", "tc"),
}

#: Text that has made trouble for somebody, somewhere.
NASTY = (
    "", " ", "-", "--", "-x", "..", "../../../etc/passwd", ".", "/", "//", "~", "*", "?", "a b", "a\tb",
    "a\nb", "a\rb", "a\0b", "\0", "\n", "'", '"', "`id`", "$(id)", "${HOME}", "a;id", "a|id", "a&id", "a>b",
    "a<b", "a\\", "\\n", "#", "a#b", "{", "}", "{{ 7 * 7 }}", "{% raw %}", "%s", "%n", "\x1b[31mred",
    "\x1b]0;title\x07", "\x9b31m", "\u202egpj.exe", "\u2066x\u2069", "\ufeff", "\u0130", "\xe9", "e\u0301",
    "\U0001f372", "\udc80", "a\udcffb", "\uffff", "a" * 52, "a" * 256, "a" * 10_000, "0", "-1", "007", "1e9",
    "99999999999999999999", "9" * 5000, "\u0663", "0x10", "1.5", "nan", "true", "'; DROP TABLE pot; --",
    '" }; exec.prestart = "id', "x { } y", "em0 inet from any to any -> 1.2.3.4\npass quick", "pass all",
    "link del dev em0", "127.0.0.1", "::1", "0.0.0.0", "255.255.255.255", "10.192.0.1/33", "fe80::1%em0",
    "em0|", "|", "em0|1.2.3.4|5", "em0;id|10.0.0.1", "tcp:", ":", "80:", ":80", "0:0", "65536", "80:65536",
    "80:-1", "sctp:80", "custom:", "custom:/dev/zero", "custom:.", "custom:fifo", "custom:link",
    "custom:nowhere", "custom:binary", "CON", "public", "public6", "ext", "potnet", "localhost",
)  # fmt: skip


class Violation(AssertionError):  # noqa: N818 - what a test reports
    """Potnet issued what it never may."""


@dataclass
class Watched:
    """Passes commands on and looks at each."""

    inner: Executor
    commands: list[Command] = field(default_factory=list)

    def run(self, command: Command) -> CommandResult:
        self._look(command)
        return self.inner.run(command)

    def attach(self, command: Command) -> int:
        self._look(command)
        return self.inner.attach(command)

    def _look(self, command: Command) -> None:
        self.commands.append(command)
        check(command)


def check(command: Command) -> None:
    """Raise `Violation` unless potnet itself made this command, and data only filled its places."""
    argv = command.argv
    if not isinstance(argv, tuple) or not all(isinstance(word, str) for word in argv):
        raise Violation(f"no argv: {argv!r}")
    if argv[0] not in PROGRAMS:
        raise Violation(f"not potnet's to run: {argv!r}")
    if any("\0" in word for word in argv):
        raise Violation(f"NUL in {argv!r}")
    shell = argv[2:] if argv[:2] == ("unshare", "--net") else argv
    if shell[0] == "sh" and (shell[1] != "-c" or shell[2] not in _scripts()):
        raise Violation(f"a script of nobody's: {argv!r}")
    if argv[0] == "awk" and argv[1] not in _scripts():
        raise Violation(f"a script of nobody's: {argv!r}")
    if not isinstance(command.stdin, str):
        return
    allowed = grammar(argv[2] if argv[0] == "nsenter" else argv[0])
    for line in command.stdin.split("\n") if allowed else ():
        if line and not any(pattern.fullmatch(line) for pattern in allowed):
            raise Violation(f"{argv[0]} was fed {line[:300]!r}")


@cache
def _scripts() -> frozenset[str]:
    """The shell scripts in potnet's source: constants, all of them."""
    found = {KEEP_OUTPUT}
    for each in pkgutil.walk_packages(linux.__path__, f"{linux.__name__}."):
        module = importlib.import_module(each.name)
        found |= {value for value in vars(module).values() if isinstance(value, str) and " " in value}
    return frozenset(found)


#: What may stand in the place of an expression; with blanks where the expression has words of its own.
_WORD = r"[A-Za-z0-9_.:/()@%!-]+"
_PLACE = rf"(?:{_WORD}|\{{ {_WORD}(?:,? {_WORD})* \}})"
_WORDS = r"[A-Za-z0-9_.:/()@%!,{} -]*"
_QUOTED = r'"(?:[^"\\$\x00-\x1f]|\\["\\$])*"'
#: A macro is part of the lines that call it, and no line of its own.
_STATEMENT = re.compile(r"\{% macro .*?\{%-? endmacro %\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_PHRASES = re.compile(r"\{% for (\w+) in \([^%]*\"")
_EXPRESSION = re.compile(r"\{\{(.*?)\}\}")

#: The lines of ip-batch that the Linux driver writes.
_LINK = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,14}"
_ADDRESS = r"[0-9a-f.:]+(?:/[0-9]{1,3})?"
_IP = tuple(
    re.compile(pattern)
    for pattern in (
        rf"link add name {_LINK} (?:address [0-9a-f:]{{17}} |mtu \d+ )?group \d+ type"
        rf"(?: bridge(?: [a-z_0-9 ]+)?| veth peer name {_LINK}(?: mtu \d+)?)",
        rf"link add name {_LINK} (?:mtu \d+ )?group \d+ type veth"
        rf" peer name {_LINK} address [0-9a-f:]{{17}} (?:mtu \d+|netns [A-Za-z0-9_-]+)",
        rf'link set dev {_LINK} alias "potnet[A-Za-z0-9_: .-]*"(?: addrgenmode none)?(?: up)?',
        rf"tuntap add dev {_LINK} mode tap user [A-Za-z_][A-Za-z0-9_.-]*",
        rf'link set dev {_LINK} (?:mtu \d+ )?group \d+ alias "potnet:[A-Za-z0-9_-]+" addrgenmode none up',
        rf"link set dev {_LINK} alias potnet-root:[A-Za-z0-9_.~%/-]+(?: netns [A-Za-z0-9_-]+)?",
        rf"link set dev {_LINK} [a-z0-9_ :]+",
        rf"link set dev {_LINK} master {_LINK}(?: up)?",
        rf"link del (?:dev {_LINK}|group \d+)",
        r"addr show|rule show|route show(?: table all)?(?: default| type local)?|route get [0-9a-f.:]+",
        r"netns list|link show group \d+",
        rf"(?:addr|address) (?:add|del|show) (?:{_ADDRESS} )?dev {_LINK}(?: nodad)?(?: preferred_lft 0)?",
        rf"route (?:add|replace|del) [a-z0-9.:/ ]+(?: dev {_LINK})?",
        r"(?:-6 )?neigh [a-z0-9.:/ ]+",
        r"netns (?:add|del) [A-Za-z0-9_-]+",
    )
)


@cache
def grammar(program: str) -> tuple[re.Pattern[str], ...]:
    """The lines that a program may be fed: those of its templates, with words in the places for values."""
    if program == "ip":
        return _IP
    prefix = {"pfctl": "pf-", "jail": "jail", "nft": "nft-"}.get(program)
    if prefix is None:
        return ()
    texts = [path.read_text("utf-8") for path in sorted(TEMPLATES.glob(f"{prefix}*"))]
    lines = (line for text in texts for line in _STATEMENT.sub("\n", text).split("\n"))
    # What a loop takes from a list of strings is words, too.
    phrases = {name for text in texts for name in _PHRASES.findall(text)}
    more = (
        r"delete element inet potnet \w+ \{ [a-z0-9 .\"_-]+ \}",
        r"add element inet potnet \w+ \{ [a-z0-9 .:]+ \}",
        rf"(?:delete|flush) (?:chain|table) (?:inet|netdev) {_WORD}(?: {_WORD})?",
    )
    made = [re.compile(_as_pattern(line, phrases)) for line in lines if line.strip()]
    return (*made, *(re.compile(each) for each in more)) if program == "nft" else tuple(made)


def _as_pattern(line: str, phrases: set[str]) -> str:
    """A line of a template as the pattern of what it may become."""
    found, end = "", 0
    for match in _EXPRESSION.finditer(line):
        found += re.escape(line[end : match.start()]) + _place(match[1], phrases)
        end = match.end()
    return found + re.escape(line[end:])


_STATE_OPTION = r"(?:if-bound|source-track rule|max-src-(?:conn|states) \d+)"
#: Places in which more than a word stands, or something quoted, and just what.
_PARTS = {
    "what": rf"(?:proto (?:tcp|udp) )?from {_PLACE} to {_PLACE}(?: port {_PLACE})?",
    "destination": rf"(?:! )?{_PLACE}",
    "r.target_ports": r"\d+(?::\*)?",
    "r.options": rf"{_STATE_OPTION}(?:, {_STATE_OPTION})*",
    "r.way": rf"(?:in|out) quick on {_PLACE}",
    "' tag \"' ~ way.tag ~ '\"' if way.tag else \"\"": r'(?: tag "potnet:[a-z0-9.:@-]+")?',
}


def _place(expression: str, phrases: set[str]) -> str:
    if expression.strip() in _PARTS:
        return _PARTS[expression.strip()]
    if "quoted" in expression:
        return f"{_QUOTED}(?:, {_QUOTED})*" if "join" in expression else _QUOTED
    words = '"' in expression or "hosts" in expression or expression.strip() in phrases
    return _WORDS if words else _PLACE


class Stream(io.TextIOWrapper):
    """A standard stream as Python opens it, whose bytes can be had."""

    def __init__(self, errors: str) -> None:
        self.bytes = io.BytesIO()
        super().__init__(self.bytes, encoding="utf-8", errors=errors, write_through=True)

    @property
    def text(self) -> str:
        return self.bytes.getvalue().decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Said:
    """What a command line ended with."""

    code: int
    out: str
    err: str


class Sandbox:
    """A state directory, a place to work in, and things that are nobody's to touch."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / "state"
        self.work = directory / "a" / "b" / "c" / "d" / "work"
        self.work.mkdir(parents=True)
        self.executor: Callable[[Executor], Executor] = lambda inner: inner
        self.commands: list[Command] = []
        #: What clients ask of a server.
        self.requests: tuple[bytes, ...] = ()
        for path in (directory / "precious", directory / "a" / "b" / "precious"):
            path.write_text("precious\n")
        os.mkfifo(self.work / "fifo")
        (self.work / "link").symlink_to("../precious")
        (self.work / "binary").write_bytes(bytes(range(256)))
        (self.work / "script").write_text("#!/bin/sh\n")
        (self.work / "root").mkdir()
        (self.work / "plain").write_text("nameserver 192.0.2.1\n")

    def copy_state(self, prepared: Path) -> None:
        """Begin with a state directory that was made before."""
        shutil.copytree(prepared, self.state, symlinks=True)
        self.state.chmod(0o700)

    def confined(self, word: str) -> str:
        """An argument that leads nowhere out of the sandbox."""
        return f"{self.directory}{word}" if word.startswith("/") and not word.startswith("/opt") else word

    @contextmanager
    def entered(self) -> Iterator[None]:
        """In the place to work in, with every executor in the sandbox.

        The hosts are closed at the end: SQLite removes files of an open database later, even during a copy.
        """
        hosts: list[SimulatedHost] = []

        def make(
            settings: app.Settings,
            config: Config,
            target: app.Target,
            host: RootlessHost | None,
        ) -> Executor:
            host_itself = SimulatedHost(target.directory / "sim", facts=HostFacts(spare="em1"))
            hosts.append(host_itself)
            watched = Watched(self.executor(host_itself), self.commands)
            if settings.dry_run:
                from potnet.executors.dry_run import DryRun

                return DryRun(watched, app.write_stdout)
            return watched

        before = Path.cwd()
        os.chdir(self.work)
        try:
            with mock.patch.object(app, "_executor", make), self._calling():
                yield
        finally:
            os.chdir(before)
            for opened in hosts:
                opened.close()

    @contextmanager
    def _calling(self) -> Iterator[None]:
        """With clients of a server, which ends when it would begin to wait; each gets an answer."""
        answers: list[bytes] = []

        def serve(clients: Clients) -> None:
            answers.extend(clients._reply(text) for text in self.requests)

        with mock.patch.object(Clients, "serve", serve):
            yield
        for answer in answers:
            assert json.loads(answer).keys() <= {"return", "error", "entries"}

    def potnet(self, *arguments: str, silent: bool = False) -> Said:
        """Run one command line, and hold it to what holds of all. silent: it may say no by its code alone."""
        out, err = Stream("strict"), Stream("backslashreplace")
        # A backup goes where its user says, whatever that is.
        named = frozenset(arguments) if "backup" in arguments else frozenset()
        before = self.untouched(named)
        with mock.patch.object(sys, "stdout", out), mock.patch.object(sys, "stderr", err), self.entered():
            templates.environment.cache_clear()
            code = run(arguments)
            out.flush()
            err.flush()
        said = Said(code, out.text, err.text)
        hold(said, arguments, raw={"exec", "run", "-n", "--dry-run"} & set(arguments) != set(), silent=silent)
        assert self.untouched(named) == before, arguments
        return said

    def untouched(self, named: frozenset[str] = frozenset()) -> dict[str, tuple[int, int, bytes]]:
        """Everything in the sandbox but the state directory, the place to work in and what is named."""
        found = {}
        for folder, folders, files in os.walk(self.directory):
            folders[:] = [name for name in folders if Path(folder, name) not in (self.state, self.work)]
            for path in (Path(folder, name) for name in (*folders, *files)):
                if str(path) in named:
                    continue
                facts = path.lstat()
                data = path.read_bytes() if stat.S_ISREG(facts.st_mode) else b""
                found[str(path)] = (facts.st_ino, facts.st_mode, data)
        return found


#: Commands whose code is an answer.
FINDING = {"check", "doctor", "repair", "ip4check", "ip6check"}


def hold(said: Said, arguments: Sequence[str], raw: bool = False, silent: bool = False) -> None:
    """What must hold of whatever a command said. raw: it is a jail's own, or for a shell to read."""
    shown = [word[:80] for word in arguments]
    assert said.code in (0, 1, 2) or raw, (shown, said)
    assert "Traceback" not in said.err, (shown, said.err)
    assert "internal error" not in said.err, (shown, said.err)
    assert "fault in potnet" not in said.err, (shown, said.err)
    # These end with 1 for what they found, too.
    if said.code and not raw and not FINDING & set(arguments) and not (silent and not said.err):
        assert said.err.startswith("potnet: "), (shown, said.err)
    for text in () if raw else (said.out, said.err):
        strange = {c for c in text if not c.isprintable() and c not in "\n\t"}
        assert not strange, (shown, strange, text)
