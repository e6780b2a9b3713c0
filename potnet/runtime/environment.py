"""The environment of other programs: the caller's variables must not affect programs of root."""

from __future__ import annotations

import os
import re

from potnet.runtime.search_path import SYSTEM
from potnet.runtime.trust import real_root

#: Variables that decide which code a program runs, or change how it reads and prints.
_HOSTILE = re.compile(
    r"LD_.*|DYLD_.*|MALLOC_.*|GCONV_PATH|LOCPATH|NLSPATH|LC_.*|LANG|LANGUAGE|TZ|TZDIR|HOSTALIASES|RES_OPTIONS"
    r"|LOCALDOMAIN|IFS|ENV|BASH_.*|BASHOPTS|SHELLOPTS|PS4|CDPATH|GLOBIGNORE|PYTHON.*|PERL.*|RUBY.*|LIBXO_.*"
    r"|IFCONFIG_FORMAT|POSIXLY_CORRECT|TAR_.*|GREP_.*|FETCH_.*|TERMCAP|TERMINFO.*|.*[^A-Za-z0-9_].*"
)


def tools_path() -> str:
    """Return the search path for programs: the system's directories, then, except for root, the caller's."""
    own = () if real_root() else os.environ.get("PATH", "").split(":")
    return ":".join(dict.fromkeys((*SYSTEM, *(part for part in own if part.startswith("/")))))


def chosen(*names: str) -> dict[str, str]:
    """Return the existing ones of these variables of the caller, and the search path."""
    return {name: os.environ[name] for name in names if name in os.environ} | {"PATH": tools_path()}


def inherited() -> dict[str, str]:
    """Return all variables of the caller except the hostile ones, and the search path."""
    return chosen(*(name for name in os.environ if not _HOSTILE.fullmatch(name)))
