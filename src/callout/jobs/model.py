"""What a job is, and what can become of it.

JobsError
├── FencedOut        another worker took the partition over: stop, and write nothing more
└── RetryLater       raised by a handler: not now, again after `delay`

Any other exception of a handler is a failed attempt; one whose `permanent` attribute is true makes a dead letter at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from callout.kit.lanes import Lane
from callout.kit.retry import Backoff as Retry


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work, as its handler sees it.

    `attempt` counts from 1 and was stored before the handler was called. `idempotency_key` is the same in every attempt.
    """

    id: int
    kind: str
    key: str | None
    payload: Mapping[str, Any]
    attempt: int
    idempotency_key: str
    account_id: str | None
    lane: Lane
    enqueued_at: datetime
    trace: str | None = None
    """Which spans asked for it (`kit.tracing`)."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """One piece of work to enqueue; the fields are those of :meth:`Queue.enqueue <callout.jobs.queue.Queue.enqueue>`."""

    kind: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    run_at: datetime | None = None
    dedupe: str | None = None
    lane: Lane = Lane.NORMAL
    account_id: str | None = None
    trace: str | None = None
    """Which spans ask for it, where it is not the current one (`kit.tracing`)."""
    only_where: str = ""
    """SQL that is true of the account named `{account}` where there is anything to do; asked as the job is stored. A constant, one
    for each kind."""


@dataclass(frozen=True, slots=True)
class DeadJob:
    """A job that nobody tries any more, until an operator replays or discards it.

    `blocking` is true when it still holds up the later jobs of its partition.
    """

    id: int
    kind: str
    key: str | None
    payload: Mapping[str, Any]
    attempts: int
    idempotency_key: str
    account_id: str | None
    enqueued_at: datetime
    dead_at: datetime
    error: str
    blocking: bool


Poison = Literal["park", "block"]


class JobsError(Exception):
    """Base of what this package raises on purpose."""


class FencedOut(JobsError):  # noqa: N818  # the established word for it
    """Another worker has taken this partition over; nothing of the transaction was stored."""


class RetryLater(JobsError):  # noqa: N818  # an instruction to the queue, not a fault
    """Raised by a handler: run the job again after `delay`; with `count=False` this was no attempt (a budget, a pause)."""

    def __init__(self, delay: timedelta, *, reason: str = "", count: bool = True) -> None:
        super().__init__(reason or f"asked to be run again in {delay.total_seconds():g} s")
        self.delay = delay
        self.count = count


__all__ = [
    "DeadJob",
    "FencedOut",
    "Job",
    "JobsError",
    "Lane",
    "NewJob",
    "Poison",
    "Retry",
    "RetryLater",
]
