"""Names of pots, bridges and interfaces; this module does not load netaddr, which takes 10 ms."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: The bridges that every host may have; private bridges cannot have these names.
PUBLIC = "public"
PUBLIC6 = "public6"

#: The pattern of interface names: FreeBSD and Linux accept 15 bytes (IFNAMSIZ, with the NUL). Both accept
#: nearly any byte; these are safe in rules, in lines for ip-batch(8) and as an argument.
INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}", re.ASCII)
INTERFACE_HINT = "1 to 15 letters, digits, dots, - and _, such as em0"

#: Names with a special meaning for resolvers and programs (RFC 6761, 6762, 7686, 5214, hosts(5), WPAD).
_SPECIAL = frozenset({
    "localhost", "localdomain", "local", "broadcasthost", "loopback", "invalid", "onion", "wpad", "isatap",
    "ip6-localhost", "ip6-loopback", "ip6-localnet", "ip6-mcastprefix", "ip6-allnodes", "ip6-allrouters",
    "ip6-allhosts", "localhost4", "localhost6", "localdomain4", "localdomain6", "ipv6-localhost",
    "ipv6-loopback", "ipv6-localnet", "ipv6-mcastprefix", "ipv6-allnodes", "ipv6-allrouters", "ipv6-allhosts",
})  # fmt: skip
#: inet_aton(3) reads these as addresses.
_NUMBERS = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}")


def is_special(name: str) -> bool:
    """Whether programs in other pots would give a host name another meaning than the pot."""
    plain = name.lower().rstrip(".")
    first, _, domain = plain.partition(".")
    if plain in _SPECIAL or _NUMBERS.fullmatch(plain) is not None:
        return True
    return f".{plain}".endswith(".localhost") or (domain != "" and first == "localhost")


def same_name(one: str, other: str) -> bool:
    """Whether both names mean the same pot or bridge; names are compared without case (RFC 4343)."""
    return one.lower() == other.lower()


def matching_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that equals this one, or the only one that differs just in case."""
    found = sorted({each for each in known if same_name(each, name)})
    if name in found:
        return name
    return found[0] if len(found) == 1 else None


def natural(name: str) -> list[tuple[int, str]]:
    """Sort key for names with numbers: web2 before web10."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", name) if part]
