"""The table that a measure ends with, for people and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import click


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `rate` is per second, or milliseconds where `unit` is ms; `met` is None where nothing was promised or measured."""

    what: str
    database: str
    rate: float | None = None
    ratio: float | None = None
    unit: str = ""
    goal: str = ""
    met: bool | None = None
    detail: Mapping[str, float] = field(default_factory=dict)
    note: str = ""

    def to_json(self) -> dict[str, object]:
        """Return the JSON form."""
        return {
            "what": self.what,
            "database": self.database,
            "rate": _number(self.rate),
            "ratio": _number(self.ratio),
            "unit": self.unit,
            "goal": self.goal,
            "met": self.met,
            "detail": dict(self.detail),
            "note": self.note,
        }


def show(rows: Sequence[Row], *, as_json: bool) -> bool:
    """Print the rows; return whether a goal was missed."""
    if as_json:
        click.echo(json.dumps([row.to_json() for row in rows], indent=2))
    else:
        for line in _lines(rows):
            click.echo(line)
    return any(row.met is False for row in rows)


def _lines(rows: Sequence[Row]) -> list[str]:
    cells = [("what", "database", "figure", "ratio", "goal", "met", "more")]
    for row in rows:
        more = ", ".join(f"{name} {value:,g}" for name, value in row.detail.items())
        cells.append(
            (
                row.what,
                row.database,
                _figure(row),
                "" if row.ratio is None else f"{row.ratio:.2f} {row.unit}",
                row.goal,
                {True: "yes", False: "NO", None: "-"}[row.met],
                "; ".join(part for part in (more, row.note) if part),
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]


def _figure(row: Row) -> str:
    if row.rate is None:
        return "-"
    if row.unit == "MB":
        return f"{row.rate:,.0f} MB"
    return f"{row.rate:,.1f} ms" if row.unit == "ms" else f"{row.rate:,.0f}/s"


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(value, 3)
