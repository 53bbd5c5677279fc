"""What a check of the installation found: verdicts, and what to do next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


class Verdict(StrEnum):
    """How one thing stands."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: its area, how it stands, in words, and what to do next where something is to be done."""

    area: str
    verdict: Verdict
    what: str
    next: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"area": self.area, "verdict": self.verdict.value, "what": self.what, "next": self.next}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything that was looked at, and when."""

    findings: Sequence[Finding]
    checked_at: datetime
    blind: bool = False
    """Whether the database could not be looked into: then most is unknown."""

    @property
    def areas(self) -> Mapping[str, Sequence[Finding]]:
        """The findings by their area, in the order in which they were looked at."""
        found: dict[str, list[Finding]] = {}
        for one in self.findings:
            found.setdefault(one.area, []).append(one)
        return found

    def count(self, verdict: Verdict) -> int:
        """Return how many findings have `verdict`."""
        return sum(one.verdict is verdict for one in self.findings)

    @property
    def exit_code(self) -> int:
        """0: nothing is wrong; 1: something is; 2: it cannot be told."""
        if self.count(Verdict.WRONG):
            return 1
        return 2 if self.blind else 0

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "verdict": {0: "fine", 1: "wrong", 2: "cannot tell"}[self.exit_code],
            "checked_at": self.checked_at.isoformat(),
            "counts": {one.value: self.count(one) for one in Verdict},
            "findings": [one.to_json() for some in self.areas.values() for one in some],
        }


class Findings:
    """Collects findings of one area."""

    def __init__(self, area: str) -> None:
        self._area = area
        self.all: list[Finding] = []

    def ok(self, what: str) -> None:
        """Note what is as it should be."""
        self.all.append(Finding(self._area, Verdict.OK, what))

    def warn(self, what: str, todo: str) -> None:
        """Note what may become trouble."""
        self.all.append(Finding(self._area, Verdict.WARNING, what, todo))

    def wrong(self, what: str, todo: str) -> None:
        """Note what does not work, or is not safe."""
        self.all.append(Finding(self._area, Verdict.WRONG, what, todo))

    def unknown(self, what: str, todo: str = "") -> None:
        """Note what could not be looked at."""
        self.all.append(Finding(self._area, Verdict.NOT_CHECKED, what, todo))


__all__ = ["Diagnosis", "Finding", "Findings", "Verdict"]
