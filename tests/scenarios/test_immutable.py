"""What root in a jail makes immutable, or puts in the place of files, is in nobody's way but its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from world import World

from potnet.drivers import posix
from potnet.executors.base import TIMED_OUT, Command, CommandResult, Executor
from potnet.executors.local import LocalExecutor
from potnet.host.file_actions import RemoveFile
from potnet.operations.maintenance.check import check
from potnet.operations.maintenance.repair import repair
from potnet.operations.pots.destroy import destroy_pot
from potnet.operations.running.start import start
from potnet.operations.running.stop import stop

ROOT = "/opt/potnet/jails/web/m"
OWN = "the jail's own\n"
PLACES = ("", "/etc", "/etc/resolv.conf", "/etc/hosts", "/etc/hosts.potnet-saved")
FLAGS = ("uchg", "uappnd", "uunlnk", "schg", "sappnd,sunlnk", "uappnd,uchg,uunlnk")


@pytest.fixture
def web(world: World) -> World:
    world.create("web", "public-bridge")
    etc(world, "hosts").write_text(OWN)
    return world


def etc(world: World, name: str) -> Path:
    return Path(world.host.tree / ROOT.lstrip("/") / "etc" / name)


def lock(world: World, flags: str, *places: str) -> None:
    world.do_there("chflags", flags, *(ROOT + place for place in places))


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("places", [*((place,) for place in PLACES), PLACES], ids=" ".join)
def test_no_flag_keeps_a_pot_from_its_stop_and_its_end(
    web: World, places: tuple[str, ...], flags: str
) -> None:
    web.do(start, ["web"])
    lock(web, flags, *places)
    web.do(stop, ["web"])
    assert etc(web, "hosts").read_text() == OWN
    assert not etc(web, "resolv.conf").exists()
    lock(web, flags, "", "/etc", "/etc/hosts")
    web.do(start, ["web"])
    assert etc(web, "hosts").read_text() != OWN
    lock(web, flags, *places)
    web.do(stop, ["web"])
    lock(web, flags, "", "/etc", "/etc/hosts")
    web.do(destroy_pot, "web")
    assert not etc(web, "").parent.parent.exists()


@pytest.mark.parametrize("place", PLACES[1:4])
def test_no_flag_keeps_a_running_pot_from_its_repair(web: World, place: str) -> None:
    web.do(start, ["web"])
    etc(web, "hosts").write_text("other\n")
    etc(web, "resolv.conf").write_text("other\n")
    lock(web, "uchg", place)
    web.do(repair, (), None)
    assert etc(web, "hosts").read_text() != "other\n"
    assert etc(web, "resolv.conf").read_text() != "other\n"
    assert web.do(check, (), None) == ()


def test_files_of_the_host_keep_their_flags(web: World) -> None:
    """The jail's etc leads to the host's while potnet takes flags away."""
    web.do(start, ["web"])
    web.do_there("chflags", "schg", "/etc", "/etc/resolv.conf")
    before = (web.host.tree / "etc/resolv.conf").read_text()
    etc(web, "").rename(etc(web, "").parent / "moved")
    etc(web, "").parent.joinpath("etc").symlink_to("/etc")
    web.do(stop, ["web"])
    assert (web.host.tree / "etc/resolv.conf").read_text() == before
    assert web.host.run(Command(("rm", "/etc/resolv.conf"))).code == 1


def test_a_link_to_itself_fails_no_other_pot(web: World) -> None:
    web.create("db", "public-bridge")
    web.do(start, ["web", "db"])
    etc(web, "").rename(etc(web, "").parent / "moved")
    etc(web, "").parent.joinpath("etc").symlink_to("etc")
    assert {finding.pot for finding in web.do(check, (), None)} == {"web"}
    web.do(stop, ["web", "db"])
    assert web.jails() == []


class Piped:
    """Answers as a host on which a jail swaps files for pipes while they are read."""

    def __init__(self, inner: Executor, hangs: Callable[[Command], bool]) -> None:
        self._inner = inner
        self._hangs = hangs

    def run(self, command: Command) -> CommandResult:
        if "-exec" in command.argv and self._hangs(command):
            return CommandResult(TIMED_OUT, "", "no answer within 5 seconds, killed")
        return self._inner.run(command)


def test_a_pipe_in_the_place_of_a_file_fails_no_other_pot(web: World) -> None:
    web.create("db", "public-bridge")
    web.do(start, ["web", "db"])
    web.executor.inner = Piped(web.host, lambda command: f"{ROOT}/etc" in command.argv)
    found = web.do(check, (), None)
    assert {finding.pot for finding in found} == {"web"}


DIGEST = """#!/bin/sh
for file; do
  case $file in *hostile*) rm "$file"; mkfifo "$file";; esac
  cat "$file" > /dev/null && echo "$file read"
