"""Check a Linux host before the first change: tools, places for namespaces, and the kernel.

The kernel's features for a new bridge are tested in a temporary network namespace, where nothing else
changes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from potnet.drivers.linux.facts.names import LONGEST_ALIAS, NAMESPACES, OWN_ETC, root_mark
from potnet.drivers.linux.facts.observe import Observer
from potnet.drivers.linux.facts.rates import trial
from potnet.drivers.linux.facts.traits import BRIDGE_PORTS
from potnet.drivers.linux.nft.filter import Filter
from potnet.drivers.linux.uplinks.uplink import External, Uplink, arriving, external_link
from potnet.errors import HostError
from potnet.host.actions import Action, AddMember, CreateBridge, CreateEpair, CreateVlan
from potnet.host.file_actions import MakeDirectory
from potnet.host.filter_actions import FilterMembers, LimitRate, LoadAnchor
from potnet.host.jail_actions import StartDhcp, StartJail
from potnet.host.ruleset import SourceNat

#: The tools, with their Debian packages.
PACKAGES = {
    "ip": "iproute2",
    "ss": "iproute2",
    "tc": "iproute2",
    "nft": "nftables",
    "conntrack": "conntrack",
    "nsenter": "util-linux",
    "unshare": "util-linux",
}
#: Prints the names of missing tools, the directories that are not writable, and the members of bridges as
#: NAME=NUMBER. Arguments: tools, --, bridges.
_LOOK = f"""while [ "$1" != -- ]; do command -v "$1" >/dev/null || echo "$1"; shift; done
shift
for bridge; do set -- /sys/class/net/$bridge/brif/*; echo $bridge=$#; done
look() {{ if [ -e "$1" ]; then [ -w "$1" ]; else [ -w "${{1%/*}}" ]; fi || echo "$1"; }}
look {NAMESPACES}; look {OWN_ETC}
"""
#: Creates the parts of a bridge, and prints the first part that fails with its error. Arguments that add
#: parts: $1 outside, its connection to the outside; $2 vlan; $3 rates, limits of bandwidth; $4 members, a
#: filter of members.
_ARRIVE = "; ".join(f"try tc tc {line}" for line in arriving("epair0b", "epair0a"))
_LIMIT = "; ".join(f"try rates {line}" for line in trial("epair0a", "epair0b"))
_TRY = f"""try() {{ what=$1; shift; said=$("$@" 2>&1) || {{ echo $what: $said; exit; }}; }}
try bridge ip link add bridge0 type bridge mcast_snooping 0
try veth ip link add epair0a type veth peer name epair0b
if [ $2 = vlan ]; then try vlan ip link add link epair0a name vlan0 type vlan id 1; fi
if [ $3 = rates ]; then {_LIMIT}; fi
if [ $4 = members ]; then
  try members nft add table bridge potnet
  try members nft "add chain bridge potnet members {{ type filter hook prerouting priority filter; }}"
fi
if [ $1 = outside ]; then
  [ -d /proc/sys/net/ipv6 ] || {{ echo ipv6:; exit; }}
  {_ARRIVE}
fi
try nft nft -f -
"""
#: The features that a kernel may lack, with the remedies.
_KERNEL = {
    "bridge": ("has no bridges", "`modprobe bridge`, or a kernel with CONFIG_BRIDGE"),
    "veth": ("has no veth pairs", "`modprobe veth`, or a kernel with CONFIG_VETH"),
    "vlan": ("has no VLANs", "`modprobe 8021q`, or a kernel with CONFIG_VLAN_8021Q"),
    "rates": (
        "lacks modules that limit bandwidth",
        "`modprobe -a ifb sch_tbf sch_ingress cls_u32 act_mirred`, or a kernel with these",
    ),
    "ipv6": ("has no IPv6", "use an IPv4 stack, or start the host without ipv6.disable=1"),
    "tc": (
        "lacks modules that tc(8) requires for IPv6",
        "`modprobe -a sch_ingress cls_u32 act_mirred`, or a kernel with these",
    ),
    "members": (
        "cannot filter traffic on bridges",
        "a kernel with CONFIG_NF_TABLES_BRIDGE, or leave network.antispoof out",
    ),
    "nft": (
        "refuses the nftables rules of potnet",
        "use nft 1.0 and Linux 5.7 with NAT, fib and maps in nf_tables; IPv6 requires Linux 5.16",
    ),
}


class Preconditions:
    """Checks each kind of requirement once per command, and only if an action needs it."""

    def __init__(self, observer: Observer, rules: Filter, uplink: Uplink) -> None:
        self._observer = observer
        self._filter = rules
        self._uplink = uplink
        self._looked = False
        self._tried: set[str] = set()

    def check(self, actions: Sequence[Action]) -> None:
        """Check that the actions are possible here, without a change. Raises HostError otherwise."""
        if any(map(_needs_look, actions)):
            self._look(actions)
        for action in actions:
            match action:
                case StartJail(jail) if jail.vnet_interfaces:
                    _check_root(jail.root)
                case CreateBridge(members=(external,)):
                    self._check_external(external)
        if any(isinstance(action, StartDhcp) for action in actions):
            self._check_client()
        if any(isinstance(action, CreateBridge | LimitRate | FilterMembers) for action in actions):
            self._try(actions)

    def _look(self, actions: Sequence[Action]) -> None:
        if self._looked:
            return
        joined = Counter(action.bridge for action in actions if isinstance(action, AddMember))
        argv = ("sh", "-c", _LOOK, "sh", *PACKAGES, "--", *joined)
        missing = self._observer.run(*argv).out.split()
        tools = [each for each in missing if each in PACKAGES]
        if tools:
            packages = " ".join(dict.fromkeys(PACKAGES[tool] for tool in tools))
            raise HostError(
                f"this host lacks {', '.join(tools)}", hint=f"on Debian: apt-get install {packages}"
            )
        if NAMESPACES in missing:
            raise HostError(
                f"cannot create network namespaces: {NAMESPACES} is not writable",
                hint="run potnet as root; in a namespace of your own, `mount -t tmpfs tmpfs /run` first",
            )
        if OWN_ETC in missing:
            raise HostError(
                f"cannot write files of pots: {OWN_ETC} is not writable",
                hint="run potnet as root; in a namespace of your own, mount an overlay on /etc first, as the "
                "README does (Try it on Linux)",
            )
        _check_room(joined, missing)
        self._looked = True

    def _check_client(self) -> None:
        if self._observer.run("sh", "-c", "command -v udhcpc").code != 0:
            raise HostError(
                "this host lacks udhcpc, which gets addresses by DHCP for pots",
                hint="on Debian: apt-get install udhcpc",
            )

    def _check_external(self, external: str) -> None:
        """Check an external interface: IPv6 on a bridge requires one that sends from other MAC addresses."""
        found = external_link(self._observer.link(external) or {}, external)
        wireless = self._observer.run("test", "-e", f"/sys/class/net/{external}/phy80211").code == 0
        if found.mac is None or wireless:
            why = "is wireless" if wireless else "is not an Ethernet interface"
            raise HostError(
                f"the public bridge for IPv6 cannot have {external} as its member: it {why}",
                hint="use an IPv4 stack, or name another interface as network.external_interface",
            )

    def _try(self, actions: Sequence[Action]) -> None:
        """Create everything in a temporary namespace."""
        external = any(isinstance(action, CreateBridge) and action.members for action in actions)
        rules = "".join(
            self._filter.table(action.anchor, action.rules)
            for action in actions
            if isinstance(action, LoadAnchor)
            and isinstance(action.rules, SourceNat)
            and action.rules.network.version == 4
        )
        if external:
            stand_in = External("epair0a", "02:00:00:00:00:01", 1500, False)
            rules += self._uplink.table("bridge0", stand_in, ("epair0b", "epair0b"))
        kind = "outside" if external else "inside"
        more = "vlan" if any(isinstance(action, CreateVlan) for action in actions) else "plain"
        rates = "rates" if any(isinstance(action, LimitRate) for action in actions) else "free"
        members = "members" if any(isinstance(action, FilterMembers) for action in actions) else "routed"
        if {kind, more, rates, members} <= self._tried:
            return
        argv = ("unshare", "--net", "sh", "-c", _TRY, "sh", kind, more, rates, members)
        result = self._observer.run(*argv, stdin=rules)
        what, _, said = result.out.strip().partition(":")
        if result.code != 0:
            raise HostError(
                f"cannot create a network namespace: {result.err.strip() or 'no reason given'}",
                hint="run potnet as root, or as root of a namespace (unshare -Urnm)",
            )
        if what:
            lack, hint = _KERNEL[what]
            raise HostError(f"the kernel of this host {lack}{f': {said.strip()}' if said else ''}", hint=hint)
        self._tried |= {kind, "inside", more, "plain", rates, "free", members, "routed"}


def _needs_look(action: Action) -> bool:
    if isinstance(action, MakeDirectory):
        return action.path.startswith(OWN_ETC)
    return isinstance(action, (StartJail, CreateEpair, CreateBridge, LoadAnchor))


def _check_room(joined: Mapping[str, int], words: Sequence[str]) -> None:
    """Check the number of members: others may have added members to a bridge. words: include NAME=NUMBER."""
    for word in words:
        bridge, _, number = word.partition("=")
        if number.isdigit() and int(number) + joined[bridge] > BRIDGE_PORTS:
            raise HostError(
                f"{bridge} is full: a bridge holds {BRIDGE_PORTS} members",
                hint="stop a pot on it, or use another bridge: `potnet create-private-bridge`",
            )


def _check_root(root: str) -> None:
    longest = LONGEST_ALIAS - len(root_mark(""))
    if len(root_mark(root)) > LONGEST_ALIAS:
        raise HostError(
            f"the path {root} is too long for a root: at most {longest} characters",
            hint="use a shorter path",
        )
