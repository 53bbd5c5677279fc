"""Rows of incidents: read and written inside the caller's transaction, one account at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from callout.incidents.model import (
    KEY,
    Incident,
    Note,
    TimelineEntry,
    person_from_json,
    person_json,
)
from callout.incidents.tables import (
    incident,
    incident_note,
    incident_tag,
    timeline_entry,
)
from callout.ports.errors import NotFoundError
from callout.ports.values import Audience, Origin, Severity, Status
from callout.storage.bulk import insert_rows
from callout.storage.reading import AnyRow, Reading
from callout.storage.schema import json_text, micros

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from callout.storage import AccountTx


_NUMBER: Final = (
    "INSERT INTO incident_counter (account_id, last) VALUES ({0}, {1})"
    " ON CONFLICT (account_id) DO UPDATE SET last = incident_counter.last + excluded.last RETURNING last"
)
_NUMBER_SQLITE, _NUMBER_POSTGRES = _NUMBER.format("?1", "?2"), _NUMBER.format("$1", "$2")


_BY_ID, _BY_NUMBER = Reading(incident, "id"), Reading(incident, "number")
_UPDATE: Final = "UPDATE incident SET {0} WHERE account_id = {1} AND id = {2}"


def _kept(value: Any) -> Any:  # noqa: ANN401  # of any column
    if isinstance(value, datetime):
        return micros(value)
    return json_text(value) if isinstance(value, (dict, list)) else value


async def next_number(tx: AccountTx, count: int = 1) -> int:
    """Return the first of the account's next `count` incident numbers: see :meth:`Tx.count`."""
    last = await tx.system.count(_NUMBER_SQLITE, _NUMBER_POSTGRES, tx.account_id, count)
    return last - count + 1


def row_of(value: Incident) -> dict[str, Any]:
    """Return the row of an incident."""
    return {
        "id": value.id,
        "number": value.number,
        "title": value.title,
        "description": value.description,
        "severity": value.severity.rank,
        "status": value.status.value,
        "service": value.service,
        "team": value.team,
        "commander": person_json(value.commander),
        "assignee": person_json(value.assignee),
        "declared_by": person_json(value.declared_by),
        "tags": list(value.tags),
        "created_at": value.created_at,
        "updated_at": value.updated_at,
        "acknowledged_at": value.acknowledged_at,
        "mitigated_at": value.mitigated_at,
        "resolved_at": value.resolved_at,
        "closed_at": value.closed_at,
        "version": value.version,
    }


