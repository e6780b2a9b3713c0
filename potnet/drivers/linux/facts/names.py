"""Names on a Linux host, and the complaints of its tools about them."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from potnet.model.names import INTERFACE
from potnet.model.pots import GROUP

#: Link groups are numbers on Linux (ip-link(8)): "pot" and its successors in ASCII.
LINK_GROUP = 0x706F74
BRIDGE_LINK_GROUP = 0x706F75
#: The group for links that are about to be removed together.
LEAVING_LINK_GROUP = 0x706F76

#: The table for packets at members of bridges; it exists if they are filtered.
MEMBERS = f"bridge {GROUP}"

NAMESPACES = "/run/netns"
#: ip-netns(8) mounts the files of a namespace's directory over those in /etc.
OWN_ETC = "/etc/netns"
OWN_NAMESPACE = "/proc/self/ns/net"

#: The size of a link's alias in bytes (IFALIASZ in linux/if.h, with the NUL).
LONGEST_ALIAS = 255
_ROOT = f"{GROUP}-root:"


def setting6(interface: str, name: str) -> str:
    """Return the path of an IPv6 setting of one interface (ip-sysctl)."""
    return f"/proc/sys/net/ipv6/conf/{interface}/{name}"


def entering(namespace: str) -> tuple[str, ...]:
    """Return the first words of a command that works on the network of a namespace.

    ip -n copies all mounts, and each pot has one: with 400 pots it takes 5 ms, and nsenter takes 3 ms.
    """
    return "nsenter", f"--net={NAMESPACES}/{namespace}"


def root_mark(root: str) -> str:
    """Return the alias of a pot's epair end, which names the root of its namespace."""
    return _ROOT + quote(root, safe="/")


def marked_root(alias: str) -> str | None:
    """Return the root of a `root_mark`; None for any other text."""
    return unquote(alias.removeprefix(_ROOT)) if alias.startswith(_ROOT) else None


def bridge_mac(bridge: str, description: str) -> str:
    """Return a locally administered address (IEEE 802), which is constant for a bridge.

    By default a bridge takes the lowest address of its members, which changes as members come and go.
    """
    import hashlib  # only a new bridge needs it; OpenSSL takes 9 ms to load

    digest = hashlib.sha256(f"{bridge} {description}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))


def shaper(unit: int) -> str:
    """Return the interface that limits what a pot sends; unit: of its first epair."""
    return f"shaper{unit}"


def uplink(bridge: str) -> tuple[str, str]:
    """Return the names of the wire between a bridge and an external interface: the bridge's end, the other
    end."""
    number = bridge.removeprefix("bridge")
    return f"uplink{number}a", f"uplink{number}b"


def uplinked(name: str) -> str | None:
    """Return the bridge whose wire end has this name; None for any other name."""
    match = re.fullmatch("uplink([0-9]+)a", name)
    return f"bridge{match[1]}" if match else None


def is_wire(name: str) -> bool:
    """Return whether this is the name of a wire's end, which comes and goes with its bridge."""
    return re.fullmatch("uplink[0-9]+[ab]", name) is not None


def uplink_mark(external: str, promiscuous: bool) -> str:
    """Return the alias of a wire's end: its external interface, and whether potnet made that promiscuous."""
    return f"{GROUP}-uplink:{external}{' promisc' if promiscuous else ''}"


def marked_uplink(alias: str) -> tuple[str, bool] | None:
    """Return the interface of an `uplink_mark`, and whether it is reset later; None for any other text."""
    head, _, text = alias.partition(f"{GROUP}-uplink:")
    if head or not text:
        return None
    external, _, word = text.partition(" ")
    return (external, word == "promisc") if INTERFACE.fullmatch(external) else None


def uplink_table(bridge: str) -> str:
    """Return the nftables table (family netdev) that carries IPv6 over a wire."""
    return f"{GROUP}-{bridge}"


_OF_EXPORT = re.compile(r"\.(?:tcp|udp)[0-9]+(?:\.[0-9a-f]+)?(?:\.[0-9]+)?$")


def without_export(chain: str) -> str:
    """Return the anchor of a chain: the chain of one export has the anchor's name and a port."""
    return _OF_EXPORT.sub("", chain)
