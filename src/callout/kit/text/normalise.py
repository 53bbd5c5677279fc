"""One spelling per document: what all dialects can carry, in one way only. Never drops a word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from callout.kit.text.model import (
    MAX_DEPTH,
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
    Table,
    Text,
)

MAX_LIST_START: Final = 100_000_000
MENTION_SCHEME: Final = "mention:"

MARKS: Final = ("link", "strike", "strong", "em")
"""From the outermost to the innermost: how marks on the same text are nested when a dialect nests them."""

_UNMARKED: Final = (False, False, False, False, None)
_CODE: Final = (False, False, False, True, None)

_NEWLINE = re.compile(r"\r\n|\r|\x0b|\x0c|\x85|\u2028|\u2029")
# Control characters, surrogates and non-characters: XML-based vendors refuse the whole text because of one.
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_DANGEROUS = re.compile(r"\s*(?:javascript|vbscript|data|file|mention)\s*:", re.IGNORECASE)
_NOT_IN_LINK = re.compile(r"[\s<>\\]")
_NOT_IN_LANGUAGE = re.compile(r"[^A-Za-z0-9_.+#-]")
_BOX = re.compile(r"\[([ xX])\](?:\s+|$)")
_SYSTEM = re.compile(r"[^a-z0-9_]")


def normalise(document: Document) -> Document:
    """Return the one form of `document` that every dialect agrees on; applying it again changes nothing."""
    return document if document.normal else Document(_blocks(document.blocks, depth=0), normal=True)


def clean(text: str) -> str:
    """Return `text` with one kind of line end and no character that a vendor would refuse."""
    if text.isprintable():
        return text  # which nearly all are: neither line ends nor controls are printable
    return _UNPRINTABLE.sub("\ufffd", _NEWLINE.sub("\n", text))


def clean_link(href: str) -> str | None:
    """Return an address safe to point to, or None for one that could run something."""
    cleaned = clean(href).strip()
    if not cleaned or _DANGEROUS.match(cleaned):
        return None
    return _NOT_IN_LINK.sub(lambda match: "".join(f"%{byte:02X}" for byte in match.group().encode()), cleaned)


def _blocks(blocks: Iterable[Block], *, depth: int) -> tuple[Block, ...]:
    return tuple(done for block in blocks for done in _block(block, depth))


def _block(block: Block, depth: int) -> Iterable[Block]:  # noqa: C901, PLR0911 - one case per kind of block
    match block:
        case Paragraph(inlines):
            return [Paragraph(part) for part in _paragraphs(inlines)]
        case Heading(level, inlines):
            line = _one_line(inlines)
            return [Heading(min(max(level, 1), 6), line)] if line else []
        case BulletList(items):
            if depth >= MAX_DEPTH:
                return _lifted(items, depth)
            done = tuple(map(_unboxed, _items(items, depth)))
            return [BulletList(done)] if done else []
        case OrderedList(items, start):
            if depth >= MAX_DEPTH:
                return _lifted(items, depth)
            # Numbered tasks exist in no dialect: the box becomes text.
            done = _items([_boxed(item) for item in items], depth)
            return [OrderedList(done, min(max(start, 0), MAX_LIST_START))] if done else []
        case Quote(inner):
            quoted = _blocks(inner, depth=min(depth + 1, MAX_DEPTH))
            if depth >= MAX_DEPTH:
                return quoted
            return [Quote(quoted)] if quoted else []
        case CodeBlock(text, language):
            return [CodeBlock(clean(text), _NOT_IN_LANGUAGE.sub("", language))]
        case Table(header, rows):
            return _table(header, rows)
        case _:
            return [block]


def _items(items: Iterable[ListItem], depth: int) -> tuple[ListItem, ...]:
    done = (ListItem(_blocks(item.blocks, depth=depth + 1), item.checked) for item in items)
    # An empty bullet says nothing, and three of them in each other are a rule in Markdown.
    return tuple(item for item in done if item.blocks or item.checked is not None)


def _lifted(items: Iterable[ListItem], depth: int) -> tuple[Block, ...]:
    return tuple(block for item in items for block in _blocks(_boxed(item).blocks, depth=depth))


def _unboxed(item: ListItem) -> ListItem:
    """Make a bullet that begins with a box a task, because most dialects have no other way to say it."""
    if not _begins_with_bracket(item):
        return item
    match item:
        case ListItem((Paragraph((Text() as head, *rest)), *blocks), None) if replace(head, text="") == Text(
            ""
        ):
            box = _BOX.match(head.text)
            if box is None:
                return item
            glued = not box.group()[-1].isspace() and rest and not isinstance(rest[0], LineBreak)
            if glued:
                return item
            left = [Paragraph(part) for part in _paragraphs([Text(head.text[box.end() :]), *rest])]
            return ListItem((*left, *blocks), checked=box[1] != " ")
        case _:
            return item


def _begins_with_bracket(item: ListItem) -> bool:
    first = item.blocks[0] if item.blocks else None
    head = first.inlines[0] if isinstance(first, Paragraph) and first.inlines else None
    return isinstance(head, Text) and head.text[:1] == "["


def _boxed(item: ListItem) -> ListItem:
    if item.checked is None:
        return item
    box = Text("[x] " if item.checked else "[ ] ")
    match item.blocks:
        case (Paragraph(inlines), *rest):
            return ListItem((Paragraph((box, *inlines)), *rest))
        case blocks:
            return ListItem((Paragraph((box,)), *blocks))


def _table(header: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> Iterable[Block]:
    width = max([len(header), *(len(row) for row in rows)])
    if width == 0:
        return []

    def padded(row: Sequence[Cell]) -> tuple[Cell, ...]:
        cells = tuple(tuple(map(_cell_safe, _one_line(cell))) for cell in row)
        cells = tuple(_one_line(cell) for cell in cells)
        return cells + ((),) * (width - len(cells))

    body = [padded(row) for row in rows]
    # A row without a word separates tables in Markdown and is nothing in the others.
    return (
        [Table(padded(header), tuple(row for row in body if any(row)))]
        if any(padded(header)) or any(any(row) for row in body)
        else []
    )


def _cell_safe(inline: Inline) -> Inline:
    # Inside a Markdown table, a pipe or backslash within a code span has no unambiguous spelling.
    if isinstance(inline, Text) and inline.code and ("|" in inline.text or "\\" in inline.text):
        return replace(inline, code=False)
    return inline


def _one_line(inlines: Iterable[Inline]) -> tuple[Inline, ...]:
    flat = [Text(" ") if isinstance(part, LineBreak) else part for part in _split_lines(inlines)]
    return _line(flat)


def _paragraphs(inlines: Iterable[Inline]) -> list[tuple[Inline, ...]]:
    """Lines joined by single breaks; an empty line, however spelled, begins a new paragraph."""
    inlines = tuple(inlines)
    if all(isinstance(part, Text) and part.text.isprintable() for part in inlines):
        line = _line(inlines)  # which most paragraphs are
        return [line] if line else []
    return _broken_paragraphs(inlines)


def _broken_paragraphs(inlines: Sequence[Inline]) -> list[tuple[Inline, ...]]:
    paragraphs: list[list[Inline]] = [[]]
    for is_break, group in groupby(_split_lines(inlines), key=lambda part: isinstance(part, LineBreak)):
        if is_break:
            for _ in group:
                if paragraphs[-1] and not isinstance(paragraphs[-1][-1], LineBreak):
                    paragraphs[-1].append(LineBreak())
                elif paragraphs[-1]:
                    paragraphs.append([])
            continue
        line = _line(list(group))
        if line:
            paragraphs[-1].extend(line)
    done = []
    for paragraph in paragraphs:
        while paragraph and isinstance(paragraph[-1], LineBreak):
            paragraph.pop()
        if paragraph:
            done.append(tuple(paragraph))
    return done


def _split_lines(inlines: Iterable[Inline]) -> Iterable[Inline]:
    for part in inlines:
        match part:
            case Text(text=text, code=True):
                yield replace(part, text=clean(text).replace("\n", " "))
            case Text(text=text):
                lines = clean(text).split("\n")
                if lines == [text]:
                    yield part
                    continue
                for number, line in enumerate(lines):
                    if number:
                        yield LineBreak()
                    yield replace(part, text=line)
            case Emoji(short_name, text):
                yield Text(clean(text or short_name).replace("\n", " "))
            case Date(iso):
                yield Text(clean(iso).replace("\n", " "))
            case Mention():
                yield _mention(part)
            case _:
                yield part


def _mention(mention: Mention) -> Inline:
    system = _SYSTEM.sub("", mention.system.lower())
    person = clean(mention.id).strip()
    shown = " ".join(clean(mention.text).split()) or " ".join(person.split())
    return Mention(system, person, shown) if system and person else Text(shown)


def _line(parts: Sequence[Inline]) -> tuple[Inline, ...]:
    """Normalise what stands on one line: no breaks among `parts`."""
    if len(parts) == 1 and isinstance(only := parts[0], Text) and only == Text(only.text):
        # Most lines have no marks at all.
        text = only.text.strip()
        return (Text(text),) if text else ()
    if _is_line(parts):
        return tuple(parts)
    line = _merged(_plain_marks(parts))
    line = _trimmed(line)
    for depth in range(len(MARKS)):
        line = _unmarked_edges(line, depth)
    line = _merged(line)
    return tuple(_merged(_without_echoing_links(line)))


def _is_line(parts: Sequence[Inline]) -> bool:
    """Return whether `parts` are so simple that nothing of them has to change: what most marked lines are."""
    before: tuple[object, ...] | None = None
    ends = ""  # of the whole line
    for part in parts:
        if not isinstance(part, Text) or not part.text:
            return False
        ends = (ends or part.text)[:1] + part.text[-1]
        marks = _marks_of(part)
        if marks == before:
            return False
        before = marks
        if marks == _UNMARKED:
            continue
        mixed = part.code and marks != _CODE
        if mixed or _is_spaced(part.text) or (part.link is not None and not _is_link(part.link, part.text)):
            return False
    return not _is_spaced(ends)


def _is_spaced(text: str) -> bool:
    return text[:1].isspace() or text[-1:].isspace()


def _is_link(link: str, shown: str) -> bool:
    return clean_link(link) == link and link not in {shown, f"mailto:{shown}", f"{shown}/"}


def _plain_marks(parts: Sequence[Inline]) -> Iterable[Inline]:
    worded = {part.link for part in parts if isinstance(part, Text) and part.text.strip()}
    for part in parts:
        if not isinstance(part, Text):
            yield part
            continue
        # Code takes no other mark in ADF, and code made of nothing but spaces shows nowhere.
        marked = replace(part, code=False) if part.code and not part.text.strip() else part
        if marked.code:
            marked = replace(marked, strong=False, em=False, strike=False)
        if marked.link is None:
            yield marked
            continue
        if marked.link not in worded and marked.link.strip():
            # A link without a word could be seen by nobody: its address is what it says.
            yield Text(" ".join(clean(marked.link).split()))
            continue
        link = clean_link(marked.link)
        if link is None and marked.link.strip():
            yield replace(marked, link=None)
            # Not to be followed, but what the writer said stays readable.
            yield Text(f" ({' '.join(clean(marked.link).split())})")
        else:
            yield replace(marked, link=link)


def _merged(parts: Iterable[Inline]) -> list[Inline]:
    done: list[Inline] = []
    for part in parts:
        if isinstance(part, Text):
            if not part.text:
                continue
            before = done[-1] if done else None
            if isinstance(before, Text) and _marks_of(before) == _marks_of(part):
                done[-1] = replace(before, text=before.text + part.text)
                continue
        done.append(part)
    return done


def _marks_of(part: Text) -> tuple[object, ...]:
    return part.strong, part.em, part.strike, part.code, part.link


def _trimmed(line: list[Inline]) -> list[Inline]:
    start, end = 0, len(line)
    while start < end and isinstance(first := line[start], Text) and not first.code:
        if first.text[:1].isspace():
            line[start] = first = replace(first, text=first.text.lstrip())
        if first.text:
            break
        start += 1
    while end > start and isinstance(last := line[end - 1], Text) and not last.code:
        if last.text[-1:].isspace():
            line[end - 1] = last = replace(last, text=last.text.rstrip())
        if last.text:
            break
        end -= 1
    return line[start:end]


def _unmarked_edges(line: list[Inline], depth: int) -> list[Inline]:
    """Take a mark off the spaces at both ends of each run that has it; Markdown cannot mark a space there.

    A run also ends where a mark outside it begins or ends, because there the inner one is closed and opened again.
    """
    mark = MARKS[depth]
    if not any(isinstance(part, Text) and getattr(part, mark) for part in line):
        return line

    def key(part: Inline) -> object:
        if not isinstance(part, Text) or not getattr(part, mark):
            return None
        return tuple(getattr(part, name) for name in MARKS[: depth + 1])

    done: list[Inline] = []
    for value, group in groupby(line, key=key):
        run = list(group)
        texts = [part for part in run if isinstance(part, Text)]
        if value is None or not texts:
            done.extend(run)
            continue
        tail: list[Inline] = []
        while texts and not texts[0].code:
            stripped = texts[0].text.lstrip()
            done.append(_without(texts[0], mark, text=texts[0].text[: len(texts[0].text) - len(stripped)]))
            if stripped:
                texts[0] = replace(texts[0], text=stripped)
                break
            texts.pop(0)
        while texts and not texts[-1].code:
            stripped = texts[-1].text.rstrip()
            tail.insert(0, _without(texts[-1], mark, text=texts[-1].text[len(stripped) :]))
            if stripped:
                texts[-1] = replace(texts[-1], text=stripped)
                break
            texts.pop()
        done.extend([*texts, *tail])
    return done


def _without(part: Text, mark: str, *, text: str) -> Text:
    match mark:
        case "strong":
            return replace(part, text=text, strong=False)
        case "em":
            return replace(part, text=text, em=False)
        case "strike":
            return replace(part, text=text, strike=False)
        case _:
            return replace(part, text=text, link=None)


def _without_echoing_links(line: Sequence[Inline]) -> Iterable[Inline]:
    """A bare address is a link in some dialects and text in others; here it is text."""
    for link, group in groupby(line, key=lambda part: part.link if isinstance(part, Text) else None):
        run = list(group)
        if link is not None and len(run) == 1 and isinstance(run[0], Text):
            shown = run[0].text
            if link in {shown, f"mailto:{shown}", f"{shown}/"}:
                yield replace(run[0], link=None)
                continue
        yield from run
