"""What changes something: each command with the world that it is given in, and what takes it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crash import Work
from made_up import MadeUp
from test_life import KINDS, prepare
from world import World

from potnet.executors.base import Command
from potnet.model.names import PUBLIC
from potnet.model.pots import HookKind, NetworkType
from potnet.operations.exports.change_exports import Change
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.files.hooks import set_hook
from potnet.operations.from_pot.importing import import_pots
from potnet.operations.lan.create_bridge import LanRequest, create_bridge
from potnet.operations.maintenance.init import init
from potnet.operations.networks import policies
from potnet.operations.networks.bridges import BridgeRequest, create_private_bridge
from potnet.operations.networks.network_options import NetworkOptions
from potnet.operations.networks.vnet import vnet_start, vnet_stop
from potnet.operations.pots.clone import clone
from potnet.operations.pots.copy_in import copy_in
from potnet.operations.pots.destroy import destroy_bridge, destroy_pot
from potnet.operations.pots.rename import rename
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.running.attach import attach, detach
from potnet.operations.running.restart import restart
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

NAME = "casserole"
ETC = f"/opt/potnet/jails/{NAME}/m/etc"
#: Creates a pot with all that can be said of its interfaces.
MANY_WIRES: Work = lambda world: world.create(  # noqa: E731
    NAME,
    "private-bridge",
    bridge="rack",
    more=((NetworkType.PUBLIC_BRIDGE, None),),
    macs=("02:00:00:00:00:77",),
    passed=("em1",),
    base="12.2",
)
#: Creates a machine with two taps of somebody's.
MACHINE: Work = lambda world: world.create(  # noqa: E731
    NAME,
    "private-bridge",
    bridge="rack",
    more=((NetworkType.PUBLIC_BRIDGE, None),),
    tap=True,
    owner="alice",
    network=NetworkOptions(isolate=True, internet=False, bandwidth_out="1Mbit/s"),
)
NOTHING = {"resolver": None, "addresses": (), "hostname": None, "command": None, "boot": None}


@dataclass(frozen=True)
class Case:
    """A command, the world that it is given in, and the command that takes it back.

    halves: of a command on two things, the same on one. stays: what may stay of a command that was taken
    back, as `difference` names it. told: what repair may say that it cannot mend.
    """

    name: str
    prepare: Work
    command: Work
    opposite: Work | None = None
    halves: tuple[Work, ...] = ()
    stays: tuple[str, ...] = ()
    told: str | None = None
    bare: bool = False


def doing(operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Work:
    return lambda world: world.do(operation, *args, **kwargs)


def creating(kind: str, stack: str, name: str = NAME, **more: Any) -> Work:
    bridge = "stove" if kind == "private-bridge" else None
    return lambda world: world.create(name, kind, stack, bridge=bridge, **more)


def used(world: World) -> None:
    """A host on which there was a pot: networks are known, a release is in the cache; forwarding is off."""
    world.host.run(Command(("sysctl", "net.inet.ip.forwarding=0")))
    world.do(create_private_bridge, BridgeRequest("stove", 4))
    world.create(NAME, "public-bridge", "dual", base="12.2")
    world.do(start, [NAME])
    world.do(stop, [NAME])
    world.do(destroy_pot, NAME)


def on_datasets(world: World) -> World:
    """A host on which there was a pot; the directory of the pots is a dataset."""
    used(world)
    world.host.make_pool("zroot")
    world.host.run(Command(("zfs", "create", "-o", "mountpoint=/opt/potnet/jails", "zroot/jails")))
    return world


def one_pot(kind: str, stack: str, running: bool = False, beside: bool = False) -> Work:
    """A pot whose ports are chosen. beside: with another one, that runs on the same bridge."""

    def work(world: World) -> None:
        used(world)
        prepare(world, kind, stack, base="12.2")
        if beside:
            creating(kind, stack, "ragout", base="12.2")(world)
            world.do(start, ["ragout"])
        world.do(start, [NAME])
        if not running:
            world.do(stop, [NAME])

    return work


def hooked(running: bool) -> Work:
    """A pot with all hooks."""

    def work(world: World) -> None:
        one_pot("public-bridge", "ipv4")(world)
        world.do(set_hook, NAME, {kind: script(world) for kind in HookKind})
        if running:
            world.do(start, [NAME])

    return work


def needing(running: bool) -> Work:
    """A pot that has another one for its resolver."""

    def work(world: World) -> None:
        used(world)
        world.create("dns", "public-bridge")
        world.create(NAME, "public-bridge", resolver="pot")
        if running:
            world.do(start, [NAME])

    return work


def wired(world: World) -> None:
    """A host with another interface, and a bridge that is part of a VLAN."""
    used(world)
    world.host.plug("em1")
    # On FreeBSD 15, em0 is a bridge, and the frames of VLANs come to its member.
    uplink = "igb0.30" if world.lan_bridge else "em0.30"
    world.do(create_private_bridge, BridgeRequest("rack", 4, mtu=1400, uplink=uplink))


def of_many_wires(running: bool) -> Work:
    """A pot on a VLAN's bridge and on the public one, with an interface of the host's own."""

    def work(world: World) -> None:
        wired(world)
        MANY_WIRES(world)
        if running:
            world.do(start, [NAME])

    return work


def of_taps(running: bool) -> Work:
    """A machine with exports, on a VLAN's bridge and on the public one."""

    def work(world: World) -> None:
        wired(world)
        MACHINE(world)
        world.do(export_ports, NAME, ExportRequest(["80:30080", "443"]))
        world.do(start, [NAME])
        if not running:
            world.do(stop, [NAME])

    return work


