"""A host that has FreeBSD's tools, wherever they run: what is asked of it, and how it is compared."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from ipaddress import ip_address
from pathlib import Path

from . import program
from .host import Answer, Needs, UnfitError

#: potnet's anchors, and what else of pf is compared.
ANCHORS = ("pot-nat", "pot-rdr", "pot-filter")
#: The settings of the kernel that potnet may change, and some that it must leave alone.
SYSCTLS = (
    "net.inet.ip.forwarding",
    "net.inet6.ip6.forwarding",
    "net.inet6.ip6.accept_rtadv",
    "net.inet6.ip6.rfc6204w3",
    "net.inet6.ip6.no_radr",
    "net.link.bridge.pfil_member",
    "net.link.bridge.pfil_bridge",
    "net.link.bridge.pfil_local_phys",
    "net.link.bridge.member_ifaddrs",
    "net.link.tap.user_open",
    "net.pf.filter_local",
)
FILES = (
    "/etc/pf.conf", "/etc/rc.conf", "/etc/sysctl.conf", "/etc/resolv.conf", "/etc/hosts", "/boot/loader.conf",
)  # fmt: skip
#: Modules that potnet's commands load by themselves, and which bring sysctls along.
MODULES = ("if_bridge", "if_epair")


class FreeBSD(Needs, ABC):
    """The part of `Host` that is the same for each FreeBSD. state: a new directory for potnet's store."""

    kind = "freebsd"
    #: The suite's own directory on the host, and that of the pots in it.
    home = "/var/db/potnet-acceptance"

    def __init__(self, title: str, state: Path) -> None:
        self.title = title
        self.state = state
        self.spare = ""
        self.alias: dict[int, str] = {}
        self.environment: dict[str, str] = {}
        self.configure("")

    @abstractmethod
    def tool(self, *argv: str, stdin: str = "") -> Answer:
        """See `Host`."""

    def must(self, *argv: str, stdin: str = "") -> str:
        """Run a tool that has to succeed, and return what it prints."""
        answer = self.tool(*argv, stdin=stdin)
        if answer.code != 0:
            raise UnfitError(f"{' '.join(argv)}: {answer.err or answer.out}".strip())
        return answer.out

    @property
    def jails(self) -> str:
        return f"{self.home}/jails"

    def configure(self, text: str) -> None:
        """See `Host`."""
        paths = {"jails": self.jails, "cache": f"{self.home}/cache", "logs": f"{self.home}/logs"}
        own = "[paths]\n" + "".join(f'{key} = "{path}"\n' for key, path in paths.items())
        self.state.with_name("potnet.toml").write_text(f"{own}{text}", "utf-8")

    def potnet(self, *argv: str, kill_after: float | None = None) -> Answer:
        """See `Host`."""
        return program.run([str(program.POTNET), *argv], self.environment, kill_after=kill_after)

    def inside(self, pot: str, *argv: str) -> Answer:
        """See `Host`."""
        return self.tool("jexec", pot, *argv)

    def interface(self, name: str, pot: str = "") -> str:
        """See `Host`."""
        answer = self.tool("ifconfig", *(("-j", pot) if pot else ()), name)
        return answer.out if answer.code == 0 else ""

    def look_around(self) -> None:
        """Learn the external interface with its addresses. Raises UnfitError if there is none."""
        for module in MODULES:
            self.must("kldload", "-n", module)
        default = re.search(r"^ *interface: (\S+)", self.tool("route", "-n", "get", "default").out, re.M)
        if default is None:
            raise UnfitError("the host has no default route, so nothing leads outside")
        self.external = default[1]
        shown = self.must("ifconfig", self.external)
        found = [ip_address(text) for text in re.findall(r"^\tinet6? ([0-9a-f.:]+)[ /]", shown, re.M)]
        usable = [address for address in found if not address.is_link_local]
        self.addresses = {each.version: str(each) for each in reversed(usable)}
        self.release = int(self.must("sysctl", "-n", "kern.osreldate")) // 100_000

    def _lacks_release(self, value: str) -> str:
        return "" if self.release >= int(value) else f"this is FreeBSD {self.release}"

    def _lacks_ipv6(self, _: str) -> str:
        return "" if 6 in self.addresses else f"{self.external} has no IPv6 address"

    def _lacks_slaac(self, _: str) -> str:
        shown = self.must("ifconfig", self.external)
        if self.release >= 15 and not self._is_bridge(shown):
            return f"on FreeBSD {self.release} {self.external} joins no bridge while it has addresses"
        heard = "autoconf" in shown
        return "" if heard else f"no router advertises a prefix on {self.external}"

    def _is_bridge(self, shown: str) -> bool:
        return re.search(r"^\tgroups:.* bridge\b", shown, re.M) is not None

    def _lacks_plain(self, _: str) -> str:
        bridge = self._is_bridge(self.must("ifconfig", self.external))
        return f"{self.external} is a bridge, which pots join" if bridge else ""

    def _lacks_loopback(self, _: str) -> str:
        on = self.must("sysctl", "-n", "net.pf.filter_local").strip() == "1"
        return "" if on else "net.pf.filter_local is 0; see init --loopback"

    def _lacks_spare(self, _: str) -> str:
        return "" if self.spare else "no spare interface is named (SPARE=)"

    def snapshot(self) -> dict[str, str]:
        """See `Host`."""
        shown = {
            # One that a pot had comes back as the last of all.
            "interfaces": "".join(sorted(re.split(r"^(?=\S)", self._shown("ifconfig"), flags=re.M))),
            "routes": self._routes("inet"),
            "routes of IPv6": self._routes("inet6"),
            "jails": self._shown("jls", "-n", "name"),
            "pf": self._shown("pfctl", "-s", "info").partition(" for ")[0],
            "rules": self._shown("pfctl", "-s", "rules"),
            "translation": self._shown("pfctl", "-s", "nat"),
            "pipes": self._shown("dnctl", "pipe", "show"),
            "mounts": self._shown("mount", "-p"),
            "devices": self._shown("ls", "/dev"),
            "pots": self._shown("ls", self.jails),
            # Those that the host has, one behind the other.
            "files": self._shown("cat", *FILES),
        }
        return shown | self._anchors() | self._sysctls()

    def _shown(self, *argv: str) -> str:
        answer = self.tool(*argv)
        if answer.code == 64 or "simulated host:" in answer.err:
            raise AssertionError(f"{' '.join(argv)}: {answer.err}")
        return answer.out

    def _routes(self, family: str) -> str:
        """Return destination, gateway, flags and interface; what is behind them runs down."""
        lines = self._shown("netstat", "-rn", "-f", family).splitlines()
        return "\n".join(" ".join(line.split()[:4]) for line in lines)

    def _anchors(self) -> dict[str, str]:
        """Return the rules of potnet's anchors; one that had a table is listed for a while without any."""
        found = {}
        for top in ANCHORS:
            below = self._shown("pfctl", "-a", top, "-s", "Anchors").split()
            for path in (top, *below):
                rules = "".join(self._shown("pfctl", "-a", path, "-s", what) for what in ("nat", "rules"))
                # The calls of the anchors below are no rules of their own.
                if any("anchor " not in line for line in rules.splitlines()):
                    found[f"anchor {path}"] = rules
        return found

    def _sysctls(self) -> dict[str, str]:
        lines = self._shown("sysctl", *SYSCTLS).splitlines()
        return {f"sysctl {name}": value for name, _, value in (line.partition(": ") for line in lines)}
