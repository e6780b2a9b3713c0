"""Where output goes nowhere: the work is done all the same, and nobody is told that it was not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parents[2])


def shell(directory: Path, script: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "POTNET_HOST": "sim",
        "POTNET_STATE_DIR": str(directory / "state"),
        "PYTHONPATH": HERE,
        "P": f"{sys.executable} -m potnet",
    }
    return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("ending", [">&-", "2>&-", ">&- 2>&- <&-", "| head -n 0"])
def test_a_closed_end_is_no_failure(tmp_path: Path, ending: str) -> None:
    done = shell(tmp_path, f"$P create -p casserole {ending}; echo code $?; $P -q list")
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "code 0" in done.stdout
    assert "casserole" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_device_is_told(tmp_path: Path) -> None:
    done = shell(tmp_path, "$P -q create -p casserole; $P -q list > /dev/full; echo code $?")
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "code 1\n"


def test_what_escapes_in_a_message_is_shown_and_not_sent(tmp_path: Path) -> None:
    done = shell(tmp_path, "$P -q start \"$(printf 'x\\033[2J')\"")
    assert "\x1b" not in done.stderr
    assert "x1b[2J" in done.stderr
