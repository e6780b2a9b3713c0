"""Names on the command line: those that shells complete, and the pot as an argument or with -p."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from potnet.cli.options import Options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from potnet.cli.completion import Known

#: The parameter that holds a pot, or pots, given as an argument; the one of -p is `pot` or `pots`.
ARGUMENT = "named"


class KnownName(click.types.StringParamType):
    """A name that the store or the host knows and shells complete. An unknown name is accepted here.

    name: the kind of name; help shows it as the value. leads: only the first of several words is a name.
    """

    def __init__(self, name: Known, leads: bool = False) -> None:
        self.name: Known = name
        self._leads = leads

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that fit and are not on the line yet."""
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
    """A name as it is compared: names of pots and bridges without case."""
    return name.lower() if kind in ("pot", "bridge", "name") else name


#: The values of -N, as `potnet.model.pots.NetworkType` has them.
NETWORK_TYPES = ("inherit", "alias", "public-bridge", "private-bridge", "bridge")
#: A pot or a bridge.
SIDE = KnownName("name")
POT, BRIDGE, POT_FIRST = KnownName("pot"), KnownName("bridge"), KnownName("pot", leads=True)
JOINED = KnownName("join")
INTERFACE, UPLINK, EXPORT = KnownName("interface"), KnownName("uplink"), KnownName("export")
USER = KnownName("user")
PARAMETER, SET_PARAMETER = KnownName("parameter"), KnownName("set-parameter")

_T = TypeVar("_T")
_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def one_pot(help_: str, kind: click.ParamType[Any] = POT, envvar: str | None = None) -> _Decorator:
    """Let a command take one pot, as an argument or with -p, and get it as `pot`. None: not given.

    help_: the help of -p. envvar: an environment variable that the command line overrides.
    """

    def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
        @click.argument(ARGUMENT, required=False, type=kind, metavar="[POT]")
        @click.option("-p", "--pot", type=kind, metavar="POT", envvar=envvar, help=help_)
        @wraps(function)
        def command(*args: Any, pot: str | None, **values: Any) -> Any:
            return function(*args, pot=_same_pot(values.pop(ARGUMENT), pot), **values)

        return command

    return decorated


def _same_pot(named: str | None, pot: str | None) -> str | None:
    """The pot that the argument and -p name. Errors: UsageError for two pots."""
    if named is None:
        return pot
    origin = click.get_current_context().get_parameter_source("pot")
    if pot is not None and origin is not ParameterSource.ENVIRONMENT and pot.lower() != named.lower():
        raise click.UsageError(f"two pots are given: {named} and -p {pot}")
    return named


def required(pot: _T | None) -> _T:
    """The pot, or the pots, of a command that requires one. Errors: UsageError."""
    if pot is None:
        raise click.UsageError("missing pot: give POT or -p POT")
    return pot


def many_pots(help_: str, kind: click.ParamType[Any] = POT) -> _Decorator:
    """Let a command take any number of pots, as arguments or with -p, and get them as `pots`."""

    def decorated(function: Callable[..., Any]) -> Callable[..., Any]:
        @click.argument(ARGUMENT, nargs=-1, type=kind, metavar="[POT]...")
        @click.option("-p", "--pot", "pots", multiple=True, type=kind, metavar="POT", help=help_)
        @wraps(function)
        def command(*args: Any, pots: tuple[str, ...], **values: Any) -> Any:
            return function(*args, pots=pots + values.pop(ARGUMENT), **values)

        return command

    return decorated
