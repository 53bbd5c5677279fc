"""Fields and moves as Jira's metadata describes them, in our words; and how Jira writes dates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from callout.connectors.jira.mapping import category
from callout.connectors.jira.wire import FieldMeta, TransitionBean
from callout.ports.ticketing import FieldOption, RemoteField, Transition


def transition(bean: TransitionBean) -> Transition:
    """Return a move with the fields it needs."""
    target = bean.get("to")
    return Transition(
        id=str(bean["id"]),
        name=bean.get("name", ""),
        to_status=(target or {}).get("name", ""),
        to_category=category(target),
        fields=tuple(remote_field(meta, field_id) for field_id, meta in (bean.get("fields") or {}).items()),
    )


_KINDS: Final[Mapping[str, str]] = {
    "string": "string",
    "number": "number",
    "date": "datetime",
    "datetime": "datetime",
    "option": "enum",
    "option-with-child": "enum",
    "priority": "enum",
    "resolution": "enum",
    "issuetype": "enum",
    "project": "enum",
    "array": "array",
    "user": "user",
}


def field_kind(schema: Mapping[str, Any] | None) -> str:
    """Return our kind of a field by its schema."""
    return _KINDS.get(str((schema or {}).get("type", "")), "other")


def remote_field(meta: FieldMeta, field_id: str, *, project_key: str = "") -> RemoteField:
    """Return a field as createmeta or a transition describes it."""
    return RemoteField(
        id=field_id,
        name=meta.get("name", field_id),
        path=field_id,
        kind=field_kind(meta.get("schema")),
        scope="project_custom" if field_id.startswith("customfield_") else "standard",
        project_id=project_key,
        required=bool(meta.get("required")) and not meta.get("hasDefaultValue"),
        options=tuple(
            FieldOption(str(option.get("id", "")), option_name(option))
            for option in meta.get("allowedValues") or []
        ),
    )


def option_name(option: Mapping[str, Any]) -> str:
    """Return what people call an allowed value: Jira keeps it under one of several names."""
    return str(option.get("name") or option.get("value") or option.get("key") or option.get("id") or "")


def date_text(value: datetime | date) -> str:
    """Return a Jira date: the calendar day as it was written, in its own zone."""
    return f"{value:%Y-%m-%d}"


def moment_text(value: datetime) -> str:
    """Return a Jira date-time: milliseconds and an offset without colon."""
    utc = value.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}+0000"
