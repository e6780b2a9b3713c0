"""What things are called on a Linux host, and the words that its tools say of them."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from potnet.model.names import INTERFACE
from potnet.model.pots import GROUP

#: Link groups are numbers here (ip-link(8)): "pot" and the next ones in ASCII.
LINK_GROUP = 0x706F74
BRIDGE_LINK_GROUP = 0x706F75
#: For links about to be removed, all at once.
LEAVING_LINK_GROUP = 0x706F76

#: The table of what comes in at members of bridges; with it there is a filter for that.
MEMBERS = f"bridge {GROUP}"

NAMESPACES = "/run/netns"
#: ip-netns(8) puts the files of a namespace's folder in the place of those in /etc.
OWN_ETC = "/etc/netns"
OWN_NAMESPACE = "/proc/self/ns/net"

#: A link carries this many bytes of text beside its name (IFALIASZ in linux/if.h, with the NUL).
LONGEST_ALIAS = 255
_ROOT = f"{GROUP}-root:"


def setting6(interface: str, name: str) -> str:
    """A setting of IPv6 on one interface (ip-sysctl)."""
    return f"/proc/sys/net/ipv6/conf/{interface}/{name}"


def entering(namespace: str) -> tuple[str, ...]:
    """What a command begins with that works on the network of a namespace.

    ip(8) with -n copies all mounts for that, of which there is one for each pot: with 400, 5 ms and not 3.
    """
    return "nsenter", f"--net={NAMESPACES}/{namespace}"


def root_mark(root: str) -> str:
    """The text on a pot's end of an epair that says which root the namespace belongs to."""
    return _ROOT + quote(root, safe="/")


def marked_root(alias: str) -> str | None:
    """The root of `root_mark`; None for any other text."""
    return unquote(alias.removeprefix(_ROOT)) if alias.startswith(_ROOT) else None


def bridge_mac(bridge: str, description: str) -> str:
    """A locally administered address (IEEE 802), always the same for the same bridge.

    Left alone, a bridge takes the lowest of its members' and changes as they come and go.
    """
    import hashlib  # only a new bridge needs it; OpenSSL takes 9 ms to load

    digest = hashlib.sha256(f"{bridge} {description}".encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))


def shaper(unit: int) -> str:
    """The interface by which goes what a pot sends, when that is limited; unit: of its first epair."""
    return f"shaper{unit}"


def uplink(bridge: str) -> tuple[str, str]:
    """The wire between a bridge and an external interface: the bridge's end, the other end."""
    number = bridge.removeprefix("bridge")
    return f"uplink{number}a", f"uplink{number}b"


def uplinked(name: str) -> str | None:
    """The bridge whose end of such a wire has this name; None for any other name."""
    match = re.fullmatch("uplink([0-9]+)a", name)
    return f"bridge{match[1]}" if match else None


def is_wire(name: str) -> bool:
    """Whether an end of such a wire has this name: it comes and goes with its bridge."""
    return re.fullmatch("uplink[0-9]+[ab]", name) is not None


def uplink_mark(external: str, promiscuous: bool) -> str:
    """The text on a wire's end that says where it leads, and whether potnet made that promiscuous."""
    return f"{GROUP}-uplink:{external}{' promisc' if promiscuous else ''}"


def marked_uplink(alias: str) -> tuple[str, bool] | None:
    """The interface of `uplink_mark`, and whether it goes back to normal; None for any other text."""
    head, _, text = alias.partition(f"{GROUP}-uplink:")
    if head or not text:
        return None
    external, _, word = text.partition(" ")
    return (external, word == "promisc") if INTERFACE.fullmatch(external) else None


def uplink_table(bridge: str) -> str:
    """The nftables table (family netdev) that carries IPv6 over a wire."""
    return f"{GROUP}-{bridge}"
