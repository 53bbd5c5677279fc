"""A phrase with what names an incident taken out, so that the rest may stand in any order. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from callout.chatops.intent import lexicon
from callout.chatops.intent.courtesy import plain
from callout.chatops.intent.items import Item


@dataclass(frozen=True, slots=True)
class Part:
    """The items of a phrase, with what names an incident taken out."""

    items: tuple[Item, ...]
    named: tuple[str, ...] = ()
    this: bool = False
    """Whether the words say `this incident` or the like."""
    pronoun: bool = False
    """Whether they say `it`, `this` or `that` alone."""
    after: tuple[str, ...] = ()
    """The prepositions that led to the incident."""

    @property
    def pointed(self) -> bool:
        return bool(self.named) or self.this


def part_of(items: Sequence[Item]) -> Part:
    """Take the incident out of `items`, with the preposition before it."""
    kept: list[Item] = []
    named: list[str] = []
    after_words: list[str] = []
    this = pronoun = False
    words = plain(items)
    at = 0
    while at < len(words):
        item = words[at]
        after = words[at + 1].kind if at + 1 < len(words) else ""
        if item.kind == "INC":
            named.append(item.value)
        elif item.kind in {"this", "that", "current"} and after in {"incident", "inc", "one", "channel"}:
            this = True
            at += 1
        elif item.kind == "here" or (item.kind == "incident" and item.value != "any"):
            this = True
        elif item.kind in {"this", "that", "it"}:
            pronoun = True
        else:
            if not kept or item.kind != kept[-1].kind or item.value:  # `ack ack ack` is said once
                kept.append(item)
            at += 1
            continue
        if kept and kept[-1].kind in lexicon.PREPOSITIONS | {":"}:
            after_words.append(kept.pop().kind)
        if words[at + 1 : at + 2] and words[at + 1].kind == ":" and not kept:
            at += 1
        at += 1
    return Part(tuple(kept), tuple(dict.fromkeys(named)), this, pronoun, tuple(after_words))


def incident_slot(part: Part) -> dict[str, Any]:
    """Return the incident that is named, as a slot."""
    return {"incident": part.named[0]} if part.named else {}
