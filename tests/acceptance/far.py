"""A FreeBSD host behind a prefix such as ``ssh root@host``, or this one: real tools, real packets.

The host needs nothing but its base system. `probe.sh` goes there, and a copy of the file that all names of
/rescue belong to, which the roots of pots are made of.
"""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from pathlib import Path

from . import program
from .freebsd import ANCHORS, FILES, FreeBSD
from .host import HOST, OUTSIDE, PREFIX, REFUSED, TIMEOUT, Answer, UnfitError

PROBE = Path(__file__).with_name("probe.sh")
#: Where the probe is in the root of a pot, and the name of its file everywhere.
IN_ROOT = "/probe/probe"
#: For alias pots that only the host and they themselves reach (RFC 5737, RFC 3849).
DOCUMENTATION = {4: "192.0.2.200", 6: "2001:db8::200"}
#: Files that init changes beside what it keeps a copy of.
KEPT = ".before-potnet"


@dataclass(frozen=True)
class Way:
    """How to get to a host. via, outside: prefixes; empty for this machine and for none.

    prepare: "" refuses a host that lacks anchor calls; "1" and "loopback" prepare it for the run.
    alias: free addresses, for alias pots. spare: an interface that a pot may have.
    """

    via: str = ""
    outside: str = ""
    prepare: str = ""
    alias: tuple[str, ...] = ()
    spare: str = ""


