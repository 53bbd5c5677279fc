"""Looking for incidents: conditions, order, and cursors that neither repeat nor skip."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import Text, and_, or_, select, type_coerce

from callout.incidents.model import Incident, IncidentFilter
from callout.incidents.response_tables import incident_clock
from callout.incidents.sla.store import standing
from callout.incidents.store import incident_of
from callout.incidents.tables import incident, incident_participant, incident_role, incident_tag
from callout.ports.errors import InvalidRequestError
from callout.storage.schema import from_micros, micros

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

    from callout.storage import AccountTx

PERSONS_LIMIT = 1_000
"""Incidents of one person that are looked through, the newest ones."""


class InvalidCursorError(InvalidRequestError):
    """The cursor was not made by us, or belongs to another query."""

    code = "INVALID_CURSOR"

    def __init__(self) -> None:
        super().__init__(
            "the cursor is not valid for this query",
            remediation="Start again without a cursor, and keep filters and limit the same while paging.",
            fields={"cursor": "not valid for this query"},
        )


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


async def _concerns(tx: AccountTx, person_ids: Sequence[str]) -> ColumnElement[bool]:
    """Return the condition that one of these people is commander or assignee, has a role, or takes part."""
    # A person's document begins with the id, see `person_json`.
    starts = [f'{{"id":{orjson.dumps(one).decode()},' for one in person_ids]
    fields = [type_coerce(incident.c[name], Text) for name in ("commander", "assignee")]
    roles = tx.select(incident_role.c.incident_id).where(incident_role.c.person_id.in_(person_ids))
    taking_part = tx.select(incident_participant.c.incident_id).where(
        incident_participant.c.person_id.in_(person_ids), incident_participant.c.left_at.is_(None)
    )
    found: set[str] = set()
    for statement in (roles, taking_part):
        newest = statement.order_by(statement.selected_columns[0].desc()).limit(PERSONS_LIMIT)
        found |= {row["incident_id"] for row in await tx.all(newest)}
    return or_(
        *(field.startswith(start, autoescape=True) for field in fields for start in starts),
        incident.c.id.in_(found),
    )


def _plain(wanted: IncidentFilter) -> list[ColumnElement[bool]]:
    """Return the conditions that the incident's own row decides."""
    column = incident.c
    found: list[ColumnElement[bool]] = [
        column[name] == getattr(wanted, name) for name in ("service", "team") if getattr(wanted, name)
    ]
    if wanted.statuses:
        found.append(column.status.in_([one.value for one in wanted.statuses]))
    if wanted.severities:
        found.append(column.severity.in_([one.rank for one in wanted.severities]))
    if wanted.text:
        found.append(
            or_(
                column.title.icontains(wanted.text, autoescape=True),
                column.description.icontains(wanted.text, autoescape=True),
            )
        )
    if wanted.created_from is not None:
        found.append(column.created_at >= wanted.created_from)
    if wanted.created_before is not None:
        found.append(column.created_at < wanted.created_before)
    return found


async def _wanted(tx: AccountTx, wanted: IncidentFilter, now: datetime) -> Select[Any]:
    column = incident.c
    statement = tx.select(incident)
    if wanted.clock is not None:
        kind, state = wanted.clock
        joined = incident.join(incident_clock, incident_clock.c.incident_id == column.id)
        statement = tx.scope(select(incident).select_from(joined)).where(
            incident_clock.c.kind == kind, standing(now) == state
        )
    statement = statement.where(*_plain(wanted))
    if wanted.tag:
        tagged = tx.select(incident_tag.c.incident_id).where(incident_tag.c.tag == wanted.tag)
        ids = [row["incident_id"] for row in await tx.all(tagged)]
        statement = statement.where(column.id.in_(ids))
    if wanted.person_ids:
        statement = statement.where(await _concerns(tx, wanted.person_ids))
    return statement


async def search(
    tx: AccountTx, wanted: IncidentFilter, *, limit: int, cursor: str, now: datetime
) -> tuple[list[Incident], str]:
    """Return one page of incidents, newest first, and the cursor of the next page (empty on the last).

    The cursor holds a position, not an offset: incidents declared while someone pages are neither repeated nor skipped.
    Raises InvalidCursorError.
    """
    column = incident.c
    statement = await _wanted(tx, wanted, now)
    if cursor:
        at, last_id = _position(wanted, cursor)
        statement = statement.where(
            or_(column.created_at < at, and_(column.created_at == at, column.id < last_id))
        )
    rows = await tx.all(statement.order_by(column.created_at.desc(), column.id.desc()).limit(limit + 1))
    found = [incident_of(row) for row in rows[:limit]]
    return found, _cursor(wanted, found[-1]) if len(rows) > limit else ""
