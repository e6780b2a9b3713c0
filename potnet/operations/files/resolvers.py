"""The -d option: the source of a pot's resolver."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from potnet.errors import PotnetError, UsageError
from potnet.model.pots import Resolver, ResolverKind
from potnet.runtime.trust import open_file

#: A resolv.conf is a few lines; a larger file is a mistake.
LARGEST = 65536


def parse_resolver(text: str) -> Resolver:
    """Parse ``inherit``, ``off``, ``pot`` or ``custom:FILE``, read at once; raises PotnetError."""
    if text.startswith("custom:") and text != "custom:":
        return Resolver(ResolverKind.CUSTOM, _content(Path(text.removeprefix("custom:"))))
    try:
        kind = ResolverKind(text)
    except ValueError:
        kind = ResolverKind.CUSTOM
    if kind is ResolverKind.CUSTOM:
        raise UsageError(f"invalid resolver -d {text!r}", hint="use inherit, off, pot or custom:FILE")
    return Resolver(kind)


def _content(path: Path) -> str:
    try:
        with os.fdopen(open_file(path), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise PotnetError(
                    f"resolver file {path} is not a file", hint="give a file in the format of resolv.conf(5)"
                )
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise PotnetError(f"cannot read resolver file {path}: {error.strerror}") from error
    except ValueError as error:
        raise PotnetError(f"invalid resolver file {path}: {error}") from error
    if len(data) > LARGEST or "\0" in text:
        raise PotnetError(f"invalid resolver file {path}: too large, or with NUL characters in it")
    return text
