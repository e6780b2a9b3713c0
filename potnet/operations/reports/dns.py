"""dns: the names and addresses of the pots on bridges, for the host's resolver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from potnet.errors import UsageError
from potnet.model.bridges import Bridge
from potnet.model.names import is_special
from potnet.model.pots import Lease
from potnet.operations.common import check_hostname, require_bridge
from potnet.operations.networks.neighbours import neighbours

if TYPE_CHECKING:
    from potnet.app import App

View = dict[str, Any]

#: The output formats of `text`, with their templates.
TEMPLATES = {"unbound": "dns-unbound.j2", "hosts": "dns-hosts.j2"}
_RECORD = {4: "A", 6: "AAAA"}


def zones(app: App, bridge: str | None = None, domain: str | None = None) -> list[View]:
    """Return one zone for each bridge, or for this bridge; records are in address order.

    domain: a single zone in place of zones named after bridges. Addresses that pots learn themselves (RFC
    4862) are not included. Raises PotnetError, or UsageError for a name that is too long.
    """
    bridges = app.store.bridges() if bridge is None else (require_bridge(app, bridge),)
    common = None if domain is None else _checked(domain)
    found: dict[str, list[View]] = {}
    for each in bridges:
        if common is None and is_special(each.name):
            continue
        if not each.networks:
            if bridge is not None:
                app.notify(f"the addresses of pots on {bridge} are unknown: the pots learn them by SLAAC")
            continue
        zone = common or each.name
        records = found.setdefault(zone, [])
        records += [_record(zone, each, lease) for lease in neighbours(app.store, each.name)]
    return [{"zone": zone, "records": records} for zone, records in found.items()]


def _checked(domain: str) -> str:
    name = domain.rstrip(".")
    check_hostname(name)
    return name


def _record(zone: str, bridge: Bridge, lease: Lease) -> View:
    name = f"{lease.pot}.{zone}"
    if len(name) > 253:
        raise UsageError(f"the name {name} is too long for the DNS (RFC 1035)", hint="use a shorter --domain")
    return {
        "name": name,
        "type": _RECORD[lease.address.version],
        "address": str(lease.address),
        "pot": lease.pot,
        "bridge": bridge.name,
    }


def text(app: App, found: list[View], form: str) -> str:
    """Return zones as lines for unbound.conf(5), or for hosts(5)."""
    from potnet.templates import render

    return render(app.config.templates, TEMPLATES[form], {"zones": found}).removesuffix("\n")
