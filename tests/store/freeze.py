"""A store of today's version with something of everything in it, as a dump for the tests of migrations.

``PYTHONPATH=. python tests/store/freeze.py`` writes tests/data/store/version-N.sql, and what is in it as
version-N.json. It is run once for each version, when that is released, and its files never change after that.
"""

from __future__ import annotations

import json
import os
import shlex
import sqlite3
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from potnet.cli.main import run
from potnet.store.store import Store

DATA = Path(__file__).resolve().parents[1] / "data" / "store"

#: On a simulated host: each type and stack, exports, hooks, resolvers, a pot changed while it runs.
LIFE = """
create -p casserole -N public-bridge -S dual -b 14.2
export-ports -p casserole -e 80:30080 -e udp:53 -e 443
create -p dns -N public-bridge
create -p spoon -N public-bridge -d pot --boot --hostname spoon.example.org
create-private-bridge -B stove -S 4
create -p kettle -N private-bridge -B stove -d custom:resolv.conf
create -p pan -N private-bridge -B stove -i 10.192.0.13 --cmd "sleep 'a b' \\$x"
create -p ladle -N alias -S dual -i em0|192.168.178.200 -i 2001:db8:7::80
create -p fork -N inherit -S ipv6 -d off
create -N public-bridge -S ipv6
create -N inherit --path /srv/own
set-hook -p pot2 -s hook -T hook
start casserole spoon kettle ladle pot1
set -p casserole -i 10.192.0.77
vnet-start -B stove
create-private-bridge -B oven -S 6 -6 auto --mtu 1400 --isolate
create -p roast -N private-bridge -B oven -N public-bridge -S dual --mac 02:00:00:00:00:10
export-ports -p roast -e 192.168.178.20@tcp+udp:90-99:30090-30099 --from 192.0.2.0/24 --max-connections 5
create -p guest --tap --owner alice -N private-bridge -B oven --isolate
create -p grill -N public-bridge -i auto --no-internet --bandwidth-in 4Mbit/s --bandwidth-out 8Mbit/s
policy add --from roast --to stove --port tcp:80
start roast
"""


def content(store: Store) -> dict[str, Any]:
    """All that a store answers, in the words of JSON."""
    bridges = store.bridges()
    found = {
        "pots": [asdict(pot) for pot in store.pots()],
        "bridges": [asdict(bridge) for bridge in bridges],
        "runs": [asdict(run) for run in store.runs()],
        "leases": {each.name: [asdict(lease) for lease in store.leases(each.name)] for each in bridges},
        "remembered": {key: store.remembered(key) for key in ("anchors", "forwarding4")},
    }
    plain: dict[str, Any] = json.loads(json.dumps(found, default=str))
    return plain


def live(directory: Path) -> None:
    """Make the store, and a simulated host that goes with it."""
    (directory / "work").mkdir()
    os.chdir(directory / "work")
    Path("resolv.conf").write_text('nameserver 192.0.2.53\n# a "quoted" line; $(id)\n', "utf-8")
    Path("hook").write_text("#!/bin/sh\n", "utf-8")
    (directory / "state" / "sim" / "root" / "srv" / "own").mkdir(parents=True)
    (directory / "state").chmod(0o700)
    for line in LIFE.strip().splitlines():
        if run(["-q", "--host", "sim", "--state-dir", str(directory / "state"), *shlex.split(line)]) != 0:
            sys.exit(f"failed: {line}")


def freeze() -> None:
    """Write the files for the version that this potnet has."""
    with tempfile.TemporaryDirectory() as folder:
        live(Path(folder))
        place = Path(folder) / "state"
        with Store.open(place, "sim") as store:
            known = content(store)
        connection = sqlite3.connect(place / "potnet.db")
        version, application = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
        )
        lines = [f"PRAGMA application_id = {application};", f"PRAGMA user_version = {version};"]
        dump = "\n".join([*lines, *connection.iterdump()])
        connection.close()
    (DATA / f"version-{version}.sql").write_text(f"{dump}\n", "utf-8")
    (DATA / f"version-{version}.json").write_text(json.dumps(known, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    freeze()
