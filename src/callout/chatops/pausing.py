"""Chat that is paused: its jobs wait."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from callout.jobs import RetryLater

if TYPE_CHECKING:
    from callout.chatops.context import ChatContext
    from callout.storage import AccountTx

PAUSE_LOOK: Final = timedelta(seconds=30)
"""How often a paused integration is looked at again when the pause has no end."""


async def paused_for(context: ChatContext, tx: AccountTx, integration_id: str) -> None:
    """Raise RetryLater while an integration is paused."""
    pause = await context.paused(tx, integration_id)
    if pause is not None:
        left = PAUSE_LOOK if pause.until is None else pause.until - context.clock.now()
        raise RetryLater(max(left, timedelta(seconds=1)), reason=f"paused: {pause.reason}", count=False)
