"""Delivering: what is due for one endpoint is sent side by side, each subject in its order, and every attempt is stored.

One job drains one endpoint, apart from the worker's other work: a slow or dead endpoint holds up nobody but itself. A delivery is
stored as done only after the answer; a worker that is killed in between leaves it to the next, which sends it again under the same
`webhook-id`.
"""

# ruff: noqa: S608  # every statement is put together from constants of this file
from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
from prometheus_client import Counter
from sqlalchemy import select, update

from callout.jobs import Consumer, Retry, Settle, Work
from callout.kit.crash import crash_point
from callout.storage.schema import from_micros, micros
from callout.webhooks.outbound.model import Endpoint
from callout.webhooks.outbound.plan import circuit_wait, next_wait
from callout.webhooks.outbound.queue import DELIVER, wake, wake_at
from callout.webhooks.outbound.routing import body_of
from callout.webhooks.outbound.sending import Outcome, Places, Sender, files_allowed
from callout.webhooks.outbound.signing import signed_headers
from callout.webhooks.outbound.stopping import Stopping
from callout.webhooks.tables import webhook_endpoint

if TYPE_CHECKING:
    from callout.jobs import Queue
    from callout.kit.clock import Clock
    from callout.storage import Tx
    from callout.webhooks.outbound.endpoints import Endpoints

SIDE_BY_SIDE: Final = 32
"""Requests to one endpoint at a time, at most; it begins with two, and doubles while they go well."""
_FIRST_WINDOW: Final = 2
SLICE_SECONDS: Final = 5.0
"""After so long a busy endpoint's job makes place for its next one: what was done is then told apart from what is to do."""
_ROUND: Final = 4
"""So many times its window an endpoint is sent before the attempts are stored: together they cost hardly more than one."""
_LEAST: Final = 32
"""So many are read for a round at least, though they may be sent two at a time."""
_SLOW_SECONDS: Final = 0.5
_KEEP_SUCCESS: Final = timedelta(minutes=1)
_BATCH: Final = 64
_log = structlog.get_logger(__name__)

attempts_total = Counter("callout_deliveries_attempts_total", "Requests to webhook endpoints", ["outcome"])

