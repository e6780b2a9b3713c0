"""potnet.toml: what it gives, what it refuses, and in which words."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
import toml
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from potnet.config import files
from potnet.config.configuration import DEFAULT, KEYS, Config, describe, load, load_file
from potnet.config.files import system_paths
from potnet.errors import ConfigError
from potnet.model.pots import Stack

SAMPLE = Path(__file__).resolve().parents[2] / "etc" / "potnet.toml.sample"


TOP = Path(__file__).resolve().parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "potnet.toml"


def loaded(file: Path, text: str) -> Config:
    file.write_text(text, encoding="utf-8")
    return load(file, explicit=True)


def _loaded(named: Path | None = None) -> Config:
    found = load_file(named)
    assert found is not None
    return found


def refused(file: Path, text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        loaded(file, text)
    error = caught.value
    assert str(file) in error.message
    assert error.hint
    assert "\n" not in error.message + error.hint
    return error


def test_defaults() -> None:
    config = load(None)
    assert config.network == IPNetwork("10.192.0.0/10")
    assert config.gateway == IPAddress("10.192.0.1")
    assert config.dns_address == IPAddress("10.192.0.2")
    assert config.stack is Stack.IPV4
    assert (config.jails, config.cache) == ("/opt/potnet/jails", "/opt/potnet/cache")
    anchors = (config.nat_anchor, config.rdr_anchor, config.filter_anchor)
    assert anchors == ("pot-nat", "pot-rdr", "pot-filter")
    assert (config.external_interface, config.first_port, config.last_port) == (None, None, None)
    assert set(config.origin.values()) == {DEFAULT}


def test_a_pipe_in_the_place_of_the_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "potnet.toml", 0o600)
    with pytest.raises(ConfigError, match="not a plain file"):
        load(tmp_path / "potnet.toml", explicit=True)


def test_every_key_can_be_set(file: Path) -> None:
    config = loaded(
        file,
        """
        [potnet]
        host = "sim"
        state_dir = "/var/db/potnet/"
        via = "ssh root@host"
        output = "json"
        lock_wait = 5
        command_wait = 6
        long_wait = 7
        [network]
        public = "172.16.0.0/16"
        gateway = "172.16.0.9"
        stack = "dual"
        ipv6 = "nat"
        public6 = "2001:db8::/64"
        external_interface = "vtnet0"
        external_address = "192.168.178.20"
        isolate = true
        antispoof = true
        [network.extra_interfaces]
        em1 = "10.0.0.0/8"
        "em1.10" = ["192.168.0.0/16", "10.9.0.0/16"]
        [dns]
        name = "resolver"
        address = "172.16.0.8"
        [ports]
        first = 2000
        last = 3000
        [paths]
        jails = "/pots"
        cache = "/bases"
        logs = "/logs"
        templates = "/mine"
        [releases]
        mirror = "https://mirror.example/releases/"
        [pf]
        nat_anchor = "n"
        rdr_anchor = "r"
        filter_anchor = "f"
        [pot]
        prefix = "/usr/pot"
        [rootless]
        uplink = "slirp4netns"
        mtu = 1500
        cidr = "10.9.0.0/24"
        ipv6 = true
        host_loopback = true
        outbound = "192.0.2.20"
        outbound6 = "2001:DB8::20"
        dns = false
        mac = "02:00:00:00:00:01"
        sandbox = false
        seccomp = false
        copy_up = ["/opt/", "/srv"]
        bridge = "br0"
        """,
    )
    assert config.network == IPNetwork("172.16.0.0/16")
    assert (str(config.gateway), str(config.dns_address)) == ("172.16.0.9", "172.16.0.8")
    assert config.stack is Stack.DUAL
    assert config.extra_interfaces == (
        ("em1", (IPNetwork("10.0.0.0/8"),)),
        ("em1.10", (IPNetwork("192.168.0.0/16"), IPNetwork("10.9.0.0/16"))),
    )
    assert (config.external_interface, [str(each) for each in config.external_addresses or ()]) == (
        "vtnet0",
        ["192.168.178.20"],
    )
    assert (config.isolate, config.antispoof) == (True, True)
    assert (config.dns_name, config.first_port, config.last_port) == ("resolver", 2000, 3000)
    assert (config.jails, config.cache, config.templates) == ("/pots", "/bases", "/mine")
    assert config.logs == "/logs"
    assert config.mirror == "https://mirror.example/releases"
    assert (config.nat_anchor, config.rdr_anchor, config.filter_anchor) == ("n", "r", "f")
    assert (config.host, config.state_dir, config.via) == ("sim", "/var/db/potnet", "ssh root@host")
    assert (config.output, config.pot_prefix) == ("json", "/usr/pot")
    assert (config.lock_wait, config.command_wait, config.long_wait) == (5, 6, 7)
    assert (config.rootless_uplink, config.rootless_mtu) == ("slirp4netns", 1500)
    assert (config.rootless_cidr, config.rootless_bridge) == ("10.9.0.0/24", "br0")
    assert (config.rootless_ipv6, config.rootless_host_loopback, config.rootless_dns) == (True, True, False)
    assert (config.rootless_outbound, config.rootless_outbound6) == ("192.0.2.20", "2001:db8::20")
    assert (config.rootless_mac, config.rootless_copy_up) == ("02:00:00:00:00:01", ("/opt", "/srv"))
    assert (config.rootless_sandbox, config.rootless_seccomp) == (False, False)
    assert set(config.origin.values()) == {str(file)}


@pytest.mark.parametrize("key", ["lock_wait", "command_wait", "long_wait"])
@pytest.mark.parametrize("value", ["0", "-1", "86401", '"60"', "1.5", "true"])
def test_seconds_are_a_whole_number_of_at_most_a_day(file: Path, key: str, value: str) -> None:
    assert f"potnet.{key}" in refused(file, f"[potnet]\n{key} = {value}\n").message


def test_origin_is_kept_for_each_value(file: Path) -> None:
    rows = {row["key"]: row for row in describe(loaded(file, '[dns]\nname = "unbound"\n'))}
    assert list(rows) == [key.name for key in KEYS]
    assert rows["dns.name"] == {"key": "dns.name", "value": "unbound", "origin": str(file)}
    assert rows["network.public"] == {"key": "network.public", "value": "10.192.0.0/10", "origin": DEFAULT}


@pytest.mark.parametrize(
    ("given_keys", "gateway", "dns"),
    [
        ("", "10.0.0.1", "10.0.0.2"),
        ('[network]\ngateway = "10.0.0.2"', "10.0.0.2", "10.0.0.1"),
        ('[dns]\naddress = "10.0.0.1"', "10.0.0.2", "10.0.0.1"),
        ('[network]\ngateway = "10.0.0.254"', "10.0.0.254", "10.0.0.2"),
    ],
)
def test_gateway_and_dns_follow_the_network(file: Path, given_keys: str, gateway: str, dns: str) -> None:
    public = 'public = "10.0.0.0/24"'
    text = given_keys.replace("[network]", f"[network]\n{public}")
    config = loaded(file, text if "[network]" in text else f"[network]\n{public}\n{text}")
    assert (str(config.gateway), str(config.dns_address)) == (gateway, dns)


@pytest.mark.parametrize(
    ("text", "key", "value", "hint"),
    [
        ('[network]\ngatway = "10.192.0.1"', "network.gatway", "10.192.0.1", "network.gateway"),
        ('[netwrok]\npublic = "10.0.0.0/8"', "netwrok", "", "network"),
        ('public = "10.0.0.0/8"', "public", "10.0.0.0/8", "network.public"),
        ('[dns]\ngateway = "10.192.0.3"', "dns.gateway", "10.192.0.3", "network.gateway"),
        ("network = 3", "network", "3", "[network]"),
        ("[network]\npublic = 10", "network.public", "10", "quotes"),
        ('[network]\npublic = "10.192.0.0"', "network.public", "10.192.0.0", "10.192.0.0/10"),
        ('[network]\npublic = "10.192.0.1/10"', "network.public", "10.192.0.1/10", "10.192.0.0/10"),
        ('[network]\npublic = "fd00::/64"', "network.public", "fd00::/64", "IPv4"),
        ('[network]\npublic = "10.0.0.0/30"', "network.public", "10.0.0.0/30", "29"),
        ('[network]\npublic = "10.0.0.0/33"', "network.public", "10.0.0.0/33", "IPv4"),
        ('[network]\ngateway = "192.168.0.1"', "network.gateway", "192.168.0.1", "10.192.0.1"),
        ('[network]\ngateway = "10.192.0.0"', "network.gateway", "10.192.0.0", "10.192.0.1"),
        ('[network]\ngateway = "10.255.255.255"', "network.gateway", "10.255.255.255", "10.255.255.254"),
        ('[network]\ngateway = "10.193"', "network.gateway", "10.193", "address"),
        ('[network]\ngateway = "fd00::1"', "network.gateway", "fd00::1", "IPv4"),
        ('[dns]\naddress = "192.168.0.1"', "dns.address", "192.168.0.1", "10.192.0.1"),
        ('[dns]\naddress = "10.255.255.255"', "dns.address", "10.255.255.255", "10.255.255.254"),
        (
            '[network]\ngateway = "10.192.0.9"\n[dns]\naddress = "10.192.0.9"',
            "dns.address", "10.192.0.9", "own",
        ),
        ('[network]\nexternal_address = "10.192.0.9"', "network.external_address", "10.192.0.9", "network"),
        ('[network]\nstack = "ipv5"', "network.stack", "ipv5", "ipv"),
        ('[network]\nisolate = "yes"', "network.isolate", "yes", "true"),
        ('[network]\nexternal_interface = "-em0"', "network.external_interface", "-em0", "em0"),
        ('[network]\nexternal_interface = "em0; rm"', "network.external_interface", "em0; rm", "em0"),
        ('[network]\nextra_interfaces = "em1"', "network.extra_interfaces", "em1", "lines"),
        ('[network.extra_interfaces]\n"em1:0" = "10.0.0.0/8"', "network.extra_interfaces", "em1:0", "em0"),
        ('[network.extra_interfaces]\nem1 = []', "network.extra_interfaces", "em1", "least"),
        ('[network.extra_interfaces]\nem1 = ["10.0.0.0/8", "x"]', "network.extra_interfaces", "x", "network"),
        ('[network.extra_interfaces]\nem1 = "ten"', "network.extra_interfaces", "ten", "network"),
        ('[network.extra_interfaces]\nem1.10 = "10.0.0.0/8"', "network.extra_interfaces", "em1", "quote"),
        (
            '[network]\nexternal_interface = "em1"\n[network.extra_interfaces]\nem1 = "10.0.0.0/8"',
            "network.external_interface", "em1", "once",
        ),
        ('[dns]\nname = "12"', "dns.name", "12", "letters"),
        ('[dns]\nname = "../x"', "dns.name", "../x", "letters"),
        ("[ports]\nfirst = 0", "ports.first", "0", "65535"),
        ("[ports]\nlast = 65536", "ports.last", "65536", "65535"),
        ("[ports]\nfirst = true", "ports.first", "true", "quotes"),
        ('[ports]\nfirst = "1024"', "ports.first", "1024", "quotes"),
        ("[ports]\nfirst = 3000\nlast = 2000", "ports.first", "3000", "first"),
        ('[paths]\njails = "jails"', "paths.jails", "jails", "absolute"),
        ('[paths]\njails = "/opt/../etc"', "paths.jails", "/opt/../etc", ".."),
        ('[paths]\ncache = "/a\\nb"', "paths.cache", "/a", "absolute"),
        ('[releases]\nmirror = "download.freebsd.org"', "releases.mirror", "download.freebsd.org", "URL"),
        ('[pf]\nnat_anchor = "pot/nat"', "pf.nat_anchor", "pot/nat", "letters"),
        ('[pf]\nnat_anchor = ""', "pf.nat_anchor", "", "letters"),
        ('[pf]\nnat_anchor = "anchor-names-are-short"', "pf.nat_anchor", "anchor-names-are-short", "10"),
        ('[pf]\nnat_anchor = "pot-rdr"', "pf.rdr_anchor", "pot-rdr", "own"),
        ('[rootless]\nuplink = "slirp"', "rootless.uplink", "slirp", "slirp4netns"),
        ("[rootless]\nmtu = 67", "rootless.mtu", "67", "65535"),
        ("[rootless]\nmtu = 65536", "rootless.mtu", "65536", "65535"),
        ('[rootless]\nmtu = "1500"', "rootless.mtu", "1500", "quotes"),
        ('[rootless]\ncidr = "10.0.2.0/26"', "rootless.cidr", "10.0.2.0/26", "25"),
        ('[rootless]\ncidr = "10.0.2.1/24"', "rootless.cidr", "10.0.2.1/24", "10.0.2.0/24"),
        ('[rootless]\ncidr = "127.0.0.0/24"', "rootless.cidr", "127.0.0.0/24", "RFC 1918"),
        ('[rootless]\ndns = "no"', "rootless.dns", "no", "true"),
        ('[rootless]\noutbound = "fd00::1"', "rootless.outbound", "fd00::1", "IPv4"),
        ('[rootless]\noutbound6 = "192.0.2.1"', "rootless.outbound6", "192.0.2.1", "IPv6"),
        ('[rootless]\noutbound6 = "ff02::1"', "rootless.outbound6", "ff02::1", "IPv6"),
        ('[rootless]\nmac = "03:00:00:00:00:01"', "rootless.mac", "03:00:00:00:00:01", "02"),
        ('[rootless]\nmac = "02-00-00-00-00-01"', "rootless.mac", "02-00-00-00-00-01", "02:"),
        ('[rootless]\ncopy_up = "/opt"', "rootless.copy_up", "/opt", "list"),
        ('[rootless]\ncopy_up = ["opt"]', "rootless.copy_up", "opt", "absolute"),
        ('[rootless]\nbridge = "br 0"', "rootless.bridge", "br 0", "em0"),
        ('[potnet]\nhost = "plan9"', "potnet.host", "plan9", "freebsd"),
        ('[potnet]\noutput = "jsn"', "potnet.output", "jsn", "json"),
        ('[potnet]\nvia = " "', "potnet.via", " ", "ssh"),
    ],
)  # fmt: skip
def test_refusals_name_file_key_and_value(file: Path, text: str, key: str, value: str, hint: str) -> None:
    error = refused(file, text)
    assert key in error.message
    assert value in error.message
    assert hint in str(error.hint)


def test_a_value_is_shown_on_one_short_line(file: Path) -> None:
    assert len(refused(file, f'[dns]\nname = "{"x" * 500}"').message) < 200 + len(str(file))


@pytest.mark.parametrize(
    "text", ["[network", "a", "= 3", '[a]\nb = "', "[network]\n[network]\n", "[[network]]"]
)
def test_not_toml(file: Path, text: str) -> None:
    refused(file, text)


def test_not_utf8(file: Path) -> None:
    file.write_bytes(b'[dns]\nname = "\xff"\n')
    with pytest.raises(ConfigError, match="UTF-8"):
        load(file)


def test_a_missing_file_is_an_error_only_when_it_was_named(file: Path) -> None:
    assert load(file) == load(None)
    with pytest.raises(ConfigError, match="file not found"):
        load(file, explicit=True)


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_cannot_be_read(file: Path) -> None:
    file.touch(mode=0)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(file)


def uncommented(prefix: str) -> str:
    """The sample with the keys behind a prefix, and all tables, in force."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    keep = re.compile(rf"#\[.*\]$|{prefix}[a-z_0-9]+ = ")
    return "\n".join(re.sub(rf"^({prefix}|#)", "", line) for line in lines if keep.match(line))


