"""Values fit for an audit row: plain JSON, no secrets, no size surprises."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any, Final

from callout.kit.secrets import MASK, Secret

MAX_TEXT: Final = 8_192
"""Longest text kept, in characters; the audit says that something was written, the record itself holds what.
"""
MAX_DEPTH: Final = 12
_MAX_INTEGER: Final = 2**63

_SECRET_NAME = re.compile(
    r"(?:^|[_\-.])(?:secret|secrets|password|passwd|passphrase|token|tokens|api_?key|private_?key|authorization|"
    r"cookie|signature|credential_value|webhook_key)$",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"\bco_[a-z]{3,8}_[A-Za-z0-9_-]{20,}|\bsealed1:[A-Za-z0-9_-]+:[A-Za-z0-9_=-]+|\bxox[a-z]-[A-Za-z0-9-]{6,}"
    r"|\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}",
)


# JSON is Any, and each kind of value has its line.
def plain(value: object, depth: int = 0) -> Any:  # noqa: ANN401, C901, PLR0911
    """Return `value` as JSON data: secrets masked by type, by the name of their field and by their look;
    texts cut.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, Enum):
        return plain(value.value, depth)
    if isinstance(value, str):
        return text(value)
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
    hidden = _SECRET_NAME.search(name) is not None and isinstance(value, (str, Secret, bytes)) and bool(value)
    return MASK if hidden else plain(value, depth + 1)


def text(value: str) -> str:
    """Return `value` as a database keeps it: valid UTF-8, no NUL, no token-like part, at most `MAX_TEXT`
    characters.
    """
    clean = value.encode("utf-8", "replace").decode("utf-8").replace("\x00", "�")
    clean = _SECRET_TEXT.sub(MASK, clean)
    return clean if len(clean) <= MAX_TEXT else clean[: MAX_TEXT - 1] + "…"


def path(value: str) -> str:
    """Return a request path with the values of its query that carry secrets masked."""
    return text(
        re.sub(
            r"(?i)([?&](?:[^=&]*(?:token|secret|key|signature|password|code))=)[^&#]*",
            lambda m: m.group(1) + MASK,
            value,
        )
    )


__all__ = ["path", "plain", "text"]
