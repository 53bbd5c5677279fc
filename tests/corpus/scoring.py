"""Measures the reader of plain words against a file of the corpus, by the rules of its README. Gives totals, never phrases."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from callout.chatops.intent import ACTING, Ask, Hearing, Intent, Meaning, understand

OPEN: Final = Path(__file__).with_name("phrases_open.jsonl")
MORE: Final = Path(__file__).with_name("phrases_more.jsonl")
THIRD: Final = Path(__file__).with_name("phrases_third.jsonl")
HELD_BACK: Final = Path(__file__).with_name("phrases_held_back.jsonl")
BOT_ID: Final = "U0CALLOUT"
DANGEROUS: Final = ("incident", "severity", "person", "people", "role", "audience", "ticket", "done")
_QUOTES: Final = "\"'\u201c\u201d\u2018\u2019"


@dataclass(frozen=True, slots=True)
class Score:
    """How many phrases there are, how many were read right, and how many would have made something wrong happen."""

    phrases: int
    right: int
    wrong_actions: int
    by_intent: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Intent → (right, all)."""

    @property
    def share(self) -> float:
        """The part that was read right, from 0 to 1."""
        return self.right / self.phrases


def score(path: Path) -> Score:
    """Return how the phrases of a file are read."""
    right: Counter[str] = Counter()
    every: Counter[str] = Counter()
    wrong = 0
    for phrase in phrases(path):
        intent = phrase["intent"]
        meaning = meaning_of(phrase)
        every[intent] += 1
        right[intent] += is_right(phrase, meaning)
        wrong += is_wrong_action(phrase, meaning)
    return Score(
        every.total(), right.total(), wrong, {intent: (right[intent], every[intent]) for intent in every}
    )


def phrases(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def meaning_of(phrase: dict[str, Any]) -> Meaning:
    """Return how a phrase is read."""
    hearing = Hearing(channel_incident=phrase["in_channel_of"] or "", bot_ids=frozenset({BOT_ID}))
    return understand(phrase["text"], hearing)


def is_right(phrase: dict[str, Any], meaning: Meaning) -> bool:
    """Whether intent and all slots are as labelled; for `ask` and `none`, whether nothing is done."""
    if phrase["intent"] in {"ask", "none"}:
        return not isinstance(meaning, Intent) or (bool(phrase.get("may_tell")) and not meaning.acts)
    return (
        isinstance(meaning, Intent)
        and meaning.command == phrase["intent"]
        and _compared(meaning.slots, phrase) == _compared(phrase["slots"], phrase)
    )


def is_wrong_action(phrase: dict[str, Any], meaning: Meaning) -> bool:
    """Whether something would happen that was not meant, or to another incident, person and so on."""
    if not isinstance(meaning, Intent) or meaning.command not in ACTING:
        return False
    if meaning.command != phrase["intent"]:
        return True
    meant, read = _normal(phrase["slots"]), _normal(dict(meaning.slots))
    return any(meant.get(name) != read.get(name) for name in DANGEROUS)


def answer_of(meaning: Meaning) -> str:
    """Return the corpus's word for a meaning."""
    if isinstance(meaning, Intent):
        return meaning.command
    return "ask" if isinstance(meaning, Ask) else "none"


def _compared(slots: Mapping[str, Any], phrase: dict[str, Any]) -> Any:
    """Return slots in normal form, without those that the phrase's label leaves open."""
    loose = set(phrase.get("loose", ()))
    kept = {name: value for name, value in slots.items() if name not in loose}
    if "filters" in kept:
        kept["filters"] = {name: value for name, value in kept["filters"].items() if name not in loose}
    return _normal(kept)


def _normal(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _normal(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_normal(each) for each in value]
    if not isinstance(value, str):
        return value
    text = " ".join(value.split())
    while len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    return text.removesuffix(".").casefold()
