"""The values of potnet.toml(5): a reader for each kind, which checks its input.

A reader takes a value from the TOML parser and returns the type that `Config` has. It raises `Refusal`
with the problem and the fix; the loader adds file and key.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from netaddr import AddrFormatError, IPAddress, IPNetwork

from potnet.model.names import INTERFACE, INTERFACE_HINT, is_special
from potnet.model.pots import Ipv6, Stack, valid_name

#: The smallest public network that holds gateway, DNS and a few pots.
LONGEST_PREFIX = 29
#: For the network of a LAN: a router and one pot.
LONGEST_BRIDGE = 30
#: Range for the IPv6 network of one bridge.
SHORTEST_PREFIX6, LONGEST_PREFIX6 = 48, 126
_HOSTS6 = (IPNetwork("2000::/3"), IPNetwork("fc00::/7"))

# pf(4) keeps 63 characters of an anchor's path; this leaves enough for a truncated name.
_ANCHOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,9}")
_ADDRESS = re.compile(r"[0-9A-Fa-f.:]+(/[0-9.]+)?")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_COMMAND = re.compile(r"[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*")
_MIRROR = re.compile(r"(https?|ftp|file)://[!-~]+")


class Refusal(Exception):  # noqa: N818 - a verdict, not a failure
    """A value that its reader refuses; the loader adds file and key."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise Refusal("is not a string", "put the value in double quotes")
    return value


