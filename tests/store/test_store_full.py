"""A disk that is full."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from netaddr import IPAddress, IPNetwork

from potnet.errors import StoreError
from potnet.store.store import Store


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight megabytes: more than the log of SQLite grows to."""
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(tmp_path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_a_full_disk_is_told_and_loses_no_lease(small_disk: Path, figure: Callable[..., None]) -> None:
    told: list[IPAddress] = []
    with Store.open(small_disk / "state", "simulated") as store:
        store.define_network("public", IPNetwork("10.192.0.0/10"), [IPAddress("10.192.0.1")])
        with pytest.raises(StoreError, match="file system is full") as caught:
            told.extend(store.reserve("public", f"a-pan-with-quite-a-long-name-{n}") for n in range(100_000))
    assert caught.value.hint
    figure("full disk", leases=len(told), failures=0)
    with Store.open(small_disk / "state", "simulated") as store:
        assert [lease.address for lease in store.leases("public")] == told
        assert len(set(told)) == len(told) > 100
        assert store.row("PRAGMA integrity_check") == ("ok",)
