"""`callout incident messages|repost`: what was said in chat about an incident, from the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from callout.cli.in_account import in_wired_account
from callout.cli.run import account_option, data_option, json_option

if TYPE_CHECKING:
    from callout.bootstrap.wiring import Wired
    from callout.chatops.sent import Sent
    from callout.ports.values import Origin
    from callout.storage import AccountTx


def line_of(one: Sent) -> str:
    """Return a message in one line: what, where, and how it stands."""
    row = one.message
    state = row.state.value.replace("_", " ")
    since = f" since {row.created_at:%H:%M:%S}" if state == "pending" else ""
    why = f": {row.error}" if row.error else ""
    news = f" ({row.news.replace('_', ' ')})" if row.news else ""
    what = f"{row.purpose} {row.text}" if row.purpose == "file" else f"{row.purpose}{news}"
    return f"{what} in {one.integration}, {one.where}: {state}{since}{why}"


@click.command()
@click.argument("key")
@account_option
@data_option
@json_option
def messages(key: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """List what was said in chat about incident KEY: sent, pending, failed and why, or perhaps sent."""

    async def work(wired: Wired, tx: AccountTx, _origin: Origin) -> list[Sent]:
        from callout.chatops.sent import SentMessages

        return await SentMessages(wired.chat).of(tx, key)

    found = in_wired_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps([one.to_json() for one in found]))
        return
    for one in found:
        click.echo(line_of(one))
        if one.can_be_reposted:
            click.echo(f"  → callout incident repost {key} {one.message.id}")
    if not found:
        click.echo("nothing was said in chat")


@click.command()
@click.argument("key")
@click.argument("message")
@account_option
@data_option
@json_option
def repost(key: str, message: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Send MESSAGE about incident KEY again: one that failed, or was perhaps sent and then may be there twice."""

    async def work(wired: Wired, tx: AccountTx, origin: Origin) -> Sent:
        from callout.chatops.sent import SentMessages

        return await SentMessages(wired.chat).repost(tx, key, message, origin)

    again = in_wired_account(data_dir, account, work)
    click.echo(json.dumps(again.to_json()) if as_json else line_of(again))


COMMANDS = (messages, repost)
