"""What questions about addresses need of the model, without what it loads: netaddr takes 10 ms."""

from __future__ import annotations

import re

#: The bridges that every host may have; private ones cannot take these names.
PUBLIC = "public"
PUBLIC6 = "public6"


def natural(name: str) -> list[tuple[int, str]]:
    """The key that sorts names as people do: web2 before web10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name) if part]
