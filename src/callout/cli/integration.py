"""`callout integration`: connect other systems, look after them, pause writes to them."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.backfill import backfill
from callout.cli.chat_app import app_manifest, install
from callout.cli.incident import in_account
from callout.cli.integration_show import listing, show, shown
from callout.cli.run import account_option, data_option, fail, json_option, with_core

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.integrations import Integration, PauseScope, Subscribed
    from callout.ports.inbound import HookGuide
    from callout.ports.values import Origin
    from callout.storage import AccountTx


@click.group()
def integration() -> None:
    """Add, list and test integrations; pause their writes."""


def _document(text: str, name: str) -> Any:  # whatever JSON the file holds
    try:
        return json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except OSError as error:
        fail(f"{name}: {error.filename} cannot be read: {error.strerror}", code=2)
    except ValueError as error:
        fail(
            f"{name} is not JSON: {error}",
            remediation="Give JSON, or @FILE for a file that holds it.",
            code=2,
        )


@integration.command()
@click.argument("provider")
@click.option("--name", help="A short name, such as jira.")
@click.option(
    "--config", default="{}", help="The provider's settings as JSON, or @FILE. Secrets in it are encrypted."
)
@click.option(
    "--webhook", default="", help='Webhook settings as JSON, or @FILE: {"provider_key": …, "items": []}.'
)
@click.option("--settings", "own", default="{}", help='Our settings as JSON, or @FILE: {"sync": {…}}.')
@account_option
@data_option
@json_option
def add(
    provider: str,
    name: str | None,
    config: str,
    webhook: str,
    own: str,
    account: str | None,
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    """Add an integration of PROVIDER, such as ticketing_jira or chat_slack."""
    config_given = _document(config, "--config")
    provider_config = {"type": provider, **config_given}
    webhook_config = _document(webhook, "--webhook") if webhook else None
    settings = _document(own, "--settings")

    async def work(core: Core, tx: AccountTx, origin: Origin) -> tuple[dict[str, Any], str, list[str]]:
        from callout.bootstrap.registry import MANIFESTS
        from callout.sync import settings as sync_settings

        manifest = MANIFESTS.get(provider)
        own = settings.get("sync", {})
        sync_settings.check(own)  # alone first: then a wrong place is surely the operator's
        if manifest is not None:
            sync_settings.check(sync_settings.effective(manifest.mapping_defaults, own))
        saved = await core.integrations.create(
            tx,
            provider_config=provider_config,
            webhook_config=webhook_config,
            settings=settings,
            name=name,
            actor=origin.actor,
            origin=origin,
        )
        one = saved.integration
        told = shown(one, core.settings.address)
        # With a credential of the app's own the platform is listened to: it needs no address of ours.
        told["listens"] = (
            manifest is not None and manifest.listen is not None and "app_credential" in config_given
        )
        return told, one.hook_token.reveal(), list(saved.warnings)

    made, hook_token, warnings = in_account(data_dir, account, work)
    for warning in warnings:
        click.echo(f"callout: warning: {warning}", err=True)
    if as_json:
        click.echo(json.dumps({**made, "hook_token": hook_token}))
        return
    click.echo(f"added {made['name']} ({made['provider']}), id {made['id']}")
    if made["listens"]:
        click.echo("  Callout connects to the platform by itself: no address of ours is needed there")
    elif "/v1/chat/" in made["webhook_url"]:
        click.echo(
            "  the platform sends to these addresses (Slack: command, interactivity, event subscription):"
        )
        for what in ("commands", "interactions", "events"):
            click.echo(f"    {made['webhook_url']}/{what}")
    else:
        click.echo(f"  its webhooks come in at {made['webhook_url']}")
    click.echo(f"  try it with: callout integration test {made['name']}")


@integration.command("set")
@click.argument("name")
@click.option(
    "--settings",
    "own",
    default="{}",
    help='Our settings as JSON, or @FILE; {"sync": {…}} replaces all of sync.',
)
@click.option("--webhook", default="", help='Webhook settings as JSON, or @FILE: {"provider_key": …}.')
@click.option(
    "--config",
    default="",
    help='Settings of the provider as JSON, or @FILE: {"credential": {…}} enters it again.',
)
@click.option(
    "--on/--off", "enabled", default=None, help="Let it take part, or read and write nothing there."
)
@click.option(
    "--shadow/--no-shadow", default=None, help="Write nothing to it, and count what would be; or end that."
)
@account_option
@data_option
@json_option
def change(
    name: str,
    own: str,
    webhook: str,
    config: str,
    account: str | None,
    data_dir: Path | None,
    *,
    enabled: bool | None,
    shadow: bool | None,
    as_json: bool,
) -> None:
    """Change our settings of an integration; running servers take them up within seconds."""
    given = _object(own, "--settings")
    hook, provider = _object(webhook, "--webhook"), _object(config, "--config")
    if not (given or hook or provider) and shadow is None and enabled is None:
        raise click.UsageError(
            "nothing to change: give --settings, --webhook, --config, --on, --off, --shadow or --no-shadow"
        )

    async def work(core: Core, tx: AccountTx, origin: Origin) -> dict[str, Any]:
        from callout.bootstrap.standing import sync_settings_of
        from callout.sync import settings as sync_settings

        one = await core.integrations.get(tx, name)
        changes: dict[str, Any] = {"settings": _shadowed({**one.settings, **given}, shadow)}
        if hook:
            changes["webhook_config"] = {**(one.webhook_config or {}), **hook}
        if provider:
            changes["provider_config"] = {**one.provider_config, **provider, "type": one.provider_type}
        if enabled is not None:
            changes["enabled"] = enabled
        saved = await core.integrations.update(tx, one.id, changes=changes, actor=origin.actor, origin=origin)
        if one.category == "ticketing":
            sync_settings.check(sync_settings_of(core, saved.integration))
        return {**shown(saved.integration, core.settings.address), "settings": saved.integration.settings}

    made = in_account(data_dir, account, work)
    if as_json:
        click.echo(json.dumps(made))
        return
    click.echo(f"changed {made['name']}; check it with: callout plan {made['name']}")


def _object(text: str, option: str) -> dict[str, Any]:
    """Return the JSON object that an option gives, empty for none; ends with code 2 when it is something else."""
    found = _document(text, option) if text else {}
    if not isinstance(found, dict):
        fail(f"{option} is no JSON object", code=2)
    return found


def _shadowed(settings: dict[str, Any], shadow: bool | None) -> dict[str, Any]:  # noqa: FBT001  # as the option says
    if shadow is None:
        return settings
    kept = {key: value for key, value in settings.get("sync", {}).items() if key != "shadow"}
    return {**settings, "sync": {**kept, "shadow": True} if shadow else kept}


@integration.command()
@click.argument("name")
@account_option
@data_option
@json_option
def test(name: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Ask the other system who we are and what we may do there."""

    async def opened(core: Core) -> Any:
        from callout.access import DEFAULT_ACCOUNT
        from callout.bootstrap.connections import Connections
        from callout.bootstrap.waits import wait_of

        async def find(tx: Any) -> Integration:
            owner = await core.accounts.get(tx, account or DEFAULT_ACCOUNT)
            return await core.integrations.get(tx.account(owner.id), name)

        one = await core.database.read(find)
        connections = Connections(core)
        try:
            provider = await connections.provider(one.account_id, one.id)
            report = await provider.check_connection()
            wait = await core.database.read(lambda tx: wait_of(core, tx, one.id))
            return report, wait
        finally:
            await connections.close()

    report, wait = with_core({"data_dir": data_dir}, opened)
    person = report.account.name if report.account else "nobody"
    if as_json:
        click.echo(
            json.dumps(
                {
                    "ok": report.ok,
                    "account": person,
                    "instance": report.instance,
                    "warnings": report.warnings,
                    "wait": None if wait is None else wait.to_json(),
                }
            )
        )
    else:
        click.echo(f"connected to {report.instance or name} as {person}, time zone {report.time_zone}")
        for warning in report.warnings:
            click.echo(f"  warning: {warning}")
        if wait is not None:
            click.echo(f"  … {wait.text}")
    if not report.ok:
        fail("the connection works, but something is missing; see the warnings")


