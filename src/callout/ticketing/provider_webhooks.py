"""The contract's integration webhooks: the provider is told by API to send its events here, signed with a key that we hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callout.kit.ids import random_token
from callout.kit.secrets import Secret
from callout.ports.errors import InvalidRequestError, NotFoundError, OperationNotSupportedError
from callout.ticketing.drafts import value_of
from callout.ticketing.shapes import LONG_AGO, moment

if TYPE_CHECKING:
    from callout.ports.oncall import WebhookSubscription
    from callout.storage import Tx
    from callout.ticketing.engine import Engine, Opened

Json = dict[str, Any]
KEY_BYTES = 32


class ProviderWebhooks:
    """The three operations; `address` is our public one."""

    def __init__(self, engine: Engine, *, address: str) -> None:
        self._engine = engine
        self._address = address

    def receiver(self, opened: Opened, *, with_token: bool) -> str:
        """Return where the provider's webhooks go: with the hook token for a sender that cannot sign."""
        own = f"{self._address}/v1/hooks/{opened.integration.id}"
        return f"{own}?token={opened.integration.hook_token.reveal()}" if with_token else own

    async def create(self, opened: Opened, project: object) -> Json:
        """Register the integration's webhook for a project; one that was there before is replaced. Raises InvalidRequestError."""
        wanted = value_of("project", project, "/project") or opened.integration.provider_config.get(
            "default_project"
        )
        if not wanted:
            raise InvalidRequestError(
                "project is missing",
                fields={"/project": "required"},
                remediation="Name the project whose events are wanted.",
            )
        url = self.receiver(opened, with_token=False)
        held = (opened.integration.webhook_config or {}).get("provider_key")
        key = held if isinstance(held, Secret) else Secret(random_token(KEY_BYTES))
        async with self._engine.calling(opened, writing=True) as provider:
            for old in await provider.list_project_webhooks(url):
                await provider.remove_project_webhook(old.id)
            made = await provider.create_project_webhook(str(wanted), url, secret=key)
        if made.secret is not None or key is not held:
            await self._keep(opened, made.secret or key)
        await self._engine.written(opened, "webhook.registered", made.id, project=str(wanted))
        return _out(made, url)

    async def list(self, opened: Opened) -> list[Json]:
        """Return the integration's webhooks at the provider; none where it has no API for them."""
        if not callable(getattr(opened.manifest.provider_class, "list_project_webhooks", None)):
            return []
        url = self.receiver(opened, with_token=False)
        async with self._engine.calling(opened) as provider:
            return [_out(one, url) for one in await provider.list_project_webhooks(url)]

    async def remove(self, opened: Opened) -> None:
        """Remove the integration's webhook. Raises NotFoundError when there is none."""
        url = self.receiver(opened, with_token=False)
        async with self._engine.calling(opened, writing=True) as provider:
            found = await provider.list_project_webhooks(url)
            for one in found:
                await provider.remove_project_webhook(one.id)
        if not found:
            raise NotFoundError(
                "this integration has no webhook at the provider",
                remediation="POST /v1/integration-webhooks registers one.",
            )
        await self._engine.written(opened, "webhook.removed", found[0].id)

    def require(self, opened: Opened) -> None:
        """Raise OperationNotSupportedError for a provider whose webhooks are never taken."""
        if opened.manifest.inbound is None:
            raise OperationNotSupportedError(
                f"{opened.manifest.title} sends no webhooks", remediation="Poll it, or query its tickets."
            )

    async def _keep(self, opened: Opened, key: Secret) -> None:
        integrations = self._engine.context.integrations

        async def unit(tx: Tx) -> None:
            scoped = tx.account(opened.integration.account_id)
            now = await integrations.get(scoped, opened.integration.id)
            config = {**(now.webhook_config or {"items": []}), "provider_key": key.reveal()}
            await integrations.update(
                scoped,
                now.id,
                changes={"webhook_config": config},
                actor=opened.caller.actor,
                origin=opened.origin,
            )

        await self._engine.context.database.transaction(unit)


def _out(one: WebhookSubscription, url: str) -> Json:
    return {
        "id": one.id,
        "name": one.name or "Callout",
        "creator": one.creator,
        "enabled": one.active,
        "events": list(one.events),
        "value": one.url or url,
        "created_at": moment(one.created_at or LONG_AGO),
    }
