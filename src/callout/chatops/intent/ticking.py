"""`done: deploy the fix`, `mark the task call the vendor as done`: tasks are ticked off by their text, and opened again. Pure.

Which task has such a text is looked up afterwards; where not exactly one has, nothing is done.
"""

from __future__ import annotations

from typing import Final

from callout.chatops.intent.courtesy import Core
from callout.chatops.intent.cursor import MOCKS, Cursor, as_written, without_courtesies
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.values import Ask, Intent

_DONE: Final = frozenset({"done", "finished", "complete", "completed"})
_UNDONE: Final = frozenset({"undone", "untick", "reopen"})
_MARKING: Final = frozenset({"mark", "set", "flag", "tick", "check", "cross", "strike"})
_STRIKING: Final = frozenset({"tick", "check", "cross", "strike"})
_TASK: Final = frozenset({"task", "tasks"})
_NO_TEXT: Final = frozenset({"not", "if", "when", "unless", "or", "?", "INC", ":", "with", "and"})
_TO: Final = frozenset({"on", "of", "in", "for", "to", "from"})
_TEXT_LIMIT: Final = 300


def ticked(core: Core, reading: Reading) -> Intent | Ask | None:
    """Return which task is done, or open again, by its text in the slot `done` or `undone`; None when a phrase says something else."""
    if reading.cut:
        return None
    cursor = Cursor(core.items)
    slots: dict[str, str] = {}
    _incident(cursor, slots)
    cursor.skip({":", ",", "-"})
    read = _head(cursor, slots)
    if read is None:
        return None
    name, closing = read
    questioned = any(item.kind == "?" for item in cursor.rest[-2:])
    rest = without_courtesies(cursor.rest)
    if closing:
        kept = _closed(rest, slots)
        if kept is None:
            return None
        rest = kept
    rest = _without_incident(rest, slots)
    numbered = len(rest) == 1 and rest[0].kind == "INC" and reading.source[rest[0].start] == "#"  # `done: #2`
    if not rest or (rest[0].kind in _NO_TEXT and not numbered) or any(item.kind in MOCKS for item in rest):
        return None
    text = as_written(reading, rest, cut=False)
    if not text or len(text) > _TEXT_LIMIT:
        return None
    number = text.removeprefix("#")
    slots[name] = number if number.isascii() and number.isdecimal() else text
    intent = Intent("task", slots)
    return Ask("Is that task done?", (intent,)) if questioned and not core.asked else intent


def _head(cursor: Cursor, slots: dict[str, str]) -> tuple[str, bool] | None:
    """Step over what leads to the text; return the slot that it fills, and whether words such as `as done` have to follow it."""
    if (word := cursor.take_any(_DONE | {"undone"})) and cursor.kind() not in _TASK:  # `done on INC-4: …`
        _incident(cursor, slots)
        return (_slot(word), False) if cursor.take(":") else None
    if word:  # `done task 3` has a number
        return None
    if cursor.take_any(_TASK):  # `task done deploy the fix`
        _incident(cursor, slots)
        word = cursor.take_any(_DONE | _UNDONE)
        _incident(cursor, slots)
        cursor.take(":")
        return (_slot(word), False) if word and cursor.rest else None
    if word := cursor.take_any({"reopen", "untick"}):
        return (_slot(word), False) if _a_task(cursor) else None
    verb = cursor.take_any(_MARKING)
    if verb in _STRIKING and cursor.take("off"):
        named = _a_task(cursor)
        # `check off` alone is said of many things.
        return ("done", False) if named or verb != "check" else None
    return ("done", True) if verb and _a_task(cursor) else None


def _slot(word: str) -> str:
    return "undone" if word in _UNDONE else "done"


def _a_task(cursor: Cursor) -> bool:
    """Step over `the task:`."""
    cursor.articles()
    found = bool(cursor.take_any(_TASK))
    if found:
        cursor.take(":")
    return found


def _incident(cursor: Cursor, slots: dict[str, str]) -> None:
    """Step over `INC-4` or `on INC-4`."""
    led = int(cursor.kind() in _TO)
    if cursor.kind(led) == "INC" and "incident" not in slots:
        slots["incident"] = cursor.item(led).value
        cursor.at += led + 1


def _closed(rest: list[Item], slots: dict[str, str]) -> list[Item] | None:
    """Take `as done`, or `off`, from the end of the words; None where they do not end so."""
    kept = _without_incident(rest, slots)
    if kept and kept[-1].kind == "off":
        return kept[:-1]
    if len(kept) > 1 and kept[-1].kind in _DONE and kept[-2].kind in {"as", "to", ":"}:
        return kept[:-2]
    return None


def _without_incident(rest: list[Item], slots: dict[str, str]) -> list[Item]:
    """Take `on INC-4` from the end of the words."""
    if len(rest) > 1 and rest[-1].kind == "INC" and rest[-2].kind in _TO and "incident" not in slots:
        slots["incident"] = rest[-1].value
        return without_courtesies(rest[:-2])
    return rest
