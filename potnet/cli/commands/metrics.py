"""`potnet metrics`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from potnet.cli.options import Command, Options, reading
from potnet.cli.output import emit


@click.command(cls=Command, examples=("potnet metrics",))
@click.pass_obj
def metrics(options: Options) -> None:
    """Print figures of pots and exports for Prometheus."""
    from potnet.operations.reports import metrics as operation

    with reading(options) as app:
        found = operation.metrics(app)
    emit(options, found, exposition)


def exposition(metrics: list[Mapping[str, Any]]) -> str:
    """Metrics in Prometheus's text format, version 0.0.4; those without samples are left out."""
    return "\n".join(line for metric in metrics if metric["samples"] for line in _lines(metric))


def _lines(metric: Mapping[str, Any]) -> Iterator[str]:
    name, text = metric["name"], metric["help"].replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {text}"
    yield f"# TYPE {name} {metric['type']}"
    for sample in metric["samples"]:
        labels = ",".join(f'{key}="{label_value(value)}"' for key, value in sample["labels"].items())
        yield f"{name}{{{labels}}} {sample['value']}" if labels else f"{name} {sample['value']}"


def label_value(text: str) -> str:
    """A label's value as it stands between quotes."""
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
