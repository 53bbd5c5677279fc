"""Interleaved rounds: a figure of ours counts only beside a baseline that stood still around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Generic, TypeVar

MOVED_MOST = 0.25
"""A round whose two baselines differ by more than this share says nothing about us."""

SMALLEST = 0.001
"""A ratio below this compares what cannot be compared."""

Figure = TypeVar("Figure")


@dataclass(frozen=True, slots=True)
class Round(Generic[Figure]):
    """One subject between two baselines; all rates per second."""

    before: float
    subject: Figure
    rate: float
    after: float

    @property
    def moved(self) -> float:
        """How far the baseline moved, as a share of the lower one."""
        return max(self.before, self.after) / min(self.before, self.after) - 1

    @property
    def accepted(self) -> bool:
        """Whether the baseline stood still enough."""
        return self.moved <= MOVED_MOST

    @property
    def ratio(self) -> float:
        """Our rate as a share of the baseline's mean."""
        return self.rate / ((self.before + self.after) / 2)


@dataclass(slots=True)
class Rounds(Generic[Figure]):
    """The rounds of one run, in order."""

    rounds: list[Round[Figure]] = field(default_factory=list)

    @property
    def accepted(self) -> list[Round[Figure]]:
        """The rounds that count."""
        return [one for one in self.rounds if one.accepted]

    @property
    def rejected(self) -> list[Round[Figure]]:
        """The rounds whose baseline moved."""
        return [one for one in self.rounds if not one.accepted]

    @property
    def failed(self) -> bool:
        """Whether the machine was too restless: more rejected rounds than accepted ones."""
        return len(self.rejected) > len(self.accepted)

    @property
    def ratio(self) -> float:
        """The median ratio of the accepted rounds; NaN when there is none."""
        return middle([one.ratio for one in self.accepted])


def middle(values: Sequence[float]) -> float:
    """Return the median, or NaN of nothing."""
    return median(values) if values else float("nan")


def _told(ratio: float) -> str:
    """Return the words about a ratio; none where ours is no rate of the same kind, such as answers beside steps of a loop."""
    return f" ratio {ratio:.2f}" if ratio >= SMALLEST else ""


def interleave(
    baseline: Callable[[], float],
    subject: Callable[[], tuple[Figure, float]],
    *,
    wanted: int,
    say: Callable[[str], None],
) -> Rounds[Figure]:
    """Measure baseline, subject, baseline, subject … until `wanted` rounds are accepted, or more than that rejected."""
    run: Rounds[Figure] = Rounds()
    before = baseline()
    while len(run.accepted) < wanted and len(run.rejected) <= wanted:
        figure, rate = subject()
        after = baseline()
        one = Round(before, figure, rate, after)
        run.rounds.append(one)
        verdict = "" if one.accepted else f"  REJECTED: the baseline moved by {one.moved:.0%}"
        say(
            f"  round {len(run.rounds)}: baseline {before:,.0f}/s, ours {rate:,.0f}/s, baseline {after:,.0f}/s,"
            f"{_told(one.ratio)}{verdict}"
        )
        before = after
    return run
