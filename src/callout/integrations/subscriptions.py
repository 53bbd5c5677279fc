"""Webhook subscriptions that an API can make: made, set going again, and watched.

A vendor that nobody answered for a while stops sending, and says nothing. So each subscription is looked at every hour, and at once
when webhooks stay away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from callout.ports.errors import CalloutError, OperationNotSupportedError
from callout.ports.provider import SupportsWebhookSubscription
from callout.ports.values import Actor, Channel, Origin

if TYPE_CHECKING:
    from callout.integrations.model import Integration
    from callout.integrations.problems import Problems
    from callout.integrations.service import Integrations
    from callout.ports.oncall import WebhookSubscription
    from callout.storage import AccountTx, Database, Tx

PROBLEM: Final = "subscription"
"""The kind of an integration's problem when its subscription cannot be kept going."""
WATCHER: Final = Origin(Channel.SYSTEM, Actor.system("Callout"))
FindProvider = Callable[[str, str], Awaitable[Any]]
"""Account and integration id → connector."""


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription as it stands now, and whether a new signing key was stored."""

    subscription: WebhookSubscription
    key_stored: bool = False

    @property
    def state(self) -> str:
        """What was done, in words."""
        one = self.subscription
        return "created" if one.created else "set going again" if one.healed else "in order"


class Subscriber:
    """Makes and keeps the webhook subscriptions of integrations whose connectors can; `address` is our public one."""

    def __init__(
        self,
        database: Database,
        integrations: Integrations,
        problems: Problems,
        *,
        provider: FindProvider,
        address: str,
    ) -> None:
        self._database = database
        self._integrations = integrations
        self._problems = problems
        self._provider = provider
        self._address = address

    @staticmethod
    def watched(one: Integration) -> bool:
        """Return whether an integration is one whose subscription may be looked at: its webhooks are signed, nobody said no."""
        sync = one.settings.get("sync", {})
        wanted = not isinstance(sync, dict) or sync.get("watch_webhooks", True) is not False
        key = (one.webhook_config or {}).get("provider_key")
        return one.enabled and one.category == "ticketing" and bool(key) and wanted

    async def subscribe(self, one: Integration, *, recreate: bool, origin: Origin) -> Subscribed:
        """Have the vendor send here, and go on where it had stopped; a key that it tells is stored at once.

        With `recreate` subscription and key are replaced; so they are where we hold no key, since a vendor tells it once.
        Raises OperationNotSupportedError and ConnectorError.
        """
        provider = await self._provider(one.account_id, one.id)
        if not isinstance(provider, SupportsWebhookSubscription):
            raise OperationNotSupportedError(
                f"{one.provider_type} cannot be told by API where its webhooks go",
                remediation="Set the webhook up there; its page in docs/connectors says how.",
            )
        known = bool((one.webhook_config or {}).get("provider_key"))
        found = await provider.ensure_webhook(
            f"{self._address}/v1/hooks/{one.id}", recreate=recreate or not known
        )
        secret = found.secret
        if secret is None:
            return Subscribed(found)

        async def keep(tx: Tx) -> None:
            scoped = tx.account(one.account_id)
            now = await self._integrations.get(scoped, one.id)  # somebody may have changed the rest meanwhile
            config = {**(now.webhook_config or {}), "provider_key": secret.reveal()}
            await self._integrations.update(
                scoped, one.id, changes={"webhook_config": config}, actor=origin.actor, origin=origin
            )

        await self._database.transaction(keep)
        return Subscribed(found, key_stored=True)

    async def look(self, account_id: str, integration_id: str) -> Subscribed | None:
        """Look at one subscription and set it going again; what keeps it from that becomes a problem of the integration.

        Returns None for an integration that is not watched. Raises NotFoundError when it is gone.
        """

        async def find(tx: Tx) -> Integration:
            return await self._integrations.get(tx.account(account_id), integration_id)

        one = await self._database.read(find)
        if not self.watched(one):
            await self._tell(one, None)
            return None
        try:
            done = await self.subscribe(one, recreate=False, origin=WATCHER)
        except OperationNotSupportedError:
            await self._tell(one, None)
            return None
        except CalloutError as error:
            await self._tell(one, error)
            return None
        await self._tell(one, None)
        return done

    async def _tell(self, one: Integration, error: CalloutError | None) -> None:
        async def unit(tx: AccountTx) -> None:
            if error is None:
                await self._problems.over(tx, one.id, PROBLEM)
                return
            await self._problems.tell(
                tx,
                one.id,
                PROBLEM,
                code=error.code,
                message=f"the webhook subscription could not be looked after: {error.message}",
                remediation=error.remediation or f"Run `callout integration subscribe {one.name}`.",
            )

        await self._database.transaction(lambda tx: unit(tx.account(one.account_id)))


__all__ = ["PROBLEM", "WATCHER", "FindProvider", "Subscribed", "Subscriber"]
