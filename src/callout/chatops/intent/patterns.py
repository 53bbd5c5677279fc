"""Phrases as data: `(set|change) [status] to closed` is a pattern over canonical words.

`(a|b)` is one of several, `[a|b]` may be absent, `{name}` is a pattern defined before, `*` is any one word. There is no
repetition, so a pattern is as long as it looks, and matching cannot blow up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from callout.chatops.intent.items import Item

_PIECE = re.compile(r"[()\[\]|*]|\{\w+\}|[^\s()\[\]|*{}]+")

_WORD = re.compile(r"[a-z]+")
PARTS: Final[Mapping[str, str]] = {
    "who": "(PERSON|me)",
    "whom": "(PERSON|PEOPLE|me)",
    "sev": "(SEV|LEVEL|NUM)",
    "into": "(to|as|into|in|at|:)",
}


def expression(pattern: str) -> str:
    """Return a pattern as a regular expression over words that each end in a space."""
    found: list[str] = []
    for piece in _PIECE.findall(pattern):
        match piece:
            case "(" | "[":
                found.append("(?:")
            case ")" | "|":
                found.append(piece)
            case "]":
                found.append(")?")
            case "*":
                found.append(r"(?:[^ ]+ )")
            case _ if piece.startswith("{"):
                found.append(expression(PARTS[piece[1:-1]]))
            case _:
                found.append(re.escape(piece) + " ")
    return "".join(found)


SEEN: Final[set[str]] = set()
"""Every word of every pattern that was compiled."""


def lines(text: str) -> list[str]:
    """Return the patterns of a table, one a line; `#` starts a remark."""
    return [line for raw in text.splitlines() if (line := raw.partition(" # ")[0].strip())]


def any_of(text: str) -> re.Pattern[str]:
    """Return one expression for the patterns of a table."""
    SEEN.update(_WORD.findall(text))
    return re.compile("|".join(f"(?:{expression(line)})" for line in lines(text)))


def found_in(text: str) -> re.Pattern[str]:
    """Return one expression that finds any of the patterns at the start of a word."""
    SEEN.update(_WORD.findall(text))
    return re.compile("(?<![^ ])(?:" + "|".join(f"(?:{expression(line)})" for line in lines(text)) + ")")


def spell(items: Sequence[Item]) -> str:
    """Return items as the text that patterns are matched with."""
    return "".join(f"{item.kind} " for item in items)
