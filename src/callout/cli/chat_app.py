"""`callout integration app-manifest` and `install`: making a chat platform's app, and letting it into workspaces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callout.cli.incident import in_account
from callout.cli.run import account_option, data_option, fail, json_option, with_wired

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.bootstrap.core import Core
    from callout.bootstrap.installing import Consent
    from callout.bootstrap.wiring import Wired
    from callout.integrations import Integration
    from callout.ports.values import Origin
    from callout.storage import AccountTx, Tx


@click.command("app-manifest")
@click.argument("name")
@click.option(
    "--socket/--no-socket",
    default=None,
    help="Slack sends through a connection that Callout opens (Socket Mode), or to its address. "
    "By default the address, where the integration exists already.",
)
@click.option("--command", "command", help="The slash command's name, such as /im.")
@account_option
@data_option
def app_manifest(
    name: str, command: str | None, account: str | None, data_dir: Path | None, *, socket: bool | None
) -> None:
    """Print the manifest of the app that a chat platform needs.

    NAME is a provider, such as chat_slack, before there is an integration (then for Socket Mode), or an integration.
    """
    from callout.bootstrap.registry import MANIFESTS

    if name in MANIFESTS:
        if socket is False:
            fail(
                "the addresses hold the integration's id, which there is not yet",
                remediation="Add the integration first, then name it here.",
                code=2,
            )
        click.echo(json.dumps(_of_provider(name, command), indent=2))
        return

    async def work(core: Core, tx: AccountTx, _origin: Origin) -> Mapping[str, Any]:
        from callout.ports.errors import OperationNotSupportedError

        one = await core.integrations.get(tx, name)
        manifest = core.integrations.manifest_of(one)
        if manifest.app is None:
            raise OperationNotSupportedError(f"{one.provider_fullname} needs no app of its own")
        config = core.integrations.config_of(one)
        if command:
            config = config.model_copy(update={"command": command})
        url = f"{core.settings.address.rstrip('/')}/v1/chat/{one.id}"
        return manifest.app(config, url, socket=bool(socket))

    click.echo(json.dumps(in_account(data_dir, account, work), indent=2))


def _of_provider(name: str, command: str | None) -> Mapping[str, Any]:
    from pydantic import ValidationError

    from callout.bootstrap.registry import MANIFESTS

    manifest = MANIFESTS[name]
    if manifest.app is None:
        fail(f"{manifest.title} needs no app of its own", code=2)
    try:
        config = manifest.config.model_validate({"command": command} if command else {})
    except ValidationError as error:
        fail(
            f"--command: {error.errors()[0]['msg']}",
            remediation="Give a slash and up to 31 lower-case letters, digits, - or _, such as /im.",
            code=2,
        )
    return manifest.app(config, "", socket=True)


@click.command("install")
@click.argument("name")
@account_option
@data_option
@json_option
def install(name: str, account: str | None, data_dir: Path | None, *, as_json: bool) -> None:
    """Print the address where the app of NAME is let into a workspace; open it in a browser within 15 minutes.

    The first workspace becomes NAME's own; each further one becomes an integration of its own that shares the app.
    """

    async def work(wired: Wired) -> Consent:
        from callout.access import DEFAULT_ACCOUNT
        from callout.bootstrap.installing import Installing
        from callout.ports.values import Actor, ActorKind

        async def unit(tx: Tx) -> Integration:
            found = await wired.core.accounts.get(tx, account or DEFAULT_ACCOUNT)
            return await wired.core.integrations.get(tx.account(found.id), name)

        one = await wired.core.database.read(unit)
        operator = Actor(ActorKind.SYSTEM, "cli", "the command line")
        return await Installing(wired.core, wired.connections).begin(one.account_id, one.id, operator)

    consent = with_wired({"data_dir": data_dir}, work)
    if as_json:
        click.echo(json.dumps({"authorize_url": consent.url, "expires_at": consent.until.isoformat()}))
    else:
        click.echo(consent.url)
