"""Lines of rc.conf(5) that make a FreeBSD host ready for pots."""

from __future__ import annotations

from itertools import count

from potnet.errors import HostError
from potnet.host.findings import Condition, Verdict
from potnet.host.state import HostState, Interface


def refused_as_member(external: Interface, state: HostState) -> bool:
    """Return whether the host refuses an interface as a member of a bridge, since it has addresses."""
    return bool(external.addresses) and not external.bridge and not state.members_keep_addresses


def keeps_addresses(external: Interface, state: HostState, after: str = "or use an IPv4 stack") -> HostError:
    """Return the error of FreeBSD 15 for such a host, with the lines of rc.conf(5) that prepare it.

    after: the end of its hint.
    """
    free, lines = _moving(external, state)
    shown = "".join(f"\n  {line}" for line in lines)
    return HostError(
        f"{_refusal(external)} of its own (net.link.bridge.member_ifaddrs=0).\n"
        f"These lines of rc.conf move them to {free}, which pots then join. For an address by DHCP write "
        f"SYNCDHCP there:{shown}",
        hint=f"reboot the host with these lines in rc.conf, {after}",
    )


def without_member(external: Interface, state: HostState) -> Condition:
    """Return the condition of a host on which only IPv4 works on the public bridge."""
    _, lines = _moving(external, state)
    remedy = f"write into rc.conf, and reboot: {'; '.join(lines)}"
    return Condition("bridges", Verdict.LIMITED, f"for IPv4 only: {_refusal(external)}", remedy)


def _refusal(external: Interface) -> str:
    return f"FreeBSD 15 refuses {external.name} as a member of a bridge while it has addresses"


def _moving(external: Interface, state: HostState) -> tuple[str, list[str]]:
    """Return a free bridge, and the lines that move the addresses of an interface to it."""
    free = next(name for number in count() if (name := f"bridge{number}") not in state.names)
    lines = [f'cloned_interfaces="{free}"', f'ifconfig_{external.name}="up"']
    learned = any(a.learned for a in external.addresses)
    own = [a for a in external.addresses if not a.learned and not a.address.is_link_local()]
    v4 = [f"inet {a.address}/{a.prefix}" for a in own if a.address.version == 4]
    v6 = [f"inet6 {a.address}/{a.prefix}" for a in own if a.address.version == 6]
    first6 = ["inet6 accept_rtadv auto_linklocal"] if learned else v6[:1] or ["inet6 auto_linklocal"]
    lines.append(f'ifconfig_{free}="{" ".join([*v4[:1], "addm", external.name, "up"])}"')
    lines.append(f'ifconfig_{free}_ipv6="{first6[0]}"')
    more = [*v4[1:], *(v6 if learned else v6[1:])]
    lines += [f'ifconfig_{free}_alias{number}="{text}"' for number, text in enumerate(more)]
    return free, lines
