"""Which file of a chat is which file of an incident: rows, inside the caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from callout.chatops.tables import chat_file
from callout.storage.upsert import insert_or_ignore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import RowMapping

    from callout.storage import AccountTx


class Way(StrEnum):
    """Where a file was first."""

    TAKEN = "taken"
    """In chat: it came here."""
    SHOWN = "shown"
    """Here: the channel shows it."""


@dataclass(frozen=True, slots=True)
class ChatFile:
    """A file of an incident that chat has, too; `attachment_id` is empty until the file is here. `deleted`: taken away in chat."""

    integration_id: str
    file_id: str
    incident_id: str
    attachment_id: str
    way: Way
    deleted: bool = False


async def claim(tx: AccountTx, one: ChatFile, now: datetime) -> bool:
    """Store a file that is new to the incident; False when it is known. On PostgreSQL it waits for one that is being stored."""
    values = {
        "account_id": tx.account_id,
        "integration_id": one.integration_id,
        "file_id": one.file_id,
        "incident_id": one.incident_id,
        "attachment_id": one.attachment_id or None,
        "way": one.way.value,
        "deleted": False,
        "created_at": now,
    }
    return bool(await tx.system.execute(insert_or_ignore(tx.system, chat_file, values)))


async def one_file(tx: AccountTx, integration_id: str, file_id: str, incident_id: str) -> ChatFile | None:
    """Return what is known of a file at an incident, or None."""
    row = await tx.one(tx.select(chat_file).where(*_is(integration_id, file_id, incident_id)))
    return None if row is None else _file(row)


async def of_file(tx: AccountTx, integration_id: str, file_id: str) -> list[ChatFile]:
    """Return a file at every incident that has it."""
    mine = chat_file.c.integration_id == integration_id, chat_file.c.file_id == file_id
    rows = await tx.all(tx.select(chat_file).where(*mine).order_by(chat_file.c.incident_id))
    return [_file(row) for row in rows]


async def of_incident(tx: AccountTx, integration_id: str, incident_id: str) -> Sequence[ChatFile]:
    """Return the files that an incident shares with one integration, oldest first."""
    mine = chat_file.c.incident_id == incident_id, chat_file.c.integration_id == integration_id
    return [
        _file(row) for row in await tx.all(tx.select(chat_file).where(*mine).order_by(chat_file.c.created_at))
    ]


async def note(tx: AccountTx, one: ChatFile, **values: Any) -> None:  # noqa: ANN401  # columns of the row
    """Change what is known of a file at an incident."""
    mine = _is(one.integration_id, one.file_id, one.incident_id)
    await tx.execute(tx.update(chat_file).where(*mine).values(**values))


async def forget_shown(tx: AccountTx, integration_id: str, attachment_id: str) -> None:
    """Forget what was put on the platform for a file of ours and not shown."""
    table = chat_file.c
    mine = table.integration_id == integration_id, table.attachment_id == attachment_id
    await tx.execute(tx.delete(chat_file).where(*mine, table.way == Way.SHOWN.value))


def _is(integration_id: str, file_id: str, incident_id: str) -> tuple[Any, ...]:
    table = chat_file.c
    return table.integration_id == integration_id, table.file_id == file_id, table.incident_id == incident_id


def _file(row: RowMapping) -> ChatFile:
    return ChatFile(
        integration_id=row["integration_id"],
        file_id=row["file_id"],
        incident_id=row["incident_id"],
        attachment_id=row["attachment_id"] or "",
        way=Way(row["way"]),
        deleted=bool(row["deleted"]),
    )


__all__ = ["ChatFile", "Way", "claim", "forget_shown", "note", "of_file", "of_incident", "one_file"]
