"""Notes that are not called one: `for the record, …`, `write down that …`, `tell customers that …`, `post publicly: …`. Pure."""

from __future__ import annotations

from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.cursor import MOCKS, Cursor, as_written
from callout.chatops.intent.items import Reading
from callout.chatops.intent.patterns import any_of, spell
from callout.chatops.intent.values import Intent

_SET_APART: Final = any_of(
    """
    nota bene [(for|in|on) (timeline|record|log)]
    nb [(for|in|on) (timeline|record|log)]
    for record
    """
)
"""After these a comma is enough before the words."""
_WRITTEN: Final = any_of(
    """
    (write|jot|put|note) down
    (put|record|log|add|write) (on|in|to|into) (timeline|record|log|logbook)
    (tell|inform|update) [to|our|all] AUD
    (post|write|publish|announce) [to|our|all] AUD
    let [our|all] AUD know
    """
)
_BETWEEN: Final = lexicon.ARTICLES | {"please", "just"}
_HEAD: Final = 12
_FEW: Final = 2
"""Fewer words than this are no note: `tell customers nothing`."""


def recorded(cursor: Cursor, incident: str, reading: Reading) -> Intent | None:
    """Return the note that a phrase without the word `note` writes down, or None."""
    kept = [at for at, item in enumerate(cursor.rest[:_HEAD]) if item.kind not in _BETWEEN]
    head = [cursor.rest[at] for at in kept]
    text = spell(head)
    match = _SET_APART.match(text) or _WRITTEN.match(text)
    if match is None:
        return None
    count = match.group().count(" ")
    audience = next((item.value for item in head[:count] if item.kind == "AUD"), "")
    branch = Cursor(cursor.items, cursor.at + kept[count - 1] + 1)
    _, named = branch.pointing()
    marks = {":", "that", "NEWLINE"} | ({",", "-"} if match.re is _SET_APART else set())
    marked = branch.take_any(marks)
    branch.skip({":", "NEWLINE"})
    rest = list(branch.rest)
    if (
        not marked
        or (incident and named not in {"", incident})
        or len(rest) < _FEW
        or rest[-1].kind == "?"
        or not MOCKS.isdisjoint(item.kind for item in rest)
    ):
        return None
    key = incident or named
    slots = {**({"incident": key} if key else {}), **({"audience": audience} if audience else {})}
    return Intent("note", {**slots, "text": as_written(reading, rest, cut=reading.cut)})
