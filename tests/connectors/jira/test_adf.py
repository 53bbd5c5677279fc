"""Text in the Atlassian Document Format: what we write fits the vendor's schema, what we read loses no word."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callout.connectors.jira.adf import fitting, from_adf, to_adf
from callout.kit.text import (
    Document,
    Heading,
    Mention,
    Paragraph,
    Quote,
    Text,
    normalise,
    parse_markdown,
    to_markdown,
    to_plain,
)
from tests.kit.documents import documents

SLOW_DATA = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
# The vendor's own schema is not part of this project; where a copy lies beside it, it is the judge.
SHARED = Path(os.environ.get("CALLOUT_SPECS", Path(__file__).parents[4] / "shared" / "specs"))
SCHEMA = SHARED / "jira" / "adf-v1.schema.json"


def adf(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "doc", "version": 1, "content": list(content)}


def p(*content: dict[str, Any]) -> dict[str, Any]:
    return {"type": "paragraph", "content": list(content)}


def t(text: str, *marks: str) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"marks": [{"type": mark} for mark in marks]} if marks else {})}


if SCHEMA.is_file():

    def test_everything_we_write_fits_the_vendors_schema() -> None:
        validator = jsonschema.Draft4Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))

        @SLOW_DATA
        @given(documents)
        def check(document: Document) -> None:
            errors = list(validator.iter_errors(to_adf(document)))
            assert not errors, errors[0]

        check()
        with pytest.raises(jsonschema.ValidationError):
            validator.validate(adf({"type": "listItem", "content": [{"type": "heading"}]}))


@SLOW_DATA
@given(documents)
def test_what_we_write_reads_back_as_what_fits(document: Document) -> None:
    assert from_adf(to_adf(document)) == fitting(document)


@SLOW_DATA
@given(documents)
def test_markdown_through_adf_settles_after_one_pass(document: Document) -> None:
    once = to_markdown(from_adf(to_adf(parse_markdown(to_markdown(document)))))
    again = to_markdown(from_adf(to_adf(parse_markdown(once))))
    assert again == once
    assert parse_markdown(once) == fitting(document)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(
                    ["doc", "paragraph", "table", "tableRow", "taskList", "text", "heading", "nova", "media"]
                )
            },
            optional={
                "content": st.lists(inner, max_size=3),
                "attrs": inner,
                "marks": inner,
                "text": st.text(max_size=5),
            },
        ),
    ),
    max_leaves=12,
)


@SLOW_DATA
@given(json_values)
def test_reading_never_fails(value: object) -> None:
    document = from_adf(value)
    assert normalise(document) == document


def test_the_common_forms_are_written() -> None:
    text = "# T\n\n**b** _e_ ~~s~~ `c` [l](http://x.example)\nnext\n\n- a\n  1. b\n\n- [x] done\n\n```py\nx\n```\n\n___"
    task_list = to_adf(parse_markdown(text))["content"]
    assert [node["type"] for node in task_list] == ["heading", "paragraph", "bulletList", "codeBlock", "rule"]
    assert task_list[0] == {"type": "heading", "attrs": {"level": 1}, "content": [t("T")]}
    assert task_list[1]["content"] == [
        t("b", "strong"), t(" "), t("e", "em"), t(" "), t("s", "strike"), t(" "), t("c", "code"), t(" "),
        {"type": "text", "text": "l", "marks": [{"type": "link", "attrs": {"href": "http://x.example"}}]},
        {"type": "hardBreak"}, t("next"),
    ]  # fmt: skip
    assert task_list[3] == {"type": "codeBlock", "attrs": {"language": "py"}, "content": [t("x")]}


def test_tasks_are_tasks_also_when_nested() -> None:
    node = to_adf(parse_markdown("- [x] a\n  - [ ] b"))["content"][0]
    assert node["type"] == "taskList"
    assert [child["type"] for child in node["content"]] == ["taskItem", "taskList"]
    assert node["content"][0]["attrs"]["state"] == "DONE"
    assert to_markdown(from_adf(adf(node))) == "- [x] a\n  - [ ] b"


def test_a_bare_address_is_a_link_in_jira_and_text_with_us() -> None:
    node = to_adf(parse_markdown("see http://x.example/a_b."))["content"][0]
    assert node["content"][1]["marks"] == [{"type": "link", "attrs": {"href": "http://x.example/a_b"}}]
    assert to_markdown(from_adf(adf(node))) == "see http://x.example/a_b."


def test_what_a_list_cannot_hold_is_said_in_words() -> None:
    document = parse_markdown("- # Head\n  > quoted\n\n  ---\n\n  | a | b |\n  | - | - |\n  | 1 | 2 |")
    assert (
        to_markdown(from_adf(to_adf(document))) == "- **Head**\n\n  quoted\n\n  \\---\n\n  a | b\n\n  1 | 2"
    )
    assert fitting(Document((Quote((Heading(1, (Text("h"),)),)),))) == Document(
        (Quote((Paragraph((Text("h", strong=True),)),)),)
    )


def test_only_jiras_own_mentions_are_mentions() -> None:
    document = Document(
        (Paragraph((Mention("jira", "5b:1", "@Ann"), Text(" "), Mention("slack", "U1", "@Bo"))),)
    )
    nodes = to_adf(document)["content"][0]["content"]
    assert nodes[0] == {"type": "mention", "attrs": {"id": "5b:1", "text": "@Ann"}}
    assert nodes[1] == t(" @Bo")


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (p(t("a", "underline"), t("b", "strong", "em")), "&#97;**_b_**"),
        (p({"type": "emoji", "attrs": {"shortName": ":smile:", "text": "😄"}}), "😄"),
        (p({"type": "emoji", "attrs": {"shortName": ":own:"}}), ":own:"),
        (p({"type": "date", "attrs": {"timestamp": "1767312000000"}}), "2026-01-02"),
        (p({"type": "status", "attrs": {"text": "DONE", "color": "green"}}), "DONE"),
        (p({"type": "inlineCard", "attrs": {"url": "http://x.example"}}), "http://x.example"),
        (p({"type": "mention", "attrs": {"id": "1:2", "text": "@Ann"}}), "[@Ann](mention:jira:1%3A2)"),
        (p(t("a"), {"type": "hardBreak"}, {"type": "hardBreak"}, t("b")), "a\n\nb"),
        ({"type": "panel", "attrs": {"panelType": "info"}, "content": [p(t("note"))]}, "> note"),
        ({"type": "expand", "attrs": {"title": "More"}, "content": [p(t("in"))]}, "**More**\n\nin"),
        (
            {"type": "mediaSingle", "content": [{"type": "media", "attrs": {"id": "1", "alt": "a.png"}}]},
            "\\[attachment: a.png]",
        ),
        ({"type": "bulletList", "content": [{"type": "listItem", "content": [p(t("[x] a"))]}]}, "- [x] a"),
        ({"type": "decisionList", "content": [{"type": "decisionItem", "content": [t("go")]}]}, "- go"),
        ({"type": "nova", "content": [{"type": "stella", "text": "lost?"}, p(t("no"))]}, "lost?\n\nno"),
        (
            {
                "type": "table",
                "content": [
                    {"type": "tableRow", "content": [{"type": "tableHeader", "content": [p(t("h"))]}]},
                    {
                        "type": "tableRow",
                        "content": [{"type": "tableCell", "content": [p(t("1")), p(t("2"))]}],
                    },
                ],
            },
            "| h |\n| --- |\n| 1 2 |",
        ),
    ],
)
def test_what_jira_writes_is_read(node: dict[str, Any], expected: str) -> None:
    assert to_markdown(from_adf(adf(node))) == expected


def test_absurd_depth_keeps_the_words() -> None:
    node: dict[str, Any] = p(t("core"))
    for _ in range(900):
        node = {"type": "panel", "content": [node]}
    assert "core" in to_plain(from_adf(adf(node)))


@pytest.mark.parametrize("value", [None, "text", [], {}, {"type": "doc"}, {"type": "doc", "content": "x"}])
def test_no_document_is_an_empty_one(value: object) -> None:
    assert from_adf(value) == Document()
