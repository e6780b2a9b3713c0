"""Install potnet below a prefix without pip, and remove it again: `make install` and `make uninstall`.

pyproject.toml names the files beside the package. A record in the package's ``.dist-info`` directory, as
other tools of Python keep it (PEP 376, PEP 627), lists all that an install made; an uninstall removes that
and nothing else. A sample ``X.sample`` is copied to ``X`` if there is none; a copy that was changed stays.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import posixpath
import py_compile
import re
import shutil
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NoReturn

TOP = Path(__file__).resolve().parent.parent
NAME = "potnet"
#: The prefix that scripts are written for.
USUAL = "/usr/local"
SAMPLE = ".sample"
#: The file beside RECORD that lists the directories that the install made.
DIRECTORIES = "DIRECTORIES"
#: Lines of pkg-plist(5) have these words in place of what depends on Python and the version.
CACHE_TAG, SITE, VERSION = "%%CACHE_TAG%%", "%%PYTHON_SITELIBDIR%%", "%%PORTVERSION%%"

_PROGRAM = """\
#!{python}
import sys

if {site!r} not in sys.path:
    sys.path.insert(0, {site!r})
from potnet.__main__ import main

sys.exit(main())
"""
_METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {summary}\n{requires}"


def stop(message: str) -> NoReturn:
    sys.exit(f"make: {message}")


class Tree:
    """The places of an installation. root: the prefix below DESTDIR, where the files are now."""

    def __init__(self, prefix: str, destdir: str) -> None:
        self.prefix = PurePosixPath(prefix)
        self.destdir = destdir
        if not self.prefix.is_absolute():
            stop(f"PREFIX={prefix}: not an absolute path")
        self.root = Path(f"{destdir}{prefix}")
        self.site = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"

    def records(self) -> list[Path]:
        """Return the records of earlier installs, of any Python."""
        return sorted(self.root.glob(f"lib/python3.*/site-packages/{NAME}-*.dist-info/RECORD"))

    def recorded(self) -> set[str]:
        """Return the files of earlier installs, below the prefix. Those of pip are pip's to change."""
        found: set[str] = set()
        for record in self.records():
            installer = record.with_name("INSTALLER")
            if not installer.exists() or installer.read_text("utf-8").strip() != "make":
                stop(f"{record.parent} is not of `make install`: remove it with `pip uninstall {NAME}` first")
            site = record.parent.parent.relative_to(self.root)
            with record.open(encoding="utf-8", newline="") as file:
                found |= {posixpath.normpath(posixpath.join(site, row[0])) for row in csv.reader(file) if row}
        outside = [name for name in found if name.startswith(("/", "../"))]
        if outside:
            stop(f"{self.root / self.site}: the record names {outside[0]}, which is not below {self.root}")
        return found

    def directories(self) -> set[str]:
        """Return the directories that earlier installs made, below the prefix."""
        lists = [record.with_name(DIRECTORIES) for record in self.records()]
        return {line for path in lists if path.exists() for line in path.read_text("utf-8").splitlines()}

    @property
    def information(self) -> str:
        return f"{self.site}/{NAME}-{version()}.dist-info"


def project() -> Mapping[str, object]:
    return tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))


def version() -> str:
    found = re.search(r'__version__ = "(.+)"', (TOP / NAME / "__init__.py").read_text("utf-8"))
    assert found is not None
    return found[1]


