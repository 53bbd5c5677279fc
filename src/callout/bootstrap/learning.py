"""Which integrations are to be asked again what their tickets' moves need: the new, the changed, and those read a day ago."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from callout.jobs import Consumer, Job, NewJob, transactional
from callout.sync import learning, needs_store

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.storage import Tx

LEARN_ALL: Final = "sync.learn_all_needs"
LEARN_EVERY: Final = timedelta(minutes=1)


def learning_consumers(core: Core) -> tuple[Consumer, ...]:
    """Return the consumer of the look for integrations that are due."""

    async def look(tx: Tx, _jobs: Sequence[Job]) -> None:
        now = core.clock.now()
        jobs: list[NewJob] = []
        everywhere = await needs_store.everywhere(tx)
        for one in await core.integrations.unopened(tx, "ticketing"):
            place = str(one.provider_config.get("default_project") or "")
            known = everywhere.get((one.id, place), needs_store.Known(place))
            if known.due(now, changed_at=one.updated_at):
                jobs.append(learning.job_of(one.account_id, one.id, place))
        busy = await core.queue.waiting(tx, [str(job.key) for job in jobs])
        await core.queue.enqueue_many(tx, [job for job in jobs if job.key not in busy])

    return (Consumer(LEARN_ALL, transactional(look), batch=64),)


__all__ = ["LEARN_ALL", "LEARN_EVERY", "learning_consumers"]
