"""Values fit for an audit row: plain JSON, no secrets, no size surprises."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Final

from callout.kit.redaction import is_plainly_clean, is_secret_name, redact_text
from callout.kit.secrets import MASK, Secret

MAX_TEXT: Final = 8_192
"""Longest text kept, in characters: the audit says that something was written, the record itself holds what."""
MAX_DEPTH: Final = 12
_MAX_INTEGER: Final = 2**63
# Beside a credential stand its id and its kind, which an audit is for.
_HARMLESS_ENDS: Final = ("_id", "_ids", "_type", "_kind", "_ttl")


def plain_object(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object as :func:`plain` does; one of small clean values, as most are, is looked through at once."""
    texts: list[str] = []
    if _is_small(value, texts, 0):
        together = "\n".join(texts)
        if len(together) <= MAX_TEXT and "\x00" not in together and is_plainly_clean(together):
            return dict(value)
    found: dict[str, Any] = plain(dict(value))
    return found


def _is_small(value: Mapping[str, Any], texts: list[str], depth: int) -> bool:
    """Return whether nothing in an object can need masking but its texts, which are added to `texts`."""
    if depth >= MAX_DEPTH:
        return False
    for name, item in value.items():
        kind = type(item)
        if type(name) is not str or is_secret_name(name):
            return False
        texts.append(name)
        if kind is str:
            texts.append(item)
        elif kind is dict:
            if not _is_small(item, texts, depth + 1):
                return False
        elif not (item is None or kind is bool or (kind is int and -_MAX_INTEGER <= item < _MAX_INTEGER)):
            return False
    return True


# JSON is Any, and each kind of value has its line.
def plain(value: object, depth: int = 0) -> Any:  # noqa: ANN401, C901, PLR0911
    """Return `value` as JSON data: secrets masked by type, by the name of their field and by their look; texts
    cut.
    """
    if isinstance(value, str):  # the most frequent first; the text of a StrEnum is its value
        return text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Enum):
        return plain(value.value, depth)
    if isinstance(value, int):
        return value if -_MAX_INTEGER <= value < _MAX_INTEGER else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if depth >= MAX_DEPTH:
        return "…"
    if is_dataclass(value) and not isinstance(value, type):
        return plain({name: getattr(value, name) for name in value.__dataclass_fields__}, depth)
    if isinstance(value, Mapping):
        return {text(str(k)): _field(str(k), v, depth) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain(item, depth + 1) for item in value), key=str)
    return text(str(value))


def _field(name: str, value: object, depth: int) -> Any:  # noqa: ANN401
    named_so = is_secret_name(name) and not name.lower().endswith(_HARMLESS_ENDS)
    return MASK if named_so and value and isinstance(value, (str, Secret, bytes)) else plain(value, depth + 1)


def text(value: str) -> str:
    """Return `value` as a database keeps it: valid UTF-8, no NUL, no credential, at most `MAX_TEXT` characters."""
    if not value:
        return value
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode("utf-8")
    clean = redact_text(value.replace("\x00", "\N{REPLACEMENT CHARACTER}"))
    return clean if len(clean) <= MAX_TEXT else clean[: MAX_TEXT - 1] + "…"
