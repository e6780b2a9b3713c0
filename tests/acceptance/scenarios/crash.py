"""potnet is killed in the middle of its work (SIGKILL): the next commands finish it or take it back."""

from __future__ import annotations

import time

from ..host import HOST, PORT
from ..registry import scenario
from ..user import User
from .exports import EXPORTED

#: When a command is killed, in parts of the time that it takes when it is not.
PARTS = (0.3, 0.5, 0.65, 0.8, 0.95)


def kitchen(user: User) -> tuple[str, str]:
    """Two pots that do not run: one exports, one is on two networks."""
    back = user.bridge("back")
    web = user.pot("web", "-N", "public-bridge")
    both = user.pot("both", "-N", "public-bridge", "-N", "private-bridge", "-B", back)
    user.potnet("export-ports", "-p", web, "-e", f"{PORT}:{EXPORTED}")
    return web, both


@scenario()
def a_start_is_killed(user: User) -> None:
    web, both = kitchen(user)
    began = time.monotonic()
    user.start(web, both)
    whole = time.monotonic() - began
    for number, part in enumerate(PARTS):
        user.potnet("stop", web, both)
        user.try_potnet("start", web, both, kill_after=part * whole)
        if number % 2:
            # Whoever does not know that it was killed starts it again.
            user.start(web, both)
        else:
            user.potnet("stop", web, both)
            user.agrees()
            user.start(web, both)
        user.connects(both, user.host.addresses[4], web, EXPORTED)
        user.connects(web, user.address(both), both)
        user.agrees()


@scenario()
def a_stop_is_killed(user: User) -> None:
    web, both = kitchen(user)
    user.start(web, both)
    began = time.monotonic()
    user.potnet("stop", web, both)
    whole = time.monotonic() - began
    for part in PARTS[::2]:
        user.start(web, both)
        user.try_potnet("stop", web, both, kill_after=part * whole)
        user.potnet("stop", web, both)
        user.agrees()
        user.fails(HOST, user.host.addresses[4], EXPORTED)


@scenario()
def a_create_and_a_destroy_are_killed(user: User) -> None:
    for part in PARTS[::2]:
        began = time.monotonic()
        pot = user.pot("web", "-N", "public-bridge")
        whole = time.monotonic() - began
        user.try_potnet("destroy", "-p", pot, kill_after=part * whole)
        user.try_potnet("destroy", "-p", pot)
        user.try_potnet("create", "-p", pot, "-N", "public-bridge", kill_after=part * whole)
        if pot in [each["name"] for each in user.facts("list")]:
            user.potnet("destroy", "-p", pot)
        user.agrees()
