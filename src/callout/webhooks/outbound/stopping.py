"""Switching an endpoint off by itself: at once when it says that it is gone, else when it has only failed for long; with a notice."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import update

from callout.kit.ids import new_id
from callout.ports.events import EventEnvelope
from callout.ports.values import Actor, Channel, Origin
from callout.webhooks.outbound.endpoints import hold
from callout.webhooks.outbound.model import ORGANIZATION
from callout.webhooks.tables import webhook_endpoint

if TYPE_CHECKING:
    from datetime import datetime

    from callout.audit import Audit
    from callout.jobs import Outbox
    from callout.storage import Tx
    from callout.webhooks.outbound.model import Endpoint

DISABLED_EVENT: Final = "webhook.disabled"
BY_ITSELF: Final = Origin(Channel.SYSTEM, Actor.system("Callout"))
FEWEST: Final = 5
"""So many failures in a row at least: one event a week that fails is no reason."""
_log = structlog.get_logger(__name__)


class Stopping:
    """Judges endpoints. `after`: how long one may fail, with never a success, before it is switched off."""

    def __init__(self, audit: Audit, outbox: Outbox, *, after: timedelta) -> None:
        self._audit = audit
        self._outbox = outbox
        self._after = after

    def reason(self, endpoint: Endpoint, now: datetime, *, gone: bool) -> str:
        """Return why the endpoint is to be switched off now; empty when it is not."""
        if gone:
            return "the endpoint answered 410 Gone"
        since = endpoint.failing_since
        if since is not None and endpoint.failures >= FEWEST and now - since >= self._after:
            hours = (now - since) / timedelta(hours=1)
            return f"every attempt of the last {hours:.0f} hours failed"
        return ""

    async def stop(self, tx: Tx, endpoint: Endpoint, why: str, *, account_id: str) -> None:
        """Switch an endpoint off in the caller's transaction: audit row and event are in the same commit.

        `account_id` is whose event was on its way when it happened; it is told of an endpoint of the whole organization.
        """
        at = endpoint.last_failure_at or endpoint.updated_at
        await tx.execute(
            update(webhook_endpoint)
            .where(webhook_endpoint.c.id == endpoint.id)
            .values(state="disabled", disabled_why=why, disabled_at=at)
        )
        held = await hold(tx, endpoint.id)
        data = {"name": endpoint.name, "why": why, "held": held}
        await self._audit.record(
            tx,
            action="webhook.disabled",
            actor=BY_ITSELF.actor,
            origin=BY_ITSELF,
            subject_type="webhook",
            subject_id=endpoint.id,
            data=data,
            account_id=None if endpoint.account_id == ORGANIZATION else endpoint.account_id,
            integration_id=endpoint.integration_id or None,
            audit_type="ALARM",
        )
        await self._outbox.publish(
            tx,
            EventEnvelope(
                id=new_id(),
                kind=DISABLED_EVENT,
                account_id=account_id if endpoint.account_id == ORGANIZATION else endpoint.account_id,
                subject=endpoint.id,
                occurred_at=at,
                origin=BY_ITSELF,
                data=data,
            ),
        )
        tx.after_commit(
            lambda: _log.error(
                "webhook_disabled",
                webhook=endpoint.name,
                why=why,
                remediation=f"Repair the endpoint, try it with `callout webhook test {endpoint.name}`, then `callout webhook enable`.",
            )
        )
