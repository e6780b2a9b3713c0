"""Completion in real shells: commands, options, and the names in the store."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from forks import Forks, write_program

from potnet.cli.main import COMMANDS, run

TOP = Path(__file__).resolve().parents[2]
SCRIPTS = TOP / "etc" / "completions"
#: How long a shell may take on a machine that does much else.
PATIENCE = 60.0
#: What a terminal is told beside the text.
ATTRIBUTES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A program potnet that shells find, with a store in which two pots and a bridge are."""
    folder = tmp_path_factory.mktemp("completion")
    program = folder / "bin" / "potnet"
    program.parent.mkdir()
    write_program(program, [sys.executable, "-m", "potnet"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POTNET_HOST", "sim")
        patch.setenv("POTNET_STATE_DIR", str(folder / "state"))
        for line in (
            "create -p casserole -N public-bridge",
            "create-private-bridge -B stove -S 4",
            "create -p kettle -N private-bridge -B stove",
            "export-ports -p casserole -e 80:30080 -e tcp+udp:53-54:30053-30054",
        ):
            assert run(["-q", *line.split()]) == 0
    return {
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(TOP),
        "HOME": str(folder),
        "TERM": "xterm",
        "LC_ALL": "C.UTF-8",
        "POTNET_HOST": "sim",
        "POTNET_STATE_DIR": str(folder / "state"),
        "XDG_CONFIG_HOME": os.environ["XDG_CONFIG_HOME"],
    }


@pytest.fixture(scope="module")
def copies(
    environment: dict[str, str], forks: Forks, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The same with a program that is a copy of a process, for many lines."""
    folder = tmp_path_factory.mktemp("copies")
    write_program(folder / "potnet", forks.argv("-m", "potnet"))
    return environment | forks.of_python | {"PATH": f"{folder}:{environment['PATH']}"}


def need(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


#: A line as far as it is typed, word by word, and what may come next.
LINES = [
    (["sto"], ["stop", "store"]),
    (["vnet-"], ["vnet-start", "vnet-stop"]),
    (["start", ""], ["casserole", "kettle"]),
    (["start", "casserole", ""], ["kettle"]),
    (["stop", "-p", "k"], ["kettle"]),
    (["info", "c"], ["casserole"]),
    (["check", "k"], ["kettle"]),
    (["rename", "k"], ["kettle"]),
    (["set-hook", "-s", "file", "k"], ["kettle"]),
    (["show", "-b", ""], ["public", "stove"]),
    (["create", "-B", "st"], ["stove"]),
    (["stop", "-p", "K"], ["kettle"]),
    (["start", "KETTLE", ""], ["casserole"]),
    (["create", "-B", "ST"], ["stove"]),
    (["policy", "remove", "--to", "Ke"], ["kettle"]),
    (["create", "--pass", "E"], []),
    (["exec", ""], ["casserole", "kettle"]),
    (["exec", "casserole", ""], []),
    (["policy", ""], ["add", "list", "remove"]),
    (["policy", "add", "--from", ""], ["casserole", "kettle", "public", "stove"]),
    (["policy", "remove", "--to", "k"], ["kettle"]),
    (["create", "--pass", ""], ["em1"]),
    (["set", "-p", "kettle", "--pass", "e"], ["em1"]),
    (["create", "--tap", "--owner", "a"], ["alice"]),
    (["set", "-p", "kettle", "--owner", "n"], ["nobody"]),
    (["create-private-bridge", "--uplink", ""], ["em0.", "em1."]),
    (["create-bridge", "-B", "lan", "--join", ""], ["em0", "em1"]),
    (["export-ports", "-p", "casserole", "--remove", "-e", ""], ["80:30080", "tcp+udp:53-54:30053-30054"]),
    (["export-ports", "-p", "casserole", "--remove", "-e", "8"], ["80:30080"]),
    (["export-ports", "casserole", "--remove", "-e", "8"], ["80:30080"]),
    (["export-ports", "-p", "kettle", "--remove", "-e", ""], []),
    (["export-ports", "-p", "casserole", "-e", ""], []),
    (["--via", "/nowhere/ssh", "--host", "freebsd", "create", "--pass", ""], []),
    (["list", "--b"], ["--bridge", "--bridges"]),
    (["-o", "j"], ["json"]),
    (["--state-dir", "/nowhere/potnet", "start", ""], []),
    (["--config", "/nowhere/potnet.toml", "start", ""], []),
    (["--host", "linux", "start", ""], []),
]


def in_bash(environment: dict[str, str], words: list[str]) -> list[str]:
    script = 'source "$1"; shift; COMP_WORDS=(potnet "$@"); COMP_CWORD=$#; _potnet potnet; '
    script += 'printf "%s\\n" "${COMPREPLY[@]}"'
    argv = [need("bash"), "--norc", "-c", script, "bash", str(SCRIPTS / "potnet.bash"), *words]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def in_fish(environment: dict[str, str], words: list[str]) -> list[str]:
    script = f'source {SCRIPTS}/potnet.fish; complete -C "$argv[1]"'
    argv = [need("fish"), "--no-config", "-c", script, " ".join(["potnet", *words])]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [line.split("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize(("words", "wanted"), LINES, ids=lambda value: " ".join(value))
@pytest.mark.parametrize("ask", [in_bash, in_fish])
def test_what_may_come_next(
    copies: dict[str, str],
    ask: Callable[[dict[str, str], list[str]], list[str]],
    words: list[str],
    wanted: list[str],
) -> None:
    assert sorted(ask(copies, words)) == wanted
    assert not Path("/nowhere").exists()


def test_all_commands_are_offered(environment: dict[str, str]) -> None:
    assert in_bash(environment, [""]) == list(COMMANDS)


def test_an_open_quote_is_no_trouble(environment: dict[str, str]) -> None:
    assert in_bash(environment, ["start", "'k"]) == ["kettle"]


def test_completing_imports_little(environment: dict[str, str]) -> None:
    """A name costs what Python, click and a look into the store cost."""
    code = "import sys\nfrom potnet.cli.main import run\n"
    code += "try: run([])\nfinally: print(*sys.modules, file=sys.stderr)"
    asked = {"_POTNET_COMPLETE": "bash_complete", "COMP_WORDS": "potnet start ", "COMP_CWORD": "2"}
    argv = [sys.executable, "-c", code]
    done = subprocess.run(argv, env=environment | asked, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["plain,casserole", "plain,kettle"]
    modules = set(done.stderr.split())
    unused = {"jinja2", "tabulate", "potnet.drivers", "potnet.planning", "potnet.cli.commands.create"}
    assert not unused & modules


def test_an_option_and_its_value_are_one_word_for_fish(environment: dict[str, str]) -> None:
    assert in_fish(environment, ["--host=f"]) == ["--host=freebsd"]


def test_colons_are_words_of_their_own_for_bash(environment: dict[str, str]) -> None:
    # readline takes the place of what is behind the last of them only.
    before = ["export-ports", "-p", "casserole", "--remove", "-e"]
    assert in_bash(environment, [*before, "80", ":"]) == ["30080"]
    assert in_bash(environment, [*before, "80", ":", "30"]) == ["30080"]
    assert in_bash(environment, [*before, "tcp+udp", ":", "53-54", ":", "3"]) == ["30053-30054"]
    assert in_bash(environment, [*before, "80", ":", "30080", "-e", "t"]) == ["tcp+udp:53-54:30053-30054"]
    # Where the user has taken the colon out of COMP_WORDBREAKS.
    assert in_bash(environment, [*before, "80:3"]) == ["80:30080"]


def test_an_equals_sign_is_a_word_of_its_own_for_bash(environment: dict[str, str]) -> None:
    assert in_bash(environment, ["--host", "="]) == ["auto", "freebsd", "sim", "linux"]
    assert in_bash(environment, ["--host", "=", "f"]) == ["freebsd"]
    assert in_bash(environment, ["--host", "=", "sim", "stop", "k"]) == ["kettle"]


@contextmanager
def typing(argv: list[str], environment: dict[str, str]) -> Iterator[Callable[[str, str], None]]:
    """Types into a shell on a terminal, and waits until its screen shows a pattern."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(argv[0], argv, environment)

    def type_until(text: str, pattern: str) -> None:
        os.write(terminal, text.encode())
        shown, give_up = "", time.monotonic() + PATIENCE
        while not re.search(pattern, shown):
            ready, _, _ = select.select([terminal], [], [], max(0.0, give_up - time.monotonic()))
            assert ready, f"{pattern!r} is not in {shown!r}"
            shown += os.read(terminal, 4096).decode("utf-8", "replace")
            shown = ATTRIBUTES.sub("", shown)

    try:
        yield type_until
    finally:
        os.close(terminal)
        os.waitpid(child, 0)


SHELLS = {
    "bash": (["--norc", "-i"], "PS1='READ''Y> '; . {scripts}/potnet.bash\n"),
    "zsh": (
        ["-f", "-i"],
        "PS1='READ''Y> '; fpath=({scripts} $fpath); autoload -U compinit; compinit -u -D\n",
    ),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_line_is_completed_on_a_terminal(environment: dict[str, str], shell: str) -> None:
    options, prepare = SHELLS[shell]
    with typing([need(shell), *options], environment) as type_until:
        type_until(prepare.format(scripts=SCRIPTS), "READY> ")
        type_until("potnet start ket\t", r"potnet start kettle ")
        type_until("\x15potnet start KET\t", r"KET\x08*kettle |start kettle ")
        type_until("\x15potnet destroy -B sto\t", r"destroy -B stove ")
        type_until("\x15potnet --host=fr\t", r"--host=freebsd ")
        type_until("\x15potnet show -b \t\t", r"public +stove")
        type_until("\x15potnet export-ports -p casserole --remove -e tcp+udp:5\t", r":53-54:30053-30054 ")
        # No blank behind what is to go on.
        type_until("\x15potnet create-private-bridge --uplink em0\t30", r"--uplink em0\.30")


def test_shells_look_where_the_scripts_are_installed() -> None:
    targets = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]
    installed = targets["wheel"]["shared-data"]
    assert {path.name: installed[f"etc/completions/{path.name}"] for path in SCRIPTS.iterdir()} == {
        "_potnet": "share/zsh/site-functions/_potnet",
        "potnet.bash": "share/bash-completion/completions/potnet",
        "potnet.fish": "share/fish/vendor_completions.d/potnet.fish",
    }


def test_nothing_is_made_by_looking(environment: dict[str, str], tmp_path: Path) -> None:
    fresh = environment | {"POTNET_STATE_DIR": str(tmp_path / "state")}
    assert in_bash(fresh, ["start", ""]) == []
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_cannot_be_read_is_no_trouble(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "potnet.db").write_bytes(b"no store")
    broken = environment | {"POTNET_STATE_DIR": str(tmp_path)}
    assert in_bash(broken, ["start", ""]) == []
    (tmp_path / "potnet.toml").write_text("[network]\npublic = 7\n")
    assert in_bash(environment, ["--config", str(tmp_path / "potnet.toml"), "start", ""]) == []