def ruled(*running: str) -> Work:
    """Pots on bridges of their own, with policies both ways, no internet and bandwidth."""

    def work(world: World) -> None:
        used(world)
        world.do(create_private_bridge, BridgeRequest("oven", 4))
        limits = NetworkOptions(internet=False, bandwidth_in="10Mbit/s", bandwidth_out="1Mbit/s")
        world.create(NAME, "private-bridge", bridge="stove", network=limits)
        world.create("ragout", "private-bridge", bridge="oven")
        world.do(policies.add, NAME, "ragout", "80", False)
        world.do(policies.add, "oven", NAME, None, False)
        # Once, so that its numbers are chosen.
        world.do(start, [NAME, "ragout"])
        world.do(stop, [name for name in (NAME, "ragout") if name not in running])

    return work


def script(world: World, text: str = "") -> Path:
    path = world.directory / "hook"
    path.write_text(f"#!/bin/sh\n{text}")
    return path


def cases() -> Iterator[Case]:
    begin, end = doing(start, [NAME]), doing(stop, [NAME])
    for kind, stack in KINDS:
        create, destroy = creating(kind, stack, base="12.2"), doing(destroy_pot, NAME)
        yield Case(f"create {kind} {stack}", used, create, destroy)
        yield Case(f"destroy {kind} {stack}", one_pot(kind, stack), destroy, create)
        for beside in (False, True) if "bridge" in kind else (False,):
            named = f"{kind} {stack}" + (" beside another" if beside else "")
            yield Case(f"start {named}", one_pot(kind, stack, beside=beside), begin, end)
            yield Case(f"stop {named}", one_pot(kind, stack, beside=beside, running=True), end, begin)
    again = doing(restart, [NAME])
    yield Case("restart", one_pot("public-bridge", "dual", running=True), again, again, halves=(end,))
    destroyed = doing(destroy_pot, NAME)
    yield Case("create on a dataset", on_datasets, created, destroyed)
    yield Case("destroy on a dataset", lambda world: created(on_datasets(world)), destroyed, created)
    yield Case("create of many wires", wired, MANY_WIRES, doing(destroy_pot, NAME))
    yield Case("start of many wires", of_many_wires(False), begin, end)
    yield Case("stop of many wires", of_many_wires(True), end, begin)
    yield Case("create a machine", wired, MACHINE, doing(destroy_pot, NAME))
    yield Case("destroy a machine", of_taps(False), doing(destroy_pot, NAME), MACHINE)
    yield Case("start a machine", of_taps(False), begin, end)
    yield Case("stop a machine", of_taps(True), end, begin)
    yield Case("start with hooks", hooked(False), begin, end)
    yield Case("stop with hooks", hooked(True), end, begin)
    both, dns = doing(stop, [NAME, "dns"]), doing(start, ["dns"])
    yield Case("start with a resolver", needing(False), begin, both, halves=(dns,))
    halves = tuple(doing(stop, [name]) for name in (NAME, "dns"))
    yield Case("stop with a resolver", needing(True), both, begin, halves=halves)
    yield from _ruling()
    yield from _guarding()
    yield from _creating()
    yield from _changing()
    yield from _renaming()
    yield from _with_files()
    yield from _from_elsewhere()
    yield from _bridges()
    yield from _preparing()


