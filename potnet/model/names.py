"""What questions about addresses need of the model, without what it loads: netaddr takes 10 ms."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: The bridges that every host may have; private ones cannot take these names.
PUBLIC = "public"
PUBLIC6 = "public6"

#: The name of an interface: FreeBSD and Linux hold 15 bytes (IFNAMSIZ, with the NUL). Both take nearly any
#: byte; these are safe in rules, in lines for ip-batch(8) and as an argument.
INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}", re.ASCII)
INTERFACE_HINT = "1 to 15 letters, digits, dots, - and _, such as em0"

#: Names that resolvers and programs give a meaning of their own (RFC 6761, 6762, 7686, 5214, hosts(5), WPAD).
_SPECIAL = frozenset({
    "localhost", "localdomain", "local", "broadcasthost", "loopback", "invalid", "onion", "wpad", "isatap",
    "ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters",
    "ip6-allhosts",
})  # fmt: skip
#: inet_aton(3) takes these for addresses.
_NUMBERS = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}")


def is_special(name: str) -> bool:
    """Whether a name of a host means something else than a pot, to programs in other pots."""
    plain = name.lower().rstrip(".")
    first, _, domain = plain.partition(".")
    if plain in _SPECIAL or _NUMBERS.fullmatch(plain) is not None:
        return True
    return f".{plain}".endswith(".localhost") or (domain != "" and first == "localhost")


def same_name(one: str, other: str) -> bool:
    """Whether both are the name of the same pot or bridge: names are compared without case (RFC 4343)."""
    return one.lower() == other.lower()


def matching_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that is exactly this one, or else the only one that differs from it in case alone."""
    found = sorted({each for each in known if same_name(each, name)})
    if name in found:
        return name
    return found[0] if len(found) == 1 else None


def natural(name: str) -> list[tuple[int, str]]:
    """The key that sorts names as people do: web2 before web10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name) if part]
