"""The text forms of show, info and list, to the byte those of pot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from potnet.cli.output import fitted

View = Mapping[str, Any]

_OF_BRIDGE = {
    "network": "network ",
    "gateway": "gateway ",
    "bridge": "allocated address",
    "broadcast": "broadcast ",
}
_OF_PUBLIC = {"gateway": "default gateway", "dns": "dns"}
_USAGE = (
    ("disk usage      ", "disk"),
    ("virtual memory  ", "virtual_memory"),
    ("physical memory ", "physical_memory"),
)


def network_text(view: View) -> str:
    """`show`: the public network and every address in use there."""
    from ipaddress import ip_network

    network = ip_network(view["network"])
    lines = [
        "Network topology:",
        f"\tnetwork : {network}",
        f"\tmin addr: {network.network_address}",
        f"\tmax addr: {network.broadcast_address}",
        "",
        "Addresses already taken:",
    ]
    return "\n".join(lines + [_address_line(entry) for entry in view["addresses"]])


def bridge_text(view: View) -> str:
    """`show -b`: the addresses in use on one bridge."""
    return "\n".join(_address_line(entry) for entry in view["addresses"])


def _address_line(entry: View) -> str:
    kind, owner = entry["kind"], entry["owner"]
    if kind in ("pot", "dns") and owner:
        return f"\t{entry['address']}\t{owner}"
    if owner and kind in _OF_BRIDGE:
        return f"\t{entry['address']}\t{owner} bridge - {_OF_BRIDGE[kind]}"
    return f"\t{entry['address']}\t{_OF_PUBLIC.get(kind, '')}"


def pot_text(view: View) -> str:
    """`show -p`: the usage of a pot and the redirections in force."""
    usage = view["usage"]
    lines = [f"pot {view['name']}"]
    lines += [f"\t{label}: {usage[key]}" for label, key in _USAGE if usage.get(key) is not None]
    if view.get("traffic"):
        lines += ["", "\tTraffic of exported ports"]
        lines += [f"\t\t{_traffic(each)}" for each in view["traffic"]]
    if view["redirections"]:
        lines += ["", "\tNetwork port redirection"]
        lines += [f"\t\t{_redirection(rule)}" for rule in view["redirections"]]
    return "\n".join(lines)


def pots_text(views: list[View]) -> str:
    """`show -a`: every pot, an empty line between two."""
    return "\n\n".join(pot_text(view) for view in views)


def _redirection(rule: View) -> str:
    outside = rule["address"] or rule["interface"]
    count = rule.get("count", 1)
    ports = _ports(rule["port"], count), _ports(rule["pot_port"], count)
    text = f"{outside} port {ports[0]} -> {rule['pot_address']} port {ports[1]}"
    text += f" from {', '.join(rule['sources'])}" if rule.get("sources") else ""
    return text if rule["protocol"] == "tcp" else f"{text} ({rule['protocol']})"


def _traffic(each: View) -> str:
    figures = ", ".join(
        f"{each[what]} {what[:-1] if each[what] == 1 else what}"
        for what in ("connections", "packets", "bytes")
    )
    return f"{each['export']}: {figures}"


def info_text(view: View, own: View) -> str:
    """`info -p`: the settings of a pot and its state. own: those settings that pot itself does not print."""
    lines = [
        f"pot name : {view['name']}",
        f"\ttype : {view['type']}",
        f"\tbase : {view['base'] or 'none'}",
        f"\tlevel : {view['level']}",
        f"\tnetwork_type : {view['network_type']}",
    ]
    if len(view["bridges"]) > 1:
        lines.append(f"\tbridges : {' '.join(view['bridges'])}")
    if view["passed"]:
        lines.append(f"\tpassed : {' '.join(view['passed'])}")
    if view.get("parameters"):
        lines.append(f"\tparameters : {' '.join(view['parameters'])}")
    if view.get("owner"):
        lines.append(f"\towner : {view['owner']}")
    addresses = [_address(entry, view["network_type"]) for entry in view["addresses"]]
    if addresses:
        lines.append(f"\tip : {' '.join(addresses)}")
    if view["network_type"] in ("public-bridge", "private-bridge"):
        exports = exports_text(view)
        lines.append(f"\t\texported ports: {exports}" if exports else "\t\tno ports exported")
    rates = [f"{way} {view[f'bandwidth_{way}']}" for way in ("in", "out") if view.get(f"bandwidth_{way}")]
    lines += [f"\tbandwidth : {', '.join(rates)}"] if rates else []
    lines += ["\tinternet : false"] if not view.get("internet", True) else []
    lines += ["\tisolated : true"] if view.get("isolated") else []
    lines += ["\tantispoof : true"] if view.get("antispoof") else []
    lines += [f"\tanchors : {' '.join(view['anchors'])}"] if view.get("anchors") else []
    lines += [f"\t{name} : {_shown(value)}" for name, value in own.items()]
    lines.append(f"\tactive : {'true' if view['state'] == 'running' else 'false'}")
    for tap in view.get("taps", ()):
        lines += _tap_lines(tap, view["dns"])
    return "\n".join(lines)


def _tap_lines(tap: View, resolvers: list[str]) -> list[str]:
    """The network settings of the machine behind a tap, and the options that connect it."""
    lines = [f"\ttap : {tap['name']} on {tap['bridge']}", f"\t\tmac : {tap['mac']}"]
    for each in tap["addresses"]:
        gateway = f", gateway {each['gateway']}" if each["gateway"] else ""
        lines.append(f"\t\taddress : {each['address'] or 'auto, from router advertisements'}{gateway}")
    lines += [f"\t\tdns : {' '.join(resolvers)}"] if resolvers else []
    lines += [f"\t\tmtu : {tap['mtu']}"] if tap["mtu"] is not None else []
    lines += [f"\t\t{program} : {tap[program]}" for program in ("qemu", "bhyve") if program in tap]
    return lines


def _address(entry: View, network_type: str) -> str:
    # An autoconfigured address (RFC 4862) is not known before the pot has run.
    address = entry["address"] or ("dhcp" if entry.get("dhcp") else "auto")
    if entry.get("unconfirmed"):
        address = f"{entry['unconfirmed']} (unconfirmed)"
    return f"{entry['interface']}|{address}" if network_type == "alias" and entry["interface"] else address


def exports_text(view: View) -> str:
    """Exports as export-ports takes them: ``80:30080 443 udp:53:53``."""
    return " ".join(export_text(entry) for entry in view["exports"])


def export_text(entry: View) -> str:
    """One export: ``192.0.2.1@tcp+udp:80-89:30080-30089``."""
    address = f"{entry['host_address']}@" if entry.get("own_address") else ""
    protocol = "" if entry["protocol"] == "tcp" else f"{entry['protocol']}:"
    count = entry.get("count", 1)
    host_port = f":{_ports(entry['host_port'], count)}" if entry["host_port"] else ""
    return f"{address}{protocol}{_ports(entry['pot_port'], count)}{host_port}"


def _ports(first: int, count: int) -> str:
    return str(first) if count == 1 else f"{first}-{first + count - 1}"


def environment_text(variables: Mapping[str, str]) -> str:
    """`info -E`: lines for a shell to read."""
    from shlex import quote

    return "\n".join(f"export {name}={quote(value)}" for name, value in variables.items())


def bridge_info_text(view: View) -> str:
    """`info -B`: a bridge's settings and state."""
    lines = [f"bridge name : {view.get('name', view.get('bridge'))}"]
    left_out = ("name", "bridge", "addresses", *(() if view.get("anchors") else ("anchors",)))
    for key, value in view.items():
        if key not in left_out and value not in (None, False):
            lines.append(f"\t{key} : {_shown(value)}")
    return "\n".join(lines)


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    return "true" if value is True else str(value)


