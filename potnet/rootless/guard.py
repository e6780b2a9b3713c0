"""Runs a driver that would outlive its namespace, and ends it as soon as standard input is closed.

Drivers that join a user namespace lose the signal of their parent's death (prctl(2), PR_SET_PDEATHSIG). This
is run by its path, with nothing imported but what Python itself has.
"""

from __future__ import annotations

import os
import select
import signal
import sys

#: Seconds to end kindly in.
_PATIENCE = 5.0


def main() -> int:
    """Exits as the driver did."""
    nothing = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    try:
        # Python ignores these; pasta takes SIGPIPE for broken where it is ignored already.
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
