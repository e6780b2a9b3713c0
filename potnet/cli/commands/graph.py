"""`potnet graph`."""

from __future__ import annotations

from typing import Any

import click

from potnet.cli.options import Command, Options, reading
from potnet.cli.output import emit


@click.command(
    cls=Command, examples=("potnet graph --format svg > host.svg", "potnet graph | dot -T png > host.png")
)
@click.option(
    "--format", "form", type=click.Choice(["dot", "svg", "mermaid"]), default="dot", show_default=True,
    help="Text for dot(1), a picture, or text for Mermaid.",
)  # fmt: skip
@click.pass_obj
def graph(options: Options, form: str) -> None:
    """Draw the host with its bridges and pots."""
    from potnet.operations.reports import graph as operation

    with reading(options) as app:
        view = operation.graph(app)
        emit(options, view, lambda found: drawn(app.config.templates, found, form))


def drawn(templates: str | None, view: dict[str, Any], form: str) -> str:
    """The picture in one of the forms. templates: the directory of the administrator's own templates."""
    from potnet.cli.picture import drawing, layout
    from potnet.templates import render

    if form == "svg":
        picture = layout.picture(view)
        values = {name: getattr(picture, name) for name in picture.__slots__}
    else:
        values = {
            "title": drawing.title(view),
            "nodes": list(drawing.nodes(view)),
            "edges": list(drawing.edges(view)),
        }
    return render(templates, f"graph.{form}.j2", values).removesuffix("\n")
