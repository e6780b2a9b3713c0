"""tar(1) -x as bsdtar does it, and the substitute base system that fetch(1) downloads."""

from __future__ import annotations

import functools
import io
import stat
import tarfile
from pathlib import Path

from potnet.executors.base import CommandResult
from potnet.executors.simulated.files.filetools import Stdin, feed, why
from potnet.executors.simulated.world.world import ToolError, World, unknown


class _EntryError(Exception):
    """An entry that is not extracted."""


def tar(world: World, argv: list[str], stdin: Stdin) -> CommandResult:
    """tar -x -f FILE|- -C DIR, tar -c -f FILE --one-file-system -C DIR ."""
    world.state.changing()
    match argv[1:]:
        case ["-c", "-f", name, "--one-file-system", "-C", directory, "."]:
            return _pack(world, name, directory)
        case ["-x", "-f", name, "-C", directory]:
            pass
        case rest:
            raise unknown(f"tar {' '.join(rest)}")
    try:
        data = feed(stdin) if name == "-" else world.tree.read(name)
    except OSError:
        raise ToolError(f"tar: Error opening archive: Failed to open '{name}'") from None
    if not world.tree.is_dir(directory):
        raise ToolError(f"tar: could not chdir to '{directory}'")
    top = world.tree.resolve(directory)
    errors = []
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as opened:
            for entry in opened:
                try:
                    _extract(opened, entry, top)
                except _EntryError as refused:
                    errors.append(f"{entry.name}: {refused}")
                except OSError as error:
                    errors.append(f"{entry.name}: Can't create '{entry.name}': {why(error)}")
    except (tarfile.TarError, EOFError, OSError):
        raise ToolError("tar: Error opening archive: Unrecognized archive format") from None
    if errors:
        errors.append("tar: Error exit delayed from previous errors.")
    return CommandResult(1 if errors else 0, "", "".join(f"{line}\n" for line in errors))


def _pack(world: World, name: str, directory: str) -> CommandResult:
    """Archive what is in a directory, with empty directories for mounts; sockets are left out."""
    if not world.tree.is_dir(directory):
        raise ToolError(f"tar: could not chdir to '{directory}'")
    top, packed = world.tree.resolve(directory), io.BytesIO()
    points = {world.tree.resolve(point) for point in world.mounts()} - {top}
    left: list[str] = []
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(top.rglob("*")):
            if any(point in path.parents for point in points):
                continue
            if path.is_socket():
                left.append(f"tar: ./{path.relative_to(top)}: pax format cannot archive sockets\n")
            else:
                archive.add(path, str(path.relative_to(top)), recursive=False)
    world.tree.write(name, packed.getvalue())
    return CommandResult(0, "", "".join(left))


def _extract(opened: tarfile.TarFile, entry: tarfile.TarInfo, top: Path) -> None:
    parts = _parts(entry.name)
    if not parts:
        return
    parent = _parent(top, parts)
    target = parent / parts[-1]
    if entry.isdir():
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            target.unlink()
        target.mkdir(exist_ok=True)
        target.chmod(entry.mode & 0o7777)
        return
    source = top.joinpath(*_parts(entry.linkname)) if entry.islnk() else None
    if source is not None:
        _parent(top, _parts(entry.linkname))
    _clear(target)
    if entry.issym():
        target.symlink_to(entry.linkname)
    elif source is not None:
        target.hardlink_to(source)
    elif entry.isreg():
        content = opened.extractfile(entry)
        target.write_bytes(content.read() if content else b"")
        target.chmod(entry.mode & 0o7777)
    else:
        raise _EntryError("simulated host: does not know this type of entry")


