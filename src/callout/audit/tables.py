"""The audit rows, the signed head of their chain, and the triggers that keep both append-only."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Connection, Index, MetaData, Table, Text, event, text

from callout.storage.schema import BigId, Json, UtcTime, metadata

ORGANIZATION_ID: Final = "organization"
"""The id of the one organization of an installation."""

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("organization_id", Text, nullable=False),
    Column("account_id", Text),
    Column("created_at", UtcTime, nullable=False),
    Column("audit_type", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("actor_kind", Text, nullable=False),
    Column("actor_id", Text, nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("origin", Json),
    Column("subject_type", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("data", Json, nullable=False),
    Column("integration_id", Text),
    Column("member_id", Text),
    Column("environment", Text),
    Column("remote_addr", Text),
    Column("user_agent", Text),
    Column("method", Text),
    Column("path", Text),
    Column("code", Text),
    Column("status", Text),
    Column("position", BigInteger),
    Column("digest", Text),
    Index("ix_audit_log_account_id_id", "account_id", "id"),
    Index("ix_audit_log_subject", "subject_type", "subject_id", "id"),
    Index("ix_audit_log_created_at", "created_at", "id"),
    Index("uq_audit_log_position", "organization_id", "position", unique=True),
    # AUTOINCREMENT: without it SQLite would give the number of a removed last row to the next one.
    sqlite_autoincrement=True,
)
# What waits for the sealer is always a handful of rows, whatever the size of the table.
Index(
    "ix_audit_log_unsealed",
    audit_log.c.organization_id,
    audit_log.c.id,
    sqlite_where=audit_log.c.position.is_(None),
    postgresql_where=audit_log.c.position.is_(None),
)

audit_heads = Table(
    "audit_heads",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("digest", Text, nullable=False),
    Column("sealed_at", UtcTime, nullable=False),
    Column("floor", BigInteger, nullable=False),
    Column("floor_digest", Text, nullable=False),
    Column("purged_before", UtcTime),
    Column("signature", Text, nullable=False),
)

SEALED_COLUMNS: Final = tuple(c for c in audit_log.c if c.name not in {"position", "digest"})
"""What the chain covers: everything but the place in it."""

_KEPT = " AND ".join(f"NEW.{c.name} IS NOT DISTINCT FROM OLD.{c.name}" for c in SEALED_COLUMNS)
_KEPT_SQLITE = " AND ".join(f"NEW.{c.name} IS OLD.{c.name}" for c in SEALED_COLUMNS)
_PURGED = (
    "EXISTS (SELECT 1 FROM audit_heads h WHERE h.organization_id = OLD.organization_id"
    " AND OLD.position IS NOT NULL AND OLD.position <= h.floor)"
)

TRIGGERS: Final[dict[str, tuple[str, ...]]] = {
    "sqlite": (
        f"""CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
WHEN NOT (OLD.position IS NULL AND NEW.position IS NOT NULL AND {_KEPT_SQLITE})
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END""",
        f"""CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
WHEN NOT {_PURGED}
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END""",
        """CREATE TRIGGER audit_heads_no_delete BEFORE DELETE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'audit_heads is append-only'); END""",
    ),
    "postgresql": (
        f"""CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'audit_log' THEN
    IF TG_OP = 'UPDATE' THEN
      IF OLD.position IS NULL AND NEW.position IS NOT NULL AND {_KEPT} THEN RETURN NEW; END IF;
    ELSIF TG_OP = 'DELETE' THEN
      IF {_PURGED} THEN RETURN OLD; END IF;
    END IF;
  END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$""",
        (
            "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log"
            " FOR EACH ROW EXECUTE FUNCTION audit_append_only()"
        ),
        (
            "CREATE TRIGGER audit_log_no_truncate BEFORE TRUNCATE ON audit_log"
            " FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
        ),
        (
            "CREATE TRIGGER audit_heads_no_delete BEFORE DELETE ON audit_heads"
            " FOR EACH ROW EXECUTE FUNCTION audit_append_only()"
        ),
        (
            "CREATE TRIGGER audit_heads_no_truncate BEFORE TRUNCATE ON audit_heads"
            " FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()"
        ),
    ),
}
"""By dialect, in order: the statements that a migration runs after creating both tables
(`metadata.create_all` runs them too).
"""


def _after_create(target: MetaData, connection: Connection, **options: Any) -> None:  # noqa: ANN401, ARG001
    if audit_log in (options.get("tables") or ()):
        for statement in TRIGGERS.get(connection.dialect.name, ()):
            connection.execute(text(statement))


def _before_drop(target: MetaData, connection: Connection, **options: Any) -> None:  # noqa: ANN401, ARG001
    if connection.dialect.name == "postgresql":
        connection.execute(text("DROP FUNCTION IF EXISTS audit_append_only() CASCADE"))


# On the metadata and not on a table: the triggers of one table name the other.
event.listen(metadata, "after_create", _after_create)
event.listen(metadata, "before_drop", _before_drop)
