"""The command `potnet`: it loads the command that is called, and reports errors."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

import click

from potnet import __version__
from potnet.cli.command_table import COMMANDS, GROUPS
from potnet.cli.options import Once, Options, group_options
from potnet.cli.terminal import say
from potnet.errors import PotnetError, UsageError
from potnet.runtime import interrupts

INTERRUPTED = 130
#: The exit code without a command, so that a script notices an empty word in its place.
WRONG_USAGE = 2


class LazyGroup(Once, click.Group):
    """A group that imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        command: click.Command = getattr(importlib.import_module(f"potnet.cli.commands.{module}"), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise UnknownCommandError(args[0], ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in their groups, each with the first line of its help."""
        width = max(map(len, COMMANDS))
        for title, names in GROUPS.items():
            commands = ((name, self.get_command(ctx, name)) for name in names)
            rows = [
                (name.ljust(width), command.get_short_help_str()) for name, command in commands if command
            ]
            with formatter.section(title):
                formatter.write_dl(rows)


class UnknownCommandError(click.UsageError):
    """An unknown command. hint: the command that was probably meant."""

    def __init__(self, word: str, ctx: click.Context) -> None:
        super().__init__(f"unknown command {word!r}", ctx)
        self.hint = self._hint(word)

    @staticmethod
    def _hint(word: str) -> str:
        import difflib  # loaded for a mistake only

        from potnet.cli.command_table import OTHER_WORDS

        near = OTHER_WORDS.get(word) or next(iter(difflib.get_close_matches(word, COMMANDS, n=1)), None)
        return f"did you mean `potnet {near}`?" if near else "`potnet --help` lists the commands"


@click.group(
    cls=LazyGroup,
    params=group_options(),
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Each option can also be set in the environment: POTNET_CONFIG, POTNET_HOST and so on.",
)
@click.version_option(__version__, prog_name="potnet", message="%(prog)s %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> int:
    """Manage FreeBSD jails and their network: addresses, bridges and pf."""
    if ctx.invoked_subcommand is None:
        say(ctx.get_help())
        return WRONG_USAGE
    return 0


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run one command and exit. The user sees no traceback."""
    interrupts.install()
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code. Errors are reported on standard error."""
    options = Options(arguments=tuple(arguments))
    try:
        if any("\0" in word for word in arguments):
            raise UsageError("invalid argument: it contains a NUL character")
        result: Any = cli.main(args=list(arguments), prog_name="potnet", standalone_mode=False, obj=options)
        if sys.stdout is not None:
            sys.stdout.flush()
    except PotnetError as error:
        return _report(error.message, error.hint, error.exit_code)
    except click.ClickException as error:
        return _report(_lower_first(error.format_message()), _usage_hint(error), error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        return _report(f"interrupted{error}", None, INTERRUPTED)
    except BrokenPipeError:
        # The reader is gone and the work is done. Python must not report it again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None and sys.stdout is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        where = f"{error.filename}: " if error.filename is not None else ""
        return _report(f"{where}{error.strerror or error}", None, 1)
    except Exception as error:
        return _internal_error(error, options.verbose > 0)
    return result if isinstance(result, int) else 0


def _report(message: str, hint: str | None, code: int) -> int:
    say(f"potnet: {message}", err=True, paint=partial(_painted, colour="red"))
    if hint:
        say(f"hint: {hint}", err=True, paint=partial(_painted, colour="cyan"))
    return code


def _painted(text: str, colour: str) -> str:
    """A text with its first word, `potnet:` or `hint:`, in colour."""
    word, colon, rest = text.partition(":")
    return click.style(word + colon, fg=colour) + rest


def _usage_hint(error: click.ClickException) -> str | None:
    if isinstance(error, UnknownCommandError):
        return error.hint
    ctx = getattr(error, "ctx", None)
    return f"see {ctx.command_path} --help" if ctx else None


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _internal_error(error: Exception, verbose: bool) -> int:
    if verbose:
        import traceback

        say("".join(traceback.format_exception(error)).rstrip(), err=True)
    what = " ".join(str(error).split()) or "no message"
    report = "the traceback above" if verbose else "the output of the same command with `potnet -v`"
    hint = f"this is a bug in potnet; please report it with {report}"
    return _report(f"internal error: {type(error).__name__}: {what}", hint, 1)
