"""What shells complete from. See etc/completions, and click's documentation on shell completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from potnet.cli.options import Known, Options, opened

if TYPE_CHECKING:
    from potnet.app import App


def known(options: Options, what: Known, line: Mapping[str, Any]) -> Sequence[str]:
    """What a command with these options would find; line: its own options, as far as they are typed.

    As in a dry run nothing is made or changed, and a host behind --via is not asked, which may ask for a
    password, and take its time. Whatever is wrong is for the command itself to say, since the
    user is in the middle of a line.
    """
    try:
        with opened(replace(options, dry_run=True, quiet=True, verbose=0), changes_host=False) as app:
            far = what in _ON_HOST and (options.via or app.config.via)
            return () if far else _FINDERS[what](app, line)
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
    """Those of the pot that are to be taken away; what is to be exported nobody knows but the user."""
    from potnet.operations.reports.completion_names import exports

    return exports(app, line.get("pot")) if line.get("remove") else ()


def _interfaces(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    from potnet.operations.networks.interfaces import free_interfaces

    return free_interfaces(app)


def _parents(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    from potnet.operations.networks.interfaces import uplink_parents

    return [f"{name}." for name in uplink_parents(app)]


def _users(app: App, line: Mapping[str, Any]) -> Sequence[str]:
    from potnet.operations.reports.completion_names import users

    return users(app)


_FINDERS: dict[Known, Callable[[App, Mapping[str, Any]], Sequence[str]]] = {
    "pot": _pots,
    "bridge": _bridges,
    "name": _sides,
    "export": _exports,
    "interface": _interfaces,
    "uplink": _parents,
    "user": _users,
}
#: Those that only the host knows.
_ON_HOST: tuple[Known, ...] = ("interface", "uplink", "user")
