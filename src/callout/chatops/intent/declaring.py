"""`declare`: severity, service and title in the orders people write them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.attributes import (
    BRACKETS,
    after_quoted_title,
    bracketed_severity,
    service_after,
    service_marked,
    severity_after,
    severity_within,
)
from callout.chatops.intent.courtesy import Core
from callout.chatops.intent.cursor import (
    ODD_STARTS,
    SEPARATORS,
    SKIPPED,
    Cursor,
    as_written,
    doubtful,
    without_courtesies,
)
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.values import Ask, Hearing, Intent

_DECLARING: Final = lexicon.words_of("""
    declare raise open start create file log report new announce make trigger launch register call begin initiate post need want
    """)
_DOING: Final = frozenset({("i", "am", "declaring"), ("we", "are", "declaring")})
_PHRASAL: Final = frozenset(
    [
        ("kick", "off"),
        ("spin", "up"),
        ("fire", "up"),
        ("open", "up"),
        ("start", "up"),
        ("set", "up"),
        ("put", "in"),
    ]
)
_NOT_INCIDENTS: Final = lexicon.words_of("""
    channel report review ticket call bridge room response retro retrospective postmortem page list template process
    training drill management meeting commander note notes task tasks timeline title summary number numbers from of
    """)
"""What an incident is only named before: `open an incident report`."""
_TITLE_LEADS: Final = lexicon.words_of(
    "because that called titled named about since entitled regarding saying"
)
VAGUE: Final = Ask("Say what is broken, and how bad it is.", (Intent("declare"),))


@dataclass(slots=True)
class _Head:
    """What leads to a title, while it is read."""

    cursor: Cursor
    core: Core
    reading: Reading
    verb: str = ""
    performed: bool = False
    """Whether it is said as being done: `declaring sev1: …`."""
    slots: dict[str, Any] = field(default_factory=dict)
    marked: bool = False
    """Whether the word `incident`, or a severity, says that this is one."""
    separated: bool = False
    """Whether a mark stands between what leads to the title and the title."""
    led: bool = False
    """Whether that mark is a colon."""
    bold: str = ""
    """The mark of a severity in bold type."""


class _Step(Enum):
    """How the reading of what leads to a title goes on."""

    PASSED = auto()
    OTHER = auto()
    TITLE = auto()
    VAGUE = auto()


def declare(
    cursor: Cursor, incident: str, core: Core, reading: Reading, hearing: Hearing
) -> Intent | Ask | None:
    """Return the `declare` that these items mean, a question where it lacks something, or None."""
    if incident:
        return None
    head = _Head(cursor, core, reading, bold="*" if cursor.items[0].kind != "*" else "")
    _verb(head)
    if not head.verb and not _bare(cursor, core, hearing):
        return None
    if not _attributes(head):
        return VAGUE
    if (head.verb != "declare" and not head.marked) or (
        not head.led and cursor.kind() in {"incidents", "ones"}
    ):
        return None
    if (
        head.verb in {"need", "want"}
        and not head.separated
        and any(item.kind == "INC" for item in cursor.items)
    ):
        return None if cursor.kind() not in _NOT_INCIDENTS else VAGUE
    return VAGUE if _is_about_one(head) else _titled(head)


def _verb(head: _Head) -> None:
    """Step over the verb: `declare`, `I declare`, `we are declaring`, `kick off`."""
    cursor = head.cursor
    if cursor.kind() in {"i", "we"} and cursor.kind(1) == "declare":
        head.performed = True
        cursor.at += 1
    elif (cursor.kind(), cursor.kind(1), cursor.kind(2)) in _DOING:
        cursor.at += 2
    doing = lexicon.GERUNDS.get(cursor.kind(), "") if not head.core.questioned else ""
    if doing in _DECLARING:
        head.verb, head.performed = doing, True
        cursor.at += 1
    elif (cursor.kind(), cursor.kind(1)) in _PHRASAL:
        head.verb = "create"
        cursor.at += 2
    else:
        head.verb = cursor.take_any(_DECLARING)


def _is_about_one(head: _Head) -> bool:
    """Whether this speaks of an incident rather than declares one: `open a sev1 bridge`, `declaring takes long`."""
    unclear = head.verb in {"need", "want"} and not head.separated
    said = head.separated and "severity" in head.slots and len(head.cursor.rest) > _FEW
    another = head.verb != "declare" and not head.separated and head.cursor.kind() in _NOT_INCIDENTS
    return unclear or another or (head.performed and not said)


_FEW: Final = 2


# ----------------------------------------------------------------------------------------- what leads to the title


def _attributes(head: _Head) -> bool:
    """Step over severity, service and the word `incident`, in any order, up to the title; False where two are one too many."""
    cursor = head.cursor
    while cursor.rest:
        if cursor.skip(SKIPPED) or cursor.skip(SEPARATORS):
            head.separated |= cursor.items[cursor.at - 1].kind in SEPARATORS
            head.led = cursor.items[cursor.at - 1].kind in {":", "NEWLINE"}
            continue
        start = cursor.at
        cursor.skip(lexicon.ARTICLES)
        step = next((step for read in _READERS if (step := read(head)) is not _Step.OTHER), _Step.OTHER)
        if step is _Step.PASSED:
            continue
        if step is _Step.OTHER:
            cursor.at = start
            _title_lead(head)
        return step is not _Step.VAGUE
    return True


def _asked(head: _Head) -> _Step:
    """Step over the question mark of `could you open an incident?`."""
    if not head.core.asked or not head.cursor.take("?"):
        return _Step.OTHER
    head.separated = True
    return _Step.PASSED


def _new(head: _Head) -> _Step:
    cursor = head.cursor
    if cursor.take_any({"new", "another", "major", "fresh"}) and cursor.kind() in _THINGS:
        return _Step.PASSED
    if cursor.kind() == "severity" and cursor.kind(1) in {":", "SEV"}:
        cursor.at += 1
        return _Step.PASSED
    return _Step.OTHER


_THINGS: Final = frozenset({"incident", "SEV", "LEVEL"})


def _bracketed(head: _Head) -> _Step:
    severity = bracketed_severity(head.cursor)
    if not severity:
        return _Step.OTHER
    if "severity" in head.slots:
        return _Step.VAGUE
    head.slots["severity"] = severity
    head.marked = True
    return _Step.PASSED


def _in_bold(head: _Head) -> _Step:
    """Step over the marks of `*sev1*`."""
    cursor = head.cursor
    kind = cursor.kind()
    closes = [cursor.items[cursor.at - 1].kind, head.bold] == ["SEV", kind]
    if kind not in {"*", "_"} or not (cursor.kind(1) == "SEV" or closes):
        return _Step.OTHER
    head.bold = kind
    cursor.at += 1
    return _Step.PASSED


def _preposition(head: _Head) -> _Step:
    """Step over `of severity`, `with the title`; anything else that a preposition leads to is the title."""
    cursor = head.cursor
    start = cursor.at
    joined = cursor.kind() == "and" and cursor.kind(1) in {"SEV", "severity", "title"}
    if cursor.kind() not in {"of", "with", "at", "as"} and not joined:
        return _Step.OTHER
    cursor.at += 1
    cursor.skip(lexicon.ARTICLES)
    if cursor.kind() in {"SEV", "severity", "LEVEL"}:
        return _Step.PASSED
    if cursor.take("title"):
        cursor.skip({":"})
    else:
        cursor.at = start
    return _Step.TITLE


def _severity(head: _Head) -> _Step:
    cursor = head.cursor
    if cursor.kind() != "SEV":
        return _Step.OTHER
    if "severity" in head.slots:
        return _Step.VAGUE
    _take_severity(head)
    either = cursor.kind() in {"or", "and", "/"} and cursor.kind(1) in {"SEV", "NUM", "LEVEL", "not"}
    return _Step.VAGUE if either else _Step.PASSED


def _level(head: _Head) -> _Step:
    """Step over `critical`, where it is surely a severity: `a critical incident`, `critical: …`."""
    cursor = head.cursor
    if cursor.kind() != "LEVEL" or "severity" in head.slots:
        return _Step.OTHER
    ahead = Cursor(cursor.items, cursor.at + 1)
    sure = ahead.kind() in _AFTER_LEVELS or service_marked(ahead, head.reading, marked=True) is not None
    if not sure:
        return _Step.VAGUE
    _take_severity(head)
    return _Step.PASSED


_AFTER_LEVELS: Final = frozenset({"incident", "severity", ":", ",", "-", "prio", "NEWLINE"})


def _take_severity(head: _Head) -> None:
    head.slots["severity"] = head.cursor.item().value
    head.cursor.at += 1
    head.cursor.skip({"severity"})
    head.marked = True


def _incident(head: _Head) -> _Step:
    cursor = head.cursor
    of_a_severity = cursor.kind(1) == "of" and cursor.kind(2) in {"SEV", "LEVEL", "severity"}
    if cursor.kind() != "incident" or (cursor.kind(1) in _NOT_INCIDENTS and not of_a_severity):
        return _Step.OTHER
    cursor.at += 1
    head.marked = True
    return _Step.PASSED


def _service(head: _Head) -> _Step:
    marked = head.marked or head.verb == "declare"
    service = service_marked(head.cursor, head.reading, marked=marked)
    if service is None:
        return _Step.PASSED if head.cursor.take("for", "me") or head.cursor.take("for", "us") else _Step.OTHER
    if "service" in head.slots:
        return _Step.VAGUE
    head.slots["service"] = service
    return _Step.PASSED


_READERS: Final[tuple[Callable[[_Head], _Step], ...]] = (
    _asked,
    _new,
    _bracketed,
    _in_bold,
    _preposition,
    _severity,
    _level,
    _incident,
    _service,
)


def _title_lead(head: _Head) -> None:
    """Step over what leads to the title itself: `for`, `because`, `called`, `title:`."""
    cursor = head.cursor
    if not (head.marked or head.verb == "declare"):
        return
    titled = cursor.kind() == "title" and cursor.kind(1) in {":", "QUOTED", "is"}
    if not head.separated and cursor.kind() == "for" and head.marked:
        cursor.at += 1
    elif cursor.kind() in _TITLE_LEADS or titled:
        cursor.at += 1
        cursor.skip({":"} if cursor.kind() == ":" else {"is"})


# ------------------------------------------------------------------------------------------------------- the title


def _titled(head: _Head) -> Intent | Ask:
    """Return the declaration with its title, without what it ends in: a service, a severity."""
    rest = list(head.cursor.rest)
    if len(rest) > 1 and rest[0].kind == "QUOTED":
        said = after_quoted_title(rest, head.reading, head.slots)
        if said is not None:
            rest, head.slots = rest[:1], said
    questioned = any(item.kind == "?" for item in rest[-2:])
    if not head.reading.cut:
        rest = service_after(rest, head.reading, head.slots)
        shorter, severity, apart = severity_after(rest)
        if severity and (apart or "severity" not in head.slots):  # else `dashboard shows sev1` is a title
            rest = shorter
            if head.slots.setdefault("severity", severity) != severity:
                return VAGUE
    rest = without_courtesies(rest)
    if _is_no_title(head, rest, questioned=questioned):
        return VAGUE
    title = as_written(head.reading, rest, cut=head.reading.cut)
    return Intent("declare", {**head.slots, "title": title}) if title else VAGUE


_SHORT_FORMS: Final = ("sev", "p1/", "p2/", "p3/", "p4/")
_SHORTEST_FORMS: Final = frozenset({"s1", "s2", "s3", "s4"})


def _is_no_title(head: _Head, rest: Sequence[Item], *, questioned: bool) -> bool:
    """Whether words are not surely meant as a title."""
    words = [item for item in rest if item.kind not in SEPARATORS and item.kind != "!"]
    if not words:
        return True
    kinds = [item.kind for item in words]
    severe = "severity" in head.slots
    help_asked = kinds in (["help"], ["usage"], ["syntax"])
    alone = len(words) == 1 and kinds[0] != "QUOTED" and not (head.marked or head.separated)
    miswritten = (
        kinds[0].startswith(_SHORT_FORMS)
        or (kinds[0] in _SHORTEST_FORMS and not severe)
        or (kinds[0] in BRACKETS and kinds[1:2] in (["SEV"], ["LEVEL"], ["severity"]))
    )
    return (
        help_asked
        or alone
        or miswritten
        or (not head.marked and "incident" in kinds[:2])
        or doubtful(words, head.core, led=head.led, severe=severe)
        or (kinds[0] in ODD_STARTS | {"INC"} and not _says_what(head, kinds, questioned=questioned))
        or (not severe and severity_within(rest))
    )


def _says_what(head: _Head, kinds: Sequence[str], *, questioned: bool) -> bool:
    """Whether a title that begins like talk is one: `cannot log in`, `no orders since noon`, or anything after a colon."""
    severe, several = "severity" in head.slots, len(kinds) > _FEW
    if kinds[0] == "INC" and severe and several:
        return True
    if questioned or not several or not (severe or (head.led and head.marked and len(kinds) > _TELLING)):
        return False
    lacking = kinds[:2] == ["can", "not"] or (kinds[0] == "no" and kinds[1] not in _NO_WHAT)
    return lacking or (head.led and kinds[0] not in _NO_CONTENT)


_NO_CONTENT: Final = frozenset({"if", "unless", "or", "SEV", "INC", "?", "wait", "maybe"})
_TELLING: Final = 3
"""Without a severity, a title that begins like a question has more words than this."""
_NO_WHAT: Final = frozenset(
    {"wait", ",", ".", "-", "sorry", "not", "do", "INC", "SEV", "LEVEL", "no", "make", "it", "this"}
)
# ------------------------------------------------------------------------------------------------- without a verb


def _bare(cursor: Cursor, core: Core, hearing: Hearing) -> bool:
    """Whether a declaration begins without a verb: `incident: …`, `sev1!!! site down`, `sev2 incident, title is …`."""
    if hearing.channel_incident or core.questioned or cursor.at or len(cursor.items) < _BARE_LEAST:
        return False
    kinds = [item.kind for item in cursor.items]
    said = next((kind for kind in kinds if kind not in _HEADS), "")
    if said in _NO_REPORTS or not _NOT_MEANT.isdisjoint(kinds):
        return False
    if "?" in kinds or "INC" in kinds or {"or", "if", "unless", "not", "was", "were"} & set(kinds[:6]):
        return False
    return (
        kinds[:2] in (["incident", ":"], ["SEV", "!"], ["SEV", ":"])
        or (
            kinds[:2] == ["SEV", "incident"]
            and (kinds[2] in {":", "-", "title", "!"} or kinds[2:4] == ["please", "title"])
        )
        or kinds[:3] in (["new", "incident", ":"], ["SEV", "incident", ":"])
    )


_BARE_LEAST: Final = 4
_NOT_MEANT: Final = lexicon.words_of(
    "sorry alarm over resolved closed mitigated thanks test testing drill exercise ignore"
)
"""Words of what is over, or is none: a drill is declared by a verb."""
_HEADS: Final = SEPARATORS | {"incident", "SEV", "!", "new", "please", "title", "is"}
_NO_REPORTS: Final = frozenset(
    {"i", "we", "you", "they", "none", "no", "not", "nothing", "false", "all", "only", "still", "too"}
)
"""What a declaration without a verb does not begin with: `incident: none today`."""
