"""The host that a command applies to, and the place of its store."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from potnet.errors import ConfigError, HostError, PotnetError
from potnet.runtime.fast_dataclass import dataclass
from potnet.runtime.trust import real_root

if TYPE_CHECKING:
    from potnet.config.configuration import Config

#: The kinds of real hosts, and their system names in uname(1).
REAL = {"freebsd": "FreeBSD", "linux": "Linux"}


@dataclass(frozen=True, slots=True)
class Target:
    """The host that a command acts on.

    kind: freebsd, linux or sim. via: the prefix of all commands, if any. rootless: the host is in namespaces
    of the caller. directory: where its store is.
    """

    kind: str
    via: str | None
    rootless: bool
    directory: Path


def find_target(
    config: Config | None, host: str | None, via: str | None, rootless: bool, directory: Path | None
) -> Target:
    """Find the host that a command acts on, from its options and the configuration. Raises ConfigError."""
    kind = host_kind(host, config)
    via = prefix(via, config, kind)
    rootless = is_rootless(rootless, kind, via)
    return Target(kind, via, rootless, directory or state_dir(config, kind, via, rootless))


def host_kind(given: str | None, config: Config | None) -> str:
    """Return freebsd, linux or sim. given: the value from the command line."""
    wanted = given or (config.host if config is not None else "auto")
    if wanted != "auto":
        return wanted
    return "freebsd" if platform.system() == "FreeBSD" else "sim"


def prefix(given: str | None, config: Config | None, kind: str) -> str | None:
    """Return the prefix of all commands, if any. Raises ConfigError if it is empty or --host is sim."""
    via = given if given is not None or config is None else config.via
    if via is not None and not via.strip():
        raise ConfigError("--via is empty", hint='give a prefix such as "ssh root@host", or leave it out')
    if via is not None and kind not in REAL:
        raise ConfigError("--via reaches a real host only", hint="add --host freebsd")
    return via


def require_system(kind: str) -> None:
    """Raises HostError on a machine that cannot run this kind of host."""
    wanted = REAL[kind]
    if platform.system() != wanted:
        raise HostError(
            f"this machine runs {platform.system()}, not {wanted}",
            hint='reach a FreeBSD host with --via "ssh root@host", or try --host sim',
        )


def require_root() -> None:
    """Raises PotnetError unless the user is root."""
    if os.geteuid() != 0:
        raise PotnetError(
            "this changes the host's network, which only root may do", hint="run it as root, or see -n"
        )


def is_rootless(given: bool, kind: str, via: str | None) -> bool:
    """Whether the host is rootless, in namespaces of the user's own; the default unless the user is root.

    Raises ConfigError for an impossible combination.
    """
    if given and (kind != "linux" or via is not None):
        raise ConfigError(
            "--rootless is for a Linux host on this machine", hint="add --host linux, and leave --via out"
        )
    return kind == "linux" and via is None and (given or os.geteuid() != 0)


def state_dir(config: Config | None, kind: str, via: str | None, rootless: bool = False) -> Path:
    """Return the state directory of a host; each host behind a prefix has its own."""
    if config is not None and config.state_dir:
        base = Path(config.state_dir)
    elif platform.system() == "FreeBSD" and kind == "freebsd" and (via is None or os.geteuid() == 0):
        base = Path("/var/db/potnet")
    elif kind == "linux" and via is None and not rootless and real_root():
        base = Path("/var/lib/potnet-linux")
    else:
        home = os.environ.get("XDG_STATE_HOME", "")
        # The XDG Base Directory Specification requires that a relative path be ignored.
        base = (Path(home) if home.startswith("/") else _home() / ".local/state") / "potnet"
        base /= "rootless" if rootless else kind
    if not via:
        return base
    from urllib.parse import quote

    return base / "via" / quote(via, safe="")


def _home() -> Path:
    """Return the home directory of the user; raises ConfigError if there is none."""
    import pwd

    home = os.environ.get("HOME", "")
    why = f"HOME is {home!r}, which is not an absolute path"
    if not home:
        try:
            home = pwd.getpwuid(os.getuid()).pw_dir
        except KeyError:
            why = f"HOME is not set, and user {os.getuid()} is not in the user database"
    if not home.startswith("/"):
        raise ConfigError(
            f"no home directory is known: {why}", hint="name a directory for the store: --state-dir DIR"
        )
    return Path(home)
