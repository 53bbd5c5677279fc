"""`callout member`: who somebody is in chat, and the first administrator; on the server's own machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callout.cli.run import data_option, json_option, with_core

if TYPE_CHECKING:
    from callout.access import ChatIdentity
    from callout.access.chat_codes import ChatCode
    from callout.access.setup_links import SetupLink
    from callout.bootstrap.core import Core
    from callout.storage import Tx


@click.group()
def member() -> None:
    """Give members a code by which chat knows them; end that. Make the link that makes the first administrator."""


@member.command("chat-code")
@click.argument("name")
@data_option
@json_option
def chat_code(name: str, data_dir: Path | None, *, as_json: bool) -> None:
    """Print a code for the member NAME, once: whoever types it in chat within ten minutes is that member there."""

    async def make(core: Core) -> ChatCode:
        from callout.access import SYSTEM

        return await core.database.transaction(
            lambda tx: core.identities.codes.issue(tx, name, actor=SYSTEM.actor)
        )

    made = with_core({"data_dir": data_dir}, make)
    if as_json:
        click.echo(json.dumps({"code": made.code.reveal(), "expires": made.expires.isoformat()}))
    else:
        click.echo(
            f"{made.code.reveal()}  until {made.expires:%H:%M} UTC; in chat: /im login {made.code.reveal()}"
        )


@member.command("setup-link")
@data_option
@json_option
def setup_link(data_dir: Path | None, *, as_json: bool) -> None:
    """Print a link that makes an administrator, once and within a day; only while there is none."""

    async def make(core: Core) -> tuple[SetupLink, str]:
        from callout.access import SYSTEM

        link = await core.database.transaction(lambda tx: core.setup_links.issue(tx, actor=SYSTEM.actor))
        return link, link.address(core.settings.address)

    link, address = with_core({"data_dir": data_dir}, make)
    if as_json:
        click.echo(json.dumps({"link": address, "expires": link.expires.isoformat()}))
    else:
        click.echo(f"{address}  until {link.expires:%Y-%m-%d %H:%M} UTC")


@member.command("chat-users")
@click.argument("name")
@click.option("--unlink", is_flag=True, help="Chat no longer takes any of them for this member.")
@data_option
@json_option
def chat_users(name: str, data_dir: Path | None, *, unlink: bool, as_json: bool) -> None:
    """List the chat users that are the member NAME."""

    async def work(core: Core) -> list[ChatIdentity]:
        from callout.access import SYSTEM

        async def unit(tx: Tx) -> list[ChatIdentity]:
            found = list(await core.identities.of_member(tx, (await core.members.get(tx, name)).id))
            if unlink:
                for one in found:
                    await core.identities.link(tx, one, member_id=None, actor=SYSTEM.actor)
            return found

        return await core.database.transaction(unit)

    found = with_core({"data_dir": data_dir}, work)
    rows = [
        {"provider": one.provider, "team": one.team, "user": one.user_id, "name": one.name} for one in found
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(
            f"{row['provider']}  {row['team']}  {row['user']}  {row['name']}{'  unlinked' if unlink else ''}"
        )
    if not rows:
        click.echo(f"none; make a code: callout member chat-code {name}")