def test_the_sample_as_it_is_changes_nothing() -> None:
    config = load(SAMPLE, explicit=True)
    assert config == load(None)
    assert set(config.origin.values()) == {DEFAULT}


def test_the_sample_shows_the_defaults(file: Path) -> None:
    config = loaded(file, uncommented("#"))
    assert config == load(None)
    shown = {name for name, origin in config.origin.items() if origin == str(file)}
    without_default = {key.name for key in KEYS if getattr(load(None), key.attribute) is None}
    assert shown == {key.name for key in KEYS} - without_default


def test_the_sample_has_a_good_example_for_each_key_without_a_default(file: Path) -> None:
    config = loaded(file, uncommented("# For example: "))
    unset = {key.name for key in KEYS if not getattr(config, key.attribute)}
    off = {
        "network.isolate",
        "network.antispoof",
        "rootless.ipv6",
        "rootless.host_loopback",
        "rootless.copy_up",
    }
    assert unset == off


def test_system_paths() -> None:
    etc = Path("/etc/potnet.toml")
    assert system_paths("freebsd14", {"HOME": "/root"}) == (Path("/usr/local/etc/potnet.toml"),)
    assert system_paths("linux", {"HOME": "/h"}) == (Path("/h/.config/potnet/potnet.toml"), etc)
    own = Path("/x/potnet/potnet.toml")
    assert system_paths("linux", {"HOME": "/h", "XDG_CONFIG_HOME": "/x"}) == (own, etc)
    assert system_paths("linux", {"XDG_CONFIG_HOME": "x"}) == (etc,)


