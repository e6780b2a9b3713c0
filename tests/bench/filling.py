"""``python filling.py POTS PORTS`` creates so many pots with so many exports each, where POTNET_* says."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from potnet.app import Settings, open_app
from potnet.model.pots import NetworkType
from potnet.operations.exports.export_ports import ExportRequest, export_ports
from potnet.operations.pots.create import CreateRequest, create


def fill(pots: Iterable[int], ports: int) -> None:
    state, host = Path(os.environ["POTNET_STATE_DIR"]), os.environ["POTNET_HOST"]
    with open_app(Settings(host=host, state_dir=state, purpose="change", quiet=True)) as app:
        for number in pots:
            name = f"pot{number:04}"
            create(app, CreateRequest(name, NetworkType.PUBLIC_BRIDGE))
            export_ports(
                app,
                name,
                ExportRequest([f"{80 + n}:{20000 + ports * number + n}" for n in range(ports)]),
            )


if __name__ == "__main__":
    pots, ports = (int(word) for word in sys.argv[1:])
    fill(range(pots), ports)
