"""Rows of incidents: read and written inside the caller's transaction, one account at a time."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, or_
from sqlalchemy.dialects import postgresql, sqlite

from callout.incidents.model import (
    KEY,
    Incident,
    IncidentFilter,
    Note,
    TimelineEntry,
    person_from_json,
    person_json,
)
from callout.incidents.tables import incident, incident_counter, incident_note, incident_tag, timeline_entry
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.ports.values import Audience, Origin, Severity, Status
from callout.storage.bulk import insert_rows
from callout.storage.schema import from_micros, micros

if TYPE_CHECKING:
    from sqlalchemy import RowMapping, Select

    from callout.storage import AccountTx


class InvalidCursorError(InvalidRequestError):
    """The cursor was not made by us, or belongs to another query."""

    code = "INVALID_CURSOR"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not valid for this query",
            remediation="Start again without a cursor, and keep filters and limit the same while paging.",
            fields={"cursor": "not valid for this query"},
        )


async def next_number(tx: AccountTx, count: int = 1) -> int:
    """Return the first of the account's next `count` incident numbers; concurrent callers wait for each other, a rollback leaves no gap."""
    insert = postgresql.insert if tx.system.dialect == "postgresql" else sqlite.insert
    statement = (
        insert(incident_counter)
        .values(account_id=tx.account_id, last=count)
        .on_conflict_do_update(
            index_elements=[incident_counter.c.account_id], set_={"last": incident_counter.c.last + count}
        )
        .returning(incident_counter.c.last)
    )
    last: int = await tx.system.scalar(statement)
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


def incident_of(row: Mapping[str, Any] | RowMapping) -> Incident:
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


def _by(tx: AccountTx, id_or_key: str) -> Select[Any]:
    statement = tx.select(incident)
    match = KEY.match(id_or_key)
    if match is not None:
        return statement.where(incident.c.number == min(int(match.group(1)), 2**31 - 1))
    return statement.where(incident.c.id == id_or_key)


async def load(tx: AccountTx, id_or_key: str, *, lock: bool = False) -> Incident:
    """Return the incident named by id or key (`INC-7`); `lock` keeps others from changing it. Raises NotFoundError."""
    statement = _by(tx, id_or_key)
    if lock:
        statement = statement.with_for_update()
    row = await tx.one(statement)
    if row is None:
        raise NotFoundError(
            f"there is no incident {id_or_key[:40]!r} in this account",
            remediation="List the incidents to find its key, such as INC-7.",
        )
    return incident_of(row)


async def insert(tx: AccountTx, values: Sequence[Incident]) -> None:
    """Store new incidents."""
    rows = [{"account_id": tx.account_id, **row_of(one)} for one in values]
    await insert_rows(tx.system, incident, rows)
    await _tags(tx, *values)


async def update(tx: AccountTx, before: Incident, after: Incident) -> None:
    """Store `after` over `before` (which the caller holds locked)."""
    row = row_of(after)
    old = row_of(before)
    changed = {name: value for name, value in row.items() if value != old[name]}
    await tx.execute(tx.update(incident).where(incident.c.id == after.id).values(**changed))
    if before.tags != after.tags:
        await tx.execute(tx.delete(incident_tag).where(incident_tag.c.incident_id == after.id))
        await _tags(tx, after)


async def _tags(tx: AccountTx, *values: Incident) -> None:
    rows = [
        {"account_id": tx.account_id, "incident_id": one.id, "tag": tag} for one in values for tag in one.tags
    ]
    await insert_rows(tx.system, incident_tag, rows)


async def add_entries(tx: AccountTx, entries: Sequence[TimelineEntry]) -> None:
    """Append lines to the timeline."""
    rows = [
        {
            "id": e.id,
            "account_id": tx.account_id,
            "incident_id": e.incident_id,
            "at": e.at,
            "kind": e.kind,
            "audience": e.audience.value,
            "origin": e.origin.to_json(),
            "data": dict(e.data),
            "corrects": e.corrects,
        }
        for e in entries
    ]
    await insert_rows(tx.system, timeline_entry, rows)


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
        await tx.execute(tx.insert(incident_note), rows)


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


def _digest(wanted: IncidentFilter) -> str:
    return hashlib.sha256(repr(wanted).encode()).hexdigest()[:12]


def _cursor(wanted: IncidentFilter, last: Incident) -> str:
    raw = f"{_digest(wanted)}|{micros(last.created_at)}|{last.id}"
    return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")


def _position(wanted: IncidentFilter, cursor: str) -> tuple[datetime, str]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        digest, moment, last_id = raw.split("|")
        position = (from_micros(int(moment)), last_id)
    except (ValueError, binascii.Error, OverflowError) as error:
        raise InvalidCursorError from error
    if digest != _digest(wanted) or not last_id.isprintable():
        raise InvalidCursorError
    return position


async def search(
    tx: AccountTx, wanted: IncidentFilter, *, limit: int, cursor: str
) -> tuple[list[Incident], str]:
    """Return one page of incidents, newest first, and the cursor of the next page (empty on the last).

    The cursor holds a position, not an offset: incidents declared while someone pages are neither repeated nor skipped.
    Raises InvalidCursorError.
    """
    statement = tx.select(incident)
    column = incident.c
    if wanted.statuses:
        statement = statement.where(column.status.in_([s.value for s in wanted.statuses]))
    if wanted.severities:
        statement = statement.where(column.severity.in_([s.rank for s in wanted.severities]))
    if wanted.service:
        statement = statement.where(column.service == wanted.service)
    if wanted.team:
        statement = statement.where(column.team == wanted.team)
    if wanted.text:
        statement = statement.where(
            or_(
                column.title.icontains(wanted.text, autoescape=True),
                column.description.icontains(wanted.text, autoescape=True),
            )
        )
    if wanted.tag:
        tagged = tx.select(incident_tag.c.incident_id).where(incident_tag.c.tag == wanted.tag)
        ids = [row["incident_id"] for row in await tx.all(tagged)]
        statement = statement.where(column.id.in_(ids))
    if wanted.created_from is not None:
        statement = statement.where(column.created_at >= wanted.created_from)
    if wanted.created_before is not None:
        statement = statement.where(column.created_at < wanted.created_before)
    if cursor:
        at, last_id = _position(wanted, cursor)
        statement = statement.where(
            or_(column.created_at < at, and_(column.created_at == at, column.id < last_id))
        )
    rows = await tx.all(statement.order_by(column.created_at.desc(), column.id.desc()).limit(limit + 1))
    found = [incident_of(row) for row in rows[:limit]]
    return found, _cursor(wanted, found[-1]) if len(rows) > limit else ""
