"""`potnet config`: the configuration in force, and the origin of each value."""

from __future__ import annotations

from typing import Any

import click

from potnet.cli.options import Command, Options, app_settings
from potnet.cli.output import emit, table


@click.command(cls=Command, examples=("potnet config", "potnet config -o json"))
@click.pass_obj
def config(options: Options) -> None:
    """Print the configuration and the origin of each value.

    `-` stands for a value that the host decides.
    """
    from potnet.app import config_in_force
    from potnet.config import configuration

    in_force = config_in_force(app_settings(options))
    options.output = options.output or in_force.output
    emit(options, [_overridden(row, options) for row in configuration.describe(in_force)], _text)


def _overridden(row: dict[str, Any], options: Options) -> dict[str, Any]:
    """A row of the file, with a value from the command line or the environment in its place."""
    table_name, _, name = row["key"].partition(".")
    if table_name != "potnet" or name not in options.given:
        return row
    return {"key": row["key"], "value": str(getattr(options, name)), "origin": options.given[name]}


def _text(rows: list[dict[str, Any]]) -> str:
    headers = ("key", "value", "origin")
    return table(headers, [(row["key"], _shown(row["value"]), row["origin"]) for row in rows])


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name}={_shown(each)}" for name, each in value.items()) or "-"
    if isinstance(value, list):
        return ",".join(map(str, value)) or "-"
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
