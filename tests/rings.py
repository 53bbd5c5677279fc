"""Which ring a test belongs to. The folder says it; a test that asks for a database is at least in ring 2.

1  pure: no database, no socket, milliseconds
2  one part against its twin or a real database
3  a whole flow: real processes, real HTTP, a browser
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path, PurePath

RINGS = {1: "pure", 2: "one part against its twin or database", 3: "whole flows"}

# Folders of tests/ that are not in ring 1.
RING_OF_FOLDER = {
    "bootstrap": 2,
    "connectors": 2,
    "conformance": 2,
    "frame": 2,
    "jobs": 2,
    "sandbox": 2,
    "server": 2,
    "storage": 2,
    "webhooks": 2,
    "worker": 2,
    "browser": 3,
    "crash": 3,
    "stories": 3,
    "unified": 3,
}
DATABASE_FIXTURES = frozenset({"database_url", "postgres_url", "postgres_server", "sqlite_path"})
LONGEST = frozenset({"test_crash.py"})
"""Files that take minutes."""
TESTS = Path(__file__).parent


def ring_of_path(path: PurePath) -> int:
    """The ring of everything under `path`, a file or folder below tests/."""
    parts = path.relative_to(TESTS).parts
    return RING_OF_FOLDER.get(parts[0], 1) if parts else 1


def ring_of_test(path: PurePath, fixtures: Collection[str]) -> int:
    """The ring of one test in the file `path` that uses `fixtures`."""
    return max(ring_of_path(path), 1 if DATABASE_FIXTURES.isdisjoint(fixtures) else 2)
