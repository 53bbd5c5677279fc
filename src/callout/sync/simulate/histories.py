"""Histories by chance: the same seed makes the same history."""

# ruff: noqa: PLR2004  # how often something is drawn
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from callout.ports.values import Priority
from callout.sync.simulate.quirks import Flow, some_quirks
from callout.sync.simulate.records import FAULTS, WINDOWS
from callout.sync.simulate.steps import WAYS, Plan, Step
from callout.sync.simulate.world import MOST_BYTES

if TYPE_CHECKING:
    from callout.sync.simulate.meaning import Meaning

ACTIONS = ("acknowledge", "mitigate", "resolve", "close", "reopen")
AUDIENCES = ("internal", "responders", "customer")
SEVERITIES = ("SEV-1", "SEV-2", "SEV-3", "SEV-4")
PEOPLE = ("ann", "ben", "cleo", "nobody")
OPERATIONS = (
    "",
    "create_comment",
    "get_ticket",
    "create_ticket",
    "patch_ticket",
    "create_comment",
    "list_comments",
    "changes_since",
    "create_attachment",
    "create_attachment",
    "download_attachment",
    "list_attachments",
)
OUR_FIELDS = ("title", "description", "description", "severity", "severity", "assignee")
THEIR_FIELDS = ("title", "description", "description", "priority", "status", "status", "assignee")
PRIORITIES = tuple(one.value for one in Priority)
TURNS = (1, 1, 2, 2, 3, 4, 6, 9, 14, 40)
WAITS = (1, 1, 3, 6, 20, 61, 400)
WORDS = (
    "checkout  is slow",
    "orders fail in region two   and people wait for minutes",
    "- step one",
    "db",
    "## What we know ",
)


@dataclass(frozen=True, slots=True)
class Weights:
    """How often each kind of step is drawn, and how long histories are."""

    steps: tuple[tuple[str, int], ...] = (
        ("our edit", 12),
        ("our act", 6),
        ("our note", 6),
        ("our file", 4),
        ("their edit", 16),
        ("their quick edit", 7),
        ("our quick edit", 3),
        ("their comment", 5),
        ("their file", 4),
        ("their removal", 1),
        ("their delete", 0),
        ("their move", 1),
        ("deliver", 14),
        ("repeat", 2),
        ("lose", 3),
        ("go", 26),
        ("crash", 4),
        ("fault", 6),
        ("down", 1),
        ("up", 2),
        ("poll", 4),
        ("wait", 6),
        ("pause", 1),
        ("resume", 1),
    )
    shortest: int = 8
    longest: int = 26
    deleted: float = 0.04
    """How often a history ends with the ticket deleted."""


WEIGHTS = Weights()


