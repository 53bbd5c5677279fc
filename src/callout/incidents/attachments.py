"""Files at an incident: their facts, and their bytes in pieces. Added, never changed and never taken away, as notes are."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from callout.incidents.model import person_from_json, person_json
from callout.incidents.tables import incident_attachment, incident_attachment_part
from callout.kit.ids import new_id
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.ports.values import Audience, Origin, Person

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from callout.storage import AccountTx

MIB: Final = 1024 * 1024
DEFAULT_LIMIT: Final = 25 * MIB
PART: Final = 512 * 1024
"""Bytes in one row."""
NAME_LIMIT: Final = 150
DEFAULT_TYPE: Final = "application/octet-stream"
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,100}/[a-z0-9!#$&^_.+-]{1,100}", re.IGNORECASE)


class AttachmentState(StrEnum):
    """Where an attachment's bytes are."""

    FETCHING = "fetching"
    """At the ticket; they are on their way here."""
    STORED = "stored"
    ELSEWHERE = "elsewhere"
    """At the ticket only; `why` says why they did not come here."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file at an incident. `size` is in bytes, None where a vendor did not tell; `sha256` is empty until the bytes are stored."""

    id: str
    incident_id: str
    name: str
    media_type: str
    size: int | None
    sha256: str
    audience: Audience
    author: Person | None
    added_at: datetime
    origin: Origin
    state: AttachmentState = AttachmentState.STORED
    why: str = ""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be added. Without `content` its bytes come later, or, with a `why`, never."""

    name: str
    media_type: str = DEFAULT_TYPE
    size: int | None = None
    content: bytes | None = None
    why: str = ""

    @property
    def state(self) -> AttachmentState:
        """Where its bytes are."""
        if self.content is not None:
            return AttachmentState.STORED
        return AttachmentState.ELSEWHERE if self.why else AttachmentState.FETCHING


def made(
    file: NewFile,
    incident_id: str,
    audience: Audience,
    *,
    origin: Origin,
    author: Person | None,
    at: datetime,
) -> Attachment:
    """Return the attachment that a file becomes."""
    content = file.content
    return Attachment(
        id=new_id(),
        incident_id=incident_id,
        name=file_name(file.name),
        media_type=media_type(file.media_type),
        size=file.size if content is None else len(content),
        sha256="" if content is None else digest(content),
        audience=audience,
        author=author,
        added_at=at,
        origin=origin,
        state=file.state,
        why=file.why,
    )


def told(one: Attachment) -> dict[str, Any]:
    """Return what the timeline tells of a file that was added."""
    about = {"attachment_id": one.id, "name": one.name, "size": one.size, "sha256": one.sha256}
    return {**about, "why": one.why} if one.why else about


def named(one: Attachment) -> dict[str, Any]:
    """Return what the event `incident.attached` tells of a file."""
    return {"attachment_id": one.id, "audience": one.audience.value}


def file_name(given: str) -> str:
    """Return a name that is safe on every system: no folders, no control characters, at most 150 characters, its ending kept."""
    text = given.encode("utf-8", "replace").decode().replace("\\", "/").rpartition("/")[2]
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split()).strip(". ")
    stem, dot, ending = text.rpartition(".")
    if len(text) > NAME_LIMIT:
        ending = ending[-20:] if dot and stem else ""
        text = (
            f"{text[: NAME_LIMIT - len(ending) - 1].rstrip('. ')}.{ending}" if ending else text[:NAME_LIMIT]
        )
    return text or "file"


def media_type(given: str) -> str:
    """Return a media type without its parameters; what is none becomes the type of any bytes."""
    kind = given.partition(";")[0].strip().lower()
    return kind if _MEDIA_TYPE.fullmatch(kind) else DEFAULT_TYPE


def size_words(size: int) -> str:
    """Return a size for people."""
    if size < MIB:
        return f"{size / 1024:.1f} KiB" if size >= 1024 else f"{size} bytes"  # noqa: PLR2004  # bytes in a KiB
    return f"{size / MIB:.1f} MiB"


def check_size(size: int, limit: int) -> None:
    """Raise InvalidRequestError for a file that is larger than `limit` bytes, or empty."""
    if size > limit:
        raise InvalidRequestError(
            f"the file has {size_words(size)}; at most {size_words(limit)} are kept at an incident",
            remediation="Make it smaller, or write a note with a link to it. An operator can raise attachment_mib.",
            fields={"content": f"at most {limit} bytes"},
        )
    if not size:
        # Vendors refuse files without a byte, each in its own words.
        raise InvalidRequestError("the file is empty", fields={"content": "empty"})


async def add(tx: AccountTx, attachments: Sequence[Attachment]) -> None:
    """Store the facts of new attachments."""
    if attachments:
        rows = [
            {
                "account_id": tx.account_id,
                "id": one.id,
                "incident_id": one.incident_id,
                "name": one.name,
                "media_type": one.media_type,
                "size": one.size,
                "sha256": one.sha256,
                "audience": one.audience.value,
                "author": person_json(one.author),
                "added_at": one.added_at,
                "origin": one.origin.to_json(),
                "state": one.state.value,
                "why": one.why,
            }
            for one in attachments
        ]
        await tx.execute(tx.insert(incident_attachment), rows)


async def add_content(tx: AccountTx, attachment_id: str, content: bytes) -> None:
    """Store an attachment's bytes."""
    rows = [
        {
            "account_id": tx.account_id,
            "attachment_id": attachment_id,
            "number": number,
            "data": content[start : start + PART],
        }
        for number, start in enumerate(range(0, len(content), PART))
    ]
    if rows:
        await tx.execute(tx.insert(incident_attachment_part), rows)


