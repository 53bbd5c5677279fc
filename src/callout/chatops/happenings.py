"""What people do to an incident's channel over there: a visit looks how it stands, after whatever is under way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callout.chatops import store
from callout.chatops.visit import VISIT, partition
from callout.ports.chat import ChatEvent, ChatEventKind

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext, Workspace
    from callout.storage import Tx

HAPPENINGS: Final = frozenset(
    {
        ChatEventKind.CHANNEL_ARCHIVED,
        ChatEventKind.CHANNEL_UNARCHIVED,
        ChatEventKind.CHANNEL_RENAMED,
        ChatEventKind.CHANNEL_GONE,
    }
)


async def note_happening(context: ChatContext, workspace: Workspace, given: ChatEvent) -> None:
    """Have an incident's channel looked at. Events come late and out of order: they only say that there is something to see."""
    channel = given.channel
    if given.kind not in HAPPENINGS or channel is None:
        return

    async def unit(tx: Tx) -> None:
        account = tx.account(workspace.account_id)
        incident_id = await store.incident_of_channel(account, workspace.integration_id, channel.id)
        if incident_id:
            payload = {
                "integration_id": workspace.integration_id,
                "incident_id": incident_id,
                "update": None,
                "look": True,
            }
            await context.queue.enqueue(
                account,
                VISIT,
                payload,
                key=partition(workspace.integration_id, incident_id),
                dedupe=f"{workspace.integration_id}/{given.id}",
            )

    await context.database.transaction(unit)
