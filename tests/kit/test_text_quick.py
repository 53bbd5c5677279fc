"""Markdown that is read without the parser is read as the parser reads it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callout.chatops.words import literal
from callout.kit.text import Document, markdown_reader, normalise, parse_markdown
from callout.kit.text.markdown_quick import quick_blocks

PIECES = (
    *(
        "a",
        "B1",
        " ",
        "  ",
        " b",
        "é",
        "🎉",
        "INC-12",
        "x: ",
        "$",
        "(",
        ")",
        "]",
        "!",
        ">",
        ".",
        "1.",
        "2)",
        "=",
        "-",
        "#",
    ),
    *("\n", "\n\n", "- ", "\n- ", "+ ", "* ", ":", "|", "---", "===", "\t", "\u00a0", "\u2028"),
    *(
        "**",
        "*",
        "_",
        "~~",
        "`",
        "[",
        "<",
        "&",
        "&amp;",
        "\\",
        "\\\\",
        "\\*",
        "\\-",
        "\\_",
        "\\[ ] ",
        "**B1**",
        "**a b**",
    ),
)


def by_the_parser(text: str) -> Document:
    tokens = markdown_reader._parser().parse(text)
    return normalise(Document(tuple(markdown_reader._Reader(tokens).blocks())))


@settings(deadline=None, max_examples=400)
@given(st.lists(st.sampled_from(PIECES), max_size=9).map("".join))
def test_what_is_read_quickly_is_read_as_ever(text: str) -> None:
    assert parse_markdown(text) == by_the_parser(text)


@pytest.mark.parametrize(
    "text",
    [
        f"Declared **SEV-3 INC-12** {literal('[db] *down* since 10:00 & <slow>')}",
        f"**INC-1** is acknowledged.\nby {literal('Ann_O. (on-call)')}",
        f"- 🔴 {literal('SEV-1 INC-7 1. checkout')} (open)\n- {literal('SEV-2 INC-8 - x')} (resolved)\n\nThere are more.",
    ],
)
def test_what_we_say_ourselves_takes_no_parser(text: str) -> None:
    blocks = quick_blocks(text)
    assert blocks is not None
    assert normalise(Document(tuple(blocks))) == by_the_parser(text)


@pytest.mark.parametrize(
    "text",
    [
        "a\n- b\nc",
        "- a\n\n- b",
        "- - a",
        "a\n===",
        "a\n---",
        "a  \nb",
        "1. a",
        "***",
        "**a**b",
        "a**b**",
        "a `b`",
        "\\a",
    ],
)
def test_what_could_be_something_else_is_left_to_the_parser(text: str) -> None:
    assert quick_blocks(text) is None
