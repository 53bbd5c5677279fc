"""The job that learns what a ticketing system asks for, and when a link has it done."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import structlog

from callout.jobs import BudgetUse, Consumer, Lane, NewJob, Settle, Work
from callout.ports.errors import CalloutError
from callout.sync import needs_store
from callout.sync.context import RETRY
from callout.sync.links import LinkStatus
from callout.sync.needs_reading import Reading, read_place

if TYPE_CHECKING:
    from callout.storage import AccountTx, Tx
    from callout.sync.context import SyncContext, Target
    from callout.sync.links import Link

LEARN: Final = "sync.learn_needs"
REPEATED: Final = timedelta(minutes=1)
"""How soon after a reading a refusal leads to another."""
_log = structlog.get_logger(__name__)


def place_of(link: Link, target: Target) -> str:
    """Return the place whose workflow a link's ticket follows."""
    return link.project or target.default_project


def job_of(account_id: str, integration_id: str, project: str) -> NewJob:
    """Return the job that reads one place."""
    payload = {"integration_id": integration_id, "project": project}
    key = f"needs:{integration_id}"
    return NewJob(LEARN, payload, key=key, lane=Lane.BACKFILL, account_id=account_id)


async def after_visit(context: SyncContext, tx: AccountTx, link: Link, target: Target) -> None:
    """Have the workflow of a link's ticket read where nothing is known of it, or not of the status that the ticket has now."""
    base = link.merge.bases.get("status")
    if link.status is not LinkStatus.ACTIVE or base is None:
        return
    place = place_of(link, target)
    known = await needs_store.of_place(tx, target.integration_id, place)
    if known.due(context.clock.now(), status=str(base.theirs).rpartition("|")[0]):
        await _enqueue(context, tx, target.integration_id, place)


async def refused(context: SyncContext, tx: AccountTx, link: Link, target: Target) -> None:
    """Have the workflow read again: it asked for something that nobody knew of."""
    place = place_of(link, target)
    known = await needs_store.of_place(tx, target.integration_id, place)
    if known.tried_at is None or context.clock.now() - known.tried_at > REPEATED:
        await _enqueue(context, tx, target.integration_id, place)


async def _enqueue(context: SyncContext, tx: AccountTx, integration_id: str, project: str) -> None:
    job = job_of(tx.account_id, integration_id, project)
    if job.key not in await context.queue.waiting(tx, [str(job.key)]):
        await context.queue.enqueue_many(tx, [job])


class Learning:
    """Reads workflows, one integration at a time."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    async def learn(self, work: Work) -> Settle | None:
        """Read one place. A vendor that cannot be asked now leaves what was known."""
        account_id, integration_id = work.job.account_id or "", str(work.job.payload["integration_id"])
        target = await work.read(lambda tx: self._context.target(tx.account(account_id), integration_id))
        if target is None:
            return None
        places = list(dict.fromkeys(str(job.payload["project"]) for job in work.jobs))
        readings = {place: await self._read(account_id, target, place) for place in places}
        now = self._context.clock.now()

        async def settle(tx: Tx) -> None:
            await _keep(tx.account(account_id), integration_id, readings, now)

        return settle

    async def _read(self, account_id: str, target: Target, place: str) -> Reading | None:
        try:
            provider = await self._context.provider(account_id, target.integration_id)
            return await read_place(target.mappings(), provider, place, target.default_issue_type)
        except CalloutError as error:
            _log.info("needs_not_read", integration=target.name, place=place, error=error.message)
            return None


async def _keep(
    tx: AccountTx, integration_id: str, readings: dict[str, Reading | None], now: datetime
) -> None:
    for place, reading in readings.items():
        await needs_store.keep(tx, integration_id, place, reading, now)


def consumers(context: SyncContext) -> tuple[Consumer, ...]:
    """Return the consumer that learns, for bootstrap to bind."""
    return (
        Consumer(
            LEARN,
            Learning(context).learn,
            batch=32,
            retry=RETRY,
            timeout=timedelta(seconds=120),
            budget=lambda job: BudgetUse(str(job.payload["integration_id"])),
        ),
    )


__all__ = ["LEARN", "after_visit", "consumers", "job_of", "place_of", "refused"]
