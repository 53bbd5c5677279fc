"""The one text model: Markdown in, a small tree, Markdown or plain text out; vendor dialects hang on the same tree.

`normalise` gives the one spelling of a document that every dialect can carry, so that two systems holding the same
text compare as equal. Everything that reads a dialect returns a normalised document.
"""

from __future__ import annotations

from callout.kit.text.markdown_reader import parse_markdown
from callout.kit.text.markdown_writer import to_markdown
from callout.kit.text.model import (
    Block,
    BulletList,
    Cell,
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
from callout.kit.text.normalise import normalise
from callout.kit.text.plain import inline_plain, plain_document, to_plain

__all__ = [
    "Block",
    "BulletList",
    "Cell",
    "CodeBlock",
    "Date",
    "Document",
    "Emoji",
    "Heading",
    "Inline",
    "LineBreak",
    "ListItem",
    "Mention",
    "OrderedList",
    "Paragraph",
    "Quote",
    "Rule",
    "Table",
    "Text",
    "inline_plain",
    "normalise",
    "parse_markdown",
    "plain_document",
    "to_markdown",
    "to_plain",
]
