"""Text to and from Slack's mrkdwn.

Slack escapes three characters only. `*`, `_`, `~` and backticks have no escape, so literal ones that would format
are split from their word by a zero-width space, and literal backticks become a look-alike. Nothing in a text can
notify anyone: only people the caller names become mentions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from callout.connectors.slack.mrkdwn_reader import SYSTEM, from_mrkdwn
from callout.kit.text import (
    Block,
    BulletList,
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

__all__ = ["ELLIPSIS", "MESSAGE_LIMIT", "escape", "from_mrkdwn", "to_mrkdwn"]

MESSAGE_LIMIT: Final = 4_000
"""Characters Slack recommends for a message; a section block takes 3,000."""

ELLIPSIS: Final = "…"

_SPLIT: Final = "\u200b"
_BACKTICK: Final = "\u02cb"
_MARKS: Final = (("strike", "~"), ("strong", "*"), ("em", "_"))
# from memory: Slack formats between two equal signs that touch their words inside and no word outside, and a
# zero-width space behind the first one keeps it from doing so. Only looks depend on this.
_WOULD_FORMAT = re.compile(r"(?<![A-Za-z0-9])([*_~])(?=\S)")
_LINE_START = re.compile(r"^(&gt;)", re.MULTILINE)
_NOT_IN_URL = re.compile(r"[<>|\s]")
_USER_ID = re.compile(r"[UW][A-Z0-9]{2,30}")


def escape(text: str) -> str:
    """Return user text that means nothing to Slack but its letters: no mention, no link, no channel.

    Send it with `link_names: false` and `parse: "none"`, so that a bare `@here` stays text too.
    """
    # In this order, or the ampersands of the others would be escaped again.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def to_mrkdwn(document: Document, limit: int = MESSAGE_LIMIT, *, mentions: Collection[str] = ()) -> str:
    """Return `document` as mrkdwn of at most `limit` characters, cut between characters of the text, never in markup.

    Args:
        document: the text.
        limit: characters of the result, escapes included.
        mentions: Slack user ids that may be notified; any other mention is shown as text.

    Raises:
        ValueError: the limit leaves room for nothing.
    """
    if limit < len(ELLIPSIS):
        raise ValueError(f"a limit of {limit} characters leaves room for nothing")
    allowed = frozenset(mentions)
    whole = _write(normalise(document).blocks, allowed)
    if len(whole) <= limit:
        return whole
    full = normalise(document)
    low, high = 0, limit
    best = ELLIPSIS
    while low <= high:
        middle = (low + high) // 2
        shortened = _write(normalise(_shortened(full, middle)).blocks, allowed)
        if len(shortened) <= limit:
            best, low = shortened, middle + 1
        else:
            high = middle - 1
    return best


def _write(blocks: Iterable[Block], allowed: frozenset[str]) -> str:
    return "\n\n".join(_block(block, allowed) for block in blocks)


def _block(block: Block, allowed: frozenset[str]) -> str:  # noqa: PLR0911 - one case per kind of block
    match block:
        case Paragraph(inlines):
            return _line_starts(_inline(inlines, allowed))
        case Heading(_, inlines):
            bold = [
                replace(part, strong=not part.code) if isinstance(part, Text) else part for part in inlines
            ]
            return _inline(bold, allowed)
        case BulletList(items):
            return "\n".join(_item("•", item, allowed) for item in items)
        case OrderedList(items, start):
            return "\n".join(_item(f"{start + number}.", item, allowed) for number, item in enumerate(items))
        case CodeBlock(text, _):
            return f"```\n{escape(text.replace('`', _BACKTICK))}\n```"
        case Quote(blocks):
            return "\n".join(f">{line}" if line else ">" for line in _write(blocks, allowed).split("\n"))
        case Rule():
            return "———"
        case Table(header, rows):
            lines = ([header] if any(header) else []) + list(rows)
            text = "\n".join(" | ".join(inline_plain(cell) for cell in row) for row in lines)
            return f"```\n{escape(text.replace('`', _BACKTICK))}\n```"


def _item(mark: str, item: ListItem, allowed: frozenset[str]) -> str:
    box = {None: "", True: "[x] ", False: "[ ] "}[item.checked]
    body = "\n".join(_block(block, allowed) for block in item.blocks)
    # Slack keeps leading spaces, so that nested lists show as such.
    return f"{mark} {box}{body}".replace("\n", "\n    ").rstrip()


def _inline(inlines: Sequence[Inline], allowed: frozenset[str], depth: int = 0) -> str:
    """Write the marks from the outermost in, each run once."""
    if depth == len(_MARKS):
        return "".join(_leaf(part, allowed) for part in inlines)
    field, mark = _MARKS[depth]
    runs = [
        (marked, list(group))
        for marked, group in groupby(
            inlines, key=lambda part: isinstance(part, Text) and bool(getattr(part, field))
        )
    ]
    out = ""
    for number, (marked, run) in enumerate(runs):
        inner = _inline(run, allowed, depth + 1)
        if marked:
            # A word that touches the mark would switch it off; a zero-width space keeps them apart.
            following = inline_plain(runs[number + 1][1])[:1] if number + 1 < len(runs) else ""
            before = _SPLIT if out[-1:].isalnum() else ""
            after = _SPLIT if following.isalnum() else ""
            inner = f"{before}{mark}{inner}{mark}{after}"
        out += inner
    return out


def _leaf(part: Inline, allowed: frozenset[str]) -> str:
    match part:
        case LineBreak():
            return "\n"
        case Mention(system, person, text):
            known = system == SYSTEM and person in allowed and _USER_ID.fullmatch(person)
            return f"<@{person}>" if known else _literal(text)
        case Text(text=text, code=code, link=link):
            shown = f"`{escape(text.replace('`', _BACKTICK))}`" if code else _literal(text)
            return shown if link is None else _link(link, shown)
        case _:
            return _literal(inline_plain([part]))


def _link(href: str, label: str) -> str:
    # A bar or angle bracket in the address would end it early.
    address = _NOT_IN_URL.sub(lambda found: f"%{ord(found.group()):02X}", href).replace("&", "&amp;")
    return f"<{address}|{label.replace('|', '¦')}>" if "://" in href or href.startswith("mailto:") else label


def _literal(text: str) -> str:
    return escape(_WOULD_FORMAT.sub(rf"\1{_SPLIT}", text.replace("`", _BACKTICK)))


def _line_starts(text: str) -> str:
    """Keep a literal `>` at the start of a line from becoming a quote."""
    return _LINE_START.sub(rf"{_SPLIT}\1", text)


def _shortened(document: Document, characters: int) -> Document:
    """The first `characters` characters of the text, with an ellipsis where it was cut."""
    left = characters
    cut = False

    def take(text: str) -> str:
        nonlocal left, cut
        if cut:
            return ""
        if len(text) <= left:
            left -= len(text)
            return text
        kept, left, cut = text[:left], 0, True
        return kept + ELLIPSIS

    return Document(tuple(_taken(document.blocks, take, lambda: cut)))


def _taken(
    blocks: Iterable[Block], take: Callable[[str], str], is_cut: Callable[[], bool]
) -> Iterator[Block]:
    for block in blocks:
        if is_cut():
            return
        match block:
            case Paragraph(inlines):
                yield Paragraph(_taken_inlines(inlines, take))
            case Heading(level, inlines):
                yield Heading(level, _taken_inlines(inlines, take))
            case CodeBlock(text, language):
                yield CodeBlock(take(text), language)
            case Quote(inner):
                yield Quote(tuple(_taken(inner, take, is_cut)))
            case BulletList(items) | OrderedList(items):
                kept = tuple(
                    replace(item, blocks=tuple(_taken(item.blocks, take, is_cut)))
                    for item in items
                    if not is_cut()
                )
                yield replace(block, items=kept)
            case Table(header, rows):
                yield Table(
                    tuple(_taken_inlines(cell, take) for cell in header),
                    tuple(tuple(_taken_inlines(cell, take) for cell in row) for row in rows if not is_cut()),
                )
            case Rule():
                yield block


def _taken_inlines(inlines: Iterable[Inline], take: Callable[[str], str]) -> tuple[Inline, ...]:
    kept: list[Inline] = []
    for part in inlines:
        match part:
            case Text(text=text):
                # What is cut away whole is gone: a link without words would stand for its address.
                if rest := take(text):
                    kept.append(replace(part, text=rest))
            case Mention(text=text):
                shown = take(text)
                kept.append(part if shown == text else Text(shown))
            case LineBreak():
                kept.append(part if take("\n") == "\n" else Text(""))
            case _:
                kept.append(part)
    return tuple(kept)
