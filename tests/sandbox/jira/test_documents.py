"""ADF and wiki markup: what is a document, and that no words are lost between the two."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.sandbox.jira.adf import is_document, plain_text
from callout.sandbox.jira.wiki import from_wiki, to_wiki
from tests.sandbox.jira.conftest import doc

# The vendor's schema, compared with our rules where a copy lies beside the project.
SCHEMA = Path(__file__).resolve().parents[4] / "shared" / "specs" / "jira" / "adf-v1.schema.json"


def text(words: str, *marks: str) -> dict[str, Any]:
    node: dict[str, Any] = {"type": "text", "text": words}
    return {**node, "marks": [{"type": mark} for mark in marks]} if marks else node


def paragraph(*inline: dict[str, Any]) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(inline)}


def root(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": list(blocks)}


def items(kind: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "content": [{"type": "listItem", "content": [block]} for block in blocks]}


GOOD = {
    "empty": root(),
    "empty paragraph": root({"type": "paragraph"}),
    "heading": root({"type": "heading", "attrs": {"level": 3}, "content": [text("x")]}),
    "lists": root(items("bulletList", paragraph(text("a"))), items("orderedList", paragraph(text("b")))),
    "code": root({"type": "codeBlock", "attrs": {"language": "python"}, "content": [text("a\nb")]}),
    "code mark and link": root(
        paragraph(
            {
                "type": "text",
                "text": "x",
                "marks": [{"type": "code"}, {"type": "link", "attrs": {"href": "https://a.b"}}],
            }
        )
    ),
    "quote": root({"type": "blockquote", "content": [paragraph(text("x"))]}),
    "panel": root({"type": "panel", "attrs": {"panelType": "info"}, "content": [paragraph(text("x"))]}),
    "rule": root({"type": "rule"}),
    "mention": root(
        paragraph({"type": "mention", "attrs": {"id": "1", "text": "@a"}}, {"type": "hardBreak"})
    ),
    "status": root(paragraph({"type": "status", "attrs": {"text": "OK", "color": "green"}})),
    "date": root(paragraph({"type": "date", "attrs": {"timestamp": "1767225600000"}})),
    "card": root(paragraph({"type": "inlineCard", "attrs": {"url": "https://a.b"}})),
    "expand": root({"type": "expand", "attrs": {"title": "t"}, "content": [paragraph(text("x"))]}),
    "table": root(
        {
            "type": "table",
            "content": [
                {"type": "tableRow", "content": [{"type": "tableHeader", "content": [paragraph(text("h"))]}]},
                {"type": "tableRow", "content": [{"type": "tableCell", "content": [paragraph(text("c"))]}]},
            ],
        }
    ),
    "tasks": root(
        {
            "type": "taskList",
            "attrs": {"localId": "a"},
            "content": [
                {"type": "taskItem", "attrs": {"localId": "b", "state": "TODO"}, "content": [text("x")]}
            ],
        }
    ),
}
BAD: dict[str, Any] = {
    "not an object": "text",
    "wrong version": {**root(), "version": 2},
    "no version": {"type": "doc", "content": []},
    "extra key": {**root(), "x": 1},
    "no content": {"type": "doc", "version": 1},
    "inline at the root": root(text("x")),
    "unknown block": root({"type": "box", "content": []}),
    "empty text": root(paragraph(text(""))),
    "unknown mark": root(paragraph(text("x", "bold"))),
    "code with strong": root(paragraph(text("x", "code", "strong"))),
    "heading level": root({"type": "heading", "attrs": {"level": 7}, "content": []}),
    "heading without level": root({"type": "heading", "content": []}),
    "heading in a list": root(items("bulletList", {"type": "heading", "attrs": {"level": 1}, "content": []})),
    "table in a quote": root({"type": "blockquote", "content": [{"type": "table", "content": []}]}),
    "empty list": root({"type": "bulletList", "content": []}),
    "marked code block": root({"type": "codeBlock", "content": [text("x", "strong")]}),
    "panel type": root({"type": "panel", "attrs": {"panelType": "loud"}, "content": [paragraph()]}),
    "status without text": root(paragraph({"type": "status", "attrs": {"text": "", "color": "green"}})),
    "link without target": root(
        paragraph({"type": "text", "text": "x", "marks": [{"type": "link", "attrs": {}}]})
    ),
    "unknown attribute key": root({"type": "paragraph", "content": [], "style": "x"}),
}


@pytest.mark.parametrize("name", GOOD)
def test_a_document_is_taken(name: str) -> None:
    assert is_document(GOOD[name])


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_document_is_refused(name: str) -> None:
    assert not is_document(BAD[name])


if SCHEMA.is_file():
    VENDOR = jsonschema.Draft4Validator(json.loads(SCHEMA.read_text()))

    @pytest.mark.parametrize("name", [*GOOD, *BAD])
    def test_the_vendors_schema_agrees(name: str) -> None:
        assert VENDOR.is_valid(GOOD.get(name, BAD.get(name))) is (name in GOOD)

    @given(st.text(alphabet="ab *_-+{}[]|#h1.\\\n~", max_size=60))
    def test_whatever_wiki_text_becomes_is_valid_for_the_vendor(source: str) -> None:
        document = from_wiki(source)
        if document is not None:
            VENDOR.validate(document)


@pytest.mark.parametrize(
    "source",
    [
        "plain",
        "two\nlines",
        "two\n\nparagraphs",
        "h1. Title\n\ntext",
        "*strong* and _em_ and {{code}}",
        "* a\n* b\n** c\n* d",
        "# a\n# b",
        "{code:python}\nprint(1)\n{code}",
        "{quote}\nwords\n{quote}",
        "----",
        "||a||b||\n|1|2|",
        "[Callout|https://example.com] and [https://example.com]",
        "[~accountid:5b10a2844c20165700ede21g] look",
        "{info}\nread me\n{info}",
        "snake_case_name and 2*3*4 and a-b-c stay plain",
    ],
)
def test_wiki_markup_comes_back_as_it_was(source: str) -> None:
    document = from_wiki(source)
    assert is_document(document)
    assert to_wiki(document) == source


def test_markup_becomes_structure() -> None:
    document = from_wiki("* one\n** two")
    assert document == root(
        {
            "type": "bulletList",
            "content": [
                {
                    "type": "listItem",
                    "content": [paragraph(text("one")), items("bulletList", paragraph(text("two")))],
                }
            ],
        }
    )


@given(st.text(alphabet="ab *_-+{}[]|#h1.\\~", min_size=1, max_size=30))
def test_a_plain_text_that_looks_like_markup_keeps_its_words(words: str) -> None:
    again = from_wiki(to_wiki(doc(words)))
    assert plain_text(again).split() == words.split()


@given(st.text(alphabet="ab *_-+{}[]|#h1.\\\n~!", max_size=80))
def test_any_wiki_text_becomes_a_document(source: str) -> None:
    document = from_wiki(source)
    assert document is None or is_document(document)
