"""Render actions as FreeBSD commands; decisions are made elsewhere.

Each command was seen on a real FreeBSD 14 or is in its manual pages.
Interfaces: ifconfig(8), epair(4), bridge(4), vlan(4), tap(4), route(8). Jails: jail(8), jail.conf(5).
Host: sysctl(8), pfctl(8), chown(8), find(1), mv(1).
"""

from __future__ import annotations

from functools import singledispatchmethod

from potnet.drivers.freebsd.commands import files, jails
from potnet.drivers.freebsd.commands.passed import mtu_words, restored
from potnet.drivers.freebsd.commands.taps import is_tap, owned
from potnet.drivers.freebsd.pf.exports import Exact
from potnet.drivers.freebsd.pf.pipes import pipe_numbers
from potnet.drivers.freebsd.pf.rules import Render, network_text, rules_text
from potnet.executors.base import Command, Limit
from potnet.host.actions import (
    AcceptAdvertisements,
    Action,
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
    SetBootVariable,
    SetForwarding,
    SetMac,
    SetMtu,
    SetOwner,
    SetPrivate,
    SolicitRouter,
)
from potnet.host.filter_actions import (
    CheckRules,
    EndConnections,
    FilterLocal,
    FilterMembers,
    LiftRate,
    LimitRate,
    LoadAnchor,
    LoadRules,
    PrepareFilter,
    SwitchFilter,
)
from potnet.host.jail_actions import RunInJail, SetParameters, StartJail, StopJail
from potnet.model.pots import BRIDGE_GROUP, GROUP

FORWARDING = {4: "net.inet.ip.forwarding", 6: "net.inet6.ip6.forwarding"}
#: This variable makes a forwarding host a customer edge router (RFC 6204, W-3), which still learns its
#: router.
KEEP_ROUTER = "net.inet6.ip6.rfc6204w3"

#: Both are required: the second shows pf packets to the host itself at a member (bridge(4)).
MEMBERS = ("net.link.bridge.pfil_member", "net.link.bridge.pfil_local_phys")


