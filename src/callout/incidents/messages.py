"""Messages of a chat that people put on the timeline. What is edited or deleted there later is a later, correcting line here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from callout.incidents import store
from callout.incidents.model import FIELDS, note_text, person_json, storable
from callout.incidents.tables import incident_message
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Audience, Origin, Person

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from callout.incidents.model import TimelineEntry
    from callout.incidents.service import Incidents
    from callout.storage import AccountTx

ADDED: Final = "message_added"
EDITED: Final = "message_edited"
DELETED: Final = "message_deleted"
SOURCE_LIMIT: Final = 500
LINK_LIMIT: Final = 2_000


@dataclass(frozen=True, slots=True)
class SaidInChat:
    """A message: `source` names it wherever it stands (the same on every reading), `permalink` leads there."""

    source: str
    text: str
    author: Person | None = None
    permalink: str = ""
    said_at: datetime | None = None


class Messages:
    """Puts messages on the timeline and follows what becomes of them, in the caller's transaction."""

    def __init__(self, incidents: Incidents) -> None:
        self._incidents = incidents

    async def add(
        self,
        tx: AccountTx,
        id_or_key: str,
        message: SaidInChat,
        origin: Origin,
        *,
        audience: Audience = Audience.RESPONDERS,
    ) -> TimelineEntry:
        """Put a message on the timeline; one that is there already stays as it is. Raises InvalidRequestError."""
        message = replace(message, source=storable(message.source), permalink=storable(message.permalink))
        if not message.source or len(message.source) > SOURCE_LIMIT:
            raise InvalidRequestError("a message needs a name", fields={"source": "missing or too long"})
        link = message.permalink
        if link and (len(link) > LINK_LIMIT or not link.startswith(("https://", "http://"))):
            raise InvalidRequestError(
                "the link to a message is a web address", fields={"permalink": "not one"}
            )
        text = note_text(message.text)
        edit = await self._incidents.edit(tx, id_or_key)
        mine = [row for row in await _rows(tx, message.source) if row["incident_id"] == edit.incident.id]
        if mine:
            found = await store.entry(tx, edit.incident.id, mine[0]["entry_id"])
            if found is not None:
                return found
        data = {
            "source": message.source,
            "text": text,
            "author": person_json(FIELDS["assignee"](message.author)),
            "permalink": link,
            "said_at": None if message.said_at is None else message.said_at.isoformat(),
        }
        line = edit.entry(ADDED, data, origin=origin, audience=audience)
        row = {
            "account_id": tx.account_id,
            "incident_id": edit.incident.id,
            "source": message.source,
            "entry_id": line.id,
            "text": text,
            "audience": audience.value,
        }
        await tx.execute(tx.insert(incident_message).values(**row))
        edit.event("incident.message_added", _named(line, message.source), origin=origin)
        await edit.save()
        return line

    async def edited(self, tx: AccountTx, source: str, text: str, origin: Origin) -> list[TimelineEntry]:
        """Write a correcting line wherever the message stands on a timeline and said something else; return those lines."""
        new = note_text(text)
        lines = []
        for row in await _rows(tx, source):
            if row["deleted_at"] is None and row["text"] != new:
                lines.append(await self._correct(tx, row, EDITED, {"text": new}, origin))
                await tx.execute(tx.update(incident_message).where(*_is(row)).values(text=new))
        return lines

    async def deleted(self, tx: AccountTx, source: str, origin: Origin) -> list[TimelineEntry]:
        """Write a correcting line wherever the message stands on a timeline; what it said stays. Returns those lines."""
        lines = []
        for row in await _rows(tx, source):
            if row["deleted_at"] is None:
                lines.append(await self._correct(tx, row, DELETED, {}, origin))
                now = self._incidents.clock.now()
                await tx.execute(tx.update(incident_message).where(*_is(row)).values(deleted_at=now))
        return lines

    async def _correct(
        self, tx: AccountTx, row: RowMapping, kind: str, data: dict[str, Any], origin: Origin
    ) -> TimelineEntry:
        edit = await self._incidents.edit(tx, row["incident_id"])
        line = edit.entry(
            kind,
            {"source": row["source"], **data},
            origin=origin,
            audience=Audience(row["audience"]),
            corrects=row["entry_id"],
        )
        edit.event("incident.message_corrected", _named(line, row["source"]), origin=origin)
        await edit.save()
        return line


def _named(line: TimelineEntry, source: str) -> dict[str, Any]:
    return {"entry_id": line.id, "source": source, "audience": line.audience.value}


def _is(row: RowMapping) -> tuple[Any, ...]:
    table = incident_message.c
    return (table.incident_id == row["incident_id"], table.source == row["source"])


async def _rows(tx: AccountTx, source: str) -> list[RowMapping]:
    statement = tx.select(incident_message).where(incident_message.c.source == source)
    return list(await tx.all(statement.order_by(incident_message.c.incident_id)))
