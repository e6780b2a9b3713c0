"""The hosts that the suite runs on, by the names of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from .host import Host

#: Hosts that any machine can make, this machine itself, and one behind a prefix. The plain one refuses what
#: sim15 does: its external interface has the addresses itself.
MADE = ("sim14", "sim15", "rehearsal", "linux")
PLAIN = "sim15-plain"
HERE, ELSEWHERE = "here", "freebsd"


def make(name: str, directory: Path, given: argparse.Namespace | None = None) -> Host:
    """Return a host. Raises UnfitError if it cannot be had.

    directory: a new one of the suite's own. given: the command line; None in tests, which need speed.
    """
    match name:
        case "sim14" | "sim15" | "sim15-plain":
            from .sim import Sim

            return Sim(directory, name, forked=given is None)
        case "rehearsal":
            from .rehearsal import Rehearsal

            return Rehearsal(directory)
        case "linux":
            from .linux import Linux

            return Linux(directory)
        case "here" | "freebsd" if given is not None:
            from .far import Far, Way

            via = given.via if name == ELSEWHERE else ""
            alias = tuple(given.alias.split())
            way = Way(via, given.outside, given.prepare, alias, given.spare, given.clean)
            return Far(directory, way, name)
    raise SystemExit(f"acceptance: unknown host {name!r}: not one of {' '.join((*MADE, PLAIN, HERE))}")