def _creating() -> Iterator[Case]:
    plain = lambda world: None  # noqa: E731
    yield Case(
        "create on an untouched host",
        plain,
        creating("public-bridge", "dual", base="12.2"),
        # The folders and networks that all pots share.
        stays=("/host/files//opt", "/store", "/kept"),
    )
    yield Case(
        "create with a release to fetch",
        without_release,
        creating("public-bridge", "dual", base="12.2"),
        doing(destroy_pot, NAME),
        stays=("/host/files//opt/potnet/cache",),
    )
    yield Case("create without a name", used, once, doing(destroy_pot, "pot1"))

    def given(world: World) -> None:
        used(world)
        (world.directory / "own").mkdir()

    yield Case(
        "create with a root",
        given,
        lambda world: world.create(NAME, path=str(world.directory / "own")),
        doing(destroy_pot, NAME),
    )
    yield Case(
        "first start",
        lambda world: prepare(world, "public-bridge", "ipv4", base="12.2"),
        doing(start, [NAME]),
        doing(stop, [NAME]),
        # A port that was chosen, and what is remembered of things that pots share.
        stays=("/store/export", "/store/remembered"),
    )


def _ruling() -> Iterator[Case]:
    begin, end = doing(start, [NAME]), doing(stop, [NAME])
    yield Case("start with policies", ruled("ragout"), begin, end)
    yield Case("stop with policies", ruled("ragout", NAME), end, begin)
    deny = doing(policies.add, "ragout", NAME, "22", True)
    allow = doing(policies.add, NAME, "oven", "443", False)
    yield Case("policy add", ruled("ragout", NAME), allow, doing(policies.remove, NAME, "oven", "443"))
    yield Case("policy add --deny", ruled("ragout", NAME), deny, doing(policies.remove, "ragout", NAME, "22"))
    again = doing(policies.add, NAME, "ragout", "80", False)
    yield Case("policy remove", ruled("ragout", NAME), doing(policies.remove, NAME, "ragout", "80"), again)


