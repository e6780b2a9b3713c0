"""Small tools that work on files: cat, tee, test, mkdir, mv, cp, chmod, stat, du, sha256, realpath."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from potnet.executors.base import CommandResult
from potnet.executors.simulated.files import flags
from potnet.executors.simulated.net import interfaces
from potnet.executors.simulated.world import modules
from potnet.executors.simulated.world.entities import Interface
from potnet.executors.simulated.world.world import ToolError, World, unknown

Stdin = str | Path | None

_TYPES = {
    stat.S_IFREG: "Regular File",
    stat.S_IFDIR: "Directory",
    stat.S_IFLNK: "Symbolic Link",
    stat.S_IFIFO: "Fifo File",
    stat.S_IFSOCK: "Socket",
    stat.S_IFCHR: "Character Device",
    stat.S_IFBLK: "Block Device",
}


#: Nodes of the host's devfs(5), which have no files in the tree.
_DEVICES = {"/dev/null", "/dev/zero", "/dev/random", "/dev/pf", "/dev/bpf"}


def feed(stdin: Stdin) -> bytes:
    """Return standard input as bytes."""
    if isinstance(stdin, Path):
        return stdin.read_bytes()
    return (stdin or "").encode("utf-8", "surrogateescape")


def text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def why(error: OSError) -> str:
    """Return the error as strerror(3) prints it; FreeBSD and this machine use the same words for these
    errors."""
    return os.strerror(error.errno or errno.EIO)


def cat(world: World, argv: list[str], stdin: Stdin) -> CommandResult:
    if len(argv) == 1:
        return CommandResult(0, text(feed(stdin)))
    out, err = "", ""
    for path in argv[1:]:
        if path.startswith("-"):
            raise unknown(f"the cat option {path}")
        try:
            out += text(world.tree.read(path))
        except OSError as error:
            err += f"cat: {path}: {why(error)}\n"
    return CommandResult(1 if err else 0, out, err)


def tee(world: World, argv: list[str], stdin: Stdin) -> CommandResult:
    world.state.changing()
    data = feed(stdin)
    paths = argv[1:]
    append = paths[:1] == ["-a"]
    err = ""
    for path in paths[append:]:
        if path.startswith("-"):
            raise unknown(f"the tee option {path}")
        try:
            old = world.tree.read(path) if append and world.tree.stat(path) else b""
            flags.refuse_writing(world, world.tree.resolve(path))
            world.tree.write(path, old + data)
        except OSError as error:
            err += f"tee: {path}: {why(error)}\n"
    return CommandResult(1 if err else 0, text(data), err)


def test(world: World, argv: list[str], _: Stdin) -> CommandResult:
    match argv[1:]:
        case [("-d" | "-e" | "-f" | "-x" | "-r" | "-w" | "-s") as operator, path]:
            if operator in ("-d", "-e"):
                take_in(world, path)
            found = world.tree.stat(path)
            if found is None:
                return CommandResult(1)
            yes = {
                "-d": stat.S_ISDIR(found.st_mode),
                "-f": stat.S_ISREG(found.st_mode),
                "-x": stat.S_ISDIR(found.st_mode) or bool(found.st_mode & 0o111),
                "-s": found.st_size > 0,
            }.get(operator, True)
            return CommandResult(0 if yes else 1)
        case [("-L" | "-h"), path]:
            found = world.tree.lstat(path)
            return CommandResult(0 if found is not None and stat.S_ISLNK(found.st_mode) else 1)
        case rest:
            raise unknown(f"test {' '.join(rest)}")


def take_in(world: World, path: str) -> None:
    """Make a requested directory of the real machine a part of the host (a jail's own root).

    The directory of the host itself, and those above it, are excluded.
    """
    if not path.startswith("/") or world.tree.stat(path) is not None:
        return
    try:
        real = Path(path).resolve(strict=True)
        if not real.is_dir():
            return
        home = world.tree.base.parent.resolve()
    except OSError:
        return
    if real == Path("/") or home.is_relative_to(real) or real.is_relative_to(home):
        return
    world.state.look()
    # The real path comes first, and other spellings lead to it, unless the host already uses the name.
    for name in (str(real), "/" + "/".join(p for p in path.split("/") if p)):
        if world.tree.stat(name) is None:
            world.state.put("mapped", name, {"real": str(real)})


def mkdir(world: World, argv: list[str], _: Stdin) -> CommandResult:
    world.state.changing()
    args, parents, mode = argv[1:], False, 0o755
    while args and args[0].startswith("-"):
        option = args.pop(0)
        if option == "-p":
            parents = True
        elif option == "-m" and args:
            mode = _octal(args.pop(0))
        else:
            raise unknown(f"the mkdir option {option}")
    for path in args:
        try:
            _make(world, path, parents, mode)
        except OSError as error:
            raise ToolError(f"mkdir: {path}: {why(error)}") from None
    return CommandResult()


def _make(world: World, path: str, parents: bool, mode: int) -> None:
    if not parents:
        found = world.tree.resolve(path)
        found.mkdir()
        found.chmod(mode)
        return
    pieces = [piece for piece in path.split("/") if piece]
    for count in range(1, len(pieces) + 1):
        found = world.tree.resolve("/" + "/".join(pieces[:count]))
        if found.is_dir():
            continue
        flags.refuse_writing(world, found)
        found.mkdir()
        found.chmod(mode if count == len(pieces) else 0o755)


def _octal(word: str) -> int:
    if not word or set(word) - set("01234567"):
        raise unknown(f"the file mode {word}")
    return int(word, 8)


def mv(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """mv [-h] [-f] A B: -h replaces a symbolic link to a directory instead of following it."""
    world.state.changing()
    args, nofollow = argv[1:], False
    while args and args[0] in ("-h", "-f"):
        nofollow = args.pop(0) == "-h" or nofollow
    if len(args) != 2 or args[0].startswith("-"):
        raise unknown(f"mv {' '.join(argv[1:])}")
    return rename(world, args[0], args[1], nofollow)


def rename(world: World, source: str, target: str, nofollow: bool) -> CommandResult:
    status = world.tree.lstat(target) if nofollow else world.tree.stat(target)
    if status is not None and stat.S_ISDIR(status.st_mode):
        target = f"{target.rstrip('/')}/{source.rstrip('/').rsplit('/', 1)[-1]}"
    try:
        moved, place = (world.tree.resolve(path, follow=False) for path in (source, target))
        refuse_mount(world, moved)
        flags.refuse_leaving(world, moved)
        flags.refuse_arriving(world, place)
        moved.rename(place)
    except OSError as error:
        return CommandResult(1, "", f"mv: rename {source} to {target}: {why(error)}\n")
    return CommandResult()


def refuse_mount(world: World, real: Path) -> None:
    """Refuse to remove a mount point, or a directory of the real machine that is part of the host."""
    mapped = (row["real"] for _, row in world.state.scan("mapped"))
    if world.state.get("mount-at", str(real)) is not None or str(real) in mapped:
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))


def cp(world: World, argv: list[str], _: Stdin) -> CommandResult:
    world.state.changing()
    args = [arg for arg in argv[1:] if arg != "-p"]
    if len(args) != 2 or any(arg.startswith("-") for arg in args):
        raise unknown(f"cp {' '.join(argv[1:])}")
    source, target = args
    if world.tree.is_dir(source):
        raise ToolError(f"cp: {source} is a directory (not copied).")
    if world.tree.is_dir(target):
        target = f"{target.rstrip('/')}/{source.rsplit('/', 1)[-1]}"
    try:
        data = world.tree.read(source)
    except OSError as error:
        raise ToolError(f"cp: {source}: {why(error)}") from None
    try:
        world.tree.write(target, data)
        if "-p" in argv:
            shutil.copystat(world.tree.resolve(source), world.tree.resolve(target))
    except OSError as error:
        raise ToolError(f"cp: {target}: {why(error)}") from None
    return CommandResult()


def chmod(world: World, argv: list[str], _: Stdin) -> CommandResult:
    world.state.changing()
    if len(argv) < 3 or argv[1].startswith("-"):
        raise unknown(f"chmod {' '.join(argv[1:])}")
    mode = _octal(argv[1])
    for path in argv[2:]:
        try:
            world.tree.resolve(path).chmod(mode)
        except OSError as error:
            raise ToolError(f"chmod: {path}: {why(error)}") from None
    return CommandResult()


def show_type(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """stat -f FORM PATH …, which does not follow links. FORM is '%HT%t%N', the same with owner, group,
    mode and device in between, or '%Su%t%N' for nodes of taps. With '%z' it is the size of one file."""
    if argv[1:3] == ["-f", "%Su%t%N"] and len(argv) > 3:
        return _show_owner(world, argv[3:])
    if argv[1:3] == ["-f", "%z"] and len(argv) == 4:
        return _show_size(world, argv[3])
    forms = {"%HT%t%N": _show_kind, "%HT%t%u%t%g%t%Mp%Lp%t%d%t%N": _show_access}
    if argv[1:2] != ["-f"] or len(argv) < 4 or argv[2] not in forms:
        raise unknown(f"stat {' '.join(argv[1:])}")
    out, err = "", ""
    for path in argv[3:]:
        if path in _DEVICES and argv[2] == "%HT%t%N":
            out += f"Character Device\t{path}\n"
            continue
        try:
            found = _status(world, path)
            device = f"\t{world.device_of(path)}" if "%d" in argv[2] else ""
            out += f"{forms[argv[2]](found)}{device}\t{path}\n"
        except OSError as error:
            err += f"stat: {path}: {why(error)}\n"
    return CommandResult(1 if err else 0, out, err)


def _status(world: World, path: str) -> os.stat_result:
    """Return the status of a path, also of a real directory that contains one which is part of the host."""
    try:
        return world.tree.resolve(path, follow=False).lstat()
    except OSError:
        above = f"{path.rstrip('/')}/"
        if not any(name.startswith(above) for name in world.state.keys("mapped")):
            raise
        return Path(path).lstat()


def _show_kind(found: os.stat_result) -> str:
    return _TYPES.get(stat.S_IFMT(found.st_mode), "???")


def _show_access(found: os.stat_result) -> str:
    """Return owner, group and mode; the user who runs the simulation counts as root."""
    owner = 0 if found.st_uid == os.geteuid() else found.st_uid
    group = 0 if found.st_gid == os.getegid() else found.st_gid
    # A link has the permissions of its maker's umask there, and all of them where the simulation runs.
    bits = 0o755 if stat.S_ISLNK(found.st_mode) else stat.S_IMODE(found.st_mode)
    return f"{_show_kind(found)}\t{owner}\t{group}\t{bits >> 9:o}{bits & 0o777:03o}"


def _show_size(world: World, path: str) -> CommandResult:
    try:
        return CommandResult(0, f"{world.tree.resolve(path, follow=False).lstat().st_size}\n")
    except OSError as error:
        raise ToolError(f"stat: {path}: {why(error)}") from None


def _show_owner(world: World, nodes: list[str]) -> CommandResult:
    out, err = "", ""
    for path in nodes:
        found = tap_behind(world, path)
        if found is None:
            err += f"stat: {path}: No such file or directory\n"
        else:
            out += f"{found.owner}\t{path}\n"
    return CommandResult(1 if err else 0, out, err)


def tap_behind(world: World, node: str) -> Interface | None:
    """Return the tap of a node; looking at the node creates the tap (net.link.tap.devfs_cloning, tap(4))."""
    name = node.removeprefix("/dev/")
    cloned = re.fullmatch(r"tap\d+", name) and modules.loaded(world.state, "if_tuntap")
    if world.interface(name) is None and cloned:
        world.state.look()
        interfaces.create(world, name)
    found = world.interface(name)
    return found if found is not None and found.kind == "tap" else None


def du(world: World, argv: list[str], _: Stdin) -> CommandResult:
    if argv[1:2] != ["-sh"] or len(argv) != 3:
        raise unknown(f"du {' '.join(argv[1:])}")
    try:
        top = world.tree.resolve(argv[2], follow=False)
        found = [top.lstat()]
        for folder, folders, names in os.walk(top):
            found += [Path(folder, name).lstat() for name in (*names, *folders)]
    except OSError as error:
        raise ToolError(f"du: {argv[2]}: {why(error)}") from None
    # Several names of one file count once.
    single = {(status.st_dev, status.st_ino): status for status in found}.values()
    size = sum(_occupied(status, world.facts.fragment) for status in single)
    return CommandResult(0, f"{human(size):>4}\t{argv[2]}\n")


def _occupied(status: os.stat_result, fragment: int) -> int:
    """Return the size on UFS, whatever this machine's file system is (newfs(8), -f)."""
    if stat.S_ISDIR(status.st_mode):
        return fragment
    if stat.S_ISREG(status.st_mode):
        return -(-status.st_size // fragment) * fragment
    return 0


def human(size: int) -> str:
    """Format a size as humanize_number(3), with one decimal digit below ten."""
    value, unit = float(size), "B"
    for larger in "KMGT":
        if value < 1000:
            break
        value, unit = value / 1024, larger
    return f"{value:.1f}{unit}" if unit != "B" and value < 10 else f"{value:.0f}{unit}"


def sha256(world: World, argv: list[str], _: Stdin) -> CommandResult:
    """sha256 [-q] FILE | sha256 -c DIGEST FILE (code 2 if the digest differs)."""
    import hashlib

    match argv[1:]:
        case ["-q", path] | [path]:
            wanted = None
        case ["-c", wanted, path]:
            pass
        case rest:
            raise unknown(f"sha256 {' '.join(rest)}")
    try:
        digest = hashlib.sha256(world.tree.read(path)).hexdigest()
    except OSError as error:
        raise ToolError(f"sha256: {path}: {why(error)}") from None
    if wanted is None:
        return CommandResult(0, f"{digest}\n" if argv[1] == "-q" else f"SHA256 ({path}) = {digest}\n")
    same = wanted.lower() == digest
    return CommandResult(0 if same else 2, f"SHA256 ({path}) = {digest}{'' if same else ' [ Failed ]'}\n")


def realpath(world: World, argv: list[str], _: Stdin) -> CommandResult:
    if len(argv) != 2 or argv[1].startswith("-"):
        raise unknown(f"realpath {' '.join(argv[1:])}")
    # The host's working directory is empty, so a relative path leads nowhere.
    if not argv[1].startswith("/"):
        raise ToolError(f"realpath: {argv[1]}: No such file or directory")
    take_in(world, argv[1])
    try:
        found = world.tree.canonical(argv[1])
        world.tree.resolve(found).lstat()
    except OSError as error:
        raise ToolError(f"realpath: {argv[1]}: {why(error)}") from None
    return CommandResult(0, f"{found}\n")


FileTool = Callable[[World, list[str], Stdin], CommandResult]

TOOLS: dict[str, FileTool] = {
    "cat": cat, "tee": tee, "test": test, "mkdir": mkdir, "mv": mv, "cp": cp, "chmod": chmod,
    "stat": show_type, "du": du, "sha256": sha256, "realpath": realpath,
}  # fmt: skip
