"""The options that every command takes, before its name or after it, and how a command opens the app.

Imports here stay light: whatever needs more than click is imported by the function that uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from potnet.app import App, Records, Settings


#: The origin of a value from the command line.
TYPED = "command line"

#: What --host takes.
KINDS = ("auto", "freebsd", "sim", "linux")


@dataclass
class Options:
    """What the command line and the environment ask for; None where they say nothing.

    given: which option came from where, in words, for `potnet config`.
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

    @property
    def json(self) -> bool:
        return self.output == "json"

    def take(self, name: str, value: Any, origin: str) -> None:
        """Keep one value; each -v counts."""
        setattr(self, name, self.verbose + value if name == "verbose" else value)
        self.given[name] = origin


#: What can be completed. name: either a pot or a bridge; uplink: the interface of a VLAN.
Known = Literal["pot", "bridge", "name", "interface", "uplink", "export", "user"]


class KnownName(click.types.StringParamType):
    """What the store or the host knows by name, which shells complete; whether it is known is not asked.

    name: also what help shows in its place. leads: of several words only the first one is such a name.
    """

    def __init__(self, name: Known, leads: bool = False) -> None:
        self.name: Known = name
        self._leads = leads

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Names that are not on the line yet."""
        from click.shell_completion import CompletionItem

        from potnet.cli.completion import known

        value = ctx.params.get(str(param.name))
        given = value if isinstance(value, tuple) else ()
        if given and self._leads:
            return []
        found = known(ctx.ensure_object(Options), self.name, ctx.params)
        begun = _folded(self.name, incomplete)
        used = {_folded(self.name, each) for each in given}
        names = ((name, _folded(self.name, name)) for name in found)
        return [CompletionItem(name) for name, key in names if key.startswith(begun) and key not in used]


def _folded(kind: Known, name: str) -> str:
    """What a name is compared by: those of pots and bridges are the same in any case."""
    return name.lower() if kind in ("pot", "bridge", "name") else name


#: Either a pot or a bridge.
SIDE = KnownName("name")
POT, BRIDGE, POT_FIRST = KnownName("pot"), KnownName("bridge"), KnownName("pot", leads=True)
INTERFACE, UPLINK, EXPORT = KnownName("interface"), KnownName("uplink"), KnownName("export")
USER = KnownName("user")


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
    """A command whose options are given once, unless they are repeatable or flags without an opposite.

    click itself keeps the last value and drops the others.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does. Errors: UsageError for a second value; --help is answered first."""
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        rest = super().parse_args(ctx, args)
        for number, param in enumerate(given):
            if param in given[:number] and not ctx.resilient_parsing:
                _refuse_second(ctx, param)
        return rest


def _refuse_second(ctx: click.Context, param: click.Parameter) -> None:
    if not isinstance(param, click.Option) or param.multiple or param.count:
        return
    if param.is_flag and not param.secondary_opts:
        return
    names = ", ".join((*param.opts, *param.secondary_opts))
    raise click.UsageError(f"option {names} can be given only once", ctx)


def global_options(*, after_command: bool) -> list[click.Parameter]:
    """The options of the group, and the same once more, unlisted, for each command.

    Only the group reads the environment: what is typed, wherever it is typed, then wins over it.
    """
    path = click.Path(path_type=Path)
    specs: list[tuple[list[str], dict[str, Any]]] = [
        (["--config"], {"type": path, "metavar": "FILE", "help": "Read this configuration file."}),
        (["--host"], {"type": click.Choice(KINDS), "help": "The kind of host."}),
        (["--state-dir"], {"type": path, "metavar": "DIR", "help": "Where the store is kept."}),
        (["--via"], {"metavar": "PREFIX", "help": 'Run commands through this, such as "ssh root@host".'}),
        (["--rootless"], {"is_flag": True, "help": "With --host linux: without root, in namespaces."}),
        (["-n", "--dry-run"], {"is_flag": True, "help": "Print the commands and change nothing."}),
        (["-o", "--output"], {"type": click.Choice(["text", "json"]), "help": "The form of the output."}),
        (["-v", "--verbose"], {"count": True, "help": "Say more on standard error."}),
        (["-q", "--quiet"], {"is_flag": True, "help": "Print results only, no notices."}),
    ]
    common: dict[str, Any] = {"expose_value": False, "callback": _keep, "is_eager": True}
    if after_command:
        return [click.Option(names, **common, hidden=True, **more) for names, more in specs]
    return [
        click.Option(names, **common, envvar="POTNET_" + names[-1][2:].upper().replace("-", "_"), **more)
        for names, more in specs
    ]


class Command(Once):
    """A command that takes the global options too, except those whose letter or word it has itself.

    examples: command lines that its help ends with.
    """

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        taken = {name for param in self.params for name in param.opts}
        self.params.extend(
            option for option in global_options(after_command=True) if taken.isdisjoint(option.opts)
        )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The examples, and where the global options are explained."""
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{' ' * formatter.current_indent}{example}\n")
        formatter.write_paragraph()
        formatter.write_text("Global options are accepted here too; see `potnet --help`.")

    def get_short_help_str(self, limit: int = 0) -> str:
        """The whole first line; click wraps it where the terminal ends."""
        return (self.help or "").strip().split("\n", 1)[0].rstrip(".")


class Commands(Command, click.Group):
    """A command that consists of commands, which take the global options as well."""

    command_class = Command


def network_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds what create and set say of a pot's network; None where nothing is said."""
    options = (
        click.option(
            "--isolate/--no-isolate", default=None, help="Keep it from isolated pots of its bridge."
        ),
        click.option(
            "--internet/--no-internet", default=None, help="Whether it may connect to other than pots."
        ),
        click.option("--bandwidth-in", metavar="RATE", help="How much it may receive, such as 10Mbit/s."),
        click.option("--bandwidth-out", metavar="RATE", help="How much it may send."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@contextmanager
def opened(
    options: Options, *, changes_host: bool, restores: bool = False, frees: bool = False
) -> Iterator[App]:
    """The application, for one operation. changes_host: the command is not one that only looks.

    restores: it can do with a damaged store. frees: it has to work on a full disk.
    """
    from potnet.app import open_app

    with open_app(app_settings(options, changes_host, restores, frees)) as app:
        options.output = options.output or app.config.output
        yield app


@contextmanager
def asked(options: Options) -> Iterator[Records]:
    """The records, for a question that is answered from files alone."""
    from potnet.app import open_records

    with open_records(app_settings(options, changes_host=False)) as records:
        options.output = options.output or (records.config.output if records.config else None)
        yield records


def app_settings(
    options: Options, changes_host: bool, restores: bool = False, frees: bool = False
) -> Settings:
    """What the options ask for, as the application takes it."""
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
        changes_host=changes_host,
        restores=restores,
        frees=frees,
    )
