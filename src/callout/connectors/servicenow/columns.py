"""Fields of ours as the columns that hold them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, Final

from callout.connectors.servicenow import mapping
from callout.connectors.servicenow.meaning import choose_priority, levels_for
from callout.connectors.servicenow.metadata import Table
from callout.connectors.servicenow.wire import Record
from callout.connectors.servicenow.zone import raw
from callout.ports.errors import PermissionDeniedError, RejectedError
from callout.ports.values import Priority

TITLE_LIMIT: Final = 160
DESCRIPTION_LIMIT: Final = 4000
CUT_TITLE: Final = "…"
CUT_TEXT: Final = "\n\n… (cut by Callout: the column is full)"
_WHITE = re.compile(r"\s+")


def _limit(table: Table, column: str, stock: int) -> int:
    found = table.columns.get(column)
    return found.max_length if found is not None and found.max_length > 0 else stock


def title(text: str, table: Table) -> str:
    """Return a title as the column takes it: one line, cut with a mark. Raises RejectedError for an empty one."""
    line = _WHITE.sub(" ", text).strip()
    if not line:
        raise RejectedError("a ticket needs a title", fields={"title": "empty"})
    return mapping.fitted(line, _limit(table, "short_description", TITLE_LIMIT), mark=CUT_TITLE)


def description(text: str, table: Table, told: dict[str, Any]) -> str:
    """Return a description as the column takes it; what had to be cut is noted in `told`."""
    limit = _limit(table, "description", DESCRIPTION_LIMIT)
    if len(text) > limit:
        told["cut"] = ["description"]
    return mapping.fitted(text, limit, mark=CUT_TEXT)


def priority(value: Any, table: Table) -> dict[str, str]:  # noqa: ANN401
    """Return what makes a priority: itself, or impact and urgency where the instance computes it. Raises ConnectorError."""
    if value in (None, ""):
        raise RejectedError("a record always has a priority", fields={"priority": "cannot be empty"})
    wanted = Priority(value)
    if table.computes_priority:
        levels = levels_for(wanted, table.choices.get("impact", ()), table.choices.get("urgency", ()))
        if levels is not None:
            return {"impact": levels[0], "urgency": levels[1]}
    chosen = choose_priority(wanted, table.choices.get("priority", ()))
    if chosen is None:
        raise PermissionDeniedError(
            f"the priorities of {table.name} cannot be read, so none can be set",
            remediation="Grant the integration's user read access to sys_choice (role personalize_choices).",
        )
    return {"priority": chosen.value}


def has_priority(record: Record, table: Table, value: Any) -> bool:  # noqa: ANN401
    """Return whether a record has that priority already."""
    chosen = choose_priority(Priority(value), table.choices.get("priority", ()))
    return chosen is not None and chosen.value == record.get("priority")


def due_date(value: Any) -> str:  # noqa: ANN401
    """Return a date as the column holds it."""
    if isinstance(value, datetime):
        return raw(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return f"{value:%Y-%m-%d} 00:00:00"
    return raw(datetime.fromisoformat(str(value))) if value else ""


def sets_itself() -> RejectedError:
    """Return the refusal of a time that only the instance sets."""
    return RejectedError(
        "ServiceNow sets the time of completion itself, when the record is resolved or closed",
        fields={"completion_date": "read only"},
    )