def list_text(views: list[View], width: int | None = None) -> str:
    """`list`: one row for each pot, in at most `width` columns."""
    rows = [
        (
            [view["name"]],
            [view["state"]],
            [view["network_type"]],
            [view["stack"]],
            [_address(entry, view["network_type"]) for entry in view["addresses"]],
            view["bridges"],
            [export_text(entry) for entry in view["exports"]],
        )
        for view in views
    ]
    return fitted(("name", "state", "type", "stack", "addresses", "bridge", "exports"), rows, width)


def bridges_text(views: list[View], width: int | None = None) -> str:
    """`list --bridges`: one row for each bridge, in at most `width` columns."""
    keys = ("name", "kind", "interface", "state", "network", "gateway", "size", "pots")
    rows = [[_words(value) for value in map(view.get, keys)] for view in map(_both, views)]
    return fitted(keys, rows, width)


def _words(value: Any) -> list[str]:
    if isinstance(value, list):
        return value
    return [] if value is None else [str(value)]


def _both(view: View) -> View:
    """A bridge with its networks of both families in one list."""
    return {**view, "network": [each for each in (view["network"], view["network6"]) if each]}


def names_text(views: list[View]) -> str:
    """`list -q`: names alone, for scripts."""
    return "\n".join(view["name"] for view in views)


def findings_text(views: list[View]) -> str:
    """`check`: a line for each difference, followed by rules that differ."""
    return "\n".join(finding_text(view) + _rules_text(view) for view in views)


def finding_head(view: View) -> str:
    """The kind of a difference with its pot, bridge and interface."""
    return " ".join(view[key] for key in ("kind", "pot", "bridge", "interface") if view[key])


def finding_text(view: View) -> str:
    """The head with the state found, the state expected and the remedy."""
    states = "" if _of_rules(view) else f"{view['found']}; expected: {view['expected']}; "
    return f"{finding_head(view)}: {states}{view['remedy']}"


def _of_rules(view: View) -> bool:
    return view["kind"] in ("rules-missing", "rules-differ")


def _rules_text(view: View) -> str:
    """The missing and the superfluous rules, marked as by diff(1)."""
    if not _of_rules(view):
        return ""
    expected, found = view["expected"].splitlines(), view["found"].splitlines()
    missing = [f"\n\t- {line}" for line in expected if line not in found]
    foreign = [f"\n\t+ {line}" for line in found if line not in expected]
    return "".join(missing + foreign) or "\n\tthe same rules in another order"