def wanted(tree: Tree, settings: Mapping[str, object]) -> dict[str, bytes | Path]:
    """Return each file to install, below the prefix, with its content or its source."""
    wheel = settings["tool"]["hatch"]["build"]["targets"]["wheel"]  # type: ignore[index]
    files: dict[str, bytes | Path] = {}
    for path in sorted((TOP / NAME).rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            files[f"{tree.site}/{path.relative_to(TOP)}"] = path
    for source, target in wheel["force-include"].items():
        for path in sorted((TOP / source).iterdir()):
            files[f"{tree.site}/{target}/{path.name}"] = path
    for source, target in wheel["shared-data"].items():
        files[target] = TOP / source
    for target in [each for each in files if each.startswith(("etc/rc.d/", "etc/periodic/"))]:
        text = Path(str(files[target])).read_text("utf-8")
        files[target] = text.replace(f"{USUAL}/bin/{NAME}", f"{tree.prefix}/bin/{NAME}").encode()
    python = Path(sys.executable).with_name(f"python{sys.version_info.major}.{sys.version_info.minor}")
    program = _PROGRAM.format(
        python=python if python.exists() else sys.executable, site=f"{tree.prefix}/{tree.site}"
    )
    files[f"bin/{NAME}"] = program.encode()
    return files | _information(tree, settings["project"])  # type: ignore[arg-type]


def _information(tree: Tree, about: Mapping[str, list[str]]) -> dict[str, bytes | Path]:
    requires = "".join(f"Requires-Dist: {each}\n" for each in about["dependencies"])
    metadata = _METADATA.format(name=NAME, version=version(), summary=about["description"], requires=requires)
    return {f"{tree.information}/METADATA": metadata.encode(), f"{tree.information}/INSTALLER": b"make\n"}


def compiled(name: str, tag: str) -> str:
    """Return the name of the compiled form of a Python file (PEP 3147)."""
    path = PurePosixPath(name)
    return str(path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc")


def with_compiled(names: Iterable[str], tag: str) -> Iterator[str]:
    for name in names:
        yield name
        if name.endswith(".py"):
            yield compiled(name, tag)


def all_files(tree: Tree, files: Iterable[str], tag: str) -> set[str]:
    """Return all that an install makes, with compiled files and the two lists of what it made."""
    return {*with_compiled(files, tag), f"{tree.information}/RECORD", f"{tree.information}/{DIRECTORIES}"}


def install(tree: Tree) -> None:
    settings = project()
    files = wanted(tree, settings)
    tag = str(sys.implementation.cache_tag)
    made = all_files(tree, files, tag)
    before = tree.recorded()
    for name in files:
        if (tree.root / name).exists() and name not in before:
            stop(
                f"{tree.root / name} exists and is not of `make install`.\n"
                "On FreeBSD `pkg which` names its package; the README's Installation says how to replace it."
            )
    # The lists come first: whatever ends this early, an uninstall finds all of it.
    _write_lists(tree, before | made)
    for name, content in files.items():
        _put(tree.root / name, content, name.startswith(("bin/", "etc/rc.d/", "etc/periodic/")))
        if name.endswith(".py"):
            py_compile.compile(
                str(tree.root / name),
                cfile=str(tree.root / compiled(name, tag)),
                dfile=f"{tree.prefix}/{name}",
                doraise=True,
            )
    _remove(tree, before - made)
    _remove_empty(tree, tree.directories())
    _write_lists(tree, made)
    if not tree.destdir:
        _copy_samples(tree, files)
        _report_missing(settings["project"]["dependencies"])  # type: ignore[index]


def _put(path: Path, content: bytes | Path, is_program: bool) -> None:
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    if isinstance(content, Path):
        shutil.copyfile(content, new)
        shutil.copystat(content, new)
    else:
        new.write_bytes(content)
    new.chmod(0o755 if is_program else 0o644)
    new.replace(path)


def _write_lists(tree: Tree, names: set[str]) -> None:
    """Write the record of files, and the list of directories that this or an earlier install made."""
    folders = {str(parent) for name in names for parent in PurePosixPath(name).parents}
    made = tree.directories() | {folder for folder in folders if not (tree.root / folder).exists()}
    information = tree.root / tree.information
    information.mkdir(mode=0o755, parents=True, exist_ok=True)
    (information / "INSTALLER").write_text("make\n", "utf-8")
    (information / DIRECTORIES).write_text("".join(f"{folder}\n" for folder in sorted(made)), "utf-8")
    with (information / "RECORD").open("w", encoding="utf-8", newline="") as file:
        rows = ((posixpath.relpath(name, tree.site), "", "") for name in sorted(names))
        csv.writer(file, lineterminator="\n").writerows(rows)
    for path in information.iterdir():
        path.chmod(0o644)


def _copy_samples(tree: Tree, names: Iterable[str]) -> None:
    for name in names:
        sample = tree.root / name
        if name.endswith(SAMPLE) and not sample.with_suffix("").exists():
            shutil.copy2(sample, sample.with_suffix(""))


def _report_missing(dependencies: Iterable[str]) -> None:
    # Python's package on FreeBSD leaves this module to another package.
    names = ["sqlite3", *(re.split(r"[^a-z0-9_]", each)[0] for each in dependencies)]
    missing = [name for name in names if not _is_there(name)]
    if missing:
        python = f"py{sys.version_info.major}{sys.version_info.minor}"
        print(f"potnet also needs {', '.join(missing)}: on FreeBSD, install the packages {python}-NAME")


def _is_there(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


def uninstall(tree: Tree) -> None:
    if not tree.records():
        stop(f"potnet is not installed in {tree.root}")
    names = tree.recorded()
    if not tree.destdir:
        for name in names:
            sample = tree.root / name
            if name.endswith(SAMPLE):
                _remove_copy(sample, sample.with_suffix(""))
    # The records go last: an uninstall that was cut off can be repeated.
    folders = tree.directories()
    kept = {str(path.relative_to(tree.root)) for path in tree.records()}
    kept |= {str(PurePosixPath(path).with_name(each)) for path in kept for each in ("INSTALLER", DIRECTORIES)}
    _remove(tree, names - kept)
    _remove(tree, kept)
    _remove_empty(tree, folders)


def _remove_copy(sample: Path, copy: Path) -> None:
    if copy.is_file() and sample.is_file():
        if copy.read_bytes() == sample.read_bytes():
            copy.unlink()
        else:
            print(f"{copy} was changed, and stays")


def _remove(tree: Tree, names: set[str]) -> None:
    """Remove files, and with a Python file whatever else Python has compiled of it."""
    for name in names:
        (tree.root / name).unlink(missing_ok=True)
        if name.endswith(".py"):
            path = tree.root / name
            for cached in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
                cached.unlink()


def _remove_empty(tree: Tree, folders: Iterable[str]) -> None:
    for folder in sorted(folders, key=len, reverse=True):
        path = tree.root / folder
        if path.is_dir() and not path.is_symlink() and not any(path.iterdir()):
            path.rmdir()


def plist(tree: Tree) -> None:
    """Print pkg-plist(5) for the port: ports compress manual pages, and pkg copies samples."""
    names = all_files(tree, wanted(tree, project()), CACHE_TAG)
    lines = []
    for name in names:
        line = re.sub(rf"^{re.escape(tree.site)}/", f"{SITE}/", name)
        line = line.replace(f"/{NAME}-{version()}.dist-info/", f"/{NAME}-{VERSION}.dist-info/")
        line += ".gz" if line.startswith("share/man/") else ""
        lines.append(f"@sample {line}" if line.endswith(SAMPLE) else line)
    print("\n".join(sorted(lines, key=lambda line: line.removeprefix("@sample "))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["install", "uninstall", "plist"])
    parser.add_argument("prefix", nargs="?", default=USUAL)
    parser.add_argument("destdir", nargs="?", default="")
    given = parser.parse_args()
    tree = Tree(given.prefix.rstrip("/"), given.destdir.rstrip("/"))
    try:
        {"install": install, "uninstall": uninstall, "plist": plist}[given.action](tree)
    except OSError as error:
        stop(f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
