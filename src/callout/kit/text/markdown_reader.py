"""Markdown in: CommonMark with strikethrough, tables and task lists; HTML is text, and so is what is too much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import escapedSplit, table

from callout.kit.text.markdown_quick import quick_blocks
from callout.kit.text.model import (
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
)
from callout.kit.text.normalise import MENTION_SCHEME, normalise
from callout.kit.text.plain import plain_document

if TYPE_CHECKING:
    from markdown_it.token import Token

MAX_MARKDOWN: Final = 100_000
"""Characters up to which markup is looked for; longer text is kept as plain text. No vendor takes this much."""

_MAX_BRACKETS: Final = 4_000
"""Opening brackets likewise: the parser's time grows with their square."""

_MAX_NESTING: Final = 100


def parse_markdown(text: str) -> Document:
    """Read Markdown into a normalised document. Never fails and never drops a word.

    A line break in a paragraph is kept as one, as chat and ticket systems do. Text that is very long or nested
    beyond reason is taken as plain text.
    """
    if len(text) > MAX_MARKDOWN or text.count("[") > _MAX_BRACKETS:
        return plain_document(text)
    quick = quick_blocks(text)
    if quick is not None:
        return normalise(Document(tuple(quick)))
    tokens = _parser().parse(text)
    if any(token.level >= _MAX_NESTING - 3 for token in tokens):
        # Here the parser gives up and leaves out what lies deeper.
        return plain_document(text)
    return normalise(Document(tuple(_Reader(tokens).blocks())))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": _MAX_NESTING})
    parser.enable(["strikethrough", "table"])
    # Definitions that nothing refers to would vanish from the text.
    parser.disable("reference")
    parser.block.ruler.at("table", _table_that_keeps_every_cell, {"alt": ["paragraph", "reference"]})
    # Addresses are kept letter by letter; `normalise` decides which are safe.
    for hook in ("normalizeLink", "normalizeLinkText"):
        setattr(parser, hook, str)
    parser.validateLink = bool  # type: ignore[method-assign,assignment]
    return parser


def _table_that_keeps_every_cell(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """The parser's own rule, except that a row with more cells than the header makes it no table at all.

    The rule would leave those cells out.
    """
    before = len(state.tokens)
    line, parent = state.line, state.parentType
    if not table(state, start, end, silent):
        return False
    if silent:
        return True
    width = sum(token.type == "th_open" for token in state.tokens[before:])
    for number in range(start + 2, state.line):
        cells = escapedSplit(state.getLines(number, number + 1, state.blkIndent, keepLastLF=False).strip())
        if len(cells) - (not cells[0]) - (len(cells) > 1 and not cells[-1]) > width:
            del state.tokens[before:]
            state.line, state.parentType = line, parent
            return False
    return True


class _Reader:
    """Walks the parser's flat tokens, which come in nested pairs."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    def blocks(self, until: str | None = None) -> Iterator[Block]:  # noqa: C901 - one case per kind of token
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            self._at += 1
            match token.type:
                case kind if kind == until:
                    return
                case "paragraph_open":
                    yield Paragraph(self._inlines())
                case "heading_open":
                    yield Heading(int(token.tag[1:]), self._inlines())
                case "bullet_list_open":
                    yield BulletList(tuple(self._items("bullet_list_close")))
                case "ordered_list_open":
                    start = int(token.attrs.get("start", 1))
                    yield OrderedList(tuple(self._items("ordered_list_close")), start)
                case "blockquote_open":
                    yield Quote(tuple(self.blocks("blockquote_close")))
                case "fence" | "code_block":
                    language = token.info.split()[0] if token.info.split() else ""
                    yield CodeBlock(token.content.removesuffix("\n"), language)
                case "hr":
                    yield Rule()
                case "table_open":
                    yield self._table()
                case "inline":
                    yield Paragraph(tuple(_inlines(token.children or [])))

    def _items(self, until: str) -> Iterator[ListItem]:
        while self._tokens[self._at].type != until:
            self._at += 1  # list_item_open
            yield ListItem(tuple(self.blocks("list_item_close")))
        self._at += 1

    def _inlines(self) -> tuple[Inline, ...]:
        token = self._tokens[self._at]
        self._at += 2  # the inline token and the closing one
        return tuple(_inlines(token.children or []))

    def _table(self) -> Table:
        rows: list[tuple[tuple[Inline, ...], ...]] = []
        row: list[tuple[Inline, ...]] = []
        while (token := self._tokens[self._at]).type != "table_close":
            self._at += 1
            if token.type == "tr_open":
                row = []
            elif token.type == "inline":
                row.append(tuple(_inlines(token.children or [])))
            elif token.type == "tr_close":
                rows.append(tuple(row))
        self._at += 1
        return Table(rows[0], tuple(rows[1:]))


@dataclass(slots=True)
class _Marks:
    strong: int = 0
    em: int = 0
    strike: int = 0

    def of(self, text: str, *, link: str | None, code: bool = False) -> Text:
        return Text(
            text, strong=self.strong > 0, em=self.em > 0, strike=self.strike > 0, code=code, link=link
        )


def _inlines(tokens: Sequence[Token]) -> Iterator[Inline]:  # noqa: C901 - one case per kind of token
    marks = _Marks()
    link: str | None = None
    title = ""
    label: list[Inline] | None = None  # what stands between the brackets of a link
    for token in tokens:
        found: Inline | None = None
        match token.type:
            case "text" | "text_special" | "entity" | "html_inline":
                found = marks.of(token.content, link=link)
            case "code_inline":
                found = marks.of(token.content, link=link, code=True)
            case "softbreak" | "hardbreak":
                found = LineBreak()
            case "strong_open" | "em_open" | "s_open" | "strong_close" | "em_close" | "s_close":
                name = {"strong": "strong", "em": "em", "s": "strike"}[token.type.rpartition("_")[0]]
                setattr(marks, name, getattr(marks, name) + token.nesting)
            case "link_open":
                link, title, label = str(token.attrs.get("href", "")), str(token.attrs.get("title", "")), []
            case "link_close":
                yield from _link(link or "", label or [], title)
                link, label = None, None
            case "image":
                source = str(token.attrs.get("src", ""))
                inner = "".join(child.content for child in token.children or []) or source
                caption = f" ({token.attrs['title']})" if token.attrs.get("title") else ""
                found = marks.of(inner + caption, link=link or source or None)
        if found is None:
            continue
        if label is None:
            yield found
        else:
            label.append(found)


def _link(href: str, label: list[Inline], title: str) -> Iterator[Inline]:
    mention = _mention(href, label)
    if mention is not None:
        yield mention
    elif any(isinstance(part, Text) and part.text.strip() for part in label):
        yield from label
    else:
        yield Text(href)
    if title:
        yield Text(f" ({title})")


def _mention(href: str, label: Sequence[Inline]) -> Mention | None:
    if not href.startswith(MENTION_SCHEME):
        return None
    system, colon, person = href.removeprefix(MENTION_SCHEME).partition(":")
    shown = "".join(part.text if isinstance(part, Text) else " " for part in label)
    return Mention(system, unquote(person), shown) if colon and system and person else None
