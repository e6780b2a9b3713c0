"""Whose files root obeys, on real directories; a racer swaps them meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from potnet.config.configuration import load_file
from potnet.errors import PotnetError
from potnet.operations.files.hooks import _check_script
from potnet.operations.files.resolvers import parse_resolver
from potnet.pot_installation import find
from potnet.runtime import trust
from potnet.runtime.locks import Locks
from potnet.store import backups
from potnet.store.store import Store

OTHER = 12345
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give files away")


@pytest.fixture(autouse=True)
def _as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "real_root", lambda: True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two directories deep, with all that root could obey in it."""
    folder = tmp_path / "a/b"
    folder.mkdir(parents=True)
    (folder / "potnet.toml").write_text("")
    (folder / "hook").write_text("#!/bin/sh\n")
    (folder / "resolv.conf").write_text("nameserver 192.0.2.1\n")
    etc = tmp_path / "a/b/etc/pot"
    etc.mkdir(parents=True)
    (etc / "pot.conf").write_text("POT_FS_ROOT=/nowhere\n")
    (etc / "pot.default.conf").write_text("POT_EXTIF=em0\n")
    with Store.open(folder / "state", "sim") as store:
        backups.write(store, folder / "backup", overwrite=False)
    return folder


#: All that root reads and obeys: each as a file below the folder, and what reads it.
READS: dict[str, Callable[[Path], object]] = {
    "potnet.toml": load_file,
    "hook": _check_script,
    "resolv.conf": lambda path: parse_resolver(f"custom:{path}"),
    "etc/pot/pot.conf": lambda path: find(str(path.parents[2]), ()),
    "etc/pot/pot.default.conf": lambda path: find(str(path.parents[2]), ()),
    "backup": lambda path: backups.read(path, "sim").close(),
    "state/potnet.db": lambda path: Store.open(path.parent, "sim").close(),
}


@pytest.fixture(params=list(READS))
def what(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_roots_own_files_are_obeyed(folder: Path, what: str) -> None:
    READS[what](folder / what)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o660])
def test_a_file_that_others_can_write_is_refused(folder: Path, what: str, mode: int) -> None:
    (folder / what).chmod(mode)
    with pytest.raises(PotnetError, match=r"by others|others can write") as refused:
        READS[what](folder / what)
    assert "chmod" not in str(refused.value.hint)


@pytest.mark.parametrize("group", [0, OTHER])
def test_whose_group_it_is_does_not_matter(folder: Path, what: str, group: int) -> None:
    os.chown(folder / what, 0, group)
    (folder / what).chmod(0o660)
    with pytest.raises(PotnetError, match=r"by others|others can write"):
        READS[what](folder / what)


def test_a_file_of_another_user_is_refused(folder: Path, what: str) -> None:
    os.chown(folder / what, OTHER, 0)
    with pytest.raises(PotnetError, match=f"belongs to user {OTHER}") as refused:
        READS[what](folder / what)
    assert "chown" not in str(refused.value.hint)


@pytest.mark.parametrize("above", ["", "..", "../.."])
@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777, 0o770])
def test_a_directory_above_that_others_can_write_is_refused(
    folder: Path, what: str, above: str, mode: int
) -> None:
    (folder / above).chmod(mode)
    with pytest.raises(PotnetError, match=r"by all|by others|others can write") as refused:
        READS[what](folder / what)
    assert "chmod" not in str(refused.value.hint)


@pytest.mark.parametrize("above", ["", "..", "../.."])
@pytest.mark.parametrize("mode", [0o755, 0o1777])
def test_a_directory_above_of_another_user_is_refused(folder: Path, what: str, above: str, mode: int) -> None:
    (folder / above).chmod(mode)
    os.chown(folder / above, OTHER, OTHER)
    with pytest.raises(PotnetError, match=f"belongs to user {OTHER}"):
        READS[what](folder / what)


def test_a_sticky_directory_of_roots_is_for_all(folder: Path, what: str) -> None:
    folder.parent.chmod(0o1777)
    READS[what](folder / what)


