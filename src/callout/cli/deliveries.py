"""`callout deliveries`: what was sent to webhooks, every attempt of it, and sending it again."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.incident import in_account
from callout.cli.run import account_option, data_option, json_option
from callout.kit.redaction import redact_text

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.ports.values import Origin
    from callout.storage import AccountTx
    from callout.webhooks.outbound import Delivery, DeliveryFilter, Detail, Redelivered

STATES = ("pending", "delivered", "dead", "held", "cancelled")
moment = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%d %H:%M:%S"])
webhook_option = click.option("--webhook", help="To this one alone, by id or name.")
event_option = click.option("--event", help="Of this kind alone, such as TicketUpdated.")
since_option = click.option("--since", type=moment, help="Made at or after this time (UTC).")
until_option = click.option("--until", type=moment, help="Made before this time (UTC).")


@click.group()
def deliveries() -> None:
    """List what was sent to webhooks, look into it, send it again."""


def out(one: Delivery) -> dict[str, Any]:
    """Return a delivery as `--json` shows it."""
    return {
        "id": one.id,
        "webhook": one.endpoint_name,
        "webhook_id": one.endpoint_id,
        "message_id": one.message_id,
        "event_type": one.event_type,
        "subject": one.subject,
        "state": one.state.value,
        "attempts": one.attempts,
        "next_attempt_at": None if one.next_at is None else one.next_at.isoformat(),
        "created_at": one.created_at.isoformat(),
        "finished_at": None if one.finished_at is None else one.finished_at.isoformat(),
        "test": one.test,
        "redelivery_of": one.redelivery_of,
    }


def show_delivery(found: Detail, *, as_json: bool) -> None:
    """Print a delivery with its attempts."""
    one = found.delivery
    attempts = [
        {
            "number": attempt.number,
            "at": attempt.at.isoformat(),
            "took_ms": round(attempt.took * 1000, 1),
            "status": attempt.status,
            "error": attempt.error,
            "answer": redact_text(attempt.answer.decode("utf-8", "replace")),
        }
        for attempt in found.attempts
    ]
    body = None if found.body is None else found.body.decode("utf-8", "replace")
    if as_json:
        click.echo(json.dumps({**out(one), "attempt_list": attempts, "body": body}))
        return
    click.echo(f"{one.id}  {one.event_type or '(no name)'} to {one.endpoint_name}: {one.state.value}")
    click.echo(f"  webhook-id {one.message_id}, about {one.subject}")
    for attempt in attempts:
        what = f"status {attempt['status']}" if attempt["status"] is not None else attempt["error"]
        more = f" ({attempt['error']})" if attempt["status"] is not None and attempt["error"] else ""
        click.echo(f"  {attempt['number']}. {attempt['at']}  {what}{more}  in {attempt['took_ms']:g} ms")
        if attempt["answer"]:
            click.echo(f"     {str(attempt['answer'])[:200]!r}")
    if one.next_at is not None and one.attempts:
        click.echo(f"  next attempt {one.next_at.isoformat()}")
    if body is not None:
        click.echo(f"  sent: {body[:500]}{' …' if len(body) > 500 else ''}")  # noqa: PLR2004  # a screenful


async def _wanted(
    core: Core, tx: AccountTx, *, webhook: str | None, state: str | None, event: str | None, times: Any
) -> DeliveryFilter:
    from callout.ports.errors import NotFoundError
    from callout.webhooks.outbound import DeliveryFilter, DeliveryState

    endpoints, endpoint_id = core.outbound.endpoints, None
    if webhook is not None:
        try:
            endpoint_id = (await endpoints.get(tx, webhook)).id
        except NotFoundError:
            endpoint_id = (await endpoints.get(endpoints.organization(tx), webhook)).id
    since, until = (_utc(one) for one in times)
    return DeliveryFilter(
        endpoint_id, None if state is None else DeliveryState(state), event, None, since, until
    )


def _utc(given: datetime | None) -> datetime | None:
    return given if given is None or given.tzinfo else given.replace(tzinfo=UTC)


@deliveries.command("list")
@webhook_option
@click.option("--state", type=click.Choice(STATES))
@event_option
@since_option
@until_option
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@account_option
@data_option
@json_option
def listing(
    webhook: str | None,
    state: str | None,
    event: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    account: str | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """List deliveries, the newest first."""

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> list[Delivery]:
        wanted = await _wanted(core, tx, webhook=webhook, state=state, event=event, times=(since, until))
        return list(await core.outbound.deliveries.search(tx, wanted, limit=limit))

    found = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps([out(one) for one in found]))
        return
    for one in found:
        tries = f"{one.attempts} attempt{'' if one.attempts == 1 else 's'}"
        name = one.event_type or "(no name)"
        click.echo(
            f"{one.id}  {one.created_at:%Y-%m-%d %H:%M:%S}  {one.state.value:9}  {tries:>11}  {name} to {one.endpoint_name}"
        )
    if not found:
        click.echo("no deliveries")


@deliveries.command()
@click.argument("delivery")
@account_option
@data_option
@json_option
def show(delivery: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Show a delivery with every attempt and what was sent."""

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> Detail:
        return await core.outbound.deliveries.get(tx, delivery)

    show_delivery(in_account(data_dir, account, work), as_json=as_json)


@deliveries.command()
@click.argument("ids", nargs=-1)
@webhook_option
@click.option(
    "--state",
    type=click.Choice(["dead", "delivered", "cancelled"]),
    help="Of a range; the dead ones when absent.",
)
@event_option
@since_option
@until_option
@account_option
@data_option
@json_option
def replay(
    ids: tuple[str, ...],
    webhook: str | None,
    state: str | None,
    event: str | None,
    since: datetime | None,
    until: datetime | None,
    account: str | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """Send deliveries again, with their `webhook-id`: those named, or a range that options describe."""
    ranged = any(value is not None for value in (webhook, state, event, since, until))
    if bool(ids) == ranged:
        raise click.UsageError(
            "name deliveries, or a range with --webhook, --state, --event, --since, --until"
        )

    async def single(core: Core, tx: AccountTx, origin: Origin) -> int:
        for one in ids:
            await core.outbound.deliveries.redeliver(tx, one, actor=origin.actor, origin=origin)
        return len(ids)

    if ids:
        count = in_account(data_dir, account, single)
    else:
        count, after = 0, 0
        while True:

            async def some(core: Core, tx: AccountTx, origin: Origin, after: int = after) -> Redelivered:
                wanted = await _wanted(
                    core, tx, webhook=webhook, state=state, event=event, times=(since, until)
                )
                return await core.outbound.deliveries.redeliver_range(
                    tx, wanted, actor=origin.actor, origin=origin, after=after
                )

            done = in_account(data_dir, account, some)
            count += done.count
            if done.after is None:
                break
            after = done.after
    click.echo(json.dumps({"redelivered": count}) if as_json else f"{count} set going again")
