"""`callout serve` and `callout migrate`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from callout.cli.run import data_option, run, settings_of


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on [CALLOUT_PORT, 8080].")
@click.option("--host", help="Address to listen on [CALLOUT_HOST, 127.0.0.1].")
@data_option
@click.option("--role", type=click.Choice(["all", "api", "worker"]), default="all", show_default=True)
def serve(
    port: int | None, host: str | None, data_dir: Path | None, role: Literal["all", "api", "worker"]
) -> None:
    """Run the product: the API, the worker, or both in one process."""
    settings = settings_of({"port": port, "host": host, "data_dir": data_dir})
    from callout.bootstrap.run import serve as serve_role

    run(lambda: serve_role(settings, role), fast=True)


@click.command()
@data_option
def migrate(data_dir: Path | None) -> None:
    """Bring the database up to date; needed before `serve` on PostgreSQL, where nothing migrates by itself."""
    settings = settings_of({"data_dir": data_dir})
    from callout.bootstrap.core import prepare_database

    run(lambda: prepare_database(settings, migrate=True))
    click.echo("the database is up to date")
