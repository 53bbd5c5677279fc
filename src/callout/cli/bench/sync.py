"""`callout bench sync`: the first sync beside the vendors' own clients, steady two-way sync, and how long a change takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from callout.cli.bench.syncing import first, latency, steady
from callout.cli.bench.table import Row

PARTS: Final = ("first", "steady", "latency")
VENDORS: Final = ("jira", "servicenow")


def run(
    database: str,
    postgres_url: str | None,
    *,
    parts: Sequence[str],
    vendors: Sequence[str],
    tickets: int,
    workers: int,
    edits: int,
    rounds: int,
    say: Callable[[str], None],
) -> list[Row]:
    """Measure on one database; rows say `not measured` where something is missing."""
    rows: list[Row] = []
    if "first" in parts:
        rows += [
            first.run(
                vendor, database, postgres_url, tickets=tickets, workers=workers, rounds=rounds, say=say
            )
            for vendor in vendors
        ]
    if "steady" in parts:
        rows.append(
            steady.run(database, postgres_url, links=min(1_000, tickets), edits=edits, rounds=rounds, say=say)
        )
    if "latency" in parts:
        rows += latency.run(database, postgres_url, edits=edits, say=say)
    return rows
