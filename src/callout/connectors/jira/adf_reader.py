"""The Atlassian Document Format read into text; whatever is not known still gives its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

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
    normalise,
    to_plain,
)

SYSTEM: Final = "jira"

_MAX_DEPTH: Final = 60
_WRAPPERS: Final = frozenset(
    {
        "doc",
        "layoutSection",
        "layoutColumn",
        "bodiedExtension",
        "extensionFrame",
        "multiBodiedExtension",
        "blockTaskItem",
    }
)
_INLINE: Final = frozenset(
    {
        "text",
        "hardBreak",
        "mention",
        "emoji",
        "date",
        "status",
        "inlineCard",
        "placeholder",
        "inlineExtension",
        "mediaInline",
    }
)


def from_adf(value: object) -> Document:
    """Read an Atlassian document, or anything that claims to be one, into a normalised document.

    Never fails. Panels become quotes; underline, colours and sizes are dropped, media are named in brackets.
    """
    node = value if isinstance(value, Mapping) else {}
    return normalise(Document(tuple(_blocks(_content(node), 0))))


def _blocks(nodes: Sequence[Mapping[str, Any]], depth: int) -> Iterator[Block]:
    loose: list[Inline] = []
    for node in nodes:
        if node.get("type") in _INLINE:
            loose.extend(_inline(node))
            continue
        if loose:
            yield Paragraph(tuple(loose))
            loose = []
        yield from _block(node, depth)
    if loose:
        yield Paragraph(tuple(loose))


def _block(node: Mapping[str, Any], depth: int) -> Iterator[Block]:  # noqa: C901, PLR0912 - one case per kind of node
    if depth > _MAX_DEPTH:
        yield Paragraph((Text(_all_text(node)),))
        return
    attrs = _attrs(node)
    inner = _content(node)
    match node.get("type"):
        case "paragraph" | "caption":
            yield Paragraph(tuple(_inlines(inner)))
        case "heading":
            yield Heading(_whole(attrs.get("level"), 1), tuple(_inlines(inner)))
        case "bulletList":
            yield BulletList(tuple(_items(inner, depth)))
        case "orderedList":
            yield OrderedList(tuple(_items(inner, depth)), _whole(attrs.get("order"), 1))
        case "taskList":
            yield BulletList(tuple(_tasks(inner, depth)))
        case "decisionList":
            yield BulletList(tuple(ListItem((Paragraph(tuple(_inlines(_content(item)))),)) for item in inner))
        case "codeBlock":
            yield CodeBlock(
                "".join(_string(child.get("text")) for child in inner), _string(attrs.get("language"))
            )
        case "blockquote" | "panel":
            yield Quote(tuple(_blocks(inner, depth + 1)))
        case "rule":
            yield Rule()
        case "table":
            yield _table(inner, depth)
        case "expand" | "nestedExpand":
            if title := _string(attrs.get("title")):
                yield Paragraph((Text(title, strong=True),))
            yield from _blocks(inner, depth + 1)
        case "media":
            yield Paragraph((_media(attrs),))
        case "blockCard" | "embedCard":
            yield Paragraph((_card(attrs),))
        case kind if kind in _WRAPPERS or inner:
            yield from _blocks(inner, depth + 1)
        case _:
            if text := _string(node.get("text")) or _string(attrs.get("text")):
                yield Paragraph((Text(text),))


def _items(nodes: Sequence[Mapping[str, Any]], depth: int) -> Iterator[ListItem]:
    for node in nodes:
        blocks = (
            _blocks(_content(node), depth + 1) if node.get("type") == "listItem" else _block(node, depth + 1)
        )
        yield ListItem(tuple(blocks))


def _tasks(nodes: Sequence[Mapping[str, Any]], depth: int) -> Iterator[ListItem]:
    items: list[ListItem] = []
    for node in nodes:
        if node.get("type") in {"taskItem", "blockTaskItem"}:
            done = _attrs(node).get("state") == "DONE"
            items.append(ListItem(tuple(_blocks(_content(node), depth + 1)), checked=done))
            continue
        # A nested list stands beside the item it belongs to.
        nested = tuple(_block(node, depth + 1))
        before = items.pop() if items else ListItem()
        items.append(ListItem((*before.blocks, *nested), before.checked))
    return iter(items)


def _table(rows: Sequence[Mapping[str, Any]], depth: int) -> Table:
    read = [
        (
            [_cell(cell, depth) for cell in _content(row)],
            all(c.get("type") == "tableHeader" for c in _content(row)),
        )
        for row in rows
    ]
    if read and read[0][1]:
        return Table(tuple(read[0][0]), tuple(tuple(cells) for cells, _ in read[1:]))
    return Table((), tuple(tuple(cells) for cells, _ in read))


def _cell(node: Mapping[str, Any], depth: int) -> tuple[Inline, ...]:
    inlines: list[Inline] = []
    for block in _blocks(_content(node), depth + 1):
        if inlines:
            inlines.append(LineBreak())
        match block:
            case Paragraph(parts) | Heading(_, parts):
                inlines.extend(parts)
            case _:
                inlines.append(Text(to_plain(Document((block,)))))
    return tuple(inlines)


def _inlines(nodes: Sequence[Mapping[str, Any]]) -> Iterator[Inline]:
    for node in nodes:
        yield from _inline(node)


def _inline(node: Mapping[str, Any]) -> Iterator[Inline]:
    if node.get("type") == "text":
        yield _text(node)
        return
    attrs = _attrs(node)
    match node.get("type"):
        case "hardBreak":
            yield LineBreak()
        case "mention":
            person = _string(attrs.get("id"))
            yield Mention(SYSTEM, person, _string(attrs.get("text")) or f"@{person}")
        case "emoji":
            yield Emoji(_string(attrs.get("shortName")), _string(attrs.get("text")))
        case "date":
            yield _date(_string(attrs.get("timestamp")))
        case "inlineCard":
            yield _card(attrs)
        case "mediaInline" | "media":
            yield _media(attrs)
        case _:
            yield Text(_all_text(node) or _string(attrs.get("text")))


def _text(node: Mapping[str, Any]) -> Text:
    if "marks" not in node:
        return Text(_string(node.get("text")))
    marks = {_string(mark.get("type")): _attrs(mark) for mark in _list(node.get("marks"))}
    link = _string(marks["link"].get("href")) if "link" in marks else ""
    return Text(
        _string(node.get("text")),
        strong="strong" in marks,
        em="em" in marks,
        strike="strike" in marks,
        code="code" in marks,
        link=link or None,
    )


def _date(timestamp: str) -> Inline:
    try:
        return Date(datetime.fromtimestamp(int(timestamp) / 1000, UTC).date().isoformat())
    except (ValueError, OverflowError, OSError):
        return Text(timestamp)


def _card(attrs: Mapping[str, Any]) -> Text:
    data = attrs.get("data")
    return Text(_string(attrs.get("url")) or _string(data.get("url") if isinstance(data, Mapping) else None))


def _media(attrs: Mapping[str, Any]) -> Text:
    name = _string(attrs.get("alt")) or _string(attrs.get("url")) or _string(attrs.get("id"))
    return Text(f"[attachment: {name}]" if name else "[attachment]")


def _all_text(node: Mapping[str, Any]) -> str:
    """The words below a node, without recursion, because this is what meets absurd depth."""
    words: list[str] = []
    waiting: list[Mapping[str, Any]] = [node]
    while waiting:
        at = waiting.pop()
        if text := _string(at.get("text")):
            words.append(text)
        waiting.extend(reversed(_content(at)))
    return " ".join(words)


def _content(node: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _list(node.get("content"))


def _list(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def _attrs(node: Mapping[str, Any]) -> Mapping[str, Any]:
    attrs = node.get("attrs")
    return attrs if isinstance(attrs, Mapping) else {}


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object, default: int) -> int:
    return int(value) if isinstance(value, int | float) and -1e9 < value < 1e12 else default  # noqa: PLR2004
