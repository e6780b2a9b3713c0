"""Ask programs for their version, whatever they do instead."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Sequence

from potnet.errors import HostError
from potnet.runtime.environment import inherited

#: A word of a version: 1.2.0, 2023_03_09.7c7625d, 0.0~git20230309.7c7625d-1, v0.5.0.
_VERSION = re.compile(rb"(?<![\w.-])v?(\d[\w~+-]*(?:\.[\w~+-]+)+)")
#: The limit of an answer in bytes, and its time limit in seconds.
_LONGEST, _PATIENCE = 4096, 5.0


def version_of(words: Sequence[str]) -> str | None:
    """Return the first dotted number on the first line of a program's output, to the end of its word.

    None for any other output, and for an empty command.
    """
    try:
        return ask_version(words)
    except HostError:
        return None


def ask_version(words: Sequence[str]) -> str | None:
    """Return the version. Raises HostError if the program fails, hangs or cannot run."""
    if not words:
        return None
    nothing, both = subprocess.DEVNULL, subprocess.STDOUT
    try:
        process = subprocess.Popen(words, stdin=nothing, stdout=subprocess.PIPE, stderr=both, env=inherited())
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
    # Later lines may hold versions of other things, such as the licence.
    found = _VERSION.search(said.partition(b"\n")[0])
    return found[1].decode("ascii") if found else None


def _read(process: subprocess.Popen[bytes]) -> bytes:
    """Return the output, up to a length. Raises TimeoutError."""
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
