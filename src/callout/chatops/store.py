"""Rows of chat: channels, messages and answered invocations, inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import delete

from callout.chatops.tables import chat_channel, chat_invocation, chat_message
from callout.ports.chat import MessageRef
from callout.storage import Question
from callout.storage.schema import json_text, micros

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
    PUT_AWAY = "put_away"
    """Archived by a person: it stays so."""
    GONE = "gone"
    """Deleted, or we were taken out of it."""
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
    text: str = ""
    news: str = ""

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
    asked: str = ""
    renamed: bool = False
    generation: int = 1
    handled: tuple[str, ...] = ()
    bookmarks: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Our name → the platform's id, title and address."""


def _message(row: RowMapping) -> ChatMessage:
    values = {str(name): value for name, value in row.items() if name != "account_id"}
    said = {"text": values["text"] or "", "news": values["news"] or ""}
    return ChatMessage(**{**values, **said, "state": MessageState(values["state"])})


def _channel(row: RowMapping) -> IncidentChannel:
    values = {str(name): value for name, value in row.items() if name != "account_id"}
    later = {
        "asked": values["asked"] or "",
        "renamed": bool(values["renamed"]),
        "generation": values["generation"] or 1,
        "handled": tuple(values["handled"] or ()),
        "bookmarks": values["bookmarks"] or {},
    }
    return IncidentChannel(
        **{**values, **later, "state": ChannelState(values["state"]), "invited": tuple(values["invited"])}
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


async def message_by_id(tx: AccountTx, incident_id: str, message_id: str) -> ChatMessage | None:
    """Return one of an incident's messages, or None."""
    mine = chat_message.c.incident_id == incident_id, chat_message.c.id == message_id
    row = await tx.one(tx.select(chat_message).where(*mine))
    return None if row is None else _message(row)


async def put_message(tx: AccountTx, row: ChatMessage, now: datetime) -> ChatMessage:
    """Store a message, new or changed; return it."""
    row = replace(row, updated_at=now)
    values = asdict(row)
    if await tx.execute(tx.update(chat_message).where(chat_message.c.id == row.id).values(**values)) == 0:
        await tx.execute(tx.insert(chat_message).values(**values))
    return row


async def outdate_cards(tx: AccountTx, integration_id: str, incident_id: str) -> None:
    """Note that the cards of an incident show something that is not so any more, though the incident is the same."""
    cards = (
        chat_message.c.incident_id == incident_id,
        chat_message.c.integration_id == integration_id,
        chat_message.c.purpose == "card",
    )
    await tx.execute(tx.update(chat_message).where(*cards).values(version=chat_message.c.version - 1))


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
    values = {**asdict(row), "invited": list(row.invited), "handled": list(row.handled)}
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


async def incident_of_thread(tx: AccountTx, integration_id: str, channel_id: str, thread: str) -> str:
    """Return the id of the incident that our message is about in whose thread something is said; empty when it is no message of ours."""
    if not channel_id or not thread:
        return ""
    found = await tx.scalar(
        tx.select(chat_message.c.incident_id)
        .where(chat_message.c.channel == channel_id, chat_message.c.ts == thread)
        .where(chat_message.c.integration_id == integration_id)
        .limit(1)
    )
    return found or ""


async def claim_invocation(tx: AccountTx, integration_id: str, invocation: str, now: datetime) -> bool:
    """Take an invocation for answering; False when it was taken before. On PostgreSQL it waits for one that is being answered."""
    [claim] = await tx.system.driver_together(claiming(tx, integration_id, invocation, now))
    return bool(claim)


def claiming(tx: AccountTx, integration_id: str, invocation: str, now: datetime) -> Question:
    """Return what :func:`claim_invocation` does, for those who ask more at the same moment: a row, or none when it was taken before."""
    values = (tx.account_id, integration_id, invocation, micros(now))
    return Question(_CLAIM.format(*_QUESTIONS), _CLAIM.format(*_DOLLARS), values)


async def put_answer(
    tx: AccountTx, integration_id: str, invocation: str, answer: Mapping[str, Any] | None
) -> None:
    """Store the answer of a claimed invocation."""
    text = None if answer is None else json_text(answer)
    values = (text, tx.account_id, integration_id, invocation)
    await tx.system.driver_later(_ANSWER.format(*_QUESTIONS), _ANSWER.format(*_DOLLARS), values)


# By hand: each command is claimed and answered, and a built statement costs several times what the database does for it.
_QUESTIONS: Final = ("?", "?", "?", "?")
_DOLLARS: Final = ("$1", "$2", "$3", "$4")
_CLAIM: Final = (
    "INSERT INTO chat_invocation (account_id, integration_id, invocation, created_at) "
    "VALUES ({0}, {1}, {2}, {3}) ON CONFLICT DO NOTHING RETURNING 1"
)
_ANSWER: Final = (
    "UPDATE chat_invocation SET answer = {0} "
    "WHERE account_id = {1} AND integration_id = {2} AND invocation = {3}"
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
