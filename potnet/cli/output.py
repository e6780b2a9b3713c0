"""How results are printed: text, tables, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from potnet.cli.options import Options
from potnet.cli.terminal import say

#: All but what is certainly harmless to a terminal, so that long texts are read fast.
_ODD = re.compile(r"[^\x20-\x7e\n]")


def emit(options: Options, view: Any, text: Callable[[Any], str]) -> None:
    """Print a view: as it is in JSON, else as `text` has it. An empty text prints nothing."""
    shown = as_json(view) if options.json else text(view)
    if shown:
        say(shown)


def tell(options: Options, view: Any, text: Iterable[str], failed: Iterable[str] = ()) -> None:
    """Say what a changing command did; a dry run did nothing, and -q leaves only JSON that was asked for.

    failed: what the exit status 1 is about; said on standard error where there is no result.
    """
    if options.json and not options.dry_run:
        say(as_json(view))
        return
    silent = options.dry_run or options.quiet
    if not silent:
        for line in text:
            say(line)
    for line in failed:
        say(line, err=silent)


def as_json(view: Any) -> str:
    """JSON as people read it, with escapes for what a terminal would obey or cannot show."""
    text = json.dumps(view, indent=2, ensure_ascii=False)
    return _ODD.sub(lambda match: _escaped(match[0]), text)


def _escaped(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A plain table; what looks like a number (10.10, a base) stays as it is."""
    from tabulate import tabulate

    text: str = tabulate(list(rows), headers=headers, tablefmt="simple", disable_numparse=True)
    # The last column's padding is of no use to anyone.
    return "\n".join(line.rstrip() for line in text.splitlines())