def _guarding() -> Iterator[Case]:
    """network.antispoof, of which the switches of the host are part: the first pot, and one more."""

    def told(operation: Callable[..., Any]) -> Work:
        def work(world: World) -> None:
            world.configure("network.antispoof = true\n")
            world.do(operation, [NAME])

        return work

    def given(*running: str) -> Work:
        def work(world: World) -> None:
            used(world)
            world.configure("network.antispoof = true\n")
            for name in (NAME, "ragout"):
                world.create(name, "private-bridge", bridge="stove")
            # Once, so that its numbers are chosen.
            world.do(start, [NAME, "ragout"])
            world.do(stop, [name for name in (NAME, "ragout") if name not in running])

        return work

    begin, end = told(start), told(stop)
    yield Case("start with antispoof", given(), begin, end)
    yield Case("stop with antispoof", given(NAME), end, begin)
    yield Case("stop beside one with antispoof", given(NAME, "ragout"), end, begin)

    def ruling(operation: Callable[..., Any], *more: Any) -> Work:
        def work(world: World) -> None:
            world.configure("network.antispoof = true\n")
            world.do(operation, NAME, "ragout", "22", *more)

        return work

    def ruled_near(*running: str) -> Work:
        def work(world: World) -> None:
            given(*running)(world)
            ruling(policies.add, True)(world)

        return work

    deny, allow = ruling(policies.add, True), ruling(policies.remove)
    yield Case("policy add on one bridge", given(NAME, "ragout"), deny, allow)
    yield Case("policy remove on one bridge", ruled_near(NAME, "ragout"), allow, deny)
    yield Case("start with a policy on one bridge", ruled_near("ragout"), begin, end)
    yield Case("stop with a policy on one bridge", ruled_near(NAME, "ragout"), end, begin)


def once(world: World) -> None:
    """Create a pot without a name, unless that is done."""
    if not [pot for pot in world.records()["pots"] if pot.whole]:
        world.create(None, "public-bridge", base="12.2")


def _changing() -> Iterator[Case]:
    yield Case(
        "export-ports with limits",
        one_pot("public-bridge", "ipv4", running=True),
        doing(
            export_ports, NAME, ExportRequest(["80:30080", "tcp+udp:90-99"], False, ["198.51.100.0/24"], 5)
        ),
        doing(export_ports, NAME, ExportRequest(["80:30080", "udp:53"])),
    )
    added = ["443:30443", "udp:90-92"]
    yield Case(
        "export-ports --add",
        one_pot("public-bridge", "ipv4", running=True),
        doing(export_ports, NAME, ExportRequest(added, change=Change.ADD)),
        doing(export_ports, NAME, ExportRequest(added, change=Change.REMOVE)),
    )
    for kind in ("public-bridge", "private-bridge"):
        for running in (False, True):
            yield Case(
                f"export-ports {kind} {'running' if running else 'stopped'}",
                one_pot(kind, "ipv4", running=running),
                doing(export_ports, NAME, ExportRequest(["80:30080", "443:30443", "8080"])),
                doing(export_ports, NAME, ExportRequest(["80:30080", "udp:53"])),
            )
            yield (
                Case(
                    f"set -i {kind} {'running' if running else 'stopped'}",
                    one_pot(kind, "ipv4", running=running),
                    doing(set_options, NAME, SettingsRequest(**NOTHING | {"addresses": ("10.192.0.13",)})),
                )
                if kind == "private-bridge"
                else Case(
                    f"set {'running' if running else 'stopped'}",
                    one_pot(kind, "ipv4", running=running),
                    doing(
                        set_options,
                        NAME,
                        SettingsRequest(**NOTHING | {"boot": True, "hostname": "pan.example"}),
                    ),
                    doing(set_options, NAME, SettingsRequest(**NOTHING | {"boot": False, "hostname": NAME})),
                )
            )


def _renaming() -> Iterator[Case]:
    """Under another name there is a root, hooks, a log, exports and policies."""

    def given(world: World) -> None:
        ruled("ragout")(world)
        world.do(set_hook, NAME, {HookKind.PRESTART: script(world)})

    command = doing(rename, NAME, "pan")
    yield Case("rename", given, command)
    copied, gone = doing(clone, NAME, "pan"), doing(destroy_pot, "pan")
    yield Case("clone", given, copied, gone)
    yield Case("clone on a dataset", lambda world: created(on_datasets(world)), copied, gone)
    yield Case("rename on a dataset", lambda world: created(on_datasets(world)), command)


def created(world: World) -> None:
    creating("public-bridge", "ipv4", base="12.2")(world)


