"""The time a twin believes in: the wall clock plus an offset that a test may move."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True)
class SandboxClock:
    """A movable clock; `source` gives Unix seconds and `offset` (seconds) is added to it."""

    source: Callable[[], float] = time.time
    offset: float = 0.0

    def now(self) -> float:
        """Unix time in seconds."""
        return self.source() + self.offset

    def utc(self) -> datetime:
        """Return the same instant as an aware datetime in UTC."""
        return datetime.fromtimestamp(self.now(), tz=UTC)

    def advance(self, seconds: float) -> None:
        """Move the clock forward (or back, when negative) by `seconds`."""
        self.offset += seconds
