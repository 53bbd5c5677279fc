"""Severity and service of a declaration, where they are marked as such: before, behind and beside its title. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.cursor import SEPARATORS, SKIPPED, Cursor, without_courtesies
from callout.chatops.intent.items import Item, Reading

BRACKETS: Final = {"(": ")", "[": "]"}
_VALUES: Final = frozenset({"SEV", "LEVEL"})


def bracketed_severity(cursor: Cursor) -> str:
    """Step over `(sev 2)` or `[severity: high]`, and return the severity; empty where there is none."""
    if cursor.kind() not in BRACKETS:
        return ""
    inside = 2 if cursor.kind(1) == "severity" else 1
    inside += cursor.kind(inside) == ":"
    if cursor.kind(inside) not in _VALUES or cursor.kind(inside + 1) != BRACKETS[cursor.kind()]:
        return ""
    severity = cursor.item(inside).value
    cursor.at += inside + 2
    return severity


# ------------------------------------------------------------------------------------------------------- the service

_PRONOUNS: Final = frozenset({"me", "us", "it", "this"})


def service_marked(cursor: Cursor, reading: Reading, *, marked: bool) -> str | None:
    """Step over a service that is marked as one, and return it; `on X:` marks one where something was declared already."""
    start = cursor.at
    for way in (_in_square_brackets, _flagged, _called_one):
        if (found := way(cursor)) is not None:
            return reading.text(found.start, found.end)
        cursor.at = start
    if marked and (found := _led_to(cursor)) is not None:
        return reading.text(found.start, found.end)
    cursor.at = start
    return None


def _in_square_brackets(cursor: Cursor) -> Item | None:
    if (cursor.kind(), cursor.kind(2)) != ("[", "]"):
        return None
    cursor.at += 3
    return cursor.item(-2)


def _flagged(cursor: Cursor) -> Item | None:
    """Step over `--service X`."""
    if cursor.kind() != "FLAG" or cursor.item().value != "service":
        return None
    cursor.at += 1
    cursor.skip({":"})
    if not cursor.rest:
        return None
    cursor.at += 1
    return cursor.item(-1)


def _called_one(cursor: Cursor) -> Item | None:
    """Step over `service X` and `service=X`."""
    led = cursor.take_any({"on", "for", "in", "affecting"})
    cursor.skip(lexicon.ARTICLES)
    if not cursor.take("service") or not cursor.rest:
        return None
    explicit = cursor.take(":")
    ends = cursor.kind(1) in {":", ",", "-", "SEV"}
    if not cursor.rest or not (explicit or led or ends) or cursor.kind() in SEPARATORS:
        return None
    cursor.at += 1
    return cursor.item(-1)


def _led_to(cursor: Cursor) -> Item | None:
    """Step over `on X:`, `for X sev2 -` and `on X service:`."""
    if not cursor.take_any({"on", "for"}):
        return None
    cursor.skip(lexicon.ARTICLES)
    if not cursor.rest or cursor.kind() == "service":
        return None
    named, following = cursor.item(), (cursor.kind(1), cursor.kind(2))
    if following[0] == ":" and named.kind not in _PRONOUNS:
        cursor.at += 2
    elif following[0] == "SEV" and following[1] in SEPARATORS and named.kind.islower():
        cursor.at += 1
    elif following[0] == "service" and following[1] in {":", ","}:
        cursor.at += 3
    else:
        return None
    return named


_TAILS: Final = (
    *(["service", ":"], [",", "service"], ["(", "service"]),
    *([mark, "service", lead] for mark in (",", ".", ";", "-", "NEWLINE") for lead in (":", "is")),
    *(["(", "service", ":"], [",", "on", "service"], [",", "for", "service"]),
)
"""What stands before a service at the end of a title, the shortest first."""


def service_after(rest: list[Item], reading: Reading, slots: dict[str, Any]) -> list[Item]:
    """Take `, service X` or `service=X` from the end of a title, into `slots`; return what is left of the title."""
    kinds = [item.kind for item in rest]
    if (
        kinds[:-4]
        and kinds[-1] == ")"
        and (kinds[-4:-2] == ["(", "service"] or kinds[-5:-2] == _TAILS_IN_BRACKETS)
    ):
        rest, kinds = rest[:-1], kinds[:-1]
    if "service" in slots or not rest:
        return rest
    flagged = kinds[-2:-1] == ["FLAG"] and rest[-2].value == "service"
    lead = 1 if flagged else next((len(tail) for tail in _TAILS if kinds[-len(tail) - 1 : -1] == tail), 0)
    if not lead or len(rest) <= lead + 1:
        return rest
    slots["service"] = reading.text(rest[-1].start, rest[-1].end)
    return _without_marks(rest[: -lead - 1])


_TAILS_IN_BRACKETS: Final = ["(", "service", ":"]


def _without_marks(rest: list[Item]) -> list[Item]:
    kept = list(rest)
    while kept and kept[-1].kind in SEPARATORS | {"("}:
        kept.pop()
    return kept


# ------------------------------------------------------------------------------------------------------ the severity

_LEADS: Final = lexicon.words_of("as with at of is it this a an severity make its")
_APART: Final = frozenset({",", "(", "-", ".", ":", ";", "NEWLINE", "["})


def severity_after(rest: list[Item]) -> tuple[list[Item], str, bool]:
    """Take a severity from the end of a title: what is left, which one, and whether it stood apart."""
    nothing = rest, "", False
    kept = without_courtesies(rest)
    closed = bool(kept) and kept[-1].kind == ")"
    if closed:
        kept.pop()
    if not kept or kept[-1].kind not in _VALUES:
        return nothing
    last = kept.pop()
    said = False
    while kept and kept[-1].kind in _LEADS:
        said |= kept.pop().kind in {"as", "severity"}
    apart = bool(kept) and kept[-1].kind in _APART
    opened = bool(kept) and kept[-1].kind == "("
    if (closed and not opened) or (last.kind == "LEVEL" and not (apart or said)):
        return nothing
    kept = _without_marks(kept)
    return (kept, last.value, apart) if kept else nothing


def severity_within(rest: Sequence[Item]) -> bool:
    """Whether a severity stands apart between words of a title: it may be meant as one, or not."""
    kinds = [item.kind for item in rest]
    return any(
        kind == "SEV" and kinds[at] in SEPARATORS and kinds[at + 2] in SEPARATORS
        for at, kind in enumerate(kinds[1:-1])
    )


_TWO: Final = 2


def after_quoted_title(rest: list[Item], reading: Reading, slots: dict[str, Any]) -> dict[str, Any] | None:
    """Read what follows a title in quotation marks: `as sev3 on service mailer`. None when there is more than that."""
    found = dict(slots)
    branch = Cursor(without_courtesies(rest), 1)
    while branch.rest:
        if branch.skip(SEPARATORS | SKIPPED) or branch.take_any({"as", "with", "and", "at", "incident", "a"}):
            continue
        if branch.kind() in _VALUES and "severity" not in found:
            found["severity"] = branch.item().value
            branch.at += 1
            branch.skip({"severity", "incident"})
        elif "service" in found:
            return None
        elif service := service_marked(branch, reading, marked=True):
            found["service"] = service
        elif branch.kind() in {"on", "for"} and len(branch.rest) == _TWO:
            found["service"] = reading.text(branch.item(1).start, branch.item(1).end)
            branch.at += 2
        else:
            return None
    return found
