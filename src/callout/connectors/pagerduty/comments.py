"""Notes as comments: plain text that everybody who sees the incident may read."""

from __future__ import annotations

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.account import Account
from callout.connectors.pagerduty.client import IncidentsClient
from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.wire import NoteBean
from callout.ports.errors import RejectedError
from callout.ports.ticketing import Comment, CommentDraft
from callout.ports.values import Audience


class Comments:
    """The notes of one account's incidents."""

    def __init__(self, config: PagerDutyConfig, client: IncidentsClient, account: Account) -> None:
        self._config = config
        self._client = client
        self._account = account

    async def read_all(self, incident: str) -> list[Comment]:
        """Return all notes, oldest first."""
        incident_id = await self._id_of(incident)
        return self.ordered(await self._client.list_incident_notes(incident_id), incident_id)

    async def _id_of(self, incident: str) -> str:
        """Return an incident's id, also for its number: a note itself does not tell whose it is."""
        return (await self._client.get_incident(incident))["id"] if incident.isdecimal() else incident

    @staticmethod
    def ordered(notes: list[NoteBean], incident_id: str) -> list[Comment]:
        """Return notes as comments, oldest first."""
        return [
            mapping.comment(note, incident_id)
            for note in sorted(notes, key=lambda one: one.get("created_at") or "")
        ]

    async def create(self, incident: str, draft: CommentDraft) -> Comment:
        """Add a note. Raises RejectedError for a text that only our own people may read."""
        if not draft.audience.may_reach(Audience.RESPONDERS):
            raise RejectedError(
                f"an {draft.audience} text cannot go to PagerDuty, where everybody who sees the incident reads its notes",
                fields={"audience": f"reaches {Audience.RESPONDERS}"},
            )
        if not draft.content.strip():
            raise RejectedError("a note needs a text", fields={"content": "cannot be empty"})
        text = mapping.signed(draft.content, author=draft.author_name, key=draft.key)
        incident_id = await self._id_of(incident)
        sender = await self._account.sender(draft.author, default=self._config.default_creator)
        return mapping.comment(
            await self._client.create_incident_note(incident_id, text, sender=sender), incident_id
        )

    async def find(self, incident: str, key: str) -> Comment | None:
        """Return the note that carries `key`, or None."""
        wanted = mapping.note_mark(key)
        return next((comment for comment in await self.read_all(incident) if comment.mark == wanted), None)

    async def delete(self, incident: str, note: str) -> None:
        """Delete a note. Raises RecordNotFoundError."""
        sender = await self._account.sender(None, default=self._config.default_creator)
        await self._client.delete_incident_note(incident, note, sender=sender)
