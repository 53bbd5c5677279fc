"""What is said to everybody before we are called: `everything is on fire @callout declare sev1 …`. Pure.

Only an exclamation or a plain statement may stand there. Who tells how we are spoken to, what somebody said or what would be,
does not call us.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.later import is_for_later
from callout.chatops.intent.talk import ALWAYS, BREAKS, MODALS, QUESTIONING, REPORTS

MOST: Final = 24
"""An aside is shorter than this, in items."""
_MARKS: Final = frozenset(
    {"QUOTED", "CODE", "PERSON", "PEOPLE", "INC", "inc", "ALL", ":", ">", "?", "(", "[", "<"}
)
_MENTIONING: Final = lexicon.words_of(
    """
    example examples type typing types try trying tried run running runs use used uses using call called named write writing say
    tell ask asking asks via e.g eg i.e ie like imagine picture instead when while before after since until till because as
    though although mention pinged ping test testing message reads text
    hope hoping wish pray
    """
)
"""Words by which people speak about calling us."""
_LEADS: Final = lexicon.PREPOSITIONS | lexicon.words_of(
    """
    is was are were be been am do did does has have had and or but that which than by the a an my our your this these those will
    not no never
    """
)
"""What stands right before us when we are a part of the sentence: `closed with @callout`, `ask @callout`."""
_SAID: Final = frozenset({"i", "me", "we", "us", "is", "are", "am", "has", "got", "went", "it"})
"""What makes a statement of words that no mark sets apart from the mention."""
_STEPS: Final = frozenset(
    {"then", "and", "you", "next", "first", "second", "last", "step", "also", "let", "or", "so"}
)
_QUESTIONS: Final = QUESTIONING - {"is", "are"}
_ORDERS: Final = lexicon.VERBS - {"note", "title", "role", "task", "link", "severity"}


def after_the_mention(reading: Reading) -> Reading | None:
    """Return what is said from the first mention of us on, where only an aside stands before it."""
    at = next((at for at, item in enumerate(reading.items) if item.kind == "BOT"), 0)
    before = reading.items[:at]
    if not at or at > MOST or not _is_aside(before) or is_for_later(before, reading):
        return None
    return replace(reading, items=reading.items[at + 1 :])


def _is_aside(before: Sequence[Item]) -> bool:
    kinds = {item.kind for item in before}
    if not kinds - BREAKS - lexicon.FILLERS - {"EMOJI"} - lexicon.GREETINGS:
        return False  # a greeting: it was taken off already
    words = [item.kind for item in before if item.kind not in BREAKS | lexicon.FILLERS | {"EMOJI"}]
    parted = before[-1].kind in BREAKS | {"EMOJI"}
    if words[0] in _STEPS or not (parted or len(words) == 1 or kinds & _SAID):
        return False
    return (
        _nothing_forbidden(words)
        and kinds.isdisjoint(
            _MARKS | _MENTIONING | REPORTS | ALWAYS | MODALS | _QUESTIONS | _ORDERS | {"MOCK"}
        )
        and (before[-1].kind in BREAKS or before[-1].kind not in _LEADS)
        and before[0].kind not in {"let", "PERIOD", "is", "are"}
    )


def _nothing_forbidden(words: Sequence[str]) -> bool:
    """Whether no word says that something is not to be done: `not my circus` may stand there, `not yet` and `do not` may not."""
    for at, word in enumerate(words):
        unable = words[at - 1 : at] == ["can"] and words[0] in {"i", "we"}
        if word == "not" and not unable and words[at + 1 : at + 2] != ["my"]:
            return False
    return words[0] != "no" and "never" not in words and ("stop" not in words or "me" in words)
