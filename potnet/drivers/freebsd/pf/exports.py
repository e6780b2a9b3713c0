"""Build the words of pf.conf(5) for exports, for the templates.

An export is usually one "rdr pass" rule. Filter rules do not see its connections.

An export that limits connections needs a filter rule. Its redirection tags the connections instead of passing
them, and a filter rule in an anchor of its own passes connections with the tag.

Exports of a pot whose bridge members are filtered need filter rules too. There pf sees each packet twice, at
the member and at the bridge. A floating state would translate the packet at the member, and the bridge would
see an unknown packet. The states are therefore bound to their interface (pf.conf(5), if-bound), in both
directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from potnet.drivers.freebsd.pf.pipes import pipe_numbers
from potnet.host.ruleset import ConnectionLimits, Outlet, Redirection, Redirections
from potnet.model.ports import Transport, port_text
from potnet.model.pots import BRIDGE_GROUP
from potnet.runtime.fast_dataclass import dataclass

#: Returns whether pf lets in as many states as a limit says.
Exact = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Way:
    """A way in for connections to an export: interface, sources and address. tag: empty for a rule that
    passes."""

    interfaces: str
    sources: str
    hosts: str
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """The words of one export's rules in one family. callers: sources that nat hides from the pot."""

    family: str
    protocol: str
    callers: str
    host_ports: str
    address: str
    pot_ports: str
    target_ports: str
    ways: tuple[Way, ...]


def redirection_rules(rules: Redirections) -> tuple[Rules, ...]:
    """Return the words for the template of redirections, export by export."""
    return tuple(_rules(item, rules) for item in rules.items)


def limit_rules(rules: ConnectionLimits, exact: Exact) -> list[dict[str, object]]:
    """Return the words for the template of limits. exact: asked only if the rules depend on the answer."""
    return [
        {
            "way": way,
            "family": _family(item),
            "protocol": item.protocol,
            "address": item.address,
            "ports": _range(item.pot_port, item.count),
            "tag": _tag(item),
            "options": ", ".join(options),
            "pipes": pipes if way.startswith("out") else (),
        }
        for pipes in [pipe_numbers(rules.pipes) if rules.pipes is not None else ()]
        for item in rules.items
        for way, options in _admitted(item, rules, exact)
    ]


def _admitted(item: Redirection, rules: ConnectionLimits, exact: Exact) -> Iterator[tuple[str, list[str]]]:
    """Yield the paths of connections to an export, with the options of their states."""
    outside = _braced([*(o.interface for o in rules.outlets), BRIDGE_GROUP])
    bound = [] if rules.bridge is None else ["if-bound"]
    yield f"in quick on {outside}", [*_limit(item, exact), *bound]
    if rules.bridge is not None:
        if _by_loopback(item):
            yield "in quick on lo0", bound
        yield f"out quick on {rules.bridge}", bound


def _limit(item: Redirection, exact: Exact) -> list[str]:
    """Return the options that limit the connections of a source (pf.conf(5), Stateful Tracking Options).

    For udp, pf counts states. Before FreeBSD 15, it counts a new state first, and then compares with the
    limit. A limit above 1 therefore lets in one state less (pf_find_src_node in pf.c).
    """
    if item.max_connections is None:
        return []
    if item.protocol is Transport.TCP:
        return [f"max-src-conn {item.max_connections}"]
    states = item.max_connections + (item.max_connections > 1 and not exact())
    # FreeBSD 15 otherwise counts the states of all exports together.
    return ["source-track rule", f"max-src-states {states}"]


def hosts(outlet: Outlet, family: int) -> list[str]:
    """Return the host's addresses for exports on an outlet.

    The default is the interface's first address, in pf's dynamic form, because further addresses may belong
    to jails.
    """
    return [str(each) for each in outlet.of_family(family)] or [f"({outlet.interface}:0)"]


def _rules(item: Redirection, rules: Redirections) -> Rules:
    return Rules(
        family=_family(item),
        protocol=str(item.protocol),
        callers=_callers(item, rules),
        host_ports=_range(item.host_port, item.count),
        address=str(item.address),
        pot_ports=_range(item.pot_port, item.count),
        target_ports=str(item.pot_port) if item.count == 1 else f"{item.pot_port}:*",
        ways=tuple(_ways(item, rules)),
    )


def _ways(item: Redirection, rules: Redirections) -> Iterable[Way]:
    tag = _tag(item) if rules.marked or item.max_connections is not None else ""
    sources = _braced([str(each) for each in item.sources]) if item.sources else "any"
    # Limits and sources do not apply on lo0, because the host itself is not such a source.
    apart = bool(tag or item.sources)
    local = _by_loopback(item)
    for interfaces, called in _entries(item, rules.outlets):
        ends = _braced(called if not local or item.host is not None else [*called, "127.0.0.1"])
        inside = ["lo0"] if local and not apart else []
        yield Way(
            _list([*interfaces, BRIDGE_GROUP, *inside]),
            sources,
            _braced(called) if apart else ends,
            tag,
        )
        if local and apart:
            yield Way("lo0", "any", ends, tag if rules.marked else "")


def _entries(item: Redirection, outlets: Sequence[Outlet]) -> list[tuple[list[str], list[str]]]:
    """Return the outlets of incoming connections, and the addresses there."""
    if item.host is not None:
        return [([o.interface for o in outlets], [str(item.host)])]
    return [([o.interface], hosts(o, item.address.version)) for o in outlets]


def _callers(item: Redirection, rules: Redirections) -> str:
    if _by_loopback(item):
        far = [str(each) for o in rules.outlets for each in o.of_family(4) or (f"({o.interface})",)]
        own = [str(item.host)] if item.host is not None else ["127.0.0.0/8", *far]
        return _braced([*own, *_pots(item, rules)])
    return _braced(_pots(item, rules))


def _pots(item: Redirection, rules: Redirections) -> list[str]:
    """Return the networks of pots in the family of an export."""
    version = item.address.version
    found = (rules.network, *rules.networks)
    return [str(each) for each in found if each.version == version]


def _by_loopback(item: Redirection) -> bool:
    """Return whether the host itself can connect; replies over IPv6 were never seen."""
    return item.loopback and item.address.version == 4


def _family(item: Redirection) -> str:
    return "inet" if item.address.version == 4 else "inet6"


def _tag(item: Redirection) -> str:
    """Return the tag for connections of an export; port and address make the tag unique."""
    at = f"@{item.host}" if item.host is not None else ""
    return f"potnet:{item.protocol}:{item.host_port}{at}"


def _range(first: int, count: int) -> str:
    return port_text(first, count).replace("-", ":")


def _braced(words: Sequence[str]) -> str:
    """Return one word unchanged, or several as a list."""
    return words[0] if len(words) == 1 else _list(words)


def _list(words: Sequence[str]) -> str:
    return f"{{ {' '.join(words)} }}"
