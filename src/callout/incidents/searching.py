"""Looking for incidents: conditions, order, and cursors that neither repeat nor skip."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Integer, Text, and_, bindparam, or_, select, type_coerce

from callout.incidents.model import Incident, IncidentFilter
from callout.incidents.response_tables import incident_clock
from callout.incidents.sla.store import standing
from callout.incidents.store import incident_of
from callout.incidents.tables import incident, incident_participant, incident_role, incident_tag
from callout.ports.errors import InvalidRequestError
from callout.storage.prepared import Prepared
from callout.storage.schema import from_micros, micros

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Select

    from callout.storage import AccountTx
    from callout.storage.reading import AnyRow

_SINGLE: Final[Mapping[str, Callable[[Any, Any], ColumnElement[bool]]]] = {
    "service": lambda column, value: column.service == value,
    "team": lambda column, value: column.team == value,
    "created_from": lambda column, value: column.created_at >= value,
    "created_before": lambda column, value: column.created_at < value,
}
"""Fields of a filter that have one value, and what each asks of the columns."""
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


def _values(wanted: IncidentFilter) -> dict[str, Any]:
    """Return what the incident's own row is asked for, but for words: each value by the name that :func:`_conditions` knows."""
    found: dict[str, Any] = {name: getattr(wanted, name) for name in _SINGLE if getattr(wanted, name)}
    found |= {f"status_{number}": one.value for number, one in enumerate(wanted.statuses)}
    return found | {f"severity_{number}": one.rank for number, one in enumerate(wanted.severities)}


def _conditions(names: Sequence[str]) -> list[ColumnElement[bool]]:
    """Return the conditions on the incident's own row, with a parameter for each of `names`."""
    column = incident.c
    found = [condition(column, bindparam(name)) for name, condition in _SINGLE.items() if name in names]
    for kind in ("status", "severity"):
        values = [bindparam(name, type_=column[kind].type) for name in names if name.startswith(f"{kind}_")]
        if values:
            found.append(column[kind].in_(values))
    return found


@lru_cache(maxsize=128)
def _page(names: tuple[str, ...], *, further: bool) -> Prepared:
    """Return the question for a page of an account's incidents that only their own rows decide: everybody's list is one."""
    own = incident.c.account_id == bindparam("account_id")
    return Prepared(_paged(select(incident).where(own, *_conditions(names)), further=further))


def _paged(statement: Select[Any], *, further: bool) -> Select[Any]:
    """Return a statement's page: the newest first, with `further` those behind a position."""
    column = incident.c
    if further:
        at = bindparam("at", type_=column.created_at.type)
        last_id = bindparam("last_id", type_=column.id.type)
        statement = statement.where(
            or_(column.created_at < at, and_(column.created_at == at, column.id < last_id))
        )
    newest_first = statement.order_by(column.created_at.desc(), column.id.desc())
    return newest_first.limit(bindparam("limit", type_=Integer))


async def _wanted(tx: AccountTx, wanted: IncidentFilter, names: Sequence[str], now: datetime) -> Select[Any]:
    column = incident.c
    statement = tx.select(incident)
    if wanted.clock is not None:
        kind, state = wanted.clock
        joined = incident.join(incident_clock, incident_clock.c.incident_id == column.id)
        statement = tx.scope(select(incident).select_from(joined)).where(
            incident_clock.c.kind == kind, standing(now) == state
        )
    statement = statement.where(*_conditions(names))
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
    values = _values(wanted)
    names = tuple(values)
    if cursor:
        values["at"], values["last_id"] = _position(wanted, cursor)
    values["limit"] = limit + 1
    if wanted.text or wanted.tag or wanted.person_ids or wanted.clock is not None:
        statement = _paged(await _wanted(tx, wanted, names, now), further=bool(cursor))
        rows: Sequence[AnyRow] = await tx.all(statement, values)
    else:
        page = _page(names, further=bool(cursor))
        rows = await page.all(tx.system, account_id=tx.account_id, **values)
    found = [incident_of(row) for row in rows[:limit]]
    return found, _cursor(wanted, found[-1]) if len(rows) > limit else ""
