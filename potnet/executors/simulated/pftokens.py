"""The words of pf.conf(5): splitting a line, and numbers, ports and addresses as pfctl reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import TypeVar

from potnet.executors.simulated.pfrules import SERVICES, Host

_T = TypeVar("_T")
_TOKEN = re.compile(r"""[ \t\r]+|\#.*|(->|[{}(),<>!=]|"[^"]*"|(?:(?!->)[^\s{}(),<>!="\#])+)""")
_NUMBERS = {name: port for port, name in SERVICES.items()}


class PfError(Exception):
    """An error on one line, as pfctl words it; before: lines that come first, without a line number."""

    def __init__(self, text: str = "syntax error", before: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.before = before


class PfUnknownError(Exception):
    """A word of pf.conf(5), or not even that, which the simulated host does not know."""


class Tokens:
    """The words of one line, taken from the left."""

    def __init__(self) -> None:
        self._tokens: list[str] = []

    def begin(self, line: str) -> bool:
        """Start on a line. False for one without words."""
        self._tokens = split(line)[::-1]
        return bool(self._tokens)

    def _peek(self) -> str:
        return self._tokens[-1] if self._tokens else ""

    def _next(self) -> str:
        if not self._tokens:
            raise PfError
        return self._tokens.pop()

    def _accept(self, word: str) -> bool:
        if self._peek() != word:
            return False
        self._tokens.pop()
        return True

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise PfError

    def _name(self) -> str:
        word = self._next()
        if word.startswith('"'):
            return word[1:-1]
        if word in "->{}(),<>!=":
            raise PfError
        return word

    def _listed(self, item: Callable[[], _T]) -> list[_T]:
        if not self._accept("{"):
            return [item()]
        found = [item()]
        while not self._accept("}"):
            self._accept(",")
            found.append(item())
        return found


def split(line: str) -> list[str]:
    found = []
    position = 0
    while position < len(line):
        match = _TOKEN.match(line, position)
        if match is None:
            raise PfError
        if match[1]:
            found.append(match[1])
        position = match.end()
    return found


def numeric(text: str) -> bool:
    return re.match(r"[0-9]", text) is not None or text.count(":") > 1


def prefix(text: str) -> Host:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise PfError("could not parse host specification", f"no IP address found for {text}") from None
    full = network.prefixlen == network.max_prefixlen
    return Host("prefix", str(ip_address(network.network_address)) if full else str(network))


def port_number(text: str) -> int:
    if text in _NUMBERS:
        return _NUMBERS[text]
    if not (text.isascii() and text.isdigit()):
        raise PfError(f"unknown port {text}")
    if int(text) > 65535:
        raise PfError(f"illegal port value {text}")
    return int(text)
