"""`note`: on which incident, for whom, and the words. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.courtesy import Core
from callout.chatops.intent.cursor import (
    SEPARATORS,
    Cursor,
    after_quoted,
    as_written,
    elsewhere,
    incident_next,
    pointed_next,
    quoted_first,
    without_courtesies,
)
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.recording import recorded
from callout.chatops.intent.values import Ask, Hearing, Intent

_WRITING: Final = frozenset(
    {
        "add",
        "make",
        "write",
        "post",
        "leave",
        "put",
        "take",
        "record",
        "log",
        "drop",
        "create",
        "save",
        "jot",
        "enter",
        "publish",
        "attach",
        "send",
        "new",
        "need",
        "want",
        "store",
        "append",
    }
)
_ABOUT_NOTES: Final = frozenset(
    {"was", "is", "were", "says", "said", "taken", "has", "had", "did", "does", "written"}
)
"""Words that speak of a note that is there already."""
_SAYING: Final = frozenset({"that", "saying", "says", "reading", "stating", "which"})


_BARE: Final = lexicon.words_of("write jot record log put take")
"""With these the word `note` may be missing: `record on INC-4 that …`."""
_UPDATING: Final = lexicon.words_of("post write send publish add")
_BODY: Final = lexicon.words_of("text content message body words")
_MARKS: Final = frozenset({":", "-", "NEWLINE", ","})
VAGUE: Final = Ask("What is to be written down, and on which incident?", (Intent("note"),))


@dataclass(slots=True)
class _Head:
    """What leads to a note, while it is read."""

    cursor: Cursor
    incident: str
    core: Core
    hearing: Hearing
    verb: str = ""
    noun: str = ""
    audiences: list[str] = field(default_factory=list)
    explicit: bool = False
    """Whether a colon or `that` led to the words."""

    @property
    def slots(self) -> dict[str, Any]:
        return {
            **({"incident": self.incident} if self.incident else {}),
            **({"audience": self.audiences[0]} if self.audiences else {}),
        }


def note(
    cursor: Cursor, incident: str, core: Core, reading: Reading, hearing: Hearing
) -> Intent | Ask | None:
    """Return the `note` that these items mean, a question where it lacks something, or None."""
    if (written := recorded(cursor, incident, reading)) is not None:
        return written
    head = _Head(cursor, incident, core, hearing)
    if _hidden(cursor):
        head.audiences.append("internal")
    head.verb = cursor.take_any(_WRITING)
    if head.verb and cursor.kind() == "QUOTED":
        return quoted_first(cursor, incident, "note", {"note", "notes"})
    if not _names_a_note(head):
        return None
    attributed = _attributes(head)
    if head.noun == "update" and not (head.audiences and (head.verb or head.explicit)):
        return None if attributed else VAGUE
    if not attributed or len(set(head.audiences)) > 1 or _to_myself(head):
        return VAGUE
    return _words(head, reading)


def _names_a_note(head: _Head) -> bool:
    """Step over what leads to the word `note`, and over the word."""
    cursor, verb = head.cursor, head.verb
    if verb and not head.incident:
        head.incident = incident_next(cursor)
    cursor.take("down")
    if verb or head.incident:
        cursor.articles()
        cursor.take_any({"as", "this", "following"})
        cursor.articles()
        cursor.take_any({"new", "short", "quick", "following", "brief"})
    if cursor.kind() == "AUD":
        head.audiences.append(cursor.item().value)
        cursor.at += 1
        cursor.skip({"only", "-", "facing"})
    head.noun = cursor.take_any({"note", "notes"} if verb else {"note"})
    if not head.noun and (verb in _UPDATING or head.audiences):
        head.noun = cursor.take_any({"update"})
    bare = verb in _BARE and not head.audiences and pointed_next(cursor) and _said_after(cursor)
    if not (head.noun or bare):
        return False
    cursor.take("down")
    return True


def _attributes(head: _Head) -> bool:
    """Step over on which incident and for whom, in any order, up to the words; False where it is not clear."""
    cursor = head.cursor
    while cursor.rest:
        if cursor.skip({"EMOJI"} if _is_content(cursor) else {"please", "EMOJI"}) or _for_whom(head):
            continue
        if not head.incident:
            there, key = cursor.pointing()
            if there:
                head.incident = key
                if cursor.kind() in {"or", "and"} and cursor.kind(1) == "INC":
                    return False
                continue
        if cursor.kind() in {"with", "of"} and cursor.kind(1) in _BODY:
            cursor.at += 2
            continue
        if cursor.kind() in _SAYING and not head.explicit:
            return _said(head)
        if cursor.kind() in _MARKS and _marked(head):
            continue
        break
    return True


def _for_whom(head: _Head) -> bool:
    """Step over an audience, if only one that is not to see it."""
    audience = "internal" if _hidden(head.cursor) else _audience(head.cursor)
    if audience is None:
        return False
    head.audiences.append(audience)
    return True


def _said(head: _Head) -> bool:
    """Step over `that` and `saying`; False where it is not known what a mere `note that …` belongs to."""
    addressed = head.incident or head.hearing.channel_incident or head.audiences or head.verb
    if head.cursor.kind() == "that" and not (addressed or head.core.asked or head.core.wished):
        return False
    head.cursor.at += 1
    head.cursor.skip({":", "that"})
    head.explicit = True
    return True


def _marked(head: _Head) -> bool:
    """Step over the mark before the words: whether more about the note follows it."""
    cursor = head.cursor
    mark = cursor.at
    if cursor.take(","):
        if _hidden(cursor):
            head.audiences.append("internal")
            head.explicit = True
            return False
        if (audience := _audience(cursor)) is not None:
            head.audiences.append(audience)
            return True
        cursor.at = mark
    head.explicit = cursor.kind() in {":", "NEWLINE"}
    if cursor.take_any({":", "-", ","}):
        cursor.skip({"NEWLINE"})
    return False


def _to_myself(head: _Head) -> bool:
    """Whether this is a `note to self`."""
    kinds = (head.cursor.kind(), head.cursor.kind(1))
    myself = kinds[0] in {"self", "me", "us"} or (kinds[0] == "to" and kinds[1] in {"self", "me"})
    return myself and not head.explicit


def _words(head: _Head, reading: Reading) -> Intent | Ask:
    """Return the note with its words, without what they end in: an incident, an audience."""
    rest = list(head.cursor.rest)
    kinds = [item.kind for item in rest]
    if not rest or elsewhere(rest, explicit=head.explicit) or kinds in (["?"], ["."], ["down"]):
        return VAGUE
    if head.core.asked and kinds == ["QUOTED", "?"]:
        rest.pop()
    slots = head.slots
    if rest[0].kind == "QUOTED" and len(rest) > 1:
        quoted = after_quoted(Cursor(rest, 1), slots)
        if quoted and "person" not in quoted:
            return Intent("note", {**quoted, "text": rest[0].value})
        if "INC" in kinds[1:] and not head.incident:
            return VAGUE
    if not head.incident and not head.hearing.channel_incident and not reading.cut:
        rest, slots = _incident_after(rest, slots)
    if not head.explicit:
        if rest[0].kind in _ABOUT_NOTES or any(item.kind == "MOCK" for item in rest):
            return VAGUE
        if head.core.asked and not reading.cut and rest[-1].kind == "?":
            rest = rest[:-1]
    text = as_written(reading, rest, cut=reading.cut)
    return Intent("note", {**slots, "text": text}) if text else VAGUE


def _is_content(cursor: Cursor) -> bool:
    """Whether a `please` here is what is written down: `note please restart by hand until then`."""
    return (
        cursor.kind() == "please"
        and cursor.kind(-1) in {"note", "INC"}
        and cursor.kind(1) not in _OF_THE_HEAD
    )


_OF_THE_HEAD: Final = frozenset({":", "-", ",", "INC", "AUD", "QUOTED", "NEWLINE", ""}) | lexicon.words_of(
    "that on to for in saying"
)


def _hidden(cursor: Cursor) -> bool:
    """Step over `not for customers`, which is for us alone; `not` before anything else stays."""
    start = cursor.at
    bracket = cursor.take_any({"(", "["})
    if cursor.take("not") and (cursor.take_any({"for", "to", "visible"}) or cursor.kind() == "AUD"):
        cursor.skip({"for", "to", "the", "our", "any"})
        if cursor.kind() == "AUD" and cursor.item().value == "customer":
            cursor.at += 1
            if bracket:
                cursor.take_any({")", "]"})
            cursor.skip({",", "-", ".", ";", ":", "just", "but", "only"})
            return True
    cursor.at = start
    return False


def _said_after(cursor: Cursor) -> bool:
    """Whether `on INC-4` is followed by what opens a text: `record on INC-4 that …`."""
    branch = Cursor(cursor.items, cursor.at)
    branch.pointing()
    return branch.kind() in {":", "that"}


def _audience(cursor: Cursor) -> str | None:
    """Step over an audience that is marked as one: `for responders`, `(internal)`, `internal only:`, `--customer`."""
    start = cursor.at
    if cursor.kind() == "FLAG" and cursor.item().value in lexicon.AUDIENCES:
        cursor.at += 1
        return lexicon.AUDIENCES[cursor.item(-1).value]
    bracket = cursor.take_any({"(", "["})
    led = cursor.take_any({"for", "to", "as", "visible"})
    if led == "visible":
        cursor.take_any({"to", "for"})
    cursor.skip(lexicon.ARTICLES)
    if cursor.kind() == "AUD":
        value = cursor.item().value
        cursor.at += 1
        only = bool(cursor.skip({"only", "note", "team", "use", "eyes", "-"}))
        after = cursor.kind()
        if bracket and cursor.take_any({")", "]"}):
            return value
        if not bracket and (after in {":", "that", "INC", "NEWLINE"} or (only and after in SEPARATORS)):
            return value
        if not bracket and (
            pointed_next(cursor)
            or (led in {"for", "to"} and cursor.items[start - 1].kind in {"note", "notes"})
        ):
            return value
    cursor.at = start
    return None


def _incident_after(rest: list[Item], slots: dict[str, Any]) -> tuple[list[Item], dict[str, Any]]:
    """Take `to INC-4` or `(INC-4)` from the end of a text."""
    kept = without_courtesies(rest)
    kinds = [item.kind for item in kept]
    if kinds[:-3] and kinds[-3:] == ["(", "INC", ")"]:
        return without_courtesies(kept[:-3]), {**slots, "incident": kept[-2].value}
    if kinds[:-2] and kinds[-2] in {"to", "on", "for"} and kinds[-1] == "INC":
        return without_courtesies(kept[:-2]), {**slots, "incident": kept[-1].value}
    return rest, slots
