"""A Linux host in namespaces of its own, with real packets: see tests/linux/linux_world.py.

potnet runs in forked copies of the first process of the namespaces, which saves starting Python anew.
"""

from __future__ import annotations

from pathlib import Path

from . import linux_world
from .host import HOST, OUTSIDE, REFUSED, TIMEOUT, Answer, Needs, UnfitError

CONFIG = "/run/config/potnet/potnet.toml"
ROUTER = """interface wire { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;
prefix 2001:db8:7::/64 { AdvOnLink on; AdvAutonomous on; }; };
"""
#: Opens a connection, says so, and keeps it.
HOLD = """\
import socket, sys, time
held = socket.create_connection(sys.argv[1:], 5)
print("ready", flush=True)
time.sleep(999)
"""


#: Sends so many bytes to one caller.
SEND = """\
import socket, sys
server = socket.create_server(("", int(sys.argv[1])))
print("ready", flush=True)
caller = server.accept()[0]
caller.sendall(bytes(int(sys.argv[2])))
"""
#: Receives all that a server sends, and says how much it was and how long it took.
RECEIVE = """\
import socket, sys, time
began, count = time.monotonic(), 0
server = socket.create_connection(sys.argv[1:], 9)
while data := server.recv(65536):
    count += len(data)
print(count, time.monotonic() - began)
"""


