"""A far host that is simulated, and a machine on its wire: the suite as it runs on a real host.

The suite's prefixes lead to `far_shell.py`, which hands each command line to this process, as ssh(1) does
to a shell at the far end. Tools are those of the simulated host. In the place of `probe.sh`, whose programs
it cannot run, it says who would answer.
"""

from __future__ import annotations

import json
import shlex
import socketserver
import sys
import threading
from pathlib import Path

from potnet.executors.base import Command, CommandResult
from potnet.executors.simulated import Refusal, SimulatedHost

from .far import IN_ROOT, Far, Way
from .host import HOST, OUTSIDE
from .sim import seconds, simulated

SHELL = Path(__file__).with_name("far_shell.py")
#: How potnet discards the output of what goes on in a jail.
QUIETLY = ("sh", "-c", 'exec "$@" </dev/null >/dev/null 2>&1', "sh")
#: What a root must have for the probe, as paths in it.
REQUIRED = ("bin/sh", "bin/nc", "bin/sleep", "bin/dd", "probe/probe")
PROGRAMS = ("sh", "nc", "sleep", "dd", "ping", "ping6", "ifconfig", "route", "rtsol", "dhclient")
MACHINE = """\
lan0: flags=1008843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST,LOWER_UP> metric 0 mtu 1500
\tinet 192.168.178.99 netmask 0xffffff00 broadcast 192.168.178.255
\tinet6 2001:db8:7::63 prefixlen 64
"""


def furnish_host(host: SimulatedHost) -> None:
    """Give a host /rescue, whose programs are names of one file."""
    rescue = host.tree / "rescue"
    rescue.mkdir()
    (rescue / "sh").write_text("rescue", "ascii")
    (rescue / "sh").chmod(0o555)
    for name in PROGRAMS[1:]:
        (rescue / name).hardlink_to(rescue / "sh")


class Probe:
    """What `probe.sh` does on a host, in pots and on the machine outside."""

    def __init__(self, host: SimulatedHost) -> None:
        self.host = host
        #: Who serves, on which ports; for a pot the jail's number first, which tells it from a later start.
        self._serving: dict[str, list[int]] = {}
        self._names: dict[str, str] = {}
        #: Who sends how much, and on which port.
        self._bulk = "", 0, 0

    def run(self, who: str, words: list[str]) -> CommandResult:
        """Carry out a command of the probe for the host, a pot or the machine outside."""
        match words:
            case ["serve", name, *ports]:
                # A pot may have another name by now than when its command was chosen.
                self._names[who] = name
                return self._serve(who, [int(port) for port in ports])
            case ["stop", name]:
                return self._stop(name)
            case ["bulk", name, port, kbytes]:
                assert name == who, words
                self._bulk = who, int(port), int(kbytes)
                return self._listen(who, [int(port)])
            case ["ask", protocol, address, port]:
                return self._ask(who, protocol, address, int(port))
            case ["fetch", address, port]:
                return self._fetch(who, address, int(port))
            case ["furnish", root]:
                return self._furnish(root)
        raise ValueError(words)

    def _serve(self, who: str, ports: list[int]) -> CommandResult:
        jail = self.host.jails().get(who)
        if jail and f"{jail.path}/dev" not in self.host.mounts():
            # Nothing is redirected to the null device, and no server runs.
            return CommandResult()
        self._serving[who] = [jail.jid if jail else 0, *ports]
        return self._listen(who, ports)

    def _listen(self, who: str, ports: list[int]) -> CommandResult:
        jail = self.host.jails().get(who)
        if who == HOST or (jail and not jail.vnet):
            for port in ports:
                for protocol in ("tcp4", "tcp6", "udp4", "udp6"):
                    self.host.listen(protocol, port, command="nc", jail=who if jail else "")
        return CommandResult()

    def _stop(self, name: str) -> CommandResult:
        ports = self._serving.pop(name, [0])[1:]
        ports += [self._bulk[1]] if self._bulk[0] == name else []
        for port in ports if name == HOST else ():
            for protocol in ("tcp4", "tcp6", "udp4", "udp6"):
                self.host.unlisten(protocol, port)
        return CommandResult()

    def _ask(self, who: str, protocol: str, address: str, port: int) -> CommandResult:
        if who == OUTSIDE and address in MACHINE:
            return CommandResult(0, f"name={who}\n" if port in self._serving.get(who, [])[1:] else "refused")
        found = self.host.connect(who, address, port, protocol)
        failed = f"nc: connect to {address} port {port} (tcp) failed: "
        if isinstance(found, Refusal):
            why = "Connection refused" if "listens" in found.reason else "Operation timed out"
            return CommandResult(0, "" if protocol == "udp" else f"{failed}{why}\n")
        jail = self.host.jails().get(found.server)
        number, *ports = self._serving.get(found.server, [0])
        if found.port in ports and number == (jail.jid if jail else 0):
            return CommandResult(0, f"name={self._names[found.server]}\n")
        return CommandResult(0, "" if protocol == "udp" else f"{failed}Connection refused\n")

    def _fetch(self, who: str, address: str, port: int) -> CommandResult:
        found, (sender, own, kbytes) = self.host.connect(who, address, port), self._bulk
        if isinstance(found, Refusal) or (found.server, found.port) != (sender, own):
            return CommandResult(0, "0+0 records in\n0+0 records out\n")
        last = f"{kbytes * 1024} bytes transferred in {seconds(kbytes, found):.6f} secs (1 bytes/sec)\n"
        return CommandResult(0, f"{kbytes}+0 records in\n{kbytes}+0 records out\n{last}")

    def _furnish(self, root: str) -> CommandResult:
        home = root.rpartition("/jails/")[0]
        lines = [f"mkdir -p {root}/{name}" for name in ("bin", "dev", "sbin", "tmp", "probe")]
        lines += [f"ln {home}/rescue {root}/{path}" for path in REQUIRED[:-1]]
        for line in (*lines, f"cp {home}/probe {root}/probe/probe"):
            result = self.host.run(Command(tuple(line.split())))
            if result.code:
                return result
        return CommandResult()


