"""Reading the audit by what an operator asks: filters on its columns, by time, page after page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, and_, func, not_, or_, select, true

from callout.audit.record import AuditEntry, entry_of
from callout.audit.tables import ORGANIZATION_ID, audit_log
from callout.storage import Tx

Condition = tuple[str, str, tuple[str, ...]]
"""Field, operator (`eq`, `neq`, `gt`, `lt`, `gte`, `lte`, `in`, `like`, `not in`, `not like`) and values."""
FIELDS: Final[Mapping[str, Column[Any]]] = {
    name: audit_log.c[name]
    for name in (
        "account_id",
        "action",
        "audit_type",
        "channel",
        "code",
        "created_at",
        "environment",
        "integration_id",
        "member_id",
        "method",
        "path",
        "remote_addr",
        "status",
        "subject_id",
        "subject_type",
        "user_agent",
    )
}
ANY_OF: Final[Mapping[str, tuple[Column[Any], ...]]] = {
    "actor": (audit_log.c.actor_id, audit_log.c.actor_name, audit_log.c.actor_kind),
    "subject": (audit_log.c.subject_type, audit_log.c.subject_id),
}
"""Fields that people ask for and that stand in several columns: one of them has to fit."""
_NEGATIONS: Final = {"neq": "eq", "not in": "in", "not like": "like"}


async def search(
    tx: Tx,
    *,
    conditions: Sequence[Condition] = (),
    among: frozenset[str] | None = None,
    by_request_only: bool = True,
    newest_first: bool = False,
    after: datetime | None = None,
    limit: int = 100,
) -> Sequence[AuditEntry]:
    """Return entries by time.

    Args:
        tx: the whole organization.
        conditions: all of which hold; values of `created_at` are RFC 3339 with a zone.
        among: only entries of these accounts; None for all, and those of the organization itself.
        by_request_only: leave out what came by no HTTP request: chat, the command line, Callout itself.
        newest_first: turn the order round.
        after: the time of the last entry seen.
        limit: how many; a few more where several were made at the same microsecond as the last, which `after` would skip.
    """
    made = audit_log.c.created_at
    rules: list[ColumnElement[bool]] = [audit_log.c.organization_id == ORGANIZATION_ID]
    rules += [_rule(*condition) for condition in conditions]
    if among is not None:
        rules.append(audit_log.c.account_id.in_(sorted(among)))
    if by_request_only:
        rules.append(audit_log.c.method.is_not(None))
    if after is not None:
        rules.append(made < after if newest_first else made > after)
    order = (made.desc(), audit_log.c.id.desc()) if newest_first else (made, audit_log.c.id)
    query = select(audit_log).where(*rules).order_by(*order)
    rows = list(await tx.all(query.limit(limit)))
    if len(rows) == limit:
        last = rows[-1]
        beside = audit_log.c.id < last["id"] if newest_first else audit_log.c.id > last["id"]
        rows += await tx.all(query.where(made == last["created_at"], beside))
    return [entry_of(row) for row in rows]


def _rule(field: str, operator: str, values: tuple[str, ...]) -> ColumnElement[bool]:
    if field in ANY_OF:
        return or_(*(_on(column, field, operator, values) for column in ANY_OF[field]))
    return _on(FIELDS[field], field, operator, values)


def _on(column: Column[Any], field: str, operator: str, values: tuple[str, ...]) -> ColumnElement[bool]:
    if operator in _NEGATIONS:
        positive = _on(column, field, _NEGATIONS[operator], values)
        # What is not there is not equal to anything: without this SQL would leave it out.
        return or_(column.is_(None), not_(positive))
    if field == "created_at":
        moments: list[Any] = [datetime.fromisoformat(value) for value in values]
        return _compared(column, operator, moments)
    if operator == "like":
        return _like(column, values[0].casefold())
    if operator in {"eq", "in"}:
        return func.lower(column).in_([value.lower() for value in values])
    return _compared(column, operator, list(values))


def _compared(column: Column[Any], operator: str, values: Sequence[Any]) -> ColumnElement[bool]:
    first = values[0] if values else None
    rules: Mapping[str, Callable[[], ColumnElement[bool]]] = {
        "eq": lambda: column == first,
        "in": lambda: column.in_(values),
        "gt": lambda: column > first,
        "gte": lambda: column >= first,
        "lt": lambda: column < first,
        "lte": lambda: column <= first,
    }
    return rules[operator]() if operator in rules else and_(true())


def _like(column: Column[Any], pattern: str) -> ColumnElement[bool]:
    escaped = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    wanted = escaped.replace("*", "%") if "*" in pattern else f"%{escaped}%"
    return func.lower(column).like(wanted, escape="\\")


__all__ = ["FIELDS", "Condition", "search"]
