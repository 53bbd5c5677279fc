"""What is known of the fields that ticketing systems ask for, by integration and place: no vendor is asked while a person waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, select

from callout.ports.values import Status
from callout.storage.upsert import insert_or_ignore
from callout.sync.needs_reading import Asked, Reading
from callout.sync.tables import sync_need

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, RowMapping

    from callout.audit import AuditDraft
    from callout.storage import AccountTx, Tx

FRESH: Final = timedelta(days=1)
AGAIN: Final = timedelta(hours=1)
"""When what could not be read is tried again without a reason."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one place (a project or table there); `learned_at` is None where nothing could be read yet."""

    project: str
    asked: Mapping[Status, Asked] = field(default_factory=dict)
    unread: tuple[str, ...] = ()
    learned_at: datetime | None = None
    tried_at: datetime | None = None

    def due(self, now: datetime, *, status: str = "", changed_at: datetime | None = None) -> bool:
        """Return whether the vendor is to be asked: it is a day old, `status` was unread and has a ticket now, or settings changed."""
        if self.tried_at is None or (changed_at is not None and changed_at > self.tried_at):
            return True
        if status.casefold() in {name.casefold() for name in self.unread}:
            return True
        if self.learned_at is None:
            return now - self.tried_at >= AGAIN
        return now - self.learned_at >= FRESH


async def of_place(tx: AccountTx, integration_id: str, project: str) -> Known:
    """Return what is known of one place."""
    row = await tx.one(tx.select(sync_need).where(*_place(integration_id, project)))
    return Known(project) if row is None else _known(row)


async def keep(
    tx: AccountTx, integration_id: str, project: str, reading: Reading | None, now: datetime
) -> None:
    """Store what was read; None: nothing could be. What was known of a status that could not be read now is kept."""
    fresh: dict[str, object] = {
        "integration_id": integration_id,
        "project": project,
        "account_id": tx.account_id,
        "asked": {},
        "unread": [],
        "learned_at": None,
        "tried_at": now,
    }
    await tx.system.execute(insert_or_ignore(tx.system, sync_need, fresh))
    values: dict[str, object] = {"tried_at": now}
    if reading is not None:
        before = await tx.one(tx.select(sync_need).where(*_place(integration_id, project)).with_for_update())
        asked = {} if before is None else dict(before["asked"])
        asked |= {status.value: one.to_json() for status, one in reading.found.items()}
        values |= {"asked": asked, "unread": list(reading.unread)}
        if reading.found:
            values["learned_at"] = now
    await tx.execute(tx.update(sync_need).where(*_place(integration_id, project)).values(**values))


async def everywhere(tx: Tx) -> dict[tuple[str, str], Known]:
    """Return what is known of all integrations, by integration id and place."""
    return {(row["integration_id"], row["project"]): _known(row) for row in await tx.all(select(sync_need))}


async def audited(tx: Tx, account_id: str | None, draft: AuditDraft) -> None:
    """Hear from the audit that an integration was removed: what is known of its places goes with it, in the same commit."""
    _ = account_id
    if draft.action == "integration.deleted":
        await tx.execute(delete(sync_need).where(sync_need.c.integration_id == draft.subject_id))


def _place(integration_id: str, project: str) -> tuple[ColumnElement[bool], ...]:
    return (sync_need.c.integration_id == integration_id, sync_need.c.project == project)


def _known(row: RowMapping) -> Known:
    return Known(
        project=row["project"],
        asked={Status(name): Asked.from_json(one) for name, one in row["asked"].items()},
        unread=tuple(row["unread"]),
        learned_at=row["learned_at"],
        tried_at=row["tried_at"],
    )


__all__ = ["Known", "audited", "everywhere", "keep", "of_place"]
