from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from callout.connectors.slack import render
from callout.ports.chat import Answer, Button, ButtonStyle, Card, Fact, Section, Tone

CARD = Card(
    title="SEV-1 INC-7 checkout is down",
    text="**All** payments fail",
    facts=(Fact("Status", "open"), Fact("Service", "checkout")),
    buttons=(
        Button("incident.acknowledge", "Acknowledge", "id-7", ButtonStyle.PRIMARY),
        Button("incident.resolve", "Resolve", "id-7"),
    ),
    tone=Tone.CRITICAL,
    emoji="\N{LARGE RED CIRCLE}",
    footer="declared by Ann",
    link="https://callout.example/incidents/INC-7",
    mentions=("U0ANN",),
)
HOSTILE = st.lists(
    st.sampled_from(
        [
            "<!channel>",
            "<!here>",
            "<!everyone|x>",
            "<@U0BOB>",
            "<@U0BOB|bob>",
            "<!subteam^S01>",
            "<#C1|general>",
            "<!date^1^{date}|x>",
            "<https://evil.example|click>",
            "&lt;!channel&gt;",
            "&amp;lt;!here&gt;",
            "`",
            "```\n",
            "*",
            "~",
            "> ",
            "[x](<!channel>)",
            "[x](https://a|b)",
            "![i](<!here>)",
            "<",
            ">",
            "!",
            "@",
            "#",
            "&",
            "\n",
            "\x00",
            "\u2060",
            "\\",
        ]
    )
    | st.text(max_size=8),
    max_size=12,
).map("".join)
MARKER = re.compile(r"<[!@#]")


def blocks_of(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        *content["blocks"],
        *(block for attachment in content["attachments"] for block in attachment["blocks"]),
    ]


def test_a_card_becomes_a_header_and_a_coloured_body() -> None:
    content = render.message(CARD)
    assert content["text"] == "\N{LARGE RED CIRCLE} SEV-1 INC-7 checkout is down"
    assert content["blocks"][0]["text"]["type"] == "plain_text"
    [attachment] = content["attachments"]
    assert attachment["color"] == render.COLOURS[Tone.CRITICAL]
    kinds = [block["type"] for block in attachment["blocks"]]
    assert kinds == ["section", "section", "section", "actions", "context"]
    assert attachment["blocks"][0]["text"]["text"].strip() == "*All* payments fail"
    assert attachment["blocks"][1]["text"]["text"] == "<@U0ANN>"
    assert [field["text"] for field in attachment["blocks"][2]["fields"]] == [
        "*Status*",
        "open",
        "*Service*",
        "checkout",
    ]
    acknowledge, resolve, link = attachment["blocks"][3]["elements"]
    assert (acknowledge["action_id"], acknowledge["value"], acknowledge["style"]) == (
        "incident.acknowledge",
        "id-7",
        "primary",
    )
    assert "style" not in resolve
    assert (link["action_id"], link["url"]) == ("link", CARD.link)


def test_every_tone_has_a_colour_of_its_own() -> None:
    assert set(render.COLOURS) == set(Tone)
    assert len(set(render.COLOURS.values())) == len(Tone)


def test_buttons_of_one_action_have_ids_of_their_own() -> None:
    content = render.message(Card("t", buttons=(Button("a", "1", "x"), Button("a", "2", "y"))))
    ids = [element["action_id"] for element in content["attachments"][0]["blocks"][0]["elements"]]
    assert ids == ["a", "a~2"]
    assert [render.plain_action(name) for name in ids] == ["a", "a"]


def test_sections_have_buttons_of_their_own_with_ids_that_no_other_has() -> None:
    part = Section("**severity**: here <!channel>", (Button("sync.ours", "Keep ours", "a/b/c"),))
    body = render.message(
        Card(title="Tickets", sections=(part, part), buttons=(Button("sync.ours", "x", "y"),))
    )
    blocks = body["attachments"][0]["blocks"]
    assert [block["type"] for block in blocks] == ["section", "actions", "section", "actions", "actions"]
    assert blocks[0]["text"]["text"] == "*severity*: here &lt;!channel&gt;"
    ids = [element["action_id"] for block in blocks for element in block.get("elements", [])]
    assert ids == ["sync.ours", "sync.ours~2", "sync.ours~3"]
    assert {render.plain_action(one) for one in ids} == {"sync.ours"}


