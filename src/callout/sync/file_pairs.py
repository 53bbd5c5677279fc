"""Which file of an incident is which file of a ticket, and how far it came: rows, one per link and file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from callout.sync.tables import sync_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import RowMapping

    from callout.storage import AccountTx


class FileState(StrEnum):
    """How a file of an incident stands to one of its tickets."""

    WAITING = "waiting"
    """Ours, to be sent; `begun_at` tells that its upload was begun and nobody knows yet whether it was done."""
    PAIRED = "paired"
    """On both sides."""
    WITHHELD = "withheld"
    """Ours, kept from the ticket since more people would read it there than it is meant for."""
    REFUSED = "refused"
    """Ours, and the vendor will not have it."""
    IN_DOUBT = "in_doubt"
    """Ours, perhaps there: nobody can tell, so it is not sent again."""
    GONE = "gone"
    """Taken away there; it stays here."""


@dataclass(frozen=True, slots=True)
class FilePair:
    """A file of ours and the one of theirs that is the same; `remote_id` is None while there is none that we know of."""

    attachment_id: str
    remote_id: str | None
    state: FileState
    why: str = ""
    begun_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def unsettled(self) -> bool:
        """Whether an upload was begun whose outcome nobody knows."""
        return self.remote_id is None and self.begun_at is not None


def _pair_of(row: RowMapping) -> FilePair:
    return FilePair(
        attachment_id=row["attachment_id"],
        remote_id=row["remote_id"],
        state=FileState(row["state"]),
        why=row["why"],
        begun_at=row["begun_at"],
        updated_at=row["updated_at"],
    )


async def of_link(tx: AccountTx, link_id: str) -> dict[str, FilePair]:
    """Return the pairs of a link by the id of our file."""
    rows = await tx.all(tx.select(sync_file).where(sync_file.c.link_id == link_id))
    return {row["attachment_id"]: _pair_of(row) for row in rows}


async def of_links(tx: AccountTx, link_ids: Sequence[str]) -> list[tuple[str, FilePair]]:
    """Return link id and pair for each pair of several links."""
    rows = await tx.all(tx.select(sync_file).where(sync_file.c.link_id.in_(list(link_ids))))
    return [(row["link_id"], _pair_of(row)) for row in rows]


async def put(tx: AccountTx, link_id: str, pair: FilePair, now: datetime) -> None:
    """Store a pair's new state, or a new pair."""
    values: dict[str, Any] = {
        "remote_id": pair.remote_id,
        "state": pair.state.value,
        "why": pair.why,
        "begun_at": pair.begun_at,
        "updated_at": now,
    }
    mine = sync_file.c.link_id == link_id, sync_file.c.attachment_id == pair.attachment_id
    if not await tx.execute(tx.update(sync_file).where(*mine).values(**values)):
        row = {"link_id": link_id, "attachment_id": pair.attachment_id, "created_at": now, **values}
        await tx.execute(tx.insert(sync_file).values(**row))


__all__ = ["FilePair", "FileState", "of_link", "of_links", "put"]
