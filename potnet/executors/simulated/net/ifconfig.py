"""The command ifconfig(8)."""

from __future__ import annotations

from dataclasses import dataclass, field

from potnet.executors.base import CommandResult
from potnet.executors.simulated.net import addresses, interfaces, vxlan
from potnet.executors.simulated.net.ifconfig_listing import show
from potnet.executors.simulated.net.ifconfig_words import MAC, PARAMETERS, bridge_only
from potnet.executors.simulated.net.slaac import advertise
from potnet.executors.simulated.net.wires import Place, owner
from potnet.executors.simulated.world.entities import HOST, Address, Interface
from potnet.executors.simulated.world.world import ToolError, View, World, unknown

_FAMILIES = {"inet", "inet6"}


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
                bridge_only(interface)
                self.out += interfaces.static_addresses(self.world, interface)
            elif word in ("static", "ifmaxaddr"):
                self._limit(interface, word, self._argument(word), self._argument(word))
            elif word in PARAMETERS:
                argument = self._argument(word) if PARAMETERS[word][0] else ""
                PARAMETERS[word][1](self.world, interface, argument)
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
                if self.args[0] == "name":
                    raise ToolError("ifconfig: ioctl SIOCSIFNAME (set name): Operation not permitted")
                raise ToolError("ifconfig: ioctl (SIOCAIFADDR): permission denied")
            return self.world.need(self.name, self.view.vnet)
        if self.view.jail is not None and not self.view.jail.vnet:
            raise unknown("ifconfig create inside a jail with the host's network")
        self.args.pop(0)
        if "vxlanid" in self.args[:-1]:
            # ifconfig(8) reads the words of vxlan(4) before it creates the interface.
            vxlan.number(self.args[self.args.index("vxlanid") + 1])
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
        bridge_only(bridge)
        if word == "static":
            if not MAC.fullmatch(value):
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
        if not self.args or self.args[0] in PARAMETERS:
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
                some = interface.inet if family == "inet" else interface.inet6
                words = "permission denied" if some else "Can't assign requested address"
                raise ToolError(f"ifconfig: ioctl (SIOCDIFADDR): {words}")
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
