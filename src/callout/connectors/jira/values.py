"""Values of custom and transition fields: plain values of ours ↔ the shape that Jira's schema asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from callout.connectors.jira.schema import date_text, moment_text, option_name
from callout.connectors.jira.text import adf_from_markdown, markdown_from_adf
from callout.connectors.jira.wire import FieldMeta
from callout.ports.errors import RejectedError

_NAMED_BY: Final[Mapping[str, str]] = {"user": "accountId", "group": "name", "option": "value"}
_REFERENCES: Final = frozenset({"priority", "resolution", "issuetype", "version", "component", "project"})
_RICH: Final = frozenset({"description", "environment"})


def read_custom(value: Any) -> Any:  # noqa: ANN401  # any JSON
    """Return a field's value in plain form: text, number, list; people by account id."""
    if isinstance(value, list):
        return [read_custom(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("type") == "doc":
        return markdown_from_adf(value)
    if "accountId" in value:
        return value["accountId"]
    if "child" in value and isinstance(value["child"], dict):
        return f"{option_name(value)} / {option_name(value['child'])}"
    return option_name(value) or value


def write_value(value: Any, meta: FieldMeta, *, name: str) -> Any:  # noqa: ANN401  # any JSON
    """Return `value` as Jira wants it for the field that `meta` describes.

    Args:
        value: plain (see :func:`read_custom`), or already in Jira's own shape.
        meta: the field's schema and, for a choice, its allowed values.
        name: the field's name for people, used in errors.

    Raises:
        RejectedError: the value is not among the allowed ones, or cannot be of this type.
    """
    schema = meta.get("schema") or {}
    kind, allowed = schema.get("type", ""), meta.get("allowedValues") or []
    if value is None:
        return [] if kind == "array" else None
    if kind == "array":
        items = value if isinstance(value, list | tuple) else [value]
        item_schema: FieldMeta = {"schema": {"type": schema.get("items", "string")}, "allowedValues": allowed}
        return [write_value(item, item_schema, name=name) for item in items]
    if isinstance(value, Mapping):
        return dict(value)
    if kind == "option-with-child":
        return _cascading(str(value), allowed, name=name)
    if allowed:
        return {"id": str(pick(str(value), allowed, name=name)["id"])}
    return _plain(value, schema, name=name)


def _plain(value: Any, schema: Mapping[str, Any], *, name: str) -> Any:  # noqa: ANN401  # any JSON
    kind, text = str(schema.get("type", "")), str(value)
    if kind == "number":
        return _number(value, name=name)
    if kind == "date":
        return date_text(value) if isinstance(value, date) else text[:10]
    if kind == "datetime":
        return moment_text(value) if isinstance(value, datetime) else _moment(text)
    if kind in _NAMED_BY:
        return {_NAMED_BY[kind]: text}
    if kind in _REFERENCES:
        return {"id" if text.isdecimal() else "name": text}
    rich = str(schema.get("custom", "")).endswith(":textarea") or schema.get("system") in _RICH
    return adf_from_markdown(text) if rich else text


def _number(value: Any, *, name: str) -> float | int:  # noqa: ANN401  # any JSON
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        return float(str(value))
    except ValueError:
        raise RejectedError(
            f"{name}: {value!r} is not a number", fields={name: "expected a number"}
        ) from None


def _moment(text: str) -> str:
    try:
        return moment_text(datetime.fromisoformat(text))
    except ValueError:
        return text


def _cascading(text: str, allowed: Sequence[Mapping[str, Any]], *, name: str) -> dict[str, Any]:
    first, _, second = (part.strip() for part in text.partition("/"))
    if not allowed:
        return {"value": first, **({"child": {"value": second}} if second else {})}
    parent = pick(first, allowed, name=name)
    result: dict[str, Any] = {"id": str(parent["id"])}
    if second:
        result["child"] = {"id": str(pick(second, parent.get("children") or [], name=name)["id"])}
    return result


def pick(wanted: str, allowed: Sequence[Mapping[str, Any]], *, name: str) -> Mapping[str, Any]:
    """Return the allowed value of that name or id. Raises RejectedError listing the allowed ones."""
    folded = wanted.strip().casefold()
    for option in allowed:
        if option_name(option).casefold() == folded:
            return option
    for option in allowed:
        if str(option.get("id", "")) == wanted.strip():
            return option
    choices = ", ".join(option_name(option) for option in allowed)
    raise RejectedError(
        f"{name}: {wanted!r} is not allowed here; allowed: {choices}",
        fields={name: f"allowed: {choices}"},
    )
