"""Posting a message at most once, although the platform cannot tell whether it has it.

The row is committed as pending before the call and as sent after it. A row found pending with its attempt begun was left by a
crash: perhaps the message is there, so it is shown as perhaps sent and never posted again by itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from callout.chatops import store
from callout.chatops.context import ChatContext, Workspace
from callout.chatops.store import ChatMessage, MessageState
from callout.jobs import RetryLater, Work
from callout.kit.crash import crash_point
from callout.kit.ids import new_id
from callout.ports.chat import MessageRef
from callout.ports.errors import (
    AuthFailedError,
    CalloutError,
    OperationNotSupportedError,
    PausedError,
    PermissionDeniedError,
    RecordNotFoundError,
    RejectedError,
    UnavailableError,
)
from callout.ports.values import Actor, Channel, Origin

if TYPE_CHECKING:
    from callout.storage import Tx

NOTHING_DONE: Final = (UnavailableError, AuthFailedError, PausedError, RetryLater)
"""Nothing was posted, and later it may work: the job tries again."""
REFUSED: Final = (PermissionDeniedError, RecordNotFoundError, RejectedError, OperationNotSupportedError)
"""Nothing was posted, and the same again will not be either: a person has to look."""
ERROR_LIMIT: Final = 500
TROUBLE: Final = "trouble"
"""The purpose of a message about what was not sent."""


class Poster:
    """Posts the messages of one job on one integration. `work` fences every commit."""

    def __init__(self, context: ChatContext, work: Work, workspace: Workspace) -> None:
        self._context = context
        self._work = work
        self._workspace = workspace

    @property
    def integration_id(self) -> str:
        """Where it posts."""
        return self._workspace.integration_id

    async def post(self, row: ChatMessage, call: Callable[[], Awaitable[MessageRef]]) -> ChatMessage:
        """Make sure that `call` was tried for `row`; return the row as it then stands.

        Raises UnavailableError, AuthFailedError, PausedError or RetryLater when nothing was posted and it should be tried again.
        """
        if row.state is not MessageState.PENDING:
            return row
        if row.attempted_at is not None:
            return await self._settle(
                row, MessageState.PERHAPS_SENT, "the process stopped while it was being sent"
            )
        row = await self.save(replace(row, attempted_at=self._context.clock.now()))
        crash_point("chat.message_recorded")
        try:
            sent = await call()
        except NOTHING_DONE:
            await self.save(replace(row, attempted_at=None))
            raise
        except REFUSED as error:
            return await self._settle(
                row, MessageState.FAILED, f"{error.message} {error.remediation}".strip()
            )
        except CalloutError as error:
            return await self._settle(row, MessageState.PERHAPS_SENT, error.message)
        crash_point("chat.message_posted")
        return await self.save(
            replace(row, state=MessageState.SENT, channel=sent.channel, ts=sent.id, attempted_at=None)
        )

    async def refuse(self, row: ChatMessage, why: str) -> ChatMessage:
        """Commit that a message cannot be sent, with a line on the timeline; return the row."""
        return await self._settle(row, MessageState.FAILED, why)

    async def doubt(self, row: ChatMessage, why: str) -> ChatMessage:
        """Commit that nobody knows whether a message was sent, with a line on the timeline; return the row."""
        return await self._settle(row, MessageState.PERHAPS_SENT, why)

    async def save(self, row: ChatMessage) -> ChatMessage:
        """Commit `row` now."""

        async def unit(tx: Tx) -> ChatMessage:
            return await store.put_message(
                tx.account(self._workspace.account_id), row, self._context.clock.now()
            )

        return await self._work.transaction(unit)

    def draft(
        self, key: str, purpose: str, place: str, *, incident_id: str = "", thread: str = ""
    ) -> ChatMessage:
        """Return the row of a message that is not stored yet."""
        now = self._context.clock.now()
        return ChatMessage(
            id=new_id(),
            integration_id=self._workspace.integration_id,
            incident_id=incident_id,
            purpose=purpose,
            place=place,
            key=key,
            created_at=now,
            updated_at=now,
            thread=thread,
        )

    async def _settle(self, row: ChatMessage, state: MessageState, error: str) -> ChatMessage:
        """Commit that the outcome is bad or open, with a line on the timeline where an incident is concerned."""
        row = replace(row, state=state, error=error[:ERROR_LIMIT], attempted_at=None)

        async def unit(tx: Tx) -> ChatMessage:
            account = tx.account(self._workspace.account_id)
            stored = await store.put_message(account, row, self._context.clock.now())
            if row.incident_id:
                data = {
                    "integration": self._workspace.name,
                    "place": row.place,
                    "purpose": row.purpose,
                    "message_id": row.id,
                    "error": row.error,
                }
                await self._context.incidents.add_entry(
                    account, row.incident_id, f"chat_message_{state.value}", data, origin_of(self._workspace)
                )
            return stored

        return await self._work.transaction(unit)


def origin_of(workspace: Workspace) -> Origin:
    """Return the origin of what chatops notes by itself."""
    return Origin(Channel.SYSTEM, Actor.system(), integration_id=workspace.integration_id)
