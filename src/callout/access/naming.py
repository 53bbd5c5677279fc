"""Names: unique lower-case slugs that stand for ids in paths, beside the full name that people read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from sqlalchemy import ColumnElement, Table, select

from callout.kit.ids import slug
from callout.ports.errors import InvalidRequestError

if TYPE_CHECKING:
    from callout.storage import Tx

MAX_NAME: Final = 100
MAX_FULLNAME: Final = 255
_NAME = re.compile(r"[a-z0-9_-]{1,100}")
_LABEL = re.compile(r"[A-Za-z0-9_\-:.]{1,48}")


def clean_name(name: str) -> str:
    """Return `name` in lower case. Raises InvalidRequestError unless it is a slug."""
    lower = name.strip().lower()
    if _NAME.fullmatch(lower) is None:
        raise InvalidRequestError(
            f"{name!r} cannot be a name",
            remediation="Use 1 to 100 lower-case letters, digits, '-' and '_'.",
            fields={"/name": "must match [a-z0-9_-]{1,100}"},
        )
    return lower


def clean_fullname(fullname: str) -> str:
    """Return `fullname` without space around it. Raises InvalidRequestError when it is empty, long or has
    controls.
    """
    text = fullname.strip()
    if not text or len(text) > MAX_FULLNAME or any(ord(c) < ord(" ") for c in text):
        raise InvalidRequestError(
            f"a full name has 1 to {MAX_FULLNAME} characters and no control characters",
            fields={"/fullname": "empty, too long or with control characters"},
        )
    return text


def clean_labels(labels: list[str] | tuple[str, ...]) -> list[str]:
    """Return `labels` without repeats. Raises InvalidRequestError for one that is no label."""
    for n, label in enumerate(labels):
        if _LABEL.fullmatch(label) is None:
            raise InvalidRequestError(
                f"{label!r} cannot be a label",
                remediation="Use 1 to 48 letters, digits, '_', '-', ':' and '.'.",
                fields={f"/labels/{n}": "not a label"},
            )
    return list(dict.fromkeys(labels))


async def choose_names(
    tx: Tx,
    table: Table,
    *,
    name: str | None,
    fullname: str | None,
    record_id: str,
    within: ColumnElement[bool] | None = None,
) -> tuple[str, str]:
    """Return name and full name of a new record: each from the other when absent, both the id when both are.

    A name made from the full name gets a number when it is taken; a name that was asked for is returned as it
    is, and inserting it may then fail. `within` restricts where the name must be unique. Raises
    InvalidRequestError.
    """
    if name:
        return clean_name(name), clean_fullname(fullname) if fullname else name.strip()
    if not fullname:
        return record_id, record_id
    full = clean_fullname(fullname)
    stem = slug(full)[: MAX_NAME - 6].strip("-") or record_id
    query = select(table.c.name).where(table.c.name.startswith(stem, autoescape=True))
    if within is not None:
        query = query.where(within)
    taken = {row["name"] for row in await tx.all(query)}
    number, free = 2, stem
    while free in taken:
        free, number = f"{stem}-{number}", number + 1
    return free, full
