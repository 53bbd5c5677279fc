"""The inbox: every webhook that was accepted, with its raw bytes. And the way out: endpoints, what they are told, every attempt."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from callout.storage.schema import BigId, Json, UtcTime, account_id, metadata

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

webhook_endpoint = Table(
    "webhook_endpoint",
    metadata,
    Column("id", Text, primary_key=True),
    # `*` for one of the whole organization, which no account can have as its id.
    account_id(),
    Column("name", Text, nullable=False),
    Column("fullname", Text, nullable=False),
    Column("environment", Text, nullable=False),
    # Empty: of the account or the organization.
    Column("integration_id", Text, nullable=False),
    # `config` for those that an integration's own webhook settings name, `api` for all others.
    Column("source", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("filters", Json, nullable=False),
    Column("raw_format", Text, nullable=False),
    Column("secret_sealed", Text, nullable=False),
    Column("previous_sealed", Text),
    Column("previous_until", UtcTime),
    Column("state", Text, nullable=False),
    Column("disabled_why", Text, nullable=False),
    Column("disabled_at", UtcTime),
    # The circuit: attempts that failed one after the other, since when, and until when nothing is sent.
    Column("failures", Integer, nullable=False),
    Column("failing_since", UtcTime),
    Column("open_until", UtcTime),
    Column("last_success_at", UtcTime),
    Column("last_failure_at", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("uq_webhook_endpoint_name", "account_id", "name", unique=True),
    Index("ix_webhook_endpoint_integration", "integration_id"),
)

webhook_message = Table(
    "webhook_message",
    metadata,
    # What happened, once for all endpoints that are told: the `webhook-id`.
    Column("id", Text, primary_key=True),
    account_id(),
    Column("event_type", Text, nullable=False),
    Column("integration_id", Text, nullable=False),
    Column("occurred_at", UtcTime, nullable=False),
    # The JSON object that is sent; `raw` is spliced in as `raw_payload`, byte for byte as the provider sent it.
    Column("head", Text, nullable=False),
    Column("raw", LargeBinary),
    Column("created_at", UtcTime, nullable=False),
)

webhook_delivery = Table(
    "webhook_delivery",
    metadata,
    # The order in which one subject's deliveries go to one endpoint.
    Column("seq", BigId, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    account_id(),
    Column("endpoint_id", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    # pending | delivered | dead | held (its endpoint is disabled) | cancelled
    Column("state", Text, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("next_at", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("finished_at", BigInteger),
    Column("test", SmallInteger, nullable=False, server_default=text("0")),
    Column("redelivery_of", Text),
    sqlite_autoincrement=True,
)
Index(
    "ix_webhook_delivery_due",
    webhook_delivery.c.endpoint_id,
    webhook_delivery.c.next_at,
    sqlite_where=text("state = 'pending'"),
    postgresql_where=text("state = 'pending'"),
)
Index(
    "ix_webhook_delivery_order",
    webhook_delivery.c.endpoint_id,
    webhook_delivery.c.subject,
    webhook_delivery.c.seq,
    sqlite_where=text("state = 'pending'"),
    postgresql_where=text("state = 'pending'"),
)
Index("ix_webhook_delivery_account", webhook_delivery.c.account_id, webhook_delivery.c.seq)
Index("ix_webhook_delivery_endpoint", webhook_delivery.c.endpoint_id, webhook_delivery.c.seq)
Index("ix_webhook_delivery_message", webhook_delivery.c.message_id)

webhook_told = Table(
    "webhook_told",
    metadata,
    Column("integration_id", Text, primary_key=True),
    # ticket:ID, deleted:ID, comment:TICKET:ID
    Column("subject", Text, primary_key=True),
    account_id(),
    # The provider's time stamp of the newest change that its webhook told, and of the newest that a poll found; -1 for none.
    Column("told_at", BigInteger, nullable=False),
    Column("polled_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)
Index("ix_webhook_told_seen", webhook_told.c.seen_at)

webhook_attempt = Table(
    "webhook_attempt",
    metadata,
    Column("id", BigId, primary_key=True),
    account_id(),
    Column("delivery_id", Text, nullable=False),
    Column("number", SmallInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    # From the moment of sending to the end of what was read, in microseconds.
    Column("took", BigInteger, nullable=False),
    # The answer's status, or none where there was no answer; `error` says then why, in words.
    Column("status", SmallInteger),
    Column("error", Text, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_webhook_attempt_delivery", webhook_attempt.c.delivery_id, webhook_attempt.c.id)
