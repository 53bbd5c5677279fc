"""The text model: one normal form, Markdown that reads back the same, and no word lost."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callout.kit.text import (
    Block,
    BulletList,
    CodeBlock,
    Date,
    Document,
    Emoji,
    Heading,
    LineBreak,
    ListItem,
    Mention,
    OrderedList,
    Paragraph,
    Quote,
    Rule,
    Table,
    Text,
    normalise,
    parse_markdown,
    plain_document,
    to_markdown,
    to_plain,
)
from tests.kit.documents import documents, words

SLOW_DATA = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)


def doc(*blocks: Block) -> Document:
    return Document(blocks)


def para(*inlines: Text | LineBreak | Mention) -> Paragraph:
    return Paragraph(inlines)


def letters(text: str) -> str:
    """The words of a text, without anything that a dialect may spell differently."""
    return "".join(re.findall(r"[a-z0-9é火🎉]", text))


@SLOW_DATA
@given(documents)
def test_normalising_twice_is_normalising_once(document: Document) -> None:
    once = normalise(document)
    assert normalise(Document(once.blocks)) == once


@SLOW_DATA
@given(documents)
def test_markdown_reads_back_as_the_same_document(document: Document) -> None:
    written = to_markdown(document)
    assert parse_markdown(written) == normalise(document)
    assert to_markdown(parse_markdown(written)) == written


@SLOW_DATA
@given(st.one_of(words, st.lists(words, max_size=6).map("\n".join), st.text()))
def test_any_text_is_readable_and_settles(text: str) -> None:
    document = parse_markdown(text)
    assert normalise(document) == document
    assert parse_markdown(to_markdown(document)) == document


def test_a_link_without_words_says_its_address() -> None:
    alone = Document((Paragraph((Text("see "), Text("", link="https://a.example/b"))),))
    assert normalise(alone).blocks == (Paragraph((Text("see https://a.example/b"),)),)
    beside = Document(
        (Paragraph((Text("", link="https://a.example"), Text("there", link="https://a.example"))),)
    )
    assert normalise(beside).blocks == (Paragraph((Text("there", link="https://a.example"),)),)


@SLOW_DATA
@given(documents)
def test_no_word_is_lost_by_normalising(document: Document) -> None:
    before, after = (to_plain(each).lower() for each in (document, normalise(document)))
    # Written-out addresses and lifted numbering may add characters, also between two runs; no letter of the words themselves may go.
    assert letters_in_order(re.findall(r"[a-z]", re.sub(r"\S+[:/]\S*", "", before)), after)


def letters_in_order(wanted: list[str], text: str) -> bool:
    at = 0
    for word in wanted:
        at = text.find(word, at)
        if at < 0:
            return False
        at += len(word)
    return True


@pytest.mark.parametrize(
    "text",
    [
        "a [ref]: http://x.example\n\n[unused]: http://y.example 'title'",
        "<div onclick=x>html & <b>tags</b></div>",
        "|a|\n|-|\n|x|surplus|",
        "[](http://empty.example)",
        "![](http://image.example)",
        '![alt text](http://image.example "image title")',
        '[label](http://x.example "the title")',
        "[run](javascript:alert)",
        "> " * 200 + "deep",
        "- " * 200 + "deep",
        "1. " * 60 + "deep",
        "    indented code",
        "Setext\n===\ntext\n---\n",
        "~~~ lang extra\ncode",
    ],
)
def test_odd_markdown_keeps_its_words(text: str) -> None:
    shown = to_plain(parse_markdown(text)) + to_markdown(parse_markdown(text))
    for word in re.findall(r"[a-z]{3,}", text.replace("extra", "").replace("image.example", "")):
        assert word in shown


def test_the_common_forms_are_read() -> None:
    text = (
        "# Title *now*\n\nfirst\nsecond **bold** ~~gone~~ `x*y` [site](https://x.example)\n\n"
        "- [ ] todo\n- [x] done\n- plain\n  1. one\n  2. two\n\n> said\n\n```python\nx = 1\n```\n\n---\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n"
    )
    assert parse_markdown(text) == doc(
        Heading(1, (Text("Title "), Text("now", em=True))),
        para(
            Text("first"),
            LineBreak(),
            Text("second "),
            Text("bold", strong=True),
            Text(" "),
            Text("gone", strike=True),
            Text(" "),
            Text("x*y", code=True),
            Text(" "),
            Text("site", link="https://x.example"),
        ),
        BulletList(
            (
                ListItem((para(Text("todo")),), checked=False),
                ListItem((para(Text("done")),), checked=True),
                ListItem(
                    (
                        para(Text("plain")),
                        OrderedList((ListItem((para(Text("one")),)), ListItem((para(Text("two")),)))),
                    )
                ),
            )
        ),
        Quote((para(Text("said")),)),
        CodeBlock("x = 1", "python"),
        Rule(),
        Table(((Text("a"),), (Text("b"),)), (((Text("1"),), (Text("2"),)),)),
    )


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (doc(para(Text("snake_case and 2 * 3"))), "snake_case and 2 \\* 3"),
        (doc(para(Text("- not a list"))), "\\- not a list"),
        (doc(para(Text("1. not a list"))), "1\\. not a list"),
        (doc(para(Text("[P1] db-7 is down! (50%)"))), "\\[P1] db-7 is down! (50%)"),
        (
            doc(para(Text("mail a@b.example, see http://x.example/a_b"))),
            "mail a@b.example, see http://x.example/a_b",
        ),
        (doc(para(Text("bold", strong=True), Text("face"))), "**bold**face"),
        (doc(para(Text("a.", strong=True), Text("b"))), "**a.**&#98;"),
        (doc(para(Text(" bold ", strong=True), Text("x"))), "**bold** x"),
        (doc(para(Mention("jira", "557058:ab", "@Ann"))), "[@Ann](mention:jira:557058%3Aab)"),
        (
            doc(para(Text("1", strong=True, strike=True), Text(" 2", strong=True))),
            "~~**1**~~ **2**",
        ),
        (doc(Heading(2, (Text("C#"),))), "## C\\#"),
        (doc(CodeBlock("```\nx", "sh")), "````sh\n```\nx\n````"),
    ],
)
def test_markdown_is_written_as_a_person_would(document: Document, expected: str) -> None:
    assert to_markdown(document) == expected
    assert parse_markdown(expected) == normalise(document)


@pytest.mark.parametrize(
    ("given_document", "normal"),
    [
        (doc(para(Text("a\r\nb"))), doc(para(Text("a"), LineBreak(), Text("b")))),
        (doc(para(Text("a\n\n\nb"))), doc(para(Text("a")), para(Text("b")))),
        (doc(para(Text("a\x00\ud800"))), doc(para(Text("a\ufffd\ufffd")))),
        (doc(para(), Heading(1), Quote(()), BulletList(())), doc()),
        (doc(para(Text("x", strong=True, code=True))), doc(para(Text("x", code=True)))),
        (doc(para(Text("http://x.example", link="http://x.example"))), doc(para(Text("http://x.example")))),
        (doc(para(Text("go", link="javascript:x()"))), doc(para(Text("go (javascript:x())")))),
        (
            doc(Paragraph((Emoji(":tada:", "🎉"), Emoji(":own:"), Date("2026-01-02")))),
            doc(para(Text("🎉:own:2026-01-02"))),
        ),
        (doc(Heading(9, (Text("a"), LineBreak(), Text("b")))), doc(Heading(6, (Text("a b"),)))),
    ],
)
def test_there_is_one_spelling(given_document: Document, normal: Document) -> None:
    assert normalise(given_document) == normal


def test_depth_is_bounded_and_the_text_kept() -> None:
    block: Block = para(Text("core"))
    for _ in range(40):
        block = BulletList((ListItem((block,), checked=True),))
    document = normalise(doc(block))
    assert to_plain(document).count("[x]") == 40
    assert "core" in to_plain(document)
    assert parse_markdown(to_markdown(document)) == document


def test_plain_text_shows_lists_and_addresses() -> None:
    text = "- a\n  - b\n- [x] c\n\n3. d\n\n> q\n\n[site](http://x.example)\n\n|a|b|\n|-|-|\n|c|d|"
    expected = "- a\n  - b\n- [x] c\n\n3. d\n\n> q\n\nsite (http://x.example)\n\na | b\nc | d"
    assert to_plain(parse_markdown(text)) == expected


@given(st.text())
def test_plain_text_means_nothing_but_itself(text: str) -> None:
    shown = to_plain(plain_document(text))
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", to_plain(normalise(doc(para(Text(text))))))


@pytest.mark.parametrize(
    "monster",
    [
        "x" * 10_000_000,
        "[" * 10_000_000,
        "*a " * 30_000,
        "[" * 4_000,
        "![](" * 1_300,
        ">" * 90_000,
        "- " * 45_000,
        "`" * 40_000 + "a" + "`" * 39_999,
        "a**b" * 25_000,
        "~~a" * 30_000,
        "<http:" * 15_000,
        "|a" * 10_000 + "\n" + "|-" * 10_000,
        "&" * 90_000,
        "\\" * 90_000,
        "_a __b " * 14_000,
    ],
    ids=lambda text: f"{text[:6]!r}x{len(text)}",
)
def test_hostile_input_costs_little(monster: str) -> None:
    started = time.process_time()
    document = parse_markdown(monster)
    assert time.process_time() - started < 8.0
    assert document.blocks


simple_words = st.text(alphabet="ab 1,.;:!#&()'\"?%/-+=>@$^{}…🔥éß火", min_size=1, max_size=10)
simple_lines = st.lists(
    st.one_of(
        st.builds(Text, simple_words, strong=st.booleans(), em=st.booleans()),
        st.builds(Text, simple_words),
        st.builds(
            Text, st.text(alphabet="ab <*_[]()#&;!~$:=-\\`", min_size=1, max_size=8), code=st.just(value=True)
        ),
        st.builds(
            Text,
            simple_words,
            link=st.one_of(
                st.text(alphabet="ab/.?=+-", max_size=8).map("https://shop.example.com/".__add__),
                st.text(alphabet="aB1.:/-_%", max_size=8).map("http://".__add__),
            ),
        ),
        st.just(LineBreak()),
    ),
    max_size=6,
).map(tuple)
simple_items = st.lists(
    simple_lines.map(lambda parts: ListItem((Paragraph(parts),))), min_size=1, max_size=3
).map(tuple)
simple_blocks = st.one_of(
    simple_lines.map(Paragraph),
    st.builds(Heading, st.integers(1, 6), simple_lines),
    simple_items.map(BulletList),
    st.builds(OrderedList, simple_items, st.sampled_from([0, 1, 7, 999_999_998, 999_999_999])),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(simple_blocks, max_size=3).map(tuple))
def test_what_is_written_without_a_second_look_reads_back_all_the_same(blocks: tuple[Block, ...]) -> None:
    document = Document(blocks)
    assert parse_markdown(to_markdown(document)) == normalise(document)
    assert to_markdown(normalise(document), normalised=True) == to_markdown(document)
