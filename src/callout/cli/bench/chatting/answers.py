"""What was answered: how late, by kind of act, and what the answers promised."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from typing import Final

LOOK_SECONDS: Final = 0.01


@dataclass(slots=True)
class Answers:
    """The answers of one round. `waits` are milliseconds by kind of act, `refused` what was not answered as it should be."""

    waits: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    declared: list[str] = field(default_factory=list)
    """Titles of incidents whose declaration was accepted."""
    noted: list[str] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    """Keys of incidents whose acknowledgement was accepted."""
    repeated: int = 0
    late_forms: int = 0
    """Forms that the platform did not show in time, which the person was told."""
    refused: list[str] = field(default_factory=list)
    lags: list[float] = field(default_factory=list)
    """How late, in milliseconds, whoever makes the load came to look at its own clock: it counts as ours in every wait."""

    @property
    def all_waits(self) -> list[float]:
        """Every wait, whatever it was for."""
        return [wait for waits in self.waits.values() for wait in waits]


async def with_lags(playing: Awaitable[Answers]) -> Answers:
    """Play a round, and note how late the one who plays it is."""
    lags: list[float] = []
    looking = asyncio.create_task(_look(lags))
    try:
        answers = await playing
    finally:
        looking.cancel()
    answers.lags = lags
    return answers


async def _look(lags: list[float]) -> None:
    while True:
        due = time.perf_counter() + LOOK_SECONDS
        await asyncio.sleep(LOOK_SECONDS)
        lags.append((time.perf_counter() - due) * 1000)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all do not exceed; NaN of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")
