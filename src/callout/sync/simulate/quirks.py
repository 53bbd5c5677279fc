"""What a simulated vendor is like: the habits of real ticketing systems, in any mixture."""

# ruff: noqa: PLR2004  # how often a habit is drawn
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from random import Random
from typing import Final

from callout.ports.ticketing import StatusCategory
from callout.ports.values import Priority

STATUSES: Final = (
    ("New", StatusCategory.NEW),
    ("Triage", StatusCategory.UNKNOWN),
    ("In Progress", StatusCategory.ACTIVE),
    ("On Hold", StatusCategory.ACTIVE),
    ("Resolved", StatusCategory.DONE),
    ("Closed", StatusCategory.DONE),
)
"""The statuses that every simulated vendor knows, beside those that the mapping names."""


class Flow:
    """The statuses of the simulated vendors, in order; `named` come first: those that a mapping names."""

    def __init__(self, named: Mapping[str, StatusCategory] | None = None) -> None:
        self._categories = {
            **(named or {}),
            **{name: its for name, its in STATUSES if name not in (named or {})},
        }

    @property
    def names(self) -> tuple[str, ...]:
        """All statuses."""
        return tuple(self._categories)

    def category(self, status: str) -> StatusCategory:
        """Return what a status means."""
        return self._categories[status]

    def reached(self, current: str, wanted: str) -> str:
        """Return the status that a move to `wanted` (a name, or a category) leads to."""
        name, _, category = wanted.partition(":")
        if name != "category":
            return wanted if wanted in self._categories else current
        if self._categories[current] == category:
            return current
        return next(one for one, its in self._categories.items() if its == category)

    @property
    def first(self) -> str:
        """The status of a new ticket."""
        return next(one for one, its in self._categories.items() if its is StatusCategory.NEW)


class Priorities(StrEnum):
    """What becomes of a priority that is written."""

    KEPT = "kept"
    FEW = "few"
    """There are three levels only: the lowest is MEDIUM."""
    COMPUTED = "computed"
    """Computed from impact and urgency: nothing is as urgent as URGENT, and LOW becomes PLANNING."""


class Events(StrEnum):
    """What a webhook tells."""

    FULL = "full"
    PARTIAL = "partial"
    HINT = "hint"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Quirks:
    """One vendor's habits. Times in seconds.

    Args:
        title_limit: longer titles are cut.
        tidies_text: descriptions lose trailing spaces and doubled empty lines.
        other_dialect: webhooks tell descriptions in another spelling than reads do.
        priorities: what becomes of a written priority.
        needs_resolution: to be done, a ticket needs a field that the mapping may not give.
        no_reopen: what is done stays done.
        lag: how long searches do not show what was created, and polls do not show what was changed.
        tick: its clock goes by so much at a time.
        versions: refuses a write on an out-of-date version itself. Where it does not, the version is read right before the write.
        version_is_time: the version is the time of the last change and a mark of what the ticket says, not a count.
        history: tells who changed which field.
        counts: tells that somebody changed a ticket between our look at it and our write, not what.
        reads_back: what a write made of the ticket is known by a read of its own after it, not by the write's answer.
        events: what webhooks tell.
        findable: records and comments can be found by our key.
        in_steps: fields are written first, then the status.
        strangers: some of our people have no account there.
        customers_read_files: whoever is for customers reads the files of a ticket.
        renames_files: file names lose their spaces.
        files_apart: a file does not touch its ticket.
    """

    title_limit: int = 255
    tidies_text: bool = False
    other_dialect: bool = False
    priorities: Priorities = Priorities.KEPT
    needs_resolution: bool = False
    no_reopen: bool = False
    lag: int = 0
    tick: float = 0.001
    versions: bool = False
    version_is_time: bool = False
    history: bool = False
    counts: bool = False
    reads_back: bool = False
    events: Events = Events.FULL
    findable: bool = True
    in_steps: bool = False
    strangers: bool = False
    customers_read_files: bool = False
    renames_files: bool = False
    files_apart: bool = False

    def named(self) -> Iterator[str]:
        """Yield the name of each habit that differs from a plain vendor's."""
        plain = Quirks()
        for one in fields(self):
            value = getattr(self, one.name)
            if value != getattr(plain, one.name):
                yield one.name if isinstance(value, bool) else f"{one.name} {value}"

    def title(self, text: str) -> str:
        """Return a title as it is kept."""
        return " ".join(text.split())[: self.title_limit].rstrip()

    def text(self, text: str) -> str:
        """Return a description as it is kept."""
        if not self.tidies_text:
            return text
        lines: list[str] = []
        for line in text.split("\n"):
            tidy = line.rstrip()
            if tidy or (lines and lines[-1]):
                lines.append(tidy)
        return "\n".join(lines).rstrip("\n")

    def told(self, text: str) -> str:
        """Return a description as a webhook tells it."""
        return f"h2. {text}".replace("- ", "* ") if self.other_dialect and text else text

    def priority(self, wanted: Priority | None) -> Priority | None:
        """Return a priority as it is kept."""
        if self.priorities is Priorities.FEW:
            return Priority.MEDIUM if wanted in {Priority.LOW, Priority.PLANNING, None} else wanted
        if self.priorities is Priorities.COMPUTED:
            return {
                Priority.URGENT: Priority.CRITICAL,
                Priority.MEDIUM: Priority.MODERATE,
                Priority.LOW: Priority.PLANNING,
                None: Priority.PLANNING,
            }.get(wanted, wanted)
        return wanted


def some_quirks(rng: Random) -> Quirks:
    """Return a vendor with a few habits."""
    maybe = rng.random
    return Quirks(
        title_limit=40 if maybe() < 0.25 else 255,
        tidies_text=maybe() < 0.3,
        other_dialect=maybe() < 0.25,
        priorities=rng.choice((Priorities.KEPT, Priorities.KEPT, Priorities.FEW, Priorities.COMPUTED)),
        needs_resolution=maybe() < 0.1,
        no_reopen=maybe() < 0.15,
        lag=rng.choice((0, 0, 2, 15, 60)),
        tick=rng.choice((0.001, 0.001, 1.0, 60.0)),
        versions=maybe() < 0.4,
        version_is_time=maybe() < 0.3,
        events=rng.choice((Events.FULL, Events.FULL, Events.PARTIAL, Events.HINT, Events.NONE)),
        findable=maybe() > 0.1,
        in_steps=maybe() < 0.4,
        strangers=maybe() < 0.15,
        customers_read_files=maybe() < 0.3,
        renames_files=maybe() < 0.3,
        files_apart=maybe() < 0.3,
        history=maybe() < 0.45,
        reads_back=maybe() < 0.6,
        counts=maybe() < 0.3,
    )
