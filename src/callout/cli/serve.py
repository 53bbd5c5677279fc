"""`callout serve` and `callout migrate`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from callout.cli.run import data_option, fail, refused, run, settings_of

if TYPE_CHECKING:
    from callout.bootstrap.settings import Settings


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on [CALLOUT_PORT, 8080].")
@click.option("--host", help="Address to listen on [CALLOUT_HOST, 127.0.0.1].")
@data_option
@click.option("--role", type=click.Choice(["all", "api", "worker"]), default="all", show_default=True)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help="Processes side by side, on PostgreSQL [CALLOUT_PROCESSES, 1].",
)
@click.option("--child", type=int, hidden=True, help="One of several processes; they are started so.")
@click.option("--first", is_flag=True, hidden=True, help="The first of them.")
def serve(  # its options
    port: int | None,
    host: str | None,
    data_dir: Path | None,
    role: Literal["all", "api", "worker"],
    processes: int | None,
    child: int | None,
    first: bool,  # noqa: FBT001  # click's way
) -> None:
    """Run the product: the API, the worker, or both; with --processes several times over."""
    settings = settings_of({"port": port, "host": host, "data_dir": data_dir, "processes": processes})
    if settings.processes > 1 and child is None:
        _several(settings, role)
        return
    from callout.bootstrap.run import serve as serve_role

    say = click.echo if child is None or first else None
    run(lambda: serve_role(settings, role, child=child, say=say), fast=True)


def _several(settings: Settings, role: str) -> None:
    from callout.bootstrap.supervise import become_supervisor, can_share_port

    if settings.embedded:
        fail(
            "SQLite has one writer: more than one process would wait for each other",
            remediation="Leave out --processes (CALLOUT_PROCESSES), or use PostgreSQL: see docs/settings.md.",
            code=2,
        )
    if not can_share_port():
        fail("on this system processes cannot share a port; run one, or several behind a proxy", code=2)
    if not settings.port and role != "worker":
        fail("several processes need a port that is named: --port 0 finds each its own", code=2)
    try:
        become_supervisor(settings, role)
    except OSError as error:
        refused(error)


@click.command()
@data_option
def migrate(data_dir: Path | None) -> None:
    """Bring the database up to date; needed before `serve` on PostgreSQL, where nothing migrates by itself."""
    settings = settings_of({"data_dir": data_dir})
    from callout.bootstrap.core import prepare_database

    run(lambda: prepare_database(settings, migrate=True))
    click.echo("the database is up to date")