def test_the_named_file_wins_over_the_system_one(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = file.with_name("system.toml")
    system.write_text('[dns]\nname = "system"\n', encoding="utf-8")
    monkeypatch.setattr(files, "system_paths", lambda: (file.with_name("absent"), system))
    assert _loaded().dns_name == "system"
    file.write_text('[dns]\nname = "named"\n', encoding="utf-8")
    assert _loaded(file).dns_name == "named"


def test_a_sample_in_the_place_of_the_system_file_counts_as_absent(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pkg copies the sample there, and the configuration of an installed pot still applies."""
    monkeypatch.setattr(files, "system_paths", lambda: (file,))
    file.write_text((TOP / "etc/potnet.toml.sample").read_text("utf-8"), encoding="utf-8")
    assert load_file() is None
    assert load_file(file) is not None
    file.write_text("  # a comment\n\n  [dns]\n  name = 'system'\n", encoding="utf-8")
    assert _loaded().dns_name == "system"


scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.ip_addresses().map(str)
    | st.sampled_from(["10.0.0.0/8", "ipv4", "/x", "em0", "10.192.0.1", "pot-rdr", "::/0", "0.0.0.0/0"])
)  # fmt: skip
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner))
tables = [*sorted({key.name.split(".")[0] for key in KEYS}), "other"]
names = [*sorted({key.name.split(".")[1] for key in KEYS}), "other"]
documents = st.dictionaries(
    st.sampled_from(tables), st.dictionaries(st.sampled_from(names), values, max_size=4) | values, max_size=4
)


def config_or_refusal(file: Path) -> None:
    try:
        assert isinstance(load(file, explicit=True), Config)
    except ConfigError as error:
        assert str(file) in error.message
        assert "\n" not in error.message


@given(document=documents)
def test_any_values_give_a_config_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toml, "loads", lambda text: document)
        file = tmp_path_factory.getbasetemp() / "any.toml"
        file.touch()
        config_or_refusal(file)


marks = ["[", "]", "[[", "]]", '"', "'", '"""', "=", ".", ",", "\n", "#", "{", "}", " ", "\\"]
pieces = st.sampled_from([*tables, *names, *marks])
fragments = st.lists(pieces | st.text(max_size=4) | st.integers().map(str), max_size=30).map("".join)


@given(content=fragments.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=60))
def test_any_text_gives_a_config_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.toml"
    file.write_bytes(content)
    config_or_refusal(file)


@pytest.mark.parametrize("name", ["em0", "vm-public", "br-lan", "em0.30", "_x", "4g", "wlan0-mesh", "x" * 15])
def test_names_of_interfaces(file: Path, name: str) -> None:
    text = f'[network]\nexternal_interface = "{name}"\n[rootless]\nbridge = "{name}"\n'
    assert loaded(file, text).external_interface == name
    text = f'[network.extra_interfaces]\n"{name}" = "172.16.0.0/12"\n'
    assert [each for each, _ in loaded(file, text).extra_interfaces] == [name]


@pytest.mark.parametrize("name", ["", "-em0", ".em0", "x" * 16, "em0:1", "em 0", "em0/1", "é0", "em0\\n"])
def test_what_is_no_name_of_an_interface(file: Path, name: str) -> None:
    error = refused(file, f'[network]\nexternal_interface = "{name}"\n')
    assert "is not an interface name" in error.message
