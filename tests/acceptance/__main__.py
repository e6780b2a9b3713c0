"""Run the suite: ``python -m acceptance --help`` shows the options, CONTRIBUTING.md describes a run."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .host import Host, UnfitError
from .hosts import ELSEWHERE, HERE, MADE, make
from .registry import scenarios
from .runner import FAILED, SKIPPED, Result, run, table


def options() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="acceptance", description="Run the acceptance suite of potnet.")
    add = parser.add_argument
    add("--on", default="", metavar="HOSTS", help=f"of {' '.join((*MADE, HERE))}; default: all but {HERE}")
    add("--only", default="", metavar="TEXT", help="run the scenarios whose title contains it")
    add("--via", default="", metavar="PREFIX", help="run on the FreeBSD host that this prefix leads to")
    add("--outside", default="", metavar="PREFIX", help="what leads to a machine on the wire of that host")
    add("--prepare", default="", help="1 or loopback: prepare that host for the run, and put it back")
    add("--alias", default="", metavar="ADDRESSES", help="free addresses of its network, for alias pots")
    add("--spare", default="", metavar="IF", help="interface of it that a pot may have")
    add("--clean", action="store_true", help="first remove what a run that was killed left on that host")
    return parser


def main() -> int:
    given = options().parse_args()
    wanted = [each for each in scenarios() if given.only in each.title]
    names = [ELSEWHERE] if given.via else given.on.split() or list(MADE)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)
    results: list[Result] = []
    unfit = False
    try:
        for name in names:
            try:
                with _host(name, given) as host:
                    run(host, wanted, results)
            except UnfitError as error:
                print(f"acceptance: {name}: {error}", file=sys.stderr)
                results += [Result(each.title, name, SKIPPED, str(error)) for each in wanted]
                unfit = True
    except KeyboardInterrupt:
        print("acceptance: interrupted", file=sys.stderr)
        print(table(results))
        return 130
    print(table(results))
    # A host that was asked for must be one; otherwise this machine has those that it can make.
    asked = bool(given.via or given.on)
    return int((unfit and asked) or any(result.outcome == FAILED for result in results))


@contextmanager
def _host(name: str, given: argparse.Namespace) -> Iterator[Host]:
    # It outlives a restart of this machine: whoever takes back a run that was killed needs its store.
    with tempfile.TemporaryDirectory(prefix="potnet-acceptance-", dir="/var/tmp") as directory:
        host = make(name, Path(directory), given)
        try:
            yield host
        finally:
            host.close()


if __name__ == "__main__":
    sys.exit(main())
