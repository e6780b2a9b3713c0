"""The options that every command takes, before its name or after it, and how a command opens the application.

Imports here stay light: a function that needs more than click imports it itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from potnet.app import App, Purpose, Records, Settings
    from potnet.runtime.command_log import Record


#: The origin of a value from the command line.
TYPED = "command line"

#: The values of --host.
KINDS = ("auto", "freebsd", "sim", "linux")


@dataclass
class Options:
    """The global options, from the command line and the environment. None: not given.

    given: the origin of each option that was given, in words, for `potnet config`. arguments: the whole
    command line.
    """

    config: Path | None = None
    host: str | None = None
    state_dir: Path | None = None
    via: str | None = None
    rootless: bool = False
    dry_run: bool = False
    output: str | None = None
    verbose: int = 0
    quiet: bool = False
    given: dict[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()

    @property
    def json(self) -> bool:
        return self.output == "json"

    def take(self, name: str, value: Any, origin: str) -> None:
        """Keep one value and its origin. Each -v adds to the verbosity."""
        setattr(self, name, self.verbose + value if name == "verbose" else value)
        self.given[name] = origin


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    source = ctx.get_parameter_source(param.name or "")
    options = ctx.ensure_object(Options)
    if source is ParameterSource.COMMANDLINE:
        if options.given.get(str(param.name)) == TYPED:
            _refuse_second(ctx, param)
        options.take(str(param.name), value, TYPED)
    elif source is ParameterSource.ENVIRONMENT:
        options.take(str(param.name), value, f"environment, {param.envvar}")


class Once(click.Command):
    """A command that refuses an option that is given twice, unless it is repeatable or a plain flag.

    click itself would keep the last value and drop the others.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does, --help first. Errors: UsageError for a second value."""
        if ctx.resilient_parsing and args and self._takes_value(args[-1]):
            # A shell asks for the value of the last option; with that option, click would drop the arguments.
            args = args[:-1]
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        rest = super().parse_args(ctx, args)
        for number, param in enumerate(given):
            if param in given[:number] and not ctx.resilient_parsing:
                _refuse_second(ctx, param)
        return rest

    def _takes_value(self, word: str) -> bool:
        options = (param for param in self.params if isinstance(param, click.Option))
        return any(word in option.opts and not (option.is_flag or option.count) for option in options)


def _refuse_second(ctx: click.Context, param: click.Parameter) -> None:
    if not isinstance(param, click.Option) or param.multiple or param.count:
        return
    if param.is_flag and not param.secondary_opts:
        return
    names = ", ".join((*param.opts, *param.secondary_opts))
    raise click.UsageError(f"option {names} can be given only once", ctx)


def group_options() -> list[click.Parameter]:
    """The global options as `potnet` itself takes them: from the command line or the environment."""
    return [
        click.Option(names, **_COMMON, envvar=_variable(names), **more) for names, more in _global_options()
    ]


def command_options() -> list[click.Parameter]:
    """The global options as each command takes them: unlisted, from the command line alone.

    An option that is typed anywhere then wins over the environment.
    """
    return [click.Option(names, **_COMMON, hidden=True, **more) for names, more in _global_options()]


class FilePath(click.Path):
    """A path. An empty word, as an unset variable of a script leaves it, is refused."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("it is empty", param, ctx)
        return super().convert(value, param, ctx)


def _variable(names: list[str]) -> str:
    return "POTNET_" + names[-1][2:].upper().replace("-", "_")


_COMMON: dict[str, Any] = {"expose_value": False, "callback": _keep, "is_eager": True}


def _global_options() -> list[tuple[list[str], dict[str, Any]]]:
    path = FilePath()
    return [
        (["--config"], {"type": path, "metavar": "FILE", "help": "Configuration file."}),
        (["--host"], {"type": click.Choice(KINDS), "help": "Kind of host; sim is a simulated one."}),
        (["--state-dir"], {"type": path, "metavar": "DIR", "help": "Directory of the store."}),
        (["--via"], {"metavar": "PREFIX", "help": 'Prefix of each command, such as "ssh root@host".'}),
        (["--rootless"], {"is_flag": True, "help": "Use namespaces without root; requires --host linux."}),
        (["-n", "--dry-run"], {"is_flag": True, "help": "Print the commands and change nothing."}),
        (["-o", "--output"], {"type": click.Choice(["text", "json"]), "help": "Format of the output."}),
        (["-v", "--verbose"], {"count": True, "help": "Print each command on standard error; repeatable."}),
        (["-q", "--quiet"], {"is_flag": True, "help": "Print results only, no notices."}),
    ]


class Command(Once):
    """A command that takes the global options too, except those whose names it uses itself.

    examples: the command lines at the end of its help.
    """

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        own = {name for param in self.params for name in param.opts}
        self.params.extend(option for option in command_options() if own.isdisjoint(option.opts))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and where the global options are explained."""
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{' ' * formatter.current_indent}{example}\n")
        formatter.write_paragraph()
        formatter.write_text("Global options are accepted here too; see `potnet --help`.")

    def get_short_help_str(self, limit: int = 0) -> str:
        """The whole first line of the help; click itself would shorten it."""
        return (self.help or "").strip().split("\n", 1)[0].rstrip(".")


class Commands(Command, click.Group):
    """A command that has commands of its own. These take the global options as well."""

    command_class = Command


@contextmanager
def reading(options: Options) -> Iterator[App]:
    """The application for a command that changes nothing."""
    with _opened(options, app_settings(options)) as app:
        yield app


@contextmanager
def changing(options: Options, purpose: Purpose = "change", request: str | None = None) -> Iterator[App]:
    """The application for a command that may change the host or the store. It leaves a line in a log.

    request: what a client wants of the command.
    """
    from potnet.runtime.command_log import Record

    record = Record((*options.arguments, *(() if request is None else (request,))))
    try:
        with _opened(options, app_settings(options, purpose, record)) as app:
            yield app
    except BaseException as error:
        record.finish(error)
        raise
    record.finish(None)


@contextmanager
def _opened(options: Options, settings: Settings) -> Iterator[App]:
    from potnet.app import open_app

    with open_app(settings) as app:
        options.output = options.output or app.config.output
        yield app


@contextmanager
def reading_records(options: Options) -> Iterator[Records]:
    """The records, for a question that is answered from files alone."""
    from potnet.app import open_records

    with open_records(app_settings(options)) as records:
        options.output = options.output or (records.config.output if records.config else None)
        yield records


def app_settings(options: Options, purpose: Purpose = "read", record: Record | None = None) -> Settings:
    """The options as the application takes them."""
    from potnet.app import Settings

    return Settings(
        config_file=options.config,
        host=options.host,
        state_dir=options.state_dir,
        via=options.via,
        rootless=options.rootless,
        dry_run=options.dry_run,
        verbose=options.verbose,
        quiet=options.quiet,
        purpose=purpose,
        record=record,
    )
