"""Roots that belong to whoever runs in the jail, and files that come and go in them."""

from __future__ import annotations

import io
import os
import stat
import tarfile
from pathlib import Path

import pytest
from world import World, both_hosts

from potnet.errors import PotnetError, UsageError
from potnet.executors.base import Command, CommandResult
from potnet.model.pots import HookKind
from potnet.operations.files.hooks import set_hook
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.pots.copy_in import copy_in
from potnet.operations.pots.create import CreateRequest, create
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.pots.settings import SettingsRequest, set_options
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop


def root(world: World, name: str = "casserole") -> Path:
    """Where a pot's root really is."""
    return world.host.tree / f"opt/potnet/jails/{name}/m"


def test_resolver_and_hosts_are_put_in_place_and_given_back(world: World) -> None:
    world.create("casserole", "public-bridge", base="12.2")
    world.create("ragout", "public-bridge")
    etc = root(world) / "etc"
    (etc / "resolv.conf").write_text("# the jail's own\n")
    (etc / "resolv.conf").chmod(0o640)
    hosts = (etc / "hosts").read_text()
    world.do(start, ["casserole"])
    assert (etc / "resolv.conf").read_text() == (world.host.tree / "etc/resolv.conf").read_text()
    lines = (etc / "hosts").read_text().splitlines()
    assert lines[0].split() == ["::1", "localhost", "casserole"]
    assert lines[1].split() == ["127.0.0.1", "localhost", "casserole"]
    assert lines[2:] == ["10.192.0.3 casserole", "10.192.0.4 ragout"]
    world.do(stop, ["casserole"])
    assert (etc / "resolv.conf").read_text() == "# the jail's own\n"
    assert (etc / "resolv.conf").stat().st_mode & 0o777 == 0o640
    assert (etc / "hosts").read_text() == hosts
    assert sorted(p.name for p in etc.iterdir() if "potnet" in p.name) == []


def test_a_custom_resolver_is_taken_when_it_is_given(world: World, tmp_path: Path) -> None:
    own = tmp_path / "myresolv.conf"
    own.write_text("nameserver 192.0.2.53\n")
    world.create("casserole", resolver=f"custom:{own}")
    own.write_text("changed since\n")
    world.do(start, ["casserole"])
    assert (root(world) / "etc/resolv.conf").read_text() == "nameserver 192.0.2.53\n"


def test_resolver_off_leaves_resolv_conf_alone(world: World) -> None:
    world.create("casserole", resolver="off")
    (root(world) / "etc/resolv.conf").write_text("mine\n")
    world.do(start, ["casserole"])
    assert (root(world) / "etc/resolv.conf").read_text() == "mine\n"
    world.do(stop, ["casserole"])
    assert (root(world) / "etc/resolv.conf").read_text() == "mine\n"


@both_hosts
def test_the_dns_pot_has_its_address_and_starts_first(world: World) -> None:
    with pytest.raises(PotnetError, match="circle"):
        world.create("dns", "public-bridge", resolver="pot")
    world.create("casserole", "public-bridge", resolver="pot")
    with pytest.raises(PotnetError, match="does not exist"):
        world.do(start, ["casserole"])
    with pytest.raises(PotnetError, match=r"10\.192\.0\.2"):
        world.create("ragout", "public-bridge", addresses=("10.192.0.2",))
    assert str(world.create("dns", "public-bridge").ipv4) == "10.192.0.2"
    outcomes = world.do(start, ["casserole"])
    assert [(o.name, o.changed) for o in outcomes] == [("dns", True), ("casserole", True)]
    text = world.etc("casserole", "resolv.conf")
    assert text.splitlines()[-1] == "nameserver 10.192.0.2"


def test_a_resolver_on_the_hosts_loopback_is_told(world: World) -> None:
    (world.host.tree / "etc/resolv.conf").write_text("nameserver 127.0.0.1\noptions edns0\n")
    world.create("casserole", "public-bridge")
    world.do(start, ["casserole"])
    assert any("loopback" in notice for notice in world.notices)
    world.notices.clear()
    world.create("ragout", "inherit")
    world.do(start, ["ragout"])
    assert world.notices == []