done
"""


def test_what_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """find(1) saw a file, and when that is opened it is a pipe."""
    monkeypatch.setattr(posix, "_PATIENCE", 1.0)
    program = tmp_path / "digest"
    program.write_text(DIGEST)
    program.chmod(0o755)
    paths = [str(tmp_path / name / "hosts") for name in ("one", "hostile", "two")]
    for path in paths:
        Path(path).parent.mkdir()
        Path(path).write_text("text")
    read = posix.digests(
        LocalExecutor(), paths, str(program), lambda text: dict(line.split() for line in text.splitlines())
    )
    assert sorted(read) == [paths[0], paths[2]]


#: From a session on FreeBSD 14, on a root with two files in etc: the command, its code and its error.
RECORDED = (
    ("chflags uappnd,uunlnk ROOT/etc/hosts", 0, ""),
    ("chflags uchg ROOT/etc", 0, ""),
    ("chflags uchg ROOT/etc/hosts", 0, ""),
    ("chflags uchg ROOT/etc/resolv.conf", 0, ""),
    ("chflags uchg ROOT", 0, ""),
    ("tee ROOT/etc/new", 1, "tee: ROOT/etc/new: Operation not permitted\n"),
    ("rm ROOT/etc/hosts", 1, "rm: ROOT/etc/hosts: Operation not permitted\n"),
    (
        *("mv ROOT/etc/hosts ROOT/etc/hosts2", 1),
        "mv: rename ROOT/etc/hosts to ROOT/etc/hosts2: Operation not permitted\n",
    ),
    (
        *("find -P ROOT/etc -mindepth 1 -maxdepth 1 -name resolv.conf ( -type f -o -type l ) -delete", 0),
        "find: -delete: unlink(ROOT/etc/resolv.conf): Operation not permitted\n",
    ),
    ("chflags -R 0 ROOT/etc", 0, ""),
    ("rm -rf ROOT/etc/hosts", 0, ""),
    ("chflags -R 0 ROOT/none", 1, "chflags: ROOT/none: No such file or directory\n"),
)


def test_the_simulated_host_answers_as_recorded(web: World) -> None:
    etc(web, "resolv.conf").write_text("nameserver 192.0.2.1\n")
    for words, code, err in RECORDED:
        result = web.host.run(Command(tuple(words.replace("ROOT", ROOT).split())))
        assert (result.code, result.err) == (code, err.replace("ROOT", ROOT)), words


def test_a_file_of_linux_is_made_mutable(tmp_path: Path) -> None:
    file = tmp_path / "hosts"
    file.write_text("text")
    local = LocalExecutor()
    if local.run(Command(("chattr", "+i", str(file), str(tmp_path)))).code != 0:
        pytest.skip("chattr(1) is not to be had here")
    removal = RemoveFile(str(tmp_path), "hosts", in_root=True)
    command = posix.removal((str(tmp_path),), ("hosts",))
    refused = local.run(command)
    assert file.exists()
    assert posix.make_mutable(local, refused, (removal,), ("chattr", "-ia"), "chattr")
    assert (local.run(command).code, file.exists()) == (0, False)