class Renderer:
    """Renders actions as commands; `template` fills in pf and jail.conf templates.

    exact: returns whether pf lets in as many states as a limit says.
    """

    def __init__(self, template: Render, exact: Exact) -> None:
        self._template = template
        self._exact = exact

    def commands(self, action: Action) -> tuple[Command, ...]:
        """Return the commands of an action, in their order."""
        return self._commands(action)

    @singledispatchmethod
    def _commands(self, action: object) -> tuple[Command, ...]:
        return files.commands(action)

    @_commands.register(CreateBridge)
    def _(self, action: CreateBridge) -> tuple[Command, ...]:
        members = tuple(word for member in action.members for word in ("addm", member))
        return _one(
            "ifconfig", action.interface, "create", "descr", action.description,
            "group", GROUP, "group", BRIDGE_GROUP, *mtu_words(action.mtu), *members, "up",
        )  # fmt: skip

    @_commands.register(CreateEpair)
    def _(self, action: CreateEpair) -> tuple[Command, ...]:
        # The offloads of epairs since 14.4 break bridging, and a bridge copies them from its first member.
        create = (
            "ifconfig", f"epair{action.unit}", "create", "descr", action.description,
            "group", GROUP, *mtu_words(action.mtu), "-txcsum", "-txcsum6", "up",
        )  # fmt: skip
        far = ("ifconfig", f"epair{action.unit}b", "ether", action.mac, *mtu_words(action.mtu))
        return Command(create), Command(far)

    @_commands.register(CreateTap)
    def _(self, action: CreateTap) -> tuple[Command, ...]:
        # A tap goes down when its process closes it, and loses packets; link0 keeps it up (tap(4)).
        create = (
            "ifconfig", action.interface, "create", "descr", action.description,
            "group", GROUP, *mtu_words(action.mtu), "link0", "up",
        )  # fmt: skip
        # The kernel only checks the permissions of the node, which belongs to uucp (tunopen in if_tuntap.c).
        return Command(create), owned(action.interface, action.owner)

    @_commands.register(CreateVlan)
    def _(self, action: CreateVlan) -> tuple[Command, ...]:
        # The name contains parent and tag (ifconfig(8)).
        return _one(
            "ifconfig", action.interface, "create", "descr", action.description,
            "group", GROUP, *mtu_words(action.mtu), "up",
        )  # fmt: skip

    @_commands.register(DestroyInterface)
    def _(self, action: DestroyInterface) -> tuple[Command, ...]:
        destroy = Command(("ifconfig", action.interface, "destroy"))
        if not is_tap(action.interface) or action.owner == "root":
            return (destroy,)
        return owned(action.interface, "root"), destroy

    @_commands.register(SetOwner)
    def _(self, action: SetOwner) -> tuple[Command, ...]:
        return (owned(action.interface, action.owner),)

    @_commands.register(SetMac)
    def _(self, action: SetMac) -> tuple[Command, ...]:
        # A VNET jail may do this itself (prison_priv_check(9), PRIV_NET_SETLLADDR).
        return _one("ifconfig", "-j", action.jail, action.interface, "ether", action.mac)

    @_commands.register(SetMtu)
    def _(self, action: SetMtu) -> tuple[Command, ...]:
        # The MTU of a bridge also changes all its members.
        where = ("-j", action.jail) if action.jail else ()
        return _one("ifconfig", *where, action.interface, *mtu_words(action.mtu))

    @_commands.register(AddMember)
    def _(self, action: AddMember) -> tuple[Command, ...]:
        member = action.member
        private = ("private", member) if action.private else ()
        # The bridge drops frames from other addresses, and no other member can use this address.
        alone = ("static", member, action.mac, "ifmaxaddr", member, "1") if action.mac is not None else ()
        return _one("ifconfig", action.bridge, "addm", member, *private, *alone)

    @_commands.register(SetPrivate)
    def _(self, action: SetPrivate) -> tuple[Command, ...]:
        return _one("ifconfig", action.bridge, "private" if action.private else "-private", action.member)

    @_commands.register(RemoveMember)
    def _(self, action: RemoveMember) -> tuple[Command, ...]:
        return _one("ifconfig", action.bridge, "deletem", action.member)

    @_commands.register(BringUp)
    def _(self, action: BringUp) -> tuple[Command, ...]:
        where = ("-j", action.jail) if action.jail else ()
        return _one("ifconfig", *where, action.interface, "up")

    @_commands.register(MoveToJail)
    def _(self, action: MoveToJail) -> tuple[Command, ...]:
        return _one("ifconfig", action.interface, "vnet", action.jail)

    @_commands.register(PassInterface)
    def _(self, action: PassInterface) -> tuple[Command, ...]:
        return _one("ifconfig", action.interface, "vnet", action.jail)

    @_commands.register(RestoreInterface)
    def _(self, action: RestoreInterface) -> tuple[Command, ...]:
        return restored(action.lent)

    @_commands.register(AddAlias)
    def _(self, action: AddAlias) -> tuple[Command, ...]:
        family, alone = ("inet", 32) if action.address.version == 4 else ("inet6", 128)
        return _one("ifconfig", action.interface, family, f"{action.address}/{alone}", "alias")

    @_commands.register(RemoveDefaultRoute)
    def _(self, action: RemoveDefaultRoute) -> tuple[Command, ...]:
        family = () if action.family == 4 else ("-inet6",)
        return _one("route", "-j", action.jail, "delete", *family, "default")

    @_commands.register(SetAddress)
    def _(self, action: SetAddress) -> tuple[Command, ...]:
        where = ("-j", action.jail) if action.jail else ()
        network = f"{action.address}/{action.prefix}"
        # A new interface has IPv6 disabled. Duplicate detection would delay an address by more than a second,
        # and the store never assigns an address twice.
        version6 = ("inet6", network, *(() if action.detect else ("no_dad",)), "-ifdisabled")
        words = ("inet", network) if action.address.version == 4 else version6
        beside = ("alias",) if action.beside else ()
        return _one("ifconfig", *where, action.interface, *words, *beside, "up")

    @_commands.register(RemoveAddress)
    def _(self, action: RemoveAddress) -> tuple[Command, ...]:
        family = "inet" if action.address.version == 4 else "inet6"
        return _one("ifconfig", action.interface, family, str(action.address), "-alias")

    @_commands.register(AcceptAdvertisements)
    def _(self, action: AcceptAdvertisements) -> tuple[Command, ...]:
        # With no_radr the router does not become a default router (ifconfig(8)).
        apart = () if action.default_route else ("no_radr",)
        return _one(
            "ifconfig", "-j", action.jail, action.interface,
            "inet6", "accept_rtadv", *apart, "auto_linklocal", "-ifdisabled", "up",
        )  # fmt: skip

    @_commands.register(SolicitRouter)
    def _(self, action: SolicitRouter) -> tuple[Command, ...]:
        return (_inside(action.jail, ("/sbin/rtsol", action.interface), Limit.BRIEF),)

    @_commands.register(AddDefaultRoute)
    def _(self, action: AddDefaultRoute) -> tuple[Command, ...]:
        family = () if action.gateway.version == 4 else ("-inet6",)
        return _one("route", "-j", action.jail, "add", *family, "default", str(action.gateway))

    @_commands.register(SetForwarding)
    def _(self, action: SetForwarding) -> tuple[Command, ...]:
        return _one("sysctl", f"{FORWARDING[action.family]}={int(action.enabled)}")

    @_commands.register(KeepRouter)
    def _(self, action: KeepRouter) -> tuple[Command, ...]:
        return _one("sysctl", f"{KEEP_ROUTER}={int(action.enabled)}")

    @_commands.register(LoadAnchor)
    def _(self, action: LoadAnchor) -> tuple[Command, ...]:
        return (
            Command(
                ("pfctl", "-a", action.anchor, "-f", "-"),
                stdin=rules_text(self._template, action.rules, self._exact),
            ),
        )

    @_commands.register(EndConnections)
    def _(self, action: EndConnections) -> tuple[Command, ...]:
        return _one("pfctl", "-k", network_text(action.source), "-k", network_text(action.destination))

    @_commands.register(LimitRate)
    def _(self, action: LimitRate) -> tuple[Command, ...]:
        # -n: a loaded module is not an error. 0: no limit (dnctl(8)).
        rates = zip(pipe_numbers(action.pipes), (action.pipes.rate_in, action.pipes.rate_out), strict=True)
        pipes = (("pipe", str(number), "config", "bw", f"{rate or 0}bit/s") for number, rate in rates)
        return Command(("kldload", "-n", "dummynet")), *(Command(("dnctl", *words)) for words in pipes)

    @_commands.register(LiftRate)
    def _(self, action: LiftRate) -> tuple[Command, ...]:
        numbers = pipe_numbers(action.pipes)
        return tuple(Command(("dnctl", "pipe", "delete", str(number))) for number in numbers)

    @_commands.register(StartJail)
    def _(self, action: StartJail) -> tuple[Command, ...]:
        return (jails.starting(action.jail, self._template),)

    @_commands.register(SetParameters)
    def _(self, action: SetParameters) -> tuple[Command, ...]:
        return (jails.changing(action),)

    @_commands.register(StopJail)
    def _(self, action: StopJail) -> tuple[Command, ...]:
        return (jails.stopping(action.jail, self._template),)

    @_commands.register(RunInJail)
    def _(self, action: RunInJail) -> tuple[Command, ...]:
        return (_inside(action.jail, action.argv, action.patience or Limit.LONG, action.log),)

    @_commands.register(PrepareFilter)
    def _(self, action: PrepareFilter) -> tuple[Command, ...]:
        # -n: success if the module is loaded, or if the kernel itself contains pf.
        return _one("kldload", "-n", "pf")

    @_commands.register(CheckRules)
    def _(self, action: CheckRules) -> tuple[Command, ...]:
        return _one("pfctl", "-nf", action.path, *action.flags)

    @_commands.register(LoadRules)
    def _(self, action: LoadRules) -> tuple[Command, ...]:
        return _one("pfctl", "-f", action.path, *action.flags)

    @_commands.register(SwitchFilter)
    def _(self, action: SwitchFilter) -> tuple[Command, ...]:
        return _one("pfctl", "-e" if action.enabled else "-d")

    @_commands.register(SetBootVariable)
    def _(self, action: SetBootVariable) -> tuple[Command, ...]:
        return _one("sysrc", *(("-f", action.file) if action.file else ()), f"{action.name}={action.value}")

    @_commands.register(FilterMembers)
    def _(self, action: FilterMembers) -> tuple[Command, ...]:
        return _one("sysctl", *(f"{name}={int(action.enabled)}" for name in action.switches))

    @_commands.register(FilterLocal)
    def _(self, action: FilterLocal) -> tuple[Command, ...]:
        return _one("sysctl", "net.pf.filter_local=1")


def _inside(jail: str, argv: tuple[str, ...], limit: Limit | float, log: str | None = None) -> Command:
    words = ("jexec", jail, *argv)
    return Command(words, timeout=limit, quiet=log is None, inside=True, output_to=log)


def _one(*argv: str) -> tuple[Command, ...]:
    return (Command(argv),)
