"""A FreeBSD host behind a prefix such as ``ssh root@host``, or this one: real tools, real packets.

The host needs nothing but its base system. `probe.sh` goes there, and a copy of the file that all names of
/rescue belong to, which the roots of pots are made of.
"""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass
from ipaddress import ip_address, ip_interface
from pathlib import Path

from potnet.executors.remote import quoted

from . import program
from .freebsd import ANCHORS, FILES, FreeBSD
from .host import HOST, OUTSIDE, PORT, REFUSED, TIMEOUT, Answer, UnfitError
from .journal import Journal
from .user import User, eventually

PROBE = Path(__file__).with_name("probe.sh")
#: Where the probe is in the root of a pot, and the name of its file everywhere.
IN_ROOT = "/probe/probe"
#: For alias pots that only the host and they themselves reach (RFC 5737, RFC 3849).
DOCUMENTATION = {4: "192.0.2.200", 6: "2001:db8::200"}
#: How dd(1) of FreeBSD and that of Linux say how many bytes there were, and in how many seconds.
TRANSFERRED = re.compile(r"^(\d+) bytes (?:transferred in|.* copied,) ([0-9.]+) s(?:ecs)?\b", re.M)
#: Files that init changes beside what it keeps a copy of.
KEPT = ".before-potnet"


@dataclass(frozen=True)
class Way:
    """How to get to a host. via, outside: prefixes; empty for this machine and for none.

    prepare: "" refuses a host that lacks anchor calls; "1" and "loopback" prepare it for the run.
    alias: free addresses, for alias pots. spare: an interface that a pot may have. clean: first remove what
    a run that was killed left on the host.
    """

    via: str = ""
    outside: str = ""
    prepare: str = ""
    alias: tuple[str, ...] = ()
    spare: str = ""
    clean: bool = False


