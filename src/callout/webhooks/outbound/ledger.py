"""The ledger of deliveries: what is due to endpoints, and what came of it, for many endpoints by the same few statements."""

# ruff: noqa: S608  # every statement is put together from constants of this file
from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select, update

from callout.storage.schema import from_micros, micros
from callout.webhooks.outbound.model import Endpoint
from callout.webhooks.outbound.plan import circuit_wait, next_wait
from callout.webhooks.tables import webhook_endpoint

if TYPE_CHECKING:
    from callout.kit.clock import Clock
    from callout.storage import Tx
    from callout.webhooks.outbound.endpoints import Endpoints
    from callout.webhooks.outbound.sending import Outcome
    from callout.webhooks.outbound.stopping import Stopping

FIRST_WINDOW: Final = 2
_ROUND: Final = 4
"""So many times its window an endpoint is sent before the attempts are stored: together they cost hardly more than one."""
_LEAST: Final = 32
"""So many are read for a round at least, though they may be sent two at a time."""
_KEEP_SUCCESS: Final = timedelta(minutes=1)

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
_DUE_OF_MANY = (
    "SELECT n.e, d.* FROM unnest($1::text[], $3::int[]) AS n(e, most) CROSS JOIN LATERAL ("
    + _WANTED.format("n.e", "$2")
    + _HEAD
    + " ORDER BY d.next_at LIMIT n.most) d"
)
_MORE = "SELECT 1 FROM webhook_delivery WHERE endpoint_id = {0} AND state = 'pending' AND next_at <= {1} LIMIT 1 OFFSET {2}"
_TESTS = _WANTED + " AND d.test = 1 ORDER BY d.seq LIMIT {2}"
_NEXT = "SELECT min(next_at) FROM webhook_delivery WHERE endpoint_id = {0} AND state = 'pending' AND next_at > {1}"
_MORE_OF_MANY = (
    "SELECT n.e FROM unnest($1::text[], $3::int[]) AS n(e, seen) WHERE EXISTS (SELECT 1 FROM webhook_delivery"
    " WHERE endpoint_id = n.e AND state = 'pending' AND next_at <= $2 LIMIT 1 OFFSET n.seen)"
)
_NEXT_OF_MANY = (
    "SELECT n.e, (SELECT min(next_at) FROM webhook_delivery WHERE endpoint_id = n.e AND state = 'pending' AND next_at > $2)"
    " FROM unnest($1::text[]) AS n(e)"
)
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


@dataclass(frozen=True, slots=True)
class Round:
    """What was looked at for an endpoint, and what came of what was sent of it."""

    look: Look
    outcomes: Sequence[tuple[Due, Outcome]] = ()


