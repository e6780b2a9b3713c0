"""Where the time of a command goes: ``python portions.py WORD...`` runs potnet so and prints that in JSON.

Milliseconds from when click has been imported: of imports, of commands of the host, of commits to the store,
and of all. What is left of that is potnet's own work.
"""

from __future__ import annotations

import builtins
import importlib
import io
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from typing import Any

import click

assert click


class Taken:
    """The time in some calls, those within one another counted once."""

    def __init__(self) -> None:
        self.each: list[float] = []
        self._inside = False

    def of(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same call, with its time taken."""

        def timed(*args: Any, **more: Any) -> Any:
            if self._inside:
                return call(*args, **more)
            self._inside, begin = True, time.perf_counter()
            try:
                return call(*args, **more)
            finally:
                self.each.append(1000 * (time.perf_counter() - begin))
                self._inside = False

        return timed


def main(words: list[str]) -> None:
    imports, host, commits = Taken(), Taken(), Taken()
    begin = time.perf_counter()
    builtins.__import__ = imports.of(builtins.__import__)
    importlib.import_module = imports.of(importlib.import_module)
    import potnet.__main__
    from potnet.cli.main import run
    from potnet.executors.local import LocalExecutor
    from potnet.store.file.database import Database

    assert potnet.__main__
    change = Database.change
    commit = commits.of(change)
    LocalExecutor.run = host.of(LocalExecutor.run)  # type: ignore[method-assign]
    Database.change = lambda self, sql, *values: (  # type: ignore[method-assign]
        (commit if sql == "COMMIT" else change)(self, sql, *values)
    )
    with redirect_stdout(io.StringIO()):
        code = run(words)
    took = 1000 * (time.perf_counter() - begin)
    if code:
        sys.exit(code)
    import json

    found = {"all": took, "imports": sum(imports.each), "host": host.each, "commits": commits.each}
    print(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
