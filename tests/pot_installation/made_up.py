"""A made-up installation of pot in a directory: its configuration, pots and bridges as pot writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple

#: What pot 0.16 writes for every pot, the network aside.
_COMMON = (
    "pot.level=0", "pot.type=single", "pot.base=14.1", "pot.potbase=", "pot.dns=inherit",
    "pot.cmd=sh /etc/rc", 'osrelease="14.1-RELEASE"', "pot.attr.no-rc-script=NO", "pot.attr.persistent=YES",
    "pot.attr.start-at-boot=NO", "pot.attr.prunable=NO", "pot.attr.no-tmpfs=NO", "pot.attr.enforce_statfs=",
    "pot.attr.mount=NO", "pot.attr.fdescfs=NO", "pot.attr.linprocfs=NO", "pot.attr.nullfs=NO",
    "pot.attr.procfs=NO", "pot.attr.tmpfs=NO", "pot.attr.zfs=NO", "pot.attr.raw_sockets=NO",
    "pot.attr.sysvshm=new", "pot.attr.sysvsem=new", "pot.attr.sysvmsg=new", "pot.attr.children=0",
    "pot.attr.mlock=NO", "pot.attr.devfs_ruleset=4", "pot.attr.exec_stop=", "pot.attr.stop_timeout=",
)  # fmt: skip


class Result(NamedTuple):
    """What one command gave."""

    code: int
    out: str
    err: str


Call = Callable[..., Result]


@dataclass(frozen=True)
class MadeUp:
    """prefix: where bin/pot and etc/pot are; root: POT_FS_ROOT."""

    prefix: Path
    root: Path

    @classmethod
    def at(cls, directory: Path, *lines: str, network: str = "10.192.0.0/10") -> MadeUp:
        """An installation without pots. lines: more of its pot.conf."""
        made = cls(directory / "usr", directory / "opt")
        net = ip_network(network)
        etc = made.prefix / "etc" / "pot"
        etc.mkdir(parents=True)
        program = made.prefix / "bin" / "pot"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        (etc / "pot.default.conf").write_text(
            "# the defaults\nPOT_ZFS_ROOT=zroot/pot\nPOT_FS_ROOT=/opt/pot\nPOT_CACHE=/var/cache/pot\n"
            "POT_NETWORK=10.192.0.0/10\nPOT_NETMASK=255.192.0.0\nPOT_GATEWAY=10.192.0.1\nPOT_EXTIF=em0\n"
            "POT_EXTRA_EXTIF=\nPOT_EXTIF_ADDR=\nPOT_NETWORK_STACK=ipv4\nPOT_DNS_NAME=dns\n"
            "POT_DNS_IP=10.192.0.2\nPOT_ISOLATE_VNET_POTS=false\nPOT_EXPORT_PORTS_PF_RULES_HOOK=\n"
            "POT_VPN_EXTIF=\nPOT_VPN_NETWORKS=\n"
        )
        own = [f"POT_FS_ROOT={made.root}"]
        if network != "10.192.0.0/10":
            own += [f"POT_NETWORK={net}", f"POT_NETMASK={net.netmask}", f"POT_GATEWAY={net[1]}"]
        (etc / "pot.conf").write_text("\n".join([*own, *lines, ""]))
        (made.root / "jails").mkdir(parents=True)
        (made.root / "bridges").mkdir()
        return made

    @property
    def path(self) -> str:
        """PATH with its pot in it."""
        return f"{self.prefix}/bin:/usr/bin:/bin"

    def pot(self, name: str, *lines: str) -> Path:
        """A pot; of a key that is common to all pots the given line holds. Returns its configuration."""
        keys = {line.partition("=")[0] for line in lines}
        common = [line for line in _COMMON if line.partition("=")[0] not in keys]
        conf = self.root / "jails" / name / "conf"
        conf.mkdir(parents=True)
        (self.root / "jails" / name / "m" / "etc").mkdir(parents=True)
        hostname = [] if "host.hostname" in keys else [f'host.hostname="{name}.example.org"']
        file = conf / "pot.conf"
        file.write_text("\n".join([*common, *hostname, *lines, ""]))
        return file

    def public(self, name: str, address: str, *lines: str) -> Path:
        return self.pot(name, "network_type=public-bridge", "vnet=true", f"ip={address}", *lines)

    def private(self, name: str, address: str, bridge: str, *lines: str) -> Path:
        return self.pot(
            name, "network_type=private-bridge", "vnet=true", f"ip={address}", f"bridge={bridge}", *lines
        )

    def bridge(self, name: str, network: str, gateway: str | None = None) -> Path:
        file = self.root / "bridges" / name
        gateway = gateway or str(ip_network(network)[1])
        file.write_text(f"net={network}\ngateway={gateway}\nname={name}\n")
        return file

    def contents(self) -> dict[str, bytes]:
        """Every file, to see that nothing was written."""
        files = (path for top in (self.prefix, self.root) for path in top.rglob("*") if path.is_file())
        return {str(path): path.read_bytes() for path in files}


def documented(directory: Path) -> MadeUp:
    """The three pots and the bridge of pot's documentation."""
    made = MadeUp.at(directory)
    made.public("casserole4", "10.192.0.10")
    made.private("casserole", "10.192.0.19", "stove")
    made.pot("kettle", "network_type=alias", "vnet=false", "ip=em0|192.168.178.200 2a00:1234::80")
    made.bridge("stove", "10.192.0.16/29")
    return made