def _parts(name: str) -> list[str]:
    """Split a name into components; a leading slash is stripped, `..` is refused."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise _EntryError("Path contains '..'")
    return parts


def _parent(top: Path, parts: list[str]) -> Path:
    """Return the directory of an entry, created if necessary, without following symbolic links."""
    here = top
    for part in parts[:-1]:
        here = here / part
        if here.is_symlink():
            raise _EntryError(f"Cannot extract through symlink {here.relative_to(top)}: Unknown error")
        here.mkdir(exist_ok=True)
    return here


def _clear(target: Path) -> None:
    """Remove an existing file, or an empty directory, at the target."""
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        target.rmdir()
    else:
        target.unlink()


_DIRECTORIES = (
    "bin", "dev", "etc", "etc/defaults", "etc/rc.d", "lib", "libexec", "mnt", "proc", "root", "sbin", "tmp",
    "usr", "usr/bin", "usr/lib", "usr/local", "usr/sbin", "var", "var/db", "var/empty", "var/log", "var/run",
    "var/tmp",
)  # fmt: skip
_PROGRAMS = (
    "bin/cat", "bin/echo", "bin/hostname", "bin/ls", "bin/ps", "bin/pwd", "bin/sh", "etc/rc",
    "etc/rc.shutdown", "sbin/dhclient", "sbin/ifconfig", "sbin/ping", "sbin/ping6", "sbin/route",
    "sbin/rtsol", "sbin/sysctl", "usr/bin/false", "usr/bin/id", "usr/bin/nc", "usr/bin/netstat",
    "usr/bin/sockstat", "usr/bin/true", "usr/bin/uname", "usr/bin/which", "usr/sbin/jail",
)  # fmt: skip
#: The lines that the rc of a jail prints.
_RC = "echo Starting syslogd.\necho Starting cron.\n"
_FILES = {
    "etc/hosts": "::1\t\t\tlocalhost localhost.my.domain\n127.0.0.1\t\tlocalhost localhost.my.domain\n",
    "etc/fstab": "",
    "etc/passwd": "root:*:0:0:Charlie &:/root:/bin/sh\n",
    "etc/group": "wheel:*:0:root\n",
    "root/.profile": "# stand-in of the simulated host\n",
}


@functools.cache
def base(release: str) -> bytes:
    """Return a small .txz in the shape of a release's base.txz; a release always has the same bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz", format=tarfile.USTAR_FORMAT, preset=0) as out:
        for name in _DIRECTORIES:
            entry = tarfile.TarInfo(f"./{name}")
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if name.endswith("tmp") else 0o755
            out.addfile(entry)
        for name in _PROGRAMS:
            head = f"#!/bin/sh\n# {name} of {release}: a stand-in of the simulated host\n"
            _add(out, name, head + (_RC if name == "etc/rc" else ""), 0o755)
        for name, content in _FILES.items():
            _add(out, name, content, 0o644)
        _add(out, "etc/release", f"{release}\n", 0o644)
    return buffer.getvalue()


def _add(out: tarfile.TarFile, name: str, content: str, mode: int) -> None:
    data = content.encode()
    entry = tarfile.TarInfo(f"./{name}")
    entry.size, entry.mode = len(data), mode
    out.addfile(entry, io.BytesIO(data))


def manifest(release: str) -> bytes:
    """Return the line of the release's MANIFEST for its base."""
    import hashlib

    digest = hashlib.sha256(base(release)).hexdigest()
    count = len(_DIRECTORIES) + len(_PROGRAMS) + len(_FILES) + 1
    return f'base.txz\t{digest}\t{count}\tbase\t"Base system (MANDATORY)"\ton\n'.encode()


def fetch(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """fetch -q -o FILE|- URL, or fetch -s URL, from a mirror that has only the base of every release."""
    import re

    output: str | None = None
    match argv[1:]:
        case ["-q", "-o", output, url]:
            pass
        case ["-s", url]:
            pass
        case rest:
            raise unknown(f"fetch {' '.join(rest)}")
    found = re.fullmatch(r"(?:https?|ftp)://[^/]+/.*?([\w.]+-RELEASE)/(base\.txz|MANIFEST)", url)
    if found is None:
        # With -s, fetch(1) does not name the URL (fetch.c).
        raise ToolError(f"fetch: {url}: Not Found" if output else "fetch: Not Found")
    data = base(found[1]) if found[2] == "base.txz" else manifest(found[1])
    if output is None:
        return CommandResult(0, f"{len(data)}\n")
    if output == "-":
        return CommandResult(0, data.decode("utf-8", "surrogateescape"))
    world.state.changing()
    try:
        world.tree.write(output, data)
    except OSError as error:
        raise ToolError(f"fetch: {output}: {why(error)}") from None
    return CommandResult()


TOOLS = {"tar": tar, "fetch": fetch}
