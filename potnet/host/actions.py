"""What can be done to a host, one small change each, and plans made of them.

An action says what is wanted in the field's terms; a driver knows the commands. Every action that makes
something may be undone by another one, which stands beside it in the step. Undoing what is not there
is success.
"""

from __future__ import annotations

from netaddr import IPAddress

from potnet.host.file_actions import FileAction
from potnet.host.filter_actions import FilterAction
from potnet.model.pots import Lent
from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Jail:
    """The parameters of a jail (jail(8)). inherit: families taken from the host, for a pot without VNET."""

    name: str
    hostname: str
    root: str
    vnet_interfaces: tuple[str, ...] = ()
    aliases: tuple[tuple[str, IPAddress], ...] = ()
    inherit: tuple[int, ...] = ()
    devfs: bool = False


@dataclass(frozen=True, slots=True)
class CreateBridge:
    """A bridge (if_bridge(4)), up, in both groups; members: interfaces that join at once.

    mtu: in bytes, of a bridge without members; the first member's takes its place, where it has another.
    """

    interface: str
    description: str
    members: tuple[str, ...] = ()
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class CreateEpair:
    """A pair of Ethernet interfaces (epair(4)), the host's end up and in our group.

    The other end has this MAC address, and goes into this jail when the jail starts, if it is not there yet.
    mtu: of both, in bytes.
    """

    unit: int
    description: str
    mac: str
    jail: str
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class CreateTap:
    """An Ethernet interface whose other side is a process (tap(4)), up, in our group.

    owner: the only user, beside root, whose processes may open it. mtu: in bytes.
    """

    interface: str
    description: str
    owner: str
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class CreateVlan:
    """An interface for a VLAN of another one (vlan(4)), up, in our group. tag: its number. mtu: in bytes."""

    interface: str
    parent: str
    tag: int
    description: str
    mtu: int


@dataclass(frozen=True, slots=True)
class DestroyInterface:
    """Removes a cloned interface; of an epair either end takes both, and a tap may be open.

    owner: of a tap, the user who may open it until then, if that is known.
    """

    interface: str
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class SetOwner:
    """Says anew who, beside root, may open a tap; who has it open keeps it."""

    interface: str
    owner: str


@dataclass(frozen=True, slots=True)
class SetMac:
    """Gives an interface of a jail its MAC address back."""

    interface: str
    mac: str
    jail: str


@dataclass(frozen=True, slots=True)
class SetMtu:
    """Sets the MTU, in bytes, of an interface of the host, or of a jail. before: the one that it had."""

    interface: str
    mtu: int
    jail: str | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class AddMember:
    """Joins a bridge; private: it exchanges nothing with other private members.

    hairpin: what it sends may come back to it, as a pot's call to its own export does. mac: the address that
    is behind it, and no other is; None: whoever is there.
    """

    bridge: str
    member: str
    private: bool = False
    hairpin: bool = False
    mac: str | None = None


@dataclass(frozen=True, slots=True)
class SetPrivate:
    """Makes a member of a bridge private, as `AddMember` would, or public."""

    bridge: str
    member: str
    private: bool


@dataclass(frozen=True, slots=True)
class RemoveMember:
    """Takes an interface off a bridge."""

    bridge: str
    member: str


@dataclass(frozen=True, slots=True)
class BringUp:
    """Brings an interface of the host, or of a jail, up."""

    interface: str
    jail: str | None = None


@dataclass(frozen=True, slots=True)
class MoveToJail:
    """Gives an interface of the host to a running jail with a network stack of its own; root: that jail's."""

    interface: str
    jail: str
    root: str


@dataclass(frozen=True, slots=True)
class PassInterface:
    """Gives an interface of the host's own to a running jail with a network stack of its own."""

    interface: str
    jail: str


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Takes a passed interface out of a jail, if the jail has it, and leaves it as it was.

    The jail may call it otherwise. It gets its own name before it is the host's again.
    """

    lent: Lent
    jail: str


@dataclass(frozen=True, slots=True)
class RestoreInterface:
    """Leaves a passed interface as it was, when the jail is gone and it has come back by itself."""

    lent: Lent


@dataclass(frozen=True, slots=True)
class AddAlias:
    """Puts an address beside those that an interface of the host has, as jail(8) does: as one host's."""

    interface: str
    address: IPAddress


