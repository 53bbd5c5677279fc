from __future__ import annotations

from tests.migrated import database, postgres_url, sqlite_path

__all__ = ["database", "postgres_url", "sqlite_path"]
