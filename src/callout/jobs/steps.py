"""What a drain does next, and what became of what it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from callout.jobs.consumer import Later
from callout.jobs.model import FencedOut, Lane, RetryLater

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from callout.jobs.consumer import Consumer, Settle, Together, Work
    from callout.jobs.partition import Row, Taken


@dataclass(frozen=True, slots=True)
class Batch:
    """Jobs whose attempt is counted and stored: the handler may be called."""

    consumer: Consumer
    taken: list[Taken]
    lane: Lane
    budget: str | None = None


@dataclass(frozen=True, slots=True)
class Close:
    """The partition has to be closed in a transaction of its own, because its row was busy."""

    blocked_until: int = 0
    waiting_budget: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """The partition is held; what is next in it has to be found out in a transaction of its own."""


Next = Batch | Close | Claim | None


@dataclass(slots=True)
class Outcome:
    """What became of a batch."""

    settle: Settle | Together | None = None
    failed: dict[int, BaseException] = field(default_factory=dict)
    postponed: dict[int, Later] = field(default_factory=dict)


def lane_of(rows: Sequence[Row]) -> Lane:
    """Return how urgent a partition is: what waits behind the head can only come after it, so as the most urgent of them."""
    return Lane(min(row[3] for row in rows))


def side_by_side(rows: Sequence[Row], most: int) -> list[int]:
    """Return which of the due jobs (id, kind, attempts, lane) go together, the first one first.

    A job that failed before goes alone, so that one bad job cannot take its neighbours along a second time.
    """
    number, kind, attempts, _ = rows[0]
    ids: list[int] = [number]
    if not attempts:
        for other, its_kind, its_attempts, _ in rows[1:most]:
            if its_kind != kind or its_attempts:
                break
            ids.append(other)
    return ids


def all_failed(batch: Batch, error: BaseException) -> Outcome:
    """Return the outcome of a batch whose handler raised `error`."""
    ids = [taken.job.id for taken in batch.taken]
    if isinstance(error, RetryLater):
        return Outcome(postponed={number: Later(error.delay, error.count, str(error)) for number in ids})
    return Outcome(failed=dict.fromkeys(ids, error))


def outcome_of(batch: Batch, work: Work, task: asyncio.Task[Settle | Together | None]) -> Outcome:
    """Return what a finished handler left. Raises FencedOut."""
    if task.cancelled():
        limit = batch.consumer.timeout.total_seconds()
        # By the time limit, or from within; given back uncounted, that would be tried for ever without a pause.
        return all_failed(batch, TimeoutError(f"the handler was cancelled, or took longer than {limit:g} s"))
    error = task.exception()
    if isinstance(error, FencedOut):
        raise error
    if error is not None:
        return all_failed(batch, error)
    return Outcome(task.result(), work.failed, work.postponed)
