"""Hypothesis strategies for documents, shared by the tests of every dialect."""

from __future__ import annotations

from hypothesis import strategies as st

from callout.kit.text import (
    Block,
    BulletList,
    CodeBlock,
    Date,
    Document,
    Emoji,
    Heading,
    Inline,
    LineBreak,
    ListItem,
    Mention,
    OrderedList,
    Paragraph,
    Quote,
    Rule,
    Table,
    Text,
)

# Mostly characters that mean something in some dialect, so that escaping is what gets tested.
NASTY = "ab1é火🎉 \t.,!?*_~`#>+-=|[](){}<>&;:@\\/\"'^$%\u00a0\u200b\n"
PIECES = [
    "word", "two words", " ", "a_b_c", "**", "~~", "```", "[x](y)", "&amp;", "&#42;", "<b>", "<!channel>", "<@U123>",
    "http://x.example/a_b?c=d&e=f", "{code}", "{noformat}", "h1. no", "bq. no", "* no", "- no", "1. no", "# no", "| a |",
    "||h||", "----", "!img.png!", "[~ann]", "(x)", "\\\\", "-5", "a*b", ":smile:", "@here", "[ ] box", "x@y.example",
    "{{mono}}", "+ins+", "^sup^", "~sub~", "??cite??", "{color:red}", "^", "---|---", "===", "&lt;",
]  # fmt: skip

words = st.one_of(
    st.text(alphabet=NASTY, max_size=12),
    st.sampled_from(PIECES),
    st.lists(st.sampled_from(PIECES), max_size=3).map("".join),
    st.text(max_size=6),
)
links = st.one_of(
    st.none(),
    st.none(),
    st.sampled_from(
        [
            "http://x.example",
            "https://x.example/a_(b)?c=*d*&amp;e",
            "mailto:a@b.example",
            "/rel#x",
            "javascript:alert(1)",
        ]
    ),
    st.text(alphabet=NASTY, max_size=8),
)
texts = st.builds(
    Text, words, strong=st.booleans(), em=st.booleans(), strike=st.booleans(), code=st.booleans(), link=links
)
plain_texts = st.builds(Text, words)
mentions = st.builds(
    Mention,
    st.just("jira"),
    st.text(alphabet="abc059:-_ /)", min_size=1, max_size=9),
    st.sampled_from(["@Ann", "Bo [x]", ""]),
)
inline: st.SearchStrategy[Inline] = st.one_of(
    texts,
    plain_texts,
    st.just(LineBreak()),
    mentions,
    st.builds(Emoji, st.just(":tada:"), st.sampled_from(["🎉", ""])),
    st.builds(Date, st.just("2026-01-02")),
)
line = st.lists(inline, max_size=5).map(tuple)
leaf: st.SearchStrategy[Block] = st.one_of(
    st.builds(Paragraph, line),
    st.builds(Paragraph, line),
    st.builds(Heading, st.integers(0, 7), line),
    st.builds(
        CodeBlock,
        st.one_of(words, st.just("\tx\n  y\n\n"), st.just("~~~\n````")),
        st.sampled_from(["", "python", "c++ x"]),
    ),
    st.just(Rule()),
    st.builds(
        Table,
        st.lists(line, max_size=3).map(tuple),
        st.lists(st.lists(line, max_size=3).map(tuple), max_size=2).map(tuple),
    ),
)


def _containers(inner: st.SearchStrategy[Block]) -> st.SearchStrategy[Block]:
    blocks = st.lists(inner, max_size=3).map(tuple)
    items = st.lists(st.builds(ListItem, blocks, st.sampled_from([None, None, True, False])), max_size=3).map(
        tuple
    )
    return st.one_of(
        st.builds(BulletList, items),
        st.builds(OrderedList, items, st.sampled_from([0, 1, 7, 10**12])),
        st.builds(Quote, blocks),
    )


block = st.recursive(leaf, _containers, max_leaves=6)
documents = st.lists(block, max_size=4).map(lambda blocks: Document(tuple(blocks)))
