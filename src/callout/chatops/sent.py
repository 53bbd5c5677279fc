"""What was said in chat about an incident: sent, pending, failed or perhaps sent; and saying it again, when a person wants it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from callout.chatops import store
from callout.chatops.files.sending import FILE, ask_for_files
from callout.chatops.places import CARD
from callout.chatops.store import ChatMessage, MessageState
from callout.chatops.troubles import FAILED, can_be_said_again, of_place, where_of
from callout.chatops.visit import VISIT, partition
from callout.ports.errors import ConflictError, NotFoundError
from callout.sync.reactions import lane_of

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext
    from callout.ports.values import Origin
    from callout.storage import AccountTx


@dataclass(frozen=True, slots=True)
class Sent:
    """A message about an incident, with the name of its integration."""

    message: ChatMessage
    integration: str

    @property
    def where(self) -> str:
        """Where it belongs, in words."""
        return where_of(self.message)

    @property
    def can_be_reposted(self) -> bool:
        """Whether a person may have it said again."""
        return can_be_said_again(self.message)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        row = self.message
        return {
            "id": row.id,
            "integration": self.integration,
            "integration_id": row.integration_id,
            "what": row.purpose,
            "file": row.text if row.purpose == FILE else None,
            "news": row.news,
            "where": self.where,
            "channel": row.channel,
            "state": row.state.value,
            "why": row.error,
            "since": row.created_at.isoformat(),
            "updated_at": row.updated_at.isoformat(),
            "can_be_reposted": self.can_be_reposted,
        }


class SentMessages:
    """Shows messages, and has them said again, in the caller's transaction; calls no platform."""

    def __init__(self, context: ChatContext) -> None:
        self._context = context

    async def of(self, tx: AccountTx, id_or_key: str) -> list[Sent]:
        """Return the messages about an incident, oldest first. Raises NotFoundError."""
        incident = await self._context.incidents.get(tx, id_or_key)
        names = {one.integration_id: one.name for one in await self._context.workspaces(tx)}
        return [
            Sent(row, names.get(row.integration_id, row.integration_id))
            for row in await store.messages(tx, incident.id)
        ]

    async def repost(self, tx: AccountTx, id_or_key: str, message_id: str, origin: Origin) -> Sent:
        """Have a message sent again that failed, or of which nobody knows whether it arrived: then it may be there twice.

        Raises NotFoundError, and ConflictError for a message that was sent, is on its way, or is none that can be said again.
        """
        edit = await self._context.incidents.edit(tx, id_or_key)
        incident = edit.incident
        row = await store.message_by_id(tx, incident.id, message_id)
        if row is None:
            raise NotFoundError(
                f"{incident.key} has no message {message_id[:40]!r}",
                remediation=f"List them with: callout incident messages {incident.key}",
            )
        workspace = await self._context.workspace(tx, row.integration_id)
        found = Sent(row, row.integration_id if workspace is None else workspace.name)
        if workspace is None:
            raise ConflictError("its chat integration is gone or switched off")
        if not found.can_be_reposted:
            raise ConflictError(
                f"this message is {row.state.value.replace('_', ' ')}: only one that failed, or was perhaps sent, is sent again",
                remediation="Somebody who was not reached is called again with: escalate"
                if row.state in FAILED
                else "",
            )
        refused = row.state is MessageState.FAILED
        again = replace(
            row,
            state=MessageState.PENDING,
            error="",
            attempted_at=None,
            # A place that refused it is looked for anew: its channel may have another id by now.
            channel="" if refused and row.purpose == CARD else row.channel,
        )
        await store.put_message(tx, again, self._context.clock.now())
        told = {"integration": found.integration, "place": row.place, "message_id": row.id}
        edit.entry("chat_message_reposted", told, origin=origin)
        await edit.save()
        if row.purpose == FILE:
            await ask_for_files(self._context, tx, workspace, incident)
            return replace(found, message=again)
        payload = {
            "integration_id": row.integration_id,
            "incident_id": incident.id,
            "update": None,
        }
        await self._context.queue.enqueue(
            tx,
            VISIT,
            payload,
            key=partition(row.integration_id, incident.id),
            lane=lane_of(incident.severity),
        )
        return replace(found, message=again)

    async def repost_place(
        self, tx: AccountTx, incident_id: str, integration_id: str, place: str, origin: Origin
    ) -> int:
        """Have everything said again that one place of an incident did not get; return how many messages that are."""
        failed = of_place(await store.messages(tx, incident_id, integration_id), place)
        for row in failed:
            await self.repost(tx, incident_id, row.id, origin)
        return len(failed)


__all__ = ["Sent", "SentMessages"]
