"""The facts that a start observes, and the files and the record that it writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from potnet.host.query import Query
from potnet.host.state import FileKind, HostState
from potnet.model.bridges import Bridge
from potnet.model.jail_parameters import ruleset_of
from potnet.model.pots import Pot, ResolverKind, Run
from potnet.operations.exports.ports import host_addresses, needs_range
from potnet.operations.files.hosts_files import Neighbours, hosts_text
from potnet.operations.files.pot_logs import ways_to_logs
from potnet.operations.networks.in_force import candidates, known_outlets
from potnet.planning import resolver
from potnet.planning.filter.packet_filter import own_anchors
from potnet.planning.jail import (
    DHCLIENT,
    LOOKED_AT,
    PACKETS_RULESET,
    boot_command,
    etc_of,
    host_files,
    path_in,
    rulesets_of,
    wants_devfs,
)
from potnet.planning.roots import ways_to
from potnet.planning.start import ignored_exports
from potnet.runtime.fast_dataclass import dataclass

if TYPE_CHECKING:
    from potnet.app import App

RESOLV_CONF = "/etc/resolv.conf"


@dataclass(frozen=True, slots=True)
class StartContext:
    """The facts from which potnet plans one start.

    pot: with free interface units and host ports. bridges: those that the pot is attached to, by name. state:
    the observed host. neighbours: the pots that the hosts file lists.
    """

    pot: Pot
    bridges: Mapping[str, Bridge]
    state: HostState
    neighbours: Neighbours


def host_query(app: App, pot: Pot, bridges: Mapping[str, Bridge]) -> Query:
    """Return the query for a start. bridges: those of the pot's attachments, by name."""
    routed, jail = pot.home is not None, pot.is_jail
    exports = bool(pot.exports) and ignored_exports(pot) is None
    programs = (DHCLIENT,) if pot.by_dhcp else ()
    seen = [path_in(pot.root, name) for name in (*LOOKED_AT, *programs)]
    etc = etc_of(pot, app.driver.traits)
    ends = tuple(end for a in pot.attachments for end in (a.host_end, a.jail_end))
    outside = bool(ends) or keeps_exports_off(app, pot)
    interfaces = (*(b.interface for b in bridges.values()), *(known_outlets(app) if outside else ()))
    return Query(
        candidates=(*ends, *(candidates(app) if outside else ())),
        interfaces=None if pot.aliases else interfaces,
        members=any(b.lan is not None or crowded(app, name) for name, b in bridges.items()),
        local_addresses=outside,
        external=outside and app.config.external_interface is None,
        pot_bridges=outside and not ends,
        packet_filter=routed or pot.antispoof,
        own_anchors=own_anchors(app.config),
        unfiltered=pot.antispoof,
        listeners=exports,
        port_range=exports and needs_range(app, pot.exports),
        own_addresses=host_addresses(pot.exports) if exports else (),
        jail_addresses=exports and bool(host_addresses(pot.exports)),
        mounts=pot.dataset is not None,
        ways=(*(ways_to(pot) if app.driver.traits.own_programs else ()), *ways_to_logs(app)) if jail else (),
        files=(pot.root, *seen, *resolver.looked_at(pot, etc)) if jail else (),
        texts=(RESOLV_CONF,) if jail and pot.resolver.kind is ResolverKind.INHERIT else (),
        devfs=((path_in(pot.root, "dev"), ruleset_of(pot.parameters)),)
        if jail and not host_files(pot.root)
        else (),
        rulesets=tuple({*rulesets_of(pot, devfs=False)} - {PACKETS_RULESET}) if jail else (),
        hostname=jail and pot.resolver.kind is ResolverKind.POT,
    )


def keeps_exports_off(app: App, pot: Pot) -> bool:
    """Whether rules of bridges need this pot's addresses, at which the host must not offer exports."""
    return bool(pot.aliases) and not app.driver.traits.first_address


def crowded(app: App, bridge: str) -> bool:
    """Whether a bridge could be full. Counting the members costs a query on some kinds of host."""
    ports = app.driver.traits.bridge_ports
    return ports is not None and len(app.store.bridged_names(bridge)) >= ports - 1


def texts_for(app: App, pot: Pot, state: HostState, others: Neighbours) -> dict[str, str]:
    """Return the files for the jail's etc; a machine has its own. others: pots for the hosts file."""
    if not pot.is_jail:
        return {}
    resolv_conf = resolver_text(app, pot, state)
    texts = {} if resolv_conf is None else {"resolv.conf": resolv_conf}
    texts |= {"hosts": hosts_text(app, pot, others)}
    client = dhclient_text(app, pot)
    return texts if client is None else texts | {resolver.DHCLIENT_CONF: client}


def dhclient_text(app: App, pot: Pot) -> str | None:
    """Return the dhclient.conf(5) of a pot, or None if its root has no DHCP client to configure."""
    from potnet.templates import render

    if not pot.by_dhcp or not app.driver.traits.own_programs:
        return None
    values = {
        "interfaces": [{"name": own.jail_end, "routes": pot.leads_out(own, 4)} for own in pot.by_dhcp],
        "resolver": pot.resolver.kind is ResolverKind.OFF,
    }
    return render(app.config.templates, "dhclient.conf.j2", values)


def with_upstream(app: App, state: HostState) -> HostState:
    """Add the host resolver's own upstream resolvers to the state if it listens on the loopback."""
    path = app.driver.traits.upstream_resolvers
    if path is None or not resolver.loopback_only(state.texts.get(RESOLV_CONF, "")):
        return state
    return replace(state, texts={**state.texts, **app.driver.observe(Query(texts=(path,))).texts})


def resolver_text(app: App, pot: Pot, state: HostState) -> str | None:
    """Return the resolv.conf(5) of a pot, or None if the pot gets none."""
    from potnet.templates import render

    match pot.resolver.kind:
        case ResolverKind.INHERIT:
            upstream = state.texts.get(app.driver.traits.upstream_resolvers or "")
            # A pot that shares the host's stack reaches the resolver on the host's loopback.
            return upstream if upstream and pot.network_type.bridged else state.texts.get(RESOLV_CONF)
        case ResolverKind.CUSTOM:
            return pot.resolver.text or ""
        case ResolverKind.POT:
            domain = (state.hostname or "").partition(".")[2]
            values = {"domain": domain, "nameserver": app.config.dns_address}
            return render(app.config.templates, "resolv.conf.j2", values)
    return None


def run_of(pot: Pot, texts: Mapping[str, str], state: HostState) -> Run:
    """Return the record of a start that is about to be made."""
    etc = etc_of(pot, state.traits)
    has_etc = etc is not None and state.files.get(etc) is FileKind.DIRECTORY
    written = tuple(texts) if has_etc else ()
    return Run(
        pot=pot,
        jid=None,
        files=written,
        saved=tuple(name for name in written if resolver.will_be_saved(pot, name, state)),
        devfs=wants_devfs(pot, state),
        booted=bool(boot_command(pot, state)),
    )
