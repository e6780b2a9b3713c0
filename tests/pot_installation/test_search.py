"""One installation of pot for all callers, whatever their PATH, and none that goes without a word."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from made_up import Call, MadeUp, Result

CHECKOUT = Path(__file__).parents[2]
#: What rc(8), cron(8) and env -i give.
SHORT = ("/sbin:/bin:/usr/sbin:/usr/bin", "/usr/bin:/bin", "")


@pytest.fixture
def made(tmp_path: Path) -> MadeUp:
    """pot, with a pot that holds the first free address."""
    made = MadeUp.at(tmp_path)
    made.public("theirs", "10.192.0.3")
    return made


@pytest.fixture
def system(made: MadeUp, monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    """pot where the system's programs are, as in /usr/local."""
    monkeypatch.setattr("potnet.runtime.search_path.SYSTEM", ("/sbin", "/bin", f"{made.prefix}/bin"))
    return made


@pytest.mark.parametrize("path", SHORT)
def test_every_caller_finds_the_systems_pot(system: MadeUp, call: Call, path: str) -> None:
    assert call("next", path).out == "10.192.0.4\n"
    assert call("--host sim create -p ours -N public-bridge", path).code == 0
    assert "10.192.0.4" in call("--host sim -o json info -p ours", path).out
    assert call("next", path).out == "10.192.0.5\n"


def test_the_systems_pot_comes_before_the_callers(system: MadeUp, tmp_path: Path, call: Call) -> None:
    other = MadeUp.at(tmp_path / "other")
    other.public("p", "10.192.0.9")
    assert call("etc-hosts", other.path).out == "10.192.0.3 theirs\n"


@pytest.mark.parametrize("path", SHORT)
def test_a_pot_in_another_prefix_is_found_again(made: MadeUp, call: Call, path: str) -> None:
    assert call("--host sim create -p one -N public-bridge", made.path).code == 0
    assert call("next", path).out == "10.192.0.5\n"
    assert call("--host sim create -p two -N public-bridge", path).code == 0
    assert "10.192.0.5" in call("--host sim -o json info -p two", path).out


@pytest.mark.parametrize("path", SHORT)
def test_a_pot_in_another_prefix_is_found_where_it_is_configured(
    made: MadeUp, tmp_path: Path, call: Call, path: str
) -> None:
    file = tmp_path / "potnet.toml"
    file.write_text(f'[pot]\nprefix = "{made.prefix}"\n')
    assert call(f"--config {file} next", path).out == "10.192.0.4\n"
    assert call(f"--config {file} --host sim create -p one -N public-bridge", path).code == 0
    assert call("next", path).out == "10.192.0.5\n"


COMMANDS = (
    "next",
    "--host sim create -p two -N public-bridge",
    "new-net -s 5",
    "--host sim import pot --all",
)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_pot_that_is_gone_is_told_and_not_gone_without(
    made: MadeUp, tmp_path: Path, call: Call, line: str
) -> None:
    assert call("--host sim create -p one -N public-bridge", made.path).code == 0
    shutil.rmtree(made.prefix)
    refused = call(line, made.path)
    assert (refused.code, refused.out) == (1, "")
    assert f"{made.prefix}/etc/pot/pot.conf is not found" in refused.err
    assert "set pot.prefix in" in refused.err
    assert "one" in call("--host sim list").out
    assert "two" not in call("--host sim list").out
    # As the hint says.
    file = tmp_path / "potnet.toml"
    file.write_text('[pot]\nprefix = ""\n')
    assert call(f"--config {file} next", made.path).out == "10.192.0.3\n"
    assert call(f"--config {file} --host sim create -p three -N public-bridge").code == 0
    assert call("next").out == "10.192.0.5\n"


def test_a_pot_that_moved_is_told(made: MadeUp, tmp_path: Path, call: Call) -> None:
    assert call("--host sim create -p one -N public-bridge", made.path).code == 0
    moved = tmp_path / "moved"
    made.prefix.rename(moved)
    path = f"{moved}/bin"
    assert "is not found" in call("next", path).err
    file = tmp_path / "potnet.toml"
    file.write_text(f'[pot]\nprefix = "{moved}"\n')
    assert call(f"--config {file} --host sim create -p two -N public-bridge", path).code == 0
    assert call("next").out == "10.192.0.6\n"


def test_two_installations_are_told(made: MadeUp, tmp_path: Path, call: Call) -> None:
    assert call("--host sim create -p one -N public-bridge", made.path).code == 0
    other = MadeUp.at(tmp_path / "other")
    refused = call("next", other.path)
    assert (refused.code, "pot is installed twice" in refused.err) == (1, True)
    (tmp_path / "same").symlink_to(made.prefix)
    assert call("next", f"{tmp_path}/same/bin").out == "10.192.0.5\n"


def test_a_dry_run_remembers_nothing(made: MadeUp, call: Call) -> None:
    assert call("--host sim list").code == 0
    assert call("--host sim -n create -p one -N public-bridge", made.path).code == 0
    assert call("next").out == "10.192.0.3\n"


class Alone:
    """potnet in a process of its own, without any configuration file."""

    def __init__(self, made: MadeUp, directory: Path) -> None:
        self.made = made
        self.state = directory / "state"
        config = directory / "config"
        config.mkdir()
        self.environment = {
            "XDG_CONFIG_HOME": str(config), "XDG_STATE_HOME": str(directory), "PYTHONPATH": str(CHECKOUT)
        }  # fmt: skip

    def run(self, line: str, path: str | None) -> Result:
        environment = self.environment | ({"PATH": path} if path is not None else {})
        argv = [sys.executable, "-m", "potnet", "--state-dir", str(self.state), *line.split()]
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
        return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.skipif(os.path.lexists("/etc/potnet.toml"), reason="this machine has a configuration of its own")
@pytest.mark.parametrize("path", [*SHORT, None])
def test_pots_network_is_in_force_for_every_caller(tmp_path: Path, path: str | None) -> None:
    """Without a file of potnet's, pot.conf says which network is the public one."""
    made = MadeUp.at(tmp_path, network="10.20.0.0/16")
    made.public("theirs", "10.20.0.3")
    alone = Alone(made, tmp_path)
    assert alone.run("--host sim create -p one -N public-bridge", made.path).code == 0
    assert alone.run("--host sim create -p two -N public-bridge", path).code == 0
    assert "10.20.0.5" in alone.run("--host sim -o json info -p two", path).out
    assert alone.run("--host sim next", path).out == "10.20.0.6\n"
    assert "10.20.0.0/16" in alone.run("--host sim config", path).out
    assert alone.run("--host sim start one two", path).code == 0
    shutil.rmtree(made.prefix)
    for line in ("next", "config", "start one", "create -p three"):
        assert "is not found" in alone.run(f"--host sim {line}", path).err


@pytest.mark.skipif(os.path.lexists("/etc/potnet.toml"), reason="this machine has a configuration of its own")
@pytest.mark.parametrize("path", SHORT)
def test_the_same_behind_a_prefix(tmp_path: Path, path: str) -> None:
    made = MadeUp.at(tmp_path, network="10.20.0.0/16")
    alone = Alone(made, tmp_path)
    far = "--host freebsd --via false"
    assert alone.run(f"{far} next", path).out == "10.192.0.3\n"
    assert alone.run(f"{far} stop --all", made.path).code == 0
    assert alone.run(f"{far} next", path).out == "10.20.0.2\n"
