"""`callout integration list` and `show`: how integrations fare, and how their tickets stand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import click

from callout.cli.in_account import in_account
from callout.cli.run import account_option, data_option, json_option

if TYPE_CHECKING:
    from pathlib import Path

    from callout.bootstrap.core import Core
    from callout.integrations import Integration
    from callout.ports.values import Origin
    from callout.storage import AccountTx
    from callout.sync.standing import Standing

CONFLICTS_SHOWN: Final = 20


def shown(one: Integration, address: str) -> dict[str, Any]:
    """Return what every command says of an integration."""
    doors = {"ticketing": f"{address}/v1/hooks/{one.id}", "chat": f"{address}/v1/chat/{one.id}"}
    return {
        "id": one.id,
        "name": one.name,
        "provider": one.provider_type,
        "enabled": one.enabled,
        "webhook_url": doors.get(one.category, ""),
    }


async def _row(core: Core, tx: AccountTx, one: Integration, standing: Standing | None) -> dict[str, Any]:
    from callout.bootstrap.planning import shadow_of
    from callout.bootstrap.waits import wait_of

    health = await core.health.get(tx, one.id)
    wait = await wait_of(core, tx.system, one.id)
    return {
        **shown(one, core.settings.address),
        "health": health.state.value,
        "last_webhook": health.last_webhook and health.last_webhook.isoformat(),
        "problems": [problem.to_json() for problem in health.problems],
        "shadow": await shadow_of(tx, one),
        "wait": None if wait is None else wait.to_json(),
        "tickets": None if standing is None else standing.to_json(),
    }


def _tickets(counts: dict[str, int]) -> str:
    """Return in words how the tickets stand."""
    text = f"{counts['in_step']} of {counts['links']} in step"
    for name, words in (
        ("waiting", "at work"),
        ("in_conflict", "in conflict"),
        ("problems", "with a problem"),
        ("stopped", "stopped or gone"),
    ):
        if counts[name]:
            text += f", {counts[name]} {words}"
    return text


def _say(row: dict[str, Any]) -> None:
    from callout.sync.shadow import held_back_words

    click.echo(f"{row['name']:<16} {row['provider']:<28} {row['health']:<10} {row['webhook_url']}")
    if row["tickets"]:
        click.echo(f"  tickets: {_tickets(row['tickets'])}")
    if row["shadow"]["on"]:
        click.echo(f"  shadow mode: {held_back_words(row['shadow']['counts'])}")
    if row["wait"]:
        click.echo(f"  … {row['wait']['reason']}")
    for problem in row["problems"]:
        click.echo(f"  ! {problem['message']}\n    → {problem['remediation']}")


@click.command("list")
@account_option
@data_option
@json_option
def listing(account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """List the integrations with their health, how their tickets stand, and what is wrong with one as a whole."""

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> list[dict[str, Any]]:
        from callout.sync.standing import standing_of

        standing = {one.integration_id: one for one in await standing_of(tx)}
        listed = await core.integrations.list(tx)
        return [await _row(core, tx, one, standing.get(one.id)) for one in listed.items]

    rows = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        _say(row)
    if not rows:
        click.echo("none; add one with: callout integration add ticketing_jira --config @jira.json")


@click.command()
@click.argument("name")
@account_option
@data_option
@json_option
def show(name: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Show how one integration fares, how its tickets stand, and about which incidents a person has to choose."""

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> dict[str, Any]:
        from callout.sync.standing import in_conflict_with, standing_of

        one = await core.integrations.get(tx, name)
        standing = next((each for each in await standing_of(tx) if each.integration_id == one.id), None)
        found = await in_conflict_with(tx, one.id, limit=CONFLICTS_SHOWN)
        return {
            **await _row(core, tx, one, standing),
            "in_conflict": [{"incident": each.key, "title": each.title} for each in found],
        }

    row = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps(row))
        return
    _say(row)
    for each in row["in_conflict"]:
        click.echo(f"  a person has to choose: {each['incident']} {each['title']}")
    if row["in_conflict"]:
        click.echo("    → callout incident conflicts KEY")
