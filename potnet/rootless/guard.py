"""Run a driver that would outlive its namespace, and end it when standard input is closed.

Drivers that join a user namespace lose the signal of their parent's death (prctl(2), PR_SET_PDEATHSIG). The
script runs by its path, and imports only Python's own modules.
"""

from __future__ import annotations

import os
import select
import signal
import sys

#: The time in seconds for an orderly end.
_PATIENCE = 5.0


def main() -> int:
    """Exit with the driver's code."""
    nothing = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    try:
        # Python ignores these signals; pasta fails if SIGPIPE is ignored from the start.
        driver = os.posix_spawnp(
            sys.argv[1],
            sys.argv[1:],
            os.environ,
            file_actions=nothing,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
    except OSError as error:
        print(f"{sys.argv[1]}: {error.strerror}", file=sys.stderr)
        return 127
    ended = os.pidfd_open(driver)
    ready, _, _ = select.select([0, ended], [], [])
    if ended not in ready:
        os.kill(driver, signal.SIGTERM)
        if not select.select([ended], [], [], _PATIENCE)[0]:
            os.kill(driver, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(driver, 0)[1]) & 0xFF


if __name__ == "__main__":
    sys.exit(main())
