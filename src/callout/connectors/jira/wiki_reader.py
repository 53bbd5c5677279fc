"""Jira's wiki markup read into text: the form of descriptions and comments in webhooks and in REST v2.

from memory: the notation itself (Jira's "Text Formatting Notation Help"); the vendor publishes no grammar.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

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
    normalise,
    plain_document,
)

SYSTEM: Final = "jira"
MAX_CHARACTERS: Final = 100_000

_MAX_DEPTH: Final = 8
_MACRO = re.compile(
    r"(?<!\\)\{(?P<name>code|noformat|quote|panel|info|note|tip|warning)(?::(?P<options>[^}\n]*))?\}"
)
_HEADING = re.compile(r"\s*h([1-6])\.\s+(.*)")
_SHORT_QUOTE = re.compile(r"\s*bq\.\s+(.*)")
_RULE = re.compile(r"\s*-{4,5}\s*")
_ITEM = re.compile(r"\s*([*#]{1,20}|-)\s+(.*)")
_ROW = re.compile(r"\s*(\|.*)")
_CELL_END = re.compile(r"(?<!\\)(\|\|?)")
_TITLE = re.compile(r"(?:^|\|)title=([^|]*)")
_FILE: Final = r"[^\s!|\[\]\\][^!|\n\[\]\\]{0,200}"
_TOKEN = re.compile(
    r"(?P<line>\\\\)"
    r"|\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|\{\{(?P<mono>[^\n]{1,2000}?)\}\}"
    r"|\[~(?:accountid:)?(?P<person>[^\]|\n\\]{1,200})\]"
    r"|\[\^(?P<attached>[^\]|\n]{1,300})\]"
    r"|\[(?:(?P<label>(?:\\.|[^\]|\[\n\\]){0,1000})\|)?"
    r"(?P<href>(?:[a-zA-Z][a-zA-Z0-9+.-]{1,20}:|/|#)[^\]|\s]{0,2000})(?:\|(?:smart-\w+|\w+))?\]"
    rf"|(?<![A-Za-z0-9])!(?P<image>{_FILE}\.\w{{2,5}})(?:\|[^!\n]{{0,300}})?!"
    r"|(?P<colour>\{color(?::[^}\n]{0,40})?\}|\{anchor:[^}\n]{0,100}\})"
    r"|\{(?P<braced>[*_+^~-]|\?\?)\}(?P<braced_inner>[^\n]{1,1000}?)\{(?P=braced)\}"
    r"|(?<![A-Za-z0-9\\])(?P<mark>[*_+^~-]|\?\?)(?=[^\s\\*_+^~?-]|\\[!-/:-@\[-`{-~]|[*_-][^\s*_-])"
    r"(?P<inner>(?:\\.|[^\n\\]){0,1000}?(?<!\s))(?<!\\)(?P=mark)(?![A-Za-z0-9])"
)
_ENTITY = re.compile(r"&#(?:\d{1,7}|x[0-9a-fA-F]{1,6});")
_FIELDS: Final = {"*": "strong", "_": "em", "-": "strike"}


def from_wiki(value: object, *, names: Mapping[str, str] | None = None) -> Document:
    """Read wiki markup into a normalised document. Never fails and never drops a word.

    Args:
        value: the text; anything else is an empty document.
        names: shown names by account id, because wiki markup mentions people by id alone.
    """
    if not isinstance(value, str):
        return Document()
    if len(value) > MAX_CHARACTERS:
        return plain_document(value)
    return normalise(Document(tuple(_Reader(names or {}).blocks(value.replace("\r\n", "\n"), 0))))


@dataclass(slots=True)
class _Node:
    """An item of a list while it is being put together."""

    lines: list[str]
    lists: list[tuple[str, list[_Node]]] = field(default_factory=list)


class _Reader:
    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def blocks(self, text: str, depth: int) -> Iterator[Block]:
        at = 0
        search = 0
        while (macro := _MACRO.search(text, search)) is not None:
            end = re.compile(rf"(?<!\\)\{{{macro['name']}\}}").search(text, macro.end())
            if end is None or depth >= _MAX_DEPTH:
                search = macro.end()
                continue
            yield from self._lines(text[at : macro.start()])
            yield from self._macro(macro, text[macro.end() : end.start()], depth)
            at = search = end.end()
        yield from self._lines(text[at:])

    def _macro(self, macro: re.Match[str], inner: str, depth: int) -> Iterator[Block]:
        options = macro["options"] or ""
        title = _TITLE.search(options)
        if title is not None and title[1].strip():
            yield Paragraph((Text(title[1].strip(), strong=True),))
        if macro["name"] in {"code", "noformat"}:
            language = options.partition("|")[0]
            code = inner.removeprefix("\n").removesuffix("\n")
            yield CodeBlock(code, "" if "=" in language else language)
        else:
            yield Quote(tuple(self.blocks(inner, depth + 1)))

    def _lines(self, text: str) -> Iterator[Block]:  # noqa: C901 - one case per kind of line
        lines = text.split("\n")
        at = 0
        paragraph: list[str] = []
        while at < len(lines):
            line = lines[at]
            kind = _line_kind(line)
            if kind != "text" and paragraph:
                yield Paragraph(tuple(self._many(paragraph)))
                paragraph = []
            if kind in {"item", "row"}:
                end = at + 1
                while end < len(lines) and lines[end].strip() and _line_kind(lines[end]) in {kind, "text"}:
                    if kind == "row" and _line_kind(lines[end]) != "row":
                        break
                    end += 1
                yield from self._lists(lines[at:end]) if kind == "item" else [self._table(lines[at:end])]
                at = end
                continue
            if kind == "heading" and (found := _HEADING.fullmatch(line)):
                yield Heading(int(found[1]), tuple(self._inline(found[2])))
            elif kind == "quote" and (found := _SHORT_QUOTE.fullmatch(line)):
                yield Quote((Paragraph(tuple(self._inline(found[1]))),))
            elif kind == "rule":
                yield Rule()
            elif kind == "text":
                paragraph.append(line)
            at += 1
        if paragraph:
            yield Paragraph(tuple(self._many(paragraph)))

    def _lists(self, lines: Sequence[str]) -> Iterator[Block]:
        top: list[tuple[str, list[_Node]]] = []
        last: _Node | None = None
        for line in lines:
            found = _ITEM.fullmatch(line)
            if found is None:
                if last is not None:
                    last.lines.append(line)
                continue
            last = _Node([found[2]])
            _place(top, found[1], last)
        yield from (self._list(mark, nodes) for mark, nodes in top)

    def _list(self, mark: str, nodes: Sequence[_Node]) -> Block:
        items = tuple(
            ListItem(
                (
                    Paragraph(tuple(self._many(node.lines))),
                    *(self._list(inner, children) for inner, children in node.lists),
                )
            )
            for node in nodes
        )
        return OrderedList(items) if mark == "#" else BulletList(items)

    def _table(self, lines: Sequence[str]) -> Block:
        rows: list[tuple[Cell, ...]] = []
        header: tuple[Cell, ...] = ()
        for number, line in enumerate(lines):
            is_header, cells = self._row(line.strip())
            if number == 0 and is_header:
                header = cells
            else:
                rows.append(cells)
        return Table(header, tuple(rows))

    def _row(self, line: str) -> tuple[bool, tuple[Cell, ...]]:
        parts = _CELL_END.split(_links_hidden(line))
        # parts: text before the first bar, then bar and cell in turn, then what follows the last bar
        marks, cells = parts[1::2], parts[2::2]
        if cells and not cells[-1].strip():
            cells, marks = cells[:-1], marks[: len(cells) - 1]
        shown = tuple(tuple(self._inline(cell.replace("\x00", "|"))) for cell in cells)
        return all(mark == "||" for mark in marks), shown

    def _many(self, lines: Sequence[str]) -> Iterator[Inline]:
        for number, line in enumerate(lines):
            if number:
                yield LineBreak()
            yield from self._inline(line)

    def _inline(self, text: str) -> Iterator[Inline]:
        yield from self._marked(text, Text(""), 0)

    def _marked(self, text: str, marks: Text, depth: int) -> Iterator[Inline]:
        at = 0
        for found in _TOKEN.finditer(text):
            if depth >= _MAX_DEPTH and (found["mark"] or found["braced"]):
                continue
            yield replace(marks, text=_plain(text[at : found.start()]))
            at = found.end()
            yield from self._token(found, marks, depth)
        yield replace(marks, text=_plain(text[at:]))

    def _token(self, found: re.Match[str], marks: Text, depth: int) -> Iterator[Inline]:
        kind = found.lastgroup
        if found["line"]:
            yield LineBreak()
        elif found["escaped"]:
            yield replace(marks, text=found["escaped"])
        elif found["mono"]:
            yield replace(marks, text=_plain(found["mono"]), code=True)
        elif found["person"]:
            person = found["person"]
            yield Mention(SYSTEM, person, self._names.get(person, f"@{person}"))
        elif found["attached"] or found["image"]:
            yield replace(marks, text=f"[attachment: {_plain(found['attached'] or found['image'])}]")
        elif found["href"]:
            href = _plain(found["href"])
            label = found["label"] or href
            yield from self._marked(label, replace(marks, link=href), depth + 1)
        elif found["braced"] or found["mark"]:
            mark = found["braced"] or found["mark"]
            inner = found["braced_inner"] or found["inner"]
            yield from self._marked(inner, _with(marks, mark), depth + 1)
        elif kind != "colour":
            yield replace(marks, text=found.group())


def _line_kind(line: str) -> str:
    if not line.strip():
        return "empty"
    for kind, pattern in (
        ("rule", _RULE),
        ("heading", _HEADING),
        ("quote", _SHORT_QUOTE),
        ("item", _ITEM),
        ("row", _ROW),
    ):
        if pattern.fullmatch(line):
            return kind
    return "text"


def _place(lists: list[tuple[str, list[_Node]]], marker: str, node: _Node) -> None:
    """Hang an item below the items its marker says it belongs to."""
    for depth, mark in enumerate(marker):
        sign = "#" if mark == "#" else "*"
        if not lists or lists[-1][0] != sign:
            lists.append((sign, []))
        nodes = lists[-1][1]
        if depth == len(marker) - 1:
            nodes.append(node)
            return
        if not nodes:
            nodes.append(_Node([]))
        lists = nodes[-1].lists


def _with(marks: Text, mark: str) -> Text:
    match _FIELDS.get(mark):
        case "strong":
            return replace(marks, strong=True)
        case "em":
            return replace(marks, em=True)
        case "strike":
            return replace(marks, strike=True)
        case _:
            return marks  # underline, raised, lowered, citation: the words stay


def _links_hidden(line: str) -> str:
    """A bar inside brackets belongs to a link, not to the table."""
    return re.sub(
        r"(?<!\\)\[(?:\\.|[^\]\n\\]){0,3000}\]|!\S[^!\n]{0,300}!",
        lambda found: re.sub(r"(?<!\\)\|", "\x00", found.group()),
        line,
    )


def _plain(text: str) -> str:
    return _ENTITY.sub(lambda found: html.unescape(found.group()), text)