@integration.command()
@click.argument("name")
@click.option("--new", is_flag=True, help="Replace the subscription and its signing key.")
@account_option
@data_option
@json_option
def subscribe(name: str, account: str | None, data_dir: Path | None, *, new: bool, as_json: bool) -> None:
    """Have the other system send its webhooks here, and go on when it had stopped.

    The signing key that it makes is stored at once. For systems whose API can do this (PagerDuty).
    """

    async def opened(core: Core) -> Subscribed:
        from callout.access import DEFAULT_ACCOUNT
        from callout.bootstrap.connections import Connections
        from callout.bootstrap.standing import subscriber_of
        from callout.ports.values import Actor, ActorKind, Channel, Origin

        async def find(tx: Any) -> Integration:
            owner = await core.accounts.get(tx, account or DEFAULT_ACCOUNT)
            return await core.integrations.get(tx.account(owner.id), name)

        one = await core.database.read(find)
        connections = Connections(core)
        origin = Origin(Channel.CLI, Actor(ActorKind.SYSTEM, "cli", "the command line"))
        try:
            return await subscriber_of(core, connections).subscribe(one, recreate=new, origin=origin)
        finally:
            await connections.close()

    done = with_core({"data_dir": data_dir}, opened)
    made = done.subscription
    if as_json:
        click.echo(json.dumps({"id": made.id, "url": made.url, "state": done.state}))
    else:
        click.echo(f"subscription {made.id} to {made.url}: {done.state}")


