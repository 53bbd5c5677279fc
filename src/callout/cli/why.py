"""`callout why`: which system, person and rule gave a field its value, and taking that back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.incident import in_account
from callout.cli.run import account_option, data_option, json_option

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.ports.values import Origin
    from callout.storage import AccountTx


@click.command()
@click.argument("incident")
@click.argument("field")
@click.option("--revert", is_flag=True, help="Set it back to the value it replaced; the tickets follow.")
@click.option(
    "--change", "change_id", default="", help="With --revert: only if this is still the newest change."
)
@account_option
@data_option
@json_option
def why(
    incident: str,
    field: str,
    change_id: str,
    account: str | None,
    data_dir: Path | None,
    *,
    revert: bool,
    as_json: bool,
) -> None:
    """Tell why FIELD of INCIDENT (INC-1 status) has its value: who, when, through what, by which rule, and what it replaced."""
    if change_id and not revert:
        raise click.UsageError("--change goes with --revert")

    async def work(core: Core, tx: AccountTx, origin: Origin) -> dict[str, Any]:
        from callout.sync import why as answers

        if revert:
            await answers.revert(core.incidents, tx, incident, field, origin, change_id=change_id)
        names = {one.id: one.name for one in (await core.integrations.list(tx)).items}
        return (await answers.why(tx, incident, field, names)).to_json()

    answer = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps(answer))
        return
    from callout.sync.why import plain_lines

    if revert:
        click.echo("taken back:")
    for line in plain_lines(answer):
        click.echo(line)
