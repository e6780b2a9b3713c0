"""Split a pf.conf(5) text as pfctl does: lines, braces, quotes, comments and macros."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from potnet.executors.simulated.pf.tokens import PfError

_WORD = re.compile(r"(?:(?!->)[^\s{}(),<>!=\"'#\\$])+")
#: A word without a macro, with the blanks before it; other words are read letter by letter.
_PLAIN = re.compile(
    r"[ \t]*((?:(?!->)[A-Za-z0-9:_](?:(?!->)[^\s{}(),<>!=\"'#\\$])*+(?![$\\]))|->|[{}(),<>!=])"
)
_MACRO = re.compile(r"\$([A-Za-z0-9_]+)")


@dataclass(slots=True)
class Statement:
    """One statement. number: the line on which it ends, from 1. error: the statement cannot be split."""

    number: int
    words: list[str] = field(default_factory=list)
    error: PfError | None = None


class Lexer:
    """Reads a text. macros: by name; a new macro applies to the text after it.

    A quoted word keeps a quotation mark at both ends. A line's end within braces is a word, too.
    """

    def __init__(self, text: str, macros: Mapping[str, str]) -> None:
        self._text = text
        self._macros = macros
        self._at = 0
        self._line = 1
        #: The end of a macro's value in the text; macros in a value are not expanded.
        self._expanded = 0

    def statements(self) -> Iterator[Statement]:
        """Yield each statement with words; an unreadable statement ends with its line."""
        while self._at < len(self._text):
            try:
                found = self._statement()
            except PfError as error:
                found = Statement(self._line, error=error)
                self._skip_line()
            if found.words or found.error:
                yield found

    def _statement(self) -> Statement:
        words: list[str] = []
        depth = 0
        while (word := self._word()) is not None:
            if word == "\n" and depth <= 0:
                return Statement(self._line - 1, words)
            depth += {"{": 1, "}": -1}.get(word, 0)
            words.append(word)
        return Statement(self._line, words)

    def _word(self) -> str | None:
        plain = _PLAIN.match(self._text, self._at)
        if plain is not None:
            self._at = plain.end()
            return plain[1]
        self._skip_blanks()
        rest = self._text[self._at : self._at + 2]
        if not rest:
            return None
        if rest[0] == "\n":
            self._line += 1
            return self._take(1)
        if rest == "->":
            return self._take(2)
        if rest[0] in "\"'":
            return self._quoted(self._take(1))
        if rest[0].isascii() and (rest[0].isalnum() or rest[0] in ":_$"):
            return self._bare()
        return self._take(1)

    def _bare(self) -> str:
        """Read a word; the value of a macro may begin or end the word, or consist of several words."""
        word = ""
        while self._at < len(self._text):
            macro = _MACRO.match(self._text, self._at)
            if macro and self._expanded <= self._at:
                if macro[1] not in self._macros:
                    raise PfError("syntax error", f"macro '{macro[1]}' not defined")
                value = self._macros[macro[1]]
                self._text = value + self._text[macro.end() :]
                self._at, self._expanded = 0, len(value)
                if not word:
                    return self._word() or "\n"
                continue
            match = _WORD.match(self._text, self._at)
            if match is None:
                break
            word += self._take(match.end() - self._at)
        return word or self._take(1)

    def _quoted(self, mark: str) -> str:
        """Read a quoted word, which may span lines; their ends are dropped."""
        word = ""
        while (letter := self._take(1)) != mark:
            if not letter:
                raise PfError("syntax error", "reached end of file while parsing quoted string")
            self._line += letter == "\n"
            word += letter if letter != "\n" else ""
        return f'"{word}"'

    def _skip_blanks(self) -> None:
        comment = False
        while self._at < len(self._text):
            letter = self._text[self._at]
            if self._text.startswith("\\\n", self._at):
                # A backslash continues a comment, too.
                self._line += 1
                self._at += 2
                continue
            if letter == "\n" or not (comment or letter in " \t#"):
                return
            comment = comment or letter == "#"
            self._at += 1

    def _skip_line(self) -> None:
        end = self._text.find("\n", self._at)
        self._at = len(self._text) if end < 0 else end + 1
        self._line += 1

    def _take(self, count: int) -> str:
        taken = self._text[self._at : self._at + count]
        self._at += count
        return taken


def words_of(text: str) -> list[str]:
    """Split one line into words."""
    return next((each.words for each in Lexer(text, {}).statements()), [])
