"""Trouble with the other side: shown on the link and the timeline, left alone for a while, tried again beside what comes in."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from callout.jobs import Job, Settle, Work
from callout.ports.errors import (
    CalloutError,
    ConnectorError,
    RateLimitedError,
    RecordNotFoundError,
    RejectedError,
)
from callout.ports.values import Actor, Channel, Origin
from callout.sync import links, remedies
from callout.sync.context import SyncContext, Target
from callout.sync.links import Link, LinkStatus, SyncProblem
from callout.sync.outcomes import begun_before, surely_not_done
from callout.sync.reactions import VISIT

if TYPE_CHECKING:
    from callout.storage import AccountTx, Tx

WAIT_FIRST = timedelta(seconds=1)
WAIT_MOST = timedelta(minutes=5)
_log = structlog.get_logger(__name__)


def system_origin(link: Link) -> Origin:
    """Return the origin of what sync itself writes on a timeline."""
    return Origin(
        Channel.SYNC, Actor.system("Callout sync"), integration_id=link.integration_id, link_id=link.id
    )


def with_comments(jobs: Sequence[Job]) -> bool:
    """Return whether one of the visits asked for the ticket's comments."""
    return any(job.payload.get("comments") for job in jobs)


class Troubles:
    """What a visit does when the vendor, or an error of its values, keeps it from its work."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    def settle(self, work: Work, account_id: str, link: Link, target: Target, error: CalloutError) -> Settle:
        """Return the unit that ends the visit: the trouble is recorded and, where time can heal it, another visit is set.

        The other visit is a job of its own: one that waited at the head of the partition would hold up what comes from there.
        """
        now = self._context.clock.now()
        failures = link.failures + 1
        retry_at = None if error.permanent else now + _wait(error, failures)

        async def unit(tx: Tx) -> None:
            scoped = tx.account(account_id)
            await self._record(scoped, link, target, error, now=now, failures=failures, retry_at=retry_at)
            if retry_at is not None:
                await self.visit_at(scoped, work, link.id, retry_at)

        _log.warning(
            "sync_trouble", link_id=link.id, integration=target.name, code=error.code, error=error.message
        )
        return unit

    async def visit_at(
        self, tx: AccountTx, work: Work, link_id: str, moment: datetime, *, dedupe: str | None = None
    ) -> None:
        """Set one visit in the place of those at hand, not before `moment`."""
        payload = {**work.job.payload, "comments": with_comments(work.jobs)}
        await self._context.queue.enqueue(
            tx,
            VISIT,
            payload,
            key=links.partition(link_id),
            run_at=moment,
            dedupe=dedupe,
            lane=work.lane,
        )

    async def _record(
        self,
        tx: AccountTx,
        link: Link,
        target: Target,
        error: CalloutError,
        *,
        now: datetime,
        failures: int,
        retry_at: datetime | None,
    ) -> None:
        current = await links.load(tx, link.id, lock=True)
        known = current.problem
        problem = SyncProblem.of(error, now)
        if isinstance(error, RejectedError):
            remedy = await remedies.by_hand(self._context, tx, current, target, error)
            problem = replace(problem, remediation=f"{problem.remediation} {remedy}".strip())
        if known is None or (known.code, known.message) != (problem.code, problem.message):
            data = {**problem.to_json(), "ticket": current.ticket_key, "integration": target.name}
            await self._context.incidents.add_entry(
                tx, current.incident_id, "sync_problem", data, system_origin(current)
            )
        else:
            problem = replace(problem, since=known.since)
        if isinstance(error, RateLimitedError) and error.retry_after is not None:
            await self._context.slow_down(tx.system, link.integration_id, error.retry_after)
        begun = current.create_begun_at
        if current.status is LinkStatus.CREATING and begun != link.create_begun_at:
            # This visit asked for it. The vendor said no: nothing has to be searched for before the next attempt.
            begun = link.create_begun_at if surely_not_done(error) else begun_before(now)
        gone = isinstance(error, RecordNotFoundError) and current.status is LinkStatus.ACTIVE
        changed = replace(
            current,
            problem=problem,
            failures=failures,
            retry_at=retry_at,
            create_begun_at=begun,
            status=LinkStatus.GONE if gone else current.status,
        )
        await links.save(tx, changed, now)


def _wait(error: CalloutError, failures: int) -> timedelta:
    """Return how long to leave the other side alone: what it asked for, else longer with every failure, never in step with others."""
    if isinstance(error, ConnectorError) and error.retry_after is not None:
        return error.retry_after
    longest: timedelta = min(WAIT_FIRST * (1 << min(failures - 1, 10)), WAIT_MOST)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311  # spreading load, not guarding anything
