"""What questions about addresses need of the model, without what it loads: netaddr takes 10 ms."""

from __future__ import annotations

import re

#: The bridges that every host may have; private ones cannot take these names.
PUBLIC = "public"
PUBLIC6 = "public6"

#: The name of an interface: FreeBSD and Linux hold 15 bytes (IFNAMSIZ, with the NUL). Both take nearly any
#: byte; these are safe in rules, in lines for ip-batch(8) and as an argument.
INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}", re.ASCII)
INTERFACE_HINT = "1 to 15 letters, digits, dots, - and _, such as em0"


def natural(name: str) -> list[tuple[int, str]]:
    """The key that sorts names as people do: web2 before web10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name) if part]
