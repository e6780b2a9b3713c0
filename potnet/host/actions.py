"""The actions on a host, one small change each, and plans made of them.

An action says what the host should have; a driver knows the commands. An action that creates something has
another action beside it in the step, which undoes it. Undoing succeeds if the thing does not exist.
"""

from __future__ import annotations

from netaddr import IPAddress

from potnet.host.file_actions import FileAction
from potnet.host.filter_actions import FilterAction
from potnet.host.jail_actions import JailAction
from potnet.model.pots import Lent
from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class CreateBridge:
    """Create a bridge (if_bridge(4)), up, in both groups. members: interfaces that join at once.

    mtu: in bytes, for a bridge without members; otherwise the bridge takes the MTU of its first member.
    """

    interface: str
    description: str
    members: tuple[str, ...] = ()
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class CreateEpair:
    """Create a pair of Ethernet interfaces (epair(4)); the host's end is up and in potnet's group.

    The other end has this MAC address, and moves into this jail when the jail starts, unless it is there.
    mtu: of both ends, in bytes.
    """

    unit: int
    description: str
    mac: str
    jail: str
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class CreateTap:
    """Create an Ethernet interface with a process at its other side (tap(4)), up, in potnet's group.

    owner: the only user, beside root, whose processes may open the tap. mtu: in bytes.
    """

    interface: str
    description: str
    owner: str
    mtu: int | None = None


@dataclass(frozen=True, slots=True)
class CreateVlan:
    """Create a VLAN of an interface (vlan(4)), up, in potnet's group. tag: its ID. mtu: in bytes."""

    interface: str
    parent: str
    tag: int
    description: str
    mtu: int


@dataclass(frozen=True, slots=True)
class DestroyInterface:
    """Remove a cloned interface. Either end of an epair removes both; a tap may be open.

    owner: the user who may open the tap until then, if known.
    """

    interface: str
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class SetOwner:
    """Set who, beside root, may open a tap; a process that has the tap open keeps it."""

    interface: str
    owner: str


@dataclass(frozen=True, slots=True)
class SetMac:
    """Restore the MAC address of an interface of a jail."""

    interface: str
    mac: str
    jail: str


@dataclass(frozen=True, slots=True)
class SetMtu:
    """Set the MTU, in bytes, of an interface of the host or of a jail. before: its earlier MTU."""

    interface: str
    mtu: int
    jail: str | None = None
    before: int | None = None


@dataclass(frozen=True, slots=True)
class AddMember:
    """Add an interface to a bridge. private: it exchanges nothing with other private members.

    hairpin: the bridge may send its packets back to it, as when a pot connects to its own export. mac: the
    only address behind it; None: any address.
    """

    bridge: str
    member: str
    private: bool = False
    hairpin: bool = False
    mac: str | None = None


@dataclass(frozen=True, slots=True)
class SetPrivate:
    """Make a member of a bridge private, as `AddMember` would, or public."""

    bridge: str
    member: str
    private: bool


@dataclass(frozen=True, slots=True)
class RemoveMember:
    """Remove an interface from a bridge."""

    bridge: str
    member: str


@dataclass(frozen=True, slots=True)
class BringUp:
    """Bring up an interface of the host or of a jail. silent: it gets no IPv6 address of its own."""

    interface: str
    jail: str | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True)
class MoveToJail:
    """Move an interface that potnet created into a running VNET jail. root: the root of that jail."""

    interface: str
    jail: str
    root: str


@dataclass(frozen=True, slots=True)
class PassInterface:
    """Move an interface of the host's own into a running VNET jail."""

    interface: str
    jail: str


@dataclass(frozen=True, slots=True)
class TakeBack:
    """Take a passed interface out of a jail, if the jail has it, and restore its settings.

    The jail may have renamed the interface. It gets its own name before it returns to the host.
    """

    lent: Lent
    jail: str


@dataclass(frozen=True, slots=True)
class RestoreInterface:
    """Restore the settings of a passed interface after its jail is gone and the interface has returned.

    altnames: the names that the interface has now beside its own.
    """

    lent: Lent
    altnames: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AddAlias:
    """Add an address to an interface of the host as jail(8) does: with a full-length prefix."""

    interface: str
    address: IPAddress


@dataclass(frozen=True, slots=True)
class SetAddress:
    """Set an address on an interface of the host or of a jail, and bring the interface up.

    beside: the interface keeps its other address of the same family. mtu: of the interface, as given; None:
    the default of the host. detect: the host detects duplicates of an IPv6 address first (RFC 4862).
    """

    interface: str
    address: IPAddress
    prefix: int
    jail: str | None = None
    beside: bool = False
    mtu: int | None = None
    detect: bool = False


@dataclass(frozen=True, slots=True)
class AwaitAddress:
    """Wait until duplicate detection of an IPv6 address ends; fail if another machine has the address."""

    interface: str
    address: IPAddress
    jail: str


@dataclass(frozen=True, slots=True)
class RemoveAddress:
    interface: str
    address: IPAddress


@dataclass(frozen=True, slots=True)
class AcceptAdvertisements:
    """Let an interface of a jail configure itself from router advertisements (RFC 4862).

    default_route: the router becomes the default route of the jail.
    """

    interface: str
    jail: str
    default_route: bool = True


@dataclass(frozen=True, slots=True)
class SolicitRouter:
    """Request a router advertisement at once; otherwise the interface waits for the next unsolicited one."""

    interface: str
    jail: str


@dataclass(frozen=True, slots=True)
class AddDefaultRoute:
    gateway: IPAddress
    jail: str


@dataclass(frozen=True, slots=True)
class RemoveDefaultRoute:
    """Remove the default route of a jail."""

    family: int
    jail: str


@dataclass(frozen=True, slots=True)
class SetForwarding:
    family: int
    enabled: bool


@dataclass(frozen=True, slots=True)
class KeepRouter:
    """Set whether a host that forwards IPv6 still learns its default route on an interface.

    By default a forwarding host ignores router advertisements (RFC 4861, 6.2.7 and 6.3.4).
    """

    interface: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class RunHook:
    """Run an administrator's executable on the host, with these variables in its environment."""

    path: str
    environment: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SetBootVariable:
    """Set a variable that the host reads when it boots (rc.conf(5)). file: instead of the usual one."""

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
    | AwaitAddress
    | RemoveAddress
    | AcceptAdvertisements
    | SolicitRouter
    | AddDefaultRoute
    | RemoveDefaultRoute
    | SetForwarding
    | KeepRouter
    | RunHook
    | SetBootVariable
    | JailAction
    | FilterAction
    | FileAction
)


@dataclass(frozen=True, slots=True)
class Step:
    """An action, the action that undoes it, and its reason in a few words.

    undo: an action, or steps in their order. after: actions of the same plan, or undo, that must not have
    failed; otherwise this step is skipped and reported.
    """

    action: Action
    undo: Action | tuple[Step, ...] | None = None
    why: str = ""
    after: tuple[Action, ...] = ()

    @property
    def undoing(self) -> tuple[Step, ...]:
        """Return the steps that undo this step."""
        if isinstance(self.undo, tuple):
            return self.undo
        return (Step(self.undo),) if self.undo is not None else ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in their order. The plan is complete before its first step is carried out.

    notices: lines that tell the user something about the plan.
    """

    steps: tuple[Step, ...] = ()
    notices: tuple[str, ...] = ()
