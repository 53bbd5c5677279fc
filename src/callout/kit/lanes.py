"""Which work goes first when there is more than can be done at once, and the lane that the work at hand stands in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import IntEnum


class Lane(IntEnum):
    """Which work goes first when there is more than can be done at once; smaller is sooner."""

    URGENT = 0
    NORMAL = 1
    BACKFILL = 2


RESERVED = {Lane.URGENT: 0.0, Lane.NORMAL: 0.1, Lane.BACKFILL: 0.3}
"""Share of a budget that a lane leaves to the more urgent ones."""


def slots_of(concurrency: int, lane: Lane) -> int:
    """Return how many of `concurrency` slots may be taken when a call of `lane` takes one more."""
    if lane is Lane.URGENT:
        return concurrency
    if lane is Lane.NORMAL:
        return max(1, concurrency - concurrency // 4)
    return max(1, concurrency // 2)


_lane: ContextVar[Lane] = ContextVar("callout_lane", default=Lane.NORMAL)


def current_lane() -> Lane:
    """Return the lane of the job, or of the request, that is being worked on: NORMAL unless somebody said otherwise."""
    return _lane.get()


@contextmanager
def in_lane(lane: Lane) -> Iterator[None]:
    """Let all outgoing calls made inside stand in `lane`."""
    before = _lane.set(lane)
    try:
        yield
    finally:
        _lane.reset(before)