class Linux(Needs):
    """See `Host`."""

    kind = "linux"
    external = "eth0"

    def __init__(self, directory: Path) -> None:
        reason = linux_world.obstacle()
        if reason:
            raise UnfitError(f"no Linux host can be made here: {reason}")
        self.title = "linux"
        self.world = linux_world.World()
        self.addresses = {4: linux_world.HOST, 6: "2001:db8:7::20"}
        self.alias = {4: "192.0.2.200", 6: "2001:db8:7::200"}
        self.spare = "em1"
        self.tool("mkdir", "-p", str(Path(CONFIG).parent), "/run/state/jails")
        for line in (
            "link add em1 type veth peer name lan1 netns outside",
            "link set em1 addrgenmode none up",
            "-n outside link set lan1 addrgenmode none up",
        ):
            self.must("ip", *line.split())
        #: Pots that have a namespace of their own, and servers that run.
        self._namespaces: set[str] = set()
        self._started: list[int] = []
        self._advertise()

    def _advertise(self) -> None:
        """Have a router outside, if this machine has the program."""
        if self._lacks_slaac(""):
            return
        self.world.run("tee", "/run/radvd.conf", stdin=ROUTER)
        words = ("tee", "/proc/sys/net/ipv6/conf/all/forwarding")
        self.world.run(*self.world.within(OUTSIDE, *words), stdin="1\n")
        daemon = ("radvd", "-C", "/run/radvd.conf", "-p", "/run/radvd.pid")
        self.must(*self.world.within(OUTSIDE, *daemon))

    def must(self, *argv: str) -> str:
        """Run a tool that has to succeed, and return what it prints."""
        answer = self.tool(*argv)
        if answer.code != 0:
            raise UnfitError(f"{' '.join(argv)}: {answer.err}")
        return answer.out

    def _lacks_release(self, _: str) -> str:
        return "this is not FreeBSD"

    def _lacks_slaac(self, _: str) -> str:
        found = self.tool("sh", "-c", "command -v radvd")
        return "" if found.code == 0 else "radvd is not installed"

    def _lacks_dhcp(self, _: str) -> str:
        found = self.tool("sh", "-c", "command -v udhcpc")
        return "" if found.code == 0 else "udhcpc is not installed"

    def _lacks_vlan(self, _: str) -> str:
        words = "link add link eth0 name eth0.77 type vlan id 77"
        tried = self.tool("ip", *words.split())
        if tried.code == 0:
            self.must("ip", "link", "del", "eth0.77")
        return "" if tried.code == 0 else "the kernel has no VLANs (8021q)"

    def _lacks_tap(self, _: str) -> str:
        tried = self.tool(*["ip", "tuntap", "add", "dev", "tap77", "mode", "tap"])
        if tried.code == 0:
            self.must("ip", "link", "del", "tap77")
        return "" if tried.code == 0 else f"no tap can be made: {tried.err.strip()}"

    def configure(self, text: str) -> None:
        """See `Host`."""
        self.world.run("tee", CONFIG, stdin=text)

    def potnet(self, *argv: str, kill_after: float | None = None) -> Answer:
        """See `Host`."""
        done = self.world.try_potnet(*argv, kill_after=kill_after)
        return Answer(done.code, done.out, done.err)

    def tool(self, *argv: str, stdin: str = "") -> Answer:
        """See `Host`."""
        done = self.world.run(*argv, stdin=stdin)
        return Answer(done.code, done.out, done.err)

    def inside(self, pot: str, *argv: str) -> Answer:
        """See `Host`."""
        return self.tool("ip", "netns", "exec", pot, *argv)

    def interface(self, name: str, pot: str = "") -> str:
        """See `Host`."""
        shown = ("ip", "addr", "show", "dev", name)
        answer = self.inside(pot, *shown) if pot else self.tool(*shown)
        return answer.out if answer.code == 0 else ""

    def options(self, pot: str, ports: tuple[int, ...]) -> tuple[str, ...]:
        """See `Host`: the servers are programs of this machine."""
        return ()

    def furnish(self, pot: str, root: str) -> None:
        """See `Host`."""

    def started(self, pot: str, ports: tuple[int, ...]) -> None:
        """See `Host`."""
        if self.tool("test", "-e", f"/run/netns/{pot}").code == 0:
            self._namespaces.add(pot)
        for port in ports:
            self._serve(self._namespace(pot), pot, port)

    def serve(self, who: str, port: int) -> None:
        """See `Host`."""
        self._serve(None if who == HOST else OUTSIDE, who, port)

    def _serve(self, namespace: str | None, named: str, port: int) -> None:
        self._started.append(self.world.serve(namespace, port, named=named))

    def call(self, source: str, address: str, port: int, protocol: str = "tcp") -> str:
        """See `Host`."""
        namespace = self._namespace(source)
        # Whom it could not find a moment ago it would look for again a second later, which is too late.
        self.world.run(*self.world.within(namespace, "ip", "neigh", "flush", "all"))
        said = self.world.ask(namespace, protocol, address, port)
        return {linux_world.SILENCE: TIMEOUT, "": REFUSED}.get(said, said)

    def _namespace(self, source: str) -> str | None:
        return source if source == OUTSIDE or source in self._namespaces else None

    def hold(self, source: str, address: str, port: int) -> None:
        """See `Host`."""
        self.world.spawn(self._namespace(source), *linux_world.PYTHON, "-c", HOLD, address, str(port))

    def transfer(self, sender: str, receiver: str, address: str, port: int, kbytes: int) -> float:
        """See `Host`."""
        amount = str(kbytes * 1024)
        said = self.world.spawn(self._namespace(sender), *linux_world.PYTHON, "-c", SEND, str(port), amount)
        assert said == "ready"
        words = (*linux_world.PYTHON, "-c", RECEIVE, address, str(port))
        answer = self.tool(*self.world.within(self._namespace(receiver), *words))
        count, seconds = answer.out.split() or ("", "0")
        assert count == amount, answer
        return float(seconds)

    def machine(self, family: int) -> str:
        """See `Host`."""
        return {4: linux_world.OUTSIDE, 6: "2001:db8:7::1"}[family]

    def lead(self, network: str) -> None:
        """See `Host`; IPv4 has that route from the beginning."""
        if ":" in network:
            self.must("ip", "-n", OUTSIDE, "-6", "route", "replace", network, "via", self.addresses[6])

    def snapshot(self) -> dict[str, str]:
        """See `Host`."""
        return self.world.snapshot() | {"mounts": self.tool("cat", "/proc/self/mounts").out}

    def tidy(self) -> None:
        """See `Host`."""
        for pid in self._started:
            self.tool("kill", "-KILL", str(pid))
        self._started.clear()
        self._namespaces.clear()
        self.configure("")

    def close(self) -> None:
        """See `Host`."""
        self.world.__exit__(None, None, None)
