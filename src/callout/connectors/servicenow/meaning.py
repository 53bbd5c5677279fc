"""What the instance's own words mean: labels of states and priorities. Numbers mean nothing here; each instance has its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from callout.ports.ticketing import StatusCategory
from callout.ports.values import Priority

_NEW: Final = frozenset({"new", "open", "draft", "registered", "logged", "submitted"})
_DONE: Final = re.compile(r"(resolved|closed|cancel|complete|done\b|skipped|rejected|solved)", re.IGNORECASE)
_CANCELLED: Final = re.compile(r"(cancel|skipped|rejected|incomplete)", re.IGNORECASE)
_HOLD: Final = re.compile(r"(on hold|awaiting|pending)", re.IGNORECASE)
_CALLER: Final = re.compile(r"(caller|customer|user|requester)", re.IGNORECASE)
_RANK: Final = re.compile(r"^\s*[pP]?\d+\s*[-:.]?\s*")

USUAL: Final = {
    StatusCategory.NEW: ("new", "open", "draft", "registered"),
    StatusCategory.ACTIVE: ("in progress", "work in progress", "analysis", "implement", "assess"),
    StatusCategory.DONE: ("resolved", "closed", "closed complete"),
}
"""Where several states mean the same, the usual one is taken before On Hold, Canceled or Closed."""
USUAL_CLOSE_CODES: Final = (
    "solution provided",
    "solved (permanently)",
    "threat mitigated",
    "investigation completed",
    "successful",
    "resolved by request",
)

_PRIORITIES: Final = {
    "critical": Priority.CRITICAL,
    "urgent": Priority.URGENT,
    "high": Priority.HIGH,
    "moderate": Priority.MODERATE,
    "medium": Priority.MEDIUM,
    "normal": Priority.MEDIUM,
    "low": Priority.LOW,
    "planning": Priority.PLANNING,
}
_PLACES: Final = (
    Priority.CRITICAL,
    Priority.HIGH,
    Priority.MODERATE,
    Priority.LOW,
    Priority.PLANNING,
)
_STEPS: Final = {
    Priority.URGENT: 0,
    Priority.CRITICAL: 0,
    Priority.HIGH: 1,
    Priority.MEDIUM: 2,
    Priority.MODERATE: 2,
    Priority.LOW: 3,
    Priority.PLANNING: 4,
}
_LEVELS: Final = ((0, 0), (0, 1), (1, 1), (1, 2), (2, 2))
"""Impact and urgency, counted from the highest, for each of five priorities: the matrix as delivered."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One value that a column can have, with the label that people see."""

    value: str
    label: str
    depends: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """A choice of the column `state`, and what it means."""

    value: str
    label: str
    category: StatusCategory


def states_of(
    choices: Sequence[Choice], configured: Callable[[str], StatusCategory | None]
) -> tuple[State, ...]:
    """Return the states with their meaning: as the settings say, else by their label, the first one being new at the least."""
    found = [configured(choice.label) or category_of(choice.label) for choice in choices]
    if found and StatusCategory.NEW not in found and configured(choices[0].label) is None:
        found[0] = StatusCategory.NEW
    return tuple(
        State(choice.value, choice.label, category) for choice, category in zip(choices, found, strict=True)
    )


def category_of(label: str) -> StatusCategory:
    """Return what a state means by its label alone."""
    if not label:
        return StatusCategory.UNKNOWN
    if label.strip().casefold() in _NEW:
        return StatusCategory.NEW
    return StatusCategory.DONE if _DONE.search(label) else StatusCategory.ACTIVE


def is_cancelled(label: str) -> bool:
    """Return whether a state ends a record without a solution."""
    return _CANCELLED.search(label) is not None


def needs_closure(state: State) -> bool:
    """Return whether close code and notes belong to the state: it is done, and not called off."""
    return state.category is StatusCategory.DONE and not is_cancelled(state.label)


def is_hold(label: str) -> bool:
    """Return whether a state waits for somebody, which asks for a reason."""
    return _HOLD.search(label) is not None


def awaits_caller(label: str) -> bool:
    """Return whether a hold reason makes a comment to the caller mandatory."""
    return _CALLER.search(label) is not None


def priority_of(label: str, place: int = -1, count: int = 0) -> Priority | None:
    """Return the unified priority by label (`1 - Critical`), else by its place among `count`, the most urgent first."""
    words = _RANK.sub("", label).strip().casefold()
    if words in _PRIORITIES:
        return _PRIORITIES[words]
    if place < 0 or count <= 0:
        return None
    return _PLACES[round(place * (len(_PLACES) - 1) / max(count - 1, 1))]


def choose_priority(wanted: Priority, choices: Sequence[Choice]) -> Choice | None:
    """Return the instance's choice nearest to `wanted`."""
    if not choices:
        return None
    ranks = [
        _STEPS.get(priority_of(choice.label, place, len(choices)) or Priority.MODERATE, 2)
        for place, choice in enumerate(choices)
    ]
    step = _STEPS[wanted]
    return choices[min(range(len(choices)), key=lambda place: (abs(ranks[place] - step), place))]


def levels_for(
    wanted: Priority, impacts: Sequence[Choice], urgencies: Sequence[Choice]
) -> tuple[str, str] | None:
    """Return the values of impact and urgency that make a priority, where the instance computes it of both."""
    if not impacts or not urgencies:
        return None
    impact, urgency = _LEVELS[_STEPS[wanted]]

    def at(choices: Sequence[Choice], level: int) -> str:
        return choices[round(level * (len(choices) - 1) / 2)].value

    return at(impacts, impact), at(urgencies, urgency)


def same_words(one: str, other: str) -> bool:
    """Return whether two labels are the same to people."""
    return " ".join(one.split()).casefold() == " ".join(other.split()).casefold()
