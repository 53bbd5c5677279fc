"""The steps of a history: what people, the network, the vendors' troubles and the scheduler do, each in plain words.

A step is complete in itself and can be done in any state, so that a history stays valid when steps are left out of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from callout.sync.simulate.quirks import Quirks
from callout.sync.simulate.records import WINDOWS


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `at` names a vendor by its place, `n` counts or picks, `value` is what is written."""

    kind: str
    at: int = 0
    field: str = ""
    value: str = ""
    n: int = 0

    def told(self, names: tuple[str, ...]) -> str:
        """Return the step in plain words."""
        there = names[self.at % len(names)]
        words = _WORDS[self.kind].format(
            there=there,
            field=self.field,
            value=self.value,
            n=self.n,
            name=file_name(self.n),
            window=self.window,
        )
        return words.rstrip()

    @property
    def window(self) -> str:
        """Between which two steps of a visit it happens, of what is done in the middle of one."""
        return WINDOWS[self.n // WAYS % len(WINDOWS)]


def file_name(number: int) -> str:
    """Return one of the few names that files have: many have the same."""
    return FILE_NAMES[number % len(FILE_NAMES)]


WAYS = 8
"""So many ways there are to write a text, which the rest of `n` by it tells."""
FILE_NAMES = ("screen shot.png", "error.log", "screen shot.png")
_WORDS: Mapping[str, str] = {
    "our edit": "somebody here sets the {field} to {value!r}",
    "our act": "somebody here does: {value}",
    "our note": "somebody here writes a note for {field}: {value!r}",
    "our file": "somebody here attaches {name!r} for {field}: {value!r}",
    "their edit": "somebody in {there} sets the {field} to {value!r}",
    "our quick edit": "the next time when we are {window} of {there}, somebody here sets the {field} to {value!r}",
    "their quick edit": "the next time when we are {window} of {there}, somebody there sets the {field} to {value!r}",
    "their comment": "somebody in {there} comments for {field}: {value!r}",
    "their file": "somebody in {there} attaches {name!r} for {field}: {value!r}",
    "their removal": "somebody in {there} takes a file away (the one at place {n})",
    "their delete": "somebody in {there} deletes the ticket",
    "their move": "somebody in {there} moves the ticket to project {value}",
    "deliver": "a webhook of {there} arrives (the one at place {n} of those on their way)",
    "repeat": "a webhook of {there} arrives, and will come again (place {n})",
    "lose": "a webhook of {there} is lost (place {n})",
    "go": "work goes on for up to {n} steps",
    "crash": "the process dies and starts again",
    "fault": "the next call of {field} to {there} meets: {value}",
    "down": "{there} goes down",
    "up": "{there} is back",
    "poll": "the time to poll has come",
    "wait": "{n} seconds go by",
    "pause": "somebody pauses the writes to {there}",
    "resume": "somebody lets the writes to {there} go on",
}
KINDS = tuple(_WORDS)


@dataclass(frozen=True, slots=True)
class Plan:
    """One history: the vendors, what is declared at the start, and the steps."""

    seed: int
    vendors: tuple[Quirks, ...]
    title: str
    severity: str
    description: str
    steps: tuple[Step, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the vendors."""
        return tuple("ABC"[: len(self.vendors)])

    def told(self) -> list[str]:
        """Return the history in plain words, a line each."""
        lines = []
        for name, quirks in zip(self.names, self.vendors, strict=True):
            habits = ", ".join(word.replace("_", " ") for word in quirks.named())
            lines.append(
                f"{name} is a ticketing system" + (f" with: {habits}" if habits else " without quirks")
            )
        lines.append(f"somebody declares {self.title!r} as {self.severity}")
        lines.extend(step.told(self.names) for step in self.steps)
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**asdict(self), "told": self.told()}