@both_hosts
@pytest.mark.parametrize(
    ("text", "stack", "words"),
    [
        (None, "ipv4", "gets no resolv.conf: that of the host cannot be read"),
        ("", "ipv4", "names no nameserver"),
        ("# nameserver 192.0.2.9\nsearch example.org\n", "dual", "names no nameserver"),
        ("nameserver 0.0.0.0\n", "ipv4", "names only 0.0.0.0, which the pot cannot reach"),
        ("nameserver 0.0.0.5\nnameserver 255.255.255.255\n", "ipv4", "names only 0.0.0.5, 255.255.255.255"),
        ("nameserver 224.0.0.1\nnameserver ff02::1\n", "dual", "names only 224.0.0.1, ff02::1"),
        ("nameserver 192.0.2.9;first\n", "ipv4", ""),
        ("nameserver ::\nnameserver fe80::1%em0\n", "dual", "names only ::, fe80::1%em0"),
        ("nameserver 2001:db8::53\n", "ipv4", "names only 2001:db8::53"),
        ("nameserver 192.0.2.9\n", "ipv6", "names only 192.0.2.9"),
        ("nameserver 127.0.0.53\n", "ipv4", "loopback"),
        ("nameserver nonsense\n", "ipv4", "names only nonsense"),
        ("nameserver 0.0.0.0\nnameserver 192.0.2.9\n", "dual", ""),
        ("nameserver 2001:db8::53\n", "ipv6", ""),
    ],
)
def test_a_resolver_that_a_pot_cannot_reach_is_told(
    world: World, text: str | None, stack: str, words: str
) -> None:
    world.do_there("rm", "-f", "/etc/resolv.conf")
    if text is not None:
        world.do_there("tee", "/etc/resolv.conf", stdin=text)
    world.create("casserole", "public-bridge", stack)
    world.notices.clear()
    world.do(start, ["casserole"])
    assert [words in notice for notice in world.notices] == ([True] if words else [])
    # Who shares the host's stack has what the host has.
    world.notices.clear()
    world.create("ragout", "inherit", "dual")
    world.do(start, ["ragout"])
    assert world.notices == []
    world.do(stop, ["casserole", "ragout"])


@pytest.mark.parametrize(
    ("setting", "stack", "words"),
    [
        ("", "ipv4", "its resolv.conf names no nameserver"),
        ("nameserver 2001:db8::53\n", "ipv4", "its resolv.conf names only 2001:db8::53"),
        # On its own loopback a pot may have a resolver of its own.
        ("nameserver 127.0.0.1\n", "ipv4", ""),
        (None, "ipv6", "potnet's resolv.conf names only 10.192.0.2"),
    ],
)
def test_other_resolvers_are_looked_at_too(
    world: World, tmp_path: Path, setting: str | None, stack: str, words: str
) -> None:
    (tmp_path / "own.conf").write_text(setting or "")
    world.create(world.config.dns_name, "public-bridge")
    world.do(start, [world.config.dns_name])
    resolver = "pot" if setting is None else f"custom:{tmp_path / 'own.conf'}"
    world.create("casserole", "public-bridge", stack, resolver=resolver)
    world.notices.clear()
    world.do(start, ["casserole"])
    assert [words in notice for notice in world.notices] == ([True] if words else [])


OUTSIDE = {"etc": "outside", "etc/resolv.conf": "outside/file", "etc/hosts": "outside/file"}


@pytest.mark.parametrize("place", ["etc", "etc/resolv.conf", "etc/hosts", "etc/hosts.potnet-saved"])
@pytest.mark.parametrize(
    "form", ["absolute", "relative", "dangling", "directory", "fifo", "socket", "device"]
)
def test_nothing_is_written_through_what_stands_in_the_way(world: World, place: str, form: str) -> None:
    world.create("casserole", "inherit")
    outside = world.host.tree / "outside"
    (outside / "etc").mkdir(parents=True)
    for name in ("file", "resolv.conf", "hosts"):
        (outside / name).write_text("precious\n")
    target = root(world) / place
    if target.is_dir():
        target.rmdir()
    kind = {
        "absolute": lambda: target.symlink_to("/outside" if place == "etc" else "/outside/file"),
        "relative": lambda: target.symlink_to("../" * 9 + ("outside" if place == "etc" else "outside/file")),
        "dangling": lambda: target.symlink_to("/nowhere"),
        "directory": lambda: target.mkdir(),
        "fifo": lambda: os.mkfifo(target),
        "socket": lambda: os.mknod(target, stat.S_IFSOCK | 0o666),
        "device": lambda: os.mknod(target, stat.S_IFCHR | 0o666, os.makedev(1, 3)),
    }
    if form == "device" and os.geteuid() != 0:
        pytest.skip("needs root to make a device")
    kind[form]()
    before = world.host.snapshot()
    if (place, form) == ("etc", "directory"):
        world.do(start, ["casserole"])
        return
    with pytest.raises(PotnetError, match=r"etc.* in the root of casserole is a|etc in the root"):
        world.do(start, ["casserole"])
    assert world.host.snapshot() == before


