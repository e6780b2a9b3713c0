"""The configuration file in force, found without reading it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def system_paths(
    platform: str = sys.platform, environment: Mapping[str, str] = os.environ
) -> tuple[Path, ...]:
    """Return the default paths of the file; the first existing file is used."""
    if platform.startswith("freebsd"):
        return (Path("/usr/local/etc/potnet.toml"),)
    # The XDG Base Directory Specification requires that a relative path be ignored.
    folders = [Path(environment.get("XDG_CONFIG_HOME", "")), Path(environment.get("HOME", ""), ".config")]
    own = next((folder for folder in folders if folder.is_absolute()), None)
    system = Path("/etc/potnet.toml")
    return (own / "potnet" / "potnet.toml", system) if own else (system,)


def in_force(named: Path | None) -> Path | None:
    """Return the file named on the command line, else the system's; None if neither exists."""
    if named is not None:
        return named
    return next((path for path in system_paths() if os.path.lexists(path)), None)


def to_write() -> Path:
    """Return the file in which a key can be set: the file in force, else the system's."""
    return in_force(None) or system_paths()[-1]
