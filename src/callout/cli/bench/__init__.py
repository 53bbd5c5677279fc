"""`callout bench`: measures of this machine, as ratios to what its disk and database can do in the same minutes."""

from __future__ import annotations

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
    default=1,
    show_default=True,
    help="Processes that work on the first sync.",
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
    workers: int,
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
            workers=workers,
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
@click.option(
    "--transport", "transports", multiple=True, type=click.Choice(["http", "socket"]), help="Only this."
)
@click.option("--rounds", default=3, show_default=True, help="Accepted rounds; their median counts.")
@click.option("--acts", default=30, show_default=True, help="What each of the twenty does in a round.")
@click.option("--together", is_flag=True, help="Server and worker in one process, as `callout serve` starts.")
@json_option
def chat(
    database: str,
    postgres_url: str | None,
    transports: tuple[str, ...],
    rounds: int,
    acts: int,
    *,
    together: bool,
    as_json: bool,
) -> None:
    """How soon twenty people in chat are answered at once, by request and by socket, while every vendor is slow."""
    from callout.cli.bench.chat import TRANSPORTS, run
    from callout.cli.bench.table import show

    rows = [
        row
        for name, url in _databases(database, postgres_url)
        for row in run(
            name,
            url,
            transports=transports or TRANSPORTS,
            rounds=rounds,
            acts=acts,
            together=together,
            say=_say,
        )
    ]
    _finish(show(rows, as_json=as_json))


@bench.command()
@_where
@click.option(
    "--incidents", default=10_000, show_default=True, help="Incidents, each with ten lines of timeline."
)
@click.option("--looks", default=50, show_default=True, help="How often each page is opened.")
@click.option("--streams", default=200, show_default=True, help="Browsers that keep a live stream open.")
@json_option
def pages(
    database: str,
    postgres_url: str | None,
    incidents: int,
    looks: int,
    streams: int,
    *,
    as_json: bool,
) -> None:
    """How soon the dashboard's pages are there, how soon open ones are told of a change, and what their streams cost."""
    from callout.cli.bench.pages import run
    from callout.cli.bench.table import show

    rows = [
        row
        for name, url in _databases(database, postgres_url)
        for row in run(name, url, incidents=incidents, looks=looks, streams=streams, say=_say)
    ]
    _finish(show(rows, as_json=as_json))


@bench.command()
@_where
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(["incidents", "deliveries"]),
    help="Only this: people at work with incidents, or webhooks in and out with the unified API.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1),
    help="Kills per database, spread over the points; default 200 for incidents, 50 for deliveries.",
)
@click.option("--seed", default=1, show_default=True, help="Which turn of a point each process dies at.")
@json_option
def crash(
    database: str,
    postgres_url: str | None,
    parts: tuple[str, ...],
    rounds: int | None,
    seed: int,
    *,
    as_json: bool,
) -> None:
    """Processes killed with SIGKILL at every named point, and what was lost or doubled. Exit code 1 when anything was."""
    from callout.cli.bench.baseline import NotMeasuredError
    from callout.cli.bench.crash import PARTS, show

    sound = True
    for part in parts or PARTS:
        run, usual = PARTS[part]
        for name, url in _databases(database, postgres_url):
            try:
                outcome = run(name, url, rounds=rounds or usual, seed=seed, say=_say)
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
