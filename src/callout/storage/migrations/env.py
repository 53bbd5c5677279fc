"""Alembic's entry: runs the versions on the connection it is given. Imports nothing of the product, so that old versions stay true."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
if connection is None:
    msg = "run migrations with `callout migrate`"
    raise RuntimeError(msg)
if connection.dialect.name == "postgresql":
    # Two processes that start together take turns; the second finds nothing left to do.
    connection.exec_driver_sql("SELECT pg_advisory_xact_lock(20261121)")
    # Processes work meanwhile, and everybody else would queue behind a lock that we wait for: rather give way, and try again.
    connection.exec_driver_sql("SET LOCAL lock_timeout = '2s'")
context.configure(connection=connection, transactional_ddl=True, transaction_per_migration=False)
with context.begin_transaction():
    context.run_migrations()
