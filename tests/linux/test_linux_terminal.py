"""Programs of a pot and the terminal of whoever starts it."""

from __future__ import annotations

import sys

from linux_world import World

#: Runs a command on a terminal of its own.
ON_A_TERMINAL = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
#: Writes down whether there is a terminal, as anything that pushes characters into it would look (TIOCSTI).
LOOK = "if (: < /dev/tty) 2> /dev/null; then echo terminal; else echo none; fi"


def on_a_terminal(world: World, *argv: str) -> str:
    done = world.run(sys.executable, "-c", ON_A_TERMINAL, *argv)
    assert done.code == 0, done.out + done.err
    return done.out


def potnet(world: World, *argv: str) -> str:
    return on_a_terminal(world, sys.executable, "-m", "potnet", *argv)


def test_neither_the_program_of_a_pot_nor_a_hook_has_the_callers_terminal(world: World) -> None:
    assert on_a_terminal(world, "sh", "-c", LOOK).split() == ["terminal"]
    command = f"sh -c '{LOOK.replace('echo', 'echo >> /run/seen')}'"
    world.potnet("create", "-p", "casserole", "-N", "public-bridge", "--cmd", command)
    world.run("tee", "/run/hook", stdin=f"#!/bin/sh\n({LOOK}) >> /run/seen\n")
    for kind in ("prestart", "poststart", "prestop", "poststop"):
        world.potnet("set-hook", "-p", "casserole", f"--{kind}", "/run/hook")
    potnet(world, "start", "casserole")
    potnet(world, "stop", "casserole")
    assert world.run("cat", "/run/seen").out.split() == ["none"] * 5


def test_what_is_run_in_a_pot_has_the_callers_terminal(world: World) -> None:
    world.potnet("create", "-p", "casserole", "-N", "public-bridge")
    world.potnet("start", "casserole")
    assert potnet(world, "exec", "casserole", "--", "sh", "-c", LOOK).split() == ["terminal"]
