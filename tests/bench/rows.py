"""The table of the benchmark: what was measured, beside what, and whether that is as it is to be."""

from __future__ import annotations

import json
import os
import platform
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tabulate import tabulate

WIDTH = 116
#: Where a file has the table in Markdown, and where a manual page has the comparisons.
BEGIN, END = "<!-- make bench: begin -->", "<!-- make bench: end -->"
MDOC_BEGIN, MDOC_END = '.\\" make bench: begin', '.\\" make bench: end'


@dataclass(frozen=True)
class Row:
    """One figure. floor: what it is measured against, which `against` describes; None for a figure by itself.

    bound: what the figure is to reach, as a multiple of the floor if there is one. held: what the exit code
    holds it to where that is out of reach, for the reason in `why`. at_least: more is better. unit: of both.
    """

    part: str
    what: str
    figure: float
    unit: str
    bound: float
    floor: float | None = None
    against: str = ""
    at_least: bool = False
    held: float | None = None
    why: str = ""

    @property
    def value(self) -> float:
        """What is compared with the bound."""
        if self.floor is None:
            return self.figure
        return self.figure / self.floor if self.floor else float("inf")

    def meets(self, bound: float) -> bool:
        return self.value >= bound if self.at_least else self.value <= bound

    @property
    def verdict(self) -> str:
        """``yes``, ``no``, or ``out of reach`` for what is no worse than it can be."""
        if self.meets(self.bound):
            return "yes"
        if self.held is not None and self.meets(self.held):
            return "out of reach"
        return "no"


@dataclass(frozen=True)
class Comparison:
    """Several things side by side, which nothing is held to. rows: what is compared, then a cell for each."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def text(self) -> str:
        return f"{self.title}:\n\n{tabulate(self.rows, headers=self.head, disable_numparse=True)}\n"

    def mdoc(self) -> str:
        """As a list of columns, mdoc(7); what it is about comes before it in the page."""
        widths = " ".join(f'"{max(column, key=len)}"' for column in zip(self.head, *self.rows, strict=True))
        made = ", ".join(f"{what} {value}" for what, value in machine().items())
        lines = (" Ta ".join(row).rstrip() for row in (self.head, *self.rows))
        return "\n".join((f".Bl -column {widths}", *(f".It {line}" for line in lines), ".El", f"({made}.)"))

    def plain(self) -> dict[str, dict[str, str]]:
        """By what is compared, then by the thing."""
        return {what: dict(zip(self.head[1:], cells, strict=True)) for what, *cells in self.rows}


@dataclass
class Table:
    """Rows in their order. left_out: what this machine cannot do, and why; notes: what figures rest on."""

    rows: list[Row] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def met(self) -> bool:
        return all(row.verdict != "no" for row in self.rows)

    def text(self) -> str:
        rows = [_cells(row) for row in self.rows]
        head = ("what", "measured", "beside", "ratio", "to reach", "reached")
        shown = tabulate(rows, headers=head, tablefmt="simple", disable_numparse=True)
        lines = [", ".join(f"{what} {value}" for what, value in machine().items()), "", shown, ""]
        lines += [each.text() for each in self.comparisons]
        lines += _paragraphs("Beside what", (f"{r.what}: {r.against}" for r in self.rows if r.against))
        lines += _paragraphs("Out of reach", self._reasons())
        lines += _paragraphs("Notes", self.notes)
        lines += _paragraphs("Left out", self.left_out)
        return "\n".join(lines)

    def markdown(self) -> str:
        """The rows, why some are out of reach, and what was left out."""
        lines = ["| Row | Measured | Beside | Ratio | To reach | Reached |", "|---|---|---|---|---|---|"]
        lines += [f"| {' | '.join(_cells(row))} |" for row in self.rows]
        lines += ["", *(f"- Out of reach: {text}" for text in self._reasons())]
        lines += [f"- Left out: {text.rstrip('.')}." for text in dict.fromkeys(self.left_out)]
        made = ", ".join(f"{what} {value}" for what, value in machine().items())
        return "\n".join([f"Measured with `make bench` ({made}):", "", *lines])

    def _reasons(self) -> list[str]:
        """Why rows are out of reach, each reason once."""
        rows = [row for row in self.rows if row.verdict == "out of reach"]
        return [
            f"{'; '.join(row.what for row in rows if row.why == why)}. {why}"
            for why in dict.fromkeys(row.why for row in rows)
        ]

    def json(self) -> str:
        rows = [asdict(row) | {"value": row.value, "verdict": row.verdict} for row in self.rows]
        view: dict[str, Any] = {
            "machine": machine(),
            "rows": rows,
            "comparisons": {each.title: each.plain() for each in self.comparisons},
            "notes": self.notes,
            "left_out": self.left_out,
        }
        return json.dumps(view, indent=2)


def machine() -> dict[str, str]:
    """What the figures are from, without its name."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
    }


def _cells(row: Row) -> Sequence[str]:
    sign = "" if row.unit == "commands" else ("≥ " if row.at_least else "≤ ")
    by_ratio = row.floor is not None and row.unit != "commands"
    bound = f"{row.bound:g}×" if by_ratio else _shown(row.bound if row.floor is None else row.floor, row.unit)
    return (
        row.what,
        _shown(row.figure, row.unit),
        "" if row.floor is None else _shown(row.floor, row.unit),
        f"{row.value:.2f}×" if by_ratio else "",
        f"{sign}{bound}",
        row.verdict,
    )


def _shown(value: float, unit: str) -> str:
    if unit == "ms":
        return f"{value:.1f} ms" if value < 100 else f"{value:,.0f} ms"
    if unit == "µs":
        return f"{value:,.0f} µs"
    return f"{value:,.0f} {unit}".replace("/s", "a second")


def _paragraphs(title: str, texts: Iterable[str]) -> list[str]:
    found = list(dict.fromkeys(texts))
    if not found:
        return []
    wrapped = (
        textwrap.fill(text, WIDTH, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False)
        for text in found
    )
    return [f"{title}:", *wrapped, ""]


def insert(text: str, table: str, begin: str = BEGIN, end: str = END) -> str:
    """A text with the table between its marks in the place of the one that was there."""
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}\n{table}\n{end}{after}"


def put_into(file: Path, table: Table) -> None:
    """Put into a file what it has marks for. Raises SystemExit where that was not measured."""
    text = file.read_text("utf-8")
    if MDOC_BEGIN in text:
        if not table.comparisons:
            raise SystemExit(f"{file}: what belongs there was not measured")
        text = insert(text, "\n".join(each.mdoc() for each in table.comparisons), MDOC_BEGIN, MDOC_END)
    else:
        text = insert(text, table.markdown())
    file.write_text(text, "utf-8")


def save(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", "utf-8")
