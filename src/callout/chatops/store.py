"""Rows of chat: channels, messages and answered invocations, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete

from callout.chatops.tables import chat_channel, chat_invocation, chat_message
from callout.ports.chat import MessageRef
from callout.storage.upsert import insert_or_ignore

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from callout.storage import AccountTx, Tx


class MessageState(StrEnum):
    """What is known of a message."""

    PENDING = "pending"
    SENT = "sent"
    PERHAPS_SENT = "perhaps_sent"
    FAILED = "failed"


class ChannelState(StrEnum):
    """What is known of an incident's channel."""

    CREATING = "creating"
    OPEN = "open"
    ARCHIVED = "archived"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message of ours: `key` is unique for its purpose and place, `channel` and `ts` say where it is once it was sent.

    `attempted_at` is set while a post is under way, and on nothing else.
    """

    id: str
    integration_id: str
    incident_id: str
    purpose: str
    place: str
    key: str
    created_at: datetime
    updated_at: datetime
    state: MessageState = MessageState.PENDING
    channel: str = ""
    ts: str = ""
    thread: str = ""
    version: int = 0
    attempted_at: datetime | None = None
    error: str = ""

    @property
    def ref(self) -> MessageRef:
        """Where the message is."""
        return MessageRef(self.channel, self.ts, self.thread)


@dataclass(frozen=True, slots=True)
class IncidentChannel:
    """The channel of an incident on one integration. `name` is the one asked for until the platform gave another."""

    id: str
    integration_id: str
    incident_id: str
    name: str
    private: bool
    created_at: datetime
    updated_at: datetime
    state: ChannelState = ChannelState.CREATING
    channel_id: str = ""
    topic: str = ""
    invited: tuple[str, ...] = ()
    attempted_at: datetime | None = None
    error: str = ""


def _message(row: RowMapping) -> ChatMessage:
    values = {str(name): value for name, value in row.items() if name != "account_id"}
    return ChatMessage(**{**values, "state": MessageState(values["state"])})


def _channel(row: RowMapping) -> IncidentChannel:
    values = {str(name): value for name, value in row.items() if name != "account_id"}
    return IncidentChannel(
        **{**values, "state": ChannelState(values["state"]), "invited": tuple(values["invited"])}
    )


async def message(tx: AccountTx, key: str) -> ChatMessage | None:
    """Return the message of that key, or None."""
    row = await tx.one(tx.select(chat_message).where(chat_message.c.key == key))
    return None if row is None else _message(row)


async def messages(tx: AccountTx, incident_id: str, integration_id: str = "") -> list[ChatMessage]:
    """Return the messages about an incident, oldest first: for the visit, and for people who want to know what was sent."""
    statement = tx.select(chat_message).where(chat_message.c.incident_id == incident_id)
    if integration_id:
        statement = statement.where(chat_message.c.integration_id == integration_id)
    rows = await tx.all(statement.order_by(chat_message.c.created_at, chat_message.c.id))
    return [_message(row) for row in rows]


async def put_message(tx: AccountTx, row: ChatMessage, now: datetime) -> ChatMessage:
    """Store a message, new or changed; return it."""
    row = replace(row, updated_at=now)
    values = asdict(row)
    if await tx.execute(tx.update(chat_message).where(chat_message.c.id == row.id).values(**values)) == 0:
        await tx.execute(tx.insert(chat_message).values(**values))
    return row


async def channel(tx: AccountTx, integration_id: str, incident_id: str) -> IncidentChannel | None:
    """Return the incident's channel on that integration, or None."""
    row = await tx.one(
        tx.select(chat_channel).where(
            chat_channel.c.integration_id == integration_id, chat_channel.c.incident_id == incident_id
        )
    )
    return None if row is None else _channel(row)


async def put_channel(tx: AccountTx, row: IncidentChannel, now: datetime) -> IncidentChannel:
    """Store an incident's channel, new or changed; return it."""
    row = replace(row, updated_at=now)
    values = {**asdict(row), "invited": list(row.invited)}
    if await tx.execute(tx.update(chat_channel).where(chat_channel.c.id == row.id).values(**values)) == 0:
        await tx.execute(tx.insert(chat_channel).values(**values))
    return row


async def incident_of_channel(tx: AccountTx, integration_id: str, channel_id: str) -> str:
    """Return the id of the incident whose own channel that is; empty when it is nobody's."""
    if not channel_id:
        return ""
    found = await tx.scalar(
        tx.select(chat_channel.c.incident_id)
        .where(chat_channel.c.integration_id == integration_id, chat_channel.c.channel_id == channel_id)
        .order_by(chat_channel.c.created_at.desc())
        .limit(1)
    )
    return found or ""


async def claim_invocation(tx: AccountTx, integration_id: str, invocation: str, now: datetime) -> bool:
    """Take an invocation for answering; False when it was taken before. On PostgreSQL it waits for one that is being answered."""
    values = {
        "account_id": tx.account_id,
        "integration_id": integration_id,
        "invocation": invocation,
        "created_at": now,
    }
    return await tx.system.execute(insert_or_ignore(tx.system, chat_invocation, values)) == 1


async def put_answer(
    tx: AccountTx, integration_id: str, invocation: str, answer: Mapping[str, Any] | None
) -> None:
    """Store the answer of a claimed invocation."""
    await tx.execute(
        tx.update(chat_invocation)
        .where(chat_invocation.c.integration_id == integration_id, chat_invocation.c.invocation == invocation)
        .values(answer=answer)
    )


async def answer(tx: AccountTx, integration_id: str, invocation: str) -> Mapping[str, Any] | None:
    """Return the stored answer of an invocation, or None where it had none."""
    found: Mapping[str, Any] | None = await tx.scalar(
        tx.select(chat_invocation.c.answer).where(
            chat_invocation.c.integration_id == integration_id, chat_invocation.c.invocation == invocation
        )
    )
    return found


async def forget_invocations(tx: Tx, before: datetime) -> int:
    """Remove invocations that nobody repeats any more; return how many. For the retention job, over all accounts."""
    return await tx.execute(delete(chat_invocation).where(chat_invocation.c.created_at < before))


async def perhaps_sent(tx: AccountTx, *, limit: int = 100) -> Sequence[ChatMessage]:
    """Return the newest messages of which nobody knows whether they were sent."""
    rows = await tx.all(
        tx.select(chat_message)
        .where(chat_message.c.state == MessageState.PERHAPS_SENT.value)
        .order_by(chat_message.c.created_at.desc())
        .limit(limit)
    )
    return [_message(row) for row in rows]
