"""Foundation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


TRIGGERS = {
    "sqlite": (
        "CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log WHEN NOT (OLD.position IS NULL AND NEW.position IS NOT NULL AND NEW.id IS OLD.id AND NEW.organization_id IS OLD.organization_id AND NEW.account_id IS OLD.account_id AND NEW.created_at IS OLD.created_at AND NEW.audit_type IS OLD.audit_type AND NEW.action IS OLD.action AND NEW.actor_kind IS OLD.actor_kind AND NEW.actor_id IS OLD.actor_id AND NEW.actor_name IS OLD.actor_name AND NEW.channel IS OLD.channel AND NEW.origin IS OLD.origin AND NEW.subject_type IS OLD.subject_type AND NEW.subject_id IS OLD.subject_id AND NEW.data IS OLD.data AND NEW.integration_id IS OLD.integration_id AND NEW.member_id IS OLD.member_id AND NEW.environment IS OLD.environment AND NEW.remote_addr IS OLD.remote_addr AND NEW.user_agent IS OLD.user_agent AND NEW.method IS OLD.method AND NEW.path IS OLD.path AND NEW.code IS OLD.code AND NEW.status IS OLD.status) BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END",
        "CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log WHEN NOT EXISTS (SELECT 1 FROM audit_heads h WHERE h.organization_id = OLD.organization_id AND OLD.position IS NOT NULL AND OLD.position <= h.floor) BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END",
        "CREATE TRIGGER audit_heads_no_delete BEFORE DELETE ON audit_heads BEGIN SELECT RAISE(ABORT, 'audit_heads is append-only'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_TABLE_NAME = 'audit_log' THEN IF TG_OP = 'UPDATE' THEN IF OLD.position IS NULL AND NEW.position IS NOT NULL AND NEW.id IS NOT DISTINCT FROM OLD.id AND NEW.organization_id IS NOT DISTINCT FROM OLD.organization_id AND NEW.account_id IS NOT DISTINCT FROM OLD.account_id AND NEW.created_at IS NOT DISTINCT FROM OLD.created_at AND NEW.audit_type IS NOT DISTINCT FROM OLD.audit_type AND NEW.action IS NOT DISTINCT FROM OLD.action AND NEW.actor_kind IS NOT DISTINCT FROM OLD.actor_kind AND NEW.actor_id IS NOT DISTINCT FROM OLD.actor_id AND NEW.actor_name IS NOT DISTINCT FROM OLD.actor_name AND NEW.channel IS NOT DISTINCT FROM OLD.channel AND NEW.origin IS NOT DISTINCT FROM OLD.origin AND NEW.subject_type IS NOT DISTINCT FROM OLD.subject_type AND NEW.subject_id IS NOT DISTINCT FROM OLD.subject_id AND NEW.data IS NOT DISTINCT FROM OLD.data AND NEW.integration_id IS NOT DISTINCT FROM OLD.integration_id AND NEW.member_id IS NOT DISTINCT FROM OLD.member_id AND NEW.environment IS NOT DISTINCT FROM OLD.environment AND NEW.remote_addr IS NOT DISTINCT FROM OLD.remote_addr AND NEW.user_agent IS NOT DISTINCT FROM OLD.user_agent AND NEW.method IS NOT DISTINCT FROM OLD.method AND NEW.path IS NOT DISTINCT FROM OLD.path AND NEW.code IS NOT DISTINCT FROM OLD.code AND NEW.status IS NOT DISTINCT FROM OLD.status THEN RETURN NEW; END IF; ELSIF TG_OP = 'DELETE' THEN IF EXISTS (SELECT 1 FROM audit_heads h WHERE h.organization_id = OLD.organization_id AND OLD.position IS NOT NULL AND OLD.position <= h.floor) THEN RETURN OLD; END IF; END IF; END IF; RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$",
        "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log FOR EACH ROW EXECUTE FUNCTION audit_append_only()",
        "CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
        "CREATE TRIGGER audit_heads_no_delete BEFORE DELETE ON audit_heads FOR EACH ROW EXECUTE FUNCTION audit_append_only()",
        "CREATE TRIGGER audit_heads_no_truncate BEFORE TRUNCATE ON audit_heads FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()",
    ),
}
"""The audit record is append-only in the database itself."""


def upgrade() -> None:
    op.create_table(
        "audit_heads",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=False),
        sa.Column("floor", sa.BigInteger(), nullable=False),
        sa.Column("floor_digest", sa.Text(), nullable=False),
        sa.Column("purged_before", sa.BigInteger(), nullable=True),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_audit_heads")),
    )
    op.create_table(
        "audit_log",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False
        ),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("audit_type", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor_kind", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=False),
        sa.Column("actor_name", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=True),
        sa.Column("subject_type", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=True),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("environment", sa.Text(), nullable=True),
        sa.Column("remote_addr", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("method", sa.Text(), nullable=True),
        sa.Column("path", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_log_account_id_id", "audit_log", ["account_id", "id"], unique=False)
    op.create_index("ix_audit_log_created_at", "audit_log", ["created_at", "id"], unique=False)
    op.create_index("ix_audit_log_subject", "audit_log", ["subject_type", "subject_id", "id"], unique=False)
    op.create_index(
        "ix_audit_log_unsealed",
        "audit_log",
        ["organization_id", "id"],
        unique=False,
        sqlite_where=sa.text("position IS NULL"),
        postgresql_where=sa.text("position IS NULL"),
    )
    op.create_index("uq_audit_log_position", "audit_log", ["organization_id", "position"], unique=True)
    op.create_table(
        "chat_channel",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("channel_id", sa.Text(), nullable=False),
        sa.Column("private", sa.Boolean(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("invited", sa.Text(), nullable=False),
        sa.Column("attempted_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_channel")),
        sa.UniqueConstraint(
            "integration_id", "incident_id", name=op.f("uq_chat_channel_integration_id_incident_id")
        ),
    )
    op.create_index("ix_chat_channel_channel", "chat_channel", ["integration_id", "channel_id"], unique=False)
    op.create_index("ix_chat_channel_incident", "chat_channel", ["account_id", "incident_id"], unique=False)
    op.create_table(
        "chat_invocation",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("invocation", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "invocation", name=op.f("pk_chat_invocation")),
    )
    op.create_index("ix_chat_invocation_created", "chat_invocation", ["created_at"], unique=False)
    op.create_table(
        "chat_message",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("ts", sa.Text(), nullable=False),
        sa.Column("thread", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("attempted_at", sa.BigInteger(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chat_message")),
        sa.UniqueConstraint("account_id", "key", name=op.f("uq_chat_message_account_id_key")),
    )
    op.create_index(
        "ix_chat_message_incident", "chat_message", ["account_id", "incident_id", "created_at"], unique=False
    )
    op.create_index("ix_chat_message_state", "chat_message", ["state", "created_at"], unique=False)
    op.create_table(
        "credentials",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fullname", sa.Text(), nullable=False),
        sa.Column("owner_type", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("managed", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("plain", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
    )
    op.create_index(
        "uq_credentials_owner_name", "credentials", ["account_id", "owner_id", "name"], unique=True
    )
    op.create_table(
        "event",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.SmallInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("envelope", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("feed_seq", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_event")),
        sa.UniqueConstraint("id", name=op.f("uq_event_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_event_feed", "event", ["account_id", "feed_seq"], unique=True)
    op.create_index("ix_event_subject", "event", ["account_id", "subject", "seq"], unique=False)
    op.create_index(
        "ix_event_unsequenced",
        "event",
        ["seq"],
        unique=False,
        sqlite_where=sa.text("feed_seq IS NULL"),
        postgresql_where=sa.text("feed_seq IS NULL"),
    )
    op.create_table(
        "event_feed",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_event_feed")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_idempotency_keys_expires", "idempotency_keys", ["expires"], unique=False)
    op.create_index("uq_idempotency_keys", "idempotency_keys", ["account_id", "key"], unique=True)
    op.create_table(
        "inbound_event",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("dedupe", sa.Text(), nullable=False),
        sa.Column("trust", sa.Text(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound_event")),
        sa.UniqueConstraint("integration_id", "dedupe", name=op.f("uq_inbound_event_integration_id_dedupe")),
    )
    if op.get_bind().dialect.name == "postgresql":
        # A webhook's body is compressed while its sender waits: lz4 costs a third of the default, where the server has it.
        op.execute(
            "DO $$ BEGIN EXECUTE 'ALTER TABLE inbound_event ALTER COLUMN body SET COMPRESSION lz4';"
            " EXCEPTION WHEN feature_not_supported OR syntax_error THEN NULL; END $$"
        )
    op.create_table(
        "incident",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("severity", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("service", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("commander", sa.Text(), nullable=True),
        sa.Column("assignee", sa.Text(), nullable=True),
        sa.Column("declared_by", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger(), nullable=True),
        sa.Column("mitigated_at", sa.BigInteger(), nullable=True),
        sa.Column("resolved_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
        sa.UniqueConstraint("account_id", "number", name=op.f("uq_incident_account_id_number")),
    )
    op.create_index("ix_incident_newest", "incident", ["account_id", "created_at", "id"], unique=False)
    op.create_index("ix_incident_status", "incident", ["account_id", "status", "created_at"], unique=False)
    op.create_table(
        "incident_counter",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name=op.f("pk_incident_counter")),
    )
    op.create_table(
        "integration_health",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("last_success", sa.BigInteger(), nullable=True),
        sa.Column("last_failure", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("next_step", sa.Text(), nullable=True),
        sa.Column("consecutive_failures", sa.Integer(), nullable=False),
        sa.Column("requests", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("last_webhook", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", name=op.f("pk_integration_health")),
    )
    op.create_table(
        "integrations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fullname", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("provider_type", sa.Text(), nullable=False),
        sa.Column("provider_fullname", sa.Text(), nullable=False),
        sa.Column("provider_config", sa.Text(), nullable=False),
        sa.Column("webhook_config", sa.Text(), nullable=True),
        sa.Column("refresh_token_id", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("integration_point_id", sa.Text(), nullable=True),
        sa.Column("bridge_selector", sa.Text(), nullable=True),
        sa.Column("mappings", sa.Text(), nullable=True),
        sa.Column("additional_mappings", sa.Text(), nullable=True),
        sa.Column("scheduled_operations", sa.Text(), nullable=True),
        sa.Column("hook_token_hash", sa.Text(), nullable=False),
        sa.Column("hook_token_sealed", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_integrations")),
        sa.UniqueConstraint("hook_token_hash", name=op.f("uq_integrations_hook_token_hash")),
    )
    op.create_index("uq_integrations_account_id_name", "integrations", ["account_id", "name"], unique=True)
    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("partition_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("dedupe", sa.Text(), nullable=True),
        sa.Column("enqueued_at", sa.BigInteger(), nullable=False),
        sa.Column("run_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_attempt_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("dead_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("waiting_for", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        postgresql_with={"fillfactor": 50},
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_job_dead",
        "job",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state <> 'waiting'"),
        postgresql_where=sa.text("state <> 'waiting'"),
    )
    op.create_index(
        "ix_job_dedupe",
        "job",
        ["kind", "dedupe"],
        unique=False,
        sqlite_where=sa.text("dedupe IS NOT NULL"),
        postgresql_where=sa.text("dedupe IS NOT NULL"),
    )
    op.create_index(
        "ix_job_waiting",
        "job",
        ["partition_id", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "job_budget",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("concurrency", sa.SmallInteger(), nullable=False),
        sa.Column("capacity", sa.BigInteger(), nullable=False),
        sa.Column("refill", sa.BigInteger(), nullable=False),
        sa.Column("tokens", sa.BigInteger(), nullable=False),
        sa.Column("refilled_at", sa.BigInteger(), nullable=False),
        sa.Column("blocked_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("blocked_why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_job_budget")),
    )
    op.create_table(
        "job_budget_slot",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", "holder", name=op.f("pk_job_budget_slot")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "job_dedupe",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dedupe", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", "kind", "dedupe", name=op.f("pk_job_dedupe")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_job_dedupe_until",
        "job_dedupe",
        ["until"],
        unique=False,
        sqlite_where=sa.text("until IS NOT NULL"),
        postgresql_where=sa.text("until IS NOT NULL"),
    )
    op.create_table(
        "job_engine",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("partition_id", sa.BigInteger(), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_engine")),
        sa.UniqueConstraint("partition_id", name=op.f("uq_job_engine_partition_id")),
    )
    op.create_index("ix_job_engine_order", "job_engine", ["lane", "id"], unique=False)
    op.create_table(
        "job_lease",
        sa.Column("partition_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("token_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("partition_id", name=op.f("pk_job_lease")),
    )
    op.create_table(
        "job_partition",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("solo", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lane", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("latch", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("woken_at", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("blocked_until", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("waiting_budget", sa.Text(), nullable=True),
        sa.Column("idle_since", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_partition")),
        sa.UniqueConstraint("key", name=op.f("uq_job_partition_key")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_job_partition_budget",
        "job_partition",
        ["waiting_budget", "lane", "due_at"],
        unique=False,
        sqlite_where=sa.text("waiting_budget IS NOT NULL"),
        postgresql_where=sa.text("waiting_budget IS NOT NULL"),
    )
    op.create_index(
        "ix_job_partition_due",
        "job_partition",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("latch = 0 AND due_at IS NOT NULL"),
        postgresql_where=sa.text("latch = 0 AND due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_job_partition_latched",
        "job_partition",
        ["woken_at"],
        unique=False,
        sqlite_where=sa.text("latch = 1"),
        postgresql_where=sa.text("latch = 1"),
    )
    op.create_table(
        "job_schedule",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_job_schedule")),
    )
    op.create_table(
        "oauth_tokens",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("access_sealed", sa.Text(), nullable=True),
        sa.Column("refresh_sealed", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_by", sa.Text(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", name=op.f("pk_oauth_tokens")),
    )
    op.create_table(
        "organizations",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fullname", sa.Text(), nullable=False),
        sa.Column("organization_type", sa.Text(), nullable=False),
        sa.Column("refresh_token_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("contact", sa.Text(), nullable=True),
        sa.Column("reply_to", sa.Text(), nullable=True),
        sa.Column("picture", sa.Text(), nullable=True),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organizations")),
        sa.UniqueConstraint("name", name=op.f("uq_organizations_name")),
    )
    op.create_table(
        "pauses",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("scope_id", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
    )
    op.create_index("uq_pauses_scope", "pauses", ["account_id", "scope", "scope_id"], unique=True)
    op.create_table(
        "settings_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settings_version")),
    )
    op.create_table(
        "sync_poll",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("high_water", sa.BigInteger(), nullable=True),
        sa.Column("polled_at", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("integration_id", name=op.f("pk_sync_poll")),
    )
    op.create_table(
        "sync_seen",
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("integration_id", "ticket_id", "version", name=op.f("pk_sync_seen")),
    )
    op.create_index(op.f("ix_sync_seen_seen_at"), "sync_seen", ["seen_at"], unique=False)
    op.create_table(
        "accounts",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fullname", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_accounts_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.create_table(
        "incident_note",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_incident_note_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_note")),
    )
    op.create_index(
        "ix_incident_note_incident", "incident_note", ["account_id", "incident_id", "id"], unique=False
    )
    op.create_table(
        "incident_tag",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("tag", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_incident_tag_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("incident_id", "tag", name=op.f("pk_incident_tag")),
    )
    op.create_index("ix_incident_tag_tag", "incident_tag", ["account_id", "tag"], unique=False)
    op.create_table(
        "members",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fullname", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("nickname", sa.Text(), nullable=True),
        sa.Column("picture", sa.Text(), nullable=True),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("token_ttl", sa.Text(), nullable=False),
        sa.Column("last_logon", sa.BigInteger(), nullable=True),
        sa.Column("expires", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_members_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_members")),
        sa.UniqueConstraint("name", name=op.f("uq_members_name")),
    )
    op.create_index("uq_members_email", "members", ["email"], unique=True)
    op.create_table(
        "sync_link",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("integration_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("ticket_id", sa.Text(), nullable=False),
        sa.Column("ticket_key", sa.Text(), nullable=False),
        sa.Column("ticket_url", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("merge_state", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("ticket_version", sa.Text(), nullable=False),
        sa.Column("create_begun_at", sa.BigInteger(), nullable=True),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=True),
        sa.Column("writes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_sync_link_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_link")),
        sa.UniqueConstraint(
            "incident_id", "integration_id", name=op.f("uq_sync_link_incident_id_integration_id")
        ),
        sa.UniqueConstraint("mark", name=op.f("uq_sync_link_mark")),
    )
    op.create_index("ix_sync_link_incident", "sync_link", ["account_id", "incident_id"], unique=False)
    op.create_index("ix_sync_link_ticket", "sync_link", ["integration_id", "ticket_id"], unique=False)
    op.create_table(
        "timeline_entry",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("corrects", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incident.id"], name=op.f("fk_timeline_entry_incident_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_timeline_entry")),
    )
    op.create_index(
        "ix_timeline_entry_incident", "timeline_entry", ["account_id", "incident_id", "id"], unique=False
    )
    op.create_table(
        "chat_identities",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_chat_identities_member_id")),
        sa.PrimaryKeyConstraint("provider", "team", "user_id", name=op.f("pk_chat_identities")),
    )
    op.create_index("ix_chat_identities_email", "chat_identities", ["email"], unique=False)
    op.create_index("ix_chat_identities_member_id", "chat_identities", ["member_id"], unique=False)
    op.create_table(
        "sync_comment",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("link_id", sa.Text(), nullable=False),
        sa.Column("note_id", sa.Text(), nullable=False),
        sa.Column("comment_id", sa.Text(), nullable=True),
        sa.Column("mark", sa.Text(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["link_id"], ["sync_link.id"], name=op.f("fk_sync_comment_link_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("link_id", "note_id", name=op.f("pk_sync_comment")),
        sa.UniqueConstraint("link_id", "comment_id", name=op.f("uq_sync_comment_link_id_comment_id")),
    )
    op.create_table(
        "tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("fullname", sa.Text(), nullable=False),
        sa.Column("owner_type", sa.Text(), nullable=False),
        sa.Column("owner_id", sa.Text(), nullable=False),
        sa.Column("owner_account_id", sa.Text(), nullable=True),
        sa.Column("permission_set", sa.Text(), nullable=False),
        sa.Column("resources", sa.Text(), nullable=False),
        sa.Column("token_type", sa.Text(), nullable=False),
        sa.Column("token_ttl", sa.Text(), nullable=False),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_tokens_member_id")),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_tokens_organization_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
    )
    op.create_index("ix_tokens_owner", "tokens", ["owner_type", "owner_id"], unique=False)
    op.create_table(
        "token_secrets",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("token_id", sa.Text(), nullable=False),
        sa.Column("half", sa.Text(), nullable=False),
        sa.Column("slot", sa.Text(), nullable=False),
        sa.Column("expires", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["token_id"], ["tokens.id"], name=op.f("fk_token_secrets_token_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_token_secrets")),
    )
    op.create_index("ix_token_secrets_expires", "token_secrets", ["expires"], unique=False)
    op.create_index("ix_token_secrets_token_id", "token_secrets", ["token_id"], unique=False)
    for statement in TRIGGERS[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    op.drop_index("ix_token_secrets_token_id", table_name="token_secrets")
    op.drop_index("ix_token_secrets_expires", table_name="token_secrets")
    op.drop_table("token_secrets")
    op.drop_index("ix_tokens_owner", table_name="tokens")
    op.drop_table("tokens")
    op.drop_table("sync_comment")
    op.drop_index("ix_chat_identities_member_id", table_name="chat_identities")
    op.drop_index("ix_chat_identities_email", table_name="chat_identities")
    op.drop_table("chat_identities")
    op.drop_index("ix_timeline_entry_incident", table_name="timeline_entry")
    op.drop_table("timeline_entry")
    op.drop_index("ix_sync_link_ticket", table_name="sync_link")
    op.drop_index("ix_sync_link_incident", table_name="sync_link")
    op.drop_table("sync_link")
    op.drop_index("uq_members_email", table_name="members")
    op.drop_table("members")
    op.drop_index("ix_incident_tag_tag", table_name="incident_tag")
    op.drop_table("incident_tag")
    op.drop_index("ix_incident_note_incident", table_name="incident_note")
    op.drop_table("incident_note")
    op.drop_table("accounts")
    op.drop_index(op.f("ix_sync_seen_seen_at"), table_name="sync_seen")
    op.drop_table("sync_seen")
    op.drop_table("sync_poll")
    op.drop_table("settings_version")
    op.drop_index("uq_pauses_scope", table_name="pauses")
    op.drop_table("pauses")
    op.drop_table("organizations")
    op.drop_table("oauth_tokens")
    op.drop_table("job_schedule")
    op.drop_index(
        "ix_job_partition_latched",
        table_name="job_partition",
        sqlite_where=sa.text("latch = 1"),
        postgresql_where=sa.text("latch = 1"),
    )
    op.drop_index(
        "ix_job_partition_due",
        table_name="job_partition",
        sqlite_where=sa.text("latch = 0 AND due_at IS NOT NULL"),
        postgresql_where=sa.text("latch = 0 AND due_at IS NOT NULL"),
    )
    op.drop_index(
        "ix_job_partition_budget",
        table_name="job_partition",
        sqlite_where=sa.text("waiting_budget IS NOT NULL"),
        postgresql_where=sa.text("waiting_budget IS NOT NULL"),
    )
    op.drop_table("job_partition")
    op.drop_table("job_lease")
    op.drop_index("ix_job_engine_order", table_name="job_engine")
    op.drop_table("job_engine")
    op.drop_index(
        "ix_job_dedupe_until",
        table_name="job_dedupe",
        sqlite_where=sa.text("until IS NOT NULL"),
        postgresql_where=sa.text("until IS NOT NULL"),
    )
    op.drop_table("job_dedupe")
    op.drop_table("job_budget_slot")
    op.drop_table("job_budget")
    op.drop_index(
        "ix_job_waiting",
        table_name="job",
        sqlite_where=sa.text("state = 'waiting'"),
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.drop_index(
        "ix_job_dedupe",
        table_name="job",
        sqlite_where=sa.text("dedupe IS NOT NULL"),
        postgresql_where=sa.text("dedupe IS NOT NULL"),
    )
    op.drop_index(
        "ix_job_dead",
        table_name="job",
        sqlite_where=sa.text("state <> 'waiting'"),
        postgresql_where=sa.text("state <> 'waiting'"),
    )
    op.drop_table("job")
    op.drop_index("uq_integrations_account_id_name", table_name="integrations")
    op.drop_table("integrations")
    op.drop_table("integration_health")
    op.drop_table("incident_counter")
    op.drop_index("ix_incident_status", table_name="incident")
    op.drop_index("ix_incident_newest", table_name="incident")
    op.drop_table("incident")
    op.drop_table("inbound_event")
    op.drop_index("uq_idempotency_keys", table_name="idempotency_keys")
    op.drop_index("ix_idempotency_keys_expires", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_table("event_feed")
    op.drop_index(
        "ix_event_unsequenced",
        table_name="event",
        sqlite_where=sa.text("feed_seq IS NULL"),
        postgresql_where=sa.text("feed_seq IS NULL"),
    )
    op.drop_index("ix_event_subject", table_name="event")
    op.drop_index("ix_event_feed", table_name="event")
    op.drop_table("event")
    op.drop_index("uq_credentials_owner_name", table_name="credentials")
    op.drop_table("credentials")
    op.drop_index("ix_chat_message_state", table_name="chat_message")
    op.drop_index("ix_chat_message_incident", table_name="chat_message")
    op.drop_table("chat_message")
    op.drop_index("ix_chat_invocation_created", table_name="chat_invocation")
    op.drop_table("chat_invocation")
    op.drop_index("ix_chat_channel_incident", table_name="chat_channel")
    op.drop_index("ix_chat_channel_channel", table_name="chat_channel")
    op.drop_table("chat_channel")
    op.drop_index("uq_audit_log_position", table_name="audit_log")
    op.drop_index(
        "ix_audit_log_unsealed",
        table_name="audit_log",
        sqlite_where=sa.text("position IS NULL"),
        postgresql_where=sa.text("position IS NULL"),
    )
    op.drop_index("ix_audit_log_subject", table_name="audit_log")
    op.drop_index("ix_audit_log_created_at", table_name="audit_log")
    op.drop_index("ix_audit_log_account_id_id", table_name="audit_log")
    op.drop_table("audit_log")
    op.drop_table("audit_heads")
