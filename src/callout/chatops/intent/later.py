"""What is not for now: `in an hour`, `in case it gets worse`, `the moment it is green`. Pure.

Said beside a command, such words make it one for later, which nobody here carries out: it is asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.patterns import any_of, spell

_ENDS: Final = frozenset({",", ".", ";", "!", "-", "(", "NEWLINE", "BOT", "EMOJI"})
"""After these another clause begins."""
_DAY: Final = f"({'|'.join(sorted(lexicon.WEEKDAYS))}|weekend|night|morning|evening|afternoon|noon|midnight|lunch|day|week|month)"
_TO_COME: Final = any_of(
    f"""
    (in|for) [the] (case|event)
    (in|over|during|at|on|by|until|till|before|after|from) [the|next|this|coming] {_DAY}
    [at|by|before|after|in] [the] (end|start|beginning) of
    eod
    eow
    by [the] (time|then|next|tomorrow|tonight)
    (the|that) (moment|instant|minute|day|time) *
    the second (it|we|this|that|everything|traffic|the)
    only (when|if|after|once|on|from|with|as|in|at)
    (so|as) long as
    next (week|month|day|time|shift|sprint|morning|night|year|{_DAY})
    this (evening|afternoon|night|weekend)
    that (is|was) [just|only] [the|my|our] (plan|idea|question|point|goal|intention|proposal)
    at least
    (sometime|someday|eventually|shortly|afterwards|hypothetically)
    """
)
_WORDS: Final = 6
_COMING: Final = ("in ", "within ", "during ", "over ")
_GONE: Final = ("last", "past", "previous", "recent")


def is_for_later(words: Sequence[Item], reading: Reading) -> bool:
    """Whether a clause among these words speaks of a time to come, or of what may come."""
    starts = [0, *(at + 1 for at, item in enumerate(words) if item.kind in _ENDS)]
    return any(_begins_later(words[start : start + _WORDS], reading) for start in starts)


def _begins_later(clause: Sequence[Item], reading: Reading) -> bool:
    if not clause:
        return False
    if clause[0].kind == "PERIOD":
        written = reading.text(clause[0].start, clause[0].end).lower()
        return written.startswith(_COMING) and not any(word in written for word in _GONE)
    timed = clause[0].kind in {"at", "by", "before", "after", "around"} and any(
        item.kind[:1].isdigit() or item.kind == "NUM" for item in clause[1:2]
    )
    return timed or bool(_TO_COME.match(spell(clause)))
