"""The statements of a pf.conf(5) text: their positions, and the parts of a ruleset that they belong to."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from potnet.runtime.fast_dataclass import dataclass

_TOKEN = re.compile(
    r"(?P<blank>[ \t]+|\\\n)|(?P<comment>#(?:\\\n|[^\n])*)|(?P<end>\n)"
    r"|(?P<quoted>\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*')|(?P<brace>[{}])"
    r"|(?P<word>(?:[^\s{}\"'#\\]|\\(?!\n))+)|(?P<other>.)",
    re.DOTALL,
)
#: The parts of a ruleset in pf's order, by the first word of a statement. Other words may appear anywhere.
OPTIONS, NORMALIZATION, QUEUEING, TRANSLATION, FILTERING = 0, 2, 3, 4, 5
_PARTS = {
    "scrub": NORMALIZATION, "altq": QUEUEING, "queue": QUEUEING, "pass": FILTERING, "block": FILTERING,
    "match": FILTERING, "antispoof": FILTERING, "anchor": FILTERING,
    **dict.fromkeys(("nat", "rdr", "binat", "nat-anchor", "rdr-anchor", "binat-anchor"), TRANSLATION),
}  # fmt: skip
_ORDERED_OPTIONS = (
    "timeout", "limit", "optimization", "loginterface", "block-policy", "fail-policy", "debug",
    "fingerprints",
)  # fmt: skip
#: Words after an anchor's name that exclude no packet.
_HARMLESS = {"all", "quick"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement. first, last: its lines, counted from 0, the last one included.

    words: without quotation marks; macros are replaced by their values, if known here.
    """

    first: int
    last: int
    words: tuple[str, ...]

    @property
    def part(self) -> int | None:
        """The part of a ruleset that the statement belongs to; None: any part."""
        word = self.words[1] if self.words[0] == "no" and len(self.words) > 1 else self.words[0]
        if word == "set":
            return OPTIONS if len(self.words) > 1 and self.words[1] in _ORDERED_OPTIONS else None
        return _PARTS.get(word)

    @property
    def included(self) -> str | None:
        return self.words[1] if self.words[0] == "include" and len(self.words) == 2 else None

    @property
    def loaded(self) -> tuple[str, str] | None:
        """The anchor and the file of a `load anchor`."""
        loads = self.words[:2] == ("load", "anchor") and len(self.words) == 5 and self.words[3] == "from"
        return (self.words[2], self.words[4]) if loads else None

    @property
    def called(self) -> tuple[str, str] | None:
        """The keyword and the anchor of a call that applies to every packet."""
        calls = self.words[0].endswith("anchor") and len(self.words) > 1
        return self.words[:2] if calls and {*self.words[2:]} <= _HARMLESS else None  # type: ignore[return-value]


def statements(text: str) -> list[Statement]:
    """Return the statements of a text, in their order.

    pf refuses a text with unbalanced braces or quotation marks; each line of it counts as a statement.
    """
    try:
        return list(_read(text, {}))
    except ValueError:
        return list(_lines(text))


def _lines(text: str) -> Iterator[Statement]:
    macros: dict[str, str] = {}
    number = 0
    for line in re.findall(r"(?:\\\n|[^\n])*\n?", text):
        for each in _read(line, macros, braces=False):
            yield replace(each, first=number + each.first, last=number + each.last)
        number += line.count("\n")


def _read(text: str, macros: dict[str, str], braces: bool = True) -> Iterator[Statement]:
    words: list[str] = []
    first = line = depth = 0
    for token in _TOKEN.finditer(text):
        kind, shown = token.lastgroup, token[0]
        if kind == "end" and depth <= 0 and words:
            yield _statement(first, line, words, macros)
            words = []
        elif kind not in ("end", "blank", "comment"):
            first = first if words else line
            depth += {"{": 1, "}": -1}.get(shown, 0) if braces else 0
            if braces and (depth < 0 or shown in "\"'"):
                raise ValueError(shown)
            words.append(shown[1:-1] if kind == "quoted" else shown)
        line += shown.count("\n")
    if depth:
        raise ValueError(text)
    if words:
        yield _statement(first, line - text.endswith("\n"), words, macros)


