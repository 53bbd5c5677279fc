"""A worker process for the tests: `python -m tests.jobs.worker_process '{"url": …, "ledger": …}'`.

Handlers: `note` writes a line to the ledger (outside any transaction, as a vendor call is), sleeps as told, and settles with a row
in `effect`; `bulk` writes its rows in the completion's transaction; `suicide` kills the process. Prints `ready`, and with `story`
`accepted N` after each commit of an enqueue. SIGTERM stops it gracefully.
"""

# ruff: noqa: T201  # standard output is how the test hears of it
from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog

from callout.jobs import (
    Consumer,
    Consumers,
    Job,
    Loop,
    Outbox,
    Retry,
    Sequencer,
    Settle,
    Subscription,
    Subscriptions,
    Work,
    Worker,
    WorkerSettings,
    transactional,
)
from callout.jobs.outbox import EventWork
from callout.kit.ids import new_id
from callout.ports.events import EventEnvelope
from callout.ports.values import Actor, ActorKind, Channel, Origin
from callout.storage import Tx, open_database
from tests.jobs.support import Lab, note_effect

SHORT = Retry(first=timedelta(milliseconds=20), cap=timedelta(milliseconds=100), max_attempts=3)


def consumers(ledger: str, *, batch: int = 1, sleep: float = 0.0) -> list[Consumer]:
    """Return the handlers of the tests, all writing to `ledger`."""

    def write(text: str) -> None:
        file = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, text.encode())
        os.close(file)

    async def note(work: Work) -> Settle:
        write(
            "".join(
                f"{job.payload['n']} {job.idempotency_key} {job.attempt} {os.getpid()}\n" for job in work.jobs
            )
        )
        await asyncio.sleep(float(work.job.payload.get("sleep", sleep)))
        jobs = work.jobs

        async def settle(tx: Tx) -> None:
            for job in jobs:
                await note_effect(tx, job.payload["n"], job.key, job.attempt)

        return settle

    async def bulk(tx: Tx, jobs: Sequence[Job]) -> None:
        for job in jobs:
            await note_effect(tx, job.payload["n"], job.key, job.attempt)

    async def suicide(work: Work) -> None:
        write(f"{work.job.payload['n']} {work.job.idempotency_key} {work.job.attempt} {os.getpid()}\n")
        os.kill(os.getpid(), signal.SIGKILL)

    return [
        Consumer("note", note, batch=batch, retry=SHORT if batch == 1 else Retry(max_attempts=50)),
        Consumer("bulk", transactional(bulk), batch=batch, retry=Retry(max_attempts=50)),
        Consumer("suicide", suicide, retry=SHORT),
    ]


async def on_event(event: EventEnvelope, work: EventWork) -> Settle:
    """Handle an event by one database effect."""

    async def settle(tx: Tx) -> None:
        await note_effect(tx, int(event.data["n"]), event.subject, work.job.attempt)

    return settle


def subscriptions() -> Subscriptions:
    """Return the subscriptions of the tests."""
    bound = Subscriptions()
    bound.bind(Subscription("test-events", "test.*", on_event))
    return bound


async def tell_story(lab: Lab, outbox: Outbox) -> None:
    """Accept some work of each sort, one commit each: three jobs of one key, a timer, an event."""
    for n in (1, 2, 3):
        await lab.enqueue("note", {"n": n}, key="story")
        print(f"accepted {n}", flush=True)
    await lab.enqueue("note", {"n": 4}, run_at=datetime.now(UTC) + timedelta(milliseconds=100))
    print("accepted 4", flush=True)
    event = EventEnvelope(
        new_id(),
        "test.told",
        "default",
        "r1",
        datetime.now(UTC),
        Origin(Channel("system"), Actor(ActorKind("system"), "test")),
        {"n": 5},
    )

    async def publish(tx: Tx) -> None:
        await outbox.publish(tx, event)

    await lab.database.transaction(publish)
    print("accepted 5", flush=True)


async def main(options: dict[str, Any]) -> None:
    """Run until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    database = await open_database(options["url"])
    lab = Lab(database)
    bound = subscriptions()
    settings = WorkerSettings(
        concurrency=options.get("concurrency", 4),
        takeover=timedelta(seconds=options.get("takeover", 1.0)),
        grace=timedelta(seconds=options.get("grace", 5.0)),
        sweep_seconds=0.2,
    )
    handlers = consumers(options["ledger"], batch=options.get("batch", 1), sleep=options.get("sleep", 0.0))
    sequencer = Sequencer(database)
    worker = Worker(
        database,
        lab.engine,
        Consumers([*handlers, *bound.consumers(retry=SHORT)]),
        lab.budgets,
        settings=settings,
        loops=[Loop("sequencer", sequencer.turn)],
    )
    print("ready", flush=True)
    if options["story"]:
        await asyncio.gather(worker.run(stop), tell_story(lab, Outbox(lab.queue, bound)))
    else:
        await worker.run(stop)
    await database.close()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(main(json.loads(sys.argv[1])))
