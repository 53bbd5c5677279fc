"""What a run of histories showed: how often each fault, habit and step occurred and each property was checked, and what broke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callout.sync.simulate.play import Outcome
    from callout.sync.simulate.steps import Plan

PARTS = ("steps", "faults", "crashes", "quirks", "seen", "checks")
TITLES = {
    "steps": "What people, the network and the scheduler did",
    "faults": "Faults",
    "crashes": "Crashes, by where the process was",
    "quirks": "Habits of the vendors",
    "seen": "Seen on the way",
    "checks": "Properties checked",
}


@dataclass(slots=True)
class Failure:
    """A broken property, the history as it was drawn, and the small one that is left of it."""

    seed: int
    broken: str
    plan: Plan

    def told(self, command: str) -> str:
        """Return it in plain words, with what replays it."""
        lines = [f"  {at}. {line}" for at, line in enumerate(self.plan.told(), 1)]
        return "\n".join([self.broken, *lines, f"  replay: {command}"])

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"seed": self.seed, "broken": self.broken, "history": self.plan.to_json()}


@dataclass(slots=True)
class Report:
    """The sum over histories."""

    histories: int = 0
    seconds: float = 0.0
    counts: dict[str, Counter[str]] = field(default_factory=lambda: {part: Counter() for part in PARTS})
    failed: list[tuple[int, str]] = field(default_factory=list)
    """(seed, the property broken first) of each history that failed."""
    failures: list[Failure] = field(default_factory=list)

    def add(self, outcome: Outcome, seed: int) -> None:
        """Add one history."""
        self.histories += 1
        for part in PARTS:
            self.counts[part].update(getattr(outcome, part))
        if outcome.broken:
            self.failed.append((seed, outcome.broken[0]))

    def merge(self, other: Report) -> None:
        """Add the histories of another process."""
        self.histories += other.histories
        for part in PARTS:
            self.counts[part].update(other.counts[part])
        self.failed.extend(other.failed)

    @property
    def per_minute(self) -> float:
        """Histories played a minute, all processes together."""
        return self.histories / self.seconds * 60 if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "histories": self.histories,
            "seconds": round(self.seconds, 3),
            "per_minute": round(self.per_minute),
            "failed": len(self.failed),
            "failed_seeds": [seed for seed, _ in sorted(self.failed)][:100],
            **{part: dict(sorted(self.counts[part].items())) for part in PARTS},
            "failures": [one.to_json() for one in self.failures],
        }

    def told(self) -> Iterator[str]:
        """Yield the lines of the report."""
        for part in PARTS:
            if self.counts[part]:
                yield f"{TITLES[part]}:"
                for name, number in sorted(self.counts[part].items(), key=lambda pair: (-pair[1], pair[0])):
                    yield f"  {number:>10,}  {name}"
        yield (
            f"{self.histories:,} histories in {self.seconds:.1f} s ({self.per_minute:,.0f} a minute), "
            + (f"{len(self.failed):,} failed" if self.failed else "nothing found")
        )
