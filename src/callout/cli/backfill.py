"""`callout integration backfill`: tickets of the past become incidents by the integration's accept rules, with progress to be seen."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from callout.cli.run import account_option, data_option, fail, json_option, with_wired

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callout.bootstrap.wiring import Wired
    from callout.storage import AccountTx, Tx
    from callout.sync.backfill import Backfill

T = TypeVar("T")
LOOK_SECONDS = 0.25
HINT_SECONDS = 10.0
"""So long without any progress, and whoever waits is told what may be missing."""


@click.command()
@click.argument("name")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="Only tickets changed since then (UTC).",
)
@click.option("--stop", is_flag=True, help="End the one that runs; what was taken over stays.")
@click.option("--status", is_flag=True, help="Show how the newest one stands, and begin none.")
@click.option("--no-wait", is_flag=True, help="Begin it and do not watch.")
@account_option
@data_option
@json_option
def backfill(
    name: str,
    since: datetime | None,
    account: str | None,
    data_dir: Path | None,
    *,
    stop: bool,
    status: bool,
    no_wait: bool,
    as_json: bool,
) -> None:
    """Make incidents of the tickets that are there already in NAME, as its accept rules say.

    A running `callout serve` does the work; this command begins it and shows how far it is. Interrupted, or called again while one
    runs, it loses nothing: the work goes on, and the next call shows it. Exit code 1 when it failed.
    """
    if sum((stop, status, no_wait)) > 1:
        raise click.UsageError("give one of --stop, --status and --no-wait")
    begun = None if since is None else since.replace(tzinfo=UTC)

    async def opened(wired: Wired) -> Backfill | None:
        desk = _Desk(wired, account, name)
        if stop:
            return await desk.stop()
        if status:
            return await desk.latest()
        found = await desk.begin(begun)
        return found if no_wait else await _watch(found, desk.look, quiet=as_json)

    result = with_wired({"data_dir": data_dir}, opened)
    if result is None:
        fail(f"there has been no backfill of {name}", code=1)
    if as_json:
        click.echo(json.dumps(result.to_json()))
    else:
        click.echo(_words(result))
        if result.problem is not None:
            click.echo(f"  ! {result.problem.message}\n    → {result.problem.remediation}")
    if result.state.value == "failed":
        sys.exit(1)


class _Desk:
    """What the command does with the installation."""

    def __init__(self, wired: Wired, account: str | None, name: str) -> None:
        from callout.ports.values import Actor, ActorKind, Channel, Origin
        from callout.sync.backfill import Backfills

        self._core, self._account, self._name = wired.core, account, name
        self._backfills = Backfills(wired.sync)
        self._origin = Origin(Channel.CLI, Actor(ActorKind.SYSTEM, "cli", "the command line"))

    async def stop(self) -> Backfill:
        return await self._in_account(lambda tx: self._backfills.stop(tx, self._name, self._origin))

    async def latest(self) -> Backfill | None:
        return await self._in_account(lambda tx: self._backfills.latest(tx, self._name))

    async def look(self, one: Backfill) -> Backfill:
        return await self._in_account(lambda tx: self._backfills.get(tx, one.id))

    async def begin(self, since: datetime | None) -> Backfill:
        """Begin one, or return the one that runs."""
        found = await self.latest()
        if found is None or found.state.value != "running":
            return await self._in_account(
                lambda tx: self._backfills.start(tx, self._name, self._origin, since=since)
            )
        if since is not None and since != found.since:
            click.echo("callout: one is running already, with another --since; showing that one", err=True)
        return found

    async def _in_account(self, work: Callable[[AccountTx], Awaitable[T]]) -> T:
        from callout.access import DEFAULT_ACCOUNT

        async def unit(tx: Tx) -> T:
            owner = await self._core.accounts.get(tx, self._account or DEFAULT_ACCOUNT)
            return await work(tx.account(owner.id))

        return await self._core.database.transaction(unit)


def _words(one: Backfill) -> str:
    told = one.to_json()
    seconds = ((one.ended_at or datetime.now(UTC)) - one.begun_at).total_seconds()
    rate = f", {one.seen / seconds:,.0f} tickets/s" if one.seen and seconds > 0 else ""
    return (
        f"{one.state.value}: {one.seen:,} tickets looked at in {seconds:,.1f} s{rate}; {one.made:,} became incidents,"
        f" {one.known:,} had one, {told['left_alone']:,} fit no rule"
    )


async def _watch(one: Backfill, look: Callable[[Backfill], Awaitable[Backfill]], *, quiet: bool) -> Backfill:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown, still, hinted = -1, 0.0, False
    with Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task("reading tickets", total=None)
        while one.state.value == "running":
            bar.update(task, completed=one.seen, total=one.total and max(one.total, one.seen))
            still = 0.0 if one.seen != shown else still + LOOK_SECONDS
            shown = one.seen
            if still >= HINT_SECONDS and not hinted:
                hinted = True
                why = one.problem.message if one.problem else "is `callout serve` running?"
                bar.console.print(f"nothing happened for {HINT_SECONDS:g} s: {why}", highlight=False)
            await asyncio.sleep(LOOK_SECONDS)
            one = await look(one)
    return one
