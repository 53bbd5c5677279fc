"""Slack's mrkdwn read into text: what a person typed in a channel, on its way to a timeline or a ticket."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from callout.kit.text import (
    Block,
    BulletList,
    CodeBlock,
    Document,
    Inline,
    LineBreak,
    ListItem,
    Mention,
    OrderedList,
    Paragraph,
    Quote,
    Text,
    normalise,
    plain_document,
)

SYSTEM: Final = "slack"
MAX_CHARACTERS: Final = 100_000

_FENCE = re.compile(r"```\n?(.*?)\n?```", re.DOTALL)
_QUOTE = re.compile(r"(?:>|&gt;) ?(.*)")
_BULLET = re.compile(r"([•◦▪]|-(?= )) ?(.*)")
_NUMBER = re.compile(r"(\d{1,9})\. (.*)")
_SPLIT = re.compile(r"(?<=[*_~`>])\u200b|\u200b(?=[*_~`>&])")
_TOKEN = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<angle>[^<>\n]+)>"
    # Bounded, because the search begins anew at every sign.
    r"|(?<![A-Za-z0-9])(?P<mark>[*_~])(?=[^\s\u200b])(?P<inner>[^\n]{0,1000}?\S)(?P=mark)(?![A-Za-z0-9])"
)
_FIELDS: Final = {"*": "strong", "_": "em", "~": "strike"}
_MAX_MARKS: Final = 6


def from_mrkdwn(text: str) -> Document:
    """Read a message into a normalised document. Never fails and never drops a word.

    People become mentions of the system `slack`; channels, groups and `@here` become their shown names, so that
    passing the text on notifies nobody.
    """
    if len(text) > MAX_CHARACTERS:
        return plain_document(unescape(text))
    blocks: list[Block] = []
    at = 0
    for found in _FENCE.finditer(text):
        blocks.extend(_lines(text[at : found.start()]))
        blocks.append(CodeBlock(unescape(found[1])))
        at = found.end()
    blocks.extend(_lines(text[at:]))
    return normalise(Document(tuple(blocks)))


def unescape(text: str) -> str:
    """Undo Slack's three escapes."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _lines(text: str) -> Iterator[Block]:
    kind = ""
    waiting: list[str] = []
    for line in [*text.split("\n"), None]:
        found, content = ("end", "") if line is None else _kind(line)
        if found != kind and waiting:
            yield _grouped(kind, waiting)
            waiting = []
        kind = found
        if found not in {"empty", "end"}:
            waiting.append(content)


def _kind(line: str) -> tuple[str, str]:
    if not line.strip():
        return "empty", ""
    if found := _QUOTE.match(line):
        return "quote", found[1]
    stripped = line.lstrip()
    if found := _BULLET.match(stripped):
        return "bullet", found[2]
    if found := _NUMBER.match(stripped):
        return "number", stripped
    return "text", line


def _grouped(kind: str, lines: Sequence[str]) -> Block:
    match kind:
        case "quote":
            return Quote((_paragraph(lines),))
        case "bullet":
            return BulletList(tuple(ListItem((_paragraph([line]),)) for line in lines))
        case "number":
            found = [match for line in lines if (match := _NUMBER.match(line))]
            items = tuple(ListItem((_paragraph([match[2]]),)) for match in found)
            return OrderedList(items, int(found[0][1]))
        case _:
            return _paragraph(lines)


def _paragraph(lines: Sequence[str]) -> Paragraph:
    inlines: list[Inline] = []
    for number, line in enumerate(lines):
        if number:
            inlines.append(LineBreak())
        inlines.extend(_inline(line, Text(""), 0))
    return Paragraph(tuple(inlines))


def _inline(text: str, marks: Text, depth: int) -> Iterator[Inline]:
    at = 0
    for found in _TOKEN.finditer(text):
        if found["mark"] and depth >= _MAX_MARKS:
            continue
        yield replace(marks, text=_shown(text[at : found.start()]))
        at = found.end()
        if found["code"]:
            yield replace(marks, text=unescape(found["code"]), code=True)
        elif found["angle"]:
            yield from _angle(found["angle"], marks, depth)
        else:
            inner = replace(
                marks,
                strong=marks.strong or found["mark"] == "*",
                em=marks.em or found["mark"] == "_",
                strike=marks.strike or found["mark"] == "~",
            )
            yield from _inline(found["inner"], inner, depth + 1)
    yield replace(marks, text=_shown(text[at:]))


def _angle(content: str, marks: Text, depth: int) -> Iterator[Inline]:
    target, _, label = content.partition("|")
    match target[:1]:
        case "@":
            yield Mention(SYSTEM, target[1:], f"@{unescape(label) or target[1:]}")
        case "#":
            yield replace(marks, text=f"#{unescape(label) or target[1:]}")
        case "!":
            yield replace(marks, text=_special(target[1:], unescape(label)))
        case _:
            href = unescape(target)
            shown = label or target
            if depth >= _MAX_MARKS:
                yield replace(marks, text=unescape(shown), link=href)
            else:
                yield from _inline(shown, replace(marks, link=href), depth + 1)


def _special(target: str, label: str) -> str:
    if target.startswith("date^"):
        return label or target.split("^")[1]
    name = target.partition("^")[0]
    return label or (f"@{name}" if name in {"here", "channel", "everyone"} else target)


def _shown(text: str) -> str:
    return unescape(_SPLIT.sub("", text).strip("\u200b"))
