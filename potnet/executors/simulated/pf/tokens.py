"""The words of pf.conf(5): read one by one, with numbers, ports and addresses as pfctl reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import TypeVar

from potnet.executors.simulated.pf.rules import SERVICES, Host

_T = TypeVar("_T")
_NUMBERS = {name: port for port, name in SERVICES.items()}


class PfError(Exception):
    """An error on one line, in pfctl's words; before: earlier lines without a line number."""

    def __init__(self, text: str = "syntax error", before: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.before = before


class PfUnknownError(Exception):
    """A word that the simulated host does not know, whether pf.conf(5) has it or not."""


class Tokens:
    """The words of one statement, taken from the left."""

    def __init__(self) -> None:
        self._tokens: list[str] = []

    def begin(self, words: list[str]) -> None:
        """Start a statement."""
        self._tokens = words[::-1]

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
        if word in "->{}(),<>!=\n" or not re.match(r"[A-Za-z0-9:_]", word):
            raise PfError
        return word

    def _listed(self, item: Callable[[], _T]) -> list[_T]:
        """Read one item, or several in braces, which may span lines."""
        if not self._accept("{"):
            return [item()]
        self._skip_ends()
        found = [item()]
        self._skip_ends()
        while not self._accept("}"):
            self._accept(",")
            self._skip_ends()
            found.append(item())
            self._skip_ends()
        return found

    def _skip_ends(self) -> None:
        while self._accept("\n"):
            pass


def numeric(text: str) -> bool:
    return re.match(r"[0-9]", text) is not None or text.count(":") > 1


@lru_cache(maxsize=4096)
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
