"""Run commands that only read on a FreeBSD host, and raise errors for missing answers."""

from __future__ import annotations

from potnet.drivers import posix
from potnet.drivers.base import CommandError
from potnet.drivers.reading import UnreadableError
from potnet.executors.base import NOT_FOUND, TIMED_OUT, Command, CommandResult, Executor


class Reader:
    """Runs commands that change nothing."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def run(self, *argv: str, stdin: str | None = None, absent: tuple[str, ...] = ()) -> CommandResult:
        """Run a command; absent: words, each of which makes the result valid with any exit code."""
        command = Command(argv, stdin, changes_host=False)
        result = self._executor.run(command)
        if result.code == NOT_FOUND:
            raise CommandError(
                command, result, hint="check --host and --via: this does not look like a FreeBSD host"
            )
        unanswered = result.code in (TIMED_OUT, posix.NO_CONNECTION)
        if unanswered and not any(words in result.err for words in absent):
            # A missing answer says nothing about the host.
            raise CommandError(command, result)
        return result

    def _out(self, *argv: str) -> str:
        command = Command(argv, changes_host=False)
        result = self.run(*argv)
        if result.code != 0:
            raise CommandError(command, result)
        return result.out

    def _optional(self, *argv: str) -> str | None:
        result = self.run(*argv)
        return result.out if result.code == 0 else None

    def _sysctls(self, names: tuple[str, ...]) -> tuple[int, ...]:
        text = self._out("sysctl", "-n", *names)
        try:
            values = tuple(int(word) for word in text.split())
        except ValueError as error:
            raise UnreadableError("sysctl", text) from error
        if len(values) != len(names):
            raise UnreadableError("sysctl", text)
        return values

    def _stat(self, form: str, paths: tuple[str, ...]) -> str:
        """Run stat(1) on paths; it exits with 1 if any of them does not exist."""
        argv = ("stat", "-f", form, *paths)
        result = self.run(*argv)
        if not posix.only_absent(result):
            raise CommandError(Command(argv, changes_host=False), result)
        return result.out
