"""Tables of incidents, notes, attachments and the timeline."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from callout.storage.schema import Json, UtcTime, account_id, metadata

incident = Table(
    "incident",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("number", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("severity", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("commander", Json),
    Column("assignee", Json),
    Column("declared_by", Json),
    Column("tags", Json, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("acknowledged_at", UtcTime),
    Column("mitigated_at", UtcTime),
    Column("resolved_at", UtcTime),
    Column("closed_at", UtcTime),
    Column("version", Integer, nullable=False),
    UniqueConstraint("account_id", "number"),
    Index("ix_incident_newest", "account_id", "created_at", "id"),
    Index("ix_incident_status", "account_id", "status", "created_at"),
)

incident_counter = Table(
    "incident_counter",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("last", Integer, nullable=False),
)

incident_tag = Table(
    "incident_tag",
    metadata,
    account_id(),
    Column("incident_id", Text, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", Text, primary_key=True),
    Index("ix_incident_tag_tag", "account_id", "tag"),
)

incident_note = Table(
    "incident_note",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("incident_id", Text, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    Column("text", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("author", Json),
    Column("created_at", UtcTime, nullable=False),
    Column("origin", Json, nullable=False),
    Index("ix_incident_note_incident", "account_id", "incident_id", "id"),
)

timeline_entry = Table(
    "timeline_entry",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("incident_id", Text, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    Column("at", UtcTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("origin", Json, nullable=False),
    Column("data", Json, nullable=False),
    Column("corrects", Text, nullable=False),
    Index("ix_timeline_entry_incident", "account_id", "incident_id", "id"),
)

incident_attachment = Table(
    "incident_attachment",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("incident_id", Text, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", BigInteger),
    Column("sha256", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("author", Json),
    Column("added_at", UtcTime, nullable=False),
    Column("origin", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("why", Text, nullable=False),
    Index("ix_incident_attachment_incident", "account_id", "incident_id", "id"),
)

# The bytes, in pieces: neither database has to move a whole file as one value.
incident_attachment_part = Table(
    "incident_attachment_part",
    metadata,
    account_id(),
    Column("attachment_id", Text, ForeignKey("incident_attachment.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
