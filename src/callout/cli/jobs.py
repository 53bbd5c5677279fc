"""`callout jobs`: what is stuck, why, and setting it going again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.run import data_option, fail, json_option, with_core

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.jobs import DeadJob


@click.group()
def jobs() -> None:
    """List, explain, replay and discard jobs."""


@jobs.command("list")
@click.option("--limit", default=100, show_default=True)
@data_option
@json_option
def listing(limit: int, data_dir: Path | None, *, as_json: bool) -> None:
    """List the dead letters: jobs that nobody tries any more."""

    async def find(core: Core) -> list[DeadJob]:
        from callout.jobs.admin import JobAdmin

        admin = JobAdmin(core.engine, clock=core.clock)
        return await core.database.read(lambda tx: admin.dead(tx, limit=limit))

    found = with_core({"data_dir": data_dir}, find)
    if as_json:
        rows = [
            {
                "id": one.id,
                "kind": one.kind,
                "key": one.key,
                "attempts": one.attempts,
                "dead_at": one.dead_at.isoformat(),
                "error": one.error,
                "blocking": one.blocking,
            }
            for one in found
        ]
        click.echo(json.dumps(rows))
        return
    for one in found:
        blocking = "  (holds up its partition)" if one.blocking else ""
        click.echo(f"{one.id}  {one.kind}  after {one.attempts} attempts{blocking}\n    {one.error}")
    click.echo(f"{len(found)} dead" if found else "no dead letters")


@jobs.command()
@click.argument("number", type=int)
@data_option
def explain(number: int, data_dir: Path | None) -> None:
    """Say in words why a job is not done yet."""

    async def find(core: Core) -> Any:
        from callout.jobs.admin import JobAdmin

        admin = JobAdmin(core.engine, clock=core.clock)
        return await core.database.read(lambda tx: admin.describe(tx, number))

    found = with_core({"data_dir": data_dir}, find)
    if found is None:
        fail(f"there is no unfinished job {number}; it was done or discarded")
    click.echo(f"{found.kind} ({found.state}, {found.attempts} attempts): {found.explanation}")
    if found.last_error:
        click.echo(f"  last error: {found.last_error}")


def _act(verb: str, numbers: tuple[int, ...], data_dir: Path | None) -> int:
    async def change(core: Core) -> int:
        from callout.jobs.admin import JobAdmin

        admin = JobAdmin(core.engine, clock=core.clock)
        done: int = await core.database.transaction(lambda tx: getattr(admin, verb)(tx, numbers))
        return done

    return with_core({"data_dir": data_dir}, change)


@jobs.command()
@click.argument("numbers", type=int, nargs=-1, required=True)
@data_option
def replay(numbers: tuple[int, ...], data_dir: Path | None) -> None:
    """Let dead jobs run again, with their idempotency keys."""
    click.echo(f"{_act('replay', numbers, data_dir)} set going again")


@jobs.command()
@click.argument("numbers", type=int, nargs=-1, required=True)
@data_option
def discard(numbers: tuple[int, ...], data_dir: Path | None) -> None:
    """Delete dead jobs for good."""
    click.echo(f"{_act('discard', numbers, data_dir)} discarded")
