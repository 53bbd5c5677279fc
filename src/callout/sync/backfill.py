"""Tickets of the past taken over by the accept rules: asked for by an operator, read in parts side by side, a page to a commit.

What is left to read is in the jobs: each page's job ends with the commit that makes its incidents and enqueues the next page, so a
killed worker loses nothing and does nothing twice. All of it waits in the lane of backfills, behind what happens now.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import structlog

from callout.audit import AuditDraft
from callout.jobs import BudgetUse, Consumer, Job, Lane, NewJob, RetryLater, Settle, Work
from callout.kit.ids import new_id
from callout.kit.lanes import in_lane
from callout.ports.errors import (
    CalloutError,
    ConflictError,
    ConnectorError,
    InvalidRequestError,
    NotFoundError,
    RateLimitedError,
)
from callout.ports.history import PastScope, PastTicket, SupportsPast
from callout.ports.ticketing import TicketFilter, TicketOrder, TicketQuery
from callout.storage.schema import micros
from callout.sync import links
from callout.sync.context import RETRY, SyncContext, Target
from callout.sync.importing import import_tickets
from callout.sync.links import SyncProblem
from callout.sync.making import ReadTicket, is_ours
from callout.sync.reactions import VISIT
from callout.sync.read_ahead import Page, ReadAhead
from callout.sync.rules import accepting_rule, accepts, may_accept_done, projects_named
from callout.sync.tables import sync_backfill

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from callout.ports.provider import TicketingProvider
    from callout.ports.values import Origin
    from callout.storage import AccountTx, Tx

PLAN: Final = "sync.backfill"
PAGE: Final = "sync.backfill_page"
STARTED: Final = "backfill.started"
STOPPED: Final = "backfill.stopped"
"""Audit rows: what a person did. What came of it is in the rows of the pages, `incidents.imported`, which name the backfill."""
PARTS: Final = 4
"""Read side by side, as far as the vendor's budget lets backfills."""
PAGE_SIZE: Final = 100
WAIT_FIRST: Final = timedelta(seconds=2)
WAIT_MOST: Final = timedelta(minutes=5)
_COUNT = (
    "UPDATE sync_backfill SET seen = seen + {0}, made = made + {1}, known = known + {2}, parts_left = parts_left - {3},"
    " problem = NULL, updated_at = {4} WHERE id = {5} AND account_id = {6} RETURNING parts_left"
)
_COUNT_SQLITE: Final = _COUNT.format(*"???????")
_COUNT_POSTGRES: Final = _COUNT.format(*(f"${place}" for place in range(1, 8)))
_log = structlog.get_logger(__name__)


