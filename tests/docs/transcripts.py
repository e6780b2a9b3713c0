"""Sessions in the documents: what is typed there, and what the program is to answer.

A session is a line ``$ potnet …`` or ``# potnet …`` (variables may stand before the program), one that writes
a file by ``echo``, or one that calls a tool of the simulated host (`TOOLS`). It is in a fenced block of
Markdown or a literal display of mdoc(7). Its output is the lines up to the next prompt. The sessions of one
document are run in order on one fresh simulated host.

``python tests/docs/transcripts.py FILE …`` runs them and writes their output into the documents anew. For
README.md it also writes the picture that README.md shows.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, pairwise, repeat
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path += [str(TOP / "tests"), str(TOP / "tests" / "pot_installation")]

from forks import Forks, write_program  # noqa: E402

#: Documents about a host that has pot, too, with the pots of pot's own documentation.
BESIDE_POT = ("potnet-from-pot.7", "potnet-helper.8", "potnet-import.8")

#: The picture that the sessions of the README draw, by its name where they are typed, and where it is kept.
DRAWN, PICTURE = "host.svg", TOP / "docs" / "host.svg"

#: The notice that the host is simulated is left out of the documents.
NOTICE = "potnet: the host is simulated"

_PROMPT = re.compile(r"[$#] ")
#: The host's own tools that sessions call.
TOOLS = ("ifconfig", "jail", "jls")
_TYPED = re.compile(rf"[$#] ((?:[A-Z_]+=\S* )*potnet(?: .*)?|echo .* >\S+|(?:{'|'.join(TOOLS)}) .*)")
# MAC addresses are chosen at random, and autoconfigured addresses (RFC 4291, appendix A) are made of them.
_RANDOM = (
    (re.compile(r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b"), "MAC"),
    (re.compile(r"\b[0-9a-f:]+ff:fe[0-9a-f:]+\b"), "AUTOCONF"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "TIME"),
)


@dataclass(frozen=True)
class Exchange:
    """A command and its output. start, end: the lines of the output in its document, the end excluded."""

    command: str
    output: tuple[str, ...]
    start: int
    end: int


def exchanges(path: Path) -> list[Exchange]:
    """The sessions of a document, in order."""
    lines = path.read_text("utf-8").splitlines()
    found = _mdoc_blocks(lines) if path.suffix != ".md" else _markdown_blocks(lines)
    return [exchange for start, end in found for exchange in _in_block(path, lines, start, end)]


def _markdown_blocks(lines: list[str]) -> Iterator[tuple[int, int]]:
    fences = [number for number, line in enumerate(lines) if line.startswith("```")]
    return ((start + 1, end) for start, end in zip(fences[::2], fences[1::2], strict=True))


def _mdoc_blocks(lines: list[str]) -> Iterator[tuple[int, int]]:
    start = None
    for number, line in enumerate(lines):
        if line.startswith(".Bd -literal"):
            start = number + 1
        elif line.startswith(".Ed") and start is not None:
            yield start, number
            start = None


def _in_block(path: Path, lines: list[str], start: int, end: int) -> Iterator[Exchange]:
    prompts = [number for number in range(start, end) if _PROMPT.match(lines[number])]
    for number, following in pairwise([*prompts, end]):
        typed = _TYPED.fullmatch(_read(path, lines[number]))
        if typed:
            output = tuple(_read(path, line) for line in lines[number + 1 : following])
            yield Exchange(typed[1], output, number + 1, following)


def _read(path: Path, line: str) -> str:
    return line if path.suffix == ".md" else line.removeprefix("\\&").replace("\\e", "\\")


def _written(path: Path, line: str) -> str:
    if path.suffix == ".md":
        return line
    line = line.replace("\\", "\\e")
    return f"\\&{line}" if line.startswith((".", "'")) else line


def comparable(line: str) -> str:
    """A line as far as it is the same in every run; blanks at its end are not kept in documents."""
    for pattern, word in _RANDOM:
        line = pattern.sub(word, line)
    return line.rstrip()


def work(directory: Path) -> Path:
    """Where the sessions of a host in this directory are typed."""
    return directory / "root"


class Host:
    """A fresh simulated host in a directory, and a shell to type into.

    Programs run in forked copies, except in the first command: there they start as a user starts them.
    beside_pot: an installation of pot is on it. Paths below the directory are shown as if it were the root.
    """

    def __init__(self, directory: Path, forks: Forks, beside_pot: bool = False) -> None:
        self._directory = directory
        started, forked, config = directory / "started", directory / "bin", directory / "config" / "potnet"
        for folder in (started, forked, config, work(directory)):
            folder.mkdir(parents=True)
        # An empty file of one's own hides the system's.
        (config / "potnet.toml").touch()
        if beside_pot:
            from made_up import documented

            documented(directory)
            (config / "potnet.toml").write_text(f'pot.prefix = "{directory}/usr"\n', "utf-8")
        programs = {tool: (str(Path(__file__).with_name("host_tool.py")), tool) for tool in TOOLS}
        for name, words in (("potnet", ("-m", "potnet")), *programs.items()):
            write_program(started / name, [sys.executable, *words])
            write_program(forked / name, forks.argv(*words))
        path = f"{forked}:{os.environ.get('PATH', '/bin:/usr/bin')}"
        self._paths = chain((f"{started}:{path}",), repeat(path))
        self._environment = forks.of_python | {
            "HOME": str(directory),
            "XDG_CONFIG_HOME": str(directory / "config"),
            "XDG_STATE_HOME": str(directory / "state"),
            "POTNET_HOST": "sim",
            "POTNET_STATE_DIR": str(directory / "host"),
        }

    def type(self, command: str) -> tuple[str, ...]:
        """What a command prints on both outputs, as on a terminal; the notice left out."""
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=work(self._directory),
            env=self._environment | {"PATH": next(self._paths)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        shown = done.stdout.replace(str(self._directory), "").splitlines()
        return tuple(line for line in shown if not line.startswith(NOTICE))


def replay(path: Path, directory: Path, forks: Forks) -> list[tuple[Exchange, tuple[str, ...]]]:
    """Each session of a document with what the program answers."""
    host = Host(directory, forks, path.name in BESIDE_POT)
    return [(exchange, host.type(exchange.command)) for exchange in exchanges(path)]


def rewrite(path: Path, forks: Forks) -> None:
    """Put what the program answers into a document, where it differs."""
    lines = path.read_text("utf-8").splitlines()
    with tempfile.TemporaryDirectory() as directory:
        fresh = Path(directory) / "fresh"
        answers = replay(path, fresh, forks)
        if path.resolve() == TOP / "README.md":
            shutil.copyfile(work(fresh) / DRAWN, PICTURE)
    broken = [exchange.command for exchange, answer in answers if "internal error" in "".join(answer)]
    if broken:
        sys.exit(f"{path} stays as it is, since the program fails at: {broken[0]}")
    for exchange, answer in reversed(answers):
        if [*map(comparable, exchange.output)] != [*map(comparable, answer)]:
            lines[exchange.start : exchange.end] = [_written(path, line.rstrip()) for line in answer]
    path.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    with Forks() as forks:
        for name in sys.argv[1:]:
            rewrite(Path(name), forks)
