"""What programs say of their version, whatever they do instead."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Sequence

from potnet.errors import HostError

_NUMBER = re.compile(rb"\d+(?:\.\d+)+")
#: Bytes that are read of an answer, and seconds for it.
_LONGEST, _PATIENCE = 4096, 5.0


def version_of(words: Sequence[str]) -> str | None:
    """The first number with a dot that a program says; None for any other answer, and for no words."""
    try:
        return ask_version(words)
    except HostError:
        return None


def ask_version(words: Sequence[str]) -> str | None:
    """The same; raises HostError for a program that fails, hangs or cannot be run."""
    if not words:
        return None
    nothing, both = subprocess.DEVNULL, subprocess.STDOUT
    try:
        process = subprocess.Popen(words, stdin=nothing, stdout=subprocess.PIPE, stderr=both)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise HostError(f"{words[0]} cannot be run: {error.strerror}") from error
    with process:
        try:
            said = _read(process)
            code = process.wait(_PATIENCE) if len(said) < _LONGEST else 0
        except (TimeoutError, subprocess.TimeoutExpired):
            raise HostError(f"{' '.join(words)} does not end") from None
        finally:
            process.kill()
    if code != 0:
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise HostError(f"{' '.join(words)} fails: {last or f'exit code {code}'}")
    found = _NUMBER.search(said)
    return found[0].decode("ascii") if found else None


def _read(process: subprocess.Popen[bytes]) -> bytes:
    """What it says, up to a length. Raises TimeoutError."""
    assert process.stdout is not None
    give_up, said = time.monotonic() + _PATIENCE, b""
    while len(said) < _LONGEST:
        if not select.select([process.stdout], [], [], max(0.0, give_up - time.monotonic()))[0]:
            raise TimeoutError
        more = os.read(process.stdout.fileno(), _LONGEST - len(said))
        if not more:
            break
        said += more
    return said