async def content_of(tx: AccountTx, attachment_id: str) -> bytes:
    """Return an attachment's bytes."""
    rows = await tx.all(
        tx.select(incident_attachment_part)
        .where(incident_attachment_part.c.attachment_id == attachment_id)
        .order_by(incident_attachment_part.c.number)
    )
    return b"".join(row["data"] for row in rows)


async def set_state(
    tx: AccountTx, attachment_id: str, state: AttachmentState, *, content: bytes | None = None, why: str = ""
) -> None:
    """Note where an attachment's bytes are now."""
    values: dict[str, Any] = {"state": state.value, "why": why}
    if content is not None:
        values |= {"size": len(content), "sha256": digest(content)}
        await add_content(tx, attachment_id, content)
    await tx.execute(
        tx.update(incident_attachment).where(incident_attachment.c.id == attachment_id).values(**values)
    )


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def attachment_of(row: RowMapping) -> Attachment:
    """Return the attachment of a row."""
    return Attachment(
        id=row["id"],
        incident_id=row["incident_id"],
        name=row["name"],
        media_type=row["media_type"],
        size=row["size"],
        sha256=row["sha256"],
        audience=Audience(row["audience"]),
        author=person_from_json(row["author"]),
        added_at=row["added_at"],
        origin=Origin.from_json(row["origin"]),
        state=AttachmentState(row["state"]),
        why=row["why"],
    )


async def of_incident(tx: AccountTx, incident_id: str, audiences: Sequence[Audience]) -> list[Attachment]:
    """Return the attachments that readers of `audiences` may see, oldest first."""
    rows = await tx.all(
        tx.select(incident_attachment)
        .where(incident_attachment.c.incident_id == incident_id)
        .where(incident_attachment.c.audience.in_([one.value for one in audiences]))
        .order_by(incident_attachment.c.id)
    )
    return [attachment_of(row) for row in rows]


async def load(
    tx: AccountTx, incident_id: str, attachment_id: str, audiences: Sequence[Audience]
) -> Attachment:
    """Return one attachment. Raises NotFoundError when there is none that readers of `audiences` may see."""
    row = await tx.one(
        tx.select(incident_attachment).where(
            incident_attachment.c.id == attachment_id,
            incident_attachment.c.incident_id == incident_id,
            incident_attachment.c.audience.in_([one.value for one in audiences]),
        )
    )
    if row is None:
        raise NotFoundError(
            f"the incident has no attachment {attachment_id[:40]!r}",
            remediation="List its attachments to find the id.",
        )
    return attachment_of(row)


__all__ = [
    "DEFAULT_LIMIT",
    "MIB",
    "Attachment",
    "AttachmentState",
    "NewFile",
    "add",
    "check_size",
    "content_of",
    "file_name",
    "media_type",
    "of_incident",
    "set_state",
]
