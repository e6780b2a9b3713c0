"""An installation of pot whose files hold anything: its configuration, its pots, its bridges."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox import NASTY, Sandbox

CONFIGURATION = """\
POT_ZFS_ROOT=zroot/pot
POT_FS_ROOT={root}
POT_NETWORK=10.192.0.0/10
POT_NETMASK=255.192.0.0
POT_GATEWAY=10.192.0.1
POT_EXTIF=em0
POT_NETWORK_STACK=ipv4
POT_DNS_NAME=dns
POT_DNS_IP=10.192.0.2
POT_ISOLATE_VNET_POTS=false
POT_VPN_EXTIF=tun0
POT_VPN_NETWORKS=172.16.0.0/12
"""
POT = """\
pot.level=0
pot.type=single
pot.base=14.1
pot.dns=inherit
pot.cmd=sh /etc/rc
host.hostname="wok.example.org"
network_type=public-bridge
vnet=true
ip=10.192.0.7
pot.export.ports=80:30080
"""
BRIDGE = "name=stove\nnet=10.192.0.8/29\ngateway=10.192.0.9\n"

LINES = (
    "next", "next -b stove", "validate -H 10.192.0.7", "new-net -s 4", "config-check", "show", "config",
    "show -b stove", "etc-hosts", "ipcheck -H 10.192.0.7", "create -p casserole -N public-bridge",
    "-n start casserole", "import pot --all",
)  # fmt: skip


def spoilt(text: str, chance: random.Random) -> bytes:
    """A file of pot with something wrong with it."""
    lines = text.splitlines()
    place = chance.randrange(len(lines))
    key = lines[place].partition("=")[0]
    nasty = chance.choice(NASTY)
    match chance.randrange(6):
        case 0:
            lines[place] = f"{key}={nasty}"
        case 1:
            lines[place] = f'{key}="{nasty}"'
        case 2:
            lines.insert(place, nasty)
        case 3:
            del lines[place]
        case 4:
            lines.append(f"{key}={lines[chance.randrange(len(lines))].partition('=')[2]}")
        case _:
            return chance.randbytes(chance.randrange(200))
    return "\n".join(lines).encode("utf-8", "surrogateescape" if "\udc80" in nasty else "replace")


def installed(directory: Path, chance: random.Random) -> Path:
    """An installation, one of whose files is spoilt; or is no file."""
    prefix, root = directory / "usr", directory / "opt"
    files = {
        prefix / "etc/pot/pot.conf": CONFIGURATION.format(root=root),
        root / "jails/wok/conf/pot.conf": POT,
        root / "bridges/stove": BRIDGE,
    }
    victim = chance.choice(sorted(files))
    for path, text in files.items():
        path.parent.mkdir(parents=True)
        path.write_bytes(spoilt(text, chance) if path == victim else text.encode())
    if chance.random() < 0.2:
        victim.unlink()
        match chance.randrange(4):
            case 0:
                os.mkfifo(victim)
            case 1:
                victim.symlink_to("/dev/zero")
            case 2:
                victim.mkdir()
            case _:
                victim.symlink_to(victim.name)
    return prefix


@pytest.mark.parametrize("rounds", [10, pytest.param(400, marks=pytest.mark.slow)])
def test_whatever_pot_left_is_read_or_refused(rounds: int, figure: Callable[..., None]) -> None:
    chance = random.Random(rounds)
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as directory:
            sandbox = Sandbox(Path(directory))
            prefix = installed(sandbox.directory, chance)
            (sandbox.directory / "potnet.toml").write_text(f'[pot]\nprefix = "{prefix}"\n')
            for config in (sandbox.directory / "potnet.toml", prefix / "etc/pot/pot.conf"):
                for line in chance.sample(LINES, 4):
                    options = ("--host", "sim", "--state-dir", str(sandbox.state), "--config", str(config))
                    sandbox.potnet(*options, *line.split(), silent=True)
                    figure("hostile files of pot", commands_tried=1, failures=0)
