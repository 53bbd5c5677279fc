"""`INC-8 got worse, make it sev1`: a plain statement, then the command. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from callout.chatops.intent.acting import command_of
from callout.chatops.intent.courtesy import Core, without_lead, without_tail
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.later import is_for_later
from callout.chatops.intent.parts import part_of
from callout.chatops.intent.statements import may_stand_before, without_comparison
from callout.chatops.intent.talk import BREAKS, REASONED, UNSURE
from callout.chatops.intent.values import Ask, Hearing, Intent

_ENDS = frozenset({",", ".", ";", "NEWLINE", "!"})
_HIM = frozenset({"him", "her", "them"})


def after_statement(core: Core, reading: Reading, hearing: Hearing) -> Intent | Ask | None:
    """Return the command that stands behind a statement, a question where the statement is none, or None."""
    items = core.items
    breaks = [at for at, item in enumerate(items) if item.kind in _ENDS or (item.kind == "so" and at)]
    for at in reversed(breaks):
        before = without_comparison([item for item in items[:at] if item.kind not in BREAKS])
        tail, meant = _tail(core, at)
        found = command_of(tail.items, tail, reading, hearing)
        if found is None or not before:
            continue
        if tail.questioned and not tail.asked:
            return Ask(UNSURE, (found,))
        named = part_of(before).named
        if (
            any(key != found.slots.get("incident", key) for key in named)
            or len(named) > 1
            or not may_stand_before(before, found, named=bool(named), meant=meant)
            or is_for_later(items[:at], reading)
        ):
            return Ask(UNSURE, (found,))
        return _said(found, named, before, reading)
    return None


def _tail(core: Core, at: int) -> tuple[Core, bool]:
    """Return what follows a statement, with `him` as the one person it names, and whether it says `him`."""
    tail = without_lead(core.items[at + 1 :])
    tail = without_tail(replace(tail, questioned=core.questioned, asked=tail.asked or core.asked))
    people = [item for item in core.items[:at] if item.kind in {"PERSON", "PEOPLE"}]
    if len(people) != 1:
        return tail, False
    him = tuple(people[0] if item.kind in _HIM else item for item in tail.items)
    return replace(tail, items=him), him != tail.items


def _said(found: Intent, named: Sequence[str], before: Sequence[Item], reading: Reading) -> Intent:
    """Return the command with what the statement adds: the incident, or the reason."""
    slots = dict(found.slots)
    if named:
        slots.setdefault("incident", named[0])
    elif found.command in REASONED:
        slots["text"] = reading.text(before[0].start, before[-1].end)
    return replace(found, slots=slots)
