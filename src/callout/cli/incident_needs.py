"""What an incident's tickets need to be resolved or closed, from the command line."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callout.cli.in_account import in_wired_account
from callout.cli.run import account_option, data_option, json_option

if TYPE_CHECKING:
    from callout.bootstrap.wiring import Wired
    from callout.ports.values import Origin
    from callout.storage import AccountTx
    from callout.sync.needs import FieldNeed, LinkNeeds


def _pairs(_context: click.Context, _option: click.Parameter, written: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in written:
        name, equals, value = one.partition("=")
        if not equals or "." not in name:
            raise click.BadParameter(f"{one!r} is not like jira.resolution=Fixed")
        found[name.strip()] = value
    return found


field_option = click.option(
    "--field",
    "given",
    multiple=True,
    callback=_pairs,
    metavar="INTEGRATION.FIELD=VALUE",
    help="With resolve and close: what a ticket needs for it, such as jira.resolution=Fixed; repeat for several.",
)


@click.command()
@click.argument("key")
@click.option("--status", type=click.Choice(["resolved", "closed"]), default="resolved", show_default=True)
@account_option
@data_option
@json_option
def needs(key: str, status: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Show what the tickets of incident KEY need to be resolved or closed, and what would be sent."""

    async def work(wired: Wired, tx: AccountTx, _origin: Origin) -> list[LinkNeeds]:
        from callout.ports.values import Status
        from callout.sync.needs import Needs

        return await Needs(wired.sync).of_incident(tx, key, Status(status))

    found = in_wired_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps([one.to_json() for one in found]))
        return
    for one in found:
        ticket = one.link.ticket_key or "(being created)"
        if not one.fields:
            click.echo(f"{one.integration} {ticket}: {'nothing' if one.known else 'not known yet'}")
        for need in one.fields:
            click.echo(f"{one.integration} {ticket}: {_line(need)}")
    if not found:
        click.echo("nothing: no ticket has to be moved")


def _line(need: FieldNeed) -> str:
    said = f"{need.value} ({need.given_by})" if need.given_by else "MISSING" if need.missing else "-"
    choices = ", ".join(name for _, name in need.field.choices)
    return f"{need.name} [{need.field.label}] = {said}" + (f"; one of: {choices}" if choices else "")


__all__ = ["field_option", "needs"]
