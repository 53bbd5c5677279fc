"""What came in, without the characters that no database and no JSON of ours can hold: NUL and lone surrogates. No person types them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def cleaned(given: T) -> T:
    """Return a value with every text in it, at any depth, made one that can be kept."""
    found: Any = _cleaned(given)
    return found  # type: ignore[no-any-return]  # of the same type


def _cleaned(value: Any) -> Any:  # noqa: ANN401  # any part of what came in
    if isinstance(value, str) and not isinstance(value, Enum):
        if value.isascii() and "\x00" not in value:
            return value
        return value.replace("\x00", "").encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_cleaned(name): _cleaned(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_cleaned(one) for one in value)
    if is_dataclass(value) and not isinstance(value, type):
        changes = {}
        for name in _names(type(value)):
            before = getattr(value, name)
            after = _cleaned(before)
            if after is not before and after != before:
                changes[name] = after
        return replace(value, **changes) if changes else value
    return value


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))
