"""Replay of recorded FreeBSD sessions on the simulated host.

scenes.toml beside the records holds the start of each session, and what is not compared, with the reason.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import stat
import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from ipaddress import IPv4Interface, IPv6Interface, ip_address, ip_interface
from pathlib import Path
from typing import Any

from potnet.executors.base import Command, CommandResult
from potnet.executors.simulated import Connection, HostFacts, SimulatedHost
from potnet.executors.simulated.files.archive import base
from potnet.executors.simulated.packets.calls import Call, Sign
from potnet.executors.simulated.world.curve25519 import public_key
from potnet.executors.simulated.world.devices import Node
from potnet.executors.simulated.world.world import World

RECORDS = Path(__file__).parent.parent / "data" / "freebsd"
#: The machines that the sessions ran on.
MACHINES = {
    "vtnet0": HostFacts(
        interface="vtnet0",
        address="10.0.2.15/24",
        gateway="10.0.2.2",
        hostname="fbsd14",
        resolver="10.0.2.3",
        release="14.0-STABLE",
        osreldate=1400507,
    ),
    "em0": HostFacts(
        mac="52:54:00:00:0e:01",
        spare="em1 em2",
        spare_mac="52:54:00:00:0e:02",
        hostname="fbsd",
        release="14.0-STABLE",
        osreldate=1400507,
        router6_link="fe80::c42a:bcff:fe42:cbe7",
        router6_lifetimes=(14400, 86400),
        fragment=1024,
        racct=True,
    ),
}


_CTL = ["jail -c name=ctl path=/ vnet vnet.interface=em2 persist"]
_SLAAC = ["ifconfig em0 inet6 accept_rtadv -ifdisabled", "rtsol em0"]
#: What the sessions of a machine begin with. The jail ctl and a third interface belong to the instruments.
_SETUP = {
    "vtnet0": ["root /jails/t1", "root /jails/t2"],
    "em0": _CTL,
    # Prepared by `potnet init --apply`; the pot db exports a port.
    "db": [
        *_CTL,
        "ifconfig em0 inet6 accept_rtadv -ifdisabled",
        "pass 2",
        "ifconfig lo0 inet6 ::1 -alias",
        "ifconfig lo0 inet6 ::1/128",
        "ifconfig em1 up",
        "root /opt/potnet/jails/db/m",
        "ifconfig bridge0 create group potnet group potbridge up",
        "ifconfig bridge0 inet 10.192.0.1/10",
        "ifconfig epair0 create descr potnet:db group potnet up",
        "ifconfig bridge0 addm epair0a",
        "jail -c name=db path=/opt/potnet/jails/db/m vnet vnet.interface=epair0b persist",
        "ifconfig -j db epair0b inet 10.192.0.3/10 up",
        "route -j db add default 10.192.0.1",
        "sysctl net.inet.ip.forwarding=1",
        "anchor pot-nat 'nat on em0 inet from 10.192.0.0/10 to any -> (em0:0)'",
        "anchor pot-rdr/db 'rdr pass on { em0 potbridge } inet proto tcp from any to (em0) port 30081 "
        "-> 10.192.0.3 port 80'",
        "pfctl -e",
    ],
    # Prepared by `potnet init --loopback --apply`; em1 was in a jail before.
    "potnet": [
        *_CTL,
        *_SLAAC,
        "pass 2",
        "ifconfig em1 vnet ctl",
        "ifconfig em1 -vnet ctl",
        "ifconfig em1 inet6 -ifdisabled",
        "ifconfig em1 up",
        "ifconfig em1 inet6 ifdisabled",
        "ifconfig tap77 create",
        "ifconfig lo0 inet6 ::1 -alias",
        "ifconfig lo0 inet6 ::1/128",
        "mkdir -p /opt/potnet/cache /opt/potnet/jails",
        "cp /tmp/base.txz /opt/potnet/cache/14.2-RELEASE_base.txz",
        "sysctl net.pf.filter_local=1",
        "pfctl -e",
    ],
}
_PREPARED = """
nat-anchor "pot-nat"
nat-anchor "pot-rdr/*"
rdr-anchor "pot-rdr/*"
anchor "pot-filter/*"
"""
MACHINES["potnet"] = MACHINES["db"] = replace(MACHINES["em0"], resolver="192.168.178.1")


@dataclass(frozen=True)
class Scene:
    """A session's start, and what is compared.

    machine: a key of _SETUP. indexes: those of interfaces are compared. dying: the jids of jails called c
    that the session before has left; purged: its anchors that pf has not purged yet. before: command lines.
    alone: a jail is removed before the next one of its name. advertised: a router sends advertisements.
    mac: of the external interface. rules: of the main ruleset. between: what happened beside the record
    before a command, by its number. compared: how many commands are. outside: the numbers of those that are
    not, by the reason.
    """

    machine: str = "em0"
    indexes: bool = True
    before: tuple[str, ...] = ()
    rules: str = ""
    between: dict[str, str] = field(default_factory=dict)
    dying: tuple[int, ...] = ()
    purged: tuple[str, ...] = ()
    alone: bool = False
    advertised: bool = True
    mac: str = ""
    compared: int = 0
    outside: dict[str, list[int]] = field(default_factory=dict)


@cache
def scenes() -> dict[str, Scene]:
    """Return the scenes by the names of the records."""
    known = tomllib.loads((RECORDS / "scenes.toml").read_text())
    return {name: Scene(**{**row, "before": tuple(row.get("before", ()))}) for name, row in known.items()}


def session(path: Path) -> str:
    """Return the number of a record, which may end in a letter."""
    return path.name.partition("-")[0]


def commands(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text())["commands"]
    return found


#: What differs from run to run, and what is compared in its place.
_MASKS = (
    (r"\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b", "MAC"),
    (r"time=[0-9.]+ ms", "time=T"),
    (r"stddev = [0-9./]+ ms", "stddev = T"),
    (r"(?i)pid \d+", "pid P"),
    # Neighbours that the host has learnt.
    (r"(?m)^[0-9a-f:%a-z]+ +MAC +[a-z]+[0-9]+ (?:\d+h)?(?:\d+m)?\d+s +[A-Z] .*\n", ""),
    (r"(DHCPDISCOVER on .* interval) \d+\n(?:DHCPDISCOVER .*\n)*", r"\1 N\n"),
    (r'"nhop-kidx":\d+', '"nhop-kidx":N'),
    # Addresses by SLAAC come from MAC addresses.
    (r"[0-9a-f:]+:[0-9a-f]*ff:fe[0-9a-f]{2}:[0-9a-f]+(?![0-9a-f%]) *", "EUI "),
    # Counters, ages and identifiers of pf.
    (r"Enabled for .*? +Debug", "Enabled for T Debug"),
    (r"(?m)^(  [a-z]+[a-z-]*(?: entries)?) +\d+(?: +[0-9.]+/s)? *$", r"\1 N"),
    (r"\d+ states cleared", "N states cleared"),
    (r"age [0-9:]+, expires in [0-9:]+, \d+:\d+ pkts, \d+:\d+ bytes", "age"),
    (r"(?m)^(all tcp .* )(ESTABLISHED|FIN_WAIT_2|TIME_WAIT):\2$", r"\1ENDS"),
    (r"(?m)^   \[\d+ \+ \d+\].*$", "   [SEQUENCE]"),
    (r"id: [0-9a-f]+ creatorid: [0-9a-f]+", "id"),
    (r"(?m)^(\w+)=\d+[KMG]?$", r"\1=N"),
    (r"Evaluations: .*?\]", "Evaluations ]"),
    (r'("(?:received|sent|dropped|send)-[a-z]+":)\d+', r"\1N"),
    # The roots of the sessions had a start script that starts nothing.
    (r"(?m)^Starting [a-z]+\.\n", ""),
    # WireGuard's time of a handshake, and the octets.
    (r"\t[1-9]\d{6,9}\t\d+\t\d+\t", "\tT\tN\tN\t"),
    # ls(1): mode and name.
    (r"(?m)^([-dlcps][-rwxsStT]{9}) .* [0-9]{2}:[0-9]{2} (.*)$", r"\1 \2"),
    (r"(?m)^total \d+\n", ""),
)


#: The records have words in the place of keys, and the public key of one of them.
_KEYS = {"PRIVATE-A": f"{'A' * 42}E=", "PRESHARED": f"{'B' * 42}E="}
_PUBLIC = "4atEoI6Xa2L2Mu8wlZxhgUAjVzX3ZDjY5tBmd8OpWTU="
#: The identifiers of a state and of its creator.
_IDENTIFIERS = re.compile(r"id: ([0-9a-f]+) creatorid: ([0-9a-f]+)")
#: The indexes of interfaces, which depend on all sessions before.
_INDEXES = (r"(?i)(link#|scopeid 0x| port )[0-9a-f]+(?: +(?=\S))?", r"\1N ")


def mask(text: str, indexes: bool = True) -> str:
    """Without what differs from run to run, and with one blank where its length moved a column."""
    # The sessions' own record has no carriage returns.
    text = text.replace("\r", "\n")
    for pattern, shown in (*_MASKS, *([] if indexes else [_INDEXES])):
        text = re.sub(pattern, shown, text)
    text = re.sub(r"^all (icmp|tcp) .*", _ports, text, flags=re.MULTILINE)
    return re.sub(r"^.*fe80::[0-9a-f:]+%.*$", _linklocal, text, flags=re.MULTILINE)


def _ports(match: re.Match[str]) -> str:
    return re.sub(r":\d{4,5}\b", ":PORT", match[0])


def _linklocal(match: re.Match[str]) -> str:
    text = re.sub(r"fe80::(?!1%)[0-9a-f:]+%", "fe80::LOCAL%", match[0])
    return match[0] if text == match[0] else re.sub(r" +", " ", text)


def stopped_clock(world: World) -> float:
    """Return the time of a host whose clock moves by the scene alone, however long a test takes."""
    row = world.state.get("clock", "offset")
    return 1_000_000.0 + (0.0 if row is None else float(row["seconds"]))


class Replay:
    """A host on which a session is repeated."""

    def __init__(self, directory: Path, scene: Scene) -> None:
        facts = MACHINES[scene.machine]
        facts = facts if scene.advertised else replace(facts, router6_link="")
        facts = replace(facts, mac=scene.mac) if scene.mac else facts
        self.host = SimulatedHost(directory, bare=True, facts=facts)
        rules = scene.rules or (_PREPARED if scene.machine in ("potnet", "db") else "")
        (self.host.tree / "etc/pf.conf").write_text(rules)
        self.folder, self.alone = "/", scene.alone
        #: The wires and addresses that the LAN machine has beside the external ones.
        self.machines: list[tuple[str, IPv4Interface | IPv6Interface]] = []
        self._ids: dict[str, str] = {}
        (self.host.tree / "etc/rc.conf").write_text(
            f'hostname="{facts.hostname}"\npf_enable="YES"\n'
            f'ifconfig_{facts.interface}="inet {facts.address}"\ndefaultrouter="{facts.gateway}"\n'
        )
        (self.host.tree / "tmp/base.txz").write_bytes(base("14.0-RELEASE"))
        self.run(*_SETUP[scene.machine])
        for jid in scene.dying:
            self.run(f"jids {jid - 1}", "mkdir -p /opt/potnet/jails/c/m")
            self.run("jail -c name=c path=/opt/potnet/jails/c/m vnet persist", "linger 9999", "jail -r c")
            self.run("rm -r /opt/potnet/jails/c")
        for anchor in scene.purged:
            self.run(f"anchor {anchor} 'table <others> {{ 10.0.0.0/8 }}'", f"anchor {anchor} ''")
        self.run(*scene.before)
        assert self.answer(["pfctl", "-f", "-"], rules).code == 0

    def run(self, *lines: str) -> None:
        """Run command lines that must succeed."""
        for line in (each for text in lines for each in text.split("; ")):
            result = self.answer(shlex.split(line), None)
            assert result.code == 0, (line, result)

    def repeat(self, entry: dict[str, Any]) -> CommandResult:
        """Answer a recorded command; this host's identifiers of states replace the recorded ones."""
        argv = list(entry["argv"])
        if argv[:3] == ["pfctl", "-k", "id"]:
            argv = ["/".join(self._ids.get(part, part) for part in word.split("/")) for word in argv]
        result = self._with_keys(argv, entry.get("stdin"))
        pairs = zip(_IDENTIFIERS.findall(entry["stdout"]), _IDENTIFIERS.findall(result.out), strict=False)
        for recorded, here in pairs:
            self._ids |= dict(zip(recorded, here, strict=True))
        return result

    def _with_keys(self, argv: list[str], stdin: str | None) -> CommandResult:
        """Answer a command with keys of WireGuard in the place of the recorded words."""
        for word, key in _KEYS.items():
            stdin = stdin.replace(word, key) if stdin is not None else None
        result = self.answer(argv, stdin)
        out = result.out
        for word, key in {**_KEYS, _PUBLIC: public_key(_KEYS["PRIVATE-A"])}.items():
            out = out.replace(key, word)
        return replace(result, out=out)

    def answer(self, argv: list[str], stdin: str | None) -> CommandResult:
        """Answer a command. Beside those of the host: the probes `ask` and `whod`, and what a scene needs."""
        if self.alone and argv[:4] == ["jail", "-f", "-", "-c"] and argv[4] in self.host.jails():
            # The session removed each jail before the next one.
            self.host.run(Command(("jail", "-r", argv[4])))
        match argv:
            case [first, *_] if first.startswith("("):
                return self._script(" ".join(argv))
            case ["sleep" | "pass", seconds]:
                self.host.advance(float(seconds))
                return CommandResult()
            case ["plug", name]:
                self.host.plug(name)
                return CommandResult()
            case ["send", address, port]:
                # A client that sends on from its port, whether it gets an answer or not.
                self.host.call(Call("outside", address, int(port), "udp", "192.168.178.1", own_port=45454))
                return CommandResult()
            case ["begin", jail, program]:
                self.host.begin(jail, command=program)
                return CommandResult()
            case ["dhcp", word]:
                self.host.serve_dhcp(word == "on")
                return CommandResult()
            case ["jids", number]:
                self.host.count_from("jid", int(number))
                return CommandResult()
            case ["open", tap]:
                return CommandResult(0 if self.host.open_tap(tap, tap) == "" else 1)
            case ["close", tap]:
                self.host.close_tap(tap)
                return CommandResult()
            case ["machine", wire, address]:
                self.host.add_machine(wire, address)
                self.machines.append((wire, ip_interface(address)))
                return CommandResult()
            case ["outside", network]:
                self.host.add_route_outside(network)
                return CommandResult()
            case ["root", path]:
                self.run(f"mkdir -p {path}", f"tar -x -f /tmp/base.txz -C {path}")
                return CommandResult()
            case ["program", path]:
                self._real(path).touch()
                self._real(path).chmod(0o755)
                return CommandResult()
            case ["purge", anchor]:
                self.host.purge(anchor)
                return CommandResult()
            case ["gone", jid]:
                self.host.let_go(int(jid))
                return CommandResult()
            case ["linger", looks]:
                self.host.linger(int(looks))
                return CommandResult()
            case ["anchor", path, rules]:
                return self.host.run(Command(("pfctl", "-a", path, "-f", "-"), rules))
            case ["jexec", jail, "ask", *words]:
                return self._ask(jail, words)
            case ["ask", *words]:
                return self._ask("host", words)
            case ["LAN", "sh", "-c", line] if line.startswith("ask "):
                return self._ask("outside", line.split()[1:])
            case ["jexec", jail, "whod", _, *ports]:
                for port in ports:
                    self.host.listen("tcp", int(port), jail=jail)
                    self.host.listen("udp", int(port), jail=jail)
                return CommandResult()
            case ["whod", _, port]:
                self.host.listen("tcp", int(port))
                return CommandResult()
            case ["ls", *words]:
                return self._ls(words)
            case ["sh", "-c", text]:
                return self._script(text)
        return self.host.run(Command(tuple(argv), stdin=stdin))

    def _ask(self, source: str, words: list[str]) -> CommandResult:
        client = ""
        protocol = "tcp"
        while words[0].startswith("-"):
            option = words.pop(0)
            if option == "-u":
                protocol = "udp"
            elif option == "-s":
                client = words.pop(0)
        wire, address = self._beside(words[0]) if source == "outside" else ("", "")
        if source == "outside" and not client:
            client = address or "192.168.178.1"
        if source == "outside" and ":" in words[0] and "." in client:
            client = "2001:db8:7::1"
        answer = self.host.call(Call(source, words[0], int(words[1]), protocol, client, wire=wire))
        if isinstance(answer, Connection):
            name = {"host": "HOST", "outside": "LAN"}.get(answer.server, answer.server.rpartition(".")[2])
            return CommandResult(0, f"{name} {answer.client}\n")
        if answer.sign is Sign.TIMEOUT:
            return CommandResult(1, "timeout\n")
        return CommandResult(2, f"{'' if answer.sign is Sign.REFUSED else 'connect: '}{answer.sign}\n")

    def _beside(self, address: str) -> tuple[str, str]:
        """Return the wire of an address, and the LAN machine's own there, if it is not the external one."""
        near = ((wire, str(own.ip)) for wire, own in self.machines if ip_address(address) in own.network)
        return next(near, ("", ""))

    def _script(self, text: str) -> CommandResult:
        """Run the lines of a script that has no pipes and variables, and redirects only echo and printf."""
        code, out, err = 0, "", ""
        for line in re.split(r" ?; ", text):
            result = self._line(line)
            code, out, err = result.code, out + result.out, err + result.err
        return CommandResult(code, out, err)

    def _line(self, line: str) -> CommandResult:
        opened = re.fullmatch(r"\(sleep \d+ .* 3<>/dev/(tap\d+) &\)", line)
        if opened:
            return self.answer(["open", opened[1]], None)
        try:
            words = shlex.split(line)
        except ValueError:
            return CommandResult(2, "", "the replay cannot split this line\n")
        match words:
            case ["cd", folder]:
                self.folder = folder
            case [("echo" | "printf") as program, written, ">", path]:
                self._real(path).write_text(written + ("\n" if program == "echo" else ""))
            case ["printf", written, "|", *argv]:
                return self.answer(argv, written.encode().decode("unicode_escape"))
            case ["touch", path]:
                self._real(path).touch()
            case ["ln", "-s", target, path]:
                self._real(path).symlink_to(target)
            case ["mkdir", path]:
                self._real(path).mkdir()
                self._real(path).chmod(0o755)
            case _ if any(mark in line for mark in "|&<>$("):
                return CommandResult(2, "", "the replay does not know this shell syntax\n")
            case _:
                return self.answer(words, None)
        return CommandResult()

    def _real(self, path: str) -> Path:
        return self.host.tree / (path if path.startswith("/") else f"{self.folder}/{path}").lstrip("/")

    def _ls(self, words: list[str]) -> CommandResult:
        """ls [-l[dR]] PATH …: names, or modes and names, of what the host's tree has."""
        options = words.pop(0) if words[0].startswith("-") else ""
        out = ""
        for path in words:
            nodes = self._nodes(path)
            if nodes is not None:
                out += "".join(_shown(name, nodes[name], "l" in options) for name in sorted(nodes))
                continue
            real = self._real(path)
            if not os.path.lexists(real):
                return CommandResult(1, "", f"ls: {path}: No such file or directory\n")
            inside = "d" not in options and real.is_dir()
            found = sorted(real.iterdir()) if inside else [real]
            out += "".join(_listed(each, each.name if inside else path, "l" in options) for each in found)
            for each in [each for each in found if "R" in options and each.is_dir()]:
                out += f"\n{path}/{each.name}:\n{self._ls([options, f'{path}/{each.name}']).out}"
        return CommandResult(0, out)

    def _nodes(self, path: str) -> dict[str, Node] | None:
        """Return the nodes of a devfs, or the single node of that path; None if it is neither."""
        folder, _, name = path.rpartition("/")
        if (found := self.host.devices(path)) is not None:
            return found
        node = (self.host.devices(folder) or {}).get(name)
        return None if node is None else {path: node}


def _shown(name: str, node: Node, long: bool) -> str:
    if not long:
        return f"{name}\n"
    # As the masks leave a line.
    return f"{stat.filemode(node.mode)} {name}{f' -> {node.target}' if node.target else ''}\n"


def _listed(real: Path, name: str, long: bool) -> str:
    if not long:
        return f"{name}\n"
    mode = "lrwxr-xr-x" if real.is_symlink() else stat.filemode(real.lstat().st_mode)
    return f"{mode} {name}{f' -> {real.readlink()}' if real.is_symlink() else ''}\n"
