"""Accounts and integrations: the endpoints that stand in an integration's settings follow them, and the organization's are told.

Both hang on the audit row that each such change writes in its own transaction, so that none can be forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select

from callout.access.tables import accounts
from callout.kit.ids import new_id
from callout.ports.errors import NotFoundError
from callout.ports.values import Actor
from callout.webhooks.outbound.model import Happening
from callout.webhooks.tables import webhook_endpoint

if TYPE_CHECKING:
    from callout.audit.record import AuditDraft
    from callout.integrations import Integrations
    from callout.kit.clock import Clock
    from callout.storage import AccountTx, Tx
    from callout.webhooks.outbound.endpoints import Endpoints
    from callout.webhooks.outbound.routing import Router

EVENTS: Final = {
    "account.created": "account_create",
    "account.updated": "account_update",
    "account.deleted": "account_delete",
    "integration.created": "integration_create",
    "integration.updated": "integration_update",
    "integration.deleted": "integration_delete",
}
"""The audit's action → the contract's event."""
_INTEGRATION: Final = "integration"


class SettingsEvents:
    """Hears of every audit row about an account or an integration, in its transaction."""

    def __init__(
        self, endpoints: Endpoints, integrations: Integrations, router: Router, clock: Clock
    ) -> None:
        self._endpoints = endpoints
        self._integrations = integrations
        self._router = router
        self._clock = clock

    async def recorded(self, tx: Tx, account_id: str | None, draft: AuditDraft) -> None:
        """Follow one change of an account or an integration."""
        event = EVENTS.get(draft.action)
        owner = account_id or (draft.subject_id if draft.subject_type == "account" else None)
        if event is None or owner is None:
            return
        if draft.subject_type == _INTEGRATION:
            await self._follow(tx.account(owner), draft)
        now, nonce = self._clock.now(), new_id()
        subject = await self._subject(tx.account(owner), draft)
        await self._router.tell(
            tx.account(owner),
            [
                Happening(
                    id=f"msg_{nonce}",
                    event_type=event,
                    subject=f"{draft.subject_type}:{draft.subject_id}",
                    occurred_at=now,
                    body={
                        "event": event,
                        "nonce": nonce,
                        "occurred_at": now.isoformat(),
                        draft.subject_type: subject,
                    },
                )
            ],
            environment=draft.environment,
        )

    async def follow_all(self, tx: Tx) -> None:
        """Bring the endpoints of all integrations into line with their settings: after an upgrade, for those made before it."""
        for one in (await self._integrations.list_all(tx)).items:
            items = (one.webhook_config or {}).get("items") or ()
            if items:
                scoped = tx.account(one.account_id)
                await self._endpoints.follow_config(scoped, one.id, items, actor=Actor.system("Callout"))

    async def _follow(self, tx: AccountTx, draft: AuditDraft) -> None:
        if draft.action == "integration.deleted":
            rows = await tx.all(
                tx.select(webhook_endpoint.c.id).where(webhook_endpoint.c.integration_id == draft.subject_id)
            )
            await self._endpoints.remove(tx, [row["id"] for row in rows])
            return
        try:
            one = await self._integrations.get(tx, draft.subject_id)
        except NotFoundError:
            return
        items = (one.webhook_config or {}).get("items") or ()
        await self._endpoints.follow_config(tx, one.id, items, actor=draft.actor)

    async def _subject(self, tx: AccountTx, draft: AuditDraft) -> dict[str, Any]:
        """Return what is told of the account or integration: never a setting or a secret of it."""
        told: dict[str, Any] = {"id": draft.subject_id}
        gone = {**told, **{key: draft.data[key] for key in ("name",) if key in draft.data}}
        if draft.subject_type == "account":
            columns = (accounts.c.name, accounts.c.fullname, accounts.c.environment)
            row = await tx.system.one(select(*columns).where(accounts.c.id == draft.subject_id))
            return gone if row is None else {**told, **{str(name): value for name, value in row.items()}}
        told["account_id"] = tx.account_id
        try:
            one = await self._integrations.get(tx, draft.subject_id)
        except NotFoundError:
            return {**gone, "account_id": tx.account_id}
        return {
            **told,
            "name": one.name,
            "fullname": one.fullname,
            "category": one.category,
            "provider_type": one.provider_type,
        }
