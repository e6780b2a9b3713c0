"""The benchmark: ``python tests/bench [--json FILE] [--text FILE] [--into FILE] [PART]...``; no PART is all.

It measures potnet beside the floor of each thing in the same run, prints one table, and exits with 1 when a
figure is not as it is to be. What this machine cannot do is left out, and the table says so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "linux"), str(HERE.parent / "pot_installation")]

import asking  # noqa: E402
import leasing  # noqa: E402
import on_a_kernel  # noqa: E402
import rows  # noqa: E402
import simulated  # noqa: E402
import starting  # noqa: E402
import uplinks  # noqa: E402

PARTS = {
    "start": starting.measure,
    "questions": asking.measure,
    "leases": leasing.measure,
    "simulated": simulated.measure,
    "linux": on_a_kernel.measure,
    "uplinks": uplinks.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description="Measure potnet.")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--text", type=Path, metavar="FILE")
    parser.add_argument("--into", type=Path, metavar="FILE", help="put the table between its marks there")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    asked = parser.parse_args()
    if unknown := set(asked.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    table = rows.Table()
    with tempfile.TemporaryDirectory(prefix="potnet-bench-") as name:
        for part in asked.parts or PARTS:
            begin = time.monotonic()
            print(f"measuring: {part} …", end="", file=sys.stderr, flush=True)
            place = Path(name) / part
            place.mkdir()
            PARTS[part](table, place)
            print(f" {time.monotonic() - begin:.0f} s", file=sys.stderr)
    print(table.text())
    if asked.json:
        rows.save(asked.json, table.json())
    if asked.text:
        rows.save(asked.text, table.text())
    if asked.into:
        rows.put_into(asked.into, table)
    return 0 if table.met else 1


if __name__ == "__main__":
    sys.exit(main())
