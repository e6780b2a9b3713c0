"""Whether a jail's device file system hides the devices of the host (devfs(8), devfs.rules(5)).

A ruleset that is empty or does not exist hides nothing. Sets that an included set includes are followed no
deeper than vfs.devfs.rule_depth, which is 1.
"""

from __future__ import annotations

import re
from collections.abc import Callable

#: That of a mount.devfs without another one (jail(8)).
_DEFAULT = 4
_DEPTH = "vfs.devfs.rule_depth"
#: Sets below sets that are looked at where the kernel follows more than one.
_DEEPEST = 2

_HIDE = re.compile(r"^[0-9]+ hide$", re.MULTILINE)
_INCLUDE = re.compile(r"^[0-9]+ include ([0-9]{1,5})$", re.MULTILINE)


def ruleset_of(conf: str) -> int | None:
    """The ruleset that a jail.conf(5) gives its device file system; None if it mounts none."""
    if not re.search(r"^\s*mount\.devfs\s*;", conf, re.MULTILINE):
        return None
    found = re.search(r'^\s*devfs_ruleset\s*=\s*"?([0-9]{1,5})"?\s*;', conf, re.MULTILINE)
    return int(found[1]) if found else _DEFAULT


def hides(ruleset: int, show: Callable[[int], str], sysctl: Callable[[str], str | None]) -> bool:
    """Whether a ruleset, or one that it includes, hides everything that others do not show again."""
    if _hides(ruleset, show, 1):
        return True
    depth = (sysctl(_DEPTH) or "").strip()
    return depth.isdecimal() and depth > "1" and _hides(ruleset, show, _DEEPEST)


def _hides(ruleset: int, show: Callable[[int], str], depth: int) -> bool:
    rules = show(ruleset)
    if _HIDE.search(rules):
        return True
    return depth > 0 and any(_hides(int(each), show, depth - 1) for each in _INCLUDE.findall(rules))
