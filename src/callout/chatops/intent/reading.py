"""A phrase cut into items: words in canonical form, and what they name (incidents, people, severities …), each with its place.

Pure and linear in the length of the text: one pass of one expression whose alternatives each read ahead at most once.
"""

from __future__ import annotations

from typing import Final

from callout.chatops.intent.items import Reading, Tape, Token
from callout.chatops.intent.marks import take_mark
from callout.chatops.intent.shapes import ALIKE, AT_TAG, TOKEN
from callout.chatops.intent.things import take_word
from callout.chatops.intent.values import Hearing

TEXT_LIMIT: Final = 8_000
"""Longest phrase that is read, in characters."""
HEAD_LIMIT: Final = 80
"""How many items of a phrase are looked at; what follows can only be content."""


def read(text: str, hearing: Hearing) -> Reading:
    """Return `text` in items; never raises."""
    source = AT_TAG.sub(lambda match: "@" + "_".join(match.group(1).split()).lower(), text[:TEXT_LIMIT])
    plain = source.translate(ALIKE)
    tokens: list[Token] = []
    cut = False
    for match in TOKEN.finditer(plain):
        if len(tokens) > HEAD_LIMIT:
            cut = True
            break
        tokens.append(Token(match.lastgroup or "mark", match.group().lower(), match.start(), match.end()))
    tape = Tape(source, tokens, hearing)
    while (token := tape.token) is not None:
        if token.shape == "word":
            take_word(tape, token.low.strip("_"))
        else:
            take_mark(tape, token.shape)
    return Reading(source, tuple(tape.found), cut)
