"""The network of a pot for a jail that something else makes, and the jail.conf(5) for that."""

from __future__ import annotations

import pytest
from world import Faulty, World

from potnet.errors import PotnetError, StoreError
from potnet.executors.base import Command
from potnet.executors.simulated.jail import jailconf
from potnet.model.pots import NetworkType, Run
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.running.attach import attach, detach, jail_conf
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop
from potnet.store.store import Store


def _make(world: World, vnet: bool = True, name: str = "web") -> None:
    """Another manager's jail."""
    with world.app() as app:
        pot = app.store.pot(name)
    assert pot is not None
    how = ("vnet",) if vnet else ("ip4=inherit",)
    done = world.host.run(Command(("jail", "-c", f"name={name}", f"path={pot.root}", "persist", *how)))
    assert (done.code, done.err) == (0, "")
    if vnet:
        # A jail keeps its loopback.
        world.host.run(Command(("ifconfig", "-j", name, "lo0", "inet", "127.0.0.1/8")))


def _remove(world: World) -> None:
    assert world.host.run(Command(("jail", "-r", "web"))).code == 0


@pytest.fixture
def exported(world: World) -> World:
    world.create("web", NetworkType.PUBLIC_BRIDGE)
    with world.app() as app:
        export_ports(app, "web", ExportRequest(("80:30080",)))
    return world


def test_a_jail_gets_the_network_and_gives_it_back(exported: World) -> None:
    world = exported
    _make(world)
    before = world.snapshot()
    with world.app() as app:
        assert attach(app, "web", None, created=False).changed
        assert not attach(app, "web", "web", created=False).changed
        run = app.store.run("web")
    assert run is not None
    assert run.attached
    shown = world.host.run(Command(("ifconfig", "-j", "web", "epair0b"), changes_host=False)).out
    assert "inet 10.192.0.3 " in shown
    assert world.host.connect("outside", "192.168.178.20", 30080) is not None
    with world.app() as app:
        (outcome,) = detach(app, ("web",))
        assert outcome.changed
        assert not detach(app, ("web",))[0].changed
        assert app.store.run("web") is None
    assert world.host.run(Command(("jls", "name"), changes_host=False)).out == "web\n"
    assert world.snapshot() == before


def test_exports_with_options_come_and_go_with_the_network(exported: World) -> None:
    world = exported
    _make(world)
    before = world.snapshot()
    with world.app() as app:
        export_ports(
            app, "web", ExportRequest(("192.168.178.20@80-84:30080-30084",), False, ("192.168.178.0/24",), 1)
        )
        attach(app, "web", None, created=False)
    reached = [world.reaches("outside", world.address, port) for port in (30082, 30083, 30082, 30085)]
    assert reached == [True, False, False, False]
    with world.app() as app:
        detach(app, ("web",))
    assert world.snapshot() == before


def test_stop_takes_the_network_and_leaves_the_jail(exported: World) -> None:
    world = exported
    _make(world)
    with world.app() as app:
        attach(app, "web", None, created=False)
        stop(app, ("web",))
        assert app.store.run("web") is None
    assert world.host.run(Command(("jls", "name"), changes_host=False)).out == "web\n"
    assert world.host.run(Command(("ifconfig", "-g", "potnet"), changes_host=False)).out == ""


def test_among_many_the_attached_is_detached_and_not_stopped(world: World) -> None:
    names = ["lid", "pan", "web", "wok"]
    for name in names:
        world.create(name, NetworkType.PUBLIC_BRIDGE)
    before, own = world.snapshot(), world.interfaces()
    _make(world)
    world.do(attach, "web", None, created=True)
    outcomes = world.do(start, names)
    assert [outcome.name for outcome in outcomes if outcome.changed] == ["lid", "pan", "wok"]
    outcomes = world.do(stop, names)
    assert {outcome.name for outcome in outcomes if outcome.changed} == {*names}
    assert world.notices == ["resolv.conf, hosts stay in web as they are: its jail runs"]
    assert world.jails() == ["web"]
    assert world.records()["runs"] == ()
    assert world.interfaces() == own
    _remove(world)
    for name in ("resolv.conf", "hosts"):
        (world.host.tree / f"opt/potnet/jails/web/m/etc/{name}").unlink()
    assert world.snapshot() == before


def test_hosts_files_follow_an_attachment(world: World) -> None:
    world.create("pan", NetworkType.PUBLIC_BRIDGE)
    world.do(start, ["pan"])
    world.create("web", NetworkType.PUBLIC_BRIDGE)
    _make(world)
    world.do(attach, "web", None, created=True)
    assert "10.192.0.4 web\n" in world.etc("pan", "hosts")
    world.create("wok", NetworkType.PUBLIC_BRIDGE)
    world.do(start, ["wok"])
    assert "10.192.0.5 wok\n" in world.etc("web", "hosts")
    world.create("lid", NetworkType.PUBLIC_BRIDGE)
    world.do(detach, ["web"])
    assert "10.192.0.6 lid\n" in world.etc("pan", "hosts")


