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
    UniqueConstraint("account_id", "key"),
    Index("ix_chat_message_incident", "account_id", "incident_id", "created_at"),
    Index("ix_chat_message_state", "state", "created_at"),
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
