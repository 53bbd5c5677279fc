"""`callout plan`: mappings held against the live instances, before anything is written."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.incident import in_account
from callout.cli.run import account_option, data_option, json_option, with_core

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.ports.values import Origin
    from callout.storage import AccountTx, Tx


@click.command()
@click.argument("integration", required=False)
@click.option("--shadow", is_flag=True, help="Show what shadow mode held back instead.")
@account_option
@data_option
@json_option
def plan(
    integration: str | None, account: str | None, data_dir: Path | None, *, shadow: bool, as_json: bool
) -> None:
    """Check the mapping of INTEGRATION (all ticketing ones by default) against the live instance. Writes nothing there.

    Ends with code 1 when something is rejected.
    """
    if shadow:
        _shadow(integration, account, data_dir, as_json=as_json)
        return

    async def opened(core: Core) -> list[Mapping[str, Any]]:
        from callout.access import DEFAULT_ACCOUNT
        from callout.bootstrap.connections import Connections
        from callout.bootstrap.planning import Plans

        async def find(tx: Tx) -> tuple[str, list[str]]:
            owner = await core.accounts.get(tx, account or DEFAULT_ACCOUNT)
            scoped = tx.account(owner.id)
            if integration is not None:
                return owner.id, [(await core.integrations.get(scoped, integration)).id]
            return owner.id, [one.id for one in await core.integrations.of_category(scoped, "ticketing")]

        account_id, ids = await core.database.read(find)
        connections = Connections(core)
        try:
            plans = Plans(core, connections)
            return [await plans.of(account_id, one) for one in ids]
        finally:
            await connections.close()

    made = with_core({"data_dir": data_dir}, opened)
    if as_json:
        click.echo(json.dumps(made))
    else:
        _print(made)
    if not all(one["valid"] for one in made):
        sys.exit(1)


def _print(made: Sequence[Mapping[str, Any]]) -> None:
    from callout.sync.plan_model import plain_lines
    from callout.sync.shadow import held_back_words

    for one in made:
        for line in plain_lines(one):
            click.echo(line)
        if one["shadow"]["on"]:
            click.echo(f"  shadow mode: {held_back_words(one['shadow']['counts'])}")
    if not made:
        click.echo("no ticketing integration; add one with: callout integration add ticketing_jira")


def _shadow(integration: str | None, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    async def work(core: Core, tx: AccountTx, _origin: Origin) -> list[dict[str, Any]]:
        from callout.bootstrap.planning import shadow_of
        from callout.sync import shadow

        if integration is None:
            chosen = list(await core.integrations.of_category(tx, "ticketing"))
        else:
            chosen = [await core.integrations.get(tx, integration)]
        return [
            {
                "integration": one.name,
                **await shadow_of(tx, one),
                "newest": [held.to_json() for held in await shadow.newest(tx, one.id)],
            }
            for one in chosen
        ]

    rows = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps(rows))
        return
    from callout.sync.shadow import held_back_words

    for row in rows:
        click.echo(
            f"{row['integration']}: {held_back_words(row['counts'])}{'' if row['on'] else ' (not in shadow mode)'}"
        )
        for held in row["newest"]:
            state = "would be written" if held["waiting"] else "not needed any more"
            place = held["ticket_key"] or "(no ticket)"
            click.echo(
                f"  {held['at'][:19]}  {held['kind']:<8} {place} {held['what']} = {held['value']!r}: {state}"
            )
