"""--needs and --priority: the order in which pots start and stop."""

from __future__ import annotations

import pytest
from test_restart import Shown
from world import World, both_hosts

from potnet.errors import PotnetError, UsageError
from potnet.operations.maintenance.check import check
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.pots.rename import rename
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.reports.graph import graph
from potnet.operations.running.restart import restart
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop
from potnet.operations.selection import all_pots, boot_pots


def names(outcomes: object) -> list[str]:
    return [each.name for each in outcomes]  # type: ignore[attr-defined]


@pytest.fixture
def shop(world: World) -> World:
    """web needs cache and db, cache needs db; backup comes last."""
    world.create("db", "public-bridge")
    world.create("cache", "public-bridge", needs=("DB",))
    world.create("web", "public-bridge", needs=("cache", "db"), boot=True)
    world.create("backup", "public-bridge", priority=5)
    world.create("early", "public-bridge", priority=-1)
    return world


@both_hosts
def test_pots_start_after_those_they_need_and_stop_before_them(world: World) -> None:
    world.create("db", "public-bridge")
    world.create("web", "public-bridge", needs=("db",))
    assert names(world.do(start, ["web"])) == ["db", "web"]
    assert names(world.do(stop, ["db", "web"])) == ["web", "db"]
    assert names(world.do(restart, ["web", "db"])) == ["db", "web"]
    assert world.do(check, (), None) == ()


def test_lower_priorities_start_first_and_stop_last(shop: World) -> None:
    everything = shop.do(all_pots)
    assert names(shop.do(start, everything)) == ["early", "db", "cache", "web", "backup"]
    stopped = names(shop.do(stop, everything))
    assert (stopped[0], stopped[-1]) == ("backup", "early")
    assert stopped.index("web") < stopped.index("cache") < stopped.index("db")
    assert names(shop.do(start, ["backup", "early"])) == ["early", "backup"]


def test_a_higher_priority_waits_for_all_lower_ones(world: World) -> None:
    """Pots that could start side by side are two groups."""
    world.create("first", "public-bridge")
    for number, priority in ((1, 0), (2, 0), (3, 1), (4, 1)):
        world.create(f"pot{number}", "public-bridge", priority=priority)
    world.do(start, ["first"])
    shown = Shown(world.host)
    world.executor = shown  # type: ignore[assignment]
    world.do(start, ["pot4", "pot3", "pot2", "pot1"])
    text = "\n".join(shown.lines)
    jails = [text.index(f" -c {name} <<") for name in ("pot1", "pot2")]
    wires = [text.index(f"descr potnet:{name} ") for name in ("pot1", "pot2", "pot3", "pot4")]
    assert max(*jails, *wires[:2]) < min(wires[2:])


def test_boot_starts_what_boot_pots_need(shop: World) -> None:
    assert names(shop.do(start, shop.do(boot_pots))) == ["db", "cache", "web"]


def test_a_pot_stays_down_if_what_it_needs_does_not_start(shop: World) -> None:
    before = shop.jails()
    db = next(pot for pot in shop.records()["pots"] if pot.name == "db")
    shop.do_there("rm", "-rf", db.root)
    with pytest.raises(PotnetError) as caught:
        shop.do(start, ["web"])
    assert "the pot db, which it requires, could not be started" in caught.value.message
    assert shop.jails() == before


def test_the_stop_of_a_needed_pot_says_who_runs_on(shop: World) -> None:
    shop.do(start, ["web"])
    shop.notices.clear()
    shop.do(stop, ["db"])
    assert shop.notices == ["db is stopped, although running pots require it: cache, web"]
    assert shop.jails() == ["cache", "web"]


def test_a_needed_pot_is_not_destroyed_and_can_be_renamed(shop: World) -> None:
    with pytest.raises(PotnetError, match="db is required by cache, web") as caught:
        shop.do(destroy_pot, "db")
    assert caught.value.hint is not None and "--no-needs" in caught.value.hint
    shop.do(rename, "db", "base")
    assert names(shop.do(start, ["web"])) == ["base", "cache", "web"]
    shop.do(stop, ["web", "cache", "base"])
    for name in ("cache", "web"):
        shop.do(set_options, name, SettingsRequest(needs=()))
    shop.do(destroy_pot, "base")
    assert names(shop.do(start, ["web"])) == ["web"]


def test_wrong_needs_are_refused_with_nothing_changed(shop: World) -> None:
    shop.create("dns", "public-bridge", addresses=("10.192.0.2",))
    shop.create("page", "public-bridge", resolver="pot")
    before = shop.records()
    wrong = (
        ("db", SettingsRequest(needs=("web",)), "in a circle: db → web → cache → db"),
        ("db", SettingsRequest(needs=("db",)), "in a circle: db → db"),
        ("db", SettingsRequest(needs=("nosuch",)), "pot 'nosuch' not found"),
        ("db", SettingsRequest(needs=("a\nb",)), "not found"),
        ("dns", SettingsRequest(needs=("page",)), "in a circle: dns → page → dns"),
        ("db", SettingsRequest(priority=1_000_001), "invalid priority 1000001"),
    )
    for name, request, why in wrong:
        with pytest.raises((PotnetError, UsageError), match=why):
            shop.do(set_options, name, request)
        assert shop.records() == before
    with pytest.raises(PotnetError, match="pot 'own' not found"):
        shop.create("own", needs=("own",))
    assert shop.records() == before


def test_a_running_pot_takes_the_order_at_once(shop: World) -> None:
    shop.do(start, ["web"])
    assert not shop.do(set_options, "web", SettingsRequest(needs=("db",), priority=7))
    (view,) = [pot for pot in shop.do(graph)["pots"] if pot["name"] == "web"]
    assert (view["needs"], view["priority"]) == (["db"], 7)
    assert shop.do(check, (), None) == ()
