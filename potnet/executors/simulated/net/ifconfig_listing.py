"""List interfaces as ifconfig(8) does."""

from __future__ import annotations

from ipaddress import IPv4Interface

from potnet.executors.simulated.net import vxlan
from potnet.executors.simulated.world.entities import Address, Interface
from potnet.executors.simulated.world.world import View, World

_FLAGS = {
    0x1: "UP",
    0x2: "BROADCAST",
    0x8: "LOOPBACK",
    0x40: "RUNNING",
    0x80: "NOARP",
    0x100: "PROMISC",
    0x800: "SIMPLEX",
    0x1000: "LINK0",
    0x8000: "MULTICAST",
    0x1000000: "LOWER_UP",
}
_ND6_FLAGS = {
    0x1: "PERFORMNUD",
    0x2: "ACCEPT_RTADV",
    0x8: "IFDISABLED",
    0x20: "AUTO_LINKLOCAL",
    0x40: "NO_RADR",
    0x100: "NO_DAD",
}
#: Options on FreeBSD 15; an epair also has the checksums that others compute.
_OPTIONS_15 = {"bridge": "10<VLAN_HWTAGGING>"}
_SUMS = {0x1: "RXCSUM", 0x2: "TXCSUM", 0x8: "VLAN_MTU", 0x200000: "RXCSUM_IPV6", 0x400000: "TXCSUM_IPV6"}
_OPTIONS = {
    "ether": "80028<VLAN_MTU,JUMBO_MTU,LINKSTATE>",
    "loop": "680003<RXCSUM,TXCSUM,LINKSTATE,RXCSUM_IPV6,TXCSUM_IPV6>",
    "bridge": "0",
    "epair": "8<VLAN_MTU>",
    "vlan": "80000<LINKSTATE>",
    "tap": "80000<LINKSTATE>",
    "vxlan": "80020<JUMBO_MTU,LINKSTATE>",
    "wg": "80000<LINKSTATE>",
    "pflog": "0",
}
_MEDIA = {
    "ether": "Ethernet autoselect (10Gbase-T <full-duplex>)",
    "epair": "Ethernet 10Gbase-T (10Gbase-T <full-duplex>)",
    "vlan": "Ethernet autoselect (10Gbase-T <full-duplex>)",
    "tap": "Ethernet 1000baseT <full-duplex>",
    "vxlan": "Ethernet autoselect (autoselect <full-duplex>)",
}


#: The kinds that run even while they are down.
_RUNNING = ("ether", "epair", "vlan")


def flag_bits(world: World, interface: Interface) -> int:
    """Return IFF_UP and the other flags (ifnet(9))."""
    if interface.kind == "pflog":
        return 0x1000041 if interface.up else 0
    bits = {"loop": 0x8008, "wg": 0x8080}.get(interface.kind, 0x8802)
    if interface.up:
        bits |= 0x1
    if interface.kind == "tap":
        bits |= (0x40 if interface.running else 0) | (0x1000 if interface.link0 else 0)
        bits |= 0x1000000 if interface.opened else 0
    elif interface.kind in ("vxlan", "wg"):
        bits |= 0x1000000 if interface.up or interface.kind == "vxlan" else 0
        bits |= 0x40 if interface.running else 0
    elif interface.up or interface.kind in _RUNNING:
        bits |= 0x1000040
    if interface.bridge is not None or _carries_member(world, interface):
        bits |= 0x100
    return bits


def _carries_member(world: World, interface: Interface) -> bool:
    """Return whether a VLAN of the interface is a member of a bridge, which needs all frames."""
    below = f"{interface.origin}."
    return interface.kind == "ether" and any(
        each.kind == "vlan" and each.bridge is not None and each.origin.startswith(below)
        for each in world.interfaces(interface.vnet)
    )


def _named(bits: int, names: dict[int, str]) -> str:
    """Format flags as printb in ifconfig, which omits the brackets if no flag is set."""
    found = ",".join(name for bit, name in names.items() if bits & bit)
    return f"{bits:x}<{found}>" if bits else "0"


#: The cost of a member's path, from its link's speed as it joined (if_bridge(4)).
_PATH_COST, _IDLE_PATH_COST = 2000, 2_000_000
#: The cost of a link whose speed is not known.
_VXLAN_PATH_COST = 55


