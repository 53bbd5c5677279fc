"""`callout bench`: measures of this machine, as ratios to what its disk and database can do in the same minutes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import click

from callout.cli.run import json_option

F = TypeVar("F", bound=Callable[..., Any])


@click.group()
def bench() -> None:
    """Measure, as ratios in one run. The method is in docs/benchmarks.md."""


def _where(command: F) -> F:
    """Add the options that say which databases are measured."""
    database = click.option(
        "--database", type=click.Choice(["sqlite", "postgres", "both"]), default="both", show_default=True
    )
    url = click.option(
        "--postgres-url",
        help="A PostgreSQL where a database may be made and dropped; without it its rows say `not measured`.",
    )
    return database(url(command))


def _finish(failed: bool) -> None:  # noqa: FBT001
    if failed:
        sys.exit(1)


@bench.command()
@_where
@click.option("--rounds", default=5, show_default=True, help="Accepted rounds; their median counts.")
@click.option("--seconds", default=4.0, show_default=True, help="Length of each baseline and of each load.")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help="Processes of `callout serve`; default one per core on PostgreSQL, one on SQLite.",
)
@json_option
def intake(  # its options
    database: str,
    postgres_url: str | None,
    rounds: int,
    seconds: float,
    processes: int | None,
    *,
    as_json: bool,
) -> None:
    """Webhooks accepted per second: verified, stored with their job, committed, answered."""
    from callout.cli.bench.intake import run
    from callout.cli.bench.table import show

    rows = [
        run(name, url, rounds=rounds, seconds=seconds, processes=processes, say=_say)
        for name, url in _databases(database, postgres_url)
    ]
    _finish(show(rows, as_json=as_json))


@bench.command()
@_where
@click.option("--rounds", default=3, show_default=True, help="Fresh runs; their median counts.")
@click.option("--events", default=20_000, show_default=True, help="Stored webhooks to drain.")
@click.option("--links", default=200, show_default=True, help="Incidents with a ticket, which they concern.")
@json_option
def drain(
    database: str, postgres_url: str | None, rounds: int, events: int, links: int, *, as_json: bool
) -> None:
    """Stored webhooks parsed and merged into incidents per second by one worker; the job machinery alone; its latency."""
    from callout.cli.bench.drain import run
    from callout.cli.bench.table import show

    rows = [
        row
        for name, url in _databases(database, postgres_url)
        for row in run(name, url, rounds=rounds, events=events, links=links, say=_say)
    ]
    _finish(show(rows, as_json=as_json))


@bench.command()
@_where
@click.option(
    "--part", "parts", multiple=True, type=click.Choice(["first", "steady", "latency"]), help="Only this."
)
@click.option(
    "--vendor", "vendors", multiple=True, type=click.Choice(["jira", "servicenow"]), help="Only this."
)
@click.option("--tickets", default=10_000, show_default=True, help="Tickets of the past.")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="Processes that work on the first sync; default one on SQLite, one per core on PostgreSQL.",
)
@click.option("--edits", default=200, show_default=True, help="Edits of the steady run, and of the idle one.")
@click.option("--rounds", default=3, show_default=True, help="Accepted rounds; their median counts.")
@json_option
def sync(  # its options
    database: str,
    postgres_url: str | None,
    parts: tuple[str, ...],
    vendors: tuple[str, ...],
    tickets: int,
    workers: int | None,
    edits: int,
    rounds: int,
    *,
    as_json: bool,
) -> None:
    """The first sync beside the vendors' own clients, steady two-way sync, and how long one change takes."""
    from callout.cli.bench.sync import PARTS, VENDORS, run
    from callout.cli.bench.table import show

    rows = [
        row
        for name, url in _databases(database, postgres_url)
        for row in run(
            name,
            url,
            parts=parts or PARTS,
            vendors=vendors or VENDORS,
            tickets=tickets,
            workers=workers or (1 if name == "sqlite" else os.cpu_count() or 1),
            edits=edits,
            rounds=rounds,
            say=_say,
        )
    ]
    _finish(show(rows, as_json=as_json))


@bench.command()
@_where
@click.option("--rounds", default=5, show_default=True, help="Accepted rounds; their median counts.")
@click.option("--calls", default=300, show_default=True, help="Calls of each kind in a round.")
@click.option("--integrations", default=10_000, show_default=True, help="Integrations that are configured.")
@json_option
def api(
    database: str,
    postgres_url: str | None,
    rounds: int,
    calls: int,
    integrations: int,
    *,
    as_json: bool,
) -> None:
    """What the unified API adds to a call: a ticket read through it, beside the same call to the vendor's twin."""
    from callout.cli.bench.api import run
    from callout.cli.bench.table import show

    rows = [
        run(name, url, rounds=rounds, calls=calls, integrations=integrations, say=_say)
        for name, url in _databases(database, postgres_url)
    ]
    _finish(show(rows, as_json=as_json))


@bench.command()
@_where
@click.option("--rounds", default=3, show_default=True, help="Accepted rounds; their median counts.")
@click.option("--deliveries", default=5_000, show_default=True, help="Deliveries of one round.")
@click.option(
    "--endpoints",
    type=int,
    multiple=True,
    default=(1, 10, 1_000),
    show_default=True,
    help="How many endpoints.",
)
@json_option
def delivery(
    database: str,
    postgres_url: str | None,
    rounds: int,
    deliveries: int,
    endpoints: tuple[int, ...],
    *,
    as_json: bool,
) -> None:
    """Webhooks delivered per second, signed, every attempt stored, beside bare aiohttp; from ten endpoints on, 5 % are dead."""
    from callout.cli.bench.delivery import run
    from callout.cli.bench.table import show

    rows = [
        run(name, url, endpoints=number, deliveries=deliveries, rounds=rounds, say=_say)
        for name, url in _databases(database, postgres_url)
        for number in endpoints
    ]
    _finish(show(rows, as_json=as_json))


@bench.command()
@_where
@click.option("--rounds", default=200, show_default=True, help="Kills per database, spread over the points.")
@click.option("--seed", default=1, show_default=True, help="Which turn of a point each process dies at.")
@json_option
def crash(database: str, postgres_url: str | None, rounds: int, seed: int, *, as_json: bool) -> None:
    """Processes killed with SIGKILL at every named point, and what was lost or doubled. Exit code 1 when anything was."""
    from callout.cli.bench.baseline import NotMeasuredError
    from callout.cli.bench.crash import run, show

    sound = True
    for name, url in _databases(database, postgres_url):
        try:
            outcome = run(name, url, rounds=rounds, seed=seed, say=_say)
        except NotMeasuredError as error:
            _say(f"{name}: not measured: {error}")
            sound = sound and database == "both" and url is None
            continue
        show(outcome, as_json=as_json)
        sound = sound and outcome.sound
    _finish(not sound)


def _databases(database: str, postgres_url: str | None) -> list[tuple[str, str | None]]:
    wanted = ["sqlite", "postgres"] if database == "both" else [database]
    return [(name, postgres_url if name == "postgres" else None) for name in wanted]


def _say(line: str) -> None:
    click.echo(line, err=True)
