"""The log of commands: each command that changes something leaves one line (syslog(3), facility daemon)."""

from __future__ import annotations

import json
import os
import re
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import IntEnum
from pathlib import Path

from potnet.errors import PotnetError

#: The length of one text in a line; libc sends at most 2048 bytes.
_LONGEST = 600
#: At this size in bytes a file of lines is rotated.
_LARGEST = 1 << 20
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Priority(IntEnum):
    """The priority of a line, as in syslog(3)."""

    ERR = 3
    NOTICE = 5


#: Writes a line with a priority to the log.
Write = Callable[[str, Priority], None]


class _Steps:
    """The number of steps that this process planned to carry out."""

    def __init__(self) -> None:
        self.count = 0


_steps = _Steps()


def count_steps(number: int) -> None:
    """Add the steps of a plan that is about to be carried out."""
    _steps.count += number


class Record:
    """The line of one command. write: None until the host is known, and for a command that logs nothing."""

    def __init__(self, words: Sequence[str]) -> None:
        self.write: Write | None = None
        self.via: str | None = None
        self._words = words
        self._before = _steps.count
        # In a rootless host, this process will be root.
        self._user = os.getuid()

    def finish(self, error: BaseException | None) -> None:
        """Write the line. The command succeeds even if the log cannot be written."""
        if self.write is not None:
            with suppress(OSError, PotnetError):
                self.write(self._line(error), Priority.NOTICE if error is None else Priority.ERR)

    def _line(self, error: BaseException | None) -> str:
        fields = {"user": _user_name(self._user)}
        if self._user == 0:
            # Any other user could choose the value of these variables.
            callers = {"sudo": "SUDO_USER", "doas": "DOAS_USER"}
            fields |= {name: _word(os.environ[key]) for name, key in callers.items() if key in os.environ}
        if self.via is not None:
            fields["via"] = _text(self.via)
        fields["command"] = _text(shlex.join(self._words))
        fields["steps"] = str(_steps.count - self._before)
        fields["result"] = _result(error)
        if isinstance(error, PotnetError):
            fields["error"] = _text(error.message.split("\n", 1)[0])
        return " ".join(f"{name}={value}" for name, value in fields.items())


def _result(error: BaseException | None) -> str:
    if error is None:
        return "ok"
    return "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"


def _user_name(user: int) -> str:
    import pwd

    try:
        return _word(pwd.getpwuid(user).pw_name)
    except KeyError:
        return str(user)


def _word(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and len(text) <= _LONGEST else _text(text)


def _text(text: str) -> str:
    """Return a text in double quotes, in ASCII and without control characters, so it can forge no line."""
    shown = json.dumps(text)
    while len(shown) > _LONGEST:
        # An escape takes up to twelve characters.
        text = text[: min(len(text) - 1, _LONGEST) * 3 // 4]
        shown = json.dumps(f"{text}...")
    return shown


def to_syslog(line: str, priority: Priority) -> None:
    """Write to the system's log; without a syslogd(8) nothing happens."""
    import syslog

    syslog.openlog("potnet", syslog.LOG_PID, syslog.LOG_DAEMON)
    syslog.syslog(priority, line)
    syslog.closelog()


def to_file(path: Path) -> Write:
    """Return a function that writes to a file of the user, which is rotated once."""

    def write(line: str, priority: Priority) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.open(path, flags, 0o600)
        try:
            now = time.strftime("%b %e %H:%M:%S")
            os.write(file, f"{now} potnet[{os.getpid()}]: {line}\n".encode())
            full = os.fstat(file).st_size > _LARGEST
        finally:
            os.close(file)
        if full:
            path.replace(f"{path}.0")

    return write
