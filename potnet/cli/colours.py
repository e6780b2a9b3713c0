"""Colours for a terminal: what is up or in order is green, what is not is yellow, what is wrong is red."""

from __future__ import annotations

import re

from click import style

_COLOURS = {
    "running": "green", "up": "green", "true": "green", "ok": "green",
    "stopped": "yellow", "down": "yellow", "false": "yellow", "limited": "yellow",
    "missing": "red",
}  # fmt: skip

#: A state in a row of a list: of a pot behind its name, of a bridge behind its interface.
_ROW = re.compile(r"^((?:\S+ +){1,3}?)(running|stopped|up|down)(?= |$)", re.MULTILINE)
_INFO = re.compile(r"^(\t(?:active|state) : )(true|false|up|down)$", re.MULTILINE)
_VERDICT = re.compile(r"^()(ok|limited|missing)(?= )", re.MULTILINE)
#: The head of a finding: its kind, pot, bridge and interface.
_HEAD = re.compile(r"^[^\t\n:][^\n:]*(?=:)", re.MULTILINE)
#: A rule that is missing or that should not be there, as diff(1) marks it.
_RULE = re.compile(r"^\t([-+]) .*$", re.MULTILINE)


def rows(text: str) -> str:
    """A list with its states in colour."""
    return _states(_ROW, text)


def info_states(text: str) -> str:
    """The text of `info` with its state in colour."""
    return _states(_INFO, text)


def verdicts(text: str) -> str:
    """The text of `doctor` with its verdicts in colour."""
    return _states(_VERDICT, text)


def findings(text: str) -> str:
    """The text of `check` with the heads of its findings, and its rules, in colour."""
    text = _HEAD.sub(lambda found: style(found[0], fg="red"), text)
    return _RULE.sub(lambda found: style(found[0], fg="red" if found[1] == "-" else "green"), text)


def _states(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: found[1] + style(found[2], fg=_COLOURS[found[2]]), text)
