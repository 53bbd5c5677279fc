"""Markdown of the simplest kind, read without the parser: what a program says by the thousand, such as the answers in chat.

Lines, paragraphs, flat lists with `-`, bold words and escaped characters. Whatever could be anything else is left to the parser, so
that both always agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from itertools import groupby
from typing import Final

from callout.kit.text.model import Block, BulletList, Inline, LineBreak, ListItem, Paragraph, Text


class _Kind(Enum):
    """What a line is."""

    EMPTY = auto()
    BULLET = auto()
    WORDS = auto()


_BULLET: Final = "- "
_PUNCTUATION: Final = r"!-/:-@\[-`{-~"
# What begins a block, or underlines one, where a line begins with it. Bold words are no list: no space is behind the star.
_BEGINS_BLOCK = re.compile(r"[ #>+=:|\-]|\d+[.)]|\*(?!\*[A-Za-z0-9])")
_PIECE = re.compile(
    r"(?P<plain>[^\\`*_~\[<&]+)"
    rf"|\\(?P<escaped>[{_PUNCTUATION}])"
    # Between letters or digits inside, and spaces or punctuation outside, two stars can only open or close.
    r"|(?<![^ ])\*\*(?P<strong>[A-Za-z0-9](?:[^\\`*_~\[<&]*[A-Za-z0-9])?)\*\*"
    rf"(?=[ {_PUNCTUATION}]|\Z)"
)


def quick_blocks(text: str) -> list[Block] | None:
    """Return the blocks of a Markdown text, not normalised; None when it takes the parser to say what they are."""
    blocks: list[Block] = []
    before = _Kind.EMPTY
    for kind, group in groupby(text.split("\n"), key=_kind):
        behind, before = before, kind
        if kind is _Kind.EMPTY:
            continue
        lines: list[list[Inline]] = []
        for text_line in group:
            line = _line(text_line.removeprefix(_BULLET) if kind is _Kind.BULLET else text_line)
            if line is None:
                return None
            lines.append(line)
        if kind is _Kind.BULLET:
            if blocks and isinstance(blocks[-1], BulletList):
                return None  # an empty line between bullets divides no list
            blocks.append(BulletList(tuple(ListItem((Paragraph(tuple(line)),)) for line in lines)))
        elif behind is _Kind.BULLET:
            return None  # the bullet goes on
        else:
            blocks.append(Paragraph(tuple(_joined(lines))))
    return blocks


def _kind(line: str) -> _Kind:
    if not line:
        return _Kind.EMPTY
    return _Kind.BULLET if line.startswith(_BULLET) else _Kind.WORDS


def _joined(lines: list[list[Inline]]) -> Iterator[Inline]:
    for number, line in enumerate(lines):
        if number:
            yield LineBreak()
        yield from line


def _line(line: str) -> list[Inline] | None:
    """Return a line's words and marks, None when they take the parser."""
    if not line or line[-1] == " " or not line.isprintable() or _BEGINS_BLOCK.match(line):
        return None
    found: list[Inline] = []
    words = ""
    at = 0
    while at < len(line):
        piece = _PIECE.match(line, at)
        if piece is None:
            return None
        at = piece.end()
        strong = piece["strong"]
        if strong is None:
            words += piece["plain"] or piece["escaped"]
            continue
        if words:
            found.append(Text(words))
            words = ""
        found.append(Text(strong, strong=True))
    if words:
        found.append(Text(words))
    return found
