"""`callout webhook`: the endpoints that are told of events."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.deliveries import show_delivery
from callout.cli.incident import in_account
from callout.cli.run import account_option, data_option, fail, json_option

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.ports.values import Origin
    from callout.storage import AccountTx
    from callout.webhooks.outbound import Detail, Endpoint

TEST_SECONDS = 30.0
organization_option = click.option(
    "--organization", is_flag=True, help="Of the whole organization, not of one account."
)


@click.group()
def webhook() -> None:
    """Add, list and test webhook endpoints; switch them off and on."""


def out(one: Endpoint) -> dict[str, Any]:
    """Return an endpoint as `--json` shows it: never with a secret."""
    return {
        "id": one.id,
        "name": one.name,
        "scope": one.scope,
        "integration_id": one.integration_id or None,
        "source": one.source,
        "url": one.url,
        "filters": list(one.filters),
        "raw_payload_format": one.raw_format,
        "state": "enabled" if one.enabled else "disabled",
        "disabled_why": one.disabled_why or None,
        "failures": one.failures,
        "failing_since": None if one.failing_since is None else one.failing_since.isoformat(),
        "paused_until": None if one.open_until is None else one.open_until.isoformat(),
    }


def _line(one: Endpoint) -> str:
    what = ", ".join(one.filters) or ("every ticket event" if one.integration_id else "every event")
    state = "enabled" if one.enabled else f"DISABLED ({one.disabled_why})"
    failing = f", {one.failures} failures in a row" if one.enabled and one.failures else ""
    return f"{one.name}  {state}{failing}\n    {one.url}\n    {one.scope}: {what}"


def _seen(core: Core, tx: AccountTx, *, organization: bool) -> AccountTx:
    return core.outbound.endpoints.organization(tx) if organization else tx


def _show(one: Endpoint, *, as_json: bool) -> None:
    click.echo(json.dumps(out(one)) if as_json else _line(one))


def _show_secret(one: Endpoint, done: str, *, as_json: bool) -> None:
    from callout.webhooks.outbound import standard_secret

    secret, standard = one.secrets[0].reveal(), standard_secret(one.secrets[0]).reveal()
    if as_json:
        click.echo(json.dumps({**out(one), "secret": secret, "standard_webhooks_secret": standard}))
        return
    click.echo(f"{done} {one.name}, id {one.id}")
    click.echo("  its secret, shown this once:")
    click.echo(f"    {secret}")
    if standard != secret:
        click.echo(f"    for libraries of Standard Webhooks: {standard}")
    click.echo(f"  try it with: callout webhook test {one.name}")


@webhook.command()
@click.argument("url")
@click.option("--event", "events", multiple=True, help="An event it is told of; repeat for several.")
@click.option("--integration", help="Id or name of the integration whose tickets it is told of.")
@click.option("--name", help="A short name.")
@click.option("--raw-payload", type=click.Choice(["object", "string"]), default="object", show_default=True)
@organization_option
@account_option
@data_option
@json_option
def add(
    url: str,
    events: tuple[str, ...],
    integration: str | None,
    name: str | None,
    raw_payload: str,
    account: str | None,
    data_dir: Path | None,
    *,
    organization: bool,
    as_json: bool,
) -> None:
    """Add an endpoint; its secret is made, and shown this once."""
    if organization and (integration or not events):
        raise click.UsageError("an endpoint of the organization has --event, and no --integration")

    async def work(core: Core, tx: AccountTx, origin: Origin) -> Endpoint:
        owner = "" if integration is None else (await core.integrations.get(tx, integration)).id
        return await core.outbound.endpoints.create(
            _seen(core, tx, organization=organization),
            url=url,
            filters=events,
            actor=origin.actor,
            origin=origin,
            name=name,
            fullname=None if name else url.partition("://")[2].partition("/")[0],
            integration_id=owner,
            raw_format=raw_payload,
        )

    _show_secret(in_account(data_dir, account, work), "added", as_json=as_json)


@webhook.command("list")
@organization_option
@account_option
@data_option
@json_option
def listing(account: str | None, data_dir: Path | None, *, organization: bool, as_json: bool) -> None:
    """List endpoints, those that settings of integrations name among them."""

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> list[Endpoint]:
        return list(await core.outbound.endpoints.list(_seen(core, tx, organization=organization)))

    found = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps([out(one) for one in found]))
        return
    for one in found:
        click.echo(_line(one))
    if not found:
        click.echo("no webhooks; add one with: callout webhook add https://…")


@webhook.command()
@click.argument("name")
@click.option("--overlap-hours", type=click.FloatRange(0, 168), default=24.0, show_default=True)
@organization_option
@account_option
@data_option
@json_option
def rotate(
    name: str,
    overlap_hours: float,
    account: str | None,
    data_dir: Path | None,
    *,
    organization: bool,
    as_json: bool,
) -> None:
    """Give an endpoint a new secret, shown this once; for a while deliveries are signed with both."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> Endpoint:
        return await core.outbound.endpoints.rotate(
            _seen(core, tx, organization=organization),
            name,
            actor=origin.actor,
            origin=origin,
            overlap=timedelta(hours=overlap_hours),
        )

    _show_secret(in_account(data_dir, account, work), "rotated", as_json=as_json)


