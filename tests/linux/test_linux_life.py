"""Pots of each type and stack on a Linux kernel: started, used, stopped, and nothing of them left."""

from __future__ import annotations

import pytest
from linux_world import HERE, HOST, OUTSIDE, PYTHON, World

ALIASES = {"ipv4": ("192.0.2.200",), "ipv6": ("2001:db8:7::200",)}
ALIASES["dual"] = (*ALIASES["ipv4"], *ALIASES["ipv6"])


def prepare(world: World, kind: str, stack: str, name: str = "casserole") -> None:
    """A pot of a kind, with exports where it can have them."""
    more: list[str] = []
    if kind == "private-bridge":
        world.potnet("create-private-bridge", "-B", "stove", "-S", "4")
        more += ["-B", "stove"]
    if kind == "alias":
        more += [word for address in ALIASES[stack] for word in ("-i", f"eth0|{address}")]
    world.potnet("create", "-p", name, "-N", kind, "-S", stack, *more)
    if kind.endswith("bridge") and stack != "ipv6":
        world.potnet("export-ports", "-p", name, "-e", "80:30080", "-e", "udp:53")


@pytest.mark.parametrize(("kind", "stack"), [("public-bridge", "dual"), ("private-bridge", "ipv4")])
def test_a_pot_has_the_same_mac_and_address_each_time(world: World, kind: str, stack: str) -> None:
    prepare(world, kind, stack)
    seen = []
    for _ in range(2):
        world.potnet("start", "casserole")
        links = world.run("ip", "-n", "casserole", "-br", "link").out.splitlines()
        addresses = world.run("ip", "-n", "casserole", "-4", "-br", "addr").out.splitlines()
        macs = {line.split("@")[0]: line.split()[2] for line in links}
        seen.append((macs, [(line.split("@")[0], line.split()[2:]) for line in addresses]))
        world.potnet("stop", "casserole")
    assert len(seen[0][0]) == (3 if stack == "dual" else 2)
    assert seen[0] == seen[1]


def test_stop_ends_the_processes_of_a_pot_and_no_others(world: World) -> None:
    for name in ("casserole", "wok"):
        world.potnet("create", "-p", name, "-N", "public-bridge")
    world.potnet("start", "casserole", "wok")
    stubborn = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    world.serve("casserole", 80)
    assert world.spawn("casserole", "sh", "-c", stubborn) == "ready"
    for other in ("wok", None):
        talk = (*PYTHON, str(HERE / "talk.py"), "serve", "80")
        assert world.spawn(other, *talk) == "ready"
    world.potnet("stop", "casserole")
    assert world.ask("wok", "tcp", world.address("wok"), 80) == world.address("wok")
    assert world.ask("outside", "tcp", HOST, 80) == OUTSIDE
    assert "epair0" not in world.run("ip", "link").out
    processes = world.run("ps", "axww", "-o", "args").out
    assert processes.count("talk.py serve") == 2
    assert "trap" not in processes


def test_an_alias_answers_while_its_pot_runs(world: World) -> None:
    prepare(world, "alias", "dual")
    world.serve(None, 80)
    addresses = ALIASES["dual"]
    assert [world.ask("outside", "tcp", a, 80) for a in addresses] == ["no answer"] * 2
    done = world.try_potnet("start", "casserole")
    assert "cannot keep it to its own addresses" in done.err
    # Who has asked in vain does not ask again at once (RFC 4861, RFC 826).
    world.run("ip", "-n", "outside", "neigh", "flush", "all")
    assert [world.ask("outside", "tcp", a, 80) for a in addresses] == [OUTSIDE, "2001:db8:7::1"]
    # The host itself goes on calling from its own addresses.
    world.serve("outside", 81)
    assert world.ask(None, "tcp", "2001:db8:7::1", 81) == "2001:db8:7::20"
    world.potnet("stop", "casserole")
    assert [world.ask("outside", "tcp", a, 80) for a in addresses] == ["no answer"] * 2


def test_an_inherited_stack_is_the_hosts_own(world: World) -> None:
    prepare(world, "inherit", "ipv4")
    done = world.try_potnet("start", "casserole")
    assert "cannot keep it to its ipv4 stack" in done.err
    shown = world.potnet("exec", "casserole", "--", "true")
    assert shown == ""
    world.serve("casserole", 80)
    assert world.ask("outside", "udp", HOST, 80) == OUTSIDE
    world.potnet("stop", "casserole")
    assert world.ask("outside", "udp", HOST, 80) == OUTSIDE


def test_a_pot_has_its_own_resolver_and_hosts(world: World) -> None:
    world.run("tee", "/run/resolv", stdin="nameserver 10.192.0.9\n")
    world.potnet("create", "-p", "wok", "-N", "public-bridge")
    world.potnet("create", "-p", "casserole", "-N", "public-bridge", "-d", "custom:/run/resolv")
    world.run("tee", "/etc/netns/casserole/hosts", stdin="the administrator's\n")
    before = world.snapshot()
    world.potnet("start", "casserole", "wok")
    files = ("cat", "/etc/resolv.conf", "/etc/hosts")
    shown = world.run(*world.within("casserole", *files)).out
    assert shown.startswith("nameserver 10.192.0.9\n")
    assert f"{world.address('wok')} wok" in shown
    assert world.run(*world.within("wok", *files)).out.startswith("nameserver 192.0.2.9\n")
    world.potnet("stop", "casserole", "wok")
    assert world.snapshot() == before
    assert world.run("cat", "/etc/netns/casserole/hosts").out == "the administrator's\n"


def test_root_of_a_user_namespace_has_pots_too(world: World) -> None:
    with World(own_users=True) as own:
        if own.failed:
            pytest.skip(f"no user namespaces here: {own.failed}")
        prepare(own, "public-bridge", "ipv4")
        before = own.snapshot()
        own.potnet("start", "casserole")
        own.serve("casserole", 80)
        assert own.ask("outside", "tcp", HOST, 30080) == OUTSIDE
        own.potnet("stop", "casserole")
        assert own.snapshot() == before


def test_releases_and_files_for_a_root_are_refused(world: World) -> None:
    refused = world.try_potnet("create", "-p", "casserole", "-b", "14.2")
    assert (refused.code, "run the programs of the host" in refused.err) == (1, True)
    world.potnet("create", "-p", "casserole", "-N", "public-bridge")
    refused = world.try_potnet("copy-in", "-p", "casserole", "-s", "/etc/hosts", "-d", "/etc/hosts")
    assert (refused.code, "runs the host's own programs" in refused.err) == (1, True)
    assert world.potnet("init") == "nothing to do: the host is prepared\n"


def test_a_pots_own_command_runs_in_it(world: World) -> None:
    world.potnet(
        "create", "-p", "casserole", "-N", "public-bridge", "--cmd", "sh -c 'ip -br addr > /run/shown'"
    )
    world.potnet("start", "casserole")
    assert "10.192.0.3/10" in world.run("cat", "/run/shown").out
    assert "eth0" not in world.run("cat", "/run/shown").out


def test_a_dry_run_shows_the_commands_and_changes_nothing(world: World) -> None:
    prepare(world, "public-bridge", "dual")
    before = world.snapshot()
    shown = world.potnet("-n", "start", "casserole")
    assert world.snapshot() == before
    assert "netns add casserole" in shown
    assert "add element inet potnet redirections { tcp . 30080 : 10.192.0.3 . 80 }" in shown
    world.potnet("start", "casserole")
    running = world.snapshot()
    assert "netns del casserole" in world.potnet("-n", "stop", "casserole")
    assert world.snapshot() == running
