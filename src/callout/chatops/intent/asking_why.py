"""`why`: of which field. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from typing import Any, Final

from callout.chatops.intent import lexicon
from callout.chatops.intent import questions as q
from callout.chatops.intent.parts import Part
from callout.chatops.intent.values import Ask, Intent

_SETTING: Final = lexicon.words_of("set made put raised lowered changed decided gave renamed assigned")
_COMING: Final = lexicon.words_of("from come comes")
_BECOMING: Final = _COMING | lexicon.words_of(
    "set changed caused made become became get got origin source decided where"
)
_MADE: Final = frozenset({"made", "set", "caused"})
_SUPPOSING: Final = lexicon.words_of("not should would can could")
_OURSELVES: Final = frozenset({"we", "i", "you"})


def why_asked(part: Part, text: str, where: dict[str, Any]) -> Intent | Ask | None:
    """Return the `why` that is asked, a question where no field is named, or None."""
    match = q.WHY.match(text) or q.WHO_SET.search(text)
    if match is None and "why " not in text:
        return None
    words = text.split()
    lead = match.group().split() if match else []
    real = "why" in words[:4] or lead[:2] == ["how", "come"] or "reason" in words or "explain" in words
    fields = list(
        dict.fromkeys(q.FIELD_WORDS[item.kind] for item in part.items if item.kind in q.FIELD_WORDS)
    )
    direct = [q.FIELD_WORDS[item.kind] for item in part.items if item.kind in q.DIRECT]
    if _asks_something_else(words, real=real, direct=direct) or _of_a_service(part):
        return None
    if not fields:
        return Ask("Why what? Say which field.", ()) if real and part.pointed else None
    # a field that is named goes before a value: `why is the status resolved` asks for the status
    return Intent("why", {**where, "field": (direct or fields)[0]})


def _asks_something_else(words: Sequence[str], *, real: bool, direct: Collection[str]) -> bool:
    """Whether the first word promises a reason, and the others do not: `who is on it`, `where are we`, `why not close it`."""
    first, said = words[:1], set(words)
    return (
        (first == ["who"] and not said & _SETTING and not direct)
        or (first == ["where"] and not said & _COMING)
        or (first in (["what"], ["how"], ["show"], ["tell"]) and not real and not said & _BECOMING)
        or (first == ["what"] and not direct and not real and not said & _MADE)
        or bool("why" in said and said & _SUPPOSING and said & _OURSELVES and not direct)
        or bool(said & q.ORDERS)
    )


def _of_a_service(part: Part) -> bool:
    """Whether the service is no field here: `what changed on service ledger`."""
    kinds = [item.kind for item in part.items[:-1]]
    return any(first in {"on", "for"} and second == "service" for first, second in itertools.pairwise(kinds))
