"""What can be done to the files of a host, one small change each (see `potnet.host.actions`)."""

from __future__ import annotations

from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Writes a file where none is, in a directory that nobody else can change meanwhile.

    in_root: of a pot, as in other actions; there root in the jail may have made things immutable.
    """

    path: str
    text: str
    in_root: bool = False


@dataclass(frozen=True, slots=True)
class CopyLocal:
    """Copies a file that lies where potnet runs to the host, with this mode (octal)."""

    source: str
    path: str
    mode: str


@dataclass(frozen=True, slots=True)
class MoveFile:
    """Renames; a link is renamed, not followed."""

    source: str
    destination: str
    in_root: bool = False


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Removes a file of a directory, unless the directory is a symbolic link."""

    directory: str
    name: str
    in_root: bool = False


@dataclass(frozen=True, slots=True)
class ReplaceFile:
    """Moves a file into the place of another, if that is there and neither it nor the directory is a link."""

    directory: str
    name: str
    source: str


@dataclass(frozen=True, slots=True)
class RestoreFile:
    """Gives a file that was set aside its name again, unless the directory is a symbolic link."""

    directory: str
    name: str
    saved: str


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    path: str
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class Unmount:
    path: str


@dataclass(frozen=True, slots=True)
class RemoveDirectory:
    """Removes a directory when it is empty."""

    path: str


@dataclass(frozen=True, slots=True)
class RemoveTree:
    """Removes a directory with all that is in it, file flags and all, never across a mount."""

    path: str


@dataclass(frozen=True, slots=True)
class Fetch:
    url: str
    path: str


@dataclass(frozen=True, slots=True)
class VerifyDigest:
    """Fails unless the file's SHA-256 is this (hexadecimal)."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class Unpack:
    """Extracts an archive of the host's into a directory."""

    archive: str
    directory: str


@dataclass(frozen=True, slots=True)
class UnpackLocal:
    """Extracts an archive that lies where potnet runs; never through a link in the directory."""

    archive: str
    directory: str


@dataclass(frozen=True, slots=True)
class CopyFile:
    """Copies a file with its mode and owner."""

    source: str
    destination: str


FileAction = (
    WriteFile
    | CopyLocal
    | MoveFile
    | RemoveFile
    | ReplaceFile
    | RestoreFile
    | MakeDirectory
    | Unmount
    | RemoveDirectory
    | RemoveTree
    | Fetch
    | VerifyDigest
    | Unpack
    | UnpackLocal
    | CopyFile
)
