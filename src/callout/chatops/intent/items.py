"""What a phrase is made of: its tokens as typed, and its items, in which words are canonical and what they name is in normal form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from callout.chatops.intent.values import Hearing


@dataclass(frozen=True, slots=True)
class Item:
    """A word, or what several words name. `kind` is the canonical word or a class in capitals; `value` is its normal form."""

    kind: str
    start: int
    end: int
    value: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of the text, `low` in small letters."""

    shape: str
    low: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Reading:
    """A phrase as it was read: the text without what only calls us, and its items."""

    source: str
    items: tuple[Item, ...]
    cut: bool = False
    """Whether there are more words than are looked at."""

    def text(self, start: int, end: int | None = None) -> str:
        """Return the words between two places as they were written."""
        return self.source[start:end].strip()


class Tape:
    """The tokens of a phrase, from left to right, with the items that were found in them so far."""

    def __init__(self, source: str, tokens: Sequence[Token], hearing: Hearing) -> None:
        self.source = source
        self.hearing = hearing
        self.found: list[Item] = []
        self._tokens = tokens
        self._at = 0

    @property
    def token(self) -> Token | None:
        """The token that is read next, None at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def low(self, ahead: int = 0) -> str:
        """Return the token so many places on in small letters, empty past the end."""
        at = self._at + ahead
        return self._tokens[at].low if 0 <= at < len(self._tokens) else ""

    def raw(self) -> str:
        """Return the next token as it was typed."""
        token = self._tokens[self._at]
        return self.source[token.start : token.end]

    def before(self, back: int = 1) -> str:
        """Return the kind of an item that was found so many places back, empty before the start."""
        return self.found[-back].kind if len(self.found) >= back else ""

    def take(self, kind: str, count: int = 1, value: str = "", *, values: tuple[str, ...] = ()) -> None:
        """Make one item of the next `count` tokens."""
        first, last = self._tokens[self._at], self._tokens[self._at + count - 1]
        self.found.append(Item(kind, first.start, last.end, value, values))
        self._at += count

    def spread(self, words: Sequence[str]) -> None:
        """Make several items of the next token: `don't` is two words."""
        token = self._tokens[self._at]
        self.found += [Item(word, token.start, token.end) for word in words]
        self._at += 1
