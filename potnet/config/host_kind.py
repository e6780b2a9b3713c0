"""Which host a command is about, and where the store of that host is."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from potnet.errors import ConfigError, HostError, PotnetError
from potnet.runtime.trust import real_root

if TYPE_CHECKING:
    from potnet.config.configuration import Config

#: The kinds of hosts that are real, and what uname(1) calls their system.
REAL = {"freebsd": "FreeBSD", "linux": "Linux"}


def host_kind(given: str | None, config: Config | None) -> str:
    """freebsd, linux or sim. given: what the command line says."""
    wanted = given or (config.host if config is not None else "auto")
    if wanted != "auto":
        return wanted
    return "freebsd" if platform.system() == "FreeBSD" else "sim"


def prefix(given: str | None, config: Config | None, kind: str) -> str | None:
    """That of all commands, if any. Raises ConfigError for one that would reach what was not meant."""
    via = given if given is not None or config is None else config.via
    if via is not None and not via.strip():
        raise ConfigError("--via is empty", hint='give a prefix such as "ssh root@host", or leave it out')
    if via is not None and kind not in REAL:
        raise ConfigError("--via reaches a real host only", hint="add --host freebsd")
    return via


def require_system(kind: str) -> None:
    """Raises HostError on a machine that no host of this kind can be."""
    wanted = REAL[kind]
    if platform.system() != wanted:
        raise HostError(
            f"this machine runs {platform.system()}, not {wanted}",
            hint='reach a FreeBSD host with --via "ssh root@host", or try --host sim',
        )


def require_root() -> None:
    """Raises PotnetError for anybody else."""
    if os.geteuid() != 0:
        raise PotnetError(
            "this changes the host's network, which only root may do", hint="run it as root, or see -n"
        )


def is_rootless(given: bool, kind: str, via: str | None) -> bool:
    """Whether the host is one in namespaces of the caller's own, as whoever is not root has it.

    Raises ConfigError for one that cannot be.
    """
    if given and (kind != "linux" or via is not None):
        raise ConfigError(
            "--rootless is for a Linux host on this machine", hint="add --host linux, and leave --via out"
        )
    return kind == "linux" and via is None and (given or os.geteuid() != 0)


def state_dir(config: Config | None, kind: str, via: str | None, rootless: bool = False) -> Path:
    """Where the store of a host is: each host behind a prefix has its own."""
    if config is not None and config.state_dir:
        base = Path(config.state_dir)
    elif platform.system() == "FreeBSD" and kind == "freebsd" and (via is None or os.geteuid() == 0):
        base = Path("/var/db/potnet")
    elif kind == "linux" and via is None and not rootless and real_root():
        base = Path("/var/lib/potnet-linux")
    else:
        home = os.environ.get("XDG_STATE_HOME", "")
        # A relative path there is to be ignored (XDG Base Directory Specification).
        base = (Path(home) if home.startswith("/") else _home() / ".local/state") / "potnet"
        base /= "rootless" if rootless else kind
    if not via:
        return base
    from urllib.parse import quote

    return base / "via" / quote(via, safe="")


def _home() -> Path:
    """The home directory of the caller; raises ConfigError for one that has none."""
    home = os.path.expanduser("~")  # noqa: PTH111 - Path.expanduser() raises RuntimeError
    if not home.startswith("/"):
        raise ConfigError(
            "no home directory is known: HOME is not set, and user "
            f"{os.geteuid()} is not in the user database",
            hint="name a directory for the store: --state-dir DIR",
        )
    return Path(home)
