"""How results are printed: text, tables, JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from potnet.cli.options import Options
from potnet.cli.terminal import say

#: All characters but those that no terminal obeys: a fast search in long texts.
_ODD = re.compile(r"[^\x20-\x7e\n]")

#: The gap between the columns of a table, and the least width of a column.
_GAP, _NARROWEST = 2, 8


def emit(
    options: Options, view: Any, text: Callable[[Any], str], paint: Callable[[str], str] | None = None
) -> None:
    """Print a view, as JSON or as the text that `text` makes of it. An empty text prints nothing.

    paint: colours the text for a terminal.
    """
    shown = as_json(view) if options.json else text(view)
    if shown:
        say(shown, paint=None if options.json else paint)


def tell(
    options: Options,
    view: Any,
    text: Iterable[str],
    failed: Iterable[str] = (),
    paint: Callable[[str], str] | None = None,
) -> None:
    """Print what a changing command did. A dry run did nothing; -q prints nothing but JSON.

    failed: the reasons for exit code 1, on standard error if no result is printed. paint: colours them.
    """
    if options.json and not options.dry_run:
        say(as_json(view))
        return
    silent = options.dry_run or options.quiet
    if not silent:
        for line in text:
            say(line)
    for line in failed:
        say(line, err=silent, paint=paint)


def as_json(view: Any) -> str:
    """Indented JSON, with escapes for characters that a terminal would obey or cannot show."""
    text = json.dumps(view, indent=2, ensure_ascii=False)
    return _ODD.sub(lambda match: _escaped(match[0]), text)


def _escaped(character: str) -> str:
    return character if character.isprintable() else json.dumps(character)[1:-1]


def fitted(headers: Sequence[str], rows: Sequence[Sequence[Sequence[str]]], width: int | None) -> str:
    """A plain table of cells that hold several words. width: None for no limit.

    If the table is wider than `width` columns, cells are wrapped between their words, the widest first. Words
    are broken only if that is not enough.
    """
    one_line = table(headers, [[" ".join(cell) for cell in row] for row in rows])
    if width is None or all(len(line) <= width for line in one_line.split("\n")):
        return one_line
    columns = [[[header], *cells] for header, *cells in zip(headers, *rows, strict=True)]
    room = max(width - _GAP * (len(headers) - 1), _NARROWEST)
    # No column needs more than the room for all, however many words a cell holds.
    widths = [min(max(len(" ".join(cell)) for cell in column), room) for column in columns]
    longest = [max(len(word) for cell in column for word in cell) for column in columns]
    while sum(widths) > room and max(widths) > _NARROWEST:
        wrapped = [size if size > most else 0 for size, most in zip(widths, longest, strict=True)]
        widest = max(wrapped) or max(widths)
        widths[(wrapped if any(wrapped) else widths).index(widest)] -= 1
    wrapped_rows = [["\n".join(_lines(*each)) for each in zip(row, widths, strict=True)] for row in rows]
    return table(headers, wrapped_rows, padding=0)


def _lines(words: Iterable[str], most: int) -> Iterator[str]:
    """Words in lines of at most so many characters."""
    line = ""
    for piece in (piece for word in words for piece in _pieces(word, most)):
        if line and len(line) + 1 + len(piece) > most:
            yield line
            line = ""
        line = f"{line} {piece}" if line else piece
    yield line


def _pieces(word: str, most: int) -> Iterator[str]:
    """A word in pieces of at most so many characters, broken behind a mark if possible."""
    while len(word) > most:
        marks = [word.rfind(mark, 0, most) for mark in "-:|/@,."]
        end = max(marks) + 1 or most
        yield word[:end]
        word = word[end:]
    yield word


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], padding: int = 2) -> str:
    """A plain table. A cell that looks like a number (the base 10.10) is not changed.

    padding: columns that a header has beside its text.
    """
    import tabulate

    tabulate.MIN_PADDING = padding
    text: str = tabulate.tabulate(list(rows), headers=headers, tablefmt="simple", disable_numparse=True)
    # The last column needs no padding.
    return "\n".join(line.rstrip() for line in text.splitlines())
