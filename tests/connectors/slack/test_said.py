"""Slack's own mark-up, written as the chat port has it; what a person typed letter by letter stays letters."""

from __future__ import annotations

import pytest

from callout.connectors.slack.said import said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("page <!subteam^S1|@oncall> now", "page <@&S1|oncall> now"),
        ("page <!subteam^S1>", "page <@&S1>"),
        ("<!here> <!channel|channel> <!everyone|@everyone>", "@here @channel @everyone"),
        ("<!date^1712345678^{date} {time}|April 5th>", "April 5th"),
        ("<!date^1712345678^{date}>", "1712345678"),
        ("<!unknown|words> <!unknown>", "words unknown"),
        ("<@U1|bob> <#C1|general> <https://x.example|x>", "<@U1|bob> <#C1|general> <https://x.example|x>"),
        ("&lt;!channel&gt; &amp;lt; <3 <!", "<!channel> &lt; <3 <!"),
    ],
)
def test_a_text_in_the_words_of_the_port(text: str, words: str) -> None:
    assert said(text) == words