@dataclass(frozen=True, slots=True)
class SetAddress:
    """Gives an interface of the host, or of a jail, an address and brings it up.

    beside: it keeps another one of the same family that it has. mtu: of the interface, as given; None: the
    host's own.
    """

    interface: str
    address: IPAddress
    prefix: int
    jail: str | None = None
    beside: bool = False
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class RemoveAddress:
    interface: str
    address: IPAddress


@dataclass(frozen=True, slots=True)
class AcceptAdvertisements:
    """Lets an interface of a jail configure itself from router advertisements (RFC 4862).

    default_route: the router becomes the jail's.
    """

    interface: str
    jail: str
    default_route: bool = True


@dataclass(frozen=True, slots=True)
class SolicitRouter:
    """Asks for an advertisement at once; without it the next unsolicited one does."""

    interface: str
    jail: str


@dataclass(frozen=True, slots=True)
class AddDefaultRoute:
    gateway: IPAddress
    jail: str


@dataclass(frozen=True, slots=True)
class RemoveDefaultRoute:
    """Removes the default route of a jail."""

    family: int
    jail: str


@dataclass(frozen=True, slots=True)
class SetForwarding:
    family: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class KeepRouter:
    """Whether a host that forwards IPv6 goes on to learn its own default route on an interface.

    Without it, it ignores the routers that advertise themselves (RFC 4861, 6.2.7 and 6.3.4).
    """

    interface: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class StartJail:
    jail: Jail


@dataclass(frozen=True, slots=True)
class EndProcesses:
    """Ends all that runs in a jail, which stays. jid: None: it is looked up."""

    jail: str
    jid: int | None = None


@dataclass(frozen=True, slots=True)
class StopJail:
    """Removes a jail with the configuration that it was started with, so that aliases and mounts go too."""

    jail: Jail


@dataclass(frozen=True, slots=True)
class RunInJail:
    """Runs a program of the jail's. tolerant: its failure does not matter.

    patience: in seconds; None gives it as long as anything that takes its time.
    """

    jail: str
    argv: tuple[str, ...]
    tolerant: bool = False
    patience: float | None = None


@dataclass(frozen=True, slots=True)
class RunHook:
    """Runs an administrator's executable on the host, with these variables in its environment."""

    path: str
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SetBootVariable:
    """Sets a variable that the host reads when it boots (rc.conf(5)). file: in place of the usual one."""

    name: str
    value: str
    file: str | None = None


Action = (
    CreateBridge
    | CreateEpair
    | CreateTap
    | SetOwner
    | CreateVlan
    | DestroyInterface
    | AddMember
    | RemoveMember
    | SetMac
    | SetMtu
    | SetPrivate
    | BringUp
    | MoveToJail
    | PassInterface
    | TakeBack
    | RestoreInterface
    | AddAlias
    | SetAddress
    | RemoveAddress
    | AcceptAdvertisements
    | SolicitRouter
    | AddDefaultRoute
    | RemoveDefaultRoute
    | SetForwarding
    | KeepRouter
    | StartJail
    | EndProcesses
    | StopJail
    | RunInJail
    | RunHook
    | SetBootVariable
    | FilterAction
    | FileAction
)


@dataclass(frozen=True, slots=True)
class Step:
    """An action, what undoes it, and why it is there in a few words.

    undo: an action, or steps in their order. after: actions of the same plan, or undo, that must not have
    failed; else this one is left out, and that is reported.
    """

    action: Action
    undo: Action | tuple[Step, ...] | None = None
    why: str = ""
    after: tuple[Action, ...] = ()

    @property
    def undoing(self) -> tuple[Step, ...]:
        """The steps that undo this one."""
        if isinstance(self.undo, tuple):
            return self.undo
        return (Step(self.undo),) if self.undo is not None else ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in their order, complete before the first of them is carried out.

    notices: what the user should know of it, a line each.
    """

    steps: tuple[Step, ...] = ()
    notices: tuple[str, ...] = ()