def test_a_link_counts_where_it_is_and_where_it_leads(folder: Path, tmp_path: Path, what: str) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)
    READS[what](link / what)
    os.lchown(link, OTHER, OTHER)
    with pytest.raises(PotnetError, match=r"symbolic link of user|belongs to user"):
        READS[what](link / what)
    os.lchown(link, 0, 0)
    folder.parent.chmod(0o777)
    with pytest.raises(PotnetError, match="others can write"):
        READS[what](link / what)


def test_the_way_back_counts_as_well(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", OTHER, OTHER)
    with pytest.raises(PotnetError, match="belongs to user"):
        load_file(tmp_path / "theirs/../a/b/potnet.toml")


def test_nobody_wins_by_swapping_directories(tmp_path: Path) -> None:
    """In a directory of his own somebody lets root's directory and another take turns."""
    theirs = tmp_path / "theirs"
    for name in ("good", "bad"):
        (theirs / name).mkdir(parents=True)
        (theirs / name / "potnet.toml").write_text(f'[dns]\nname = "{name}"\n')
    os.chown(theirs / "bad/potnet.toml", OTHER, OTHER)
    os.chown(theirs, OTHER, OTHER)
    (theirs / "now").symlink_to("good")
    done = threading.Event()

    def swap() -> None:
        for number in range(1_000_000):
            if done.is_set():
                return
            (theirs / f"next{number}").symlink_to("bad" if number % 2 else "good")
            (theirs / f"next{number}").rename(theirs / "now")

    racer = threading.Thread(target=swap)
    racer.start()
    try:
        for _ in range(300):
            with pytest.raises(PotnetError):
                load_file(theirs / "now/potnet.toml")
    finally:
        done.set()
        racer.join()


def test_what_is_not_there_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        trust.open_file(tmp_path / "none")
    trust.check_trusted(tmp_path / "none/below")
    (tmp_path / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="symbolic links"):
        trust.open_file(tmp_path / "circle")


def test_nothing_but_devnull_is_a_file_for_all(tmp_path: Path) -> None:
    os.close(trust.open_file("/dev/null"))
    load_file(Path("/dev/null"))


@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_no_state_directory_is_made_where_others_can_write(tmp_path: Path, mode: int) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(mode)
    for directory in (tmp_path / "shared/state", tmp_path / "shared/deep/state"):
        if mode == 0o1777:
            Store.open(directory, "sim").close()
            continue
        with pytest.raises(PotnetError, match="others can write") as refused:
            Store.open(directory, "sim")
        assert "chmod" not in str(refused.value.hint)
        assert not directory.exists()


def test_a_shared_directory_is_no_state_directory(tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    (tmp_path / "tmp").chmod(0o1777)
    with pytest.raises(PotnetError, match="can be written by others") as refused:
        Store.open(tmp_path / "tmp", "sim")
    assert "chmod" not in str(refused.value.hint)


@pytest.mark.parametrize("how", ["mode", "owner", "link"])
def test_locks_are_made_where_only_root_can_write(tmp_path: Path, how: str) -> None:
    locks = tmp_path / "locks"
    (tmp_path / "precious").mkdir()
    if how == "link":
        locks.symlink_to("precious")
    else:
        locks.mkdir()
        locks.chmod(0o777 if how == "mode" else 0o700)
        os.chown(locks, OTHER if how == "owner" else 0, 0)
    with pytest.raises(PotnetError, match="others can write"), Locks(locks).hold("pot-a"):
        pass
    assert list((tmp_path / "precious").iterdir()) == []


def test_no_lock_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir(mode=0o700)
    (tmp_path / "precious").write_text("mine\n")
    (tmp_path / "locks/pot-a").symlink_to(tmp_path / "precious")
    with pytest.raises(OSError, match="symbolic links"), Locks(tmp_path / "locks").hold("pot-a"):
        pass
    assert (tmp_path / "precious").read_text() == "mine\n"
