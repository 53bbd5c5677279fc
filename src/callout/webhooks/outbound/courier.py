"""Delivering: what is due for one endpoint is sent side by side, each subject in its order, and every attempt is stored.

One job drains one endpoint, apart from the worker's other work: a slow or dead endpoint holds up nobody but itself. What many
endpoints have to read and to store at one moment is read and stored together. A delivery is stored as done only after the answer; a
worker that is killed in between leaves it to the next, which sends it again under the same `webhook-id`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter

from callout.jobs import Consumer, Retry, RetryLater, Together, Work
from callout.kit import tracing
from callout.kit.crash import crash_point
from callout.storage.group import GroupCommit
from callout.webhooks.outbound.ledger import Due, Ledger, Look, Round
from callout.webhooks.outbound.model import Endpoint
from callout.webhooks.outbound.queue import DELIVER, wake_all
from callout.webhooks.outbound.routing import body_of
from callout.webhooks.outbound.sending import Outcome, Places, Sender, SenderClosedError, files_allowed
from callout.webhooks.outbound.signing import signed_headers

if TYPE_CHECKING:
    from callout.jobs import Queue
    from callout.kit.clock import Clock
    from callout.storage import Database, Tx
    from callout.webhooks.outbound.endpoints import Endpoints
    from callout.webhooks.outbound.stopping import Stopping

SIDE_BY_SIDE: Final = 32
"""Requests to one endpoint at a time, at most; it begins with two, and doubles while they go well."""
SLICE_SECONDS: Final = 5.0
"""After so long a busy endpoint's job makes place for its next one: what was done is then told apart from what is to do."""
_SLOW_SECONDS: Final = 0.5
_ANOTHER: Final = timedelta(seconds=1)
"""When what is left here is looked at by another process."""
_BATCH: Final = 64

attempts_total = Counter("callout_deliveries_attempts_total", "Requests to webhook endpoints", ["outcome"])
_counted = {name: attempts_total.labels(name) for name in ("delivered", "refused", "no_answer")}


class Courier:
    """Sends deliveries. One of it per process."""

    def __init__(
        self,
        database: Database,
        endpoints: Endpoints,
        sender: Sender,
        queue: Queue,
        clock: Clock,
        *,
        stopping: Stopping,
        side_by_side: int = SIDE_BY_SIDE,
    ) -> None:
        self._ledger = Ledger(endpoints, clock, stopping, widest=side_by_side)
        self._looks = GroupCommit[str, Look](database, self._ledger.look, largest=_BATCH, read_only=True)
        self._sender = sender
        self._queue = queue
        self._clock = clock
        self._places = Places(files_allowed())

    async def handle(self, work: Work) -> Together | None:
        """Deliver what is due to one endpoint, until nothing is or the slice is over."""
        endpoint_id = str(work.job.payload["endpoint_id"])
        began = time.monotonic()
        look = await self._looks.add(endpoint_id)
        outcomes: Sequence[tuple[Due, Outcome]] = ()
        while look.endpoint is not None and look.due:
            crash_point("webhooks.attempt_begun")
            outcomes = await self._send_all(look.endpoint, look.due)
            crash_point("webhooks.answered")
            if self._sender.closed:
                await work.transaction(partial(self._ledger.store, rounds=[Round(look, outcomes)]))
                raise RetryLater(_ANOTHER, reason="this process is shutting down", count=False)
            if look.complete and len(outcomes) == len(look.due):
                break  # nothing else was due: stored with the job's completion
            [look] = await work.transaction(partial(self._ledger.store, rounds=[Round(look, outcomes)]))
            outcomes = ()
            crash_point("webhooks.attempt_stored")
            if time.monotonic() - began > SLICE_SECONDS:
                break
        if look.endpoint is None:
            self._ledger.forget(endpoint_id)
            return None
        return Together(Round(look, outcomes))

    async def settle_many(self, tx: Tx, rounds: Sequence[Round]) -> None:
        """Store what came of the last rounds of endpoints, and see to it that each is looked at when it is time again."""
        stored = [one for one in rounds if one.outcomes]
        looks = [one.look for one in rounds if not one.outcomes]
        if stored:
            looks += await self._ledger.store(tx, stored, brief=True)
        at_once = [one.endpoint.id for one in looks if one.endpoint is not None and one.due]
        later = [
            (one.endpoint.id, one.again_at)
            for one in looks
            if one.endpoint is not None and not one.due and one.again_at is not None
        ]
        await wake_all(self._queue, tx, at_once, later)

    async def _send_all(self, endpoint: Endpoint, due: Sequence[Due]) -> list[tuple[Due, Outcome]]:
        """Send `due`, side by side as many as the endpoint's window and the places allow.

        After a failure, or a slow answer, no more of them are begun: what was done is to be stored first.
        """
        outcomes: list[tuple[Due, Outcome]] = []
        waiting = iter(due)
        going_well = True

        async def send_some() -> None:
            nonlocal going_well
            while going_well and (one := next(waiting, None)) is not None:
                try:
                    outcome = await self._send(endpoint, one)
                except SenderClosedError:
                    going_well = False  # this process ends: whatever is left is for another one
                    return
                outcomes.append((one, outcome))
                going_well &= outcome.delivered and outcome.took < _SLOW_SECONDS

        async with self._places.first(troubled=bool(endpoint.failures)):
            further = self._places.further(min(len(due), self._ledger.window(endpoint.id)) - 1)
            try:
                await asyncio.gather(*(send_some() for _ in range(1 + further)))
            finally:
                self._places.give_back(further)
        return outcomes

    async def _send(self, endpoint: Endpoint, one: Due) -> Outcome:
        body = body_of(one.head, None if one.raw is None else bytes(one.raw), endpoint.raw_format)
        at = self._clock.now()
        headers = signed_headers(
            endpoint.secrets, message_id=one.message_id, timestamp=int(at.timestamp()), body=body
        )
        with tracing.within("POST webhook endpoint", kind="client") as span:
            outcome = await self._sender.send(endpoint.url, body, headers, at=at)
            said = "delivered" if outcome.delivered else "no_answer" if outcome.status is None else "refused"
            _counted[said].inc()
            if tracing.is_on():
                span.note({"callout.endpoint_id": endpoint.id, "callout.delivery.outcome": said})
                if not outcome.delivered:
                    span.failed(said)
        return outcome


def consumer(courier: Courier, *, timeout: timedelta) -> Consumer:
    """Return the consumer of delivery jobs; `timeout` is that of one attempt."""
    return Consumer(
        DELIVER,
        courier.handle,
        batch=_BATCH,
        retry=Retry(first=timedelta(seconds=1), cap=timedelta(minutes=1), max_attempts=30),
        timeout=2 * timeout + timedelta(seconds=60 + SLICE_SECONDS),
        apart=True,
        settle_many=courier.settle_many,
    )
