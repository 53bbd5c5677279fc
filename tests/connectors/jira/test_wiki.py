"""Text in Jira's wiki markup, and that a webhook's body equals a REST read of the same content."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callout.connectors.jira.adf import from_adf, to_adf
from callout.connectors.jira.wiki import common, from_wiki, to_wiki
from callout.kit.text import (
    Block,
    Document,
    Mention,
    Paragraph,
    Quote,
    Text,
    normalise,
    parse_markdown,
    plain_document,
    to_markdown,
    to_plain,
)
from tests.kit.documents import documents, words

SLOW_DATA = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)

# The same content as a person typed it, in the three spellings: Markdown with us, wiki markup in Jira's webhook,
# ADF in a REST read. The wiki column is what Jira's own converter writes, from memory.
SAME: list[tuple[str, str, list[dict[str, Any]]]] = [
    (
        "plain words",
        "plain words",
        [{"type": "paragraph", "content": [{"type": "text", "text": "plain words"}]}],
    ),
    (
        "**b** _e_ ~~s~~ `c`",
        "*b* _e_ -s- {{c}}",
        [
            {
                "type": "paragraph",
                "content": [
                    {"type": "text", "text": "b", "marks": [{"type": "strong"}]},
                    {"type": "text", "text": " "},
                    {"type": "text", "text": "e", "marks": [{"type": "em"}]},
                    {"type": "text", "text": " "},
                    {"type": "text", "text": "s", "marks": [{"type": "strike"}]},
                    {"type": "text", "text": " "},
                    {"type": "text", "text": "c", "marks": [{"type": "code"}]},
                ],
            }
        ],
    ),
    (
        "one\ntwo\n\nthree",
        "one\r\ntwo\r\n\r\nthree",
        [
            {
                "type": "paragraph",
                "content": [
                    {"type": "text", "text": "one"},
                    {"type": "hardBreak"},
                    {"type": "text", "text": "two"},
                ],
            },
            {"type": "paragraph", "content": [{"type": "text", "text": "three"}]},
        ],
    ),
    (
        "see http://x.example/a",
        "see [http://x.example/a|http://x.example/a|smart-link]",
        [
            {
                "type": "paragraph",
                "content": [
                    {"type": "text", "text": "see "},
                    {"type": "inlineCard", "attrs": {"url": "http://x.example/a"}},
                ],
            }
        ],
    ),
    (
        "\\[attachment: log.txt]",
        "!log.txt|width=200!",
        [
            {
                "type": "mediaSingle",
                "content": [{"type": "media", "attrs": {"id": "u", "type": "file", "alt": "log.txt"}}],
            }
        ],
    ),
    (
        "- a\n  1. b\n- c",
        "* a\n*# b\n* c",
        to_adf(parse_markdown("- a\n  1. b\n- c"))["content"],
    ),
    (
        "```python\nx = 1\n```",
        "{code:python}\nx = 1\n{code}",
        to_adf(parse_markdown("```python\nx = 1\n```"))["content"],
    ),
    ("> said", "{quote}said{quote}", to_adf(parse_markdown("> said"))["content"]),
    ("| h |\n| --- |\n| c |", "||h||\n|c|", to_adf(parse_markdown("|h|\n|-|\n|c|"))["content"]),
]


@pytest.mark.parametrize(("markdown", "wiki", "adf"), SAME, ids=[case[0][:12] for case in SAME])
def test_a_webhook_body_and_a_rest_read_give_the_same_text(
    markdown: str, wiki: str, adf: list[dict[str, Any]]
) -> None:
    assert to_markdown(from_wiki(wiki)) == markdown
    assert to_markdown(from_adf({"type": "doc", "version": 1, "content": adf})) == markdown


@pytest.mark.parametrize(
    ("wiki", "markdown"),
    [
        ("h2. Title", "## Title"),
        ("bq. said", "> said"),
        ("----", "___"),
        ("line\\\\next", "line\nnext"),
        ("+ins+ ^sup^ ~sub~ ??cite??", "ins sup sub cite"),
        ("{color:red}hot{color} text", "hot text"),
        ("in{*}tra{*}word", "in**tra**word"),
        ("[label|http://x.example]", "[label](http://x.example)"),
        ("[http://x.example]", "http://x.example"),
        ("[not a link]", "\\[not a link]"),
        ("[~accountid:5b:1] [~bob]", "[@5b:1](mention:jira:5b%3A1) [@bob](mention:jira:bob)"),
        ("[^trace.log]", "\\[attachment: trace.log]"),
        ("\\*no\\* \\{code} \\[x]", "\\*no\\* {code} \\[x]"),
        ("2 * 3 - 4 snake_case_x a-b-c", "2 \\* 3 - 4 snake_case_x a-b-c"),
        ("-struck- but -5 and - no", "~~struck~~ but -5 and - no"),
        ("* a\n** b\n*** c\n* d", "- a\n  - b\n    - c\n- d"),
        ("- a\n- b", "- a\n- b"),
        ("# a\n# b", "1. a\n2. b"),
        ("* a\ngoes on", "- a\n  goes on"),
        ("* [x] done", "- [x] done"),
        ("{panel:title=Note}text{panel}", "**Note**\n\n> text"),
        ("{noformat}\n{code} *x*\n{noformat}", "```\n{code} *x*\n```"),
        ("before {code}x{code} after", "before\n\n```\nx\n```\n\nafter"),
        ("{code}never closed", "{code}never closed"),
        ("|a|[l|http://x.example]|", "|  |  |\n| --- | --- |\n| a | [l](http://x.example) |"),
        ("{quote}\nh1. deep\n* a\n{quote}", "> # deep\n>\n> - a"),
        ("*_both_*", "**_both_**"),
        ("*bold", "\\*bold"),
    ],
)
def test_wiki_markup_is_read(wiki: str, markdown: str) -> None:
    assert to_markdown(from_wiki(wiki)) == markdown


def test_names_of_people_can_be_given() -> None:
    document = from_wiki("hi [~accountid:5b:1]", names={"5b:1": "@Ann"})
    assert document == Document((Paragraph((Text("hi "), Mention("jira", "5b:1", "@Ann"))),))


@pytest.mark.parametrize(
    "markdown",
    [
        "# Title\n\n**b** _e_ ~~s~~ `c` [l](http://x.example/a?b=c)\nnext",
        "in**tra**word **_both_**, **a**_b_~~c~~",
        "- a\n  - b\n    1. c\n- [x] d\n- [ ] e",
        "1. a\n2. b",
        "> q\n>\n> - x",
        "```sh\nls {x} | y\n```",
        "```\n{code}\n```",
        "| a | b |\n| --- | --- |\n| 1 | x\\|y |\n|  | `z` |",
        "literal \\*stars\\*, {braces}, \\[brackets], back\\\\slash, a|b, -5, h1. x, (x) :) &#42;",
        "h1. not a heading\nbq. no quote\n\\# no item\n\\- none",
        "[@Ann](mention:jira:5b%3A1)",
        "mail a@b.example",
        "___",
        "| [\\[~ann\\]](http://x.example) |\n| --- |",
    ],
)
def test_markdown_through_wiki_and_through_adf_is_the_same(markdown: str) -> None:
    document = parse_markdown(markdown)
    through_wiki = from_wiki(to_wiki(document))
    assert through_wiki == common(document)
    assert common(from_adf(to_adf(document))) == through_wiki
    assert from_wiki(to_wiki(through_wiki)) == through_wiki


@SLOW_DATA
@given(documents)
def test_any_text_through_wiki_and_through_adf_is_the_same(document: Document) -> None:
    shared = common(document)
    assert common(shared) == shared
    assert from_wiki(to_wiki(document)) == shared
    assert common(from_adf(to_adf(document))) == shared


plain_words = st.lists(
    st.sampled_from(
        [
            "alpha",
            "beta_x",
            "*b*",
            "_e_",
            "-s-",
            "{x}",
            "[y]",
            "a|b",
            "!z!",
            "h1.",
            "#",
            "c\\d",
            "??",
            "(x)",
            "+",
            "~",
            "^",
        ]
    ),
    max_size=6,
).map(" ".join)


@SLOW_DATA
@given(st.lists(plain_words, max_size=4).map("\n".join))
def test_literal_signs_survive_wiki_markup(text: str) -> None:
    document = plain_document(text)
    assert from_wiki(to_wiki(document)) == common(document)


@SLOW_DATA
@given(st.one_of(words, st.text(), st.lists(words, max_size=6).map("\n".join)))
def test_reading_never_fails_and_gives_the_normal_form(text: str) -> None:
    document = from_wiki(text)
    assert normalise(document) == document


def test_no_text_is_an_empty_document() -> None:
    assert from_wiki(None) == from_wiki("") == from_wiki({"type": "doc"}) == Document()


@pytest.mark.parametrize(
    ("markdown", "shared"),
    [
        ("3. a\n4. b", "1. a\n2. b"),
        ("- a\n\n  b", "- a\n  b"),
        ("- a\n\n  ```\n  x\n  ```", "- a\n  x"),
        ("- > q", "- q"),
    ],
)
def test_where_the_two_formats_differ_the_common_form_is_what_both_say(markdown: str, shared: str) -> None:
    assert to_markdown(common(parse_markdown(markdown))) == shared


@pytest.mark.parametrize(
    "monster",
    ["*a " * 30_000, "[" * 90_000, "{{" * 45_000, "{quote}" * 14_000, "{code}" * 15_000, "_" * 90_000, "|" * 90_000,
     "*" * 90_000 + " x", "!a" * 45_000, "\\" * 90_000, "?" * 90_000, "[a|" * 30_000, "x" * 5_000_000],
    ids=lambda text: f"{text[:7]!r}",
)  # fmt: skip
def test_hostile_markup_costs_little(monster: str) -> None:
    started = time.process_time()
    document = from_wiki(monster)
    assert time.process_time() - started < 8
    assert isinstance(document, Document)


def test_deep_quotes_keep_the_words() -> None:
    block: Block = Paragraph((Text("core"),))
    for _ in range(20):
        block = Quote((block,))
    assert to_plain(from_wiki(to_wiki(Document((block,))))) == "> core"
    assert "core" in to_plain(from_wiki("{panel}" * 20 + "core" + "{panel}" * 20))
