"""An integration that is switched on again: its links are looked at, since nobody did while it was off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from callout.incidents.tables import incident
from callout.integrations.tables import integrations
from callout.jobs import Lane, NewJob
from callout.ports.values import Status
from callout.sync.links import LinkStatus, partition
from callout.sync.reactions import VISIT
from callout.sync.tables import sync_link

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from callout.audit.record import AuditDraft
    from callout.jobs import Queue
    from callout.storage import Tx

_ALIVE = (LinkStatus.CREATING.value, LinkStatus.ATTACHING.value, LinkStatus.ACTIVE.value)


def audited(queue: Queue) -> Callable[[Tx, str | None, AuditDraft], Coroutine[Any, Any, None]]:
    """Return what hears from the audit, in the same commit, that an integration is on again."""

    async def hear(tx: Tx, account_id: str | None, draft: AuditDraft) -> None:
        if draft.action == "integration.updated" and "enabled" in draft.data.get("changed", ()):
            await _visit_all(tx, queue, account_id, draft.subject_id)

    return hear


async def _visit_all(tx: Tx, queue: Queue, account_id: str | None, integration_id: str) -> None:
    """Ask for a visit of the links of incidents that are not closed, and of those whose ticket is still to be made."""
    on = select(integrations.c.enabled).where(integrations.c.id == integration_id)
    if not await tx.scalar(on):
        return
    making = sync_link.c.state != LinkStatus.ACTIVE.value
    query = (
        select(sync_link.c.id)
        .join(incident, incident.c.id == sync_link.c.incident_id)
        .where(
            sync_link.c.integration_id == integration_id,
            sync_link.c.state.in_(_ALIVE),
            or_(incident.c.status != Status.CLOSED.value, making),
        )
    )
    rows = await tx.all(query)
    await queue.enqueue_many(
        tx,
        [
            NewJob(
                VISIT,
                {"link_id": row["id"], "integration_id": integration_id, "reason": "switched on"},
                key=partition(row["id"]),
                lane=Lane.BACKFILL,
                account_id=account_id,
            )
            for row in rows
        ],
    )


__all__ = ["audited"]
