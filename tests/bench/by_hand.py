"""Pots made by hand, as a floor for what potnet does; milliseconds are those of the commands alone.

A pot is a namespace with a veth pair to a bridge, an address, a route and an export through NAT. Inside the
namespaces ip(8) reads files of its own, since one batch cannot change its namespace.
"""

from __future__ import annotations

from pathlib import Path

from measure import process

FILES = Path("/run/by-hand")
GROUP = 7368564
BRIDGE = """\
link add name hand0 type bridge mcast_snooping 0
addr add 10.64.0.1/10 dev hand0
link set dev hand0 up
"""
TABLE = """\
table inet hand {
	map redirections {
		type inet_proto . inet_service : ipv4_addr . inet_service
	}
	chain prerouting {
		type nat hook prerouting priority dstnat
		iifname "eth0" fib daddr . iif type local dnat ip to meta l4proto . th dport map @redirections
	}
	chain postrouting {
		type nat hook postrouting priority srcnat
		oifname "eth0" ip saddr 10.64.0.0/10 masquerade
	}
}
"""
BATCH, LOAD = ("ip", "-batch", "-"), ("nft", "-f", "-")


def prepare() -> None:
    FILES.mkdir()
    process(*BATCH, text=BRIDGE)
    process(*LOAD, text=TABLE)


def start(pot: int) -> float:
    lines, element = _links(pot), _redirection(pot)
    return process(*BATCH, text=lines) + process(*LOAD, text=element)


def stop(pot: int) -> float:
    lines = f"link del dev h{pot}a\nnetns del hand{pot}\n"
    element = f"delete element inet hand redirections {{ tcp . {_port(pot)} }}\n"
    return process(*BATCH, text=lines) + process(*LOAD, text=element)


def start_all(pots: int) -> float:
    lines = "".join(_links(pot) for pot in range(pots))
    elements = "".join(_redirection(pot) for pot in range(pots))
    return process(*BATCH, text=lines) + process(*LOAD, text=elements)


def stop_all(pots: int) -> float:
    names = "".join(f"netns del hand{pot}\n" for pot in range(pots))
    took = process("ip", "link", "del", "group", str(GROUP)) + process(*BATCH, text=names)
    process("nft", "flush", "map", "inet", "hand", "redirections")
    return took


def _address(pot: int) -> str:
    return f"10.64.{(pot + 2) // 256}.{(pot + 2) % 256}"


def _port(pot: int) -> int:
    return 40000 + pot


def _links(pot: int) -> str:
    """The lines for ip(8) that make a pot."""
    inside = FILES / str(pot)
    inside.write_text(
        f"link set dev lo up\naddr add {_address(pot)}/10 dev h{pot}b\n"
        f"link set dev h{pot}b up\nroute add default via 10.64.0.1\n",
        "ascii",
    )
    return (
        f"netns add hand{pot}\n"
        f"link add name h{pot}a group {GROUP} type veth peer name h{pot}b netns hand{pot}\n"
        f"link set dev h{pot}a master hand0 up\n"
        f"netns exec hand{pot} ip -batch {inside}\n"
    )


def _redirection(pot: int) -> str:
    return f"add element inet hand redirections {{ tcp . {_port(pot)} : {_address(pot)} . 80 }}\n"
