"""pot.conf in the place of potnet.toml."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_up import Call, MadeUp

from potnet.app import Settings, config_in_force
from potnet.config.configuration import load
from potnet.errors import ConfigError

EVERY_KEY = (
    "POT_ZFS_ROOT=tank/pot",
    "POT_CACHE=/var/cache/mine",
    "POT_NETWORK='172.16.0.0/12'",
    "POT_NETMASK=255.240.0.0",
    'POT_GATEWAY="172.16.0.9"  # the ninth',
    "POT_EXTIF=igb0",
    "POT_EXTIF_ADDR=192.0.2.20",
    'POT_EXTRA_EXTIF="em1 em2"',
    "POT_NETWORK_em1=10.0.0.0/8",
    "POT_NETWORK_em2=192.168.0.0/16",
    "export POT_NETWORK_STACK=dual",
    "POT_DNS_NAME=unbound",
    "POT_DNS_IP=172.16.0.8",
    "POT_ISOLATE_VNET_POTS=YES",
    "POT_VPN_EXTIF=tun0",
    "POT_VPN_NETWORKS=10.8.0.0/16",
    "POT_EXPORT_PORTS_PF_RULES_HOOK=/usr/local/bin/rules",
)


def test_every_key_becomes_something(tmp_path: Path, call: Call) -> None:
    made = MadeUp.at(tmp_path, *EVERY_KEY)
    file = made.prefix / "etc" / "pot" / "pot.conf"
    rows = {row["key"]: row for row in json.loads(call(f"--config {file} -o json config").out)}
    for key, pot_key, value in (
        ("network.public", "POT_NETWORK", "172.16.0.0/12"),
        ("network.gateway", "POT_GATEWAY", "172.16.0.9"),
        ("network.stack", "POT_NETWORK_STACK", "dual"),
        ("network.external_interface", "POT_EXTIF", "igb0"),
        ("network.external_address", "POT_EXTIF_ADDR", "192.0.2.20"),
        ("network.isolate", "POT_ISOLATE_VNET_POTS", True),
        ("dns.name", "POT_DNS_NAME", "unbound"),
        ("dns.address", "POT_DNS_IP", "172.16.0.8"),
        ("paths.cache", "POT_CACHE", "/var/cache/mine"),
    ):
        assert (rows[key]["value"], rows[key]["origin"]) == (value, f"{file}: {pot_key}")
    behind = {"em1": "10.0.0.0/8", "em2": "192.168.0.0/16", "tun0": "10.8.0.0/16"}
    assert rows["network.extra_interfaces"]["value"] == behind
    assert rows["pot.prefix"]["value"] == str(made.prefix)
    assert rows["POT_FS_ROOT"]["value"] == str(made.root)
    assert "not used" in rows["POT_ZFS_ROOT"]["origin"]
    assert "not used" in rows["POT_EXPORT_PORTS_PF_RULES_HOOK"]["origin"]
    assert "tank/pot" in call(f"--config {file} config").out


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    file = tmp_path / "potnet.toml"
    file.write_text("# mine\nPOT_NETWORK=10.0.0.0/8\n")
    assert str(load(file, explicit=True).network) == "10.0.0.0/8"
    file = tmp_path / "pot.conf"
    file.write_text('[network]\npublic = "10.0.0.0/16"\n')
    assert str(load(file, explicit=True).network) == "10.0.0.0/16"


def test_the_installed_one_is_in_force_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = MadeUp.at(tmp_path, network="10.0.0.0/8")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", made.path)
    monkeypatch.setattr("potnet.config.files.system_paths", lambda: (tmp_path / "potnet.toml",))
    assert str(config_in_force(Settings()).network) == "10.0.0.0/8"
    assert config_in_force(Settings()).external_interface == "em0"
    # As a package puts the sample there.
    (tmp_path / "potnet.toml").write_text('#output = "text"\n')
    assert str(config_in_force(Settings()).network) == "10.0.0.0/8"
    (tmp_path / "potnet.toml").write_text('[pf]\nnat_anchor = "pot-nat"\n')
    assert str(config_in_force(Settings()).network) == "10.192.0.0/10"


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["POT_NETMASK=255.192.0.0", "POT_GATEWAY=10.0.0.1"], "10.0.0.1\" is outside network.public"),
        (["POT_NETMASK=255.0.0.0"], "POT_NETMASK = 255.0.0.0 is not the netmask of 10.192.0.0/10"),
        (["POT_NETWORK_STACK=both"], 'POT_NETWORK_STACK = "both" is not one of'),
        (["POT_EXTIF='em 0'"], "is not an interface name"),
        (["POT_VPN_EXTIF=tun0", "POT_VPN_NETWORKS='10.8.0.0/16 ten'"], "is not a list of networks"),
        (["POT_EXTIF=em0:1"], "is not an interface name"),
        (["POT_NETWORK=fd00::/64", "POT_NETMASK=ffff:ffff:ffff:ffff::"], "is an IPv6 network"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(tmp_path: Path, lines: list[str], words: str) -> None:
    made = MadeUp.at(tmp_path, *lines)
    with pytest.raises(ConfigError) as error:
        load(made.prefix / "etc" / "pot" / "pot.conf", explicit=True)
    assert words in error.value.message


#: Lists of networks as pot.conf has them, and what is behind each interface then.
LISTS = [
    (["POT_VPN_EXTIF=tun0", "POT_VPN_NETWORKS='10.8.0.0/16 10.9.0.0/16 172.20.0.0/14'"],
     {"tun0": ["10.8.0.0/16", "10.9.0.0/16", "172.20.0.0/14"]}),
    (["POT_VPN_EXTIF=tun0", "POT_VPN_NETWORKS=192.168.0.0/24 192.168.10.0/24 # as in the sample"],
     {"tun0": ["192.168.0.0/24", "192.168.10.0/24"]}),
    (["POT_VPN_EXTIF=tun0", 'POT_VPN_NETWORKS="192.168.0.0/24 \\', '\t192.168.10.0/24"'],
     {"tun0": ["192.168.0.0/24", "192.168.10.0/24"]}),
    (["POT_VPN_EXTIF=wg0", "POT_VPN_NETWORKS='fd00:8::/64 10.8.0.1/24 10.8.0.0/24'"], {"wg0": "10.8.0.0/24"}),
    (["POT_VPN_EXTIF=wg0", "POT_VPN_NETWORKS=fd00:8::/64"], {}),
    (["POT_VPN_EXTIF=tun0", "POT_VPN_NETWORKS="], {}),
    (["POT_VPN_EXTIF=", "POT_VPN_NETWORKS=10.8.0.0/16"], {}),
    (["POT_EXTRA_EXTIF=vlan20 vlan50", "POT_NETWORK_vlan20=10.1.0.0/16", "POT_NETWORK_vlan50=10.50.50.0/24"],
     {"vlan20": "10.1.0.0/16", "vlan50": "10.50.50.0/24"}),
    (["POT_EXTRA_EXTIF='vm-public em0.30'", "POT_NETWORK_vm-public='10.1.0.0/16 10.2.0.0/16'",
      "POT_NETWORK_em0.30=10.3.0.0/16"],
     {"em0.30": "10.3.0.0/16", "vm-public": ["10.1.0.0/16", "10.2.0.0/16"]}),
    (["POT_EXTRA_EXTIF=tun0", "POT_NETWORK_tun0=10.1.0.0/16", "POT_VPN_EXTIF=tun0",
      "POT_VPN_NETWORKS=10.8.0.0/16"],
     {"tun0": ["10.1.0.0/16", "10.8.0.0/16"]}),
    (["POT_EXTRA_EXTIF='em0 em1'", "POT_NETWORK_em0=10.1.0.0/16", "POT_NETWORK_em1=10.8.0.0/16"],
     {"em1": "10.8.0.0/16"}),
    (["POT_EXTIF=br-lan", "POT_EXTRA_EXTIF=", "POT_NETWORK_STACK=", "POT_GATEWAY=", "POT_NETMASK=''",
      "POT_DNS_IP="], {}),
    (["POT_NETWORK=10.192.0.1/10"], {}),
    (["POT_MKTEMP_SUFFIX=.XXXXXXXX", "POT_LOG_FACILITY=local2", "POT_HOSTNAME_MAX_LENGTH=64",
      "POT_NEW=$(x)"], {}),
]  # fmt: skip


@pytest.mark.parametrize(("lines", "behind"), LISTS)
def test_lists_and_empty_values(
    tmp_path: Path, call: Call, lines: list[str], behind: dict[str, object]
) -> None:
    made = MadeUp.at(tmp_path, *lines)
    file = made.prefix / "etc" / "pot" / "pot.conf"
    rows = {row["key"]: row for row in json.loads(call(f"--config {file} -o json config").out)}
    assert rows["network.extra_interfaces"]["value"] == behind
    assert rows["network.public"]["value"] == "10.192.0.0/10"
    for key in ("POT_MKTEMP_SUFFIX", "POT_LOG_FACILITY"):
        assert key not in rows or rows[key]["origin"].endswith(": not used")
    if "fd00" in " ".join(lines):
        assert "without its IPv6 networks" in rows["POT_VPN_NETWORKS"]["origin"]
    texts = (f"{name}={','.join(nets) if isinstance(nets, list) else nets}" for name, nets in behind.items())
    assert " ".join(texts) in call(f"--config {file} config").out
