"""Text in Slack's mrkdwn: nobody is notified by accident, nothing is cut in the middle of markup."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callout.connectors.slack.mrkdwn import ELLIPSIS, escape, from_mrkdwn, to_mrkdwn
from callout.kit.text import (
    Document,
    Mention,
    Paragraph,
    Text,
    normalise,
    parse_markdown,
    plain_document,
    to_markdown,
    to_plain,
)
from tests.kit.documents import documents, words

SLOW_DATA = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
ATTACKS = [
    "<!channel>",
    "<!here|x>",
    "<@U123>",
    "<!subteam^S1>",
    "<#C1>",
    "<http://evil|click>",
    "&lt;!channel&gt;",
    "`<!here>`",
]


def shown(document: Document, **options: object) -> str:
    return to_mrkdwn(document, **options)  # type: ignore[arg-type]


def test_the_three_characters_are_escaped_in_order() -> None:
    assert escape("a < b & c > d &lt;") == "a &lt; b &amp; c &gt; d &amp;lt;"


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_can_notify_anyone(attack: str) -> None:
    for document in (
        plain_document(attack),
        parse_markdown(attack),
        parse_markdown(f"`{attack}`"),
        parse_markdown(f"```\n{attack}\n```"),
        parse_markdown(f"[{attack}](http://x.example)"),
        parse_markdown(f"[x](http://x.example/{attack})"),
        parse_markdown(f"# {attack}\n\n> {attack}\n\n- {attack}\n\n| {attack} |\n| - |"),
        Document((Paragraph((Mention("slack", "U123", attack), Mention("slack", attack, "x"))),)),
    ):
        assert not re.search(r"<[!@#]", to_mrkdwn(document, mentions=["U999"]))


@SLOW_DATA
@given(documents, st.integers(1, 80))
def test_angle_brackets_are_ours_alone_at_any_length(document: Document, limit: int) -> None:
    for written in (to_mrkdwn(document), to_mrkdwn(document, limit)):
        assert not re.search(r"<[!@#]", written)
        without_links = re.sub(r"<(?:[a-zA-Z][a-zA-Z0-9+.-]*://|mailto:)[^<>|\s]*\|[^<>|]*>", "", written)
        assert "<" not in without_links
        assert ">" not in re.sub(r"(?m)^(?:\s|•|\d+\.|\[.\] |>)*", "", without_links)
        assert re.sub(r"&(?:amp|lt|gt);", "", written).count("&") == 0
    assert len(to_mrkdwn(document, limit)) <= limit


def test_a_mention_needs_the_callers_word() -> None:
    document = Document(
        (Paragraph((Mention("slack", "U123", "@ann"), Text(" "), Mention("jira", "U123", "@bo"))),)
    )
    assert to_mrkdwn(document) == "@ann @bo"
    assert to_mrkdwn(document, mentions=["U123"]) == "<@U123> @bo"


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ("# Title *x*", "*Title _x_*"),
        (
            "**b** _e_ ~~s~~ `c` [l](http://x.example?a=1&b=2)",
            "*b* _e_ ~s~ `c` <http://x.example?a=1&amp;b=2|l>",
        ),
        ("a\nb\n\nc", "a\nb\n\nc"),
        ("- a\n  - b\n- [x] c", "• a\n    • b\n• [x] c"),
        ("3. a\n4. b", "3. a\n4. b"),
        ("> q\n> r", ">q\n>r"),
        ("```py\nx < 1\n```", "```\nx &lt; 1\n```"),
        ("| a | b |\n|-|-|\n| 1 | 2 |", "```\na | b\n1 | 2\n```"),
        ("---", "———"),
        ("\\*not bold\\*", "*\u200bnot bold*"),
        ("snake_case_name 2 \\* 3", "snake_case_name 2 * 3"),
        ("in**tra**word", "in\u200b*tra*\u200bword"),
        ("a \\` tick", "a \u02cb tick"),
        ("\\> no quote", "\u200b&gt; no quote"),
    ],
)
def test_markdown_is_shown_the_slack_way(markdown: str, expected: str) -> None:
    assert to_mrkdwn(parse_markdown(markdown)) == expected


def test_a_long_text_is_cut_between_its_words_markup_kept_whole() -> None:
    document = parse_markdown("**" + "bold " * 50 + "end** [label](http://x.example)")
    cut = to_mrkdwn(document, 40)
    assert len(cut) <= 40
    assert cut.startswith("*bold bold")
    assert cut.endswith(f"{ELLIPSIS}*")
    code = to_mrkdwn(parse_markdown("```\n" + "<" * 100 + "\n```"), 60)
    assert code.startswith("```\n&lt;")
    assert code.endswith(f"{ELLIPSIS}\n```")
    assert len(code) > 50


def test_cutting_a_huge_text_costs_little() -> None:
    started = time.process_time()
    assert len(to_mrkdwn(plain_document("word & " * 100_000), 3_000)) <= 3_000
    assert time.process_time() - started < 5


def test_a_senseless_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="limit of 0"):
        to_mrkdwn(plain_document("x"), 0)


@pytest.mark.parametrize(
    ("mrkdwn", "markdown"),
    [
        ("*b* _e_ ~s~ `c` plain", "**b** _e_ ~~s~~ `c` plain"),
        ("*_both_*", "**_both_**"),
        ("2 * 3 * 4 snake_case_x", "2 \\* 3 \\* 4 snake_case_x"),
        ("a &lt;b&gt; &amp;amp;", "a \\<b> \\&amp;"),
        ("<http://x.example|label> <http://y.example>", "[label](http://x.example) http://y.example"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("hi <@U123|ann> and <@W9>", "hi [@ann](mention:slack:U123) and [@W9](mention:slack:W9)"),
        ("<!here> <!subteam^S1|@ops> <#C1|general>", "@here @ops #general"),
        ("<!date^1712345678^{date}|2024-04-05>", "2024-04-05"),
        ("one\ntwo\n\nthree", "one\ntwo\n\nthree"),
        ("&gt; said\n&gt; more\nreply", "> said\n> more\n\nreply"),
        ("• a\n• b", "- a\n- b"),
        ("1. a\n2. b", "1. a\n2. b"),
        ("see ```x = 1\ny```", "see\n\n```\nx = 1\ny\n```"),
        ("*unclosed and <broken", "\\*unclosed and \\<broken"),
    ],
)
def test_what_people_type_is_read(mrkdwn: str, markdown: str) -> None:
    assert to_markdown(from_mrkdwn(mrkdwn)) == markdown


@SLOW_DATA
@given(st.one_of(words, st.text(), st.lists(words, max_size=6).map("\n".join)))
def test_reading_never_fails_and_gives_the_normal_form(text: str) -> None:
    document = from_mrkdwn(text)
    assert normalise(document) == document


@given(
    st.lists(
        st.sampled_from(["alpha", "beta", "*b*", "_e_", "~s~", "`c`", "a*b", "<x>", "&", "@here"]), max_size=8
    )
)
def test_plain_words_survive_the_round_trip(parts: list[str]) -> None:
    document = plain_document(" ".join(parts))
    back = to_plain(from_mrkdwn(to_mrkdwn(document)))
    assert back.replace("\u02cb", "`") == to_plain(document)


def test_hostile_messages_cost_little() -> None:
    for monster in (
        "*a " * 30_000,
        "_" * 50_000,
        "<" * 90_000,
        "`" * 90_000,
        "*_~" * 30_000,
        "x" * 5_000_000,
    ):
        started = time.process_time()
        from_mrkdwn(monster)
        assert time.process_time() - started < 5, monster[:5]
