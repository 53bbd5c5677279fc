"""Tables of links, their comments and files, and the polling positions."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint, text

from callout.storage.schema import Json, UtcTime, account_id, metadata

# Not at rest: something is to be written, decided or repaired, or a person stopped it. Those few are found by an index. The documents
# are our own compact JSON, whose last parts these are: no value of a person's can look like it.
_AGREED = ('"pending":{},"since":{},"conflicts":{}}', '"pending":{},"conflicts":{}}')
_AT_REST = "state = 'active' AND problem IS NULL AND ({})"
OUT_OF_STEP_SQLITE = "NOT ({})".format(
    _AT_REST.format(" OR ".join(f"substr(merge_state, -{len(end)}) = '{end}'" for end in _AGREED))
)
OUT_OF_STEP_POSTGRES = "NOT ({})".format(
    _AT_REST.format(" OR ".join(f"right(merge_state, {len(end)}) = '{end}'" for end in _AGREED))
)

sync_link = Table(
    "sync_link",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("incident_id", Text, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    Column("integration_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("mark", Text, nullable=False, unique=True),
    Column("ticket_id", Text, nullable=False),
    Column("ticket_key", Text, nullable=False),
    Column("ticket_url", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("merge_state", Json, nullable=False),
    Column("seen_at", UtcTime),
    Column("ticket_version", Text, nullable=False),
    Column("create_begun_at", UtcTime),
    Column("problem", Json),
    Column("failures", Integer, nullable=False),
    Column("retry_at", UtcTime),
    Column("writes", Json, nullable=False),
    Column("given", Json),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("incident_id", "integration_id"),
    Index("ix_sync_link_ticket", "integration_id", "ticket_id"),
    # One ticket has one incident. Links whose ticket is still to be made have none.
    Index(
        "uq_sync_link_ticket",
        "integration_id",
        "ticket_id",
        unique=True,
        sqlite_where=text("ticket_id <> ''"),
        postgresql_where=text("ticket_id <> ''"),
    ),
    Index("ix_sync_link_incident", "account_id", "incident_id"),
    Index("ix_sync_link_integration", "account_id", "integration_id"),
    Index(
        "ix_sync_link_out_of_step",
        "account_id",
        "integration_id",
        sqlite_where=text(OUT_OF_STEP_SQLITE),
        postgresql_where=text(OUT_OF_STEP_POSTGRES),
    ),
)

sync_comment = Table(
    "sync_comment",
    metadata,
    account_id(),
    Column("link_id", Text, ForeignKey("sync_link.id", ondelete="CASCADE"), primary_key=True),
    Column("note_id", Text, primary_key=True),
    Column("comment_id", Text),
    Column("mark", Text, nullable=False),
    Column("begun_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("link_id", "comment_id"),
)

# A file on both sides. Ours may be about to go there, or stay here for a reason; one of theirs always has both ids.
sync_file = Table(
    "sync_file",
    metadata,
    account_id(),
    Column("link_id", Text, ForeignKey("sync_link.id", ondelete="CASCADE"), primary_key=True),
    Column("attachment_id", Text, primary_key=True),
    Column("remote_id", Text),
    Column("state", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("begun_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("link_id", "remote_id"),
)

sync_poll = Table(
    "sync_poll",
    metadata,
    Column("integration_id", Text, primary_key=True),
    account_id(),
    Column("high_water", UtcTime),
    Column("polled_at", UtcTime),
    Column("problem", Json),
    Column("silence", Json),
)

# Tickets that were made incidents by rule, or taken off theirs by a person: no rule takes them again.
sync_decided = Table(
    "sync_decided",
    metadata,
    Column("integration_id", Text, primary_key=True),
    Column("ticket_id", Text, primary_key=True),
    account_id(),
    Column("why", Text, nullable=False),
    Column("at", UtcTime, nullable=False),
)

sync_seen = Table(
    "sync_seen",
    metadata,
    Column("integration_id", Text, primary_key=True),
    Column("ticket_id", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    account_id(),
    Column("seen_at", UtcTime, nullable=False, index=True),
)

sync_shadow = Table(
    "sync_shadow",
    metadata,
    account_id(),
    Column("integration_id", Text, nullable=False),
    Column("link_id", Text, ForeignKey("sync_link.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("what", Text, primary_key=True),
    Column("incident_id", Text, nullable=False),
    Column("ticket_key", Text, nullable=False),
    Column("value", Json),
    Column("times", Integer, nullable=False),
    Column("held_back", Boolean, nullable=False),
    Column("at", UtcTime, nullable=False),
    Index("ix_sync_shadow_integration", "account_id", "integration_id", "at"),
)

# Tickets of the past taken over: one row for each time that an operator asked for it.
sync_backfill = Table(
    "sync_backfill",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("integration_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("since", UtcTime),
    Column("total", Integer),
    Column("parts_left", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("made", Integer, nullable=False),
    Column("known", Integer, nullable=False),
    Column("problem", Json),
    Column("begun_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("ended_at", UtcTime),
    Index("ix_sync_backfill_integration", "account_id", "integration_id", "begun_at"),
)

# What the moves to resolved and closed ask for in one place of an integration, as read from its live workflow.
sync_need = Table(
    "sync_need",
    metadata,
    Column("integration_id", Text, primary_key=True),
    Column("project", Text, primary_key=True),
    account_id(),
    Column("asked", Json, nullable=False),
    Column("unread", Json, nullable=False),
    Column("learned_at", UtcTime),
    Column("tried_at", UtcTime, nullable=False),
)
