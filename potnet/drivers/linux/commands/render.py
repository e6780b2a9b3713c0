"""Render actions as Linux commands; decisions are made elsewhere.

The tools are ip(8), ip-link(8), ip-netns(8), nsenter(1), find(1) and mv(1). Sysctls are written as files,
because some machines lack sysctl(8). `filter` renders the actions for nftables.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatchmethod

from netaddr import IPAddress

from potnet.drivers import posix
from potnet.drivers.linux.commands import dhcp
from potnet.drivers.linux.commands.passed import restoring
from potnet.drivers.linux.commands.words import EPAIR, TAP, far_mac, mtu_words, quiet, quietly_up
from potnet.drivers.linux.facts import rates
from potnet.drivers.linux.facts.names import (
    BRIDGE_LINK_GROUP,
    LINK_GROUP,
    bridge_mac,
    entering,
    root_mark,
    setting6,
)
from potnet.drivers.linux.facts.observe import FORWARDING
from potnet.executors.base import Command, Limit
from potnet.host.actions import (
    AcceptAdvertisements,
    AddAlias,
    AddDefaultRoute,
    AddMember,
    BringUp,
    CreateBridge,
    CreateEpair,
    CreateTap,
    CreateVlan,
    DestroyInterface,
    KeepRouter,
    MoveToJail,
    PassInterface,
    RemoveAddress,
    RemoveDefaultRoute,
    RemoveMember,
    RestoreInterface,
    SetAddress,
    SetForwarding,
    SetMac,
    SetMtu,
    SetPrivate,
)
from potnet.host.file_actions import CopyTree, RemoveDirectory, RemoveTree
from potnet.host.filter_actions import EndConnections, KillStates, LiftRate, LimitRate, RemoveEntry
from potnet.host.jail_actions import ForgetDhcp, RunInJail, StartDhcp, StartJail, StopJail
from potnet.model.pots import GROUP, SMALLEST_MTU6
from potnet.runtime.fast_dataclass import dataclass

#: Fills in a template by name with these values.
Render = Callable[[str, dict[str, object]], str]
#: Naming the host's own namespace requires the PID of a process in it; the shell uses its own.
_ATTACH = 'exec ip netns attach "$1" $$'
#: FreeBSD's name of the loopback interface, which plans use.
_LOOPBACK = {"lo0": "lo"}


@dataclass(frozen=True, slots=True)
class Ip:
    """Lines for ``ip -batch -``, in the host's namespace or in a pot's."""

    lines: tuple[str, ...]
    namespace: str | None = None


Piece = Ip | Command


class Renderer:
    """Renders actions as pieces of work, in their order."""

    def lines(self, action: object) -> tuple[Ip, ...]:
        """Return the pieces of an action that are lines for ip(8)."""
        return tuple(piece for piece in self.pieces(action) if isinstance(piece, Ip))

    # Classes are registered explicitly, because reading them from annotations takes 4 ms in total.
    @singledispatchmethod
    def pieces(self, action: object) -> tuple[Piece, ...]:
        """Return the pieces of an action. Raises TypeError for an action that no plan has on Linux."""
        return posix.commands(action, "-T")

    @pieces.register(CreateBridge)
    def _(self, action: CreateBridge) -> tuple[Piece, ...]:
        name, mac = action.interface, bridge_mac(action.interface, action.description)
        own = f"address {mac}{mtu_words(action.mtu)} group {BRIDGE_LINK_GROUP}"
        made = f"link add name {name} {own} type bridge mcast_snooping 0"
        return (
            *_ip(made, f'link set dev {name} alias "{action.description}"'),
            # Otherwise the host would accept routes and addresses from advertisements on the bridge.
            Command(("tee", _silence(name)), stdin="1\n"),
            *_ip(f"link set dev {name} up"),
        )

    @pieces.register(CreateEpair)
    def _(self, action: CreateEpair) -> tuple[Piece, ...]:
        host, far = f"epair{action.unit}a", f"epair{action.unit}b"
        mtu = mtu_words(action.mtu)
        return _ip(
            f"link add name {host}{mtu} address {far_mac(EPAIR, action.unit)} group {LINK_GROUP} type veth"
            f" peer name {far} address {action.mac}{mtu} netns {action.jail}",
            f"link set dev {host} {quietly_up(action.description, action.mtu)}",
        )

    @pieces.register(CreateTap)
    def _(self, action: CreateTap) -> tuple[Piece, ...]:
        made = f"tuntap add dev {action.interface} mode tap user {action.owner}"
        mac = far_mac(TAP, int(action.interface.removeprefix("tap")))
        own = f"{mtu_words(action.mtu)} address {mac} group {LINK_GROUP}"
        own += f" {quietly_up(action.description, action.mtu)}"
        return _ip(made, f"link set dev {action.interface}{own}")

    @pieces.register(CreateVlan)
    def _(self, action: CreateVlan) -> tuple[Piece, ...]:
        name, own = action.interface, f"{mtu_words(action.mtu)} group {LINK_GROUP}"
        return _ip(
            f"link add link {action.parent} name {name}{own} type vlan id {action.tag}",
            f"link set dev {name} {quietly_up(action.description, action.mtu)}",
        )

    @pieces.register(DestroyInterface)
    def _(self, action: DestroyInterface) -> tuple[Piece, ...]:
        return _ip(f"link del dev {action.interface}")

    @pieces.register(SetMac)
    def _(self, action: SetMac) -> tuple[Piece, ...]:
        return _ip(f"link set dev {action.interface} address {action.mac}", namespace=action.jail)

    @pieces.register(SetMtu)
    def _(self, action: SetMtu) -> tuple[Piece, ...]:
        changed = _ip(f"link set dev {action.interface}{mtu_words(action.mtu)}", namespace=action.jail)
        if action.before is None or not action.before < SMALLEST_MTU6 <= action.mtu:
            return changed
        # The MTU enables IPv6 on the link, as on a new one, and the link has no IPv6 address yet.
        enter = entering(action.jail) if action.jail else ()
        return (*changed, Command((*enter, "tee", _silence(action.interface)), stdin="1\n"))

    @pieces.register(AddMember)
    def _(self, action: AddMember) -> tuple[Piece, ...]:
        port = f"link set dev {action.member} type bridge_slave"
        return _ip(
            f"link set dev {action.member} master {action.bridge}",
            f"{port} isolated {_switch(action.private)} hairpin {_switch(action.hairpin)}",
        )

    @pieces.register(SetPrivate)
    def _(self, action: SetPrivate) -> tuple[Piece, ...]:
        return _ip(f"link set dev {action.member} type bridge_slave isolated {_switch(action.private)}")

    @pieces.register(RemoveMember)
    def _(self, action: RemoveMember) -> tuple[Piece, ...]:
        return _ip(f"link set dev {action.member} nomaster")

    @pieces.register(BringUp)
    def _(self, action: BringUp) -> tuple[Piece, ...]:
        if action.silent:
            words = quiet(None)
            return _ip(f"link set dev {action.interface}{words} up", namespace=action.jail)
        return _ip(f"link set dev {action.interface} up", namespace=action.jail)

    @pieces.register(MoveToJail)
    def _(self, action: MoveToJail) -> tuple[Piece, ...]:
        # The namespace exists since its creation.
        return _ip(f"link set dev {action.interface} alias {root_mark(action.root)}", namespace=action.jail)

    @pieces.register(PassInterface)
    def _(self, action: PassInterface) -> tuple[Piece, ...]:
        return _ip(f"link set dev {action.interface} netns {action.jail}")

    @pieces.register(RestoreInterface)
    def _(self, action: RestoreInterface) -> tuple[Piece, ...]:
        return _ip(*restoring(action.lent, action.altnames))

    @pieces.register(AddAlias)
    def _(self, action: AddAlias) -> tuple[Piece, ...]:
        return _ip(_add_alias(action.interface, action.address))

    @pieces.register(RemoveDefaultRoute)
    def _(self, action: RemoveDefaultRoute) -> tuple[Piece, ...]:
        # ip(8) derives the family from the destination; a batch cannot have -6 on a single line.
        every = "0.0.0.0/0" if action.family == 4 else "::/0"
        return _ip(f"route del {every}", namespace=action.jail)

    @pieces.register(SetAddress)
    def _(self, action: SetAddress) -> tuple[Piece, ...]:
        name = _LOOPBACK.get(action.interface, action.interface)
        if action.address.is_loopback():
            # The kernel sets its addresses.
            return _ip(f"link set dev {name} up", namespace=action.jail)
        # Otherwise the kernel would add a link-local IPv6 address, even in an IPv4 pot.
        words = quiet(action.mtu) if action.jail else ""
        silenced = (f"link set dev {name}{words}",) if words else ()
        # Duplicate detection would delay an IPv6 address by a second, and the store never assigns an address
        # twice.
        at_once = " nodad" if action.address.version == 6 and not action.detect else ""
        address = f"addr add {action.address}/{action.prefix} dev {name}{at_once}"
        lines = _ip(*silenced, address, f"link set dev {name} up", namespace=action.jail)
        if action.jail is None and action.address.version == 6:
            # Detection is off for the link-local address as well, from which the host sends neighbour
            # solicitations.
            return (Command(("tee", setting6(name, "accept_dad"), _silence(name)), stdin="0\n"), *lines)
        return lines

    @pieces.register(RemoveAddress)
    def _(self, action: RemoveAddress) -> tuple[Piece, ...]:
        return _ip(f"addr del {_alone(action.address)} dev {action.interface}")

    @pieces.register(AcceptAdvertisements)
    def _(self, action: AcceptAdvertisements) -> tuple[Piece, ...]:
        # 2 applies even if the pot forwards IPv6 (ip-sysctl), a setting that it may inherit from the host.
        accept = setting6(action.interface, "accept_ra")
        enter = entering(action.jail)
        alone = setting6(action.interface, "accept_ra_defrtr")
        apart = () if action.default_route else (Command((*enter, "tee", alone), stdin="0\n"),)
        return (
            *apart,
            Command((*enter, "tee", accept), stdin="2\n"),
            *_ip(
                f"link set dev {action.interface} addrgenmode eui64",
                f"link set dev {action.interface} up",
                namespace=action.jail,
            ),
        )

    @pieces.register(AddDefaultRoute)
    def _(self, action: AddDefaultRoute) -> tuple[Piece, ...]:
        return _ip(f"route add default via {action.gateway}", namespace=action.jail)

    @pieces.register(SetForwarding)
    def _(self, action: SetForwarding) -> tuple[Piece, ...]:
        return (Command(("tee", FORWARDING[action.family]), stdin=f"{int(action.enabled)}\n"),)

    @pieces.register(StartJail)
    def _(self, action: StartJail) -> tuple[Piece, ...]:
        jail = action.jail
        if not jail.vnet_interfaces:
            attach = Command(("sh", "-c", _ATTACH, "sh", jail.name))
            return (*_ip(*(_add_alias(*alias) for alias in jail.aliases)), attach)
        # The mark on lo remains if the pot's links are gone but the namespace still exists.
        marks = (
            f"link set dev {each} alias {root_mark(jail.root)}" for each in ("lo", *jail.vnet_interfaces)
        )
        return (*_ip(f"netns add {jail.name}"), *_ip(*marks, namespace=jail.name))

    @pieces.register(StopJail)
    def _(self, action: StopJail) -> tuple[Piece, ...]:
        aliases = (f"addr del {_alone(address)} dev {name}" for name, address in action.jail.aliases)
        return _ip(*aliases, f"netns del {action.jail.name}")

    @pieces.register(KeepRouter)
    def _(self, action: KeepRouter) -> tuple[Piece, ...]:
        text = "2\n" if action.enabled else "1\n"
        return (Command(("tee", setting6(action.interface, "accept_ra")), stdin=text),)

    @pieces.register(RemoveEntry)
    def _(self, action: RemoveEntry) -> tuple[Piece, ...]:
        family = "bridge" if action.members else "inet"
        text = f"delete element {family} {GROUP} {action.place} {{ {action.key} }}\n"
        return (Command(("nft", "-f", "-"), stdin=text),)

    @pieces.register(KillStates)
    def _(self, action: KillStates) -> tuple[Piece, ...]:
        if action.whole_pot:
            # Replies of connections to a pot come from the pot's address.
            return tuple(
                Command(("conntrack", "-D", *_family(address), "--reply-src", str(address)))
                for address in action.whole_pot
            )
        return tuple(
            Command(
                (
                    "conntrack", "-D", *_family(each.address),
                    "-p", str(each.protocol),
                    *(("--orig-dst", str(each.host)) if each.host is not None else ()),
                    "--orig-port-dst", str(each.host_port),
                    "--reply-src", str(each.address), "--reply-port-src", str(each.pot_port),
                )
            )
            for each in action.redirections
        )  # fmt: skip

    @pieces.register(EndConnections)
    def _(self, action: EndConnections) -> tuple[Piece, ...]:
        ends = ("-s", str(action.source), "-d", str(action.destination))
        return (Command(("conntrack", "-D", *_family(action.source.ip), *ends)),)

    @pieces.register(LimitRate)
    def _(self, action: LimitRate) -> tuple[Piece, ...]:
        return rates.made(action.pipes)

    @pieces.register(LiftRate)
    def _(self, action: LiftRate) -> tuple[Piece, ...]:
        return rates.lifted(action.pipes)

    @pieces.register(RunInJail)
    def _(self, action: RunInJail) -> tuple[Piece, ...]:
        argv = ("ip", "netns", "exec", action.jail, *action.argv)
        limit, log = action.patience or Limit.LONG, action.log
        return (Command(argv, timeout=limit, quiet=log is None, inside=True, output_to=log),)

    @pieces.register(StartDhcp)
    def _(self, action: StartDhcp) -> tuple[Piece, ...]:
        return dhcp.starting(action)

    @pieces.register(ForgetDhcp)
    def _(self, action: ForgetDhcp) -> tuple[Piece, ...]:
        return (dhcp.forgetting(action),)

    @pieces.register(RemoveDirectory)
    def _(self, action: RemoveDirectory) -> tuple[Piece, ...]:
        return _one("find", "-P", action.path, "-maxdepth", "0", "-type", "d", "-empty", "-delete")

    @pieces.register(CopyTree)
    def _(self, action: CopyTree) -> tuple[Piece, ...]:
        argv = ("cp", "-a", "-x", "-T", action.source, action.destination)
        return (Command(argv, timeout=Limit.LONG),)

    @pieces.register(RemoveTree)
    def _(self, action: RemoveTree) -> tuple[Piece, ...]:
        return (Command(("rm", "-rf", "--one-file-system", action.path), timeout=Limit.LONG),)


def _ip(*lines: str, namespace: str | None = None) -> tuple[Piece, ...]:
    return (Ip(lines, namespace),) if lines else ()


def _one(*argv: str) -> tuple[Piece, ...]:
    return (Command(argv),)


def _switch(on: bool) -> str:
    return "on" if on else "off"


def _alone(address: IPAddress) -> str:
    return f"{address}/{32 if address.version == 4 else 128}"


def _add_alias(interface: str, address: IPAddress) -> str:
    # The address is deprecated at once (RFC 4862), so that the host never uses it for its own connections.
    modest = " nodad preferred_lft 0" if address.version == 6 else ""
    return f"addr add {_alone(address)} dev {interface}{modest}"


def _silence(interface: str) -> str:
    """Return the setting that disables IPv6 on an interface."""
    return setting6(interface, "disable_ipv6")


def _family(address: IPAddress) -> tuple[str, ...]:
    """Return the family option of conntrack(8), which searches only IPv4 by default."""
    return ("-f", "ipv6") if address.version == 6 else ()
