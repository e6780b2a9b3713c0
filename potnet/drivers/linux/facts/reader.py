"""Commands that only read on a Linux host, and the errors for answers that say nothing."""

from __future__ import annotations

from potnet.drivers.base import CommandError
from potnet.drivers.posix import NO_CONNECTION, only_absent
from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, CommandResult, Executor

#: What a tool says when the thing that it is asked for, or is to take away, is not there.
ABSENT = (
    "Cannot find device",
    "does not exist",
    "No such device",
    "No such file or directory",
    "Cannot assign requested address",
    "Address not found",
    "ipv6: address not found",
)
#: What iproute2 says of a list that changed while the kernel gave it: something may be missing in it
#: (RFC 3549; NLM_F_DUMP_INTR), so that it is to be asked for again.
_INTERRUPTED = "Dump was interrupted"
#: Each of them takes milliseconds, and other commands make a link in tens of them.
_ATTEMPTS = 50


class Reader:
    """Runs commands that change nothing."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def run(self, *argv: str, stdin: str | None = None) -> CommandResult:
        """Run what only reads; raises CommandError when its program is missing, or gives no whole answer."""
        command = Command(argv, stdin=stdin, changes_host=False)
        for _ in range(_ATTEMPTS):
            result = self._executor.run(command)
            if _INTERRUPTED not in result.err:
                break
        else:
            raise CommandError(command, result, hint="links come and go all the time: see ip monitor")
        if result.code == NOT_FOUND:
            raise CommandError(command, result, hint="is this a Linux host? install iproute2 and nftables")
        if result.code in (TIMED_OUT, NO_CONNECTION):
            # No answer says nothing about the host.
            raise CommandError(command, result)
        return result

    def _out(self, *argv: str) -> str:
        result = self.run(*argv)
        if result.code != 0:
            raise CommandError(Command(argv, changes_host=False), result)
        return result.out

    def _optional(self, *argv: str) -> str | None:
        result = self.run(*argv)
        return result.out if result.code == 0 else None

    def _if_there(self, *argv: str, stdin: str | None = None) -> str | None:
        """What a command says of something; None when that is not there, and only then."""
        result = self.run(*argv, stdin=stdin)
        if result.code == 0:
            return result.out
        if any(words in result.err for words in ABSENT):
            return None
        raise CommandError(Command(argv, changes_host=False), result)

    def _stat(self, *arguments: str) -> str:
        """What stat(1) says of those paths that are there: its code is 1 as soon as one is not."""
        argv = ("stat", *arguments)
        result = self.run(*argv)
        if not only_absent(result):
            raise CommandError(Command(argv, changes_host=False), result)
        return result.out