def test_after_the_jail_is_gone_detach_clears_up(exported: World) -> None:
    """As exec.created and exec.poststop call it; the files of its etc come and go with the jail."""
    world = exported
    before = world.snapshot()
    _make(world)
    with world.app() as app:
        attach(app, "web", None, created=True)
        run = app.store.run("web")
    assert run is not None
    assert run.files == ("resolv.conf", "hosts")
    _remove(world)
    with world.app() as app:
        assert detach(app, ("web",))[0].changed
    assert world.snapshot() == before
    assert world.host.run(Command(("ifconfig", "-g", "potnet"), changes_host=False)).out == ""


def test_before_the_jail_goes_the_network_does_and_its_files_come_back_after_that(exported: World) -> None:
    """As exec.prestop and exec.poststop call it."""
    world = exported
    before, own = world.snapshot(), world.interfaces()
    _make(world)
    world.do(attach, "web", None, created=True)
    for _ in range(2):
        world.do(detach, ["web"], ending=True)
        assert world.interfaces() == own
        assert world.host.interfaces("web") == ["lo0"]
    assert world.notices == []
    _remove(world)
    world.do(detach, ["web"])
    assert world.snapshot() == before
    assert world.records()["runs"] == ()


def test_a_failure_anywhere_leaves_the_jail_and_nothing_else(exported: World) -> None:
    world = exported
    _make(world)
    with world.app() as app:
        attach(app, "web", None, created=True)
        detach(app, ("web",))
    count = 0
    while True:
        world.executor.commands.clear()
        world.executor.fail_at = count
        with world.app() as app:
            try:
                attach(app, "web", None, created=True)
            except PotnetError:
                pass
            else:
                break
            assert app.store.run("web") is None
        world.executor.fail_at = None
        assert world.host.run(Command(("jls", "name"), changes_host=False)).out == "web\n"
        assert world.host.run(Command(("ifconfig", "-g", "potnet"), changes_host=False)).out == ""
        count += 1
    assert count > 8


def test_what_cannot_be_attached_is_refused(exported: World) -> None:
    world = exported
    world.create("host", NetworkType.INHERIT)
    with world.app() as app:
        for name, jail, words in (
            ("web", None, "jail web not found"),
            ("host", None, "host is inherit"),
            ("web", "other", "--jail 'other'"),
        ):
            with pytest.raises(PotnetError) as error:
                attach(app, name, jail, created=False)
            assert words in error.value.message
    _make(world, vnet=False)
    with world.app() as app, pytest.raises(PotnetError):
        attach(app, "web", None, created=False)
    with world.app() as app:
        assert app.store.run("web") is None
    assert world.host.run(Command(("ifconfig", "-g", "potnet"), changes_host=False)).out == ""


def test_the_fragment_is_jail_conf_and_calls_potnet(exported: World) -> None:
    with exported.app() as app:
        text = jail_conf(app, "web", ("/usr/local/bin/potnet", "--state-dir", "/var/db/a b"))
    found = jailconf.parse(text)["web"]
    call = "/usr/local/bin/potnet --state-dir '/var/db/a b'"
    assert found["exec.created"] == [f"{call} attach web --created"]
    assert found["exec.prestart"] == found["exec.poststop"] == [f"{call} detach web"]
    # What the jail has renamed leaves it before it is removed.
    assert found["exec.prestop"] == [f"{call} detach --ending web"]
    assert "vnet" in found
    assert "vnet.interface" not in found


def test_a_network_that_cannot_be_recorded_is_taken_back(
    exported: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = exported
    _make(world)
    before, records = world.snapshot(), world.records()

    def full(self: Store, run: Run) -> None:
        if run.jid is not None:
            raise StoreError("the file system is full")
        put(self, run)

    put = Store.put_run
    monkeypatch.setattr(Store, "put_run", full)
    with world.app() as app, pytest.raises(StoreError, match="is full"):
        attach(app, "web", None, created=False)
    assert (world.snapshot(), world.records()) == (before, records)
    monkeypatch.undo()
    with world.app() as app:
        assert attach(app, "web", None, created=False).changed


def test_start_says_how_to_go_on_with_a_network_that_is_there_in_part(exported: World) -> None:
    world = exported
    _make(world)
    with world.app() as app:
        attach(app, "web", None, created=False)
    world.executor = Faulty(world.host, fail_at=1)
    with world.app() as app, pytest.raises(PotnetError, match="left behind"):
        detach(app, ("web",))
    world.executor = Faulty(world.host)
    before = world.snapshot()
    with world.app() as app, pytest.raises(PotnetError, match="only part of the pot's network") as caught:
        start(app, ["web"])
    assert "potnet attach web" in str(caught.value.hint)
    assert world.snapshot() == before
    with world.app() as app:
        assert attach(app, "web", None, created=False).changed
        assert app.store.run("web").stopping is False