class Far(FreeBSD):
    """See `Host`."""

    def __init__(self, directory: Path, way: Way, title: str = "freebsd") -> None:
        super().__init__(title, directory / "state")
        self.way = way
        via = {"POTNET_VIA": way.via} if way.via else {}
        self.environment = program.environment(self.state, "freebsd", **via)
        #: What is undone at the end, the last first.
        self._undo: list[tuple[tuple[str, ...], str]] = []
        self._outside_home = ""
        try:
            self._arrive()
        except BaseException:
            self.close()
            raise

    def tool(self, *argv: str, stdin: str = "") -> Answer:
        """See `Host`."""
        return _through(self.way.via, argv, stdin)

    def _outside(self, *argv: str, stdin: str = "") -> Answer:
        return _through(self.way.outside, argv, stdin)

    # Before the first scenario, and after the last

    def _arrive(self) -> None:
        system = self.must("uname", "-s").strip()
        if system != "FreeBSD":
            raise UnfitError(f"{self.way.via or 'this machine'} is not FreeBSD but {system}")
        self.look_around()
        self._refuse_used()
        self._prepare()
        self.alias = DOCUMENTATION | {ip_address(text).version: text for text in self.way.alias}
        self.spare = self.way.spare
        self._undo.append((("rm", "-f", "-r", "-x", self.home), ""))
        self.must("mkdir", "-p", self.jails)
        self.must("tee", f"{self.home}/probe", stdin=PROBE.read_text("utf-8"))
        self.must("cp", "/rescue/sh", f"{self.home}/rescue")
        if self.way.outside:
            self._arrive_outside()

    def _refuse_used(self) -> None:
        """Refuse a host where pots run or are known, or where an earlier run of the suite left something."""
        if self.tool("test", "-e", self.home).code == 0:
            raise UnfitError(
                f"{self.home} exists on the host: another run is at work, or one was killed. If nothing of "
                f"{PREFIX}* is there any more, remove the directory"
            )
        via = ("--via", self.way.via) if self.way.via else ()
        here = program.run([str(program.POTNET), "--host", "freebsd", *via, "-q", "list"], None)
        there = self.tool("/usr/local/bin/potnet", "-q", "list")
        for place, answer in (("on this machine", here), ("on the host", there)):
            if answer.code == 0 and answer.out.strip():
                raise UnfitError(f"the store of potnet {place} has pots: {' '.join(answer.out.split())}")
        for group in ("potnet", "potbridge"):
            if found := self.must("ifconfig", "-g", group).split():
                raise UnfitError(f"interfaces of potnet are on the host: {' '.join(found)}")
        used = [name for name in self._anchors() if name.startswith("anchor ")]
        if used:
            raise UnfitError(f"anchors of potnet hold rules: {', '.join(used)}")

    def _prepare(self) -> None:
        """Have the anchors evaluated. What is changed for that is put back at the end."""
        called = self.tool("pfctl", "-s", "rules").out + self.tool("pfctl", "-s", "nat").out
        enabled = "Status: Enabled" in self.tool("pfctl", "-s", "info").out
        missing = [name for name in ANCHORS if f'"{name}' not in called]
        if enabled and not missing:
            return
        lack = f"the rules in force call no anchor of {', '.join(missing)}" if missing else "pf is off"
        if not self.way.prepare:
            raise UnfitError(
                f"{lack}: run `potnet init --apply` on the host, or the suite with PREPARE=1, which does so "
                "and puts pf.conf, rc.conf and sysctls back at the end"
            )
        self._keep(enabled)
        options = ("--loopback",) if self.way.prepare == "loopback" else ()
        done = self.potnet("init", *options, "--apply")
        if done.code != 0:
            raise UnfitError(f"potnet init --apply: {done.err.strip()}")

    def _keep(self, enabled: bool) -> None:
        """Note how to put back what init changes: files, sysctls, and then the rules."""
        rules = self.must("sysrc", "-s", "pf", "-n", "pf_rules").strip()
        for path in dict.fromkeys((rules, *FILES, "/etc/rc.conf.d/pf")):
            there = self.tool("test", "-e", path).code == 0
            if path == rules:
                off = ("-d", "-F rules", "-F nat")
                again = (f"-f {rules}",) if there and enabled else off
                self._undo += [(("pfctl", *words.split()), "") for words in again]
            put = (("tee", path), self.must("cat", path)) if there else (("rm", "-f", path), "")
            self._undo.append(put)
            if self.tool("test", "-e", path + KEPT).code != 0:
                self._undo.append((("rm", "-f", path + KEPT), ""))
        for name, value in self._sysctls().items():
            self._undo.append((("sysctl", f"{name.removeprefix('sysctl ')}={value}"), ""))

    def _arrive_outside(self) -> None:
        made = self._outside("mktemp", "-d", "/tmp/potnet-acceptance.XXXXXX")
        if made.code != 0:
            raise UnfitError(f"{self.way.outside}: {made.err.strip()}")
        self._outside_home = made.out.strip()
        self._outside("tee", f"{self._outside_home}/probe", stdin=PROBE.read_text("utf-8"))
        shown = self._outside("ifconfig")
        if shown.code != 0:
            shown = self._outside("ip", "addr")
        found = {ip_address(text) for text in re.findall(r"inet6? (?:addr:)?([0-9a-f.:]+)", shown.out)}
        self._machine = {}
        for family, network in self._networks().items():
            near = [each for each in found if each in network and str(each) != self.addresses[family]]
            if near:
                self._machine[family] = str(near[0])
        if 4 not in self._machine:
            raise UnfitError(f"{self.way.outside} has no address in the network of {self.external}")

    def _networks(self) -> dict[int, object]:
        """Return the networks of the external interface that hold its first addresses, by family."""
        shown = self.must("ifconfig", "-f", "inet:cidr,inet6:cidr", self.external)
        found = [ip_interface(text) for text in re.findall(r"\tinet6? ([0-9a-f.:]+/\d+)", shown)]
        return {each.version: each.network for each in found if str(each.ip) in self.addresses.values()}

    def close(self) -> None:
        """See `Host`."""
        while self._undo:
            argv, text = self._undo.pop()
            answer = self.tool(*argv, stdin=text)
            if answer.code != 0:
                print(f"acceptance: not put back: {' '.join(argv)}: {answer.err.strip()}", file=sys.stderr)
        if self._outside_home:
            self._outside("rm", "-f", "-r", self._outside_home)

    # Scenarios

    def lacks(self, need: str) -> str:
        """See `Host`."""
        if need == "outside" and not self.way.outside:
            return "no machine outside is named (OUTSIDE=)"
        if need == "outside ipv6" and 6 not in self._machine:
            return "the machine outside has no IPv6 address in the network of the host"
        if need == "route outside":
            return "the machine outside has no route to pots"
        return super().lacks(need)

    def _lacks_alias(self, family: str) -> str:
        given = self.alias[int(family)] != DOCUMENTATION[int(family)]
        return "" if given else f"no free address of IPv{family} is named (ALIAS=)"

    def options(self, pot: str, ports: tuple[int, ...]) -> tuple[str, ...]:
        """See `Host`: the server is the pot's own command, in the place of its /etc/rc."""
        return ("--cmd", f"/bin/sh {IN_ROOT} serve {pot} {' '.join(map(str, ports))}")

    def furnish(self, pot: str, root: str) -> None:
        """See `Host`."""
        self._must_probe("furnish", root)

    def started(self, pot: str, ports: tuple[int, ...]) -> None:
        """See `Host`: the start has run the server."""

    def serve(self, who: str, port: int) -> None:
        """See `Host`."""
        if who == HOST:
            self._must_probe("serve", HOST, str(port))
        else:
            self._outside("sh", f"{self._outside_home}/probe", "serve", OUTSIDE, str(port))

    def _must_probe(self, *words: str) -> None:
        answer = self.tool("sh", f"{self.home}/probe", *words)
        assert answer.code == 0, f"probe {' '.join(words)}: {answer.err}"

    def call(self, source: str, address: str, port: int, protocol: str = "tcp") -> str:
        """See `Host`."""
        words = ("ask", protocol, address, str(port))
        if source == OUTSIDE:
            answer = self._outside("sh", f"{self._outside_home}/probe", *words)
        elif source == HOST:
            answer = self.tool("sh", f"{self.home}/probe", *words)
        else:
            answer = self.inside(source, "/bin/sh", IN_ROOT, *words)
        named = re.search(r"name=(\S+)", answer.out)
        if named:
            return named[1]
        assert answer.code == 0, f"{source}: probe {' '.join(words)}: {answer.err}"
        return REFUSED if "refused" in answer.out else TIMEOUT

    def hold(self, source: str, address: str, port: int) -> None:
        """See `Host`: pf counts what has ended for a while."""
        self.call(source, address, port)

    def machine(self, family: int) -> str:
        """See `Host`."""
        return self._machine[family]

    def lead(self, network: str) -> None:
        """See `Host`: the suite does not change the routes of other machines, and `lacks` says so."""
        raise NotImplementedError(network)

    def tidy(self) -> None:
        """See `Host`."""
        self._must_probe("stop", HOST)
        if self._outside_home:
            self._outside("sh", f"{self._outside_home}/probe", "stop", OUTSIDE)
        self.configure("")


def _through(prefix: str, argv: tuple[str, ...], stdin: str) -> Answer:
    """Run a command line behind a prefix, for whose far end each word is quoted."""
    words = shlex.split(prefix)
    return program.run([*words, *(map(shlex.quote, argv) if words else argv)], None, stdin)
