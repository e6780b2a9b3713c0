"""pot.conf as a configuration: the key of potnet.toml(5) for each of pot's keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from potnet.errors import ConfigError
from potnet.pot_installation.settings import Setting, Settings

#: Keys with exactly one counterpart of the same meaning.
_SAME = {
    "POT_NETWORK": "network.public",
    "POT_GATEWAY": "network.gateway",
    "POT_NETWORK_STACK": "network.stack",
    "POT_EXTIF": "network.external_interface",
    "POT_EXTIF_ADDR": "network.external_address",
    "POT_DNS_NAME": "dns.name",
    "POT_CACHE": "paths.cache",
}
_READ = frozenset({*_SAME, "POT_DNS_IP", "POT_ISOLATE_VNET_POTS"})
#: Keys without a counterpart, and their effect here.
_NOTES = {
    "POT_FS_ROOT": "where the pots and bridges of pot are read from",
    "POT_NETMASK": "checked against POT_NETWORK",
    "POT_ZFS_ROOT": "not used: make a dataset for paths.jails",
    "POT_EXPORT_PORTS_PF_RULES_HOOK": "not used: potnet makes the rules of exports itself",
    "POT_VPN_EXTIF": "network.extra_interfaces",
    "POT_VPN_NETWORKS": "network.extra_interfaces",
    "POT_EXTRA_EXTIF": "network.extra_interfaces",
}


class Given(NamedTuple):
    """A value for a key of potnet.toml(5), as TOML would have it. origin: file and key of pot."""

    key: str
    value: Any
    origin: str


def given(settings: Settings) -> Iterator[Given]:
    """Return the values that pot's configuration sets. Raises ConfigError for a contradiction."""
    values = settings.values
    for name, key in _SAME.items():
        if name in values and values[name].value != "":
            yield Given(key, _value(settings, name), _origin(values[name], name))
    if "POT_DNS_IP" in values and settings.dns is not None:
        yield Given("dns.address", str(settings.dns), _origin(values["POT_DNS_IP"], "POT_DNS_IP"))
    if "POT_ISOLATE_VNET_POTS" in values:
        origin = _origin(values["POT_ISOLATE_VNET_POTS"], "POT_ISOLATE_VNET_POTS")
        yield Given("network.isolate", settings.true("POT_ISOLATE_VNET_POTS"), origin)
    yield from _extra_interfaces(settings)
    _check_netmask(settings)


def _check_netmask(settings: Settings) -> None:
    setting = settings.values.get("POT_NETMASK")
    if setting is None or setting.value == "":
        return
    if settings.address("POT_NETMASK") != settings.network().netmask:
        raise ConfigError(
            f"{_origin(setting, 'POT_NETMASK')} = {setting.value} is not the netmask of {settings.network()}",
            hint=f"write POT_NETMASK={settings.network().netmask}",
        )


def _value(settings: Settings, name: str) -> Any:
    """Return the text of a key, or the addresses of a key that may name several."""
    if name == "POT_NETWORK":
        # pot's helper clears host bits.
        return str(settings.network())
    several = settings.words(name) if name == "POT_EXTIF_ADDR" else []
    return several if len(several) > 1 else settings.text(name).strip()


def notes(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Return the other keys that are set: name, value and consequence."""
    extra = dict.fromkeys((key for _, key in _networks_behind(settings)), "network.extra_interfaces")
    known = _NOTES | extra
    others = (name for name in settings.values if name not in known and name not in _READ)
    for name in (*known, *others):
        setting = settings.values.get(name)
        if setting is None or not setting.value:
            continue
        note = known.get(name, "not used")
        if name in extra and ":" in setting.value:
            note += ", without its IPv6 networks: NAT there is for IPv4"
        yield name, setting.value, f"{setting.path}: {note}"


def _extra_interfaces(settings: Settings) -> Iterator[Given]:
    """Return interfaces with the networks behind them; pot, too, ignores an interface without a network."""
    networks: dict[str, list[str]] = {}
    for interface, key in _networks_behind(settings):
        behind = [str(each) for each in settings.networks(key) if each.version == 4]
        # Everything is behind the external interface.
        if behind and interface != settings.text("POT_EXTIF"):
            networks[interface] = networks.get(interface, []) + behind
    named = next((name for name in ("POT_EXTRA_EXTIF", "POT_VPN_EXTIF") if name in settings.values), None)
    if networks and named is not None:
        yield Given("network.extra_interfaces", networks, _origin(settings.values[named], named))


def _networks_behind(settings: Settings) -> list[tuple[str, str]]:
    """Return the further interfaces, each with the key that lists the networks behind it."""
    extra = [(name, f"POT_NETWORK_{name}") for name in settings.words("POT_EXTRA_EXTIF")]
    return extra + [(name, "POT_VPN_NETWORKS") for name in settings.words("POT_VPN_EXTIF")]


def _origin(setting: Setting, name: str) -> str:
    return f"{setting.path}: {name}"