def test_many_long_sections_stay_within_a_message() -> None:
    part = Section("x" * 5000, (Button("sync.ours", "Keep ours", "a/b/c"),))
    blocks = render.message(Card(title="T", sections=(part,) * 60))["attachments"][0]["blocks"]
    assert len(blocks) <= 49
    assert sum(len(block["text"]["text"]) for block in blocks if block["type"] == "section") < 9000


def test_an_update_always_replaces_all_three_parts() -> None:
    assert set(render.message(Card("t"))) == {"text", "blocks", "attachments"}
    assert render.message(Card("t"))["attachments"] == []


@given(words=HOSTILE)
def test_no_words_of_a_user_can_mention_anybody(words: str) -> None:
    assume(
        not re.fullmatch("[UWS][A-Z0-9]{2,30}", words)
    )  # an id of the platform among the mentions is one on purpose
    card = Card(
        title=words,
        text=words,
        facts=(Fact(words, words), Fact("Service", words)),
        buttons=(Button("a", words, words),),
        footer=words,
        emoji="",
        mentions=(words, "U0ANN"),
    )
    answer = render.answer_body(Answer(words, card=card))
    for content in (render.message(card), answer, render.answer_body(Answer(words))):
        sent = [text for block in blocks_of(content) for text in _shown(block)] + [content["text"]]
        for text in sent:
            assert MARKER.search(text.replace("<@U0ANN>", "")) is None, text


def _shown(block: dict[str, Any]) -> list[str]:
    """Every text of a block that Slack shows; a button's value is shown to nobody."""
    return [node["text"] for node in _nodes(block) if node.get("type") in {"plain_text", "mrkdwn"}]


def _nodes(value: object) -> list[dict[str, Any]]:
    if isinstance(value, dict):
        return [value, *(node for member in value.values() for node in _nodes(member))]
    if isinstance(value, list):
        return [node for member in value for node in _nodes(member)]
    return []


LONG = st.sampled_from(["x", "&", "<b>", "**b** ", "`c` ", "é", "\U0001f525", "line\n", "- item\n"]).flatmap(
    lambda unit: st.integers(0, 9000).map(lambda count: unit * count)
)


@given(title=LONG, text=LONG, value=LONG, facts=st.integers(0, 40), buttons=st.integers(0, 40))
def test_slacks_limits_hold_whatever_the_length(
    title: str, text: str, value: str, facts: int, buttons: int
) -> None:
    content = render.message(
        Card(
            title,
            text,
            facts=tuple(Fact(f"label {n} {value}", value) for n in range(facts)),
            buttons=tuple(Button("a", title, value[:50]) for _ in range(buttons)),
            footer=text,
            link="https://callout.example/incidents/INC-7",
        )
    )
    blocks = blocks_of(content)
    assert len(blocks) <= 50
    for block in blocks:
        if block["type"] == "header":
            assert 1 <= len(block["text"]["text"]) <= 150
        if block["type"] == "section":
            assert 1 <= len(block.get("text", {"text": "x"})["text"]) <= 3000
            assert len(block.get("fields", [])) <= 10
            assert all(1 <= len(field["text"]) <= 2000 for field in block.get("fields", []))
        if block["type"] == "actions":
            assert 1 <= len(block["elements"]) <= 25
            assert len({element["action_id"] for element in block["elements"]}) == len(block["elements"])
            assert all(1 <= len(element["text"]["text"]) <= 75 for element in block["elements"])
    shown = [text for block in blocks for text in _shown(block)]
    assert sum(len(text) for text in shown) < 12_000
    json.dumps(content).encode()


def test_a_cut_text_ends_with_an_ellipsis() -> None:
    assert render.message(Card("x" * 200))["blocks"][0]["text"]["text"].endswith("…")
    long = render.message(Card("t", text="&" * 5000))["attachments"][0]["blocks"][0]["text"]["text"]
    assert long.rstrip().endswith("…")
    assert len(long) <= 3000
    assert re.fullmatch(r"(&amp;)+…", long.strip())


@pytest.mark.parametrize(
    ("user", "shown"), [("U0ANN", "<@U0ANN>"), ("S01", "<!subteam^S01>"), ("here", ""), ("!channel", "")]
)
def test_only_ids_are_mentioned(user: str, shown: str) -> None:
    assert render.mention(user) == shown
