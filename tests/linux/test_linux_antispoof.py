"""network.antispoof on a Linux kernel: frames that are not a pot's own do not leave its end of the epair."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count

import pytest
from linux_world import HERE, PYTHON, World, obstacle
from rootless_world import eventually

TALK = (*PYTHON, str(HERE / "talk.py"))
#: Labels of frames that arrive.
MARKS = count(0x1000)
BROADCAST, ALL_NODES = "ffffffffffff", "333300000001"
NOBODY, OTHER = "10.192.0.14", "02:00:00:00:00:99"


@dataclass(frozen=True)
class Own:
    """What a pot has: addresses and its end of the epair."""

    ip: str
    ip6: str
    mac: str
    end: str


@pytest.fixture(scope="module")
def kitchen() -> Iterator[World]:
    """thief and web on one bridge, and a watch on what web receives."""
    reason = obstacle()
    if reason:
        pytest.skip(reason)
    with World() as made:
        made.run("mkdir", "-p", "/run/config/potnet")
        made.run("tee", "/run/potnet.toml", stdin="network.antispoof = true\n")
        made.potnet(
            "--config", "/run/potnet.toml", "create-private-bridge", "-B", "stove", "-S", "5", "-6", "auto"
        )
        for name in ("thief", "web"):
            made.potnet("create", "-p", name, "-N", "private-bridge", "-B", "stove", "-S", "dual")
        before = made.snapshot()
        made.potnet("--config", "/run/potnet.toml", "start", "thief", "web")
        watch = (*TALK, "watch", own(made, "web").end, "/run/heard")
        assert made.spawn("web", *watch) == "ready"
        yield made
        assert made.facts("--config", "/run/potnet.toml", "check") == []
        made.potnet("stop", "thief", "web")
        after = made.snapshot()
        assert {what: after[what] for what in before} == before


def own(world: World, name: str) -> Own:
    found = world.facts("info", "-p", name)
    four, six = (each["address"] for each in found["addresses"])
    (interface,) = found["interfaces"]
    return Own(four, six, interface["mac"], interface["name"])


def packed(address: str) -> str:
    return ip_address(address).packed.hex()


def bare(mac: str) -> str:
    return mac.replace(":", "")


def arp(source: str, ether: str, address: str, label: int) -> str:
    """A gratuitous one (RFC 5227): a request for a number, from an address at a MAC address."""
    return (
        f"{BROADCAST}{bare(source)}08060001080006040001{bare(ether)}{packed(address)}000000000000{label:08x}"
    )


def ipv4(source: str, address: str, label: int) -> str:
    """A datagram by udp; the label is its identification. A bridge may look at the sum (RFC 1071)."""
    words = [0x4500, 0x1C, label, 0, 0x4011, 0xFFFF, 0xFFFF]
    words += [int(packed(address)[:4], 16), int(packed(address)[4:], 16)]
    total = sum(words)
    checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
    head = f"{BROADCAST}{bare(source)}08004500001c{label:04x}00004011{checksum:04x}"
    return f"{head}{packed(address)}ffffffff0044004300080000"


def ipv6(source: str, address: str, label: int) -> str:
    """A datagram by udp; the label is the flow's."""
    return (
        f"{ALL_NODES}{bare(source)}86dd600{label:05x}00081140{packed(address)}{packed('ff02::1')}" + "0" * 16
    )


def advertisement(source: str, address: str, target: str, label: int) -> str:
    """Of a neighbour (RFC 4861, 4.4)."""
    head = f"{ALL_NODES}{bare(source)}86dd600{label:05x}00183aff{packed(address)}{packed('ff02::1')}"
    return f"{head}8800{label:04x}20000000{packed(target)}"


def of_router(kind: int, source: str, label: int) -> str:
    """A router's ICMPv6 (RFC 4861, 4.2 and 4.5), as far as a filter looks."""
    return advertisement(source, link_local(source), "::", label).replace("8800", f"{kind:02x}00")


def tagged(frame: str, *tags: str) -> str:
    """A frame with tags of VLANs (IEEE 802.1Q) behind its addresses."""
    return frame[:24] + "".join(tags) + frame[24:]


def link_local(mac: str) -> str:
    one, *rest = bytes.fromhex(bare(mac))
    low = bytes([one ^ 2, *rest[:2], 0xFF, 0xFE, *rest[2:]])
    return str(ip_address(bytes.fromhex("fe80000000000000") + low))


