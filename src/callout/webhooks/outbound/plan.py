"""When a delivery is tried again, when an endpoint is left alone for a while, and when it is switched off.

A delivery is tried eleven times over at least 24 hours. Beside that each endpoint has a circuit: after a few failures one after the
other it is asked again only now and then, with one delivery at a time, so that a dead endpoint costs next to nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

WAITS: Final = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
    timedelta(hours=12),
)
"""After the first, the second … failed attempt. With the least jitter they add up to 25 hours."""
JITTER: Final = (0.9, 1.2)
MOST_ATTEMPTS: Final = len(WAITS) + 1
OPEN_AFTER: Final = 5
"""So many failures one after the other open the circuit."""
_OPEN_FIRST: Final = timedelta(seconds=30)
_OPEN_MOST: Final = timedelta(minutes=10)


def next_wait(attempts: int, rng: random.Random, *, retry_after: timedelta | None = None) -> timedelta | None:
    """Return how long to wait after failed attempt number `attempts`, or None when it was the last one.

    Args:
        attempts: how many were made, counted from 1.
        rng: source of the jitter.
        retry_after: what the endpoint asked for; never undercut.
    """
    if attempts < 1:
        msg = f"attempts are counted from 1, not {attempts}"
        raise ValueError(msg)
    if attempts >= MOST_ATTEMPTS:
        return None
    wait = WAITS[attempts - 1] * rng.uniform(*JITTER)
    if retry_after is not None and wait < retry_after:
        wait = retry_after + WAITS[0] * rng.random()
    return wait


def circuit_wait(
    failures: int, rng: random.Random, *, retry_after: timedelta | None = None
) -> timedelta | None:
    """Return how long an endpoint is left alone after its failure number `failures` in a row; None: not at all."""
    wait = None
    if failures >= OPEN_AFTER:
        doubled = min(failures - OPEN_AFTER, 10)
        wait = min(_OPEN_FIRST * 2**doubled, _OPEN_MOST) * rng.uniform(*JITTER)
    if retry_after is not None and (wait is None or wait < retry_after):
        wait = retry_after + timedelta(seconds=1) * rng.random()
    return wait
