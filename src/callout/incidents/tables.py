"""Tables of incidents, the people on them, tasks, notes, messages, attachments and the timeline."""

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

from callout.incidents import response_tables as _response  # noqa: F401  # they belong to the metadata
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
    Index("ix_incident_status_newest", "account_id", "status", "created_at", "id"),
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
    Index("ix_timeline_entry_at", "account_id", "at"),
)

# Who holds which role now; commander and assignee stand in the incident's own row. `person_id` is what `person` has as its id.
incident_role = Table(
    "incident_role",
    metadata,
    account_id(),
    Column("incident_id", Text, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    Column("role", Text, primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("person", Json, nullable=False),
    Column("since", UtcTime, nullable=False),
    Index("ix_incident_role_person", "account_id", "person_id"),
)

incident_participant = Table(
    "incident_participant",
    metadata,
    account_id(),
    Column("incident_id", Text, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    Column("person_id", Text, primary_key=True),
    Column("person", Json, nullable=False),
    Column("joined_at", UtcTime, nullable=False),
    Column("left_at", UtcTime),
    Index("ix_incident_participant_person", "account_id", "person_id"),
)

incident_task = Table(
    "incident_task",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("incident_id", Text, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("title", Text, nullable=False),
    Column("assignee", Json),
    Column("due", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("created_by", Json),
    Column("done_at", UtcTime),
    Column("done_by", Json),
    UniqueConstraint("incident_id", "number"),
)

# A message of a chat that somebody put on the timeline. `source` says which one it is, wherever it came from.
incident_message = Table(
    "incident_message",
    metadata,
    account_id(),
    Column("incident_id", Text, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    Column("source", Text, primary_key=True),
    Column("entry_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("deleted_at", UtcTime),
    Index("ix_incident_message_source", "account_id", "source"),
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
