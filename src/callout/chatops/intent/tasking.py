"""`task`: on which incident, for whom, and what is to be done. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.courtesy import Core, plain, without_tail
from callout.chatops.intent.cursor import (
    LAUGHS,
    MOCKS,
    SEPARATORS,
    Cursor,
    after_quoted,
    as_written,
    elsewhere,
    incident_next,
    quoted_first,
    without_courtesies,
)
from callout.chatops.intent.finishing import without_a_number
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.parts import part_of
from callout.chatops.intent.patterns import any_of, spell
from callout.chatops.intent.values import Ask, Hearing, Intent

_MAKING: Final = any_of(
    """
    [and] (make|put|file|add|track|log|note|record|write) (it|this|that) [down] [as] [to] task [list]
    as task
    [and] add (it|this|that) to [our] tasks
    """
)
_NEEDING: Final = any_of(
    """
    remind (me|us) [that] [we] [must|have|need] [to]
    (somebody|i|we|PERSON) (needs|need|must|has|have|ought) [to]
    (somebody|i|we) should
    """
)


def task_said_first(core: Core, reading: Reading) -> Intent | None:
    """Read `somebody needs to call the vendor, make it a task`: what is to be done stands before the command."""
    items = list(without_tail(core).items)
    at = max((at for at, item in enumerate(items) if item.kind in {",", ".", "-", ";"}), default=0)
    if not at or core.questioned or any(item.kind == "?" for item in items) or reading.cut:
        return None
    part = part_of([item for item in items[at + 1 :] if item.kind not in {"a", "an", "the", "please"}])
    made = plain([item for item in items[at + 1 :] if item.kind not in {"please", "INC", "on", "for"}])
    if len(part.named) > 1 or not _MAKING.fullmatch(spell(made)):
        return None
    before = [item for item in items[:at] if item.kind not in {"a", "an", "the"}]
    led = _NEEDING.match(spell(before))
    if led is None or before[0].kind == "PERSON":
        return None
    start = before[led.group().count(" ")] if len(before) > led.group().count(" ") else None
    if start is None or {item.kind for item in before} & (
        MOCKS | {"if", "unless", "when", "or", "not", "INC"}
    ):
        return None
    text = reading.text(start.start, items[at - 1].end)
    return Intent("task", {**({"incident": part.named[0]} if part.named else {}), "text": text})


_VERBS: Final = lexicon.words_of("add create make open new assign give put log write file track need want")
_KINDS: Final = lexicon.words_of("new follow-up followup urgent quick another following this")
_SAYING: Final = frozenset({"called", "titled", "saying", "named", "to", "that"}) | SEPARATORS
_FINISHED: Final = frozenset({"done", "finished", "complete", "completed", "not"})
_INCIDENT_LEADS: Final = frozenset({"to", "on", "for"})
_PEOPLE: Final = frozenset({"PERSON", "me"})
VAGUE: Final = Ask("What is to be done, and on which incident?", (Intent("task"),))


@dataclass(slots=True)
class _Head:
    """What leads to a task, while it is read."""

    cursor: Cursor
    incident: str
    verb: str = ""
    person: str = ""
    explicit: bool = False
    """Whether a colon or the like led to the words."""


def task(
    cursor: Cursor, incident: str, core: Core, reading: Reading, hearing: Hearing
) -> Intent | Ask | None:
    """Return the `task` that these items mean, a question where it lacks something, or None."""
    head = _Head(cursor, incident, cursor.take_any(_VERBS))
    if head.verb and cursor.kind() == "QUOTED":
        return quoted_first(cursor, incident, "task", {"task", "tasks"})
    if not _names_a_task(head):
        return None
    if not head.verb and cursor.kind() == "add" and cursor.kind(1) not in {":", ""}:
        cursor.at += 1
    if _is_of_a_task(cursor) or not _attributes(head):
        return VAGUE
    return _words(head, core, reading, hearing)


def _names_a_task(head: _Head) -> bool:
    """Step over what leads to the word `task`, and over the word."""
    cursor = head.cursor
    cursor.articles()
    if head.verb and not head.incident:
        head.incident = incident_next(cursor)
    if head.verb in {"assign", "give"} and cursor.kind() in _PEOPLE:
        head.person = cursor.item().value or "me"
        cursor.at += 1
    cursor.articles()
    cursor.skip(_KINDS)
    if head.verb not in {"add", "put"} or cursor.kind() not in {"to", "on"}:
        return bool(cursor.take("task"))
    cursor.at += 1  # `add to the tasks: …`
    cursor.articles()
    listed = bool(cursor.take_any({"task", "tasks"}))
    cursor.skip({"list"})
    return listed


def _is_of_a_task(cursor: Cursor) -> bool:
    """Whether a task that is there is spoken of: `task done`, `task 3 is not done`."""
    rest = without_courtesies(cursor.rest)
    kinds = [item.kind for item in rest]
    numbered = bool(kinds) and (kinds[0].isdecimal() or kinds[0] == "NUM")
    return without_a_number(rest) or (numbered and (len(kinds) == 1 or not _FINISHED.isdisjoint(kinds)))


def _attributes(head: _Head) -> bool:
    """Step over for whom and on which incident, in any order; False where two are named for one."""
    cursor = head.cursor
    while cursor.rest:
        if cursor.skip({"please", "EMOJI"}) or _taker(head):
            continue
        if cursor.kind() in {"PEOPLE", "ALL"} or cursor.kind(1) == "PEOPLE":
            return False
        if not head.incident:
            there, key = cursor.pointing()
            if there:
                head.incident = key
                if cursor.kind() in {"or", "and"} and cursor.kind(1) == "INC":
                    return False
                continue
        if cursor.kind() in _SAYING:
            head.explicit = cursor.kind() != ","
            cursor.at += 1 + (cursor.kind() == "that" and cursor.kind(1) in {"says", "reads"})
            cursor.skip({":", "NEWLINE"})
            if cursor.kind() in {"PERSON", "INC"} and cursor.kind(1) in {":", ","}:
                continue
        break
    return True


def _taker(head: _Head) -> bool:
    """Step over `@ann`, `for @ann` or `for me`."""
    cursor = head.cursor
    led = int(cursor.kind() in _INCIDENT_LEADS and cursor.kind(1) in _PEOPLE)
    if head.person or not (cursor.kind(led) == "PERSON" or (led and cursor.kind(1) == "me")):
        return False
    head.person = cursor.item(led).value or "me"
    cursor.at += led + 1
    return True


def _words(head: _Head, core: Core, reading: Reading, hearing: Hearing) -> Intent | Ask:
    """Return the task with its words, without what they end in: an incident, a person."""
    rest = list(head.cursor.rest)
    if elsewhere(rest, explicit=False) or not _quotation(head, rest):
        return VAGUE
    if rest and rest[0].kind == "QUOTED" and len(rest) > 1:
        rest = rest[:1]
    questioned = bool(rest) and rest[-1].kind == "?" and not core.asked and not head.explicit
    kept = without_courtesies(rest)
    if not reading.cut:
        said_last = _ending(head, kept, hearing)
        if said_last is None:
            return VAGUE
        kept = said_last
    if not kept or questioned or _is_no_task(head, kept):
        return VAGUE
    slots = {
        "incident": head.incident,
        "person": head.person,
        "text": as_written(reading, kept, cut=reading.cut),
    }
    return Intent("task", {name: value for name, value in slots.items() if value}) if slots["text"] else VAGUE


def _quotation(head: _Head, rest: Sequence[Item]) -> bool:
    """Read what follows a task in quotation marks: for whom, on which incident. False when there is more than that."""
    if len(rest) < _TWO or rest[0].kind != "QUOTED":
        return True
    branch = Cursor(rest, 1)
    if branch.kind() == "for" and branch.kind(1) in _PEOPLE and not head.person:
        head.person = branch.item(1).value or "me"
        branch.at += 2
    after = after_quoted(branch, {"incident": head.incident} if head.incident else {})
    head.person = head.person or after.get("person", "")
    head.incident = after.get("incident", "")
    return bool(after)


def _ending(head: _Head, kept: list[Item], hearing: Hearing) -> list[Item] | None:
    """Take the incident and the person from the end of the words; None where an incident there may be part of them."""
    if [item.kind for item in kept[-3:]] == ["(", "INC", ")"] and kept[:-3] and not head.incident:
        head.incident = kept[-2].value
        kept = without_courtesies(kept[:-3])
    for _ in range(_TWO):
        if len(kept) <= _TWO:
            break
        lead, last = kept[-2], kept[-1]
        given = lead.kind == "for" or (lead.kind == "to" and head.verb in {"assign", "give"})
        if last.kind in _PEOPLE and given and not head.person:
            head.person = last.value or "me"
        elif last.kind == "INC" and lead.kind in _INCIDENT_LEADS and not head.incident:
            if hearing.channel_incident:
                return None
            head.incident = last.value
        else:
            break
        kept = without_courtesies(kept[:-2])
    return kept


_TWO: Final = 2


def _is_no_task(head: _Head, kept: Sequence[Item]) -> bool:
    """Whether words are not surely meant as a task: they are said to somebody, are a condition or a joke."""
    addressed = kept[-1].kind == "PERSON" and kept[-2:-1] and kept[-2].kind in {",", "("}
    laughed = not (LAUGHS if head.explicit else MOCKS).isdisjoint(item.kind for item in kept)
    return bool(addressed) or kept[0].kind in {"if", "?"} or laughed
