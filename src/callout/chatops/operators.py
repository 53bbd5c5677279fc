"""What concerns those who run Callout, told in chat: in the channel `operators` of each workspace, or else in its default one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from callout.chatops.jobs import REPLY
from callout.ports.chat_settings import DEFAULT_ROUTE, OPERATORS_ROUTE

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext
    from callout.ports.events import EventEnvelope
    from callout.storage import AccountTx

WEBHOOK_DISABLED: Final = "webhook.disabled"


async def on_webhook_disabled(context: ChatContext, tx: AccountTx, event: EventEnvelope) -> None:
    """Have it told that an endpoint of webhooks was switched off."""
    name, held = event.data["name"], int(event.data.get("held") or 0)
    waiting = f" {held} deliveries are held back for it." if held else ""
    text = (
        f"The webhook {name} was switched off: {event.data['why']}.{waiting}"
        f" Once it is well: `callout webhook test {name}`, then `callout webhook enable {name}`."
    )
    for workspace in await context.workspaces(tx):
        channels = workspace.settings.channels
        channel = channels.get(OPERATORS_ROUTE) or channels.get(DEFAULT_ROUTE)
        if channel:
            payload = {
                "integration_id": workspace.integration_id,
                "event_id": event.id,
                "channel": channel,
                "thread": "",
                "text": text,
            }
            await context.queue.enqueue(tx, REPLY, payload, dedupe=f"{workspace.integration_id}/{event.id}")