def heard(world: World) -> str:
    return world.run("cat", "/run/heard").out


def arriving(world: World, *frames: str) -> list[str]:
    """Those of the frames that come to web, when thief has sent them: what is sent last does."""
    me = own(world, "thief")
    marker = arp(me.mac, me.mac, me.ip, next(MARKS))
    for frame in (*frames, marker):
        sent = world.run(*world.within("thief", *TALK, "frame", me.end, frame))
        assert sent.code == 0, sent.err
    assert eventually(lambda: marker[24:] in heard(world))
    return [frame for frame in frames if frame[24:120] in heard(world)]


def test_what_a_pot_sends_as_itself_arrives(kitchen: World) -> None:
    me = own(kitchen, "thief")
    local = link_local(me.mac)
    frames = [
        arp(me.mac, me.mac, me.ip, 0x101),
        arp(me.mac, me.mac, "0.0.0.0", 0x102),
        ipv4(me.mac, me.ip, 0x103),
        ipv6(me.mac, me.ip6, 0x104),
        ipv6(me.mac, local, 0x105),
        advertisement(me.mac, me.ip6, me.ip6, 0x106),
        advertisement(me.mac, local, local, 0x107),
        # Looking whether an address is free, it has none (RFC 4862).
        advertisement(me.mac, "::", me.ip6, 0x108).replace("8800", "8700"),
    ]
    assert arriving(kitchen, *frames) == frames


def test_what_it_sends_as_another_does_not(kitchen: World) -> None:
    me, web = own(kitchen, "thief"), own(kitchen, "web")
    frames = [
        arp(OTHER, me.mac, me.ip, 0x201),
        arp(me.mac, OTHER, me.ip, 0x202),
        arp(me.mac, me.mac, web.ip, 0x203),
        arp(me.mac, me.mac, NOBODY, 0x204),
        arp(web.mac, web.mac, web.ip, 0x205),
        ipv4(me.mac, web.ip, 0x206),
        ipv4(me.mac, NOBODY, 0x207),
        ipv4(me.mac, "0.0.0.0", 0x208),
        ipv4(web.mac, me.ip, 0x209),
        ipv6(me.mac, web.ip6, 0x20A),
        ipv6(me.mac, "::", 0x20B),
        ipv6(me.mac, link_local(web.mac), 0x20C),
        ipv6(web.mac, me.ip6, 0x20D),
        advertisement(me.mac, web.ip6, web.ip6, 0x20E),
        advertisement(me.mac, me.ip6, web.ip6, 0x20F),
        advertisement(me.mac, link_local(me.mac), web.ip6, 0x210),
        advertisement(me.mac, "2001:db8::1", me.ip6, 0x211),
    ]
    assert arriving(kitchen, *frames) == []


@pytest.mark.parametrize("chain", ["prerouting", "forward"])
def test_what_lets_all_pass_before_is_noticed(kitchen: World, chain: str) -> None:
    config = ("--config", "/run/potnet.toml")
    assert kitchen.run("nft", f"insert rule bridge potnet {chain} accept").code == 0
    found = json.loads(kitchen.try_potnet(*config, "-o", "json", "check").out)
    assert [each["kind"] for each in found] == ["members-unfiltered"]
    kitchen.potnet(*config, "repair")
    assert kitchen.facts(*config, "check") == []


def test_a_pot_is_no_router(kitchen: World) -> None:
    me = own(kitchen, "thief")
    frames = [of_router(134, me.mac, 0x501), of_router(137, me.mac, 0x502)]
    assert arriving(kitchen, *frames) == []
    asking = of_router(133, me.mac, 0x503)
    assert arriving(kitchen, asking) == [asking]


@pytest.mark.parametrize(
    "tags",
    [("81000000",), ("81000005",), ("88a80000",), ("81000000", "81000000"), ("88a80000", "81000000")],
    ids=["priority", "vlan", "service", "two", "both"],
)
def test_tags_hide_nothing(kitchen: World, tags: tuple[str, ...]) -> None:
    """Who receives a tag of VLAN 0 takes the frame as one without."""
    me, web = own(kitchen, "thief"), own(kitchen, "web")
    kitchen.run("ip", "neigh", "flush", "all")
    frames = [arp(me.mac, me.mac, web.ip, 0x601), ipv4(me.mac, web.ip, 0x602), ipv6(me.mac, web.ip6, 0x603)]
    labels = [frame[24:] for frame in frames]
    assert arriving(kitchen, *(tagged(frame, *tags) for frame in frames)) == []
    assert not [each for each in labels if each in heard(kitchen)]
    gateway = str(ip_address(int(ip_address(me.ip)) - 1))
    claim = arp(me.mac, me.mac, web.ip, 0)[:-20] + "0" * 12 + packed(gateway)
    assert arriving(kitchen, tagged(claim, *tags)) == []
    assert me.mac not in kitchen.run("ip", "neigh", "show", web.ip).out


