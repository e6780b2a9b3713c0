"""Names of pots, resolved by pots, with a real DNS server and a real hosts file."""

from __future__ import annotations

import shutil

import pytest
from linux_world import World

UNBOUND = """\
server:
	chroot: ""
	username: ""
	pidfile: ""
	use-syslog: no
	interface: 10.192.0.1
	access-control: 10.192.0.0/10 allow
	include: /run/pots
"""


def resolved(world: World, pot: str, name: str) -> str:
    """The address that a pot's own resolver finds for a name."""
    return world.run(*world.within(pot, "getent", "ahostsv4", name)).out.partition(" ")[0]


@pytest.mark.parametrize("form", ["unbound", "hosts"])
def test_pots_resolve_one_another_by_a_server_of_the_hosts(world: World, form: str) -> None:
    server = {"unbound": "unbound", "hosts": "dnsmasq"}[form]
    if shutil.which(server, path="/usr/sbin:/sbin:/usr/bin") is None:
        pytest.skip(f"{server} is not installed")
    world.run("tee", "/run/resolv", stdin="nameserver 10.192.0.1\noptions timeout:1\n")
    world.potnet("create-private-bridge", "-B", "stove", "-S", "4")
    world.potnet("create", "-p", "casserole", "-N", "public-bridge", "-d", "custom:/run/resolv")
    world.potnet("create", "-p", "kettle", "-N", "private-bridge", "-B", "stove")
    world.potnet("start", "casserole")
    shown = world.potnet("dns", "--format", form, "--domain", "pots.example.org")
    world.run("tee", "/run/pots", stdin=shown)
    if form == "unbound":
        world.run("tee", "/run/unbound.conf", stdin=UNBOUND)
        assert world.run("/usr/sbin/unbound", "-c", "/run/unbound.conf").code == 0
    else:
        listening = ("--listen-address=10.192.0.1", "--bind-interfaces", "--pid-file", "--user=root")
        files = ("-C", "/dev/null", "--no-resolv", "--no-hosts", "--addn-hosts=/run/pots")
        assert world.run("/usr/sbin/dnsmasq", *listening, *files).code == 0
    assert resolved(world, "casserole", "kettle.pots.example.org") == world.address("kettle")
    assert resolved(world, "casserole", "pan.pots.example.org") == ""
    back = world.run(*world.within("casserole", "getent", "hosts", world.address("kettle"))).out
    assert back.split()[1] == "kettle.pots.example.org"


def test_pots_that_run_learn_of_those_that_come(world: World) -> None:
    world.potnet("create", "-p", "casserole", "-N", "public-bridge")
    before = world.snapshot()
    world.potnet("start", "casserole")
    # What was started in a pot has its hosts file bound over the host's from then on.
    waiting = "echo ready; while ! grep -q ' wok$' /etc/hosts; do sleep 0.1; done; : > /run/seen"
    assert world.spawn("casserole", "sh", "-c", waiting) == "ready"
    world.potnet("create", "-p", "wok", "-N", "public-bridge")
    assert resolved(world, "casserole", "wok") == ""
    world.potnet("start", "wok")
    assert resolved(world, "casserole", "wok") == world.address("wok")
    assert resolved(world, "wok", "casserole") == world.address("casserole")
    assert world.run("timeout", "20", "sh", "-c", "until [ -e /run/seen ]; do sleep 0.1; done").code == 0
    world.potnet("stop", "--all")
    world.potnet("destroy", "-p", "wok")
    assert world.snapshot() == before


def test_the_resolvers_behind_a_stub_are_those_of_pots(world: World) -> None:
    world.run("tee", "/etc/resolv.conf", stdin="nameserver 127.0.0.53\noptions edns0\n")
    world.run("mkdir", "-p", "/run/systemd/resolve")
    upstream = "nameserver 192.0.2.9\nsearch example.org\n"
    world.run("tee", "/run/systemd/resolve/resolv.conf", stdin=upstream)
    for name, kind in (("wok", "public-bridge"), ("pan", "public-bridge"), ("lid", "inherit")):
        world.potnet("create", "-p", name, "-N", kind)
    assert "resolv" not in world.try_potnet("start", "wok", "pan", "lid").err
    for name in ("wok", "pan"):
        assert world.run("cat", f"/etc/netns/{name}/resolv.conf").out == upstream
    # It shares the host's stack, and reaches the stub.
    assert world.run("cat", "/etc/netns/lid/resolv.conf").out.startswith("nameserver 127.0.0.53\n")
    assert world.facts("check") == []
    world.potnet("stop", "wok", "pan", "lid")
    world.run("rm", "/run/systemd/resolve/resolv.conf")
    assert "listens on the host's loopback only" in world.try_potnet("start", "wok").err
