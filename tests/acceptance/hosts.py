"""The hosts that the suite runs on, by the names of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path

from .host import Host

#: Hosts that any machine can make, this machine itself, and one behind a prefix.
MADE = ("sim14", "sim15", "rehearsal", "linux")
HERE, ELSEWHERE = "here", "freebsd"


def make(name: str, directory: Path, given: argparse.Namespace | None = None) -> Host:
    """Return a host. Raises UnfitError if it cannot be had.

    directory: a new one of the suite's own. given: the command line; None in tests, which need speed.
    """
    match name:
        case "sim14" | "sim15":
            from .sim import RELEASES, Sim

            return Sim(directory, RELEASES[name], forked=given is None)
        case "rehearsal":
            from .rehearsal import Rehearsal

            return Rehearsal(directory)
        case "linux":
            from .linux import Linux

            return Linux(directory)
        case "here" | "freebsd" if given is not None:
            from .far import Far, Way

            via = given.via if name == ELSEWHERE else ""
            way = Way(via, given.outside, given.prepare, tuple(given.alias.split()), given.spare)
            return Far(directory, way, name)
    raise SystemExit(f"acceptance: unknown host {name!r}: not one of {' '.join((*MADE, HERE))}")
