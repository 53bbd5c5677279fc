"""What a step of the demo checks with: an expectation, and waiting for one with a limit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
LOOK_SECONDS = 0.02
PATIENCE_SECONDS = 60.0
START_SECONDS = 90.0
"""Starting a program is mostly reading files: on a machine that is busy with other things it takes its time."""
SEEN_LENGTH = 600


class StepFailedError(Exception):
    """A step did not go as it should: what was expected, and what was seen."""

    def __init__(self, expected: str, seen: object) -> None:
        super().__init__(f"expected {expected}; saw {seen}")
        self.expected = expected
        self.seen = seen if isinstance(seen, str) else shortened(seen)


def shortened(value: Any) -> str:
    """Return `value` as text of a length that people read."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SEEN_LENGTH else text[:SEEN_LENGTH] + " …"


def expect(expected: str, seen: object, *, ok: object) -> None:
    """Raise StepFailedError unless `ok` is true."""
    if not ok:
        raise StepFailedError(expected, seen)


def wait_until(
    expected: str,
    look: Callable[[], T],
    accept: Callable[[T], object],
    *,
    alive: Callable[[], None],
    seconds: float = PATIENCE_SECONDS,
) -> T:
    """Look again and again until `accept` likes what is seen, and return that.

    Args:
        expected: what is waited for, in words.
        look: returns what is there now.
        accept: whether that is it.
        alive: raises when waiting has become pointless.
        seconds: how long at most.

    Raises StepFailedError with the last thing seen.
    """
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if accept(seen):
            return seen
        alive()
        if time.monotonic() > deadline:
            raise StepFailedError(f"{expected} within {seconds:.0f} s", seen)
        time.sleep(LOOK_SECONDS)
