"""lxc-user-nic(1): a veth pair to a bridge of the machine, as root has allowed (lxc-usernet(5))."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

from potnet.errors import HostError
from potnet.rootless.ports.forwarding import Forwarded
from potnet.rootless.uplinks.inside import flags, run_inside
from potnet.rootless.uplinks.options import Options
from potnet.rootless.uplinks.uplink import Facts, Target, refuse
from potnet.rootless.uplinks.versions import version_of

_INTERFACE = "eth0"
_PLACES = (
    "/usr/libexec/lxc",
    "/usr/lib/lxc",
    "/usr/lib/x86_64-linux-gnu/lxc",
    "/usr/lib/aarch64-linux-gnu/lxc",
)
_QUOTA = "/etc/lxc/lxc-usernet"
_PROBE = str(Path(__file__).parents[1] / "arp.py")
#: The number of tries before a network counts as full.
_ATTEMPTS = 50


class LxcUserNic(Forwarded):
    """See `potnet.rootless.uplinks.uplink.Uplink`."""

    name = "lxc-user-nic"
    package = "liblxc-common"
    needs_tun = False
    largest_mtu: int | None = None
    inward: tuple[int, ...] = (4,)
    version_words: tuple[str, ...] = ("lxc-info", "--version")
    lacks: Mapping[str, str] = {
        "mtu": "has that of its bridge",
        "cidr": "has an address of its bridge's network",
        "ipv6": "has it where a router on its bridge gives it",
        "host_loopback": "has no such way",
        "outbound": "leaves it to the machine's rules for its bridge",
        "outbound6": "leaves it to the machine's rules for its bridge",
        "sandbox": "has no process that goes on",
        "seccomp": "has no process that goes on",
    }

    def __init__(self, options: Options, directory: Path) -> None:
        super().__init__()
        refuse(self, options)
        self._options = options
        self._directory = directory
        self._gateway = _bridge_address(options.bridge)
        self._address: IPv4Address | None = None

    @classmethod
    def missing(cls, options: Options) -> str | None:
        """See `Uplink`."""
        if _program() is None:
            return f"lxc-user-nic is not installed: `apt-get install {cls.package}`"
        if _bridge_address(options.bridge) is None:
            return f"bridge {options.bridge} has no address: `systemctl start lxc-net` creates lxcbr0"
        if not _allowed(options.bridge):
            name = _user()
            return f"{name} is not allowed an interface on {options.bridge}: as root, `echo {name} veth {options.bridge} 10 >> {_QUOTA}`"  # noqa: E501
        return None

    @property
    def nameserver(self) -> str | None:
        """See `Uplink`: the bridge's address answers, as dnsmasq(8) does for LXC."""
        return str(self._gateway.ip) if self._options.dns and self._gateway is not None else None

    def commands(self, target: str) -> tuple[tuple[str, ...], ...]:
        """See `Uplink`."""
        return ((_program() or "lxc-user-nic", *self._create(target)),)

    def _create(self, target: str) -> tuple[str, ...]:
        # lxc-user-nic uses neither the path nor the name of the container.
        return "create", "/", "potnet", target, "veth", self._options.bridge, _INTERFACE

    def start(self, target: Target) -> None:
        """See `Uplink`. The interface stays unchanged if only the forwarder has ended."""
        if flags(target, _INTERFACE) is None:
            self._make(target)
            self._address = None
        if self._address is None:
            self._configure(target)
        self._forward_to(str(self._address))

    def _make(self, target: Target) -> None:
        argv = (_program() or "lxc-user-nic", *self._create(str(target.pid)))
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).split("\n")[-1]
            raise HostError(
                f"lxc-user-nic: {said or 'no reason given'}", hint=f"see {_QUOTA}, and lxc-usernet(5)"
            )

    def _configure(self, target: Target) -> None:
        """Give the interface an address that is free on the bridge."""
        assert self._gateway is not None
        given = (f"address {self._options.mac}",) if self._options.mac is not None else ()
        lines = [f"link set dev {_INTERFACE} {words}" for words in (*given, "up")]
        run_inside(target, "ip", "-batch", "-", stdin="\n".join(lines))
        found = run_inside(target, sys.executable, "-I", "-S", _PROBE, _INTERFACE, *self._candidates())
        address, prefix = IPv4Address(found.strip()), self._gateway.network.prefixlen
        lines = [
            f"addr replace {address}/{prefix} dev {_INTERFACE}",
            f"route replace default via {self._gateway.ip}",
        ]
        run_inside(target, "ip", "-batch", "-", stdin="\n".join(lines))
        self._address = address

    def _candidates(self) -> list[str]:
        """Return addresses to try; different users mostly start at different addresses."""
        assert self._gateway is not None
        network = self._gateway.network
        usable = network.num_addresses - 2
        first = os.getuid() * _ATTEMPTS % usable
        numbers = ((first + each) % usable + 1 for each in range(min(_ATTEMPTS, usable)))
        return [str(network[number]) for number in numbers if network[number] != self._gateway.ip]

    def stop(self) -> None:
        """See `Uplink`. The interface goes with its namespace."""
        self._forward_no_more()

    def ended(self) -> int | None:
        """See `Uplink`."""
        return self._forwarding.pidfd if self._forwarding is not None else None

    def facts(self) -> Facts:
        """See `Uplink`."""
        return Facts(
            self.name,
            _program(),
            version_of(self.version_words),
            _INTERFACE,
            str(self._address) if self._address is not None else None,
            None,
            pid=self._forwarding.pid if self._forwarding is not None else None,
        )


def _program() -> str | None:
    return shutil.which("lxc-user-nic", path=":".join(_PLACES))


def _bridge_address(bridge: str) -> IPv4Interface | None:
    """Return the machine's address on a bridge, which is the gateway of the bridge."""
    with suppress(OSError, ValueError, subprocess.CalledProcessError):
        done = subprocess.run(
            ["ip", "-j", "-4", "addr", "show", "dev", bridge], capture_output=True, text=True, check=True
        )
        for link in json.loads(done.stdout):
            for each in link.get("addr_info", ()):
                return IPv4Interface(f"{each['local']}/{each['prefixlen']}")
    return None


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def _allowed(bridge: str) -> bool:
    """Return whether root allows this user, or a group, interfaces on a bridge (lxc-usernet(5))."""
    with suppress(OSError, ValueError):
        for line in Path(_QUOTA).read_text("utf-8").splitlines():
            words = line.split()
            if words[1:3] == ["veth", bridge] and (words[0] == _user() or words[0].startswith("@")):
                return True
    return False
