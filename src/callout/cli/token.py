"""`callout token`: API tokens, on the server's own machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callout.cli.run import data_option, json_option, with_core

if TYPE_CHECKING:
    from callout.access import RefreshToken
    from callout.bootstrap.core import Core


@click.group()
def token() -> None:
    """Make and end API tokens."""


@token.command()
@click.option("--kind", type=click.Choice(["organization"]), default="organization", show_default=True)
@click.option(
    "--permission-set", default="administrator", show_default=True, help="administrator, member, viewer …"
)
@click.option("--ttl", default="8760h", show_default=True, help="How long it lasts, such as 24h or 1h30m.")
@click.option("--name", help="A name to know it by.")
@data_option
@json_option
def create(
    kind: str, permission_set: str, ttl: str, name: str | None, data_dir: Path | None, *, as_json: bool
) -> None:
    """Print a new token, once: it is stored as a hash only."""
    _ = kind  # organization tokens are the only ones made here; an integration's token comes with the integration

    async def make(core: Core) -> RefreshToken:
        from callout.access import SYSTEM

        return await core.database.transaction(
            lambda tx: core.tokens.create(tx, SYSTEM, permission_set=permission_set, ttl=ttl, name=name)
        )

    made = with_core({"data_dir": data_dir}, make)
    secret = made.primary.access.secret.reveal() if made.primary.access.secret else ""
    if as_json:
        click.echo(json.dumps({"id": made.id, "token": secret, "expires": made.expires.isoformat()}))
    else:
        click.echo(secret)


@token.command("list")
@data_option
@json_option
def listing(data_dir: Path | None, *, as_json: bool) -> None:
    """List the tokens that were not revoked, without their secrets."""

    async def find(core: Core) -> list[RefreshToken]:
        return list(await core.database.read(core.tokens.list))

    found = with_core({"data_dir": data_dir}, find)
    rows = [
        {"id": one.id, "name": one.name, "owner": one.owner_type, "expires": one.expires.isoformat()}
        for one in found
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['id']}  {row['owner']:<12}  until {row['expires'][:16]}  {row['name']}")


@token.command()
@click.argument("token_id")
@data_option
def revoke(token_id: str, data_dir: Path | None) -> None:
    """End a token; it is refused from its next use on."""

    async def end(core: Core) -> None:
        from callout.access import SYSTEM

        await core.database.transaction(lambda tx: core.tokens.revoke(tx, token_id, actor=SYSTEM.actor))

    with_core({"data_dir": data_dir}, end)
    click.echo("revoked")
