"""`callout sandbox`: the twins of the vendors, for trying out, for tests and for the demo."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import click

from callout.cli.run import fail


@click.group(invoke_without_command=True)
@click.option("--port", type=click.IntRange(0, 65535), default=9100, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--only", help="Twins to start, separated by commas; all by default.")
@click.option(
    "--faults", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A fault plan (JSON)."
)
@click.pass_context
def sandbox(ctx: click.Context, port: int, host: str, only: str | None, faults: Path | None) -> None:
    """Run the twins of the vendors, each under its own path."""
    if ctx.invoked_subcommand is not None:
        return
    from callout.sandbox.core.serve import run

    plan = None
    if faults is not None:
        try:
            plan = json.loads(faults.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            fail(f"the fault plan {faults} cannot be read: {error}", code=2)
    logging.basicConfig(level=logging.WARNING)
    names = [name.strip() for name in only.split(",")] if only else None
    click.echo(f"twins at http://{host}:{port} (credentials: callout sandbox credentials --json)")
    try:
        run(port, host=host, only=names, faults=plan)
    except (KeyError, ValueError, OSError) as error:
        fail(f"the twins did not start: {error}")


@sandbox.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def credentials(as_json: bool) -> None:  # noqa: FBT001  # click passes flags so
    """Print base path and seeded credentials of each twin."""
    from callout.sandbox.registry import TWINS

    found = {name: twin().credentials() for name, twin in TWINS.items()}
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for name, values in found.items():
        click.echo(name)
        for key, value in values.items():
            click.echo(f"  {key}: {value if isinstance(value, str) else json.dumps(value)}")
