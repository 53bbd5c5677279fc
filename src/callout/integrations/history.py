"""How integrations fared over time: calls by the hour, and each change of their state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, func, select

from callout.integrations.tables import integration_event, integration_usage
from callout.kit.clock import Clock
from callout.kit.ids import new_id
from callout.storage import AccountTx, Tx
from callout.storage.schema import micros
from callout.storage.upsert import insert_or_ignore

KEPT: Final = timedelta(days=90)
MOST_EVENTS: Final = 2_000
"""So many changes of state of one integration are told at most."""
_COUNT: Final = (
    "INSERT INTO integration_usage (account_id, integration_id, succeeded, failed, hour) {0}"
    " ON CONFLICT (integration_id, hour) DO UPDATE SET succeeded = integration_usage.succeeded + excluded.succeeded"
)
_COUNT_SQLITE: Final = _COUNT.format("VALUES (?, ?, ?, 0, ?)")
_COUNT_POSTGRES: Final = _COUNT.format(
    "SELECT account_id, integration_id, calls, 0, $4::bigint FROM unnest($1::text[], $2::text[], $3::bigint[])"
    " AS given(account_id, integration_id, calls) ORDER BY integration_id"
)


@dataclass(frozen=True, slots=True)
class StatusEvent:
    """A change of an integration's state. `requests` is how many calls had been counted by then."""

    id: str
    account_id: str
    integration_id: str
    state: str
    requests: int
    error: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Usage:
    """Calls to the other system within one hour, which began at `hour`."""

    hour: datetime
    succeeded: int
    failed: int


class History:
    """Writes and reads both. What the other side answered is counted where it is written to the integration's health."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def count(self, tx: AccountTx, integration_id: str, *, succeeded: int, failed: int) -> None:
        """Add calls to the present hour."""
        hour = self._hour()
        mine = (integration_usage.c.integration_id == integration_id) & (integration_usage.c.hour == hour)
        more = {
            "succeeded": integration_usage.c.succeeded + succeeded,
            "failed": integration_usage.c.failed + failed,
        }
        added = tx.update(integration_usage).where(mine).values(**more)
        if await tx.execute(added):
            return
        row = {
            "integration_id": integration_id,
            "hour": hour,
            "account_id": tx.account_id,
            "succeeded": 0,
            "failed": 0,
        }
        await tx.system.execute(insert_or_ignore(tx.system, integration_usage, row))
        await tx.execute(added)

    async def count_all(self, tx: Tx, succeeded: Sequence[Sequence[Any]]) -> None:
        """Add calls that went well to the present hour: account, integration, how many."""
        hour = micros(self._hour())
        if tx.dialect == "sqlite":
            await tx.driver_many(_COUNT_SQLITE, "", [(*one, hour) for one in succeeded])
        elif succeeded:
            columns = [list(column) for column in zip(*succeeded, strict=True)]
            await tx.driver_all("", _COUNT_POSTGRES, [*columns, hour])

    def _hour(self) -> datetime:
        return self._clock.now().replace(minute=0, second=0, microsecond=0)

    async def note(
        self, tx: AccountTx, integration_id: str, *, state: str, requests: int, error: str | None
    ) -> None:
        """Note that the state or its reason changed."""
        row = {
            "id": new_id(),
            "integration_id": integration_id,
            "state": state,
            "requests": requests,
            "error": error,
            "created_at": self._clock.now(),
        }
        await tx.execute(tx.insert(integration_event), row)

    async def events(self, tx: AccountTx, integration_id: str) -> Sequence[StatusEvent]:
        """Return the latest changes of state of an integration, oldest first."""
        made = integration_event.c.created_at
        query = tx.select(integration_event).where(integration_event.c.integration_id == integration_id)
        latest = query.order_by(made.desc(), integration_event.c.id.desc()).limit(MOST_EVENTS)
        return [StatusEvent(**row) for row in reversed(await tx.all(latest))]

    async def usage(
        self,
        tx: Tx,
        *,
        since: datetime,
        integration_id: str | None = None,
        among: frozenset[str] | None = None,
    ) -> Sequence[Usage]:
        """Return the calls by hour since `since`: of one integration, or of all in the accounts of `among` (None: every one)."""
        table = integration_usage.c
        query = select(
            table.hour,
            func.sum(table.succeeded).label("succeeded"),
            func.sum(table.failed).label("failed"),
        ).where(table.hour >= since)
        if integration_id is not None:
            query = query.where(table.integration_id == integration_id)
        if among is not None:
            query = query.where(table.account_id.in_(sorted(among)))
        rows = await tx.all(query.group_by(table.hour).order_by(table.hour))
        return [Usage(row["hour"], int(row["succeeded"]), int(row["failed"])) for row in rows]

    async def forget(self, tx: AccountTx, integration_id: str) -> None:
        """Remove what is known of one integration."""
        for table in (integration_event, integration_usage):
            await tx.execute(tx.delete(table).where(table.c.integration_id == integration_id))

    async def purge(self, tx: Tx) -> None:
        """Remove what is older than is kept."""
        before = self._clock.now() - KEPT
        await tx.execute(delete(integration_event).where(integration_event.c.created_at < before))
        await tx.execute(delete(integration_usage).where(integration_usage.c.hour < before))


__all__ = ["KEPT", "MOST_EVENTS", "History", "StatusEvent", "Usage"]
