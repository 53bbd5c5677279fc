"""Rows of clocks, inside the caller's transaction."""

# ruff: noqa: S608  # every statement is put together from constants of this file

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import case

from callout.incidents.response_tables import incident_clock
from callout.incidents.sla.clock import Clock, ClockKind
from callout.storage import Question
from callout.storage.bulk import insert_rows
from callout.storage.given import Given
from callout.storage.schema import from_micros, micros

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement

    from callout.storage import AccountTx


_NAMES: Final = (
    *("incident_id", "kind", "rule", "hours", "limit_seconds", "started_at", "due_at", "warn_at"),
    *("left_seconds", "warned_at", "breached_at", "ended_at", "missed"),
)
_LOAD: Final = (
    f"SELECT {', '.join(_NAMES)} FROM incident_clock WHERE account_id = {{0}} AND incident_id {{1}}"
)
_LOAD_SQLITE: Final = _LOAD.format("?1", "IN (SELECT value FROM json_each(?2))")
_LOAD_POSTGRES: Final = _LOAD.format("$1", "= ANY($2::text[])")
# A plan for arrays of any length looks dear to the server, which would plan anew each time; most ask for one.
_LOAD_ONE_POSTGRES: Final = _LOAD.format("$1", "= $2")
_COLUMNS: Final = ("account_id", *_NAMES)
_PUT: Final = (
    f"INSERT INTO incident_clock ({', '.join(_COLUMNS)}) {{0}}"
    f" ON CONFLICT (incident_id, kind) DO UPDATE SET {', '.join(f'{n} = excluded.{n}' for n in _NAMES[2:])}"
)
_NUMBERS: Final = frozenset({"limit_seconds", "started_at", "due_at", "warn_at", "left_seconds"}) | frozenset(
    {"warned_at", "breached_at", "ended_at", "missed"}
)
_PUT_SQLITE: Final = _PUT.format(f"VALUES ({', '.join('?' * len(_COLUMNS))})")
_GIVEN: Final = Given((name, "bigint" if name in _NUMBERS else "text") for name in _COLUMNS)
_DROP_SQLITE: Final = "DELETE FROM incident_clock WHERE account_id = ? AND incident_id = ? AND kind = ?"
_DROP_POSTGRES: Final = "DELETE FROM incident_clock WHERE account_id = $1 AND incident_id = $2 AND kind = $3"


async def load(tx: AccountTx, incident_ids: Sequence[str]) -> dict[str, dict[ClockKind, Clock]]:
    """Return the clocks of incidents, by incident."""
    if not incident_ids:
        return {}
    [rows] = await tx.system.driver_together(asking(tx, incident_ids))
    return read(incident_ids, rows)


def asking(tx: AccountTx, incident_ids: Sequence[str]) -> Question:
    """Return the question for the clocks of incidents, for those who ask more at the same moment; :func:`read` reads its rows."""
    # By hand, here and below: this runs with every note and every change of a status.
    text = _LOAD_POSTGRES
    asked: object = list(incident_ids)
    if tx.system.dialect == "sqlite":
        asked = orjson.dumps(list(incident_ids)).decode()
    elif len(incident_ids) == 1:
        text, asked = _LOAD_ONE_POSTGRES, incident_ids[0]
    return Question(_LOAD_SQLITE, text, (tx.account_id, asked), behind=incident_clock.name)


def read(incident_ids: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, dict[ClockKind, Clock]]:
    """Return the clocks of incidents, by incident, from the rows of :func:`asking`."""
    found: dict[str, dict[ClockKind, Clock]] = {one: {} for one in incident_ids}
    for row in rows:
        clock = _clock(row)
        found[row[0]][clock.kind] = clock
    return found


async def insert(tx: AccountTx, clocks: Mapping[str, Mapping[ClockKind, Clock]]) -> None:
    """Store the clocks of new incidents."""
    rows = [
        {"account_id": tx.account_id, **_row(incident_id, clock)}
        for incident_id, of_one in clocks.items()
        for clock in of_one.values()
    ]
    await insert_rows(tx.system, incident_clock, rows, later=True)


Changed = Mapping[str, tuple[Mapping[ClockKind, Clock], Mapping[ClockKind, Clock]]]
"""Incident → its clocks before and after."""


async def save(tx: AccountTx, changed: Changed) -> None:
    """Store what changed of the clocks of incidents, which the caller holds."""
    put: list[tuple[Any, ...]] = []
    dropped: list[tuple[str, str, str]] = []
    for incident_id, (before, after) in changed.items():
        for kind, clock in after.items():
            if before.get(kind) != clock:
                values = _row(incident_id, clock)
                put.append((tx.account_id, *(_plain(values[name]) for name in _NAMES)))
        dropped += [(tx.account_id, incident_id, kind.value) for kind in before.keys() - after.keys()]
    if put:
        if tx.system.dialect == "sqlite":
            await tx.system.driver_many(_PUT_SQLITE, "", put)
        else:
            statement = _PUT.format(_GIVEN.select(len(put)))
            await tx.system.driver_later("", statement, _GIVEN.parameters(put), kind=incident_clock.name)
    if dropped:
        await tx.system.driver_many(_DROP_SQLITE, _DROP_POSTGRES, dropped)


def _plain(value: Any) -> Any:  # noqa: ANN401  # of any column
    return micros(value) if isinstance(value, datetime) else value


def _time(value: int | None) -> datetime | None:
    return None if value is None else from_micros(value)


def _seconds(value: timedelta | None) -> int | None:
    return None if value is None else int(value.total_seconds())


def _row(incident_id: str, clock: Clock) -> dict[str, Any]:
    return {
        "incident_id": incident_id,
        "kind": clock.kind.value,
        "rule": clock.rule,
        "hours": clock.hours,
        "limit_seconds": _seconds(clock.limit),
        "started_at": clock.started_at,
        "due_at": clock.due_at,
        "warn_at": clock.warn_at,
        "left_seconds": _seconds(clock.left),
        "warned_at": clock.warned_at,
        "breached_at": clock.breached_at,
        "ended_at": clock.ended_at,
        "missed": clock.missed,
    }


def _clock(row: Sequence[Any]) -> Clock:
    _, kind, rule, hours, limit, started, due, warn, left, warned, breached, ended, missed = row
    return Clock(
        kind=ClockKind(kind),
        rule=rule,
        hours=hours,
        limit=timedelta(seconds=limit),
        started_at=from_micros(started),
        due_at=_time(due),
        warn_at=_time(warn),
        left=None if left is None else timedelta(seconds=left),
        warned_at=_time(warned),
        breached_at=_time(breached),
        ended_at=_time(ended),
        missed=missed,
    )


__all__ = ["insert", "load", "save"]


def standing(now: datetime) -> ColumnElement[str]:
    """Return how a clock stands, as a column: `met`, `breached`, or `running` (a paused one, too)."""
    clock = incident_clock.c
    overdue = clock.ended_at.is_(None) & clock.due_at.is_not(None) & (clock.due_at <= now)
    missed = clock.breached_at.is_not(None) | overdue
    return case((missed, "breached"), (clock.ended_at.is_not(None), "met"), else_="running")
