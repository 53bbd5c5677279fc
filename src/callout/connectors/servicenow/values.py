"""Values of mapped columns: plain values of ours ↔ the text that the instance keeps, by what the dictionary says of the column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from callout.connectors.servicenow.metadata import Column, Table
from callout.connectors.servicenow.wire import Record
from callout.connectors.servicenow.zone import moment, raw
from callout.ports.errors import RejectedError
from callout.ports.values import Person


def _whole(value: str) -> Any:  # noqa: ANN401  # a number, or the text that is none
    return int(value) if value.lstrip("-").isdecimal() else value


def _decimal(value: str) -> Any:  # noqa: ANN401  # as above
    try:
        return float(value)
    except ValueError:
        return value


def _time(value: str) -> str:
    at = moment(value)
    return value if at is None else at.isoformat()


_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "boolean": lambda value: value == "true",
    "integer": _whole,
    "longint": _whole,
    "decimal": _decimal,
    "float": _decimal,
    "glide_date_time": _time,
    "due_date": _time,
}


def read_custom(record: Record, path: str, table: Table) -> Any:  # noqa: ANN401  # by the column's type
    """Return a column's value in our types: label of a choice, truth, number, time."""
    value = record.get(path, "")
    column = table.columns.get(path)
    if column is None or not value:
        return value
    if column.choice:
        return table.label_of(path, record)
    return _READERS.get(column.kind, str)(value)


def write_custom(value: Any, column: Column | None, table: Table, *, name: str) -> str:  # noqa: ANN401  # any value
    """Return a value as the column keeps it. Raises RejectedError naming the field of ours."""
    if value is None or isinstance(value, bool):
        return "" if value is None else str(value).lower()
    if isinstance(value, datetime):
        return raw(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, Person):
        return value.id
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    return _text(str(value), column, table, name=name)


def _text(text: str, column: Column | None, table: Table, *, name: str) -> str:
    if not text or column is None:
        return text
    if column.kind in {"glide_date_time", "due_date"}:
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            return text
        return raw(at if at.tzinfo else at.replace(tzinfo=UTC))
    choices = table.choices.get(column.name, ()) if column.choice else ()
    for choice in choices:
        if text == choice.value or text.casefold() == choice.label.casefold():
            return choice.value
    if choices:
        allowed = ", ".join(choice.label for choice in choices)
        raise RejectedError(
            f"{name}: {text!r} is none of the choices of this instance: {allowed}",
            fields={f"custom_fields/{name}": f"allowed: {allowed}"},
        )
    return text
