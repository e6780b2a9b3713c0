"""Every command cut off at every point, and what then brings host and store to where they should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from crash import Bench, Ran, Work, difference
from test_life import KINDS, prepare
from world import World

from potnet.executors.base import Command
from potnet.model import PUBLIC, HookKind
from potnet.operations.bridges import create_private_bridge
from potnet.operations.destroy import destroy_bridge, destroy_pot
from potnet.operations.export_ports import export_ports
from potnet.operations.init import init
from potnet.operations.repair import repair
from potnet.operations.settings import copy_in, set_hook, set_options
from potnet.operations.start import start
from potnet.operations.stop import stop
from potnet.operations.vnet import vnet_start, vnet_stop

NAME = "casserole"
NOTHING = {"resolver": None, "addresses": (), "hostname": None, "command": None, "boot": None}


@dataclass(frozen=True)
class Case:
    """A command, the world that it is given in, and the command that takes it back.

    mended: repair leads to the state before the command or after it; else what was cut off is nothing on
    which check and repair have a view: pf.conf, files in a root, a port that was chosen for the next start.
    half: of a command on two things, the command on the first.
    """

    name: str
    prepare: Work
    command: Work
    opposite: Work | None = None
    mended: bool = True
    half: Work | None = None
    bare: bool = False


def doing(operation: Callable[..., Any], *args: Any, **kwargs: Any) -> Work:
    return lambda world: world.do(operation, *args, **kwargs)


def creating(kind: str, stack: str, name: str = NAME, **more: Any) -> Work:
    bridge = "stove" if kind == "private-bridge" else None
    return lambda world: world.create(name, kind, stack, bridge=bridge, **more)


def used(world: World) -> None:
    """A host on which there was a pot: networks are known, a release is in the cache; forwarding is off."""
    world.host.run(Command(("sysctl", "net.inet.ip.forwarding=0")))
    world.do(create_private_bridge, "stove", 4)
    world.create(NAME, "public-bridge", "dual", base="12.2")
    world.do(start, [NAME])
    world.do(stop, [NAME])
    world.do(destroy_pot, NAME)


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


def script(world: World) -> Path:
    path = world.directory / "hook"
    path.write_text("#!/bin/sh\n")
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
    yield Case("start with hooks", hooked(False), begin, end)
    yield Case("stop with hooks", hooked(True), end, begin)
    yield Case("start with a resolver", needing(False), begin, doing(stop, [NAME, "dns"]))
    yield Case("stop with a resolver", needing(True), doing(stop, [NAME, "dns"]), begin)
    yield from _creating()
    yield from _changing()
    yield from _bridges()
    yield from _preparing()


def _creating() -> Iterator[Case]:
    plain = lambda world: None  # noqa: E731
    yield Case("create on an untouched host", plain, creating("public-bridge", "dual", base="12.2"))
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
        mended=False,
    )


def once(world: World) -> None:
    """Create a pot without a name, unless that is done."""
    if not [pot for pot in world.records()["pots"] if pot.whole]:
        world.create(None, "public-bridge", base="12.2")


def _changing() -> Iterator[Case]:
    for kind in ("public-bridge", "private-bridge"):
        for running in (False, True):
            yield Case(
                f"export-ports {kind} {'running' if running else 'stopped'}",
                one_pot(kind, "ipv4", running=running),
                doing(export_ports, NAME, ["80:30080", "443:30443", "8080"], False),
                doing(export_ports, NAME, ["80:30080", "udp:53"], False),
            )
            yield Case(
                f"set -i {kind} {'running' if running else 'stopped'}",
                one_pot(kind, "ipv4", running=running),
                doing(set_options, NAME, **NOTHING | {"addresses": ("10.192.0.13",)}),
            ) if kind == "private-bridge" else Case(
                f"set {'running' if running else 'stopped'}",
                one_pot(kind, "ipv4", running=running),
                doing(set_options, NAME, **NOTHING | {"boot": True, "hostname": "pan.example"}),
                doing(set_options, NAME, **NOTHING | {"boot": False, "hostname": NAME}),
            )
    yield Case(
        "set-hook",
        one_pot("public-bridge", "ipv4"),
        lambda world: world.do(set_hook, NAME, {HookKind.PRESTART: script(world)}),
        mended=False,
    )
    yield Case(
        "copy-in",
        one_pot("inherit", "ipv4"),
        lambda world: world.do(copy_in, NAME, script(world), "/root/hook"),
        mended=False,
    )


def _bridges() -> Iterator[Case]:
    def named(world: World) -> None:
        used(world)
        world.do(create_private_bridge, "grill", 2)

    make, drop = doing(create_private_bridge, "grill", 2), doing(destroy_bridge, "grill")
    yield Case("create-private-bridge", used, make, drop)
    yield Case("destroy bridge", named, drop, make)
    up, down = doing(vnet_start, "grill"), doing(vnet_stop, "grill")

    def pinned(world: World) -> None:
        named(world)
        world.do(vnet_start, "grill")

    yield Case("vnet-start private", named, up, down)
    yield Case("vnet-stop private", pinned, down, up)
    yield Case("destroy bridge that is up", pinned, drop)
    for stack in ("ipv4", "ipv6", "dual"):
        yield from _public(stack)
    yield Case(
        "vnet-start beside a pot",
        one_pot("public-bridge", "ipv4", running=True),
        doing(vnet_start, None),
    )


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

    halves = [told(vnet_start, PUBLIC), told(vnet_stop, PUBLIC)] if stack == "dual" else [None, None]
    yield Case(f"vnet-start {stack}", configured, told(vnet_start), told(vnet_stop), half=halves[0])
    yield Case(f"vnet-stop {stack}", upped, told(vnet_stop), told(vnet_start), half=halves[1])


def _preparing() -> Iterator[Case]:
    def with_rules(world: World) -> None:
        (world.host.tree / "etc/pf.conf").write_text("pass\n")

    for apply_now, loopback in ((False, False), (True, False), (True, True)):
        flags = " --apply" * apply_now + " --loopback" * loopback
        yield Case(f"init{flags}", with_rules, doing(init, apply_now, loopback), mended=False, bare=True)


CASES = tuple(cases())


@dataclass
class Recovery:
    """What is done after a command was cut off, and what that may come to."""

    name: str
    work: Work
    states: list[dict[str, Any]]
    errors: set[str | None]

    def faults(self, ran: Ran) -> list[str]:
        """What is wrong with what it came to, a line each."""
        if ran.error not in self.errors:
            return [f"potnet: {ran.error}"]
        assert ran.state is not None
        return min((difference(ran.state, wanted) for wanted in self.states), key=len)


def recoveries(case: Case, bench: Bench, done: Ran) -> list[Recovery]:
    """The same command again must end where an undisturbed one does; the opposite one where it does."""
    assert done.state is not None
    again = bench.run(case.command)
    assert again.state == done.state, difference(again.state, done.state)
    found = [Recovery("the same", case.command, [done.state], {None, again.error})]
    if case.opposite:
        from_after = _run_from(bench, "after", case.opposite, case.bare)
        from_before = _run_from(bench, "before", case.opposite, case.bare)
        assert from_after.error is None
        assert from_after.state is not None and from_before.state is not None
        states = [from_after.state, from_before.state]
        found.append(Recovery("the opposite", case.opposite, states, {None, from_before.error}))
    if case.mended:
        bench.restore("before")
        states = [bench.state(), done.state]
        if case.half:
            bench.run(case.half)
            states.append(bench.state())
        found.append(Recovery("repair", doing(repair, (), None), states, {None}))
    return found


def _run_from(bench: Bench, copy: str, work: Work, bare: bool = False) -> Ran:
    bench.restore(copy)
    return bench.run(work, bare=bare)


def cut_off(case: Case, bench: Bench, every: int, figure: Callable[..., None]) -> None:
    """Cut a command off at every point, or every so many, and finish it or take it back."""
    assert bench.run(case.prepare, bare=case.bare).error is None
    bench.save("before")
    done = bench.run(case.command)
    assert done.error is None
    bench.save("after")
    ways = recoveries(case, bench, done)
    points, runs, faults, former = range(0, len(done.points), every), 0, [], None
    for point in points:
        bench.restore("before")
        assert bench.run(case.command, stop_at=point).died
        state = bench.state()
        if state == former:
            # It came from a command that only looks: what follows from the same state is the same.
            continue
        former = state
        bench.save("cut")
        for way in ways:
            runs += 1
            wrong = way.faults(_run_from(bench, "cut", way.work))
            if wrong:
                where = f"{case.name}, cut off behind {done.points[point][:80]} ({point}), then {way.name}:"
                faults.append("\n   ".join((where, *(line[:300] for line in wrong[:5]))))
        bench.drop("cut")
    figure("crash points", points=len(points), recoveries=runs, failures=len(faults))
    assert not faults, "\n".join(faults[:20])


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_point(case: Case, bench: Bench, figure: Callable[..., None]) -> None:
    cut_off(case, bench, 1, figure)


SAMPLE = {
    "create public-bridge dual": 5,
    "start public-bridge dual": 6,
    "stop private-bridge ipv4": 5,
    "destroy alias dual": 4,
    "export-ports public-bridge running": 4,
    "vnet-start dual": 5,
}


@pytest.mark.parametrize("case", [c for c in CASES if c.name in SAMPLE], ids=lambda case: case.name)
def test_some_points(case: Case, bench: Bench, figure: Callable[..., None]) -> None:
    cut_off(case, bench, SAMPLE[case.name], figure)