def _statement(first: int, last: int, words: list[str], macros: dict[str, str]) -> Statement:
    if words[0].startswith("$"):
        words = [*macros.get(words[0][1:], words[0]).split(), *words[1:]] or words
    if len(words) > 2 and words[1] == "=":
        macros[words[0]] = " ".join(words[2:])
    return Statement(first, max(first, last), tuple(words))


def files_of(text: str) -> tuple[str, ...]:
    """Return the files that a text includes."""
    return tuple(dict.fromkeys(path for each in statements(text) if (path := each.included) is not None))


def parts_of(path: str, texts: Mapping[str, str], seen: Sequence[str] = ()) -> set[int]:
    """Return the parts of a ruleset in a file. texts: the file and those that it includes, by path."""
    found: set[int] = set()
    for each in statements(texts.get(path, "")) if path not in seen else ():
        if each.included is not None:
            found |= parts_of(each.included, texts, (*seen, path))
        elif each.part is not None:
            found.add(each.part)
    return found


def place(path: str, texts: Mapping[str, str], seen: Sequence[str] = ()) -> tuple[str, int]:
    """Return the start of the filter: a file and a line, after all parts that pf requires before it.

    A file that holds only filter rules is one place; additions go before its inclusion.
    """
    text = texts.get(path, "")
    for each in statements(text):
        if each.included is not None and each.included not in (*seen, path):
            parts = parts_of(each.included, texts, (*seen, path))
            if FILTERING in parts and min(parts) < FILTERING:
                return place(each.included, texts, (*seen, path))
            if FILTERING in parts:
                return path, each.first
        elif each.part == FILTERING:
            return path, each.first
    return path, len(text.split("\n")) - (1 if text.endswith("\n") or not text else 0)


def called(path: str, texts: Mapping[str, str], seen: Sequence[str] = ()) -> set[tuple[str, str]]:
    """Return the anchors that a file calls for every packet."""
    found = set()
    for each in statements(texts.get(path, "")) if path not in seen else ():
        if each.called is not None:
            found.add(each.called)
        elif each.included is not None:
            found |= called(each.included, texts, (*seen, path))
    return found


def names_of(path: str, texts: Mapping[str, str], seen: Sequence[str] = ()) -> set[str]:
    """Return the anchors that a file calls, with or without conditions."""
    found = set()
    for each in statements(texts.get(path, "")) if path not in seen else ():
        if each.included is not None:
            found |= names_of(each.included, texts, (*seen, path))
        elif each.words[0].endswith("anchor") and len(each.words) > 1:
            found.add(each.words[1])
    return found


def loaded(path: str, texts: Mapping[str, str], seen: Sequence[str] = ()) -> dict[str, str]:
    """Return the anchors that a file loads, and their files."""
    found: dict[str, str] = {}
    for each in statements(texts.get(path, "")) if path not in seen else ():
        if each.loaded is not None:
            found[each.loaded[0]] = each.loaded[1]
        elif each.included is not None:
            found |= loaded(each.included, texts, (*seen, path))
    return found


def without(path: str, texts: Mapping[str, str], calls: Sequence[tuple[str, str]]) -> str:
    """Return one text of a file and all its includes, without these calls and without anchor files."""
    return _whole(path, texts, lambda each: each.loaded is not None or each.called in calls)


def including(path: str, texts: Mapping[str, str]) -> str:
    """Return one text of a file and all its includes."""
    return _whole(path, texts, lambda each: False)


def _whole(
    path: str, texts: Mapping[str, str], leaves_out: Callable[[Statement], bool], seen: Sequence[str] = ()
) -> str:
    lines = texts.get(path, "").split("\n")
    for each in reversed(statements(texts.get(path, ""))):
        if leaves_out(each):
            lines[each.first : each.last + 1] = []
        elif each.included is not None and each.included in texts and each.included not in (*seen, path):
            inner = _whole(each.included, texts, leaves_out, (*seen, path))
            lines[each.first : each.last + 1] = inner.rstrip("\n").split("\n")
    return "\n".join([*lines, ""]) if lines and lines[-1] else "\n".join(lines)
