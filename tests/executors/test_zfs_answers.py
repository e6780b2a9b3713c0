"""zfs(8) of the simulated host answers as OpenZFS does; tests/data/zfs.json names each source."""

from __future__ import annotations

import json
from pathlib import Path

from potnet.executors.base import Command
from potnet.executors.simulated import SimulatedHost

DATA = Path(__file__).resolve().parents[1] / "data/zfs.json"


def test_zfs_answers_in_the_words_of_openzfs(tmp_path: Path) -> None:
    host = SimulatedHost(tmp_path)
    host.make_pool("zroot")
    for words in (
        ("-o", "mountpoint=/opt/potnet/jails", "zroot/jails"),
        ("-o", "mountpoint=/opt/potnet/jails/web/m", "zroot/jails/web"),
    ):
        assert host.run(Command(("zfs", "create", *words))).code == 0
    for each in json.loads(DATA.read_text("utf-8")):
        assert each["source"]
        result = host.run(Command(tuple(each["argv"])))
        assert (result.code, result.out, result.err) == (each["code"], each["stdout"], each["stderr"]), each
    assert "zroot/jails on /opt/potnet/jails (zfs, local, nfsv4acls)\n" in host.run(Command(("mount",))).out


def test_only_a_host_with_a_pool_has_datasets(tmp_path: Path) -> None:
    host = SimulatedHost(tmp_path)
    assert (
        host.run(Command(("zfs", "create", "zroot/jails"))).err
        == "cannot create 'zroot/jails': no such pool 'zroot'\n"
    )
    assert host.run(Command(("zfs", "set", "quota=1G", "zroot"))).code == 64
