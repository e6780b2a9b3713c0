"""The configuration text of jail(8), as jail.conf(5) describes it, without variables and wildcards."""

from __future__ import annotations

import re
from dataclasses import dataclass

from potnet.executors.simulated.world.world import ToolError, unknown

Parameters = dict[str, list[str]]

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)|(?P<line>\n)
    |(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<mark>\+=|[{};,=])|(?P<word>[^\s{};,="'\#+]+|\+)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int
    mark: bool


def parse(text: str) -> dict[str, Parameters]:
    """Return the jails of a configuration: name to parameters, each with its values (none for a bare
    parameter)."""
    tokens = _tokens(text)
    jails: dict[str, Parameters] = {}
    position = 0
    while position < len(tokens):
        name = _word(tokens, position)
        if "*" in name:
            raise unknown("wildcards in jail.conf")
        _mark(tokens, position + 1, "{")
        parameters = jails.setdefault(name, {})
        position += 2
        while not (position < len(tokens) and tokens[position].mark and tokens[position].text == "}"):
            position = _statement(tokens, position, parameters)
        position += 1
    return jails


def _statement(tokens: list[_Token], position: int, parameters: Parameters) -> int:
    name = _word(tokens, position)
    position += 1
    values: list[str] = []
    append = False
    following = tokens[position] if position < len(tokens) else None
    if following is not None and following.mark and following.text in ("=", "+="):
        append = following.text == "+="
        values.append(_word(tokens, position + 1))
        position += 2
        while position < len(tokens) and tokens[position].mark and tokens[position].text == ",":
            values.append(_word(tokens, position + 1))
            position += 2
    _mark(tokens, position, ";")
    parameters[name] = [*parameters.get(name, []), *values] if append else values
    return position + 1


def _word(tokens: list[_Token], position: int) -> str:
    if position >= len(tokens) or tokens[position].mark:
        raise _error(tokens, position)
    return tokens[position].text


def _mark(tokens: list[_Token], position: int, text: str) -> None:
    if position >= len(tokens) or not tokens[position].mark or tokens[position].text != text:
        raise _error(tokens, position)


def _error(tokens: list[_Token], position: int) -> ToolError:
    """Return a syntax error with code 1; the recorded jail(8) crashed here."""
    if position < len(tokens):
        token = tokens[position]
        return ToolError(f"jail: STDIN line {token.line}: {token.text}: syntax error")
    line = tokens[-1].line if tokens else 1
    return ToolError(f"jail: STDIN line {line}: syntax error")


def _tokens(text: str) -> list[_Token]:
    found = []
    position, line = 0, 1
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ToolError(f"jail: STDIN line {line}: {text[position]}: syntax error")
        piece = match[0]
        if match["mark"]:
            found.append(_Token(piece, line, True))
        elif match["quoted"]:
            found.append(_Token(_unquote(piece), line, False))
        elif match["word"]:
            if "$" in piece:
                raise unknown("variables in jail.conf")
            found.append(_Token(piece.replace("\\", ""), line, False))
        line += piece.count("\n")
        position = match.end()
    return found


def _unquote(piece: str) -> str:
    body = piece[1:-1]
    if piece[0] == '"' and re.search(r"(?<!\\)\$", body):
        raise unknown("variables in jail.conf")
    return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), body, flags=re.DOTALL)
