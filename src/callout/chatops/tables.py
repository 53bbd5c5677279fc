"""Tables of chat: which channel is whose incident's, what was posted where, and which invocations were answered."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, Integer, Table, Text, UniqueConstraint

from callout.storage.schema import Json, UtcTime, account_id, metadata

chat_channel = Table(
    "chat_channel",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("integration_id", Text, nullable=False),
    Column("incident_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("channel_id", Text, nullable=False),
    Column("private", Boolean, nullable=False),
    Column("topic", Text, nullable=False),
    Column("invited", Json, nullable=False),
    # Set while a creation is under way: a row found so was left by a crash or a lost answer.
    Column("attempted_at", UtcTime),
    Column("error", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    # The name that was last asked for: a title that changes is no reason to ask again while it stays the same.
    Column("asked", Text),
    # A person renamed it: their name stays.
    Column("renamed", Boolean),
    # 1, and one more for each channel that took the place of an archived one.
    Column("generation", Integer),
    # Whom we have dealt with already, by our names for people and groups: who left is not invited again.
    Column("handled", Json),
    # Our name of a bookmark -> the platform's id, title and address.
    Column("bookmarks", Json),
    UniqueConstraint("integration_id", "incident_id"),
    Index("ix_chat_channel_channel", "integration_id", "channel_id"),
    Index("ix_chat_channel_incident", "account_id", "incident_id"),
)

chat_message = Table(
    "chat_message",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("integration_id", Text, nullable=False),
    # Empty for a reply that is about no incident.
    Column("incident_id", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("ts", Text, nullable=False),
    Column("thread", Text, nullable=False),
    # The incident's version that the card shows.
    Column("version", Integer, nullable=False),
    # Set while a post is under way: a pending row found so was perhaps sent.
    Column("attempted_at", UtcTime),
    Column("error", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    # What it says, where that is no card of the incident as it stands; and which kind of news it is.
    Column("text", Text),
    Column("news", Text),
    UniqueConstraint("account_id", "key"),
    Index("ix_chat_message_incident", "account_id", "incident_id", "created_at"),
    Index("ix_chat_message_state", "state", "created_at"),
    # Whose thread something is said in.
    Index("ix_chat_message_place", "channel", "ts"),
)

chat_invocation = Table(
    "chat_invocation",
    metadata,
    account_id(),
    Column("integration_id", Text, primary_key=True),
    Column("invocation", Text, primary_key=True),
    Column("answer", Json),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_chat_invocation_created", "created_at"),
)

chat_file = Table(
    "chat_file",
    metadata,
    account_id(),
    Column("integration_id", Text, primary_key=True),
    # The platform's own id of the file.
    Column("file_id", Text, primary_key=True),
    Column("incident_id", Text, primary_key=True),
    # Ours, where there is one already.
    Column("attachment_id", Text),
    # `taken` from chat, or `shown` there.
    Column("way", Text, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_chat_file_incident", "account_id", "incident_id"),
)
