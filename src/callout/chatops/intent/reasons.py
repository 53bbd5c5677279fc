"""An acting command with what stands around it: a reason after it, a statement before it. Both must be plain statements. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.acting import command_of
from callout.chatops.intent.courtesy import Core, without_tail
from callout.chatops.intent.cursor import Cursor
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.later import is_for_later
from callout.chatops.intent.said_before import after_statement
from callout.chatops.intent.statements import FINITE, as_noun, is_clause, is_statement
from callout.chatops.intent.talk import BECAUSE, BREAKS, NO_REASONS, REASONED, STARTERS, UNSURE
from callout.chatops.intent.values import Ask, Hearing, Intent, Meaning

HEAD: Final = 70
"""Longest phrase that is read as a command, in items."""
PERFORMED: Final = lexicon.words_of(
    "acking mitigating resolving closing reopening escalating assigning reassigning paging"
)
"""Begun with one of these, a phrase says what is being done with it: `resolving INC-4: rolled back`."""


def acting_of(core: Core, reading: Reading, hearing: Hearing) -> Meaning | None:
    """Return an acting command, with its reason where it takes one."""
    items = core.items
    if reading.cut or len(items) > HEAD:
        return None
    if items and items[0].kind in PERFORMED and not (core.wished or core.questioned):
        core = replace(core, gerund=True)
    found = _acting(core, reading, hearing)
    asks = core.questioned and not core.asked
    return Ask(UNSURE, (found,)) if isinstance(found, Intent) and asks else found


def _acting(core: Core, reading: Reading, hearing: Hearing) -> Intent | Ask | None:
    items = core.items
    if [item.kind for item in items] == ["SEV"] and hearing.channel_incident and not core.questioned:
        return Intent("severity", {"severity": items[0].value})
    if (whole := command_of(items, core, reading, hearing)) is not None:
        return whole
    for end in _ends(core):
        if items[end.head].kind == "QUOTED" and not end.marked:
            found: Intent | Ask | None = _with_quoted(core, end.head, reading, hearing)
        else:
            found = _with_reason(core, end, reading, hearing)
        if found is not None:
            return found
    return after_statement(core, reading, hearing)


# ------------------------------------------------------------------------------------ where a command may end


@dataclass(frozen=True, slots=True)
class _End:
    """Where a command may end and its reason begin."""

    head: int
    """How many items the command has."""
    reason: int
    """Where the reason begins."""
    mark: str = ""
    """The mark between them; a colon for words that lead to a reason."""
    marked: bool = True


def _ends(core: Core) -> Iterator[_End]:
    """Yield where the command may end, the first places first."""
    items = core.items
    for at, item in enumerate(items):
        if not at:
            continue
        if _breaks(core, at):
            pair = [each.kind for each in items[at : at + 2]] in (["because", "of"], ["due", "to"])
            yield _End(at, at + 2, ":") if pair else _End(at, at + 1, item.kind)
        elif item.kind == "so" and _kind(items, at + 1) == "that":
            yield _End(at, at + 2, ":")
        elif items[at - 1].kind == "INC" and not core.gerund and _begins_a_reason(items, at):
            yield _End(at, at)
        elif items[at - 1].kind == "INC" and item.kind == "as" and _kind(items, at + 1) in _AS:
            yield _End(at, at + 1, "as")
        elif item.kind in {"with", "reason", "cause"} and (skip := _lead_of_reason(items, at)):
            yield _End(at, at + skip, ":")
        elif item.kind == "QUOTED":
            yield _End(at, at, marked=False)


def _kind(items: Sequence[Item], at: int) -> str:
    return items[at].kind if at < len(items) else ""


def _breaks(core: Core, at: int) -> bool:
    kind = core.items[at].kind
    return (
        kind in BREAKS
        or kind in BECAUSE
        or kind in {"EMOJI", "due"}
        or (kind == "?" and core.asked)
        or (kind == "please" and at + 2 < len(core.items))
    )


_CLAUSE: Final = 6
_AS: Final = lexicon.words_of(
    "duplicate false a fixed done invalid not it the nobody everything all there no"
)


def _begins_a_reason(items: Sequence[Item], at: int) -> bool:
    """Whether a reason begins here without a mark: `resolve INC-4 rolled back`."""
    kind = items[at].kind
    return (
        kind in STARTERS
        or is_clause(items[at : at + _CLAUSE])
        or (kind.endswith("ed") and kind not in NO_REASONS)
    )


def _lead_of_reason(items: Sequence[Item], at: int) -> int:
    """Return how many items lead to a reason here: `with the comment:`, `reason:`; 0 when none does."""
    cursor = Cursor(items, at)
    noun = bool(cursor.take_any({"reason", "cause"}))
    if not noun:
        cursor.at += 1
        cursor.skip(lexicon.ARTICLES)
        noun = bool(cursor.take_any({"note", "message", "reason", "text", "resolution"}))
    cursor.skip({":", "that"})
    return cursor.at - at if noun and cursor.rest else 0


# --------------------------------------------------------------------------------------------------- the reason

_PARTING: Final = frozenset({",", "-", ".", ";", "NEWLINE", "(", "!"})
_LEADS: Final = frozenset({"reason", "message", "cause", "note"}) | BECAUSE
_TURNS: Final = frozenset({"and", "but", "then", "not", "no", "do"})
"""With these more follows than a reason."""


def _with_reason(core: Core, end: _End, reading: Reading, hearing: Hearing) -> Intent | Ask | None:
    """Read the items up to `end` as the command and what follows as its reason."""
    head = without_tail(replace(core, items=core.items[: end.head]))
    found = command_of(head.items, head, reading, hearing)
    if found is None:
        return None
    unsure = Ask(UNSURE, (found,))
    if head.questioned and not head.asked:
        return unsure
    rest, mark = _without_mark(core.items[end.reason :], end.mark)
    if mark == _NO_REASON:
        return None
    if not rest:
        return found
    if rest[0].kind in _TURNS and not (rest[0].kind == "no" and mark == ":"):
        return _reasoned(found, rest, reading) if _says_what_is_gone(rest, found) else unsure
    found = _about_the_incident(found, rest, hearing)
    plain = is_statement(rest, found, explicit=mark == ":") and not is_for_later(rest, reading)
    return _reasoned(found, rest, reading) if plain else Ask(UNSURE, (found,))


_NO_REASON: Final = "no reason"


def _without_mark(items: Sequence[Item], mark: str) -> tuple[list[Item], str]:
    """Return a reason without the marks and words that lead to it, and what led to it."""
    rest = list(items)
    while rest and rest[0].kind in BREAKS | {"please", "EMOJI", "BOT"}:
        mark = ":" if rest[0].kind == ":" else mark
        rest.pop(0)
    if mark in _PARTING and rest and rest[0].kind in _LEADS:
        lead = rest.pop(0).kind
        if rest and rest[0].kind in {":", "is"}:
            rest.pop(0)
            mark = ":"
        elif lead in {"note", "cause"}:
            return rest, _NO_REASON
    if rest and rest[-1].kind == ")" and mark == "(":
        rest.pop()
    return rest, mark


_LEAST: Final = 3


def _says_what_is_gone(rest: Sequence[Item], found: Intent) -> bool:
    """Whether a reason says what is no longer there: `no errors since an hour`."""
    return (
        rest[0].kind == "no"
        and len(rest) >= _LEAST
        and is_statement(as_noun(rest[1:]), found, explicit=False)
        and rest[1].kind not in {"wait", ",", "INC", "not", "sorry"}
    )


def _about_the_incident(found: Intent, rest: Sequence[Item], hearing: Hearing) -> Intent:
    """Take the incident from the reason: `page @bob, INC-12 is burning`."""
    named = [item.value for item in rest if item.kind == "INC"]
    stated = len(rest) >= _LEAST and rest[0].kind == "INC" and rest[1].kind in FINITE
    if not stated or len(named) != 1 or "incident" in found.slots:
        return found
    if hearing.channel_incident not in {"", named[0]}:
        return found
    return replace(found, slots={**found.slots, "incident": named[0]})


_LAST_WORDS: Final = lexicon.words_of("again now ok okay alright for good too then well instantly")
"""What is taken off the end of a command, and belongs to the end of a reason."""


def _reasoned(found: Intent, rest: Sequence[Item], reading: Reading) -> Intent:
    if found.command not in REASONED:
        return found
    if len(rest) == 1 and rest[0].kind == "QUOTED":
        text = rest[0].value
    else:
        end = rest[-1]
        for item in reading.items:
            if item.start >= end.end:
                if item.kind not in _LAST_WORDS:
                    break
                end = item
        text = reading.text(rest[0].start, end.end)
    return replace(found, slots={**found.slots, "text": text})


_QUOTING: Final = lexicon.words_of(
    "with note message comment reason saying text : , - the a as because resolution"
)


def _with_quoted(core: Core, at: int, reading: Reading, hearing: Hearing) -> Intent | None:
    """Read `resolve INC-4 with "…"`: the quotation is the reason, and it is the end."""
    if at + 1 != len(core.items):
        return None
    head = list(core.items[:at])
    while head and head[-1].kind in _QUOTING:
        head.pop()
    found = command_of(head, core, reading, hearing)
    if found is None or found.command not in REASONED:
        return None
    return replace(found, slots={**found.slots, "text": core.items[at].value})
