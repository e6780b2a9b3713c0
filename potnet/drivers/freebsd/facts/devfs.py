"""Check whether a jail's device file system hides the host's devices (devfs(8), devfs.rules(5)).

An empty or missing ruleset hides nothing. The kernel follows nested includes only to vfs.devfs.rule_depth,
which is 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable

#: The default ruleset of mount.devfs (jail(8)).
_DEFAULT = 4
_DEPTH = "vfs.devfs.rule_depth"
#: The depth of includes that is checked if the kernel follows more than one.
_DEEPEST = 2

_HIDE = re.compile(r"^[0-9]+ hide$", re.MULTILINE)
_INCLUDE = re.compile(r"^[0-9]+ include ([0-9]{1,5})$", re.MULTILINE)


def ruleset_of(conf: str) -> int | None:
    """Return the ruleset that a jail.conf(5) text sets for the device file system; None without a mount."""
    if not re.search(r"^\s*mount\.devfs\s*;", conf, re.MULTILINE):
        return None
    found = re.search(r'^\s*devfs_ruleset\s*=\s*"?([0-9]{1,5})"?\s*;', conf, re.MULTILINE)
    return int(found[1]) if found else _DEFAULT


def hides(ruleset: int, show: Callable[[int], str], sysctl: Callable[[str], str | None]) -> bool:
    """Return whether a ruleset, or one that it includes, hides all devices that no rule shows again."""
    if _hides(ruleset, show, 1):
        return True
    depth = (sysctl(_DEPTH) or "").strip()
    return depth.isdecimal() and depth > "1" and _hides(ruleset, show, _DEEPEST)


def _hides(ruleset: int, show: Callable[[int], str], depth: int) -> bool:
    rules = show(ruleset)
    if _HIDE.search(rules):
        return True
    return depth > 0 and any(_hides(int(each), show, depth - 1) for each in _INCLUDE.findall(rules))
