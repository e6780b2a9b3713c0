"""The actions on the files of a host, one small change each (see `potnet.host.actions`)."""

from __future__ import annotations

from potnet.runtime.fast_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Write a new file, in a directory that nobody else can change meanwhile.

    in_root: the file is in the root of a pot, as in other actions; root in the jail may have set file flags
    there.
    """

    path: str
    text: str
    in_root: bool = False


@dataclass(frozen=True, slots=True)
class CopyLocal:
    """Copy a file from where potnet runs to the host, with this mode (octal)."""

    source: str
    path: str
    mode: str


@dataclass(frozen=True, slots=True)
class MoveFile:
    """Rename a file; a symbolic link is renamed, not followed."""

    source: str
    destination: str
    in_root: bool = False


@dataclass(frozen=True, slots=True)
class RemoveFile:
    """Remove a file of a directory, unless the directory is a symbolic link."""

    directory: str
    name: str
    in_root: bool = False


@dataclass(frozen=True, slots=True)
class ReplaceFile:
    """Replace a file by another, if the other exists and neither it nor the directory is a symbolic link."""

    directory: str
    name: str
    source: str


@dataclass(frozen=True, slots=True)
class RestoreFile:
    """Rename a saved file back, unless the directory is a symbolic link."""

    directory: str
    name: str
    saved: str


@dataclass(frozen=True, slots=True)
class RenameEntry:
    """Rename a file or directory in its directory, if it exists; a symbolic link stays."""

    directory: str
    name: str
    new: str


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    path: str
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class CreateDataset:
    """Create a dataset of zfs(8) that is mounted at a path; the directory is made if it is missing."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class MountDataset:
    name: str


@dataclass(frozen=True, slots=True)
class RenameDataset:
    """Give an unmounted dataset another name; its mount point stays."""

    name: str
    new: str


@dataclass(frozen=True, slots=True)
class SetMountPoint:
    """Set the path where an unmounted dataset is to be mounted."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class CloneDataset:
    """Make a dataset, mounted at a path, from the present content of another one.

    snapshot: holds the content on the host until the last dataset that depends on it is gone.
    """

    snapshot: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class DropSnapshot:
    """Destroy a snapshot, as soon as no dataset depends on it."""

    snapshot: str


@dataclass(frozen=True, slots=True)
class PromoteDataset:
    """Turn a dataset round with the one that it was cloned from: the other one can go then."""

    name: str


@dataclass(frozen=True, slots=True)
class DestroyDataset:
    """Unmount and destroy a dataset; one with children or snapshots stays."""

    name: str


@dataclass(frozen=True, slots=True)
class Unmount:
    path: str


@dataclass(frozen=True, slots=True)
class RemoveDirectory:
    """Remove a directory if it is empty."""

    path: str


@dataclass(frozen=True, slots=True)
class RemoveTree:
    """Remove a directory with all its contents and file flags; the removal never crosses a mount."""

    path: str


@dataclass(frozen=True, slots=True)
class Fetch:
    url: str
    path: str


@dataclass(frozen=True, slots=True)
class VerifyDigest:
    """Fail unless the SHA-256 digest of a file equals this one (hexadecimal)."""

    path: str
    digest: str


@dataclass(frozen=True, slots=True)
class Unpack:
    """Extract an archive of the host into a directory."""

    archive: str
    directory: str


@dataclass(frozen=True, slots=True)
class UnpackLocal:
    """Extract an archive from where potnet runs; symbolic links in the directory are not followed."""

    archive: str
    directory: str


@dataclass(frozen=True, slots=True)
class CopyTree:
    """Copy what is in a directory to another one, with links, owners, modes and flags.

    The copy never crosses a mount, and follows no symbolic link. Sockets are not copied.
    """

    source: str
    destination: str


@dataclass(frozen=True, slots=True)
class CopyFile:
    """Copy a file with its mode and owner."""

    source: str
    destination: str


FileAction = (
    WriteFile
    | CopyLocal
    | MoveFile
    | RemoveFile
    | ReplaceFile
    | RestoreFile
    | RenameEntry
    | MakeDirectory
    | CreateDataset
    | MountDataset
    | RenameDataset
    | SetMountPoint
    | CloneDataset
    | DropSnapshot
    | PromoteDataset
    | DestroyDataset
    | Unmount
    | RemoveDirectory
    | RemoveTree
    | Fetch
    | VerifyDigest
    | Unpack
    | UnpackLocal
    | CopyFile
    | CopyTree
)