def _with_files() -> Iterator[Case]:
    def hook(world: World, *kinds: HookKind, text: str = "") -> None:
        world.do(set_hook, NAME, {kind: script(world, text) for kind in kinds})

    def given(world: World) -> None:
        used(world)
        (world.directory / "own").mkdir()
        world.create(NAME, path=str(world.directory / "own"))

    one = one_pot("public-bridge", "ipv4")
    two = (HookKind.PRESTART, HookKind.POSTSTOP)
    yield Case("set-hook", one, lambda world: hook(world, HookKind.PRESTART))
    yield Case("set-hook of a pot with its own root", given, lambda world: hook(world, HookKind.PRESTART))
    yield Case("set-hook again", hooked(False), lambda world: hook(world, *two, text="true\n"))
    yield Case(
        "copy-in",
        one_pot("inherit", "ipv4"),
        lambda world: world.do(copy_in, NAME, script(world), "/root/hook"),
        stays=("/host/files//opt/potnet/jails/casserole/m/root/hook", "/store/remembered"),
        told="left: command-cut-off casserole",
    )


def _from_elsewhere() -> Iterator[Case]:
    """Pots of pot's, and jails of other managers'."""
    yield Case("import", installed, doing(import_pots, None))
    for kind, stack in (("public-bridge", "dual"), ("private-bridge", "ipv4")):
        for created in (False, True):
            begin, end = doing(attach, NAME, None, created), doing(detach, [NAME])
            name = f"{kind} {stack}{' --created' if created else ''}"
            # Nothing is written into the root of a jail that runs.
            more = {"stays": (f"/host/files/{ETC}",) if created else (), "told": f"left: jail-foreign {NAME}"}
            yield Case(f"attach {name}", lent(kind, stack), begin, end, **more)
            yield Case(f"detach {name}", lent(kind, stack, created), end, begin, **more)


def installed(world: World) -> None:
    """A host with pots of pot's, one of which runs."""
    used(world)
    made = MadeUp.at(world.directory)
    made.bridge("oven", "10.192.0.32/28", "10.192.0.40")
    made.private("pan", "10.192.0.43", "oven", "pot.attr.localhost-tunnel=YES", "pot.export.ports=80:30080")
    made.public("web", "10.192.0.50", "pot.stack=dual")
    made.pot("host", "network_type=inherit", "vnet=false", "pot.stack=dual", "pot.dns=off")
    made.pot("layers", "network_type=inherit", "pot.type=multi", "pot.level=1")
    root = made.root / "jails/host/m"
    world.do_there("test", "-d", str(root))
    world.do_there("jail", "-c", "name=host", f"path={root}", "persist", "ip4=inherit", "ip6=inherit")


def lent(kind: str, stack: str, created: bool | None = None) -> Work:
    """A pot whose jail another manager has made. created: as of an attach that was done."""

    def work(world: World) -> None:
        one_pot(kind, stack)(world)
        with world.app() as app:
            root = app.store.pot(NAME).root
        world.do_there("jail", "-c", f"name={NAME}", f"path={root}", "persist", "vnet")
        world.do_there("ifconfig", "-j", NAME, "lo0", "inet", "127.0.0.1/8")
        if created is not None:
            world.do(attach, NAME, None, created)

    return work


def without_release(world: World) -> None:
    """A host on which there was a pot, with an empty cache."""
    used(world)
    world.do_there("rm", "-rf", world.config.cache)


