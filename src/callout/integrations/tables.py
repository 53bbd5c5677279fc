"""Tables of integrations, their credentials and OAuth tokens, health and write pauses."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text

from callout.storage.schema import Json, UtcTime, account_id, metadata

integrations = Table(
    "integrations",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("name", Text, nullable=False),
    Column("fullname", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("provider_type", Text, nullable=False),
    Column("provider_fullname", Text, nullable=False),
    Column("provider_config", Json, nullable=False),
    Column("webhook_config", Json),
    Column("refresh_token_id", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("settings", Json, nullable=False),
    Column("integration_point_id", Text),
    Column("bridge_selector", Text),
    Column("mappings", Json),
    Column("additional_mappings", Json),
    Column("scheduled_operations", Json),
    Column("hook_token_hash", Text, nullable=False, unique=True),
    Column("hook_token_sealed", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("uq_integrations_account_id_name", "account_id", "name", unique=True),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("name", Text, nullable=False),
    Column("fullname", Text, nullable=False),
    Column("owner_type", Text, nullable=False),
    Column("owner_id", Text, nullable=False),
    Column("managed", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("plain", Json, nullable=False),
    Column("sealed", Json, nullable=False),
    Column("expires", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Index("uq_credentials_owner_name", "account_id", "owner_id", "name", unique=True),
)

oauth_tokens = Table(
    "oauth_tokens",
    metadata,
    Column("integration_id", Text, primary_key=True),
    account_id(),
    Column("generation", BigInteger, nullable=False),
    Column("access_sealed", Text),
    Column("refresh_sealed", Text),
    Column("expires_at", UtcTime),
    Column("lease_by", Text),
    Column("lease_until", UtcTime),
    Column("problem", Text),
    Column("updated_at", UtcTime, nullable=False),
)

integration_health = Table(
    "integration_health",
    metadata,
    Column("integration_id", Text, primary_key=True),
    account_id(),
    Column("state", Text, nullable=False),
    Column("last_success", UtcTime),
    Column("last_failure", UtcTime),
    Column("last_error", Text),
    Column("error_code", Text),
    Column("next_step", Text),
    Column("consecutive_failures", Integer, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("last_webhook", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

# Counted by the hour, for the charts of `status`.
integration_usage = Table(
    "integration_usage",
    metadata,
    Column("integration_id", Text, primary_key=True),
    Column("hour", UtcTime, primary_key=True),
    account_id(),
    Column("succeeded", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Index("ix_integration_usage_hour", "hour"),
)

# One row whenever the state or its reason changes; what stays as it is adds none.
integration_event = Table(
    "integration_event",
    metadata,
    Column("id", Text, primary_key=True),
    account_id(),
    Column("integration_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("requests", BigInteger, nullable=False),
    Column("error", Text),
    Column("created_at", UtcTime, nullable=False),
    Index("ix_integration_event_integration_id", "integration_id", "created_at"),
    Index("ix_integration_event_created_at", "created_at"),
)

integration_problem = Table(
    "integration_problem",
    metadata,
    Column("integration_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    account_id(),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("remediation", Text, nullable=False),
    Column("since", UtcTime, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
)

# A pause of everything everywhere has the account `*`, which no account can have as its id.
pauses = Table(
    "pauses",
    metadata,
    account_id(),
    Column("scope", Text, nullable=False),
    Column("scope_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("until", UtcTime),
    Column("by", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    Index("uq_pauses_scope", "account_id", "scope", "scope_id", unique=True),
)
