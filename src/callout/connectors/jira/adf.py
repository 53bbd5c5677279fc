"""Text to and from the Atlassian Document Format, Jira's rich text in REST v3.

Writing obeys the vendor's closed schema: what a place cannot hold is said in words there (a heading in a list becomes
a bold paragraph). Reading accepts anything: an unknown node gives its text. `fitting` tells what a document becomes,
so that `from_adf(to_adf(d)) == fitting(d)`.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

from callout.connectors.jira.adf_reader import SYSTEM, from_adf
from callout.kit.text import (
    Block,
    BulletList,
    Cell,
    CodeBlock,
    Document,
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
    inline_plain,
    normalise,
)

__all__ = ["MAX_CHARACTERS", "fitting", "from_adf", "to_adf"]

Node: TypeAlias = dict[str, Any]

MAX_CHARACTERS: Final = 32_767  # from memory: the limit of one text field or comment

_ADDRESS = re.compile(r"https?://[^\s<>\"\\|]+[^\s<>\"\\|.,;:!?'()\[\]{}*_]")
_MARK_NAMES: Final = (("strong", "strong"), ("em", "em"), ("strike", "strike"))
# Local ids only have to differ within a document; derived ones keep equal texts equal.
_LOCAL_IDS: Final = uuid.UUID("6f1c2a52-77f6-4c39-9a55-0d6f9ad7c1ce")


def to_adf(document: Document) -> Node:
    """Return `document` as an Atlassian document that the vendor's schema accepts.

    Mentions of Jira people stay mentions, those of other systems become their text.
    """
    writer = _Writer()
    return {
        "type": "doc",
        "version": 1,
        "content": [writer.block(block) for block in fitting(document).blocks],
    }


def fitting(document: Document) -> Document:
    """Return the normalised document as far as the Atlassian format can carry it."""
    return normalise(Document(tuple(_fit_top(normalise(document).blocks))))


def _fit_top(blocks: Iterable[Block]) -> Iterator[Block]:
    for block in blocks:
        match block:
            case Quote(inner):
                yield Quote(tuple(_fit_inner(inner)))
            case BulletList() | OrderedList():
                yield _fit_list(block, in_quote=False)
            case Paragraph(inlines):
                yield Paragraph(_fit_inlines(inlines))
            case Heading(level, inlines):
                yield Heading(level, _fit_inlines(inlines))
            case Table(header, rows):
                yield Table(
                    tuple(map(_fit_inlines, header)), tuple(tuple(map(_fit_inlines, row)) for row in rows)
                )
            case _:
                yield block


def _fit_list(block: BulletList | OrderedList, *, in_quote: bool) -> Block:
    items = tuple(
        replace(item, blocks=tuple(_fit_inner(item.blocks, in_quote=in_quote))) for item in block.items
    )
    return replace(block, items=items)


def _fit_inner(blocks: Iterable[Block], *, in_quote: bool = True) -> Iterator[Block]:
    """What list items and quotes can hold: paragraphs, lists and code."""
    for block in blocks:
        match block:
            case Paragraph(inlines):
                yield Paragraph(_fit_inlines(inlines))
            case Heading(_, inlines):
                bold = (replace(part, strong=True) if isinstance(part, Text) else part for part in inlines)
                yield Paragraph(_fit_inlines(tuple(bold)))
            case Quote(inner):
                yield from _fit_inner(inner, in_quote=in_quote)
            case Rule():
                yield Paragraph((Text("---"),))
            case Table(header, rows):
                for row in ([header] if any(header) else []) + list(rows):
                    yield Paragraph((Text(" | ".join(inline_plain(cell) for cell in row)),))
            case BulletList() | OrderedList():
                yield _fit_list(block, in_quote=in_quote)
            case CodeBlock():
                yield block


def _fit_inlines(inlines: Sequence[Inline]) -> tuple[Inline, ...]:
    return tuple(
        Text(part.text) if isinstance(part, Mention) and part.system != SYSTEM else part for part in inlines
    )


class _Writer:
    def __init__(self) -> None:
        self._count = 0

    def block(self, block: Block) -> Node:  # noqa: PLR0911 - one case per kind of block
        match block:
            case Paragraph(inlines):
                return _node("paragraph", _inline_nodes(inlines))
            case Heading(level, inlines):
                return {"attrs": {"level": level}, **_node("heading", _inline_nodes(inlines))}
            case CodeBlock(text, language):
                attrs = {"attrs": {"language": language}} if language else {}
                return {**attrs, **_node("codeBlock", [{"type": "text", "text": text}] if text else [])}
            case Quote(blocks):
                return _node("blockquote", self._inside(blocks))
            case BulletList(items):
                if all(_is_task(item) for item in items):
                    return self._tasks(items)
                return _node("bulletList", [self._item(item) for item in items])
            case OrderedList(items, start):
                return {
                    "attrs": {"order": start},
                    **_node("orderedList", [self._item(item) for item in items]),
                }
            case Table(header, rows):
                head = [_row(header, "tableHeader")] if any(header) else []
                return _node("table", head + [_row(row, "tableCell") for row in rows])
            case Rule():
                return {"type": "rule"}

    def _inside(self, blocks: Sequence[Block]) -> list[Node]:
        """The content of a quote, where task lists are not allowed: their boxes are written out."""
        return [self._boxes_written(block) for block in blocks] or [_node("paragraph", [])]

    def _boxes_written(self, block: Block) -> Node:
        match block:
            case BulletList(items):
                return _node("bulletList", [self._item(item, quoted=True) for item in items])
            case OrderedList(items, start):
                inner = [self._item(item, quoted=True) for item in items]
                return {"attrs": {"order": start}, **_node("orderedList", inner)}
            case _:
                return self.block(block)

    def _item(self, item: ListItem, *, quoted: bool = False) -> Node:
        blocks = item.blocks
        if item.checked is not None:
            box = Text("[x] " if item.checked else "[ ] ")
            match blocks:
                case (Paragraph(inlines), *rest):
                    blocks = (Paragraph((box, *inlines)), *rest)
                case _:
                    blocks = (Paragraph((box,)), *blocks)
        inner = [self._boxes_written(block) if quoted else self.block(block) for block in blocks]
        return _node("listItem", inner or [_node("paragraph", [])])

    def _tasks(self, items: Sequence[ListItem]) -> Node:
        content: list[Node] = []
        for item in items:
            first, nested = item.blocks[:1], item.blocks[1:]
            inlines = first[0].inlines if first and isinstance(first[0], Paragraph) else ()
            state = "DONE" if item.checked else "TODO"
            content.append(
                {
                    "attrs": {"localId": self._id(), "state": state},
                    **_node("taskItem", _inline_nodes(inlines)),
                }
            )
            content.extend(self._tasks(block.items) for block in nested if isinstance(block, BulletList))
        return {"attrs": {"localId": self._id()}, **_node("taskList", content)}

    def _id(self) -> str:
        self._count += 1
        return str(uuid.uuid5(_LOCAL_IDS, str(self._count)))


def _is_task(item: ListItem) -> bool:
    if item.checked is None:
        return False
    match item.blocks:
        case () | (Paragraph(),):
            return True
        case (Paragraph(), BulletList(items)):
            return all(_is_task(inner) for inner in items)
        case _:
            return False


def _node(kind: str, content: list[Node]) -> Node:
    return {"type": kind, "content": content}


def _row(cells: Sequence[Cell], kind: str) -> Node:
    return _node("tableRow", [_node(kind, [_node("paragraph", _inline_nodes(cell))]) for cell in cells])


def _inline_nodes(inlines: Sequence[Inline]) -> list[Node]:
    nodes: list[Node] = []
    for part in inlines:
        match part:
            case Text(code=False, link=None, text=text):
                nodes.extend(_with_addresses(part, text))
            case Text():
                nodes.append(_text_node(part))
            case LineBreak():
                nodes.append({"type": "hardBreak"})
            case Mention(_, person, text):
                nodes.append({"type": "mention", "attrs": {"id": person, "text": text}})
    return nodes


def _with_addresses(part: Text, text: str) -> Iterator[Node]:
    """A bare address is written as a link, as Jira's own editor does."""
    at = 0
    for found in _ADDRESS.finditer(text):
        if found.start() > at:
            yield _text_node(replace(part, text=text[at : found.start()]))
        yield _text_node(replace(part, text=found.group(), link=found.group()))
        at = found.end()
    if at < len(text):
        yield _text_node(replace(part, text=text[at:]))


def _text_node(part: Text) -> Node:
    marks: list[Node] = []
    if part.link is not None:
        marks.append({"type": "link", "attrs": {"href": part.link}})
    if part.code:
        marks.append({"type": "code"})
    marks.extend({"type": kind} for field, kind in _MARK_NAMES if getattr(part, field))
    return {"type": "text", "text": part.text, **({"marks": marks} if marks else {})}
