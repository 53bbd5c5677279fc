"""The jobs behind clocks and escalations: each looks again, in its own commit, whether what it was set for still holds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from callout.incidents.escalation.service import TIMER as STEP
from callout.incidents.sla.service import TIMER as CLOCK
from callout.jobs import Consumer, Retry, RetryLater, Settle, Work
from callout.ports.errors import NotFoundError
from callout.storage.schema import from_micros

if TYPE_CHECKING:
    from callout.incidents.escalation.service import Escalations
    from callout.incidents.sla.service import ServiceLevels
    from callout.kit.clock import Clock
    from callout.storage import Tx

PATIENCE: Final = Retry(
    first=timedelta(seconds=1), cap=timedelta(minutes=1), max_attempts=100, deadline=timedelta(hours=24)
)
REVIVED_AFTER: Final = timedelta(hours=1)
"""A timer whose work failed until it was given up is tried again so much later: an incident must not wait for its escalation for ever."""
KINDS: Final = (CLOCK, STEP)


def consumers(clock: Clock, levels: ServiceLevels, escalations: Escalations) -> list[Consumer]:
    """Return the consumers of the timers, to be registered with the worker."""

    def not_early(work: Work) -> None:
        early = from_micros(int(work.job.payload["at"])) - clock.now()
        if early > timedelta():
            raise RetryLater(early, reason="the machine's clock was set back", count=False)

    async def clock_due(work: Work) -> Settle:
        job = work.job
        not_early(work)

        async def settle(tx: Tx) -> None:
            try:
                await levels.due(tx.account(job.account_id or ""), str(job.payload["incident_id"]))
            except NotFoundError:
                return  # the incident was erased

        return settle

    async def step_due(work: Work) -> Settle:
        job, payload = work.job, work.job.payload
        not_early(work)

        async def settle(tx: Tx) -> None:
            try:
                await escalations.step_due(
                    tx.account(job.account_id or ""),
                    str(payload["incident_id"]),
                    int(payload["generation"]),
                    int(payload["position"]),
                )
            except NotFoundError:
                return

        return settle

    return [Consumer(CLOCK, clock_due, retry=PATIENCE), Consumer(STEP, step_due, retry=PATIENCE)]


__all__ = ["CLOCK", "KINDS", "REVIVED_AFTER", "STEP", "consumers"]
