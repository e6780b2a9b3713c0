"""potnet in a process of its own where something of the usual surroundings is missing."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from potnet.config.host_kind import state_dir
from potnet.errors import ConfigError

CHECKOUT = Path(__file__).resolve().parents[1]


def potnet(*words: str, before: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run potnet; before: what the shell does first."""
    given = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(CHECKOUT)} | environment
    argv = ["sh", "-c", f'{before}\nexec "$@"', "sh", sys.executable, "-m", "potnet", *words]
    return subprocess.run(argv, env=given, capture_output=True, text=True, check=False, timeout=120)


def test_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without an entry in passwd(5), and without HOME, is told what to give."""

    def nobody(_: int) -> pwd.struct_passwd:
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    for home, why in (
        (None, "HOME is not set"),
        ("", "HOME is not set"),
        ("~cook", "HOME is '~cook', which is"),
    ):
        monkeypatch.setenv("HOME", home or "")
        if home is None:
            monkeypatch.delenv("HOME")
        with pytest.raises(ConfigError, match=why) as refused:
            state_dir(None, "sim", None)
        assert "--state-dir" in str(refused.value.hint)


def test_an_empty_home_is_that_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "")
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    assert state_dir(None, "sim", None) == home / ".local/state/potnet/sim"


@pytest.mark.parametrize(
    "before",
    ["mkdir gone; cd gone; rmdir ../gone", "exec <&-", "exec >&- 2>&-", "exec <&- >&- 2>&-"],
    ids=["no directory", "no input", "no output", "nothing"],
)
def test_without_what_a_shell_gives(tmp_path: Path, before: str) -> None:
    state = str(tmp_path / "state")
    for words in (["create", "-p", "a", "-N", "public-bridge"], ["start", "a"], ["list"], ["stop", "a"]):
        done = potnet("--host", "sim", "--state-dir", state, *words, before=f"cd {tmp_path}; {before}")
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
        shutil.rmtree(tmp_path / "gone", ignore_errors=True)


@pytest.mark.parametrize("variable", ["LANG", "LC_ALL", "TMPDIR", "HOME", "TERM"])
@pytest.mark.parametrize("value", ["", "odd", "/nowhere"])
def test_with_odd_variables(tmp_path: Path, variable: str, value: str) -> None:
    done = potnet("--host", "sim", "--state-dir", str(tmp_path / "state"), "-q", "list", **{variable: value})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("module", ["click", "netaddr", "potnet.cli.main", "potnet.cli.commands.listing"])
def test_an_interrupt_while_modules_are_imported_ends_it_at_once(tmp_path: Path, module: str) -> None:
    """The process is interrupted by itself when it imports a module."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    path = f"{tmp_path}:{CHECKOUT}"
    done = potnet("--host", "sim", "--state-dir", str(tmp_path / "state"), "list", PYTHONPATH=path)
    assert "Traceback" not in done.stderr
    assert done.returncode in (-signal.SIGINT, 130, 0)
    if module in ("click", "netaddr", "potnet.cli.main"):
        assert done.returncode == -signal.SIGINT


def mounted(state: Path, script: str, size: str = "4m") -> subprocess.CompletedProcess[str]:
    """Run a script with a file system of its own, in a namespace of its own."""
    head = f"set -e; mount -t tmpfs -o size={size},mode=755 tmpfs {state}; "
    run = f"{sys.executable} -m potnet --host sim --state-dir {state}/store"
    return subprocess.run(
        ["unshare", "-m", "sh", "-c", f"{head} potnet() {{ {run} \"$@\"; }}; {script}"],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(CHECKOUT)},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def can_mount() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    done = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False)
    return done.returncode == 0


needs_mounts = pytest.mark.skipif(not can_mount(), reason="needs root and namespaces of mounts")


@needs_mounts
def test_on_a_full_disk_stop_and_destroy_give_space_back(tmp_path: Path) -> None:
    done = mounted(
        tmp_path,
        "potnet create -p a -N public-bridge; potnet create -p b -N public-bridge; potnet start a b\n"
        f"dd if=/dev/zero of={tmp_path}/fill bs=4k || true\n"
        "potnet stop a && potnet stop b && potnet destroy -p a && potnet list && potnet check\n"
        f"echo done; rm {tmp_path}/fill; potnet create -p c; test -e {tmp_path}/store/spare && echo again",
        size="8m",
    )
    assert done.stdout.endswith("again\n"), done.stderr
    assert "done" in done.stdout


#: Leaves a log behind, as a process does that was killed.
KILLED = """
import os, sqlite3, sys
store = sqlite3.connect(sys.argv[1])
store.execute("INSERT INTO remembered VALUES ('x', 'y')")
store.commit()
os.kill(os.getpid(), 9)
"""


@needs_mounts
def test_a_log_that_is_left_on_a_read_only_file_system_is_no_hindrance(tmp_path: Path) -> None:
    store = f"{tmp_path}/store"
    Path(f"{tmp_path}-killed").write_text(KILLED)
    done = mounted(
        tmp_path,
        f"mkdir -p -m 700 {store}/sim; mount -t tmpfs tmpfs {store}/sim\n"
        "potnet create -p a -N public-bridge >/dev/null\n"
        f"{sys.executable} {tmp_path}-killed {store}/potnet.db || true; rm -f {store}/potnet.db-shm\n"
        f"test -s {store}/potnet.db-wal && mount -o remount,ro {tmp_path}\n"
        "potnet list -q; potnet check; echo end",
        size="16m",
    )
    assert done.stdout == "a\nend\n", (done.stdout, done.stderr)


@needs_mounts
def test_on_a_read_only_file_system_what_reads_works(tmp_path: Path) -> None:
    done = mounted(
        tmp_path,
        # The simulated host has a file system of its own: it is another machine.
        f"mkdir -p -m 700 {tmp_path}/store/sim; mount -t tmpfs tmpfs {tmp_path}/store/sim\n"
        "potnet create -p a -N public-bridge >/dev/null; potnet start a >/dev/null\n"
        f"mount -o remount,ro {tmp_path}; out={tmp_path}/store/sim/out\n"
        "for words in list next 'info -p a' show config doctor graph check 'etc-hosts'; do\n"
        "  potnet $words >$out || { echo failed: $words; cat $out; }; done\n"
        "if potnet create -p b; then echo created; fi; echo end",
        size="16m",
    )
    assert done.stdout == "end\n", (done.stdout, done.stderr)
    assert "mounted read-only" in done.stderr or "Read-only" in done.stderr
    assert "read-write" in done.stderr
