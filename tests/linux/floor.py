"""What pots cost by hand: ``python floor.py POTS`` makes and removes them, and prints seconds in JSON.

A pot is a namespace with a veth pair to a bridge, an address, a route and an export through NAT. Inside the
namespaces ip(8) reads files of its own, since one batch cannot change its namespace. It needs a world of its
own (linux_world.World).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

FILES = Path("/run/floor")
GROUP = 7368564
BRIDGE = """\
link add name floor0 type bridge mcast_snooping 0
addr add 10.64.0.1/10 dev floor0
link set dev floor0 up
"""
TABLE = """\
table inet floor {
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


def address(pot: int) -> str:
    return f"10.64.{(pot + 2) // 256}.{(pot + 2) % 256}"


def links(pot: int) -> str:
    """The lines for ip(8) that make a pot."""
    inside = FILES / str(pot)
    inside.write_text(
        f"link set dev lo up\naddr add {address(pot)}/10 dev f{pot}b\n"
        f"link set dev f{pot}b up\nroute add default via 10.64.0.1\n",
        "ascii",
    )
    return (
        f"netns add floor{pot}\n"
        f"link add name f{pot}a group {GROUP} type veth peer name f{pot}b netns floor{pot}\n"
        f"link set dev f{pot}a master floor0 up\n"
        f"netns exec floor{pot} ip -batch {inside}\n"
    )


def redirection(pot: int) -> str:
    return f"add element inet floor redirections {{ tcp . {20000 + pot} : {address(pot)} . 80 }}\n"


def run(*argv: str, text: str = "") -> None:
    subprocess.run(argv, input=text, text=True, check=True, capture_output=True)


def took(*steps: tuple[tuple[str, ...], str]) -> float:
    """The seconds that commands take, one after the other, each with its standard input."""
    begin = time.perf_counter()
    for argv, text in steps:
        run(*argv, text=text)
    return time.perf_counter() - begin


def remove(pots: int) -> float:
    names = "".join(f"netns del floor{pot}\n" for pot in range(pots))
    seconds = took((("ip", "link", "del", "group", str(GROUP)), ""), (("ip", "-batch", "-"), names))
    run("nft", "flush", "map", "inet", "floor", "redirections")
    # The kernel clears namespaces up in its own time.
    time.sleep(2)
    return seconds


def main(pots: int) -> None:
    FILES.mkdir()
    run("ip", "-batch", "-", text=BRIDGE)
    run("nft", "-f", "-", text=TABLE)
    batch, load = ("ip", "-batch", "-"), ("nft", "-f", "-")
    lines, elements = [links(pot) for pot in range(pots)], [redirection(pot) for pot in range(pots)]
    each = [took((batch, lines[pot]), (load, elements[pot])) for pot in range(pots)]
    remove(pots)
    together = took((batch, "".join(lines)), (load, "".join(elements)))
    print(json.dumps({"each": each, "together": together, "removed": remove(pots)}))


if __name__ == "__main__":
    main(int(sys.argv[1]))
