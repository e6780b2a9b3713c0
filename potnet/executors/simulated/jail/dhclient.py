"""dhclient(8) in a jail, and the DHCP server on the external wire (RFC 2131)."""

from __future__ import annotations

import re
import time
from ipaddress import ip_address as address_of
from ipaddress import ip_interface, summarize_address_range

from potnet.executors.base import CommandResult
from potnet.executors.simulated.net.addresses import add_inet
from potnet.executors.simulated.net.wires import OUTSIDE, Place, held, neighbours
from potnet.executors.simulated.system import processes
from potnet.executors.simulated.world import devices
from potnet.executors.simulated.world.entities import Address, Interface, Jail, Route
from potnet.executors.simulated.world.world import ToolError, World, unknown

#: The time of a lease, and the time after which dhclient stops waiting for a server, in seconds.
_LEASE, _PATIENCE = 120, 61
_WHERE = "255.255.255.255 port 67"
_CONF = "/etc/dhclient.conf"
#: The options that dhclient requests by default. The server sends other ones unasked.
_DEFAULT = frozenset({"subnet-mask", "routers", "domain-name-servers", "host-name", "broadcast-address"})
_NO_FOLDER = "Cannot open or create pidfile: No such file or directory\n"


def dhclient(world: World, jail: Jail, argv: list[str]) -> CommandResult:
    """dhclient [-b] INTERFACE; it stays as two processes, and its code does not tell of a lease."""
    world.state.changing()
    quiet = argv[1:2] == ["-b"]
    names = argv[1 + quiet :]
    if len(names) != 1 or names[0].startswith("-") or not jail.vnet:
        raise unknown(f"dhclient {' '.join(argv[1:])}")
    note = "" if world.tree.is_dir("/var/run/dhclient") else _NO_FOLDER
    if "bpf" not in (devices.seen_at(world, world.tree.resolve("/dev")) or {}):
        raise ToolError(f"{note}Can't find free bpf: No such file or directory\nexiting.")
    found = world.interface(names[0], jail.stack)
    if found is None:
        raise unknown(f"dhclient for the missing interface {names[0]}")
    found.up = True
    said = _ask(world, jail, found, quiet)
    for _ in range(2):
        processes.begin(world, jail.jid, False, 0, "dhclient")
    return CommandResult(0, "", note + ("" if quiet else said))


def _ask(world: World, jail: Jail, interface: Interface, daemon: bool) -> str:
    """Ask for a lease, and return what dhclient prints. daemon: it waits in the background."""
    leases = f"/var/db/dhclient.leases.{interface.name}"
    first = f"DHCPDISCOVER on {interface.name} to {_WHERE} interval 3\n"
    world.save(interface)
    wire = any(place == Place(OUTSIDE) for place in neighbours(world, Place(jail.stack, interface.name)))
    if not wire or not serves(world):
        if not daemon:
            world.wait(_PATIENCE)
        return f"{first}No DHCPOFFERS received.\nNo working leases in persistent database - sleeping.\n\n"
    server = world.facts.gateway
    said = "" if world.tree.stat(leases) else f"{first}DHCPOFFER from {server}\n"
    given = _offer(world, interface.mac)
    own = ip_interface(world.facts.address)
    add_inet(world, interface, Address(given, own.network.prefixlen), alias=False)
    world.save(interface)
    wanted = _requested(world, interface.name)
    if world.route("default", 4, jail.stack) is None and "routers" in wanted:
        world.save_route(Route("default", server, interface.name), 4, jail.stack)
    if world.tree.is_dir("/var/db"):
        world.tree.write(leases, _lease(world, jail, interface.name, given, wanted).encode())
    said += f"DHCPREQUEST on {interface.name} to {_WHERE}\nDHCPACK from {server}\n"
    return f"{said}bound to {given} -- renewal in {_LEASE // 2} seconds.\n"


def serves(world: World) -> bool:
    """Return whether a server answers on the external wire."""
    return bool(world.facts.dhcp) and world.state.get("test", "dhcp-off") is None


def _offer(world: World, mac: str) -> str:
    """Return the address for a MAC address: its own, dnsmasq's choice, or the next free one."""
    row = world.state.get("lease", mac)
    if row is not None:
        return str(row["address"])
    first, last = (address_of(each) for each in world.facts.dhcp.split("-"))
    room = [str(each) for network in summarize_address_range(first, last) for each in network]
    number = 0
    for octet in bytes.fromhex(mac.replace(":", "")):
        number = (octet + (number << 6) + (number << 16) - number) & 0xFFFFFFFF
    leased = {str(row["address"]) for _, row in world.state.scan("lease")}
    for step in range(len(room)):
        chosen = room[(number + step) % len(room)]
        if chosen not in leased and not held(world, chosen):
            world.state.put("lease", mac, {"address": chosen})
            return chosen
    raise unknown("a DHCP server without a free address")


def _requested(world: World, name: str) -> frozenset[str]:
    """Return the options that dhclient.conf(5) requests for an interface."""
    conf = world.tree.read(_CONF).decode() if world.tree.stat(_CONF) else ""
    block = re.search(rf'interface "{re.escape(name)}" {{(.*?)}}', conf, re.DOTALL)
    request = re.search(r"request ([^;]*);", block[1] if block else conf)
    return frozenset(request[1].replace(",", " ").split()) if request else _DEFAULT


def _lease(world: World, jail: Jail, name: str, given: str, wanted: frozenset[str]) -> str:
    """Return the text of dhclient.leases(5) for one lease. wanted: the requested options."""
    facts, own = world.facts, ip_interface(world.facts.address)
    renew, rebind = _LEASE // 2, _LEASE * 7 // 8
    options = {
        "subnet-mask": str(own.network.netmask),
        "routers": facts.gateway,
        "domain-name-servers": facts.resolver,
        **({"host-name": f'"{jail.hostname}"'} if jail.hostname else {}),
        "broadcast-address": str(own.network.broadcast_address),
        "dhcp-lease-time": str(_LEASE),
        "dhcp-message-type": "5",
        "dhcp-server-identifier": facts.gateway,
        "dhcp-renewal-time": str(renew),
        "dhcp-rebinding-time": str(rebind),
    }
    lines = [f'interface "{name}"', f"fixed-address {given}", f"next-server {facts.gateway}"]
    shown = {key: value for key, value in options.items() if key in wanted or key not in _DEFAULT}
    lines += [f"option {key} {value}" for key, value in shown.items()]
    for word, seconds in (("renew", renew), ("rebind", rebind), ("expire", _LEASE)):
        then = time.gmtime(world.now() + seconds)
        lines.append(f"{word} {time.strftime('%w %Y/%m/%d %H:%M:%S', then)}")
    return "lease {\n" + "".join(f"  {line};\n" for line in lines) + "}\n"
