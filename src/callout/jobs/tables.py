"""The tables of durable work. All times are microseconds since 1970 (see `callout.storage.schema`), written by hand-written SQL."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, SmallInteger, Table, Text, text

from callout.storage.schema import BigId, account_id, metadata

partition = Table(
    "job_partition",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    # A partition of one job without a key: goes away with its job.
    Column("solo", SmallInteger, nullable=False, server_default=text("0")),
    Column("lane", SmallInteger, nullable=False, server_default=text("1")),
    # The latch: 1 from the moment an engine wake-up is on its way until a drain has found nothing more to do.
    Column("latch", SmallInteger, nullable=False, server_default=text("0")),
    Column("woken_at", BigInteger, nullable=False, server_default=text("0")),
    # Latch off: when the timekeeper wakes it again. Never before `blocked_until`.
    Column("due_at", BigInteger),
    Column("blocked_until", BigInteger, nullable=False, server_default=text("0")),
    Column("waiting_budget", Text),
    Column("idle_since", BigInteger),
    sqlite_autoincrement=True,
)
Index(
    "ix_job_partition_due",
    partition.c.due_at,
    sqlite_where=text("latch = 0 AND due_at IS NOT NULL"),
    postgresql_where=text("latch = 0 AND due_at IS NOT NULL"),
)
Index(
    "ix_job_partition_latched",
    partition.c.woken_at,
    sqlite_where=text("latch = 1"),
    postgresql_where=text("latch = 1"),
)
Index(
    "ix_job_partition_budget",
    partition.c.waiting_budget,
    partition.c.lane,
    partition.c.due_at,
    sqlite_where=text("waiting_budget IS NOT NULL"),
    postgresql_where=text("waiting_budget IS NOT NULL"),
)

lease = Table(
    "job_lease",
    metadata,
    # Who drains the partition now. A row of its own, so that enqueuing (which locks partitions) and draining (which locks
    # leases) cannot wait for each other in a circle.
    Column("partition_id", BigInteger, primary_key=True, autoincrement=False),
    Column("token", Text, nullable=False),
    Column("token_at", BigInteger, nullable=False),
)

job = Table(
    "job",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("partition_id", BigInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("account_id", Text),
    Column("lane", SmallInteger, nullable=False),
    Column("dedupe", Text),
    Column("enqueued_at", BigInteger, nullable=False),
    Column("run_at", BigInteger, nullable=False),
    Column("attempts", SmallInteger, nullable=False, server_default=text("0")),
    Column("first_attempt_at", BigInteger),
    # waiting | dead (set aside) | blocked (dead, and its partition waits for an operator)
    Column("state", Text, nullable=False, server_default=text("'waiting'")),
    Column("dead_at", BigInteger),
    Column("last_error", Text),
    Column("waiting_for", Text),
    # Which spans asked for it, as W3C `traceparent`s, where traces are on.
    Column("trace", Text),
    sqlite_autoincrement=True,
    # Room in each page, so that counting an attempt rewrites a row beside itself and touches no index.
    postgresql_with={"fillfactor": 50},
)
Index(
    "ix_job_waiting",
    job.c.partition_id,
    job.c.id,
    sqlite_where=text("state = 'waiting'"),
    postgresql_where=text("state = 'waiting'"),
)
Index(
    "ix_job_dead",
    job.c.id,
    sqlite_where=text("state <> 'waiting'"),
    postgresql_where=text("state <> 'waiting'"),
)
Index(
    "ix_job_dedupe",
    job.c.kind,
    job.c.dedupe,
    sqlite_where=text("dedupe IS NOT NULL"),
    postgresql_where=text("dedupe IS NOT NULL"),
)

dedupe = Table(
    "job_dedupe",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("dedupe", Text, primary_key=True),
    # Empty while the job is not finished; afterwards until when it is remembered.
    Column("until", BigInteger),
    sqlite_with_rowid=False,
)
Index(
    "ix_job_dedupe_until",
    dedupe.c.until,
    sqlite_where=text("until IS NOT NULL"),
    postgresql_where=text("until IS NOT NULL"),
)

engine_wake = Table(
    "job_engine",
    metadata,
    # The embedded engine's queue (unused on PostgreSQL): a row is one wake-up on its way, deleted when a worker takes it.
    Column("id", BigId, primary_key=True),
    Column("partition_id", BigInteger, nullable=False, unique=True),
    Column("lane", SmallInteger, nullable=False),
)
Index("ix_job_engine_order", engine_wake.c.lane, engine_wake.c.id)

schedule = Table(
    "job_schedule",
    metadata,
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("last_at", BigInteger),
)

budget = Table(
    "job_budget",
    metadata,
    Column("key", Text, primary_key=True),
    Column("concurrency", SmallInteger, nullable=False),
    # Token bucket: `tokens` as of `refilled_at`, in thousandths of a token.
    Column("capacity", BigInteger, nullable=False),
    Column("refill", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("refilled_at", BigInteger, nullable=False),
    Column("blocked_until", BigInteger, nullable=False, server_default=text("0")),
    Column("blocked_why", Text),
)

quota = Table(
    "job_quota",
    metadata,
    # What a vendor allows in a window (an amount of 0: only a block is known), by account and part of its API ("": all of it).
    Column("key", Text, primary_key=True),
    Column("part", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("left_over", BigInteger, nullable=False),
    Column("span", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("blocked_until", BigInteger, nullable=False),
)

slot = Table(
    "job_budget_slot",
    metadata,
    Column("key", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("lane", SmallInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

event = Table(
    "event",
    metadata,
    Column("seq", BigId, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    account_id(),
    Column("kind", Text, nullable=False),
    Column("version", SmallInteger, nullable=False),
    Column("subject", Text, nullable=False),
    Column("envelope", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # Given after the commit, without gaps per account: a reader that has seen N never finds a new event below N.
    Column("feed_seq", BigInteger),
    sqlite_autoincrement=True,
)
Index("ix_event_feed", event.c.account_id, event.c.feed_seq, unique=True)
Index("ix_event_subject", event.c.account_id, event.c.subject, event.c.seq)
Index(
    "ix_event_unsequenced",
    event.c.seq,
    sqlite_where=text("feed_seq IS NULL"),
    postgresql_where=text("feed_seq IS NULL"),
)

feed = Table(
    "event_feed",
    metadata,
    Column("account_id", Text, primary_key=True),
    Column("last_seq", BigInteger, nullable=False),
)
