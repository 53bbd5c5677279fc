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


async def wake_at(queue: Queue, tx: Tx, endpoint_id: str, moment: datetime) -> None:
    """Have an endpoint looked at when something is due; asked twice for one moment, it is looked at once."""
    await queue.enqueue(
        tx,
        DELIVER,
        {"endpoint_id": endpoint_id},
        key=f"deliver:{endpoint_id}",
        run_at=moment,
        dedupe=f"{endpoint_id}@{moment.isoformat()}",
    )