class _Author:
    """Draws the steps of one history."""

    def __init__(self, rng: Random, flow: Flow) -> None:
        self.rng = rng
        self.flow = flow
        self.written = 0

    def word(self) -> str:
        """Return a text with a word in it that no other text has."""
        self.written += 1
        return f"#{self.written} {self.rng.choice(WORDS)}"

    def content(self) -> str:
        """Return a file's content: no other has it, and most are of one length."""
        self.written += 1
        return f"#{self.written}".ljust(12 if self.rng.random() < 0.9 else 2 * MOST_BYTES, ".")

    def step(self, kind: str) -> Step:
        """Draw one step of a kind."""
        rng = self.rng
        at = rng.randrange(3)
        draw: Mapping[str, Callable[[], Step]] = {
            "our edit": lambda: self._edit(kind, 0, OUR_FIELDS),
            "our act": lambda: Step(kind, value=rng.choice(ACTIONS)),
            "our note": lambda: Step(kind, 0, rng.choice(AUDIENCES), self.word()),
            "our file": lambda: Step(kind, 0, rng.choice(AUDIENCES), self.content(), rng.randrange(3)),
            "their file": lambda: Step(kind, at, rng.choice(AUDIENCES[1:]), self.content(), rng.randrange(3)),
            "their removal": lambda: Step(kind, at, n=rng.randrange(4)),
            "their edit": lambda: self._edit(kind, at, THEIR_FIELDS),
            "their quick edit": lambda: self._quick(self._edit(kind, at, THEIR_FIELDS)),
            "our quick edit": lambda: self._quick(self._edit(kind, at, (*OUR_FIELDS, "status", "status"))),
            "their comment": lambda: Step(kind, at, rng.choice(AUDIENCES[1:]), self.word()),
            "their move": lambda: Step(kind, at, value=rng.choice(("OPS", "HELP"))),
            "go": lambda: Step(kind, value=str(rng.randrange(1_000_000)), n=rng.choice(TURNS)),
            "fault": lambda: Step(kind, at, rng.choice(OPERATIONS), rng.choice(FAULTS)),
            "wait": lambda: Step(kind, n=rng.choice(WAITS)),
        }
        if kind in {"deliver", "repeat", "lose"}:
            return Step(kind, at, n=0 if rng.random() < 0.6 else rng.randrange(8))
        return draw.get(kind, lambda: Step(kind, at))()

    def some_work(self) -> Step:
        """Draw a few steps of work, so that what comes next meets it in the middle."""
        return Step("go", value=str(self.rng.randrange(1_000_000)), n=self.rng.randrange(1, 12))

    def _quick(self, edit: Step) -> Step:
        if edit.kind == "our quick edit" and edit.field == "status":
            edit = replace(edit, value=self.rng.choice(ACTIONS))
        return replace(edit, n=edit.n + WAYS * self.rng.randrange(len(WINDOWS)))

    def to_meet(self, quick: Step) -> list[Step]:
        """Draw what makes a visit come by where somebody waits to edit, mostly one that writes the same field."""
        if self.rng.random() < 0.2:
            return []
        here = {"priority": "severity"}.get(quick.field, quick.field)
        act = Step("our act", value=self.rng.choice(ACTIONS))
        cause = act if here == "status" else self._edit("our edit", 0, (here,))
        return [cause, Step("go", value=str(self.rng.randrange(1_000_000)), n=self.rng.choice((9, 14, 40)))]

    def met_by(self, fault: Step) -> list[Step]:
        """Draw what makes somebody meet a fault."""
        cause = {
            "create_comment": "our note",
            "patch_ticket": "our edit",
            "changes_since": "poll",
            "create_attachment": "our file",
            "download_attachment": "their file",
        }
        kind = cause.get(fault.field)
        return [] if kind is None else [self.step(kind), self.some_work()]

    def _edit(self, kind: str, at: int, fields: Sequence[str]) -> Step:
        name = self.rng.choice(fields)
        values: Mapping[str, Sequence[str]] = {
            "severity": SEVERITIES,
            "priority": PRIORITIES,
            "status": self.flow.names,
            "assignee": PEOPLE,
        }
        value = self.rng.choice(values[name]) if name in values else self.word()
        return Step(kind, at, name, value, self.rng.randrange(8))


def history(seed: int, *, meaning: Meaning | None = None, weights: Weights = WEIGHTS) -> Plan:
    """Return the history of a seed; `meaning` is of the mapping that is tried."""
    rng = Random(seed)  # noqa: S311  # the same every time, on purpose
    author = _Author(rng, Flow() if meaning is None else meaning.flow)
    vendors = tuple(some_quirks(rng) for _ in range(rng.choice((1, 1, 1, 2, 2, 3))))
    title, description = author.word(), author.word() if rng.random() < 0.7 else ""
    kinds = [kind for kind, _ in weights.steps]
    shares = [share for _, share in weights.steps]
    number = rng.randint(weights.shortest, weights.longest)
    steps: list[Step] = []
    for kind in rng.choices(kinds, shares, k=number):
        if kind == "crash":
            # In the middle of something: a process that does nothing dies without harm.
            steps.append(author.some_work())
        steps.append(author.step(kind))
        if kind == "fault":
            steps.extend(author.met_by(steps[-1]))
        elif kind in {"their quick edit", "our quick edit"}:
            steps.extend(author.to_meet(steps[-1]))
    if rng.random() < 0.35:
        # A calm moment: what comes after it starts from both sides in step and polled.
        at = rng.randrange(len(steps) + 1)
        steps[at:at] = [Step("go", n=200), Step("poll"), Step("go", n=200)]
    # Mostly the ticket is made before people go on: what happens before is drawn often enough.
    if rng.random() < 0.7:
        steps.insert(0, Step("go", n=40))
    if rng.random() < weights.deleted:
        steps.insert(rng.randrange(len(steps) // 2, len(steps) + 1), Step("their delete", rng.randrange(3)))
    return Plan(seed, vendors, title, rng.choice(SEVERITIES), description, tuple(steps))
