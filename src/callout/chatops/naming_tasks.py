"""Which task is meant by words of its text: all of it, or a part that no other has. Nobody's task is ticked off by a guess. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from callout.incidents import Task

NEAREST: Final = 3
"""So many tasks are named at most where none is meant surely."""
_LEAST: Final = 0.3
_WRAPS: Final = "\"'`\u201c\u201d\u201e\u2018\u2019\u00ab\u00bb*_~.,;:!"
_WORD = re.compile(r"\w+")


def meant(tasks: Sequence[Task], words: str) -> list[Task]:
    """Return the tasks that `words` may name, in their order: one is meant, of several none is, none is none.

    Those of exactly this text, else those in which a word begins so (`deploy` in `deploy the fix`), else those that hold it anywhere,
    as languages without spaces do. Letter case, spaces, and quotes and marks around the words count for nothing.
    """
    said = plain(words)
    if not said:
        return []
    begins = re.compile(rf"(?<!\w){re.escape(said)}")
    kinds: tuple[Callable[[str], bool], ...] = (
        lambda text: text == said,
        lambda text: begins.search(text) is not None,
        lambda text: said in text,
    )
    texts = [(one, plain(one.title)) for one in tasks]
    for fits in kinds:
        if found := [one for one, text in texts if fits(text)]:
            return found
    return []


def nearest(tasks: Sequence[Task], words: str) -> list[Task]:
    """Return the tasks whose text is most like `words`, the likest first; the first ones where none is like it."""
    said = plain(words)
    own = set(_WORD.findall(said))

    def likeness(one: Task) -> float:
        text = plain(one.title)
        shared = len(own & set(_WORD.findall(text)))
        return SequenceMatcher(None, said, text).ratio() + shared

    alike = sorted(tasks, key=likeness, reverse=True)
    found = [one for one in alike if likeness(one) >= _LEAST]
    return (found or list(tasks))[:NEAREST]


def plain(text: str) -> str:
    """Return a text as it is compared: one kind of letters and spaces, no marks around it."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(_WRAPS).strip()


__all__ = ["NEAREST", "meant", "nearest", "plain"]