def _bridges() -> Iterator[Case]:
    def named(world: World) -> None:
        used(world)
        world.do(create_private_bridge, BridgeRequest("grill", 2))

    make, drop = doing(create_private_bridge, BridgeRequest("grill", 2)), doing(destroy_bridge, "grill")
    yield Case("create-private-bridge", used, make, drop)
    yield Case("destroy bridge", named, drop, make)
    chosen = doing(create_private_bridge, BridgeRequest("grill", network="172.30.1.0/24"))

    def apart(world: World) -> None:
        used(world)
        chosen(world)
        world.do(vnet_start, "grill")

    yield Case("create-private-bridge --net", used, chosen, drop)
    yield Case("destroy bridge --net that is up", apart, drop)
    up, down = doing(vnet_start, "grill"), doing(vnet_stop, "grill")

    def pinned(world: World) -> None:
        named(world)
        world.do(vnet_start, "grill")

    yield Case("vnet-start private", named, up, down)
    yield Case("vnet-stop private", pinned, down, up)
    yield Case("destroy bridge that is up", pinned, drop)
    yield from _lans()
    for stack in ("ipv4", "ipv6", "dual"):
        yield from _public(stack)
    yield Case(
        "vnet-start beside a pot",
        one_pot("public-bridge", "ipv4", running=True),
        doing(vnet_start, None),
    )


def _lans() -> Iterator[Case]:
    """A bridge of a LAN by em1, where the host has no address, and a pot on it."""
    request = LanRequest("lan", "em1", "192.0.2.0/24", ("192.0.2.1",), ipv6="2001:db8:9::/64")
    addresses = ("192.0.2.60", "2001:db8:9::60")

    def plugged(world: World) -> None:
        used(world)
        world.host.plug("em1")

    def made(world: World) -> None:
        plugged(world)
        world.do(create_bridge, request)

    def create(world: World) -> None:
        world.create(NAME, "bridge", "dual", bridge="lan", addresses=addresses, base="12.2")

    def created(world: World) -> None:
        made(world)
        create(world)

    def started(world: World) -> None:
        created(world)
        world.do(start, [NAME])

    def leased(world: World) -> None:
        used(world)
        world.do(create_bridge, LanRequest("lan", world.external, f"{world.prefix}0/24", ("192.168.178.1",)))
        world.create(NAME, "bridge", "ipv4", bridge="lan", addresses=("dhcp",), base="12.2")
        # The times in the leases of the client would differ from run to run.
        (world.host.tree / "opt/potnet/jails" / NAME / "m/var/db").rmdir()

    make, drop = doing(create_bridge, request), doing(destroy_bridge, "lan")
    yield Case("start with DHCP", leased, doing(start, [NAME]), doing(stop, [NAME]))
    yield Case("create-bridge", plugged, make, drop)
    yield Case("destroy a bridge of a LAN", made, drop, make)
    yield Case("create on a LAN", made, create, doing(destroy_pot, NAME))
    yield Case("start on a LAN", created, doing(start, [NAME]), doing(stop, [NAME]))
    yield Case("stop on a LAN", started, doing(stop, [NAME]), doing(start, [NAME]))


def _public(stack: str) -> Iterator[Case]:
    def configured(world: World) -> None:
        used(world)
        world.configure(f'[network]\nstack = "{stack}"\n')

    def upped(world: World) -> None:
        configured(world)
        world.do(vnet_start, None)

    def told(operation: Callable[..., Any], bridge: str | None = None) -> Work:
        def work(world: World) -> None:
            world.configure(f'[network]\nstack = "{stack}"\n')
            world.do(operation, bridge)

        return work

    for operation, back, world in ((vnet_start, vnet_stop, configured), (vnet_stop, vnet_start, upped)):
        name = operation.__name__.replace("_", "-")
        halves = (told(operation, PUBLIC),) if stack == "dual" else ()
        yield Case(f"{name} {stack}", world, told(operation), told(back), halves=halves)


def _preparing() -> Iterator[Case]:
    def with_rules(world: World) -> None:
        (world.host.tree / "etc/pf.conf").write_text("pass\n")
        assert world.records()["pots"] == ()

    for apply_now, loopback in ((False, False), (True, False), (True, True)):
        flags = " --apply" * apply_now + " --loopback" * loopback
        yield Case(f"init{flags}", with_rules, doing(init, apply_now, loopback), bare=True)


CASES = tuple(cases())