def on_host(probe: Probe, argv: tuple[str, ...], stdin: str) -> CommandResult:
    """Run a command line on the host."""
    match argv:
        case ["sh", path, *words] if path.endswith("/probe"):
            return probe.run(HOST, words)
        case ["jexec", pot, "/bin/sh", "/probe/probe", *words]:
            jail = probe.host.jails().get(pot)
            if jail is None:
                return CommandResult(1, "", f'jexec: jail "{pot}" not found\n')
            missing = [path for path in REQUIRED if not (probe.host.tree / jail.path[1:] / path).exists()]
            if missing:
                return CommandResult(1, "", f"jexec: execvp: {missing[0]}: No such file or directory\n")
            return probe.run(pot, words)
    return probe.host.run(Command(argv, stdin))


def outside(probe: Probe, argv: tuple[str, ...], stdin: str) -> CommandResult:
    """Run a command line on the machine outside."""
    match argv:
        case ["mktemp", "-d", template]:
            return CommandResult(0, template.replace("XXXXXX", "abcdef") + "\n")
        case ["tee", _]:
            return CommandResult(0, stdin)
        case ["ifconfig"]:
            return CommandResult(0, MACHINE)
        case ["sh", path, *words] if path.endswith("/probe"):
            return probe.run(OUTSIDE, words)
        case ["rm", "-f", "-r", _]:
            return CommandResult()
    return CommandResult(127, "", f"sh: {argv[0]}: not found\n")


def answer(probe: Probe, role: str, words: list[str], stdin: str) -> CommandResult:
    """Run what a prefix was given: ssh joins the words with blanks, and the far shell takes them apart."""
    argv = tuple(shlex.split(" ".join(words)))
    if argv[: len(QUIETLY)] == QUIETLY:
        argv = argv[len(QUIETLY) :]
    if argv[:2] == ("sh", "-c") and argv[5:6] == ("jexec",) and argv[8:9] == (IN_ROOT,):
        # The shell that keeps in a log what goes on in a jail.
        argv = argv[5:]
    return (on_host if role == HOST else outside)(probe, argv, stdin)


class _Server(socketserver.UnixStreamServer):
    """Answers one command line after the other."""

    def __init__(self, path: Path, directory: Path) -> None:
        self.directory = directory
        self.probe: Probe | None = None
        super().__init__(str(path), _Line)


class _Line(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        # SQLite's connections stay with the thread that made them.
        server.probe = server.probe or Probe(SimulatedHost(server.directory))
        role, words, stdin = json.loads(self.rfile.read())
        done = answer(server.probe, role, words, stdin)
        self.wfile.write(json.dumps([done.code, done.out, done.err]).encode())


class Rehearsal(Far):
    """See `Host`. far: the directory of the host, which is made as an installer leaves it if it is absent."""

    def __init__(
        self, directory: Path, prepare: str = "loopback", clean: bool = False, far: Path | None = None
    ) -> None:
        release = "14.3"
        far = far or directory / "far"
        if not far.exists():
            furnish_host(simulated(far, release, bare=True))
        self._server = _Server(directory / "far.sock", far)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        shell = [sys.executable, "-I", "-S", str(SHELL), str(directory / "far.sock")]
        via, outside = (shlex.join([*shell, role]) for role in (HOST, OUTSIDE))
        way = Way(via, outside, prepare, spare="em1", clean=clean)
        super().__init__(directory, way, f"rehearsal {release}")

    def close(self) -> None:
        """See `Host`."""
        super().close()
        self.hang_up()

    def hang_up(self) -> None:
        """Let no prefix lead there any more."""
        self._server.shutdown()
        self._server.server_close()
        Path(str(self._server.server_address)).unlink(missing_ok=True)
