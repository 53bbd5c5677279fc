"""What a person typed, cut into words. Pure, and kind to what phones and word processors make of quotes and dashes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_QUOTES: Final = str.maketrans(
    {"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u00ab": '"', "\u00bb": '"', "\u2018": "'", "\u2019": "'"}
)
_SPACES = re.compile(r"[\s\u00a0\u200b\u2060\ufeff]+")
_DASHED_FLAG = re.compile(r"[\u2013\u2014](?=[A-Za-z])")
"""`--service` typed on a phone arrives as one long dash."""
_MARKED = re.compile(r"<(?:[@#]|https?:|mailto:)[^<>]*>")
"""A mention or an address as chat platforms write it: one word, whatever the name in it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A word, or several in quotes: quoted words are never taken for a flag or a severity."""

    text: str
    quoted: bool = False


def tokens_of(text: str) -> list[Token]:
    """Return the words of `text`.

    A double quote opens only at the start of a word or of a flag's value; an apostrophe inside a word is a letter (`can't`), and a
    quote that is never closed is one too: whatever people type can be read.
    """
    source = _SPACES.sub(" ", text.translate(_QUOTES)).strip()
    found: list[Token] = []
    at = 0
    while at < len(source):
        if source[at] == " ":
            at += 1
            continue
        end = source.find('"', at + 1) if source[at] == '"' else -1
        if end > 0 and (end + 1 == len(source) or source[end + 1] == " "):
            found.append(Token(source[at + 1 : end].strip(), quoted=True))
            at = end + 1
            continue
        marked = _MARKED.match(source, at)
        end = source.find(" ", at if marked is None else marked.end())
        end = len(source) if end < 0 else end
        word = source[at:end]
        if word.startswith("--") and '="' in word:
            name, _, _rest = word.partition('="')
            close = source.find('"', at + len(name) + 2)
            if close > 0:
                found += [Token(name), Token(source[at + len(name) + 2 : close].strip(), quoted=True)]
                at = close + 1
                continue
        found.append(Token(_DASHED_FLAG.sub("--", word, count=1) if _DASHED_FLAG.match(word) else word))
        at = end
    return found
