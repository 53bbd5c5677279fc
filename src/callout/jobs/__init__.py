"""Durable work: jobs enqueued in the caller's transaction, done at least once, in order per key, on SQLite and PostgreSQL.

A job is an item of a *partition* (its key; a job without key is a partition of its own). A worker *drains* a partition: it counts
the attempt, calls the handler with no transaction open, and stores the result under a fencing token. The engine below only says
"drain partition X soon, at least once" (see `docs/decisions/0008-thin-engine.md`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.jobs.admin import JobAdmin
from callout.jobs.budgets import Budgets, BudgetUse, Explanation, Limits, Refusal
from callout.jobs.consumer import Consumer, Consumers, Settle, Together, Work, transactional
from callout.jobs.engine import Engine
from callout.jobs.model import DeadJob, FencedOut, Job, JobsError, Lane, NewJob, Retry, RetryLater
from callout.jobs.outbox import Outbox, Sequencer, Subscription, Subscriptions, events_since
from callout.jobs.queue import Queue
from callout.jobs.quotas import Grant, Quota, Quotas, Told
from callout.jobs.schedules import Schedule, Schedules
from callout.jobs.worker import Loop, Worker, WorkerSettings

if TYPE_CHECKING:
    from callout.storage import Database

__all__ = [
    "BudgetUse",
    "Budgets",
    "Consumer",
    "Consumers",
    "DeadJob",
    "Engine",
    "Explanation",
    "FencedOut",
    "Grant",
    "Job",
    "JobAdmin",
    "JobsError",
    "Lane",
    "Limits",
    "Loop",
    "NewJob",
    "Outbox",
    "Queue",
    "Quota",
    "Quotas",
    "Refusal",
    "Retry",
    "RetryLater",
    "Schedule",
    "Schedules",
    "Sequencer",
    "Settle",
    "Subscription",
    "Subscriptions",
    "Together",
    "Told",
    "Work",
    "Worker",
    "WorkerSettings",
    "events_since",
    "open_engine",
    "transactional",
]


def open_engine(database: Database) -> Engine:
    """Return the engine that fits `database`: the embedded one on SQLite, Procrastinate on PostgreSQL."""
    if database.dialect == "sqlite":
        from callout.jobs.embedded import EmbeddedEngine  # noqa: PLC0415

        return EmbeddedEngine(database)  # type: ignore[arg-type]
    from callout.jobs.procrastinate import ProcrastinateEngine  # noqa: PLC0415  # an optional extra

    return ProcrastinateEngine(database)  # type: ignore[arg-type]