class BackfillState(StrEnum):
    """How a backfill stands."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """A person ended it. What was taken over by then stays."""
    FAILED = "failed"
    """Something that time cannot heal; `problem` says what."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """One taking over of the past. `total` is about how many tickets there are to look at, None until that is known."""

    id: str
    integration_id: str
    state: BackfillState
    since: datetime | None
    total: int | None
    seen: int
    made: int
    known: int
    begun_at: datetime
    ended_at: datetime | None
    problem: SyncProblem | None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "id": self.id,
            "integration_id": self.integration_id,
            "state": self.state.value,
            "since": self.since and self.since.isoformat(),
            "total": self.total,
            "seen": self.seen,
            "made": self.made,
            "known": self.known,
            "left_alone": self.seen - self.made - self.known,
            "begun_at": self.begun_at.isoformat(),
            "ended_at": self.ended_at and self.ended_at.isoformat(),
            "problem": self.problem and self.problem.to_json(),
        }


class Backfills:
    """What operators do with backfills, in the caller's transaction; calls no vendor."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    async def start(
        self, tx: AccountTx, name: str, origin: Origin, *, since: datetime | None = None
    ) -> Backfill:
        """Begin one for the integration of that name or id; the audit says who asked for it.

        Raises NotFoundError, InvalidRequestError, ConflictError.
        """
        target = await self._target(tx, name)
        if not accepts(target.settings):
            raise InvalidRequestError(
                f"{target.name} makes no incidents of tickets",
                fields={"/sync/accept": "missing"},
                remediation='Say which ones by accept rules first: callout integration set NAME --settings \'{"sync": {"accept": …}}\'.',
            )
        latest = await self.latest(tx, name)
        if latest is not None and latest.state is BackfillState.RUNNING:
            raise ConflictError(
                f"a backfill of {target.name} is running already",
                remediation=f"Watch it: callout integration backfill {target.name}",
            )
        now = self._context.clock.now()
        row = {
            "id": new_id(),
            "integration_id": target.integration_id,
            "state": BackfillState.RUNNING.value,
            "since": since,
            "total": None,
            "parts_left": 0,
            "seen": 0,
            "made": 0,
            "known": 0,
            "problem": None,
            "begun_at": now,
            "updated_at": now,
            "ended_at": None,
        }
        await tx.execute(tx.insert(sync_backfill).values(**row))
        payload = {"backfill_id": row["id"], "integration_id": target.integration_id}
        await self._context.queue.enqueue(
            tx, PLAN, payload, key=f"backfill:{target.integration_id}", lane=Lane.BACKFILL
        )
        begun = await self.get(tx, str(row["id"]))
        told = {"integration": target.name, "since": since and since.isoformat()}
        await self._audit(tx, STARTED, begun, origin, told)
        return begun

    async def stop(self, tx: AccountTx, name: str, origin: Origin) -> Backfill:
        """End the one that runs; what was taken over stays, and the audit says who ended it. Raises NotFoundError."""
        latest = await self.latest(tx, name)
        if latest is None or latest.state is not BackfillState.RUNNING:
            raise NotFoundError(f"no backfill of {name[:60]} is running")
        await _end(tx, latest.id, BackfillState.STOPPED, self._context.clock.now())
        told = {"seen": latest.seen, "made": latest.made}
        await self._audit(tx, STOPPED, latest, origin, told)
        return await self.get(tx, latest.id)

    async def _audit(
        self, tx: AccountTx, action: str, one: Backfill, origin: Origin, data: dict[str, Any]
    ) -> None:
        draft = AuditDraft(
            action,
            origin.actor,
            "backfill",
            one.id,
            origin=origin,
            data=data,
            integration_id=one.integration_id,
        )
        await self._context.incidents.scribe.audit(tx, draft)

    async def latest(self, tx: AccountTx, name: str) -> Backfill | None:
        """Return the newest one of an integration, or None. Raises NotFoundError for an unknown integration."""
        target = await self._target(tx, name)
        newest = (
            tx.select(sync_backfill)
            .where(sync_backfill.c.integration_id == target.integration_id)
            .order_by(sync_backfill.c.begun_at.desc(), sync_backfill.c.id.desc())
        )
        row = await tx.one(newest.limit(1))
        return None if row is None else _of(row)

    async def get(self, tx: AccountTx, backfill_id: str) -> Backfill:
        """Return one by id. Raises NotFoundError."""
        row = await tx.one(tx.select(sync_backfill).where(sync_backfill.c.id == backfill_id))
        if row is None:
            raise NotFoundError(f"there is no backfill {backfill_id[:40]!r}")
        return _of(row)

    async def _target(self, tx: AccountTx, name: str) -> Target:
        targets = await self._context.targets(tx)
        for target in targets:
            if name in {target.name, target.integration_id}:
                return target
        names = ", ".join(target.name for target in targets) or "none"
        raise NotFoundError(
            f"there is no ticketing integration {name[:60]!r}", remediation=f"There are: {names}."
        )