@pytest.mark.parametrize("place", ["etc", "etc/resolv.conf", "etc/hosts"])
def test_links_planted_while_the_jail_runs_lead_nothing_astray_at_stop(world: World, place: str) -> None:
    world.create("casserole", "inherit", base="12.2")
    outside = world.host.tree / "outside"
    outside.mkdir()
    for name in ("file", "resolv.conf", "hosts", "hosts.potnet-saved", "resolv.conf.potnet-saved"):
        (outside / name).write_text("precious\n")
    world.do(start, ["casserole"])
    target = root(world) / place
    target.rename(root(world) / "moved") if place == "etc" else target.unlink()
    target.symlink_to("/outside" if place == "etc" else "/outside/file")
    world.do(stop, ["casserole"])
    assert {p.name: p.read_text() for p in outside.iterdir()} == dict.fromkeys(
        ("file", "resolv.conf", "hosts", "hosts.potnet-saved", "resolv.conf.potnet-saved"), "precious\n"
    )


def test_a_given_root_is_used_and_never_deleted(world: World, tmp_path: Path) -> None:
    own = tmp_path / "own"
    (own / "etc").mkdir(parents=True)
    (own / "etc/hosts").write_text("mine\n")
    pot = world.create("casserole", path=str(own))
    assert pot.root == str(own)
    world.do(start, ["casserole"])
    assert "casserole" in (own / "etc/hosts").read_text()
    world.do(stop, ["casserole"])
    world.do(destroy_pot, "casserole")
    assert (own / "etc/hosts").read_text() == "mine\n"
    with pytest.raises(PotnetError, match="not a directory"):
        world.create("ragout", path=str(tmp_path / "nowhere"))
    with pytest.raises(UsageError):
        world.create("ragout", path="relative")
    assert world.records()["pots"] == ()


