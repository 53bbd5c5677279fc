"""`callout team` and `callout service`: the catalogue of an account."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.incident import in_account
from callout.cli.run import account_option, data_option, json_option

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.incidents.catalogue import Service, Team
    from callout.ports.values import Origin
    from callout.storage import AccountTx


@click.group()
def team() -> None:
    """Add, list and change teams: who is in them, and whom they have called."""


@click.group()
def service() -> None:
    """Add, list and change services: who owns them, and how bad it is when they are down."""


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None and value != ()}


def _team_fields(command: Any) -> Any:  # as click's own decorators
    for option in (
        click.option("--member", "members", multiple=True, help="Id, name or e-mail; repeat for several."),
        click.option("--channel", help="Its channel in chat."),
        click.option("--group", help="Its user group in chat."),
        click.option("--policy", help="The escalation policy for its incidents."),
        click.option("--description"),
    ):
        command = option(command)
    return command


def _service_fields(command: Any) -> Any:  # as click's own decorators
    for option in (
        click.option("--team", help="The team that owns it."),
        click.option("--severity", help="Of an incident that names none."),
        click.option("--channel", help="Its channel in chat."),
        click.option("--policy", help="The escalation policy for its incidents."),
        click.option("--description"),
    ):
        command = option(command)
    return command


def _show_team(one: Team, names: Mapping[str, str], *, as_json: bool) -> None:
    members = [names.get(found, found) for found in one.members]
    if as_json:
        more = {"channel": one.channel, "group": one.group, "policy": one.policy}
        found = {"id": one.id, "name": one.name, "members": members, **more, "description": one.description}
        click.echo(json.dumps(found))
        return
    click.echo(f"{one.name}: {', '.join(members) or 'nobody'}{_more(one.channel, one.policy)}")


def _show_service(one: Service, *, as_json: bool) -> None:
    if as_json:
        severity = None if one.severity is None else str(one.severity)
        more = {"severity": severity, "channel": one.channel, "policy": one.policy}
        click.echo(
            json.dumps(
                {"id": one.id, "name": one.name, "team": one.team, **more, "description": one.description}
            )
        )
        return
    severity = "" if one.severity is None else f", {one.severity}"
    owner = f"team {one.team}" if one.team else "no team"
    click.echo(f"{one.name}: {owner}{severity}{_more(one.channel, one.policy)}")


def _more(channel: str, policy: str) -> str:
    return (f", #{channel}" if channel else "") + (f", policy {policy}" if policy else "")


async def _names(core: Core, tx: AccountTx) -> dict[str, str]:
    return {one.id: one.name for one in (await core.members.list(tx.system)).items}


@team.command("list")
@account_option
@data_option
@json_option
def list_teams(account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """List teams, by name."""

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> tuple[list[Team], dict[str, str]]:
        return await core.responding.catalogue.teams(tx), await _names(core, tx)

    found, names = in_account(data_dir, account, work)
    for one in found:
        _show_team(one, names, as_json=as_json)
    if not found and not as_json:
        click.echo("none; add one with: callout team add payments --member ann@example.com")


@team.command("add")
@click.argument("name")
@_team_fields
@account_option
@data_option
@json_option
def add_team(name: str, account: str | None, data_dir: Path | None, *, as_json: bool, **fields: Any) -> None:
    """Add a team."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> tuple[Team, dict[str, str]]:
        made = await core.responding.catalogue.add_team(tx, {"name": name, **_given(fields)}, origin)
        return made, await _names(core, tx)

    made, names = in_account(data_dir, account, work)
    _show_team(made, names, as_json=as_json)


@team.command("change")
@click.argument("team_name", metavar="TEAM")
@click.option("--name", help="Its new name.")
@_team_fields
@account_option
@data_option
@json_option
def change_team(
    team_name: str, account: str | None, data_dir: Path | None, *, as_json: bool, **fields: Any
) -> None:
    """Change what is named of a team; --member replaces all its members."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> tuple[Team, dict[str, str]]:
        made = await core.responding.catalogue.change_team(tx, team_name, _given(fields), origin)
        return made, await _names(core, tx)

    made, names = in_account(data_dir, account, work)
    _show_team(made, names, as_json=as_json)


@team.command("remove")
@click.argument("team_name", metavar="TEAM")
@account_option
@data_option
def remove_team(team_name: str, account: str | None, data_dir: Path | None) -> None:
    """Remove a team; incidents that name it keep the word."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> None:
        await core.responding.catalogue.remove_team(tx, team_name, origin)

    in_account(data_dir, account, work)
    click.echo("removed")


@service.command("list")
@account_option
@data_option
@json_option
def list_services(account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """List services, by name."""

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> list[Service]:
        return await core.responding.catalogue.services(tx)

    found = in_account(data_dir, account, work)
    for one in found:
        _show_service(one, as_json=as_json)
    if not found and not as_json:
        click.echo("none; add one with: callout service add checkout --team payments --severity SEV-1")


@service.command("add")
@click.argument("name")
@_service_fields
@account_option
@data_option
@json_option
def add_service(
    name: str, account: str | None, data_dir: Path | None, *, as_json: bool, **fields: Any
) -> None:
    """Add a service."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> Service:
        return await core.responding.catalogue.add_service(tx, {"name": name, **_given(fields)}, origin)

    _show_service(in_account(data_dir, account, work), as_json=as_json)


@service.command("change")
@click.argument("service_name", metavar="SERVICE")
@click.option("--name", help="Its new name.")
@_service_fields
@account_option
@data_option
@json_option
def change_service(
    service_name: str, account: str | None, data_dir: Path | None, *, as_json: bool, **fields: Any
) -> None:
    """Change what is named of a service."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> Service:
        return await core.responding.catalogue.change_service(tx, service_name, _given(fields), origin)

    _show_service(in_account(data_dir, account, work), as_json=as_json)


@service.command("remove")
@click.argument("service_name", metavar="SERVICE")
@account_option
@data_option
def remove_service(service_name: str, account: str | None, data_dir: Path | None) -> None:
    """Remove a service; incidents that name it keep the word."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> None:
        await core.responding.catalogue.remove_service(tx, service_name, origin)

    in_account(data_dir, account, work)
    click.echo("removed")
