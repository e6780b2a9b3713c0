"""Ports of uplinks: their text, and what exports need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from potnet.config.configuration import load
from potnet.errors import UsageError
from potnet.host.ruleset import NoRules, Redirection, Redirections
from potnet.model.ports import Transport
from potnet.rootless.ports.carried import Port, mapped, parse_port
from potnet.rootless.uplinks.options import Options

ports = st.builds(
    Port,
    st.sampled_from(["tcp", "udp"]),
    st.integers(1, 65535),
    st.ip_addresses().map(str),
)


@given(ports)
def test_the_text_of_a_port_is_read_as_that_port(port: Port) -> None:
    assert parse_port(str(port)) == port


@given(st.text(max_size=30) | st.from_regex(r"(tcp|udp):[0-9.:\[\]a-f]{0,20}", fullmatch=True))
def test_any_text_is_a_port_or_refused(text: str) -> None:
    try:
        port = parse_port(text)
    except UsageError as error:
        assert error.hint
    else:
        assert 1 <= port.number <= 65535


@pytest.mark.parametrize("number", [0, 65536, 70000, 99999])
def test_what_a_driver_would_wrap_is_no_port(number: int) -> None:
    with pytest.raises(UsageError, match="invalid port"):
        parse_port(f"tcp:{number}")


def test_exports_need_each_port_once() -> None:
    items = tuple(
        Redirection(Transport.TCP, 30080, IPAddress(address), 80) for address in ("10.192.0.3", "fd00::3")
    )
    rules = Redirections("bridge0", IPNetwork("10.192.0.0/10"), (), items)
    assert mapped(rules) == (Port("tcp", 30080),)
    several = (Redirection(Transport.UDP, 30080, IPAddress("10.192.0.3"), 80, count=3),)
    ranged = Redirections("bridge0", IPNetwork("10.192.0.0/10"), (), several)
    assert mapped(ranged) == tuple(Port("udp", number) for number in (30080, 30081, 30082))
    assert mapped(NoRules()) == ()


def test_the_configuration_has_every_option() -> None:
    config = load(None)
    for name in Options.__slots__:
        assert getattr(config, f"rootless_{name}") == getattr(Options(), name)
