"""``python -m potnet`` and the installed ``potnet``."""

import gc
import os
import signal

# A command lives for a moment, and makes little that refers to itself: looking for that took a tenth of its
# time, and saved none of its memory.
gc.disable()

# An interrupt while modules are imported ends the process as it would another program, without a traceback.
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from potnet.runtime.lazy_packages import lean  # noqa: E402

# Of the processor's time, netaddr takes 24 ms with the vendors of Ethernet and what reads them, and 10 with
# addresses alone; Jinja2 takes 48 with its loaders and caches, for which OpenSSL is loaded, and 23 without.
lean("netaddr", "ip", "core")
lean("jinja2", "environment", "runtime", "exceptions")

from potnet.cli.main import main as command  # noqa: E402


def main() -> None:
    """Run one command and end at once: taking the interpreter down takes another tenth."""
    try:
        command()
    except SystemExit as end:
        # What is printed is flushed by now, and nothing is left open.
        os._exit(end.code if isinstance(end.code, int) else 1)


if __name__ == "__main__":
    main()
