"""Plain text out of the tree, and plain text into it."""

from __future__ import annotations

from collections.abc import Iterable

from callout.kit.text.model import (
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
from callout.kit.text.normalise import normalise


def to_plain(document: Document) -> str:
    """Return the text without marks: lists keep their bullets, links show their address in parentheses."""
    return _join(document.blocks)


def plain_document(text: str) -> Document:
    """Return `text` as a document in which no character is markup; empty lines separate paragraphs."""
    return normalise(Document((Paragraph((Text(text),)),)))


def inline_plain(inlines: Iterable[Inline]) -> str:
    """Return one run of inlines as text."""
    parts = list(inlines)
    shown: list[str] = []
    for number, part in enumerate(parts):
        match part:
            case Text(text=text, link=link):
                following = parts[number + 1] if number + 1 < len(parts) else None
                ends = not (isinstance(following, Text) and following.link == link)
                shown.append(f"{text} ({link})" if link is not None and ends and link != text else text)
            case LineBreak():
                shown.append("\n")
            case Mention(text=text) | Emoji(text=text) if text:
                shown.append(text)
            case Emoji(short_name=name):
                shown.append(name)
            case Date(iso):
                shown.append(iso)
    return "".join(shown)


def _join(blocks: Iterable[Block]) -> str:
    return "\n\n".join(_block(block) for block in blocks)


def _block(block: Block) -> str:  # noqa: PLR0911 - one case per kind of block
    match block:
        case Paragraph(inlines) | Heading(_, inlines):
            return inline_plain(inlines)
        case BulletList(items):
            return "\n".join(_item("- ", item) for item in items)
        case OrderedList(items, start):
            return "\n".join(_item(f"{start + number}. ", item) for number, item in enumerate(items))
        case CodeBlock(text, _):
            return text
        case Quote(blocks):
            return "\n".join(f"> {line}".rstrip() for line in _join(blocks).split("\n"))
        case Table(header, rows):
            lines = [header, *rows] if any(header) else list(rows)
            return "\n".join(" | ".join(inline_plain(cell) for cell in row) for row in lines)
        case Rule():
            return "---"


def _item(marker: str, item: ListItem) -> str:
    box = "" if item.checked is None else "[x] " if item.checked else "[ ] "
    body = "\n".join(_block(block) for block in item.blocks)
    return (marker + box + body.replace("\n", "\n" + " " * len(marker))).rstrip()
