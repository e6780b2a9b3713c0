"""The command ifconfig(8)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from potnet.executors.base import CommandResult
from potnet.executors.simulated.net import addresses, interfaces
from potnet.executors.simulated.net.ifconfig_listing import show
from potnet.executors.simulated.net.slaac import advertise
from potnet.executors.simulated.net.wires import Place, owner
from potnet.executors.simulated.world.entities import HOST, Address, Interface
from potnet.executors.simulated.world.world import ToolError, View, World, unknown

_FAMILIES = {"inet", "inet6"}
_MAC = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}")


def ifconfig(world: World, argv: list[str], view: View) -> CommandResult:
    """ifconfig [-j jail] [--] [-f FORMAT] -l | -a | -g GROUP | NAME [PARAMETER …]."""
    args = argv[1:]
    if args[:1] == ["-j"] and len(args) > 1:
        view = jail_view(world, args[1], "ifconfig: jail not found: No such file or directory")
        args = args[2:]
    # After this word a name may begin with a dash.
    plain = args[:1] == ["--"]
    args = args[1:] if plain else args
    forms = frozenset[str]()
    if args[:1] == ["-f"] and len(args) > 1:
        forms, args = frozenset(args[1].split(",")), args[2:]
        if forms - {"inet:cidr", "inet6:cidr", "ether:colon"}:
            raise unknown(f"ifconfig -f {','.join(sorted(forms))}")
    match args:
        case ["-l"]:
            out = " ".join(i.name for i in world.interfaces(view.vnet)) + "\n"
        case ["-l", "ether"]:
            out = " ".join(i.name for i in world.interfaces(view.vnet) if i.mac) + "\n"
        case ["-a"] | []:
            out = "".join(show(world, i, view, forms) for i in world.interfaces(view.vnet))
        case ["-g", group]:
            return CommandResult(0, "".join(f"{i.name}\n" for i in world.group(group, view.vnet)))
        case [name, *rest] if plain or not name.startswith("-"):
            return _one(world, name, rest, view, forms)
        case _:
            raise unknown(f"ifconfig {' '.join(args)}")
    advertise(world, view.vnet)
    return CommandResult(0, out)


def _one(world: World, name: str, rest: list[str], view: View, forms: frozenset[str]) -> CommandResult:
    family = rest[0] if len(rest) == 1 and rest[0] in ("inet", "inet6", "ether", "link") else ""
    if rest and not family:
        return _Setting(world, name, rest, view).apply()
    world.need(name, view.vnet)
    out = "".join(show(world, each, view, forms, family) for each in world.same(name, view.vnet))
    advertise(world, view.vnet)
    return CommandResult(0, out)


def jail_view(world: World, name: str, refusal: str) -> View:
    jail = world.jail(name)
    if jail is None:
        raise ToolError(refusal)
    return View(jail.stack, jail)


@dataclass
class _Setting:
    """One call that configures; its parameters are carried out from left to right."""

    world: World
    name: str
    args: list[str]
    view: View
    created: bool = False
    out: str = ""
    err: list[str] = field(default_factory=list)
    given: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.given = tuple(self.args)

    def apply(self) -> CommandResult:
        self.world.state.changing()
        if self.args[0] == "-vnet":
            return self._reclaim()
        later = self.args[1:]
        if self.args[0] in _FAMILIES and _FAMILIES & {*later}:
            raise ToolError(f"ifconfig: {next(word for word in later if word in _FAMILIES)}: bad value")
        try:
            return self._configure(self._start())
        except ToolError as failure:
            if not self.created:
                raise
            # ifconfig(8) prints the new name at its end, whatever happens.
            raise ToolError(failure.result.err.removesuffix("\n"), failure.result.code, self.out) from None

    def _configure(self, started: Interface) -> CommandResult:
        mac, first = started.mac, True
        interface: Interface | None = started
        while interface is not None and self.args:
            word = self.args.pop(0)
            if word == "destroy":
                interfaces.destroy(self.world, interface)
                interface = None
            elif word == "vnet":
                self._vnet(interface)
                if self.args[:1] == ["name"]:
                    # The interface is in another stack by now.
                    raise ToolError("ifconfig: ioctl SIOCSIFNAME (set name): Device not configured")
                interface = None
            elif word == "name":
                interfaces.rename(self.world, interface, self._argument("name"))
                self.out = f"{interface.name}\n"
            elif word in _FAMILIES:
                self._check_first(interface, word, first, mac)
                self._address(interface, word)
                self.world.save(interface)
            elif word == "addr":
                _bridge_only(interface)
                self.out += interfaces.static_addresses(self.world, interface)
            elif word in ("static", "ifmaxaddr"):
                self._limit(interface, word, self._argument(word), self._argument(word))
            elif word in _PARAMETERS:
                argument = self._argument(word) if _PARAMETERS[word][0] else ""
                _PARAMETERS[word][1](self.world, interface, argument)
                self.world.save(interface)
                # A parameter may have changed the row of the member or the bridge.
                interface = self.world.need(interface.name, interface.vnet)
            else:
                raise unknown(f"the ifconfig parameter {word}")
            first = False
        if self.args:
            raise unknown(f"ifconfig parameters after that: {' '.join(self.args)}")
        return CommandResult(0, self.out, "".join(f"{line}\n" for line in self.err))

    def _check_first(self, interface: Interface, family: str, first: bool, mac: str) -> None:
        """Refuse a family that is not the first word; a MAC address is set at the end, or not at all."""
        if first or self.created:
            return
        if "ether" in self.given:
            interface.mac = mac
            self.world.save(interface)
            raise ToolError("ifconfig: can't set link-level netmask or broadcast")
        raise ToolError(f"ifconfig: {family}: bad value")

    def _start(self) -> Interface:
        if self.args[0] not in ("create", "plumb"):
            if self.view.jail is not None and not self.view.jail.vnet:
                raise ToolError("ifconfig: ioctl (SIOCAIFADDR): permission denied")
            return self.world.need(self.name, self.view.vnet)
        if self.view.jail is not None and not self.view.jail.vnet:
            raise unknown("ifconfig create inside a jail with the host's network")
        self.args.pop(0)
        made, self.out = interfaces.create(self.world, self.name, self.view.vnet)
        self.created = True
        return made

    def _argument(self, word: str) -> str:
        if not self.args:
            raise ToolError(f"ifconfig: '{word}' requires argument")
        return self.args.pop(0)

    def _vnet(self, interface: Interface) -> None:
        name = self._argument("vnet")
        target = self.world.jail(name)
        if target is None or self.view.vnet != HOST:
            raise _no_jail(name)
        if not target.vnet:
            raise ToolError("ifconfig: SIOCSIFVNET: File exists")
        interfaces.give(self.world, interface, target.stack)

    def _limit(self, bridge: Interface, word: str, member: str, value: str) -> None:
        """Set the address behind a member of a bridge, or the limit of addresses."""
        _bridge_only(bridge)
        if word == "static":
            if not _MAC.fullmatch(value):
                raise ToolError(f"ifconfig: {value}: invalid address: Invalid argument")
            interfaces.set_static(self.world, bridge, member, value.lower())
        elif value.isdigit():
            interfaces.set_most(self.world, bridge, member, int(value))
        else:
            raise ToolError(f"ifconfig: invalid value: {value}")

    def _reclaim(self) -> CommandResult:
        name = self.args[1] if len(self.args) == 2 else ""
        jail = self.world.jail(name)
        if jail is None or self.view.vnet != HOST:
            raise _no_jail(name)
        refusal = f"ifconfig: SIOCSIFRVNET({jail.jid}, {self.name}):"
        if not jail.vnet:
            raise ToolError(f"{refusal} File exists")
        found = self.world.interface(self.name, jail.stack)
        if found is None:
            raise ToolError(f"{refusal} Device not configured")
        interfaces.come_back(self.world, found)
        return CommandResult()

    def _address(self, interface: Interface, family: str) -> None:
        if self.created:
            # ifconfig(8) refuses an address in a call that creates an interface; the new interface stays.
            raise ToolError(f"ifconfig: {family}: bad value")
        if not self.args or self.args[0] in _PARAMETERS:
            return
        text = self.args.pop(0)
        if self.args[:1] == ["prefixlen"]:
            self.args.pop(0)
            text = f"{text}/{self._argument('prefixlen')}"
        address, given = addresses.parse(text, family)
        rest = self.args[:1]
        if rest and rest[0] in ("alias", "-alias"):
            self.args.pop(0)
        if rest == ["-alias"]:
            if not addresses.remove(self.world, interface, address.address):
                raise ToolError("ifconfig: ioctl (SIOCDIFADDR): permission denied")
        elif interfaces.refuses_addresses(self.world, interface):
            raise ToolError(interfaces.MEMBER_REFUSED)
        elif family == "inet":
            if not given and self.world.release.mask_required:
                raise ToolError(
                    "ifconfig: ERROR: setting interface address without mask is no longer supported."
                )
            if not given:
                self.err += [
                    "ifconfig: WARNING: setting interface address without mask is deprecated,",
                    "default mask may not be correct.",
                ]
            addresses.add_inet(self.world, interface, address, rest == ["alias"])
        else:
            if "alias" in self.args:
                # A new IPv6 address never replaces another.
                self.args.remove("alias")
            if "no_dad" in self.args and "NO_DAD" not in interface.nd6:
                # ifconfig(8) sets addresses after it has read all words.
                interface.nd6.append("NO_DAD")
            # It sets flags as it reads their words.
            interface.up = interface.up or "up" in self.args
            rival = self._rival(interface, address)
            addresses.add_inet6(self.world, interface, address, "-ifdisabled" in self.args)
            address.rival = rival and address.since is not None

    def _rival(self, interface: Interface, address: Address) -> bool:
        """Return whether another machine on the wire of an interface has an address."""
        interface.up = True
        self.world.save(interface)
        if address.address == self.world.facts.router6.partition("/")[0]:
            # In a session, a jail may be that router.
            return False
        return owner(self.world, Place(interface.vnet, interface.name), address.address) is not None


def _no_jail(name: str) -> ToolError:
    shown = name if name.isdigit() else f'"{name}"'
    return ToolError(f"ifconfig: jail {shown} not found")


def _descr(_: World, interface: Interface, text: str) -> None:
    interface.descr = text


def _group(world: World, interface: Interface, group: str) -> None:
    if group[-1:].isdigit():
        raise ToolError("ifconfig: setifgroup: group names may not end in a digit")
    if len(group.encode("utf-8", "surrogateescape")) > 15:
        raise ToolError("ifconfig: setifgroup: group name too long")
    if group not in interface.groups:
        world.set_groups(interface, [*interface.groups, group])


def _ungroup(world: World, interface: Interface, group: str) -> None:
    world.set_groups(interface, [g for g in interface.groups if g != group])


def _ether(_: World, interface: Interface, mac: str) -> None:
    if not _MAC.fullmatch(mac):
        raise ToolError("ifconfig: ioctl (SIOCAIFADDR): Invalid argument")
    interface.mac = ":".join(f"{int(octet, 16):02x}" for octet in mac.split(":"))


def _mtu(world: World, interface: Interface, text: str) -> None:
    if not text.isdigit():
        raise ToolError(f"ifconfig: {text}: bad value")
    if not 72 <= int(text) <= 65535:
        raise ToolError("ifconfig: ioctl SIOCSIFMTU (set mtu): Invalid argument")
    interfaces.set_mtu(world, interface, int(text))


def _bridge_only(interface: Interface, name: str = "") -> None:
    if interface.kind != "bridge":
        raise ToolError(f"ifconfig: BRDGADD{name and f' {name}'}: Invalid argument")


def _span(on: bool) -> Callable[[World, Interface, str], None]:
    def setter(world: World, interface: Interface, name: str) -> None:
        _bridge_only(interface, name)
        if on:
            interfaces.add_span(world, interface, name)
        else:
            interfaces.delete_span(world, interface, name)

    return setter


def _vlanfilter(world: World, _: Interface, __: str) -> None:
    """Refuse the word as the address that FreeBSD 14 takes it for."""
    if world.release.vlan_bridges:
        raise unknown("the ifconfig parameter vlanfilter")
    raise ToolError("ifconfig: vlanfilter: bad value")


def _addm(world: World, interface: Interface, name: str) -> None:
    _bridge_only(interface, name)
    interfaces.add_member(world, interface, name)


def _deletem(world: World, interface: Interface, name: str) -> None:
    _bridge_only(interface)
    interfaces.delete_member(world, interface, name)


def _private(value: bool) -> Callable[[World, Interface, str], None]:
    def setter(world: World, interface: Interface, name: str) -> None:
        _bridge_only(interface)
        interfaces.set_private(world, interface, name, value)

    return setter


def _up(world: World, interface: Interface, _: str) -> None:
    interfaces.bring_up(world, interface)


def _down(_: World, interface: Interface, __: str) -> None:
    interface.up = False


def _link0(on: bool) -> Callable[[World, Interface, str], None]:
    def setter(_: World, interface: Interface, __: str) -> None:
        if interface.kind != "tap":
            raise unknown(f"link0 of {interface.name}")
        interface.link0 = on

    return setter


def _nd6(flag: str, on: bool) -> Callable[[World, Interface, str], None]:
    def setter(world: World, interface: Interface, _: str) -> None:
        interface.nd6 = [f for f in interface.nd6 if f != flag] + ([flag] if on else [])
        if flag == "IFDISABLED":
            addresses.pause(world, interface, on)
        addresses.linklocal(world, interface)

    return setter


def _no_sum(name: str) -> Callable[[World, Interface, str], None]:
    def setter(world: World, interface: Interface, _: str) -> None:
        if interface.kind == "loop":
            raise unknown("checksum options of lo0")
        interfaces.drop_sum(world, interface, name)

    return setter


#: Each parameter: whether it has an argument, and its function.
_PARAMETERS: dict[str, tuple[bool, Callable[[World, Interface, str], None]]] = {
    "up": (False, _up),
    "down": (False, _down),
    "link0": (False, _link0(True)),
    "-link0": (False, _link0(False)),
    "descr": (True, _descr),
    "description": (True, _descr),
    "-descr": (False, _descr),
    "-description": (False, _descr),
    "group": (True, _group),
    "-group": (True, _ungroup),
    "ether": (True, _ether),
    "mtu": (True, _mtu),
    "addm": (True, _addm),
    "deletem": (True, _deletem),
    "private": (True, _private(True)),
    "-private": (True, _private(False)),
    "span": (True, _span(True)),
    "-span": (True, _span(False)),
    "vlanfilter": (False, _vlanfilter),
    "accept_rtadv": (False, _nd6("ACCEPT_RTADV", True)),
    "-accept_rtadv": (False, _nd6("ACCEPT_RTADV", False)),
    "no_radr": (False, _nd6("NO_RADR", True)),
    "-no_radr": (False, _nd6("NO_RADR", False)),
    "no_dad": (False, _nd6("NO_DAD", True)),
    "-no_dad": (False, _nd6("NO_DAD", False)),
    "auto_linklocal": (False, _nd6("AUTO_LINKLOCAL", True)),
    "-auto_linklocal": (False, _nd6("AUTO_LINKLOCAL", False)),
    "ifdisabled": (False, _nd6("IFDISABLED", True)),
    "-ifdisabled": (False, _nd6("IFDISABLED", False)),
    "-txcsum": (False, _no_sum("TXCSUM")),
    "-txcsum6": (False, _no_sum("TXCSUM_IPV6")),
}