@webhook.command()
@click.argument("name")
@click.option("--drop-held", is_flag=True, help="Do not send what was held back meanwhile.")
@organization_option
@account_option
@data_option
@json_option
def enable(
    name: str,
    account: str | None,
    data_dir: Path | None,
    *,
    drop_held: bool,
    organization: bool,
    as_json: bool,
) -> None:
    """Switch an endpoint on again; what was held back is sent in its order."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> Endpoint:
        return await core.outbound.endpoints.enable(
            _seen(core, tx, organization=organization),
            name,
            actor=origin.actor,
            origin=origin,
            send_held=not drop_held,
        )

    _show(in_account(data_dir, account, work), as_json=as_json)


@webhook.command()
@click.argument("name")
@organization_option
@account_option
@data_option
@json_option
def disable(
    name: str, account: str | None, data_dir: Path | None, *, organization: bool, as_json: bool
) -> None:
    """Switch an endpoint off; what happens meanwhile is held back for it."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> Endpoint:
        return await core.outbound.endpoints.disable(
            _seen(core, tx, organization=organization),
            name,
            why="by request",
            actor=origin.actor,
            origin=origin,
        )

    _show(in_account(data_dir, account, work), as_json=as_json)


@webhook.command()
@click.argument("name")
@organization_option
@account_option
@data_option
@json_option
def remove(
    name: str, account: str | None, data_dir: Path | None, *, organization: bool, as_json: bool
) -> None:
    """Remove an endpoint; what was still to be delivered to it is not."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> None:
        seen = _seen(core, tx, organization=organization)
        await core.outbound.endpoints.delete(seen, name, actor=origin.actor, origin=origin)

    in_account(data_dir, account, work)
    click.echo(json.dumps({"removed": name}) if as_json else f"removed {name}")


@webhook.command()
@click.argument("name")
@organization_option
@account_option
@data_option
@json_option
def test(name: str, account: str | None, data_dir: Path | None, *, organization: bool, as_json: bool) -> None:
    """Send an endpoint a test by the way of all deliveries, and tell what came of it. A worker has to be running."""

    async def send(core: Core, tx: AccountTx, origin: Origin) -> str:
        seen = _seen(core, tx, organization=organization)
        one = await core.outbound.endpoints.get(seen, name)
        return (await core.outbound.deliveries.test(seen, one, actor=origin.actor, origin=origin)).id

    async def look(core: Core, tx: AccountTx, _origin: Origin) -> Detail:
        return await core.outbound.deliveries.get(tx, sent)

    sent = in_account(data_dir, account, send)
    until = time.monotonic() + TEST_SECONDS
    found = in_account(data_dir, account, look)
    while not found.attempts:
        if time.monotonic() > until:
            fail(
                "the test was stored and is not sent yet",
                remediation=f"Is a worker running? Look again with: callout deliveries show {sent}",
            )
        time.sleep(0.3)
        found = in_account(data_dir, account, look)
    show_delivery(found, as_json=as_json)
    if found.delivery.state.value != "delivered":
        raise SystemExit(1)