_WANTED = (
    "SELECT d.seq, d.id, d.message_id, d.account_id, d.attempts, d.test, m.head, m.raw, d.event_type"
    " FROM webhook_delivery d JOIN webhook_message m ON m.id = d.message_id"
    " WHERE d.endpoint_id = {0} AND d.state = 'pending' AND d.next_at <= {1}"
)
# Ordered as its index is: a database that has not counted its rows yet would else take another one, and read every row for each.
_HEAD = (
    " AND d.seq = (SELECT e.seq FROM webhook_delivery e WHERE e.endpoint_id = d.endpoint_id AND e.subject = d.subject"
    " AND e.state = 'pending' ORDER BY e.endpoint_id, e.subject, e.seq LIMIT 1)"
)
# By the index alone, so that a long backlog is not sorted for every round; what was tried already comes behind what was not.
_DUE = _WANTED + _HEAD + " ORDER BY d.next_at LIMIT {2}"
_MORE = "SELECT 1 FROM webhook_delivery WHERE endpoint_id = {0} AND state = 'pending' AND next_at <= {1} LIMIT 1 OFFSET {2}"
_TESTS = _WANTED + " AND d.test = 1 ORDER BY d.seq LIMIT {2}"
_NEXT = "SELECT min(next_at) FROM webhook_delivery WHERE endpoint_id = {0} AND state = 'pending' AND next_at > {1}"
_ANY = "SELECT min(next_at) FROM webhook_delivery WHERE endpoint_id = {0} AND state = 'pending' AND test = 0"
# For SQLite one statement a row, for PostgreSQL one for all of them: the columns come as arrays.
_OF_ARRAYS = " FROM unnest($1::bigint[], $2::smallint[], $3::bigint[]) AS n(s, a, m) WHERE d.seq = n.s"
_DELIVERED = (
    "UPDATE webhook_delivery SET state = 'delivered', attempts = ?2, finished_at = ?3 WHERE seq = ?1",
    "UPDATE webhook_delivery d SET state = 'delivered', attempts = n.a, finished_at = n.m" + _OF_ARRAYS,
)
_LATER = (
    "UPDATE webhook_delivery SET attempts = ?2, next_at = ?3 WHERE seq = ?1",
    "UPDATE webhook_delivery d SET attempts = n.a, next_at = n.m" + _OF_ARRAYS,
)
_PENDING = " AND state = 'pending'"
_DEAD = (
    "UPDATE webhook_delivery SET state = 'dead', attempts = ?2, finished_at = ?3 WHERE seq = ?1" + _PENDING,
    "UPDATE webhook_delivery d SET state = 'dead', attempts = n.a, finished_at = n.m" + _OF_ARRAYS + _PENDING,
)
_INSERT = "INSERT INTO webhook_attempt (account_id, delivery_id, number, at, took, status, error, answer)"
_ARRAYS = "$1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::bigint[], $6::smallint[], $7::text[], $8::bytea[]"
_ATTEMPT = (
    _INSERT + " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    _INSERT + " SELECT * FROM unnest(" + _ARRAYS + ")",
)
_Q = tuple(f"?{n}" for n in range(1, 9))
_D = tuple(f"${n}" for n in range(1, 9))


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that may be sent now."""

    seq: int
    id: str
    message_id: str
    account_id: str
    attempts: int
    test: bool
    head: str
    raw: bytes | None
    event_type: str


@dataclass(frozen=True, slots=True)
class Look:
    """What is to be done for an endpoint: what is due now, and when to look again; None when it is gone."""

    endpoint: Endpoint | None
    due: Sequence[Due] = ()
    again_at: datetime | None = None
    complete: bool = False
    """Whether `due` is all that was due, and nothing waits behind it."""


class Courier:
    """Sends deliveries. One of it per process."""

    def __init__(
        self,
        endpoints: Endpoints,
        sender: Sender,
        queue: Queue,
        clock: Clock,
        *,
        stopping: Stopping,
        side_by_side: int = SIDE_BY_SIDE,
    ) -> None:
        self._endpoints = endpoints
        self._sender = sender
        self._queue = queue
        self._clock = clock
        self._stopping = stopping
        self._most = side_by_side
        self._places = Places(files_allowed())
        self._windows: dict[str, int] = {}
        self._random = random.Random()  # noqa: S311  # jitter

    async def handle(self, work: Work) -> Settle | None:
        """Deliver what is due to one endpoint, until nothing is or the slice is over."""
        endpoint_id = str(work.job.payload["endpoint_id"])
        began = time.monotonic()
        look = await work.read(lambda tx: self._look(tx, endpoint_id))
        outcomes: Sequence[tuple[Due, Outcome]] = ()
        while look.endpoint is not None and look.due:
            crash_point("webhooks.attempt_begun")
            outcomes = await self._send_all(look.endpoint, look.due)
            crash_point("webhooks.answered")
            if look.complete and len(outcomes) == len(look.due):
                break  # nothing else was due: stored with the job's completion
            look = await work.transaction(partial(self._store, look=look, outcomes=outcomes))
            outcomes = ()
            crash_point("webhooks.attempt_stored")
            if time.monotonic() - began > SLICE_SECONDS:
                break
        if look.endpoint is None:
            self._windows.pop(endpoint_id, None)
            return None

        async def settle(tx: Tx) -> None:
            last = await self._store(tx, look=look, outcomes=outcomes) if outcomes else look
            if last.due:
                await wake(self._queue, tx, [endpoint_id])
            elif last.again_at is not None:
                await wake_at(self._queue, tx, endpoint_id, last.again_at)

        return settle

    # ------------------------------------------------------------------------------------------ reading

    async def _look(self, tx: Tx, endpoint_id: str) -> Look:
        row = await tx.one(select(webhook_endpoint).where(webhook_endpoint.c.id == endpoint_id))
        if row is None:
            return Look(None)
        return await self._look_for(tx, self._endpoints.of_row(row))

    async def _look_for(self, tx: Tx, endpoint: Endpoint) -> Look:
        moment = self._clock.now()
        now = micros(moment)
        closed = endpoint.open_until is None or endpoint.open_until <= moment
        if not endpoint.enabled or not closed:
            # A test is sent whatever the state: it is how an operator finds out whether the endpoint is well again.
            tests = await _rows(tx, _TESTS, endpoint.id, now, 1)
            waits = endpoint.enabled and (await _rows(tx, _ANY, endpoint.id))[0][0] is not None
            return Look(endpoint, [Due(*row) for row in tests], endpoint.open_until if waits else None)
        limit = 1 if endpoint.failures else max(_LEAST, _ROUND * self._window(endpoint.id))
        rows = await _rows(tx, _DUE, endpoint.id, now, limit)
        if rows:
            more = len(rows) == limit or await _rows(tx, _MORE, endpoint.id, now, len(rows))
            return Look(endpoint, [Due(*row) for row in rows], complete=not more)
        soonest = (await _rows(tx, _NEXT, endpoint.id, now))[0][0]
        return Look(endpoint, (), None if soonest is None else from_micros(soonest))

    # ------------------------------------------------------------------------------------------ sending

    def _window(self, endpoint_id: str) -> int:
        return self._windows.get(endpoint_id, _FIRST_WINDOW)

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
                outcome = await self._send(endpoint, one)
                outcomes.append((one, outcome))
                going_well &= outcome.delivered and outcome.took < _SLOW_SECONDS

        async with self._places.first(troubled=bool(endpoint.failures)):
            further = self._places.further(min(len(due), self._window(endpoint.id)) - 1)
            try:
                await asyncio.gather(*(send_some() for _ in range(1 + further)))
            finally:
                self._places.give_back(further)
        return outcomes

    async def _send(self, endpoint: Endpoint, one: Due) -> Outcome:
        body = body_of(one.head, None if one.raw is None else bytes(one.raw), endpoint.raw_format)
        headers = signed_headers(
            endpoint.secrets,
            message_id=one.message_id,
            timestamp=int(self._clock.now().timestamp()),
            body=body,
        )
        at = self._clock.now()
        outcome = replace(await self._sender.send(endpoint.url, body, headers), at=at)
        attempts_total.labels(
            "delivered" if outcome.delivered else "refused" if outcome.status is not None else "no_answer"
        ).inc()
        return outcome

    # ------------------------------------------------------------------------------------------ storing

    async def _store(self, tx: Tx, *, look: Look, outcomes: Sequence[tuple[Due, Outcome]]) -> Look:
        """Store attempts with what follows from them, and look for what is due next: one transaction."""
        assert look.endpoint is not None  # noqa: S101  # something was sent to it
        moment = self._clock.now()
        now = micros(moment)
        delivered: list[tuple[Any, ...]] = []
        later: list[tuple[Any, ...]] = []
        dead: list[tuple[Any, ...]] = []
        attempts: list[tuple[Any, ...]] = []
        for one, outcome in outcomes:
            number = one.attempts + 1
            attempts.append(
                (
                    one.account_id,
                    one.id,
                    number,
                    micros(outcome.at),
                    round(outcome.took * 1_000_000),
                    outcome.status,
                    outcome.error.replace("\x00", ""),
                    outcome.answer,
                )
            )
            if outcome.delivered:
                delivered.append((one.seq, number, now))
                continue
            wait = None if one.test else next_wait(number, self._random, retry_after=outcome.retry_after)
            if wait is None:
                dead.append((one.seq, number, now))
            else:
                later.append((one.seq, number, micros(moment + wait)))
        for texts, rows in ((_DELIVERED, delivered), (_LATER, later), (_DEAD, dead), (_ATTEMPT, attempts)):
            if rows and tx.dialect == "sqlite":
                await tx.driver_many(*texts, rows)
            elif rows:
                await tx.driver_all(*texts, [list(column) for column in zip(*rows, strict=True)])
        endpoint = await self._judge(tx, look.endpoint, outcomes, moment)
        return Look(None) if endpoint is None else await self._look_for(tx, endpoint)

    async def _judge(
        self, tx: Tx, before: Endpoint, outcomes: Sequence[tuple[Due, Outcome]], moment: datetime
    ) -> Endpoint | None:
        """Update the endpoint's circuit, switch it off where that is due; return it as it is now, None when it was removed."""
        row = await tx.one(select(webhook_endpoint).where(webhook_endpoint.c.id == before.id))
        if row is None:
            return None
        gone = any(outcome.gone for _, outcome in outcomes)
        values = self._circuit(dict(row), outcomes, moment)
        fresh = self._endpoints.of_row({**row, **values})
        if values:
            await tx.execute(
                update(webhook_endpoint).where(webhook_endpoint.c.id == before.id).values(**values)
            )
        if fresh.enabled:
            why = self._stopping.reason(fresh, moment, gone=gone)
            if why:
                account_id = outcomes[0][0].account_id
                await self._stopping.stop(tx, fresh, why, account_id=account_id)
                row = await tx.one(select(webhook_endpoint).where(webhook_endpoint.c.id == before.id))
                return None if row is None else self._endpoints.of_row(row)
        return fresh

    def _circuit(
        self, row: Mapping[str, Any], outcomes: Sequence[tuple[Due, Outcome]], moment: datetime
    ) -> dict[str, Any]:
        """Return what changes of an endpoint's row by a round of attempts."""
        endpoint_id = row["id"]
        # A test that fails says nothing new about an endpoint that nobody else was sent to.
        counted = [outcome for one, outcome in outcomes if outcome.delivered or not one.test]
        failed = [outcome for outcome in counted if not outcome.delivered]
        if not counted:
            return {}
        if len(failed) < len(counted):
            window = self._window(endpoint_id)
            self._windows[endpoint_id] = min(self._most, window * 2) if not failed else window
        if not failed:
            healthy = row["failures"] == 0 and row["last_success_at"] is not None
            if healthy and moment - row["last_success_at"] < _KEEP_SUCCESS:
                return {}  # nothing that anybody would miss: no row is written for each success
            return {"failures": 0, "failing_since": None, "open_until": None, "last_success_at": moment}
        asked = max((o.retry_after for o in failed if o.retry_after is not None), default=None)
        if len(failed) < len(counted):
            # It is well, and refuses some: those are tried again by their own plan.
            values = {
                "failures": 0,
                "failing_since": None,
                "last_success_at": moment,
                "last_failure_at": moment,
            }
            return values if asked is None else {**values, "open_until": moment + asked}
        self._windows[endpoint_id] = _FIRST_WINDOW
        failures = row["failures"] + len(failed)
        wait = circuit_wait(failures, self._random, retry_after=asked)
        return {
            "failures": failures,
            "failing_since": row["failing_since"] or moment,
            "open_until": None if wait is None else moment + wait,
            "last_failure_at": moment,
        }


async def _rows(tx: Tx, text: str, *params: object) -> Sequence[Sequence[Any]]:
    return await tx.driver_all(text.format(*_Q), text.format(*_D), params)


def consumer(courier: Courier, *, timeout: timedelta) -> Consumer:
    """Return the consumer of delivery jobs; `timeout` is that of one attempt."""
    return Consumer(
        DELIVER,
        courier.handle,
        batch=_BATCH,
        retry=Retry(first=timedelta(seconds=1), cap=timedelta(minutes=1), max_attempts=30),
        timeout=2 * timeout + timedelta(seconds=60 + SLICE_SECONDS),
        apart=True,
    )
