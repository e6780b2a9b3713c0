"""Readers for the small text files of pot. Their content is not trusted."""

from __future__ import annotations

import errno
import os
import stat

from potnet.errors import ConfigError
from potnet.runtime.trust import open_file

#: In bytes; pot's own files have one or two kilobytes.
LARGEST = 65536
LONGEST_LINE = 4096

# Nearly every file fits; a larger buffer costs more than the second call that it saves.
_BUFFER = 8192
# The flags avoid a wait for a named pipe, and refuse a symbolic link.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC

HINT = "correct the file, or move it out of pot's directories"


def read(path: str, folder: int | None = None) -> bytes | None:
    """Return the content of a regular file, None if it does not exist.

    folder: a descriptor of the directory that a relative path starts from. Raises ConfigError for any other
    kind of file, for an unreadable file, and for a file larger than `LARGEST`.
    """
    try:
        handle = os.open(path, _FLAGS, dir_fd=folder)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(path, error) from error
    return _content(path, handle)


def read_obeyed(path: str) -> bytes | None:
    """Return the content of a file that decides what root does, as `read` does.

    For root, raises UntrustedError if another user can change the file.
    """
    try:
        handle = open_file(path, follow=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(path, error) from error
    return _content(path, handle)


def _content(path: str, handle: int) -> bytes:
    try:
        data = os.read(handle, _BUFFER)
        if not data or len(data) == _BUFFER:
            data = _rest(path, handle, data)
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        os.close(handle)
    return data


def lines(path: str, data: bytes) -> list[str]:
    """Return the lines of a file; raises ConfigError for a line that is invalid text or too long."""
    return [text(path, number, line) for number, line in enumerate(data.split(b"\n"), 1)]


def text(path: str, number: int, line: bytes) -> str:
    """Return one line as text, without surrounding white space; raises ConfigError."""
    if len(line) > LONGEST_LINE:
        raise wrong(path, number, f"is {len(line)} bytes long")
    try:
        return line.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise wrong(path, number, f"has a byte that is not UTF-8 (0x{line[error.start]:02x})") from error


def wrong(path: str, number: int, what: str, hint: str = HINT) -> ConfigError:
    """Return the error for one line of a file."""
    return ConfigError(f"{path}: line {number} {what}", hint=hint)


def unreadable(path: str, error: OSError) -> ConfigError:
    """Return the error for a file or directory that cannot be read."""
    # The errors of open(2) with O_NOFOLLOW: ELOOP in POSIX, EMLINK in FreeBSD.
    link = error.errno in (errno.ELOOP, errno.EMLINK)
    what = "is a symbolic link" if link else f"cannot be read: {error.strerror}"
    return ConfigError(f"{path}: {what}", hint="potnet reads plain files only, as root or as pot's group")


def _rest(path: str, handle: int, data: bytes) -> bytes:
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        raise ConfigError(f"{path}: is not a file", hint=HINT)
    while data and len(data) <= LARGEST:
        more = os.read(handle, LARGEST + 1)
        if not more:
            break
        data += more
    if len(data) > LARGEST:
        raise ConfigError(f"{path}: is larger than {LARGEST} bytes", hint=HINT)
    return data
