"""Tables of the catalogue, of service levels and of escalation."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from callout.storage.schema import Json, UtcTime, account_id, metadata

catalogue_team = Table(
    "catalogue_team",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("name", Text, nullable=False),
    # The name as it is compared: incidents name teams and services in free text.
    Column("folded", Text, nullable=False),
    # Ids of members.
    Column("members", Json, nullable=False),
    Column("channel", Text, nullable=False),
    Column("group_name", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("account_id", "folded"),
)

catalogue_service = Table(
    "catalogue_service",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("name", Text, nullable=False),
    Column("folded", Text, nullable=False),
    Column("team", Text, nullable=False),
    Column("severity", Integer),
    Column("channel", Text, nullable=False),
    Column("policy", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    UniqueConstraint("account_id", "folded"),
)

# One document of a kind per account: `sla` and `escalation`.
response_setting = Table(
    "response_setting",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("document", Json, nullable=False),
    Column("version", Integer, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

incident_clock = Table(
    "incident_clock",
    metadata,
    account_id(),
    Column("incident_id", Text, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("hours", Text, nullable=False),
    # Seconds of working time.
    Column("limit_seconds", BigInteger, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("due_at", UtcTime),
    Column("warn_at", UtcTime),
    # Set while the clock stands still.
    Column("left_seconds", BigInteger),
    Column("warned_at", UtcTime),
    Column("breached_at", UtcTime),
    Column("ended_at", UtcTime),
    Column("missed", Integer, nullable=False),
)

# The escalation of an incident: one at a time; `generation` tells it from the one before.
incident_escalation = Table(
    "incident_escalation",
    metadata,
    account_id(),
    Column("incident_id", Text, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("policy", Text, nullable=False),
    # The steps as they were when it began.
    Column("document", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("position", Integer, nullable=False),
    Column("cause", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("begun_at", UtcTime, nullable=False),
    Column("next_at", UtcTime),
    Column("updated_at", UtcTime, nullable=False),
)

incident_page = Table(
    "incident_page",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("incident_id", Text, ForeignKey("incident.id", ondelete="CASCADE"), nullable=False),
    # What was called together: a step of a policy, or one request.
    Column("call_id", Text, nullable=False),
    # Of the escalation that it is a step of; both 0 for a page that a person asked for.
    Column("generation", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("target", Json, nullable=False),
    Column("state", Text, nullable=False),
    Column("means", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("due_at", UtcTime, nullable=False),
    Column("asked_at", UtcTime, nullable=False),
    # Set while an effect that cannot be found again is under way.
    Column("attempted_at", UtcTime),
    Column("ended_at", UtcTime),
    Index("ix_incident_page_incident", "account_id", "incident_id", "id"),
)