def test_two_pots_cannot_have_one_root(world: World, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    world.create("casserole", path=str(own))
    with pytest.raises(PotnetError, match="casserole"):
        world.create("ragout", path=str(own))


def test_nothing_is_written_into_a_root_that_is_the_hosts_own(world: World) -> None:
    before = world.host.snapshot()["files"]
    world.create("casserole", "inherit", path="/")
    world.do(start, ["casserole"])
    assert world.host.snapshot()["files"] == before
    world.do(stop, ["casserole"])
    with pytest.raises(PotnetError, match="host's own"):
        world.do(copy_in, "casserole", Path(__file__), "/etc/motd")


@both_hosts
def test_a_pot_with_the_root_of_the_host_goes_as_it_came(world: World, tmp_path: Path) -> None:
    """Its hooks have a directory of their own, which is below its root and goes nevertheless."""
    before = world.without_folders(world.snapshot())
    script = tmp_path / "hook"
    script.write_text("#!/bin/sh\n")
    world.create("casserole", "public-bridge", path="/")
    assert any("controls this host" in notice for notice in world.notices)
    world.do(set_hook, "casserole", {HookKind.PRESTOP: script})
    world.do(start, ["casserole"])
    world.do(check, [], None)
    world.do(repair, [], None)
    world.do(stop, ["casserole"])
    world.do(destroy_pot, "casserole")
    assert world.without_folders(world.snapshot()) == before
    assert world.records()["pots"] == ()


def test_copy_in_puts_files_and_folders_where_they_belong(world: World, tmp_path: Path) -> None:
    world.create("casserole", base="12.2")
    folder = tmp_path / "site"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/page").write_bytes(b"\x00\xff binary")
    world.do(copy_in, "casserole", folder / "sub/page", "/root/index")
    assert (root(world) / "root/index").read_bytes() == b"\x00\xff binary"
    world.do(copy_in, "casserole", folder, "/root")
    assert (root(world) / "root/site/sub/page").read_bytes() == b"\x00\xff binary"
    for astray in ("../../x", "/root/../../x"):
        with pytest.raises(UsageError):
            world.do(copy_in, "casserole", folder, astray)
    world.do(start, ["casserole"])
    with pytest.raises(PotnetError, match="is running"):
        world.do(copy_in, "casserole", folder, "/root")


def test_copy_in_goes_through_no_link(world: World, tmp_path: Path) -> None:
    world.create("casserole", base="12.2")
    (world.host.tree / "outside").mkdir()
    (root(world) / "root/out").symlink_to("/outside")
    own = tmp_path / "file"
    own.write_text("x")
    with pytest.raises(PotnetError, match="symlink"):
        world.do(copy_in, "casserole", own, "/root/out/file")
    world.do(copy_in, "casserole", own, "/root/out")
    assert list((world.host.tree / "outside").iterdir()) == []
    assert (root(world) / "root/out").read_text() == "x"


def test_hooks_are_kept_on_the_host_and_run_around_start_and_stop(world: World, tmp_path: Path) -> None:
    world.create("casserole", "public-bridge")
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\nexit 0\n")
    world.do(set_hook, "casserole", dict.fromkeys(HookKind, hook))
    place = world.host.tree / "opt/potnet/jails/casserole/conf"
    assert (place / "prestart").stat().st_mode & 0o777 == 0o700
    assert place.stat().st_mode & 0o077 == 0
    world.do(start, ["casserole"])
    world.do(stop, ["casserole"])
    calls = [c for c in world.executor.changed if c.startswith("env ")]
    assert [c.rpartition("/")[2] for c in calls] == ["prestart", "poststart", "prestop", "poststop"]
    assert "_POT_NAME=casserole _POT_IP=10.192.0.3 _POT_BRIDGE=public" in calls[0]
    assert "_POT_JID=1" in calls[1]
    assert "_POT_JID" not in calls[0]
    with pytest.raises(PotnetError, match="has no #! line"):
        hook.write_text("echo hi\n")
        world.do(set_hook, "casserole", {HookKind.PRESTART: hook})


@both_hosts
def test_what_set_changes_holds_from_the_next_start(world: World, tmp_path: Path) -> None:
    world.create("casserole", "public-bridge")
    later = world.do(
        set_options,
        "casserole",
        SettingsRequest(resolver="off", addresses=(), hostname="web.example", command=None, boot=True),
    )
    assert not later
    world.do(start, ["casserole"])
    change = {"resolver": None, "hostname": None, "command": None, "boot": None}
    assert world.do(set_options, "casserole", SettingsRequest(addresses=("10.192.0.77",), **change))
    # The address in use is not given to anybody else while the jail has it.
    assert str(world.create("ragout", "public-bridge").ipv4) == "10.192.0.4"
    with pytest.raises(PotnetError, match="casserole"):
        world.create("stew", "public-bridge", addresses=("10.192.0.77",))
    world.do(stop, ["casserole"])
    assert str(world.create("stew", "public-bridge").ipv4) == "10.192.0.3"
    world.do(start, ["casserole"])
    assert "10.192.0.77" in world.etc("casserole", "hosts")


@both_hosts
def test_set_back_and_forth_while_running_keeps_one_address(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do(start, ["casserole"])
    nothing = {"resolver": None, "hostname": None, "command": None, "boot": None}
    for address in ("10.192.0.77", "10.192.0.78", "10.192.0.3", "10.192.0.77"):
        world.do(set_options, "casserole", SettingsRequest(addresses=(address,), **nothing))
    world.do(stop, ["casserole"])
    assert [str(lease.address) for lease in world.records()["leases"][0]] == ["10.192.0.77"]


@both_hosts
def test_an_alias_that_set_replaced_is_not_given_away_while_it_is_in_use(world: World) -> None:
    world.create("casserole", "alias")
    world.do(start, ["casserole"])
    nothing = {"resolver": None, "hostname": None, "command": None, "boot": None}
    world.do(
        set_options,
        "casserole",
        SettingsRequest(addresses=(f"{world.external}|{world.prefix}201",), **nothing),
    )
    for address in (f"{world.prefix}200", f"{world.prefix}201"):
        with pytest.raises(PotnetError, match="casserole"):
            world.create("ragout", "alias", addresses=(address,))
    world.do(stop, ["casserole"])
    world.create("ragout", "alias", addresses=(f"{world.prefix}200",))


def test_a_base_is_fetched_once_and_checked(world: World) -> None:
    world.create("casserole", base="14.2")
    fetches = [c for c in world.executor.changed if c.startswith("fetch")]
    assert len(fetches) == 1
    assert (root(world) / "bin/sh").exists()
    world.create("ragout", base="14.2-RELEASE")
    assert [c for c in world.executor.changed if c.startswith("fetch")] == fetches
    assert world.records()["pots"][1].base == "14.2"


def test_a_base_that_is_not_what_the_manifest_says_is_refused(world: World) -> None:
    class Tampered(type(world.executor)):  # type: ignore[misc]
        def run(self, command):  # type: ignore[no-untyped-def]
            result = super().run(command)
            if command.argv[0] == "fetch" and command.changes_host:
                path = world.host.tree / command.argv[3].lstrip("/")
                path.write_bytes(path.read_bytes() + b"x")
            return result

    world.executor = Tampered(world.host)
    before = world.host.snapshot()
    with pytest.raises(PotnetError, match="sha256"):
        world.create("casserole", base="14.2")
    assert world.records()["pots"] == ()
    after = world.host.snapshot()
    assert [p for p in after["files"] if "base.txz" in p or "jails/" in p] == []
    assert after["interfaces"] == before["interfaces"]


def test_a_base_without_a_mirror_is_refused(world: World) -> None:
    world.configure('[releases]\nmirror = ""\n')
    with pytest.raises(PotnetError, match="no mirror"):
        world.create("casserole", base="14.2")
    assert world.records()["pots"] == ()
    with pytest.raises(UsageError):
        world.create("casserole", base="../../etc")


@pytest.mark.parametrize(("said", "place"), [(None, "amd64/amd64"), ("arm64 aarch64\n", "arm64/aarch64")])
def test_a_base_is_that_of_the_hosts_own_architecture(world: World, said: str | None, place: str) -> None:
    run = world.host.run

    def other(command: Command) -> CommandResult:
        return CommandResult(0, said) if said and command.argv[0] == "uname" else run(command)

    world.host.run = other
    world.create("casserole", base="14.3")
    (fetched,) = [line for line in world.executor.changed if line.startswith("fetch")]
    assert fetched.endswith(f" https://download.freebsd.org/releases/{place}/14.3-RELEASE/base.txz")
    world.create("wok", base="14.3")
    asked = [command.argv for command in world.executor.commands if command.argv[0] == "uname"]
    assert asked == [("uname", "-m", "-p")]


@pytest.mark.parametrize("said", ["", "amd64\n", "../x amd64\n", "a b c\n"])
def test_an_architecture_that_is_none_is_refused(world: World, said: str) -> None:
    run = world.host.run
    world.host.run = lambda command: CommandResult(0, said) if command.argv[0] == "uname" else run(command)
    with pytest.raises(PotnetError, match="uname"):
        world.create("casserole", base="14.3")
    assert world.records()["pots"] == ()


def test_a_release_that_a_mirror_lacks_is_told_with_its_address(world: World) -> None:
    world.configure('[releases]\nmirror = "file:///releases/%p"\n')
    with pytest.raises(PotnetError, match="Not Found") as failure:
        world.create("casserole", base="14.3")
    assert (
        failure.value.hint
        == "look whether file:///releases/amd64/14.3-RELEASE exists, and at releases.mirror"
    )


def test_a_cached_base_needs_no_mirror(world: World) -> None:
    world.configure('[releases]\nmirror = ""\n')
    cache = world.host.tree / "opt/potnet/cache"
    cache.mkdir(parents=True)
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as archive:
        info = tarfile.TarInfo("marker")
        archive.addfile(info)
    (cache / "9.9-RELEASE_base.txz").write_bytes(data.getvalue())
    world.create("casserole", base="9.9")
    assert (root(world) / "marker").exists()


def test_a_failing_create_leaves_nothing(world: World) -> None:
    world.create("other", base="12.2")
    before = world.host.snapshot()
    for number in range(4):
        world.executor = type(world.executor)(world.host, fail_at=number)
        try:
            with world.app() as app:
                create(app, CreateRequest(name="casserole", base="12.2"))
        except PotnetError:
            assert [pot.name for pot in world.records()["pots"]] == ["other"]
            assert world.host.snapshot() == before


def test_roots_that_lie_one_in_the_other_are_refused(world: World, tmp_path: Path) -> None:
    world.create("casserole", base="12.2")
    (tmp_path / "own/inner").mkdir(parents=True)
    world.create("ragout", path=str(tmp_path / "own"))
    for path in ("/opt/potnet/jails/casserole/m/usr", "/opt/potnet/jails", str(tmp_path / "own/inner")):
        with pytest.raises(PotnetError, match="overlap"):
            world.create("stew", path=path)
    with pytest.raises(PotnetError, match="overlap"):
        world.create("stew", path=str(tmp_path))


@pytest.mark.parametrize("source", ["/dev/zero", "fifo", "directory", "large", "missing"])
def test_odd_hooks_are_refused_before_anything_is_read(world: World, tmp_path: Path, source: str) -> None:
    world.create("casserole")
    path = tmp_path / source if not source.startswith("/") else Path(source)
    match source:
        case "fifo":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case "large":
            path.write_text("#!/bin/sh\n" + "x" * (1 << 20))
    with pytest.raises(PotnetError, match="hook"):
        world.do(set_hook, "casserole", {HookKind.PRESTART: path})
    assert world.records()["pots"][0].hooks == ()


def test_a_hook_is_copied_byte_for_byte(world: World, tmp_path: Path) -> None:
    world.create("casserole")
    hook = tmp_path / "hook"
    hook.write_bytes(b"#!/bin/sh\r\n# \xe9")
    world.do(set_hook, "casserole", {HookKind.PRESTOP: hook})
    assert (world.host.tree / "opt/potnet/jails/casserole/conf/prestop").read_bytes() == hook.read_bytes()


def test_copy_in_refuses_what_cp_refuses(world: World, tmp_path: Path) -> None:
    world.create("casserole", base="12.2")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    before = world.host.snapshot()
    for source, destination in (
        ("folder", "/etc/hosts"), ("fifo", "/x"), ("folder", ""), ("nosuch", "/x"), ("folder", "/nosuch/"),
    ):  # fmt: skip
        with pytest.raises(PotnetError):
            world.do(copy_in, "casserole", tmp_path / source, destination)
    assert world.host.snapshot() == before


def test_who_loses_its_resolver_is_told(world: World) -> None:
    world.create("dns", "public-bridge")
    world.create("casserole", "public-bridge", resolver="pot")
    world.do(destroy_pot, "dns")
    assert any("casserole" in notice for notice in world.notices)


def test_a_given_root_and_what_potnet_keeps_of_the_pot_are_apart(world: World, tmp_path: Path) -> None:
    jails = world.host.tree / "opt/potnet/jails"
    (jails / "casserole/m/etc").mkdir(parents=True)
    (jails / "casserole/m/precious").write_text("x")
    for path in ("/opt/potnet/jails/casserole", "/opt/potnet/jails/casserole/m", "/opt/potnet/jails", "/opt"):
        with pytest.raises(PotnetError, match="potnet keeps"):
            world.create("casserole", path=path)
    assert world.records()["pots"] == ()
    # Under another name it is a root like any other, and destroy leaves it alone.
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\n")
    world.create("ragout", path="/opt/potnet/jails/casserole/m")
    world.do(set_hook, "ragout", {HookKind.PRESTART: hook})
    world.do(destroy_pot, "ragout")
    assert (jails / "casserole/m/precious").read_text() == "x"
    assert not (jails / "ragout").exists()


def test_a_made_root_does_not_lie_in_a_given_one(world: World) -> None:
    (world.host.tree / "srv/own").mkdir(parents=True)
    world.create("casserole", path="/srv/own")
    world.configure('[paths]\njails = "/srv/own/jails"\n')
    with pytest.raises(PotnetError, match="overlap"):
        world.create("ragout")


@both_hosts
def test_addresses_that_were_never_in_use_are_given_back_at_once(world: World) -> None:
    world.create("casserole", "public-bridge")
    world.do(start, ["casserole"])
    nothing = {"resolver": None, "hostname": None, "command": None, "boot": None}
    for address in ("10.192.0.77", "auto", "10.192.0.78"):
        world.do(set_options, "casserole", SettingsRequest(addresses=(address,), **nothing))
    held = [str(lease.address) for lease in world.records()["leases"][0]]
    assert held == ["10.192.0.3", "10.192.0.78"]
    world.do(set_options, "casserole", SettingsRequest(addresses=("10.192.0.3",), **nothing))
    assert [str(lease.address) for lease in world.records()["leases"][0]] == ["10.192.0.3"]


def test_nobody_touches_a_pot_that_is_being_created(world: World) -> None:
    class Meddled(type(world.executor)):  # type: ignore[misc]
        """While the base is unpacked, somebody else wants to destroy the pot."""

        def run(self, command):  # type: ignore[no-untyped-def]
            if command.argv[0] == "tar":
                with world.app() as app, pytest.raises(PotnetError, match="in use by another potnet"):
                    app.locks.patience = 0.1
                    destroy_pot(app, "casserole")
            return super().run(command)

    world.executor = Meddled(world.host)
    world.create("casserole", base="12.2")
    assert (root(world) / "bin/sh").exists()