@pytest.mark.parametrize(("protocol", "port"), [("tcp", 90), ("udp", 91)])
def test_a_policy_closes_one_way_on_a_bridge(kitchen: World, protocol: str, port: int) -> None:
    config = ("--config", "/run/potnet.toml")
    me, web = own(kitchen, "thief"), own(kitchen, "web")
    for name in ("thief", "web"):
        kitchen.serve(name, port)
    there, back = [(web.ip, me.ip), (web.ip6, me.ip6)], [(me.ip, web.ip), (me.ip6, web.ip6)]
    kitchen.potnet(*config, "policy", "add", "--from", "thief", "--to", "web", "--deny")
    for address, caller in back:
        assert kitchen.ask("web", protocol, address, port) == caller
    for address, _ in there:
        assert kitchen.ask("thief", protocol, address, port) == "no answer"
    # Once more: what was answered is no way in.
    assert kitchen.ask("web", protocol, me.ip, port) == web.ip
    assert kitchen.ask("thief", protocol, web.ip, port) == "no answer"
    ping = [kitchen.run(*kitchen.within(*each)).out.strip() for each in pings(me, web)]
    assert ping == [me.ip6, "no answer"]
    kitchen.potnet(*config, "policy", "add", "--from", "thief", "--to", "web", "--port", f"{protocol}:{port}")
    for address, caller in there:
        assert kitchen.ask("thief", protocol, address, port) == caller
    other = "udp" if protocol == "tcp" else "tcp"
    assert kitchen.ask("thief", other, web.ip, port) == "no answer"
    kitchen.potnet(
        *config, "policy", "remove", "--from", "thief", "--to", "web", "--port", f"{protocol}:{port}"
    )
    assert kitchen.ask("thief", protocol, web.ip, port) == "no answer"
    assert kitchen.facts(*config, "check") == []
    kitchen.potnet(*config, "policy", "remove", "--from", "thief", "--to", "web")
    for address, caller in there:
        assert kitchen.ask("thief", protocol, address, port) == caller


def pings(me: Own, web: Own) -> tuple[tuple[str, ...], ...]:
    """Commands for both ways, each with the namespace before it."""
    return ("web", *TALK, "ping", me.ip6), ("thief", *TALK, "ping", web.ip6)


def test_addresses_of_the_link_are_no_way_around_a_policy(kitchen: World) -> None:
    config = ("--config", "/run/potnet.toml")
    me, web = own(kitchen, "thief"), own(kitchen, "web")
    kitchen.potnet(*config, "policy", "add", "--from", "thief", "--to", "web", "--port", "22", "--deny")
    frames = [
        ipv6(me.mac, link_local(me.mac), 0x401),
        ipv6(me.mac, me.ip6, 0x402).replace(packed("ff02::1"), packed(link_local(web.mac))),
    ]
    assert arriving(kitchen, *frames) == []
    found = advertisement(me.mac, link_local(me.mac), link_local(me.mac), 0x403)
    assert arriving(kitchen, found) == [found]
    kitchen.potnet(*config, "policy", "remove", "--from", "thief", "--to", "web", "--port", "22")
    assert arriving(kitchen, *frames) == frames


def test_the_host_believes_nobody_else(kitchen: World) -> None:
    me, web = own(kitchen, "thief"), own(kitchen, "web")
    kitchen.serve("web", 80)
    assert kitchen.ask(None, "tcp", web.ip, 80) != "no answer"
    arriving(kitchen, arp(me.mac, me.mac, web.ip, 0x301))
    arriving(kitchen, advertisement(me.mac, me.ip6, web.ip6, 0x302))
    for address in (web.ip, web.ip6):
        assert kitchen.ask(None, "tcp", address, 80) != "no answer"
        assert kitchen.ask("thief", "tcp", address, 80) in (me.ip, me.ip6)
        assert web.mac in kitchen.run("ip", "neigh", "show", address).out
