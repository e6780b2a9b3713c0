"""The names that shells complete. See etc/completions, and click's documentation on shell completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from potnet.cli.options import Options, reading

if TYPE_CHECKING:
    from potnet.app import App

#: The kinds of names. name: a pot or a bridge; uplink: the interface of a VLAN; set-parameter: of the pot.
Known = Literal[
    "pot", "bridge", "name", "interface", "join", "uplink", "export", "user", "parameter", "set-parameter"
]


def known(options: Options, kind: Known, line: Mapping[str, Any]) -> Sequence[str]:
    """The names of a kind for a command with these options. line: its own options, as far as they are typed.

    Nothing is made or changed. A host behind --via is not asked: it may be slow or ask for a password.
    Every error gives no names: the user is in the middle of a line, and the command itself will report it.
    """
    try:
        with reading(replace(options, dry_run=True, quiet=True, verbose=0)) as app:
            far = kind in _ON_HOST and (options.via or app.config.via)
            return () if far else _FINDERS[kind](app, line)
    except Exception:
        return ()


def _pots(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    from potnet.operations.reports.completion_names import pot_names

    return pot_names(app)


def _bridges(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    from potnet.operations.reports.completion_names import bridge_names

    return bridge_names(app)


def _sides(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    from potnet.operations.reports.completion_names import sides

    return sides(app)


def _exports(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    """The exports of the pot, for --remove. New exports cannot be completed."""
    from potnet.operations.reports.completion_names import exports

    pot = line.get("named") or line.get("pot")
    return exports(app, pot) if line.get("remove") else ()


def _interfaces(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    from potnet.operations.networks.interfaces import free_interfaces

    return free_interfaces(app)


def _joined(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    from potnet.operations.networks.interfaces import uplink_parents

    return uplink_parents(app)


def _parents(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    return [f"{name}." for name in _joined(app, line)]


def _users(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    from potnet.operations.reports.completion_names import users

    return users(app)


def _parameters(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    from potnet.model.jail_parameters import USUAL

    return USUAL


def _set_parameters(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    from potnet.operations.reports.completion_names import parameters

    return parameters(app, line.get("named") or line.get("pot"))


_FINDERS: dict[Known, Callable[[App, Mapping[str, Any]], Sequence[str]]] = {
    "pot": _pots,
    "bridge": _bridges,
    "name": _sides,
    "export": _exports,
    "interface": _interfaces,
    "join": _joined,
    "uplink": _parents,
    "user": _users,
    "parameter": _parameters,
    "set-parameter": _set_parameters,
}
#: The kinds that only the host knows.
_ON_HOST: tuple[Known, ...] = ("interface", "join", "uplink", "user")
