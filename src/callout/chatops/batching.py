"""Small changes are told together: a thread gets one message for what happened within some seconds, not one each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from callout.chatops.visit import VISIT, partition
from callout.jobs import Consumer, Job, Lane, transactional

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext, Workspace
    from callout.ports.events import EventEnvelope
    from callout.storage import AccountTx, Tx

QUIET: Final = "chat.quiet"
"""The job of one small change that waits: `integration_id`, `incident_id`, `key`, `text`, `at`, `lane`."""
AT_ONCE: Final = 64


async def put(
    context: ChatContext, tx: AccountTx, workspace: Workspace, event: EventEnvelope, *, text: str, lane: Lane
) -> None:
    """Have `text` told at the end of the span of time that is under way, with whatever else comes until then."""
    seconds = workspace.settings.batch_seconds
    now = context.clock.now().timestamp()
    due = datetime.fromtimestamp((now // seconds + 1) * seconds, UTC)
    payload = {
        "integration_id": workspace.integration_id,
        "incident_id": event.subject,
        "key": event.id,
        "text": text,
        "at": event.occurred_at.isoformat(),
        "lane": int(lane),
    }
    await context.queue.enqueue(
        tx,
        QUIET,
        payload,
        key=f"quiet:{workspace.integration_id}:{event.subject}",
        run_at=due,
        lane=lane,
        dedupe=f"{workspace.integration_id}/{event.id}",
    )


def consumer(context: ChatContext) -> Consumer:
    """Return the consumer of small changes: those of one incident that are due become one visit, in the same commit."""

    async def tell(tx: Tx, jobs: Sequence[Job]) -> None:
        first = jobs[0]
        given = first.payload
        text = "\n\n".join(dict.fromkeys(str(job.payload["text"]) for job in jobs))
        payload = {
            "integration_id": given["integration_id"],
            "incident_id": given["incident_id"],
            "update": {"key": given["key"], "text": text},
            "news": "updated",
            "at": given["at"],
        }
        await context.queue.enqueue(
            tx.account(first.account_id or ""),
            VISIT,
            payload,
            key=partition(given["integration_id"], given["incident_id"]),
            lane=Lane(given["lane"]),
            dedupe=f"quiet/{given['integration_id']}/{given['key']}",
        )

    return Consumer(QUIET, transactional(tell), batch=AT_ONCE, timeout=timedelta(seconds=60))