class Far(FreeBSD):
    """See `Host`."""

    def __init__(self, directory: Path, way: Way, title: str = "freebsd") -> None:
        super().__init__(title, directory / "state")
        self.way = way
        self._journal = Journal(self.tool, f"{self.home}/run", str(self.state))
        self._use(self.state)
        try:
            self._arrive()
        except BaseException:
            self.close()
            raise

    def _use(self, state: Path) -> None:
        """Have potnet use a store."""
        self.state = state
        via = {"POTNET_VIA": self.way.via} if self.way.via else {}
        self.environment = program.environment(state, "freebsd", **via)
        self.configure("")

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
        self._journal.steps.append(("rm", "-f", "-r", "-x", self.home))
        self.must("mkdir", "-p", self.jails, self._kept)
        self._journal.save()
        self._prepare()
        self.alias = DOCUMENTATION | {ip_address(text).version: text for text in self.way.alias}
        self.spare = self.way.spare
        self.must("tee", f"{self.home}/probe", stdin=PROBE.read_text("utf-8"))
        self.must("cp", "/rescue/sh", f"{self.home}/rescue")
        self._try_probe(HOST, "127.0.0.1")
        if self.way.outside:
            self._arrive_outside()

    @property
    def _kept(self) -> str:
        """Copies of the files that init changes."""
        return f"{self.home}/kept"

    def _try_probe(self, who: str, address: str) -> None:
        """Find out whether a machine's tools do what the suite requires, before anything depends on them."""
        self.serve(who, PORT)
        for protocol in ("tcp", "udp"):
            found = self.call(who, address, PORT, protocol)
            if found != who:
                raise UnfitError(f"a server of nc(1) does not answer on {who} by {protocol}: {found}")
        self.tidy()

    def _refuse_used(self) -> None:
        """Refuse a host where pots run or are known, or where an earlier run of the suite left something."""
        if self.tool("test", "-e", self.home).code == 0:
            if not self.way.clean:
                raise UnfitError(
                    f"{self.home} exists on the host: another run is at work, or one was killed. In the "
                    "second case run the suite with CLEAN=1, which first removes what is left of it"
                )
            self._take_back()
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

    def _take_back(self) -> None:
        """Remove what is left of a run that was killed: its store on this machine knows its pots."""
        left = Journal(self.tool, self._journal.path)
        left.load()
        own, state = self.state, Path(left.state)
        if not state.parent.is_dir():
            raise UnfitError(
                f"{state}, the store of the run that was killed, is not on this machine: run CLEAN=1 where "
                f"that run was. If the store is lost, restart the host and remove {self.home} there"
            )
        self._use(state)
        self.must("tee", f"{self.home}/probe", stdin=PROBE.read_text("utf-8"))
        there = left.outside and self.way.outside
        if there and self._outside("test", "-e", f"{left.outside}/probe").code == 0:
            self._journal.outside = left.outside
        wrong = User(self).clean()
        if wrong:
            raise UnfitError("\n".join(["something is left of the run that was killed:", *wrong]))
        left.undo()
        self._leave_outside()
        shutil.rmtree(state.parent)
        self._use(own)

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
        steps = self._journal.steps
        for number, path in enumerate(dict.fromkeys((rules, *FILES, "/etc/rc.conf.d/pf"))):
            there = self.tool("test", "-e", path).code == 0
            if path == rules:
                off = ("-d", "-F rules", "-F nat")
                again = (f"-f {rules}",) if there and enabled else off
                steps += [("pfctl", *words.split()) for words in again]
            if there:
                self.must("cp", "-p", path, f"{self._kept}/{number}")
            steps.append(("cp", "-p", f"{self._kept}/{number}", path) if there else ("rm", "-f", path))
            if self.tool("test", "-e", path + KEPT).code != 0:
                steps.append(("rm", "-f", path + KEPT))
        for name, value in self._sysctls().items():
            steps.append(("sysctl", f"{name.removeprefix('sysctl ')}={value}"))
        self._journal.save()

    def _arrive_outside(self) -> None:
        made = self._outside("mktemp", "-d", "/tmp/potnet-acceptance.XXXXXX")
        if made.code != 0:
            raise UnfitError(f"{self.way.outside}: {made.err.strip()}")
        self._journal.outside = made.out.strip()
        self._journal.save()
        text = PROBE.read_text("utf-8")
        answer = self._outside("tee", f"{self._journal.outside}/probe", stdin=text)
        if answer.code != 0:
            raise UnfitError(f"{self.way.outside}: {answer.err.strip()}")
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
        self._try_probe(OUTSIDE, self._machine[4])

    def _networks(self) -> dict[int, object]:
        """Return the networks of the external interface that hold its first addresses, by family."""
        shown = self.must("ifconfig", "-f", "inet:cidr,inet6:cidr", self.external)
        found = [ip_interface(text) for text in re.findall(r"\tinet6? ([0-9a-f.:]+/\d+)", shown)]
        return {each.version: each.network for each in found if str(each.ip) in self.addresses.values()}

    def close(self) -> None:
        """See `Host`."""
        self._leave_outside()
        self._journal.undo()

    def _leave_outside(self) -> None:
        if self._journal.outside and self.way.outside:
            self._outside("sh", f"{self._journal.outside}/probe", "stop", OUTSIDE)
            self._outside("rm", "-f", "-r", self._journal.outside)
        self._journal.outside = ""

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
        self._must_probe("serve", who, str(port), at=who)

    def transfer(self, sender: str, receiver: str, address: str, port: int, kbytes: int) -> float:
        """See `Host`: dd(1) measures where the receiver is."""
        self._must_probe("bulk", sender, str(port), str(kbytes), at=sender)
        said = ""

        def received() -> bool:
            nonlocal said
            said = self._probe(receiver, "fetch", address, str(port)).out
            return not said.startswith("0+0 records in")

        eventually(received)
        found = TRANSFERRED.search(said)
        assert found and int(found[1]) == kbytes * 1024, f"{receiver}: probe fetch {address} {port}: {said}"
        return float(found[2])

    def _probe(self, at: str, *words: str) -> Answer:
        """Run the probe of a pot, of the host or of the machine outside."""
        if at == OUTSIDE:
            return self._outside("sh", f"{self._journal.outside}/probe", *words)
        if at == HOST:
            return self.tool("sh", f"{self.home}/probe", *words)
        return self.inside(at, "/bin/sh", IN_ROOT, *words)

    def _must_probe(self, *words: str, at: str = HOST) -> None:
        answer = self._probe(at, *words)
        assert answer.code == 0, f"{at}: probe {' '.join(words)}: {answer.err}"

    def call(self, source: str, address: str, port: int, protocol: str = "tcp") -> str:
        """See `Host`."""
        words = ("ask", protocol, address, str(port))
        answer = self._probe(source, *words)
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
        if self._journal.outside:
            self._must_probe("stop", OUTSIDE, at=OUTSIDE)
        self.configure("")


def _through(prefix: str, argv: tuple[str, ...], stdin: str) -> Answer:
    """Run a command line behind a prefix, for whose far end each word is quoted."""
    words = shlex.split(prefix)
    return program.run([*words, *(map(quoted, argv) if words else argv)], None, stdin)
