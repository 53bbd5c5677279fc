"""Commands that act, without words of their own: every word of the command has to be understood, or it is not taken for one.

Incidents are taken out of the phrase first, with the preposition before them, so that slots may stand in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.building import Order, built
from callout.chatops.intent.courtesy import MOST, Core, plain
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.naming import with_names, with_plain_name
from callout.chatops.intent.orders import TABLES
from callout.chatops.intent.parts import part_of
from callout.chatops.intent.patterns import any_of, spell
from callout.chatops.intent.values import Hearing, Intent

_COMPILED: Final = {name: any_of(table) for name, table in TABLES.items()}

_REOPEN: Final = any_of(
    """
    open (back up|up again|once more|back)
    """
)
_DONE: Final = {
    "acked": "ack",
    "mitigated": "mitigate",
    "resolved": "resolve",
    "closed": "close",
    "reopened": "reopen",
}
_STATED: Final[tuple[list[str], ...]] = ([], ["status"], ["state"], ["status", "is"])
_AGAIN: Final = frozenset({"again", "back"})


def command_of(items: Sequence[Item], core: Core, reading: Reading, hearing: Hearing) -> Intent | None:
    """Return the acting command that these items are, all of them, or None.

    Which incident is not decided here: an intent without one may still lack it.
    """
    if not items or len(items) > MOST:
        return None
    said = without_contrast(_imperative(items) if core.gerund else items)
    found = _command_of(said, core, reading, hearing)
    if found is None and (named := with_names(said, reading)) != list(said):
        found = _command_of(named, core, reading, hearing)
    if found is None and (named := with_plain_name(said, reading)) != list(said):
        found = _command_of(named, core, reading, hearing)
        if found is not None and found.command not in _GIVING:
            return None  # calling somebody takes a name that is written as one
    return found


_GIVING: Final = frozenset({"assign", "role"})


_CONTRASTED: Final = frozenset({"INC", "SEV", "PERSON", "TICKET"})


def without_contrast(items: Sequence[Item]) -> Sequence[Item]:
    """Return the items without what is expressly not meant: `INC-12 not INC-13`, `sev2, and not sev1`."""
    for at, item in enumerate(items):
        ahead = at + 1
        while ahead < len(items) and items[ahead].kind in {",", "and"}:
            ahead += 1
        if (
            item.kind in _CONTRASTED
            and [each.kind for each in items[ahead : ahead + 2]] == ["not", item.kind]
            and items[ahead + 1].value != item.value
        ):
            return [*items[: at + 1], *items[ahead + 2 :]]
    return items


def _command_of(items: Sequence[Item], core: Core, reading: Reading, hearing: Hearing) -> Intent | None:
    part = part_of(items)
    if len(part.named) > 1:
        return None
    order = Order(part, spell(part.items), core, reading, hearing)
    if (short := _in_short(order, items)) is not None:
        return short
    for name, expression in _COMPILED.items():
        if expression.fullmatch(order.text) and (intent := built(name, order)) is not None:
            return intent
    return None


def _in_short(order: Order, items: Sequence[Item]) -> Intent | None:
    """Read what is said with fewer words than a sentence: `open INC-4 again`, `severity two`, `INC-4 resolved please`."""
    part, words, core = order.part, order.words, order.core
    first = part.items[0] if part.items else None
    again = any(item.kind in _AGAIN for item in items)
    if _REOPEN.fullmatch(order.text) or (words == ["open"] and again):
        return Intent("reopen", order.where) if part.pointed or part.pronoun else None
    if first is not None and words == ["SEV"]:
        spelled = first.values and items[0].kind not in lexicon.ARTICLES
        if spelled or (part.named and core.pleased):
            return Intent("severity", {**order.where, "severity": first.value})
    if core.pleased and part.named and words[-1:] and words[-1] in _DONE and words[:-1] in _STATED:
        return Intent(_DONE[words[-1]], order.where)
    if part.named and words == ["PERSON", "ROLE"]:
        return Intent("role", {**order.where, "role": order.role(), "person": order.person()})
    return None


def _imperative(items: Sequence[Item]) -> list[Item]:
    """Return the items with a leading `closing` read as `close`."""
    first = plain(items)[:1]
    return [
        replace(item, kind=lexicon.GERUNDS.get(item.kind, item.kind)) if item in first else item
        for item in items
    ]
