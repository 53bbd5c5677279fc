"""Delivery jobs: one partition per endpoint, in which its deliveries are sent, those about one subject in their order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callout.jobs import NewJob

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from callout.jobs import Queue
    from callout.storage import Tx

DELIVER: Final = "webhooks.deliver"


async def wake(queue: Queue, tx: Tx, endpoint_ids: Iterable[str]) -> None:
    """Have endpoints looked at: something is to be delivered to them."""
    await queue.enqueue_many(
        tx, [NewJob(DELIVER, {"endpoint_id": one}, key=f"deliver:{one}") for one in endpoint_ids]
    )


async def wake_all(
    queue: Queue, tx: Tx, at_once: Iterable[str], later: Iterable[tuple[str, datetime]]
) -> None:
    """Have some endpoints looked at now, and others when something is due; asked twice for one moment, one is looked at once."""
    jobs = [NewJob(DELIVER, {"endpoint_id": one}, key=f"deliver:{one}") for one in at_once]
    jobs += [
        NewJob(
            DELIVER,
            {"endpoint_id": one},
            key=f"deliver:{one}",
            run_at=moment,
            dedupe=f"{one}@{moment.isoformat()}",
        )
        for one, moment in later
    ]
    await queue.enqueue_many(tx, jobs)
