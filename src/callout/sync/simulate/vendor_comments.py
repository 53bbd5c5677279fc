"""The comments of a simulated vendor's tickets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from callout.ports.ticketing import ChangeKind, Comment, CommentDraft
from callout.ports.values import Audience, Person
from callout.sync.simulate.records import BOT

if TYPE_CHECKING:
    from callout.sync.simulate.records import Record


class VendorComments:
    """What a vendor does with comments. The host gives its name, its habits, its records, and lets calls happen."""

    name: str
    quirks: Any
    records: dict[str, Record]
    broken: list[str]
    now: Any
    touched: Any
    _called: Any
    _answered: Any
    _record: Any
    _shown: Any

    async def list_comments(self, ticket_id: str) -> Sequence[Comment]:
        """Return all comments."""
        await self._called("list_comments")
        found = list(self._record(ticket_id).comments)
        if not self.quirks.findable:
            found = [replace(one, mark="") for one in found]
        await self._answered("list_comments", "")
        return found

    async def create_comment(self, ticket_id: str, draft: CommentDraft) -> Comment:
        """Add a comment; another one every time."""
        if draft.audience is Audience.INTERNAL:
            self.broken.append(f"an internal note was sent to {self.name}: {draft.content!r}")
        lost = await self._called("create_comment")
        record = self._record(ticket_id)
        comment = self.add_comment(record, draft.content, draft.audience, BOT, mark=draft.key)
        await self._answered("create_comment", lost)
        return comment

    def add_comment(
        self, record: Record, text: str, audience: Audience, author: Person, *, mark: str = ""
    ) -> Comment:
        """Write a comment."""
        number = 1 + sum(len(one.comments) for one in self.records.values())
        comment = Comment(
            id=f"{self.name}-c{number}",
            ticket_id=record.id,
            content=text,
            audience=audience,
            author=author,
            created_at=self.now(),
            mark=mark,
        )
        record.comments.append(comment)
        self.touched(record, ChangeKind.COMMENTED, author, comment)
        return comment

    async def find_comment(self, ticket_id: str, key: str) -> Comment | None:
        """Return the comment with our key, if search shows it."""
        await self._called("find_comment")
        found = [one for one in self._record(ticket_id).comments if one.mark == key]
        return found[0] if found and found[0].created_at and self._shown(found[0].created_at) else None
