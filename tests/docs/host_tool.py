"""Runs a tool of the simulated host, as sessions in documents do: ``python host_tool.py jls name``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from potnet.executors.base import Command
from potnet.executors.simulated import SimulatedHost

done = SimulatedHost(Path(os.environ["POTNET_STATE_DIR"]) / "sim").run(Command(tuple(sys.argv[1:])))
sys.stdout.write(done.out)
sys.stderr.write(done.err)
sys.exit(done.code)