class BackfillWork:
    """Does them."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self._ahead = ReadAhead()

    async def plan(self, work: Work) -> Settle | None:
        """Cut the past into parts and enqueue the first page of each. Raises RetryLater when that cannot be asked now."""
        found = await self._running(work)
        if found is None:
            return None
        backfill, target = found
        scope = PastScope(
            backfill.since,
            open_only=not may_accept_done(target.settings),
            projects=projects_named(target.settings),
        )
        total: int | None = None
        cursors: Sequence[str] = ("",)
        try:
            provider = await self._context.provider(target.account_id, target.integration_id)
            if isinstance(provider, SupportsPast):
                # A dozen small calls at most, for which an operator waits; what they lead to stands behind everything else.
                with in_lane(Lane.NORMAL):
                    plan = await provider.plan_past(scope, parts=PARTS)
                cursors, total = plan.parts, plan.total
        except CalloutError as error:
            return await self._trouble(work, target, backfill, error)
        jobs = [_page(work.job, number, cursor) for number, cursor in enumerate(cursors)]
        if cursors:  # one alone: the other parts are mostly taken by whoever has nothing to do
            reading = self._read(provider, cursors[0], backfill, comments=target.mappings().comments.inbound)
            self._ahead.begin((backfill.id, 0), cursors[0], reading)

        async def settle(tx: Tx) -> None:
            scoped, now = tx.account(target.account_id), self._context.clock.now()
            await scoped.execute(
                scoped.update(sync_backfill)
                .where(sync_backfill.c.id == backfill.id)
                .values(total=total, parts_left=len(jobs), updated_at=now)
            )
            await self._context.queue.enqueue_many(scoped, jobs)
            if not jobs:
                await _end(scoped, backfill.id, BackfillState.DONE, now)

        return settle

    async def page(self, work: Work) -> Settle | None:
        """Take one page over. Raises RetryLater when it cannot be read now."""
        found = await self._running(work)
        key = (str(work.job.payload["backfill_id"]), int(work.job.payload["part"]))
        if found is None:
            self._ahead.drop(key)
            return None
        backfill, target = found
        mappings = target.mappings()
        cursor, comments = str(work.job.payload["cursor"]), mappings.comments.inbound
        try:
            ahead = await self._ahead.take(key, cursor)
            provider = await self._context.provider(target.account_id, target.integration_id)
            tickets, following = ahead or await self._read(provider, cursor, backfill, comments=comments)
        except CalloutError as error:
            return await self._trouble(work, target, backfill, error)
        if following:  # read while this page is stored
            self._ahead.begin(key, following, self._read(provider, following, backfill, comments=comments))
        cause = f"backfill:{backfill.id}"
        reads: list[ReadTicket] = []
        uncommented: set[str] = set()
        for one in tickets:
            rule = accepting_rule(one.ticket, target.settings, mappings)
            if rule is not None and not is_ours(one.ticket):
                reads.append(ReadTicket(one.ticket, one.comments or (), rule, cause))
                if one.comments is None and mappings.comments.inbound:
                    uncommented.add(one.ticket.id)

        async def settle(tx: Tx) -> None:
            scoped = tx.account(target.account_id)
            made = await import_tickets(self._context, scoped, target, reads, cause=cause)
            await self._comments_later(scoped, target, made & uncommented)
            if following:
                await self._context.queue.enqueue_many(
                    scoped, [_page(work.job, work.job.payload["part"], following)]
                )
            await self._count(
                scoped, backfill.id, len(tickets), len(made), len(reads) - len(made), ended=not following
            )

        return settle

    async def _read(
        self, provider: TicketingProvider, cursor: str, backfill: Backfill, *, comments: bool
    ) -> Page:
        if isinstance(provider, SupportsPast):
            past = await provider.read_past(cursor, comments=comments)
            return past.tickets, past.cursor
        since = backfill.since
        changed = (TicketFilter("updated_at", "gte", (since.isoformat(),)),) if since else ()
        page = await provider.query_tickets(
            TicketQuery(changed, (TicketOrder("created_at"),), PAGE_SIZE, cursor)
        )
        return [PastTicket(ticket) for ticket in page.items], page.cursor

    async def _comments_later(self, tx: AccountTx, target: Target, ticket_ids: set[str]) -> None:
        """Have comments read that did not come with their tickets, each by a visit."""
        linked = await links.of_tickets(tx, target.integration_id, sorted(ticket_ids)) if ticket_ids else {}
        jobs = [
            NewJob(
                VISIT,
                {
                    "link_id": link_id,
                    "integration_id": target.integration_id,
                    "reason": "taken over",
                    "comments": True,
                },
                key=links.partition(link_id),
                lane=Lane.BACKFILL,
            )
            for link_id in linked.values()
        ]
        await self._context.queue.enqueue_many(tx, jobs)

    async def _count(
        self, tx: AccountTx, backfill_id: str, seen: int, made: int, known: int, *, ended: bool
    ) -> None:
        """Add a page to what can be seen; last of all, since pages of other parts wait for this row."""
        now = self._context.clock.now()
        values = (seen, made, known, int(ended), micros(now), backfill_id, tx.account_id)
        rows = await tx.system.driver_all(_COUNT_SQLITE, _COUNT_POSTGRES, values)
        if ended and rows and rows[0][0] == 0:
            await _end(tx, backfill_id, BackfillState.DONE, now)

    async def _running(self, work: Work) -> tuple[Backfill, Target] | None:
        """Return the backfill of a job and its integration, unless it was ended or there is nothing left to do it by."""
        account_id, payload = work.job.account_id or "", work.job.payload

        async def read(tx: Tx) -> tuple[Backfill, Target] | None:
            scoped = tx.account(account_id)
            backfill = await Backfills(self._context).get(scoped, str(payload["backfill_id"]))
            target = await self._context.target(scoped, str(payload["integration_id"]))
            if backfill.state is not BackfillState.RUNNING or target is None:
                return None
            return backfill, target

        return await work.read(read)

    async def _trouble(self, work: Work, target: Target, backfill: Backfill, error: CalloutError) -> Settle:
        """Show what is wrong; put the page off, longer with its age, or end it all where time cannot heal it. Raises RetryLater."""
        _log.warning("backfill_trouble", integration=target.name, code=error.code, error=error.message)
        now = self._context.clock.now()
        problem = SyncProblem.of(error, now).to_json()
        told = error.retry_after if isinstance(error, ConnectorError) else None

        async def show(tx: Tx) -> None:
            scoped = tx.account(target.account_id)
            await scoped.execute(
                scoped.update(sync_backfill)
                .where(sync_backfill.c.id == backfill.id)
                .values(problem=problem, updated_at=now)
            )
            if error.permanent:
                await _end(scoped, backfill.id, BackfillState.FAILED, now)
            if isinstance(error, RateLimitedError) and told is not None:
                await self._context.slow_down(tx, target.integration_id, told)

        if error.permanent:
            return show
        await work.transaction(show)
        wait = told or min(max(WAIT_FIRST, (now - work.job.enqueued_at) / 2), WAIT_MOST)
        raise RetryLater(wait, reason=f"{error.code}: {error.message}", count=False) from error


def _page(job: Job, part: int, cursor: str) -> NewJob:
    payload = {
        "backfill_id": job.payload["backfill_id"],
        "integration_id": job.payload["integration_id"],
        "part": part,
        "cursor": cursor,
    }
    key = f"backfill:{payload['backfill_id']}:{part}"
    return NewJob(PAGE, payload, key=key, lane=Lane.BACKFILL, account_id=job.account_id)


async def _end(tx: AccountTx, backfill_id: str, state: BackfillState, now: datetime) -> None:
    await tx.execute(
        tx.update(sync_backfill)
        .where(sync_backfill.c.id == backfill_id, sync_backfill.c.state == BackfillState.RUNNING.value)
        .values(state=state.value, ended_at=now, updated_at=now)
    )


def _of(row: RowMapping) -> Backfill:
    problem = row["problem"]
    return Backfill(
        id=row["id"],
        integration_id=row["integration_id"],
        state=BackfillState(row["state"]),
        since=row["since"],
        total=row["total"],
        seen=row["seen"],
        made=row["made"],
        known=row["known"],
        begun_at=row["begun_at"],
        ended_at=row["ended_at"],
        problem=None if problem is None else SyncProblem.from_json(problem),
    )


def consumers(context: SyncContext) -> tuple[Consumer, ...]:
    """Return the consumers of backfills, for bootstrap to bind."""
    work = BackfillWork(context)

    def budget(job: Job) -> BudgetUse:
        return BudgetUse(str(job.payload["integration_id"]))

    # A page that takes its worker along is tried often enough that a series of restarts does not end the whole.
    retry, patience = replace(RETRY), timedelta(seconds=120)
    return (
        Consumer(PLAN, work.plan, retry=retry, timeout=patience, budget=budget),
        # A part stays with the worker that reads ahead for it, instead of going to the end of the queue each second, and to another one,
        # who would read the page once more. How many run is for the budget to say.
        Consumer(PAGE, work.page, retry=retry, timeout=patience, budget=budget, apart=True),
    )


__all__ = ["PAGE", "PLAN", "Backfill", "BackfillState", "Backfills", "consumers"]
