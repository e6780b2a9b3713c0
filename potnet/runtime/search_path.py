"""The search path for programs of any caller: rc(8), cron(8) and env(1) set a short PATH or none."""

from __future__ import annotations

import os

#: The directories of the system's and the administrator's programs.
SYSTEM = ("/sbin", "/bin", "/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin")


def installation_path() -> tuple[str, ...]:
    """Return the search path for pot: the system's directories first, so that all callers find the same
    pot."""
    own = (part for part in os.environ.get("PATH", "").split(os.pathsep) if part.startswith("/"))
    return tuple(dict.fromkeys((*SYSTEM, *own)))
