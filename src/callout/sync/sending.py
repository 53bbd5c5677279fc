"""Notes that become comments: each once, and none holds up the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from callout.incidents import Note
from callout.jobs import RetryLater, Work
from callout.kit.crash import crash_point
from callout.ports.errors import CalloutError, ConnectorError
from callout.ports.provider import (
    Idempotent,
    SupportsComments,
    SupportsFindComment,
    TicketingProvider,
)
from callout.ports.ticketing import Comment, CommentDraft
from callout.sync import links
from callout.sync.links import Link
from callout.sync.outcomes import SEARCH_AGAIN, begun_before, shown_at, surely_not_done

if TYPE_CHECKING:
    from callout.kit.clock import Clock
    from callout.storage import AccountTx


@dataclass(frozen=True, slots=True)
class Sender:
    """Writes the notes of one visit to its ticket."""

    clock: Clock
    work: Work
    account_id: str
    link: Link
    provider: TicketingProvider

    async def send(self, notes: Sequence[Note]) -> None:
        """Write each note that is not there yet. Raises ConnectorError for one that cannot go, after the others went."""
        if not notes or not isinstance(self.provider, SupportsComments):
            return
        pairs = await self.work.read(lambda tx: links.comments(tx.account(self.account_id), self.link.id))
        begun = {pair.note_id: pair.begun_at for pair in pairs}
        stuck: ConnectorError | None = None
        for note in notes:
            try:
                await self._send(self.provider, note, begun.get(note.id))
            except ConnectorError as error:
                if not error.permanent:
                    raise
                stuck = error
        if stuck is not None:
            raise stuck

    async def _send(self, provider: SupportsComments, note: Note, begun: datetime | None) -> None:
        mark = f"note-{note.id}"
        comment = None if begun is None else await self._earlier(mark, begun)
        if comment is None:
            await self._begun(note, self.clock.now())
            crash_point("sync.comment_begun")
            author = note.author.name if note.author is not None else ""
            draft = CommentDraft(note.text, audience=note.audience, author_name=author, key=mark)
            try:
                comment = await provider.create_comment(self.link.ticket_id, draft)
            except CalloutError as error:
                await self._begun(note, None if surely_not_done(error) else begun_before(self.clock.now()))
                raise
            crash_point("sync.commented")
        finish = partial(links.finish_comment, link_id=self.link.id, note_id=note.id, comment_id=comment.id)
        await self._commit(finish)

    async def _earlier(self, mark: str, begun: datetime) -> Comment | None:
        """Return the comment that an earlier attempt wrote, or None when it surely wrote none."""
        effect = self.provider.effects.get("create_comment")
        if not isinstance(self.provider, SupportsFindComment):
            if isinstance(effect, Idempotent):
                return None
            raise ConnectorError(
                f"a note may or may not have reached {self.link.ticket_key}, and it cannot be searched for",
                remediation="Look for it there; it is not written again by itself.",
            )
        found = await self.provider.find_comment(self.link.ticket_id, mark)
        if found is not None:
            return found
        left = shown_at(begun, effect) - self.clock.now()
        if left > timedelta():
            reason = "the outcome of a comment is unknown; waiting until a search must show it"
            raise RetryLater(min(left, SEARCH_AGAIN), reason=reason, count=False)
        return None

    async def _begun(self, note: Note, at: datetime | None) -> None:
        await self._commit(partial(links.begin_comment, link_id=self.link.id, note_id=note.id, now=at))

    async def _commit(self, unit: Callable[[AccountTx], Awaitable[None]]) -> None:
        await self.work.transaction(lambda tx: unit(tx.account(self.account_id)))
