"""What endpoints were told of tickets, so that each thing is told once: by the provider's webhook, or by the poll that found it first.

A ticket's row holds the provider's time stamps of the newest change told by a webhook and of the newest told because a poll found it; a
comment's row says that it was told at all. The jobs of one integration that write here run one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete, select

from callout.storage.schema import micros
from callout.webhooks.tables import webhook_told

if TYPE_CHECKING:
    from callout.kit.clock import Clock
    from callout.storage import Tx

PURGE_AT_ONCE: Final = 5_000
_TICKET_CREATED: Final = "TicketCreated"
_UPDATED: Final = "TicketUpdated"
_COMMENTED: Final = "TicketCommentCreated"
_STAMPED: Final = frozenset({_TICKET_CREATED, _UPDATED, "TicketDeleted"})
_AT_ONCE: Final = 500
_SAVE: Final = (
    "INSERT INTO webhook_told (integration_id, subject, account_id, told_at, polled_at, seen_at)"
    " VALUES ({0}, {1}, {2}, {3}, {4}, {5}) ON CONFLICT (integration_id, subject)"
    " DO UPDATE SET told_at = excluded.told_at, polled_at = excluded.polled_at, seen_at = excluded.seen_at"
)


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened to a ticket: the contract's name of it, when by the provider's clock, and of which comment."""

    ticket_id: str
    name: str
    at: datetime | None
    comment_id: str = ""

    @property
    def subject(self) -> str:
        """What it is once news of; empty for what is told each time."""
        if self.name == _COMMENTED and self.comment_id:
            return f"comment:{self.ticket_id}:{self.comment_id}"
        if self.name in _STAMPED:
            return f"{'deleted' if self.name == 'TicketDeleted' else 'ticket'}:{self.ticket_id}"
        return ""


class Told:
    """The ledger of what was told."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def first_time(
        self,
        tx: Tx,
        account_id: str,
        integration_id: str,
        news: Sequence[News],
        *,
        polled: bool,
        keep: bool = True,
    ) -> list[str | None]:
        """Return for each of `news`, in order, by which name endpoints are to be told of it, or None.

        From now on they were; unless `keep` is false: then it is only asked.
        """
        tickets = [f"ticket:{one.ticket_id}" for one in news]
        subjects = {one.subject for one in news if one.subject} | set(tickets)
        known = await self._known(tx, integration_id, sorted(subjects))
        changed: dict[str, tuple[int, int]] = {}
        names: list[str | None] = []
        for one, ticket in zip(news, tickets, strict=True):
            at = 0 if one.at is None else micros(one.at)
            told_at, polled_at = known.get(one.subject, (-1, -1))
            if one.subject.startswith("comment:"):
                first = one.subject not in known
            elif polled:
                first = bool(one.subject) and at > max(told_at, polled_at)
            else:
                first = not one.subject or not at or at > polled_at
            if not first:
                names.append(None)
                continue
            # A poll calls young tickets created; of one that was told before, the news is a change.
            again = polled and one.name == _TICKET_CREATED and one.subject in known
            names.append(_UPDATED if again else one.name)
            if one.subject:
                stamps = (told_at, max(polled_at, at)) if polled else (max(told_at, at), polled_at)
                known[one.subject] = changed[one.subject] = stamps
            if not polled and one.subject != ticket:
                # A comment moves the ticket's own time stamp: a poll that sees it has found nothing new.
                told_at, polled_at = known.get(ticket, (-1, -1))
                known[ticket] = changed[ticket] = (max(told_at, at), polled_at)
        if keep:
            await self._save(tx, account_id, integration_id, changed)
        return names

    @staticmethod
    async def _known(tx: Tx, integration_id: str, subjects: Sequence[str]) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        columns = webhook_told.c
        for at in range(0, len(subjects), _AT_ONCE):
            some = subjects[at : at + _AT_ONCE]
            query = select(columns.subject, columns.told_at, columns.polled_at).where(
                columns.integration_id == integration_id, columns.subject.in_(some)
            )
            found.update({row["subject"]: (row["told_at"], row["polled_at"]) for row in await tx.all(query)})
        return found

    async def _save(
        self, tx: Tx, account_id: str, integration_id: str, changed: dict[str, tuple[int, int]]
    ) -> None:
        now = micros(self._clock.now())
        rows: list[tuple[Any, ...]] = [
            (integration_id, subject, account_id, told_at, polled_at, now)
            for subject, (told_at, polled_at) in sorted(changed.items())
        ]
        if rows:
            marks = [f"?{n}" for n in range(1, 7)], [f"${n}" for n in range(1, 7)]
            await tx.driver_many(_SAVE.format(*marks[0]), _SAVE.format(*marks[1]), rows)


async def purge_told(tx: Tx, *, before: datetime) -> int:
    """Forget what was not told of since that time, at most 5,000 rows; return how many."""
    old = (
        select(webhook_told.c.integration_id, webhook_told.c.subject)
        .where(webhook_told.c.seen_at < micros(before))
        .limit(PURGE_AT_ONCE)
    )
    rows = await tx.all(old)
    for row in rows:
        await tx.execute(
            delete(webhook_told).where(
                webhook_told.c.integration_id == row["integration_id"],
                webhook_told.c.subject == row["subject"],
            )
        )
    return len(rows)
