"""The inbox: every webhook that was accepted, with its raw bytes."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, Table, Text, UniqueConstraint

from callout.storage.schema import Json, UtcTime, account_id, metadata

inbound_event = Table(
    "inbound_event",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("integration_id", Text, nullable=False),
    Column("received_at", UtcTime, nullable=False),
    Column("dedupe", Text, nullable=False),
    Column("trust", Text, nullable=False),
    Column("headers", Json, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("detail", Text, nullable=False),
    UniqueConstraint("integration_id", "dedupe"),
)
