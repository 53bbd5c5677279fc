"""`title`: the ways of giving an incident another title. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.courtesy import Core
from callout.chatops.intent.cursor import (
    LAUGHS,
    MOCKS,
    ODD_STARTS,
    SEPARATORS,
    Cursor,
    as_written,
    without_courtesies,
)
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.values import Ask, Hearing, Intent

_EDITING: Final = frozenset(
    {"change", "set", "update", "edit", "correct", "fix", "make", "adjust", "modify", "replace", "switch"}
)
_WRONG: Final = frozenset(
    {
        "wrong",
        "bad",
        "misleading",
        "outdated",
        "off",
        "incorrect",
        "stale",
        "unclear",
        "inaccurate",
        "vague",
        "old",
        "useless",
        "terrible",
    }
)


_NO_TITLE_STARTS: Final = frozenset(
    {"INC", "looks", "seems", "because", "since", "so", "please", "from", "for", "and"}
)
_SHORT: Final = 4
"""A title that begins with `something` and is shorter than this many words says nothing."""


def _needs_a_title(cursor: Cursor) -> bool:
    """Step over `needs a better title, set it`: what follows is read like any other title."""
    start = cursor.at
    if cursor.take_any({"needs", "deserves", "wants", "gets"}) or (
        "needs" in {item.kind for item in cursor.items[max(0, start - 2) : start]}
    ):
        cursor.articles()
        cursor.take_any({"new", "better", "clearer", "proper", "different"})
        if cursor.take_any({"title", "name"}):
            cursor.skip(SEPARATORS | {"so", "please", "and"})
            if cursor.take_any(_EDITING | {"rename", "retitle"}) or cursor.items[cursor.at - 1].kind == ":":
                return True
    cursor.at = start
    return False


def _should_be_called(cursor: Cursor) -> bool:
    """Step over `should be called` before the title in quotation marks: without them it is an opinion."""
    for named in ("called", "named", "titled"):
        if [cursor.kind(0), cursor.kind(1), cursor.kind(2)] == ["should", "be", named]:
            ahead = 3 + (cursor.kind(3) == ":")
            if cursor.kind(ahead) == "QUOTED":
                cursor.at += ahead
                return True
    return False


_Way = Callable[["_Head"], "Intent | Ask | bool | None"]
"""A way of saying it: True when it was this one, False when not; or at once what it means, None for no title at all."""


@dataclass(slots=True)
class _Head:
    """What leads to a title, while it is read."""

    cursor: Cursor
    incident: str
    reading: Reading
    hearing: Hearing
    strict: bool = True
    """Whether the title has to be led to (`to`, a colon) or be in quotation marks."""
    quoted_only: bool = False
    """Whether a title without quotation marks is one only of a named incident."""

    def pointing(self) -> bool:
        """Step over the incident where one is named here."""
        there, key = self.cursor.pointing()
        if not there and self.cursor.kind() in {"this", "it", "that", "incident"}:
            self.cursor.at += 1
            return True
        if there and key:
            if self.incident and key != self.incident:
                return False
            self.incident = key
        return there

    def titled(self, text: str) -> Intent | Ask:
        slots = {"incident": self.incident} if self.incident else {}
        return Intent("title", {**slots, "title": text}) if text else VAGUE


VAGUE: Final = Ask("What is the new title, and of which incident?", (Intent("title"),))


def title(
    cursor: Cursor, incident: str, core: Core, reading: Reading, hearing: Hearing
) -> Intent | Ask | None:
    """Return the `title` that these items mean, a question where it lacks something, or None."""
    head = _Head(cursor, incident, reading, hearing)
    cursor.articles()
    for way in _WAYS:
        said = way(head)
        if said is True:
            break
        if said is not False:
            return said
    led = _led(cursor)
    return VAGUE if led is None else _title_after(head, core, led=led)


# -------------------------------------------------------------------------------------------------- ways of saying it


def _needed(head: _Head) -> bool:
    """Step over `needs a better title, set it` and `should be called`."""
    if not (_needs_a_title(head.cursor) or _should_be_called(head.cursor)):
        return False
    head.pointing()
    return True


def _renamed(head: _Head) -> bool:
    """Step over `rename INC-4`."""
    cursor = head.cursor
    if not cursor.take_any({"rename", "retitle"}):
        return False
    cursor.articles()
    cursor.take("title")
    named = head.pointing()
    head.strict = not (named and head.incident) and cursor.kind() != "QUOTED"
    return True


def _called(head: _Head) -> bool:
    """Step over `call it`."""
    cursor = head.cursor
    if cursor.kind() not in {"call", "name"} or cursor.kind(1) not in _NAMED:
        return False
    cursor.at += 1
    head.pointing()
    head.strict, head.quoted_only = False, True
    return True


def _given(head: _Head) -> bool | None:
    """Step over `give INC-4 a better title`."""
    cursor = head.cursor
    if cursor.kind() != "give" or cursor.kind(1) not in _NAMED:
        return False
    cursor.at += 1
    head.pointing()
    cursor.articles()
    cursor.take_any({"new", "better"})
    head.strict = False
    return bool(cursor.take_any({"title", "name"})) or None


def _put(head: _Head) -> Intent | Ask | bool | None:
    """Read `use "…" as the title of INC-4`."""
    cursor = head.cursor
    if (
        cursor.kind() not in {"put", "set", "use", "take"}
        or cursor.kind(1) != "QUOTED"
        or cursor.kind(2) not in {"as", "for"}
    ):
        return False
    text = cursor.item(1).value
    cursor.at += 3
    cursor.articles()
    cursor.take_any({"new"})
    if not cursor.take_any({"title", "name"}):
        return None
    head.pointing()
    return VAGUE if without_courtesies(cursor.rest) or not text else head.titled(text)


def _edited(head: _Head) -> Ask | bool | None:
    """Step over `change the title of INC-4`, `title of INC-4` and `the title is wrong, make it`."""
    cursor = head.cursor
    edited = bool(cursor.take_any(_EDITING))
    cursor.articles()
    edited |= bool(cursor.take_any({"new"}))
    cursor.articles()
    if not cursor.take_any({"title", "name", "subject"} if edited else {"title"}):
        mark = cursor.at
        if not (edited and head.pointing() and cursor.take_any({"title", "name"})):  # `set INC-5 title to X`
            cursor.at = mark
            return None
    named = head.pointing()
    if cursor.kind() in {"is", "are", "looks", "seems"} and not edited:
        if not _is_wrong(cursor):
            return VAGUE
    elif named and head.incident:
        single = len(without_courtesies(cursor.rest)) <= 1
        head.strict = edited and single and cursor.kind() not in {"is", ":", "QUOTED"}
    elif head.incident or (not edited and head.hearing.channel_incident):
        head.strict = False
    return VAGUE if cursor.kind() == "from" else True


def _is_wrong(cursor: Cursor) -> bool:
    """Step over `is misleading, change it`: a title that is only found wrong is not changed."""
    cursor.at += 1
    cursor.skip({"now", "just", "still"} | lexicon.FILLERS)
    if not cursor.take_any(_WRONG):
        return False
    cursor.skip(SEPARATORS | {"so", "please", "and"})
    if not cursor.take_any(_CORRECTING):
        return False
    cursor.take_any({"it", "that"})
    return True


_NAMED: Final = frozenset({"INC", "it", "this"})
_CORRECTING: Final = lexicon.words_of("change rename set make correct update fix call name")
_WAYS: Final[tuple[_Way, ...]] = (_needed, _renamed, _called, _given, _put, _edited)


# ------------------------------------------------------------------------------------------------------- the title


_MODAL: Final = frozenset({"should", "must", "needs", "has", "shall"})


def _led(cursor: Cursor) -> bool | None:
    """Step over `to`, a colon or `it should read:`: whether there is one, None when it is an opinion."""
    cursor.skip({"please"})
    if cursor.kind() == "," and cursor.kind(1) in {"it", "should", "to"}:
        cursor.at += 1
    if cursor.kind() in _MODAL | {"it"}:
        cursor.take_any({"it"})
        if not cursor.take_any(_MODAL):
            return None
        cursor.take_any({"to"})
        verb = cursor.take_any({"be", "read", "say"})
        led = cursor.skip({":", "as"}) or cursor.kind() == "QUOTED" or verb in {"read", "say"}
        return True if led and verb else None
    if not cursor.take_any({"to", "as", "into", "with", "by", ":", "is", "-", "NEWLINE"}):
        return False
    cursor.take_any({"be", "read", "say"} if cursor.kind(1) in {":", "QUOTED"} else set())
    cursor.skip({":", "NEWLINE"})
    return True


def _title_after(head: _Head, core: Core, *, led: bool) -> Intent | Ask | None:
    rest = without_courtesies(head.cursor.rest)
    if len(rest) > 1 and rest[0].kind == "QUOTED" and not head.incident:
        after = Cursor(rest, 1)
        there, key = after.pointing()
        if there and not after.rest:
            head.incident, rest = key, rest[:1]
    questioned = any(item.kind == "?" for item in list(head.cursor.rest)[-2:]) and not core.asked
    quoted = bool(rest) and rest[0].kind == "QUOTED"
    if not rest or (head.strict and not led and not quoted) or questioned:
        return VAGUE
    if head.quoted_only and not (led or quoted) and (not head.incident or rest[0].kind in _NOT_CALLED):
        return None
    if _is_no_title(head, rest, led=led):
        return VAGUE
    return head.titled(as_written(head.reading, rest, cut=head.reading.cut))


_NOT_CALLED: Final = frozenset({"PERSON", "PEOPLE", "me", "a", "SEV", "on", "back", "off", "over"})
"""`call INC-4 off` and `call INC-4 a sev1` give no title."""
_NOTHING_SAID: Final = frozenset({"SEV", "INC", "something", "it", "this", "that"})


def _is_no_title(head: _Head, rest: Sequence[Item], *, led: bool) -> bool:
    """Whether words are not surely meant as a title. What is led to for a known incident is content, whatever it says."""
    first, kinds = rest[0].kind, {item.kind for item in rest}
    plainly = led and bool(head.incident or head.hearing.channel_incident)
    return (
        first in {",", "if", "unless"}
        or not kinds.isdisjoint(LAUGHS if plainly else MOCKS | {"if", "unless"})
        or (not led and first in ODD_STARTS | _NO_TITLE_STARTS)
        or (first in {"something", "anything"} and len(rest) < _SHORT)
        or (len(rest) == 1 and first in _NOTHING_SAID)
    )
