"""Locks: files of things that are no more go, and whoever waits for one still gets the one that is there."""

from __future__ import annotations

import fcntl
import threading
from pathlib import Path

import pytest

import potnet.runtime.locks
from potnet.runtime.locks import Locks


def test_a_discarded_lock_leaves_no_file(tmp_path: Path) -> None:
    locks = Locks(tmp_path / "locks", 0.0)
    with locks.hold("pot-wok"):
        locks.discard("pot-wok")
    assert locks.held() == frozenset()
    assert {path.name for path in (tmp_path / "locks").iterdir()} == {"store"}
    locks.discard("pot-wok")


def test_who_waited_for_a_discarded_lock_holds_the_one_that_is_there(tmp_path: Path) -> None:
    """Not the file that is gone, beside which somebody else could lock another of that name."""
    locks, got, done = Locks(tmp_path / "locks", 60.0), threading.Event(), threading.Event()

    def wait() -> None:
        with locks.hold("pot-wok"):
            got.set()
            done.wait(60)

    waiting = threading.Thread(target=wait)
    with locks.hold("pot-wok"):
        waiting.start()
        locks.discard("pot-wok")
    try:
        assert got.wait(60)
        assert "pot-wok" in locks.held()
        with locks.hold_free(("pot-wok", "pot-lid")) as held:
            assert held == ("pot-lid",)
    finally:
        done.set()
        waiting.join()


def test_many_who_hold_and_discard_never_hold_one_together(tmp_path: Path) -> None:
    locks, inside, wrong = Locks(tmp_path / "locks", 120.0), [0], []

    def work() -> None:
        for _ in range(60):
            with locks.hold("pot-wok"):
                inside[0] += 1
                wrong.extend([inside[0]] if inside[0] != 1 else [])
                inside[0] -= 1
                locks.discard("pot-wok")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_lock_discarded_between_its_opening_and_its_locking_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else could lock the file that takes its place."""
    path, lock = tmp_path / "locks/pot-wok", potnet.runtime.locks._locks
    discarded: list[Path] = []

    def late(descriptor: int, how: int) -> bool:
        if how == fcntl.LOCK_EX and not discarded:
            path.unlink()
            discarded.append(path)
        return lock(descriptor, how)

    monkeypatch.setattr(potnet.runtime.locks, "_locks", late)
    locks = Locks(tmp_path / "locks", 0.0)
    with locks.hold("pot-wok"):
        assert discarded
        assert "pot-wok" in locks.held()
        with locks.hold_free(("pot-wok",)) as held:
            assert held == ()
