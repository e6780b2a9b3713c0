"""What stands in the place of a pot's own files on Linux: nothing is written through it, and it is named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from linux_world import World

ETC = "/etc/netns/casserole"
#: How each is made where a file of the pot's would be.
FORMS = {
    "link": ("ln", "-s", "/run/outside/file"),
    "relative link": ("ln", "-s", "../../../run/outside/file"),
    "dangling link": ("ln", "-s", "/nowhere"),
    "directory": ("mkdir",),
    "fifo": ("mkfifo",),
    "device": ("mknod", "-m", "666"),
    "socket": ("python3", "-c", "import os, stat, sys; os.mknod(sys.argv[1], stat.S_IFSOCK | 0o666)"),
}


def outside(world: World) -> str:
    """All that is not the pot's, and would show that something was written there."""
    return world.run(
        "sh", "-c", "find /run/outside | sort; cat /run/outside/*; cat /etc/resolv.conf /etc/hosts"
    ).out


@pytest.fixture
def prepared(world: World) -> World:
    world.run("mkdir", "/run/outside")
    for name in ("file", "resolv.conf", "hosts", "resolv.conf.potnet-saved", "hosts.potnet-saved"):
        world.run("tee", f"/run/outside/{name}", stdin="precious\n")
    world.potnet("create", "-p", "casserole", "-N", "public-bridge")
    return world


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_written_through_what_stands_in_the_way(
    prepared: World, form: str, figure: Callable[..., None]
) -> None:
    for place in ("resolv.conf", "hosts", "hosts.potnet-saved"):
        path = f"{ETC}/{place}"
        device = ("c", "1", "3") if form == "device" else ()
        assert prepared.run(*FORMS[form], path, *device).code == 0
        before, snapshot = outside(prepared), prepared.snapshot()
        refused = prepared.try_potnet("start", "casserole")
        assert refused.code == 1
        assert f"/{place} in the root of casserole is a" in refused.err
        assert ("-d off" if place == "resolv.conf" else path) in refused.err.split("\nhint: ")[1]
        assert outside(prepared) == before
        assert prepared.snapshot() == snapshot
        prepared.run("rm", "-r", path)
        figure("roots with something in the way", tried=1, failures=0)
    prepared.potnet("start", "casserole")
    prepared.potnet("stop", "casserole")


def test_a_link_in_the_place_of_a_pots_etc_leads_nowhere(prepared: World) -> None:
    prepared.run("rmdir", ETC)
    prepared.run("ln", "-s", "/run/outside", ETC)
    before = outside(prepared)
    refused = prepared.try_potnet("start", "casserole")
    assert (refused.code, "not a directory: nothing is written through it" in refused.err) == (1, True)
    assert outside(prepared) == before


@pytest.mark.parametrize("place", ["", "/resolv.conf", "/hosts"])
def test_links_planted_while_a_pot_runs_lead_nothing_astray(prepared: World, place: str) -> None:
    prepared.potnet("start", "casserole")
    before = outside(prepared)
    target = "/run/outside" if not place else "/run/outside/file"
    prepared.run("rm", "-r", f"{ETC}{place}")
    prepared.run("ln", "-s", target, f"{ETC}{place}")
    prepared.potnet("stop", "casserole")
    assert outside(prepared) == before


def test_no_root_shows_the_store(prepared: World) -> None:
    prepared.run("ln", "-s", "/run/state/locks", "/run/link")
    for path in ("/run/state/locks", "/run/link"):
        refused = prepared.try_potnet("create", "-p", "wok", "--path", path)
        assert (refused.code, "could read the store" in refused.err) == (1, True), refused
    for path in ("/run/state", "/run"):
        refused = prepared.try_potnet("create", "-p", "wok", "--path", path)
        assert (refused.code, "overlap" in refused.err) == (1, True), refused
    assert prepared.potnet("-q", "list") == "casserole\n"