@integration.command("webhook-script")
@click.argument("name")
@click.option("--show-secret", is_flag=True, help="Print the signing key, too.")
@click.option(
    "--new-secret",
    is_flag=True,
    help="Make and store a new signing key first; the old one holds for a while.",
)
@click.option(
    "--script", "only", metavar="PART", help="Print only this script, such as incident, for a file."
)
@account_option
@data_option
@json_option
def webhook_script(
    name: str,
    only: str | None,
    account: str | None,
    data_dir: Path | None,
    *,
    show_secret: bool,
    new_secret: bool,
    as_json: bool,
) -> None:
    """Tell how NAME's system is made to send its webhooks here: the steps, and the scripts that it needs."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> tuple[str, HookGuide]:
        return await _guide(core, tx, name, origin, show_secret=show_secret, new_secret=new_secret)

    title, guide = in_account(data_dir, account, work)
    if only is not None:
        if only not in guide.scripts:
            known = ", ".join(guide.scripts) or "none"
            fail(f"{title} has no script {only!r}", remediation=f"There are: {known}.", code=2)
        click.echo(guide.scripts[only], nl=False)
    elif as_json:
        click.echo(json.dumps({"steps": guide.steps, "scripts": dict(guide.scripts)}))
    else:
        click.echo(f"{title}, as an administrator there:")
        for number, step in enumerate(guide.steps, 1):
            click.echo(f"  {number}. {step}")
        for part, script in guide.scripts.items():
            click.echo(f"\n---- {part} ----\n{script}", nl=False)


async def _guide(
    core: Core, tx: AccountTx, name: str, origin: Origin, *, show_secret: bool, new_secret: bool
) -> tuple[str, HookGuide]:
    from callout.ports.errors import InvalidRequestError, OperationNotSupportedError
    from callout.ports.inbound import HookSetup

    one = await core.integrations.get(tx, name)
    manifest = core.integrations.manifest_of(one)
    if manifest.hook_guide is None:
        raise OperationNotSupportedError(
            f"nobody sets up webhooks of {one.provider_fullname} by hand",
            remediation=f"See its page: docs/{manifest.docs}",
        )
    url = shown(one, core.settings.address)["webhook_url"]
    if new_secret:
        if not manifest.hook_guide(core.integrations.config_of(one), HookSetup(url, one.id, "")).own_key:
            raise InvalidRequestError(
                f"{one.provider_fullname} makes the signing key itself",
                remediation="Store the one that it shows: see the steps.",
            )
        config = {**(one.webhook_config or {}), "provider_key": secrets.token_urlsafe(32)}
        changes = {"webhook_config": config}
        one = (
            await core.integrations.update(tx, one.id, changes=changes, actor=origin.actor, origin=origin)
        ).integration
    key = (one.webhook_config or {}).get("provider_key")
    words = "the stored signing key (provider_key); --show-secret prints it"
    if key is None:
        words = "a signing key; none is stored here yet: --new-secret makes one"
    elif show_secret:
        words = key.reveal()
    config_of = core.integrations.config_of(one)
    return one.provider_fullname, manifest.hook_guide(config_of, HookSetup(url, one.id, words))


async def _scope(core: Core, tx: AccountTx, name: str | None, link: str | None) -> tuple[PauseScope, str]:
    if link is not None:
        return "link", link
    if name is None:
        return "everything", ""
    return "integration", (await core.integrations.get(tx, name)).id


@integration.command()
@click.argument("name", required=False)
@click.option("--link", help="Only the writes to one ticket, by the link's id.")
@click.option("--reason", default="paused by an operator", show_default=True)
@account_option
@data_option
def pause(
    name: str | None, link: str | None, reason: str, account: str | None, data_dir: Path | None
) -> None:
    """Pause the writes to one integration, to one link, or to everything when neither is given."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> None:
        scope, scope_id = await _scope(core, tx, name, link)
        await core.pauses.pause(tx, scope, scope_id, reason=reason, actor=origin.actor, origin=origin)

    in_account(data_dir, account, work)
    click.echo("paused; nothing is lost, work waits")


@integration.command()
@click.argument("name", required=False)
@click.option("--link", help="The writes to one ticket, by the link's id.")
@account_option
@data_option
def resume(name: str | None, link: str | None, account: str | None, data_dir: Path | None) -> None:
    """End a pause; the work that waited goes on by itself."""

    async def work(core: Core, tx: AccountTx, origin: Origin) -> None:
        scope, scope_id = await _scope(core, tx, name, link)
        await core.pauses.resume(tx, scope, scope_id, actor=origin.actor, origin=origin)

    in_account(data_dir, account, work)
    click.echo("resumed")


integration.add_command(listing)
integration.add_command(show)
integration.add_command(backfill)
integration.add_command(app_manifest)
integration.add_command(install)
