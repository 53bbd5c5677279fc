"""Which ring a test belongs to. The folder says it; a test that asks for a database is at least in ring 2.

1  pure: no database, no socket, milliseconds
2  one part against its twin or a real database
3  a whole flow: real processes, real HTTP, a browser
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from itertools import groupby
from pathlib import Path, PurePath
from typing import Protocol, TypeVar

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
    "upgrade": 3,
}
DATABASE_FIXTURES = frozenset({"database_url", "postgres_url", "postgres_server", "sqlite_path"})
LONGEST = frozenset(
    {
        "test_crash.py",
        "test_the_demo_in_two_browsers.py",
        "test_demo.py",
        "test_everybody.py",
        "test_every_form.py",
        "test_first_link.py",
    }
)
"""Files with tests that take many seconds each."""
TESTS = Path(__file__).parent


def ring_of_path(path: PurePath) -> int:
    """The ring of everything under `path`, a file or folder below tests/."""
    parts = path.relative_to(TESTS).parts
    return RING_OF_FOLDER.get(parts[0], 1) if parts else 1


def ring_of_test(path: PurePath, fixtures: Collection[str]) -> int:
    """The ring of one test in the file `path` that uses `fixtures`."""
    return max(ring_of_path(path), 1 if DATABASE_FIXTURES.isdisjoint(fixtures) else 2)


class Placed(Protocol):
    """A test, as far as its place in a run goes."""

    @property
    def path(self) -> Path: ...


T = TypeVar("T", bound=Placed)


def dealt(tests: Iterable[T], workers: int) -> list[T]:
    """The tests so that each of `workers`, who begin with equal parts of the whole, begins with long ones and ends with short ones.

    Otherwise one worker would still be at a long test when all else is done. Beyond that, the order stays; the tests of a file stay
    together, for what they share, but for the longest, which are dealt one by one.
    """
    number = {test: place for place, test in enumerate(tests)}

    def group(test: T) -> tuple[int, object]:
        if ring_of_path(test.path) == 1:
            return 2, test.path
        return (0, number[test]) if test.path.name in LONGEST else (1, test.path)

    hands: list[list[T]] = [[] for _ in range(workers)]
    for _, found in groupby(sorted(number, key=lambda test: group(test)[0]), key=group):
        min(hands, key=len).extend(found)
    return [test for hand in hands for test in hand]