class Ledger:
    """Reads what is due and stores what came of it. One of it per process: it knows how wide each endpoint's window is."""

    def __init__(self, endpoints: Endpoints, clock: Clock, stopping: Stopping, *, widest: int) -> None:
        self._endpoints = endpoints
        self._clock = clock
        self._stopping = stopping
        self._widest = widest
        self._windows: dict[str, int] = {}
        self._random = random.Random()  # noqa: S311  # jitter

    def window(self, endpoint_id: str) -> int:
        """Return how many requests an endpoint may have under way."""
        return self._windows.get(endpoint_id, FIRST_WINDOW)

    def forget(self, endpoint_id: str) -> None:
        """Forget an endpoint that is gone."""
        self._windows.pop(endpoint_id, None)

    # ------------------------------------------------------------------------------------------ reading

    async def look(self, tx: Tx, endpoint_ids: Sequence[str]) -> list[Look]:
        """Return what is to be done for each of the endpoints, in order."""
        found = await self._read(tx, endpoint_ids)
        looks = await self._look_for(tx, found.values())
        return [looks.get(one, Look(None)) for one in endpoint_ids]

    async def _read(self, tx: Tx, endpoint_ids: Sequence[str]) -> dict[str, Endpoint]:
        rows = await tx.all(select(webhook_endpoint).where(webhook_endpoint.c.id.in_(endpoint_ids)))
        return {row["id"]: self._endpoints.of_row(row) for row in rows}

    async def _look_for(
        self, tx: Tx, endpoints: Iterable[Endpoint], *, brief: bool = False
    ) -> dict[str, Look]:
        """Return what is due to each; `brief`: whether anything is."""
        moment = self._clock.now()
        now = micros(moment)
        looks: dict[str, Look] = {}
        well: dict[str, Endpoint] = {}
        for one in endpoints:
            closed = one.open_until is None or one.open_until <= moment
            if one.enabled and closed:
                well[one.id] = one
                continue
            # A test is sent whatever the state: it is how an operator finds out whether the endpoint is well again.
            tests = await _rows(tx, _TESTS, one.id, now, 1)
            waits = one.enabled and (await _rows(tx, _ANY, one.id))[0][0] is not None
            looks[one.id] = Look(one, [Due(*row) for row in tests], one.open_until if waits else None)
        most = {one.id: 1 if brief or one.failures else self._most(one.id) for one in well.values()}
        due = await _due(tx, most, now)
        more = set() if brief else await _more(tx, {name: len(rows) for name, rows in due.items()}, now)
        soonest = await _next(tx, [name for name in well if name not in due], now)
        for name, one in well.items():
            if name in due:
                complete = name not in more and len(due[name]) < most[name]
                looks[name] = Look(one, due[name], complete=complete)
            else:
                at = soonest[name]
                looks[name] = Look(one, (), None if at is None else from_micros(at))
        return looks

    def _most(self, endpoint_id: str) -> int:
        return max(_LEAST, _ROUND * self.window(endpoint_id))

    # ------------------------------------------------------------------------------------------ storing

    async def store(self, tx: Tx, rounds: Sequence[Round], *, brief: bool = False) -> list[Look]:
        """Store attempts with what follows from them, and look for what is due next; `brief`: whether anything is."""
        moment = self._clock.now()
        await self._record(tx, rounds, moment)
        endpoints = await self._judge(tx, [one for one in rounds if one.outcomes], moment)
        for one in rounds:
            if not one.outcomes and one.look.endpoint is not None:
                endpoints[one.look.endpoint.id] = one.look.endpoint
        looks = await self._look_for(tx, endpoints.values(), brief=brief)
        ids = ["" if one.look.endpoint is None else one.look.endpoint.id for one in rounds]
        return [looks.get(name, Look(None)) for name in ids]

    async def _record(self, tx: Tx, rounds: Sequence[Round], moment: datetime) -> None:
        now = micros(moment)
        delivered: list[tuple[Any, ...]] = []
        later: list[tuple[Any, ...]] = []
        dead: list[tuple[Any, ...]] = []
        attempts: list[tuple[Any, ...]] = []
        for one, outcome in (pair for some in rounds for pair in some.outcomes):
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

    async def _judge(self, tx: Tx, rounds: Sequence[Round], moment: datetime) -> dict[str, Endpoint]:
        """Update circuits, switch endpoints off where that is due; return them as they are now, without those that were removed."""
        if not rounds:
            return {}
        outcomes = {one.look.endpoint.id: one.outcomes for one in rounds if one.look.endpoint is not None}
        rows = await tx.all(select(webhook_endpoint).where(webhook_endpoint.c.id.in_(list(outcomes))))
        endpoints: dict[str, Endpoint] = {}
        changes: dict[tuple[tuple[str, Any], ...], list[str]] = {}
        for row in rows:
            values = self._circuit(dict(row), outcomes[row["id"]], moment)
            endpoints[row["id"]] = self._endpoints.of_row({**row, **values})
            if values:
                changes.setdefault(tuple(values.items()), []).append(row["id"])
        for change, names in changes.items():
            # In the order of their ids, as everybody who changes several: most of them just went well, and change alike.
            await tx.execute(
                update(webhook_endpoint)
                .where(webhook_endpoint.c.id.in_(sorted(names)))
                .values(**dict(change))
            )
        for name, endpoint in endpoints.items():
            gone = any(outcome.gone for _, outcome in outcomes[name])
            why = self._stopping.reason(endpoint, moment, gone=gone) if endpoint.enabled else ""
            if why:
                await self._stopping.stop(tx, endpoint, why, account_id=outcomes[name][0][0].account_id)
                endpoints.update(await self._read(tx, [name]))
        return endpoints

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
            window = self.window(endpoint_id)
            self._windows[endpoint_id] = min(self._widest, window * 2) if not failed else window
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
        self._windows[endpoint_id] = FIRST_WINDOW
        failures = row["failures"] + len(failed)
        wait = circuit_wait(failures, self._random, retry_after=asked)
        return {
            "failures": failures,
            "failing_since": row["failing_since"] or moment,
            "open_until": None if wait is None else moment + wait,
            "last_failure_at": moment,
        }


async def _due(tx: Tx, most: Mapping[str, int], now: int) -> dict[str, list[Due]]:
    """Return up to so many deliveries of each endpoint that may be sent now; nothing for those that have none."""
    if tx.dialect == "sqlite":
        looked = {name: await _rows(tx, _DUE, name, now, limit) for name, limit in most.items()}
        return {name: [Due(*row) for row in rows] for name, rows in looked.items() if rows}
    found: dict[str, list[Due]] = {}
    if most:
        for row in await tx.driver_all("", _DUE_OF_MANY, (list(most), now, list(most.values()))):
            found.setdefault(row[0], []).append(Due(*row[1:]))
    return found


async def _more(tx: Tx, seen: Mapping[str, int], now: int) -> set[str]:
    """Return the endpoints that have more pending deliveries whose time has come than those seen."""
    if tx.dialect == "sqlite":
        return {name for name, count in seen.items() if await _rows(tx, _MORE, name, now, count)}
    if not seen:
        return set()
    rows = await tx.driver_all("", _MORE_OF_MANY, (list(seen), now, list(seen.values())))
    return {row[0] for row in rows}


async def _next(tx: Tx, names: Sequence[str], now: int) -> dict[str, int | None]:
    """Return when each endpoint has something to be sent again; None for never."""
    if tx.dialect == "sqlite":
        return {name: (await _rows(tx, _NEXT, name, now))[0][0] for name in names}
    if not names:
        return {}
    return {row[0]: row[1] for row in await tx.driver_all("", _NEXT_OF_MANY, (list(names), now))}


async def _rows(tx: Tx, text: str, *params: object) -> Sequence[Sequence[Any]]:
    return await tx.driver_all(text.format(*_Q), text.format(*_D), params)
