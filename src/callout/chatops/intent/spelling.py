"""Typing errors in command words: at most one edit, only where one reading is left, and never into a word that is another one.

Pure. Only the words that lead a command are corrected; titles, notes and names are kept as they were typed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

SHORT: Final = 5
"""Up to this length only two swapped neighbours count as an error: short words have too many real neighbours."""
LONG: Final = 9
"""From this length on two edits may be read, if the word starts alike."""
SHORTEST: Final = 3
LONGEST: Final = 20
"""Shorter and longer words are left alone."""
_SWAPPED: Final = 2
"""A swap touches two places."""
_MOVED: Final = 3
"""One letter in another place touches no more places than this."""

REAL_WORDS: Final = frozenset(
    [
        "revolve",
        "dissolve",
        "absolve",
        "resolver",
        "resolves",
        "declares",
        "declarer",
        "mitigates",
        "escalates",
        "escalator",
        "escalators",
        "assigns",
        "design",
        "aligns",
        "reopens",
        "titles",
        "statue",
        "statues",
        "states",
        "statutes",
        "charges",
        "chances",
        "charge",
        "charged",
        "chance",
        "hanged",
        "changer",
        "commanders",
        "commands",
        "incidence",
        "listen",
        "serve",
        "severe",
        "severed",
        "severely",
        "severally",
        "several",
        "severity's",
        "timelines",
        "expire",
        "reassigns",
        "acknowledges",
        "helps",
        "help's",
        "shows",
        "notes",
        "tasks",
        "roles",
        "links",
        "pages",
        "lists",
        "explains",
        "joins",
        "leaves",
        "raises",
        "raised",
        "praise",
        "phrase",
        "phase",
        "opened",
        "opener",
        "tickets",
        "teammates",
        "attacks",
        "attack",
        "attache",
        "created",
        "creates",
        "creature",
        "reamed",
        "remake",
        "rename's",
        "rented",
        "renamed",
        "confect",
        "connects",
        "collect",
        "conflict's",
        "contact",
        "content",
        "correct",
        "convict",
        "reverts",
        "revert",
        "recent",
        "decent",
        "decline",
        "decrease",
        "closet",
        "closer",
        "clause",
        "unassign",
        "unassigned",
        "unresolved",
        "unresolve",
        "undeclared",
        "deescalate",
        "historic",
        "histories",
        "assist",
        "assistance",
        "asign's",
        "status's",
        "deceased",
        "released",
        "replace",
        "resort",
        "event",
        "asking",
        "masking",
        "operators",
        "operator",
        "simple",
        "remote",
        "interval",
        "waiting",
        "internals",
        "responses",
        "response",
        "cloned",
        "cloning",
        "linker",
        "linking",
        "immediate",
        "currency",
        "closes",
        "respond",
        "responds",
        "responded",
        "whereas",
        "operating",
        "solve",
        "solves",
        "solver",
        "solvers",
        "renames",
        "acting",
        "instant",
        "talking",
        "walking",
        "joiner",
        "summaries",
        "thinks",
        "think",
        "thank",
        "arise",
        "arising",
        "rising",
        "flavour",
        "settling",
        "sitting",
        "ticked",
        "commoner",
        "communicating",
        "linting",
        "est",
        "clones",
        "closure",
        "arguing",
        "raining",
        "baking",
        "faking",
        "raking",
        "waking",
        "ranking",
        "banking",
        "tanking",
        "lining",
        "living",
        "loving",
        "leaning",
        "learning",
        "reading",
        "wrote",
        "writes",
        "opens",
        "owning",
        "ending",
    ]
)
"""Words of the language that stand one letter from a command word and are not meant as one."""


def _deletes(word: str) -> set[str]:
    return {word[:at] + word[at + 1 :] for at in range(len(word))}


def _swapped(left: str, right: str) -> bool:
    """Whether two words of one length differ by two neighbours in each other's place."""
    if len(left) != len(right):
        return False
    different = [at for at, (one, other) in enumerate(zip(left, right, strict=True)) if one != other]
    return (
        len(different) == _SWAPPED
        and different[1] == different[0] + 1
        and left[different[0]] == right[different[1]]
        and left[different[1]] == right[different[0]]
    )


def _one_edit(typed: str, meant: str) -> bool:
    if _swapped(typed, meant):
        return True
    if abs(len(typed) - len(meant)) > 1 or typed[0] != meant[0]:
        return False
    if len(typed) == len(meant):
        return sum(one != other for one, other in zip(typed, meant, strict=True)) == 1
    if len(typed) > len(meant):
        return meant in _deletes(typed) and not (typed.startswith(meant) and typed[-1] != meant[-1])
    return typed in _deletes(meant)


def _close(typed: str, meant: str) -> bool:
    """Whether `typed` is `meant` with one error."""
    return _swapped(typed, meant) if len(meant) <= SHORT else _one_edit(typed, meant)


def _less_close(typed: str, meant: str) -> bool:
    """Whether `typed` is `meant` with two errors in a long word, or with one letter in another place."""
    if len(meant) <= SHORT or typed[0] != meant[0]:
        return False
    if len(typed) == len(meant) and sorted(typed) == sorted(meant):
        return sum(one != other for one, other in zip(typed, meant, strict=True)) <= _MOVED
    if len(meant) < LONG or len(typed) >= len(meant):
        return False
    return any(_one_edit(typed, shorter) for shorter in _deletes(meant))


class Speller:
    """Corrects words towards a vocabulary."""

    def __init__(self, vocabulary: Iterable[str], known_errors: Mapping[str, str]) -> None:
        self._vocabulary = frozenset(vocabulary)
        self._errors = dict(known_errors)
        near: dict[tuple[int, str], list[str]] = {}
        for word in sorted(self._vocabulary):
            for length in range(len(word) - 2, len(word) + 2):
                near.setdefault((length, word[0]), []).append(word)
        self._near = near
        self.correct = lru_cache(maxsize=4096)(self._correct)

    def _correct(self, word: str) -> str:
        """Return the command word that was meant, or `word` itself."""
        if word in self._vocabulary:
            return word
        if (known := self._errors.get(word)) is not None:
            return known
        if len(word) < SHORTEST or len(word) > LONGEST or word in REAL_WORDS or not word.isalpha():
            return word
        firsts = {word[0], word[1]}
        near = [meant for first in firsts for meant in self._near.get((len(word), first), ())]
        for like in (_close, _less_close):
            if found := {meant for meant in near if like(word, meant)}:
                return found.pop() if len(found) == 1 else word
        return word
