"""When a record changed last."""

from __future__ import annotations

from datetime import datetime, timedelta

from callout.kit.clock import Clock
from callout.ports.errors import ConflictError


def next_update(clock: Clock, previous: datetime) -> datetime:
    """Return the time of a change: now, yet always later than the change before it, whatever the clock says."""
    return max(clock.now(), previous + timedelta(microseconds=1))


def refuse_stale(expected: datetime | None, actual: datetime) -> None:
    """Raise ConflictError when the caller read the record before its last change; None asks for no check."""
    if expected is not None and expected != actual:
        raise ConflictError(
            "the record was changed since it was read",
            remediation="Read it again and repeat the change.",
            fields={"/updated_at": "stale"},
        )