def show(
    world: World, interface: Interface, view: View, forms: frozenset[str] = frozenset(), family: str = ""
) -> str:
    """Return the lines of one interface, with the addresses that the view includes.

    forms: of addresses, as -f takes them. family: only its addresses, and nothing if there are none.
    """
    head = [
        f"{interface.name}: flags={_named(flag_bits(world, interface), _FLAGS)} metric 0 mtu {interface.mtu}",
        *([f"\tdescription: {interface.descr}"] if interface.descr else []),
        f"\toptions={_options(world, interface)}",
    ]
    addresses = {
        "ether": _hardware(interface),
        "inet": [_inet(a, interface, forms) for a in interface.inet if view.sees(4, a.address)],
        "inet6": [_inet6(world, a, interface, forms) for a in interface.inet6 if view.sees(6, a.address)],
    }
    if family:
        found = addresses.get(family, [])
        found += _nd6(interface) if found and family == "inet6" else []
        return "\n".join([*head, *found]) + "\n" if found else ""
    # ifconfig(8) asks for the rest by the name, so a later interface of the same name shows the first one's.
    named = (world.interface(interface.name, interface.vnet) if interface.twin else None) or interface
    lines = [
        *head,
        *(line for found in addresses.values() for line in found),
        *(_bridge(world, interface) if interface.kind == "bridge" else []),
        *([f"\tgroups: {' '.join(named.groups)}"] if named.groups else []),
    ]
    if interface.kind == "vlan":
        parent, _, tag = interface.origin.rpartition(".")
        lines.append(f"\tvlan: {tag} vlanproto: 802.1q vlanpcp: 0 parent interface: {parent}")
    lines += vxlan.shown(world, interface) if interface.kind == "vxlan" else []
    if named.kind in _MEDIA:
        idle = interface.kind == "tap" and interface.opened is None
        lines += [f"\tmedia: {_MEDIA[named.kind]}", f"\tstatus: {'no carrier' if idle else 'active'}"]
    lines += _nd6(named) if view.family(6) else []
    if interface.opened is not None:
        lines.append(f"\tOpened by PID {interface.opened}")
    return "\n".join(lines) + "\n"


def _options(world: World, interface: Interface) -> str:
    if world.release.offloads and interface.kind == "epair":
        names = {"RXCSUM", "VLAN_MTU", "RXCSUM_IPV6", *interface.sums}
        return _named(sum(bit for bit, name in _SUMS.items() if name in names), _SUMS)
    if world.release.vlan_bridges and interface.kind in _OPTIONS_15:
        return _OPTIONS_15[interface.kind]
    return _OPTIONS[interface.kind]


def _nd6(interface: Interface) -> list[str]:
    bits = sum(bit for bit, name in _ND6_FLAGS.items() if name in interface.nd6)
    return [f"\tnd6 options={_named(bits, _ND6_FLAGS)}"] if bits else []


def _hardware(interface: Interface) -> list[str]:
    if not interface.mac:
        return []
    lines = [f"\tether {interface.mac}"]
    if interface.mac != interface.hwaddr:
        lines.append(f"\thwaddr {interface.hwaddr}")
    return lines


def _inet(address: Address, interface: Interface, forms: frozenset[str]) -> str:
    net = address.interface
    assert isinstance(net, IPv4Interface)
    mask = f"/{address.prefix}" if "inet:cidr" in forms else f" netmask {int(net.netmask):#010x}"
    text = f"\tinet {address.address}{mask}"
    if interface.kind not in ("loop", "wg"):
        text += f" broadcast {net.network.broadcast_address}"
    return text


def _inet6(world: World, address: Address, interface: Interface, forms: frozenset[str]) -> str:
    scoped = f"%{interface.name}" if address.link_local else ""
    mask = f"/{address.prefix}" if "inet6:cidr" in forms else f" prefixlen {address.prefix}"
    text = f"\tinet6 {address.address}{scoped}{mask}"
    if address.tentative(world.now()):
        text += " tentative"
    elif address.rival:
        text += " duplicated"
    if address.autoconf:
        preferred, valid = world.facts.router6_lifetimes
        text += f" autoconf pltime {preferred} vltime {valid}"
    if scoped:
        text += f" scopeid {interface.index:#x}"
    return text


def _bridge(world: World, bridge: Interface) -> list[str]:
    root = 32768 if bridge.up else 0
    lines = [
        "\tid 00:00:00:00:00:00 priority 32768 hellotime 2 fwddelay 15",
        "\tmaxage 20 holdcnt 6 proto rstp maxaddr 2000 timeout 1200",
        f"\troot id 00:00:00:00:00:00 priority {root} ifcost 0 port 0",
    ]
    vlans = world.release.vlan_bridges
    lines += ["\tbridge flags=0<>"] if vlans else []
    for member in world.members(bridge.name):
        flags = "943<LEARNING,DISCOVER,PRIVATE,AUTOEDGE,AUTOPTP>"
        if not member.private:
            flags = "143<LEARNING,DISCOVER,AUTOEDGE,AUTOPTP>"
        port = world.need(member.name)
        lines.append(f"\tmember: {member.name} flags={flags}")
        limit = f"ifmaxaddr {member.most} " if member.most or not vlans else ""
        protocol = " vlan protocol 802.1q" if vlans else ""
        cost = _PATH_COST if member.linked else _IDLE_PATH_COST
        cost = _VXLAN_PATH_COST if port.kind == "vxlan" else cost
        lines.append(f"\t        {limit}port {port.index} priority 128 path cost {cost}{protocol}")
    for key in world.state.keys("span", f"{bridge.name}/"):
        port = world.need(key.partition("/")[2])
        lines.append(f"\tmember: {port.name} flags=8<SPAN>")
        lines.append(f"\t        ifmaxaddr 0 port {port.index} priority 128 path cost 2000")
    return lines