def incident_of(row: AnyRow) -> Incident:
    """Return the incident of a row."""
    return Incident(
        id=row["id"],
        account_id=row["account_id"],
        number=row["number"],
        title=row["title"],
        description=row["description"],
        severity=Severity(row["severity"]),
        status=Status(row["status"]),
        service=row["service"],
        team=row["team"],
        commander=person_from_json(row["commander"]),
        assignee=person_from_json(row["assignee"]),
        declared_by=person_from_json(row["declared_by"]),
        tags=tuple(row["tags"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        acknowledged_at=row["acknowledged_at"],
        mitigated_at=row["mitigated_at"],
        resolved_at=row["resolved_at"],
        closed_at=row["closed_at"],
        version=row["version"],
    )


async def load(tx: AccountTx, id_or_key: str, *, lock: bool = False) -> Incident:
    """Return the incident named by id or key (`INC-7`); `lock` keeps others from changing it. Raises NotFoundError."""
    if match := KEY.match(id_or_key):
        rows = await _BY_NUMBER.of_account(tx, min(int(match.group(1)), 2**31 - 1), lock=lock)
    else:
        rows = await _BY_ID.of_account(tx, id_or_key, lock=lock)
    if not rows:
        raise NotFoundError(
            f"there is no incident {id_or_key[:40]!r} in this account",
            remediation="List the incidents to find its key, such as INC-7.",
        )
    return incident_of(rows[0])


async def insert(tx: AccountTx, values: Sequence[Incident]) -> None:
    """Store new incidents."""
    rows = [{"account_id": tx.account_id, **row_of(one)} for one in values]
    await insert_rows(tx.system, incident, rows, later=True)
    await _tags(tx, *values)


async def update(tx: AccountTx, before: Incident, after: Incident) -> None:
    """Store `after` over `before` (which the caller holds locked)."""
    row = row_of(after)
    old = row_of(before)
    changed = {name: value for name, value in row.items() if value != old[name]}
    names, values = list(changed), [_kept(value) for value in changed.values()]
    sqlite = ", ".join(f"{name} = ?{place}" for place, name in enumerate(names, 3))
    await tx.system.driver_later(
        _UPDATE.format(sqlite, "?1", "?2"),
        _UPDATE.format(sqlite.replace("?", "$"), "$1", "$2"),
        (tx.account_id, after.id, *values),
    )
    if before.tags != after.tags:
        await tx.execute(tx.delete(incident_tag).where(incident_tag.c.incident_id == after.id))
        await _tags(tx, after)


async def _tags(tx: AccountTx, *values: Incident) -> None:
    rows = [
        {"account_id": tx.account_id, "incident_id": one.id, "tag": tag} for one in values for tag in one.tags
    ]
    await insert_rows(tx.system, incident_tag, rows, later=True)


async def add_entries(tx: AccountTx, entries: Sequence[TimelineEntry]) -> None:
    """Append lines to the timeline."""
    # Lines of one edit share their origin.
    origins = {id(e.origin): e.origin for e in entries}
    told = {key: origin.to_json() for key, origin in origins.items()}
    rows = [
        {
            "id": e.id,
            "account_id": tx.account_id,
            "incident_id": e.incident_id,
            "at": e.at,
            "kind": e.kind,
            "audience": e.audience.value,
            "origin": told[id(e.origin)],
            "data": dict(e.data),
            "corrects": e.corrects,
        }
        for e in entries
    ]
    await insert_rows(tx.system, timeline_entry, rows, later=True)


async def add_notes(tx: AccountTx, notes: Sequence[Note]) -> None:
    """Store new notes."""
    if notes:
        rows = [
            {
                "account_id": tx.account_id,
                "id": n.id,
                "incident_id": n.incident_id,
                "text": n.text,
                "audience": n.audience.value,
                "author": person_json(n.author),
                "created_at": n.created_at,
                "origin": n.origin.to_json(),
            }
            for n in notes
        ]
        await insert_rows(tx.system, incident_note, rows, later=True)


async def notes_of(tx: AccountTx, incident_id: str, audiences: Sequence[Audience]) -> list[Note]:
    """Return the notes that readers of `audiences` may see, oldest first."""
    rows = await tx.all(
        tx.select(incident_note)
        .where(incident_note.c.incident_id == incident_id)
        .where(incident_note.c.audience.in_([a.value for a in audiences]))
        .order_by(incident_note.c.id)
    )
    return [
        Note(
            id=r["id"],
            incident_id=r["incident_id"],
            text=r["text"],
            audience=Audience(r["audience"]),
            author=person_from_json(r["author"]),
            created_at=r["created_at"],
            origin=Origin.from_json(r["origin"]),
        )
        for r in rows
    ]


def entry_of(row: RowMapping) -> TimelineEntry:
    """Return the timeline entry of a row."""
    return TimelineEntry(
        id=row["id"],
        incident_id=row["incident_id"],
        at=row["at"],
        kind=row["kind"],
        origin=Origin.from_json(row["origin"]),
        data=row["data"],
        audience=Audience(row["audience"]),
        corrects=row["corrects"],
    )


async def timeline(
    tx: AccountTx, incident_id: str, audiences: Sequence[Audience], *, after: str, limit: int
) -> list[TimelineEntry]:
    """Return up to `limit` lines after the one named `after` (empty: from the start), oldest first."""
    statement = (
        tx.select(timeline_entry)
        .where(timeline_entry.c.incident_id == incident_id)
        .where(timeline_entry.c.audience.in_([a.value for a in audiences]))
        .where(timeline_entry.c.id > after)
        .order_by(timeline_entry.c.id)
        .limit(limit)
    )
    return [entry_of(row) for row in await tx.all(statement)]


async def newest(  # one condition each
    tx: AccountTx,
    incident_id: str,
    audiences: Sequence[Audience],
    *,
    kinds: Sequence[str] = (),
    before: str = "",
    limit: int,
) -> list[TimelineEntry]:
    """Return up to `limit` lines before the one named `before` (empty: from the end), newest first; only `kinds` where some are named."""
    line = timeline_entry.c
    statement = (
        tx.select(timeline_entry)
        .where(line.incident_id == incident_id, line.audience.in_([a.value for a in audiences]))
        .order_by(line.id.desc())
        .limit(limit)
    )
    if kinds:
        statement = statement.where(line.kind.in_(list(kinds)))
    if before:
        statement = statement.where(line.id < before)
    return [entry_of(row) for row in await tx.all(statement)]


async def recent(
    tx: AccountTx, since: datetime, audiences: Sequence[Audience], *, incident_id: str, limit: int
) -> list[TimelineEntry]:
    """Return the newest lines since then, newest first: of all incidents, or of one."""
    statement = (
        tx.select(timeline_entry)
        .where(timeline_entry.c.at >= since)
        .where(timeline_entry.c.audience.in_([a.value for a in audiences]))
        .order_by(timeline_entry.c.at.desc(), timeline_entry.c.id.desc())
        .limit(limit)
    )
    if incident_id:
        statement = statement.where(timeline_entry.c.incident_id == incident_id)
    return [entry_of(row) for row in await tx.all(statement)]


async def entries_of_kinds(
    tx: AccountTx, incident_id: str, kinds: Sequence[str], *, limit: int
) -> list[TimelineEntry]:
    """Return the newest lines of these kinds, newest first."""
    statement = (
        tx.select(timeline_entry)
        .where(timeline_entry.c.incident_id == incident_id, timeline_entry.c.kind.in_(list(kinds)))
        .order_by(timeline_entry.c.id.desc())
        .limit(limit)
    )
    return [entry_of(row) for row in await tx.all(statement)]


async def entry(tx: AccountTx, incident_id: str, entry_id: str) -> TimelineEntry | None:
    """Return one line of the timeline, or None."""
    statement = tx.select(timeline_entry).where(
        timeline_entry.c.incident_id == incident_id, timeline_entry.c.id == entry_id
    )
    row = await tx.one(statement)
    return None if row is None else entry_of(row)
