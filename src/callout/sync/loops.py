"""The loop breaker: whether the writes to a ticket look like machines answering each other. Pure.

Other products may connect the same systems, too. Three signs, any of which is enough: so many writes in so short a time that no person
made them; the same value going round; a chain of automatic steps, each answering the one before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from callout.sync.merge import LinkState

LOOP_WINDOW: Final = timedelta(minutes=5)
LOOP_WRITES: int = 30
"""So many writes to one ticket within the window are no person's work."""
ROUND_WINDOW: Final = timedelta(hours=1)
ROUNDS: int = 6
"""So often may what came from another ticket write the same value to a field within that time: it goes round, however slowly."""
ANSWERS_WITHIN: Final = timedelta(minutes=2)
"""A field that changes there so soon after a write of ours to it counts as an answer to that write."""
MAX_HOPS: int = 16
"""So many automatic steps in a row, each answering the one before, are a chain without an end."""
KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class Write:
    """One write to a ticket: when, after how many automatic steps, and `what` as `field=digest` of each value."""

    at: datetime
    hops: int = 1
    what: tuple[str, ...] = ()

    def to_json(self) -> list[Any]:
        """Return the JSON form."""
        return [self.at.isoformat(), self.hops, list(self.what)]

    @classmethod
    def of(cls, data: str | Sequence[Any]) -> Write:
        """Read what :meth:`to_json` wrote, or the bare time that older versions kept."""
        if isinstance(data, str):
            return cls(datetime.fromisoformat(data))
        return cls(datetime.fromisoformat(data[0]), int(data[1]), tuple(data[2]))


def tokens(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Return field and digest of each value."""
    return tuple(f"{name}={_digest(value)}" for name, value in values.items())


def _digest(value: Any) -> str:  # noqa: ANN401  # a field's JSON value
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def with_write(writes: Sequence[Write], write: Write) -> tuple[Write, ...]:
    """Return the writes with one more, without those that count no longer."""
    recent = [one for one in writes if write.at - one.at < ROUND_WINDOW]
    return (*recent, write)[-KEPT:]


def answered(writes: Sequence[Write], fields: Collection[str], now: datetime) -> int:
    """Return how many automatic steps lie behind a change there of `fields`: those of the write that it answers, 0 for none."""
    return max(
        (
            one.hops
            for one in writes
            if now - one.at < ANSWERS_WITHIN and any(token.split("=")[0] in fields for token in one.what)
        ),
        default=0,
    )


def pushed_back(
    before: LinkState,
    read: Mapping[str, Any],
    to_theirs: Collection[str],
    writes: Sequence[Write],
    now: datetime,
) -> int:
    """Return the steps behind writing fields that somebody has just changed there in answer to a write of ours; 0 where nobody has."""
    bases = before.bases
    back = [name for name in to_theirs if name in bases and bases[name].theirs != read.get(name)]
    behind = answered(writes, back, now)
    return behind + 2 if behind else 0


def loop_of(writes: Sequence[Write], next_write: Write) -> str:
    """Return how often the ticket was written, in words, where `next_write` must not be made any more; empty when all is well."""
    now = next_write.at
    recent = sum(now - one.at < LOOP_WINDOW for one in writes)
    if recent >= LOOP_WRITES:
        return f"{recent} times in {LOOP_WINDOW // timedelta(minutes=1)} minutes"
    if next_write.hops > MAX_HOPS:
        return f"{next_write.hops} times in a row, each time within minutes of the change before"
    automatic = [one for one in writes if one.hops > 1 and now - one.at < ROUND_WINDOW]
    if next_write.hops > 1:
        for token in next_write.what:
            rounds = sum(token in one.what for one in automatic)
            if rounds >= ROUNDS:
                field = token.split("=")[0]
                return f"with the same {field} {rounds} times within the hour"
    return ""
