"""Lengths of time in words: `last 2 hours`, `since yesterday`, `half an hour`, `15m`. Pure."""

from __future__ import annotations

from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.items import Tape
from callout.chatops.intent.shapes import COUNT, GLUED, period

Span = tuple[str, int]
"""A length of time in normal form, and how many tokens it takes."""
NO_SPAN: Final[Span] = ("", 0)
_LEADS: Final = lexicon.words_of("in over during within for of from since the")
_LEADS_LIMIT: Final = 3
_MARKS: Final = frozenset({"last", "past", "previous", "recent"})
_DAYS: Final = {
    "today": "today",
    "today's": "today",
    "midnight": "today",
    "yesterday": "yesterday",
    "yesterday's": "yesterday",
}
_THIS: Final = {"morning": "today", "week": "7d"}
_HALVES: Final = {"h": "30m", "d": "12h"}
_ONES: Final = frozenset({"hour", "day", "week", "minute", "month"})
_DIGITS_LIMIT: Final = 4


def take_period(tape: Tape) -> bool:
    """Take a length of time, with the words that lead to it."""
    ahead = 0
    while ahead < _LEADS_LIMIT and tape.low(ahead) in _LEADS:
        ahead += 1
    value, taken = _day(tape, ahead)
    if not value:
        marked = tape.low(ahead) in _MARKS
        ahead += marked
        value, taken = _span(tape, ahead, marked=marked)
        if value and tape.low(ahead + taken) == "ago":
            taken += 1
    if value:
        tape.take("PERIOD", ahead + taken, value)
    return bool(value)


def _day(tape: Tape, ahead: int) -> Span:
    """Return `today`, `this week`, `since monday`, `overnight`: what a day is called."""
    word, following = tape.low(ahead), tape.low(ahead + 1)
    if word == "this" and following in _THIS:
        return _THIS[following], 2
    if word in _DAYS:
        return _DAYS[word], 1
    if ahead and tape.low(ahead - 1) in {"since", "from"} and word in lexicon.WEEKDAYS:
        return "7d", 1  # which day it is now is not known here: a week holds them all
    return ("12h", 1) if word == "overnight" and not ahead else NO_SPAN


def _span(tape: Tape, ahead: int, *, marked: bool) -> Span:
    """Return the length of time that stands `ahead` tokens on; one that is `marked` may lack its number: `the last hour`."""
    word = tape.low(ahead)
    if match := GLUED.fullmatch(word):
        return period(int(match.group(1)), lexicon.UNITS[match.group(2)]), 1
    if word in {"half", "half-hour", "quarter"}:
        return _part_of_an_hour(tape, ahead)
    if "-" in word and word.partition("-")[0].isdigit():
        number, _, rest = word.partition("-")
        unit = lexicon.UNITS.get(rest, "")
        return (period(int(number[:_DIGITS_LIMIT]), unit), 1) if unit else NO_SPAN
    count, taken = _count(tape, ahead)
    if marked and not taken:
        count = 1
    unit = lexicon.UNITS.get(tape.low(ahead + taken), "")
    if not unit or not count:
        return NO_SPAN
    after = ahead + taken
    if (unit, count, tape.low(after + 1), tape.low(after + 3)) == ("h", 1, "and", "half"):
        return "90m", taken + 4
    return period(count, unit), taken + 1


def _part_of_an_hour(tape: Tape, ahead: int) -> Span:
    word, following = tape.low(ahead), tape.low(ahead + 1)
    if word == "half-hour":
        return "30m", 1
    if word == "quarter":
        return ("15m", 4) if (following, tape.low(ahead + 3)) == ("of", "hour") else NO_SPAN
    taken = 2 if following in {"a", "an"} else 1
    half = _HALVES.get(lexicon.UNITS.get(tape.low(ahead + taken), ""), "")
    return (half, taken + 1) if half else NO_SPAN


def _count(tape: Tape, ahead: int) -> tuple[int, int]:
    """Return the number that stands `ahead` tokens on, and how many tokens it takes."""
    word, following = tape.low(ahead), tape.low(ahead + 1)
    if word == "couple" or (word == "a" and following == "couple"):
        taken = 1 + (word == "a")
        return 2, taken + (tape.low(ahead + taken) == "of")
    if word in {"a", "an"} and following in _ONES:
        return 1, 1
    if COUNT.fullmatch(word):
        return int(word), 1
    return (lexicon.NUMBERS[word], 1) if word in lexicon.NUMBERS else (0, 0)