def matching(pattern: re.Pattern[str], what: str, hint: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if not pattern.fullmatch(read_text(value)):
            raise Refusal(f"is not {what}", hint)
        return str(value)

    return read


def one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if read_text(value) not in words:
            import difflib  # only a mistake pays for it

            near = difflib.get_close_matches(value, words, n=1)
            hint = f'did you mean "{near[0]}"?' if near else "use one of: " + ", ".join(words)
            raise Refusal(f"is not one of {', '.join(words)}", hint)
        return str(value)

    return read


def read_stack(value: Any) -> Stack:
    return Stack(one_of(*(str(stack) for stack in Stack))(value))


def read_ipv6(value: Any) -> Ipv6:
    return Ipv6(one_of(*(str(mode) for mode in Ipv6))(value))


def read_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Refusal("is neither true nor false", "write true or false, without quotes")
    return value


def read_port(value: Any) -> int:
    # bool is an int in Python, but not for an administrator.
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refusal("is not a whole number", "write the port without quotes, such as 1024")
    if not 1 <= value <= 65535:
        raise Refusal("is not a port", "ports are 1 to 65535")
    return value


def read_seconds(value: Any) -> int:
    # bool is an int in Python, but not for an administrator.
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refusal("is not a whole number", "write the seconds without quotes, such as 180")
    if not 1 <= value <= 86400:
        raise Refusal("is out of range", "use 1 to 86400 seconds")
    return value


def read_address(value: Any) -> IPAddress:
    hint = "write an IPv4 address such as 192.168.178.20"
    if not _ADDRESS.fullmatch(read_text(value)):
        raise Refusal("is not an IP address", hint)
    try:
        address = IPAddress(value)
    except (AddrFormatError, ValueError) as error:
        raise Refusal("is not an IP address", hint) from error
    if address.version != 4:
        raise Refusal("is an IPv6 address", hint)
    return address


def read_network(value: Any) -> IPNetwork:
    return _network(value, 4, "write an IPv4 network such as 10.192.0.0/10")


def _network(value: Any, version: int, hint: str) -> IPNetwork:
    if not _ADDRESS.fullmatch(read_text(value)) or "/" not in value:
        raise Refusal("is not a network with a prefix length", hint)
    try:
        network = IPNetwork(value)
    except (AddrFormatError, ValueError) as error:
        raise Refusal("is not a network", hint) from error
    if network.version != version:
        raise Refusal(f"is an IPv{network.version} network", hint)
    if network.ip != network.network:
        raise Refusal("is an address inside a network", f"write the network itself: {network.cidr}")
    return network


def read_prefix6(value: Any) -> IPNetwork:
    """Read an IPv6 network for one bridge: global or unique local (RFC 4291, RFC 4193)."""
    network = _network(value, 6, "write an IPv6 network such as 2001:db8:1::/64")
    if not any(network in hosts for hosts in _HOSTS6):
        raise Refusal("is not a network for hosts", "use a global or a unique local one (2000::/3, fc00::/7)")
    if not SHORTEST_PREFIX6 <= network.prefixlen <= LONGEST_PREFIX6:
        what = f"a bridge takes a prefix length from {SHORTEST_PREFIX6} to {LONGEST_PREFIX6}; 64 is usual"
        raise Refusal("has an invalid prefix length", what)
    return network


def read_public_network(value: Any) -> IPNetwork:
    network = read_network(value)
    if network.prefixlen > LONGEST_PREFIX:
        raise Refusal("has no room for pots", f"use a prefix length of at most {LONGEST_PREFIX}")
    return _of_hosts(network)


def read_bridge_network(value: Any) -> IPNetwork:
    """Read the IPv4 network of one bridge, which has room for a gateway and a pot at least."""
    network = read_network(value)
    if network.prefixlen > LONGEST_BRIDGE:
        raise Refusal("has no room for pots", f"use a prefix length of at most {LONGEST_BRIDGE}")
    return _of_hosts(network)


def _of_hosts(network: IPNetwork) -> IPNetwork:
    first = IPAddress(network.first)
    unusable = network.prefixlen < 4 or first.is_loopback() or first.is_link_local()
    if unusable or network.first >= int(IPAddress("224.0.0.0")):
        raise Refusal("is not a network for hosts", "use a private one, such as 10.192.0.0/10 (RFC 1918)")
    return network


def read_host_address(value: Any) -> IPAddress:
    address = read_address(value)
    if int(address) == 0 or address.is_loopback() or address.is_multicast():
        raise Refusal(
            "cannot be an address of an external interface", "omit it to use the addresses of the interface"
        )
    return address


def read_host_addresses(value: Any) -> tuple[IPAddress, ...]:
    """Read one address of external interfaces, or a list, of either family."""
    if isinstance(value, list) and not value:
        raise Refusal("is an empty list", "omit it to use the addresses of the interface")
    found = tuple(map(_read_own_address, value if isinstance(value, list) else [value]))
    twice = next((each for each in found if found.count(each) > 1), None)
    if twice is not None:
        raise Refusal(f"has {twice} twice", "write each address once")
    return found


def _read_own_address(value: Any) -> IPAddress:
    if not isinstance(value, str) or ":" not in value:
        return read_host_address(value)
    address = IPAddress(read_outbound6(value))
    if address.is_link_local():
        raise Refusal("is a link-local address", "write an address that other machines can reach")
    return address


def read_extra_interfaces(value: Any) -> tuple[tuple[str, tuple[IPNetwork, ...]], ...]:
    """Read interfaces, each with at least one network behind it."""
    if not isinstance(value, dict):
        hint = 'write [network.extra_interfaces] and lines such as em1 = "172.16.0.0/12"'
        raise Refusal("is not a table", hint)
    found = []
    for name, network in value.items():
        if not INTERFACE.fullmatch(name):
            raise Refusal(f"has the invalid interface name {shown(name)}", INTERFACE_HINT)
        if isinstance(network, dict):
            raise Refusal(f"has a table {name}", f'quote a name that has a dot in it, such as "{name}.10"')
        try:
            found.append((str(name), _networks(network)))
        except Refusal as refusal:
            raise Refusal(f"has {name} = {shown(network)}, which {refusal.what}", refusal.hint) from None
    return tuple(sorted(found))


def _networks(value: Any) -> tuple[IPNetwork, ...]:
    if value == []:
        raise Refusal("is an empty list", 'write at least one network, such as ["172.16.0.0/12"]')
    return tuple(dict.fromkeys(map(read_network, value if isinstance(value, list) else [value])))


def read_path(value: Any) -> str:
    hint = "write an absolute path, without .. in it"
    if not read_text(value).startswith("/"):
        raise Refusal("is not an absolute path", hint)
    if not value.isprintable() or ".." in value.split("/"):
        raise Refusal("is not a plain path", hint)
    if not value.strip("/"):
        raise Refusal("is the root of the host", "write a directory of its own")
    return str(os.path.normpath("/" + value.lstrip("/")))


def read_pot_prefix(value: Any) -> str:
    """Read a path, or an empty value for a host without pot."""
    return "" if value == "" else read_path(value)


def read_directories(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Refusal("is not a list", 'write a list of paths, such as ["/var/lib/kitchen"]')
    return tuple(map(read_path, value))


def read_mtu(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Refusal("is not a whole number", "write the bytes without quotes, such as 1500")
    # RFC 791: every link must carry 68 bytes.
    if not 68 <= value <= 65535:
        raise Refusal("is out of range", "use 68 to 65535 bytes; 65520 is the fastest for most uplinks")
    return value


def read_uplink_network(value: Any) -> str:
    network = read_network(value)
    if not 8 <= network.prefixlen <= 25:
        raise Refusal("has an invalid prefix length", "use a prefix length from 8 to 25; 24 is usual")
    return str(_of_hosts(network))


def read_outbound(value: Any) -> str:
    return str(read_host_address(value))


def read_outbound6(value: Any) -> str:
    hint = "write an IPv6 address of this machine, such as 2001:db8::20"
    try:
        address = IPAddress(read_text(value), 6)
    except (AddrFormatError, ValueError) as error:
        raise Refusal("is not an IPv6 address", hint) from error
    if int(address) in (0, 1) or address.is_multicast():
        raise Refusal("cannot be a source address", hint)
    return str(address)


def read_dns_name(value: Any) -> str:
    if not valid_name(read_text(value)) or is_special(value):
        raise Refusal("is not a pot's name", "use up to 63 letters, digits, _ and -, no number")
    return str(value)


def read_mirror(value: Any) -> str:
    if read_text(value) and not _MIRROR.fullmatch(value):
        raise Refusal("is not a URL", 'write the URL of a folder of releases, or "" to fetch nothing')
    return str(value).rstrip("/")


read_interface = matching(INTERFACE, "an interface name", INTERFACE_HINT)
read_anchor = matching(_ANCHOR, "an anchor name", "use up to 10 letters, digits, dots, _ and -")
_read_mac = matching(_MAC, "a MAC address", "write one such as 02:00:00:00:00:01, in lower case")
read_via = matching(_COMMAND, "a command", 'write one such as "ssh root@host"')


def read_mac(value: Any) -> str:
    mac = _read_mac(value)
    # IEEE 802: the lowest bit of the first byte marks a group address.
    if int(mac[:2], 16) & 1 or mac == "00:00:00:00:00:00":
        raise Refusal(
            "is not the address of a single interface",
            "use one that begins with 02, such as 02:00:00:12:34:56",
        )
    return mac


def shown(value: Any) -> str:
    """Return a value for a message: on one line, and truncated if long."""
    text = f'"{value}"' if isinstance(value, str) and value.isprintable() else repr(value)
    if isinstance(value, bool):
        text = text.lower()
    return text if len(text) <= 60 else text[:57] + "..."
