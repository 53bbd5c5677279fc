"""Raw JSON against the SDK's own types, strictly: no unknown, missing or mistyped field.

The SDK itself builds its models leniently and would not notice any of these.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

OURS = frozenset(
    {
        # Answers may carry more than the contract names; these are what we add, and nothing else.
        ("CustomFieldMapping", "project_field_path"),
        ("Integration", "enabled"),
        ("Integration", "settings"),
        ("WebhookItem", "raw_payload_format"),
        *(("Ticket", key) for key in ("key", "url", "status_category", "priority_name", "version", "people")),
        *(("Comment", key) for key in ("audience", "people")),
        *(("RemoteField", key) for key in ("required", "ticket_field", "default", "max_length")),
        *(("Agent", key) for key in ("level", "schedule", "start", "end")),
        *(("Audit", key) for key in ("action", "actor", "channel", "subject_type", "subject_id")),
        ("ListRemoteFieldsResponse", "cursor"),
        *(
            (f"IncidentResponse{kind}", "level")
            for kind in ("UserUnion_IncidentResponseUser", "UserUnion_IncidentResponseUserReference")
        ),
    }
)
"""(type, key) of our extensions."""
_PLAIN: Mapping[Any, tuple[type, ...]] = {str: (str,), int: (int,), bool: (bool,), float: (int, float)}


def differences(annotation: Any, value: Any, path: str = "$") -> list[str]:
    """Return in words where `value`, as JSON gave it, is not what `annotation` describes; empty when it is."""
    return list(_judge(annotation, value, path))


def _judge(annotation: Any, value: Any, path: str, metadata: Sequence[Any] = ()) -> Iterator[str]:
    origin = typing.get_origin(annotation)
    if annotation is Any:
        return
    if origin is typing.Annotated:
        inner, *more = typing.get_args(annotation)
        yield from _judge(inner, value, path, (*metadata, *more))
    elif origin in {typing.Union, types.UnionType}:
        yield from _union(typing.get_args(annotation), value, path, metadata)
    elif origin in {list, Sequence, dict, Mapping}:
        yield from _items(annotation, value, path)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from _model(annotation, value, path)
    else:
        yield from _scalar(annotation, value, path)


def _items(annotation: Any, value: Any, path: str) -> Iterator[str]:
    of = typing.get_args(annotation)[-1]
    if typing.get_origin(annotation) in {list, Sequence}:
        if isinstance(value, list):
            for number, item in enumerate(value):
                yield from _judge(of, item, f"{path}[{number}]")
        else:
            yield f"{path}: a list is due, not {value!r}"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _judge(of, item, f"{path}.{key}")
    else:
        yield f"{path}: an object is due, not {value!r}"


def _scalar(annotation: Any, value: Any, path: str) -> Iterator[str]:
    if typing.get_origin(annotation) is typing.Literal:
        fits = value in typing.get_args(annotation)
    elif annotation is type(None):
        fits = value is None
    elif isinstance(annotation, type) and issubclass(annotation, Enum):
        known = {one.value for one in annotation if not one.name.startswith("_")}
        fits = isinstance(value, str) and value in known
    elif annotation in {datetime, date}:
        fits = isinstance(value, str) and _is_time(value)
    elif annotation in _PLAIN:
        fits = type(value) in _PLAIN[annotation]
    else:
        raise TypeError(f"{path}: a kind of type that is not known here: {annotation!r}")
    if not fits:
        yield f"{path}: {value!r} is not {annotation}"


def _union(options: Sequence[Any], value: Any, path: str, metadata: Sequence[Any]) -> Iterator[str]:
    if value is None:
        if type(None) not in options:
            yield f"{path}: null"
        return
    options = [option for option in options if option is not type(None)]
    named = [one.discriminant for one in metadata if hasattr(one, "discriminant")]
    if named and isinstance(value, dict):
        options = [one for one in options if _literal(one, named[0]) == value.get(named[0])]
        if not options:
            yield f"{path}: no kind of {named[0]} {value.get(named[0])!r} is known"
            return
    found = [list(_judge(option, value, path, metadata)) for option in options]
    if all(found):
        yield from min(found, key=len)


def _literal(model: Any, name: str) -> Any:
    found = typing.get_args(model.model_fields[name].annotation)
    return found[0] if found else None


def _model(model: type[BaseModel], value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {model.__name__} is due, not {value!r}"
        return
    wire: dict[str, FieldInfo] = {info.alias or name: info for name, info in model.model_fields.items()}
    names = _own_names(model)
    for key in sorted(set(value) - set(wire)):
        if not any((name, key) in OURS for name in names):
            yield f"{path}.{key}: unknown to {model.__name__}"
    for key, info in wire.items():
        if key not in value:
            if info.is_required():
                yield f"{path}.{key}: missing"
        else:
            yield from _judge(info.annotation, value[key], f"{path}.{key}", info.metadata)


def _own_names(model: type[BaseModel]) -> tuple[str, ...]:
    return tuple(one.__name__ for one in model.__mro__ if issubclass(one, BaseModel))


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
