from __future__ import annotations

from tests.migrated import postgres_url, sqlite_path

__all__ = ["postgres_url", "sqlite_path"]
