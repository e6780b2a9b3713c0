"""Run commands that only read on a Linux host, and raise errors for missing answers."""

from __future__ import annotations

from potnet.drivers.base import CommandError
from potnet.drivers.posix import NO_CONNECTION, only_absent
from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, CommandResult, Executor

#: The complaints of tools about a missing thing that they should show or remove.
ABSENT = (
    "Cannot find device",
    "does not exist",
    "No such device",
    "No such file or directory",
    "Cannot assign requested address",
    "Address not found",
    "ipv6: address not found",
)
#: The complaint of iproute2 if a list changed while the kernel sent it. Entries may be missing (RFC 3549;
#: NLM_F_DUMP_INTR), so the command is repeated.
_INTERRUPTED = "Dump was interrupted"
#: Each attempt takes milliseconds, while other commands need tens of them to create a link.
_ATTEMPTS = 50


class Reader:
    """Runs commands that change nothing."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def run(self, *argv: str, stdin: str | None = None) -> CommandResult:
        """Run a command that only reads. Raises CommandError if its program is missing or its output
        incomplete."""
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
            # A missing answer says nothing about the host.
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
        """Return the output of a command; None only if its object does not exist."""
        result = self.run(*argv, stdin=stdin)
        if result.code == 0:
            return result.out
        if any(words in result.err for words in ABSENT):
            return None
        raise CommandError(Command(argv, changes_host=False), result)

    def _stat(self, *arguments: str) -> str:
        """Run stat(1) on paths; it exits with 1 if any of them does not exist."""
        argv = ("stat", *arguments)
        result = self.run(*argv)
        if not only_absent(result):
            raise CommandError(Command(argv, changes_host=False), result)
        return result.out
