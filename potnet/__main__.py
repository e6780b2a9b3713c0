"""``python -m potnet`` and the installed ``potnet``."""

import gc
import os
import signal

# A command lives for a moment and creates few circles of objects. Searching for circles took a tenth of its
# time and did not save memory.
gc.disable()

# An interrupt while modules are imported ends the process as it would another program, without a traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from potnet.runtime.lazy_packages import lean  # noqa: E402

# The import of all of netaddr, with the vendors of Ethernet addresses, takes 24 ms of processor time; the
# addresses alone take 10 ms. All of Jinja2, with loaders and caches that need OpenSSL, takes 48 ms; these
# modules take 23 ms.
lean("netaddr", "ip", "core")
lean("jinja2", "environment", "runtime", "exceptions")

from potnet.cli.main import main as command  # noqa: E402


def main() -> None:
    """Run one command and exit at once: an orderly end of Python would take a tenth more time."""
    try:
        command()
    except SystemExit as end:
        # The output is flushed by now, and no file is open.
        os._exit(end.code if isinstance(end.code, int) else 1)


if __name__ == "__main__":
    main()
