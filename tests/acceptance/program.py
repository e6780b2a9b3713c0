"""Run potnet as a user does: the installed program, with a store and a configuration of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .host import Answer

#: Where the user types: the program beside this Python, as `make installed` puts it there.
POTNET = Path(sys.executable).with_name("potnet")
#: Seconds for a command; a start of a hundred pots by ssh(1) without a control socket takes many minutes.
PATIENCE = 3600.0


def environment(state: Path, kind: str, **more: str) -> dict[str, str]:
    """Return the surroundings of potnet: nothing of the caller's own settings."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("POTNET_")}
    own = {
        "POTNET_STATE_DIR": str(state),
        "POTNET_CONFIG": str(state.with_name("potnet.toml")),
        "POTNET_HOST": kind,
    }
    return kept | own | more


def run(
    argv: list[str], given: dict[str, str] | None, stdin: str = "", kill_after: float | None = None
) -> Answer:
    """Run a program to its end. given: its environment. kill_after: the seconds until it is killed."""
    try:
        process = subprocess.Popen(
            argv,
            env=given,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # A ^C ends the suite, which then ends the commands of the scenario one after the other.
            start_new_session=True,
        )
    except FileNotFoundError:
        return Answer(127, "", f"{argv[0]}: not found")
    with process:
        try:
            out, err = process.communicate(stdin, timeout=kill_after if kill_after is not None else PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            # Commands that a killed potnet had started go on to their end, and hold the output meanwhile.
            out, err = process.communicate()
            if kill_after is None:
                err += f"no answer within {PATIENCE:.0f} s\n"
        except BaseException:
            process.terminate()
            process.communicate()
            raise
    return Answer(process.returncode, out, err)
