"""How far a vendor's history is known: which lines of ours in it are of earlier writes, where their clock cannot tell. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC

from callout.ports.ticketing import FieldEdit


@dataclass(frozen=True, slots=True)
class Accounted:
    """Our own lines in the history of one field up to the last that was accounted for: the `count`-th of those of the time `at`.

    `at` is of their clock (ISO 8601, UTC; empty: not told); a `count` of 0 says that there was none yet. The time comes with it
    since of a long history only the newest part is told.
    """

    at: str = ""
    count: int = 0

    @classmethod
    def of(cls, edits: Sequence[FieldEdit]) -> Accounted:
        """Return what is accounted for once these edits of a field, oldest first, were looked at."""
        own = [_time(edit) for edit in edits if edit.own]
        return cls(own[-1], own.count(own[-1])) if own else cls()

    def beyond(self, edits: Sequence[FieldEdit]) -> int:
        """Return from which place on the lines of ours are new; behind all of them when what is known is not among them."""
        if not self.count:
            return 0
        known = [at for at, edit in enumerate(edits) if edit.own and _time(edit) == self.at]
        return known[self.count - 1] + 1 if len(known) >= self.count else len(edits)


def _time(edit: FieldEdit) -> str:
    return "" if edit.at is None else edit.at.astimezone(UTC).isoformat()


__all__ = ["Accounted"]
