"""Markdown out, such that reading it back gives the same document.

First as a person would write it; a block that would not read back the same is written again with everything escaped
that could mean something. How emphasis meets its neighbours is CommonMark's hardest rule; where a letter beside a
mark would spoil it, the letter is written as a character reference, which counts as punctuation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace

from callout.kit.text.markdown_reader import parse_markdown
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
from callout.kit.text.normalise import MARKS, MENTION_SCHEME, normalise

_DELIMITERS: Final = {"strike": "~~", "strong": "**", "em": "_"}

_ALWAYS = re.compile(r"[\\`*\[]|<(?=[A-Za-z/!?])|&(?=#?\w{1,40};)")
_UNDERSCORE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_TILDE = re.compile(r"~(?=~|$)|(?<=~)~|^~")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_LINE_START = re.compile(r"^(?:#{1,6}(?=\s|$)|[-+](?=\s|$)|>|=+\s*$|-+\s*$|[|:-][|:\s-]*$)")
_NUMBER_START = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
_WORDS = re.compile(r"(?:[^\s\\`*_\[\]<|~&#!]| (?! )|&(?![#\w])|!(?!\[|$)|#(?!$))+")
"""Holds nothing that could be markup or a reference, unless it stands at the start of a line."""
_MARKED_WORDS = re.compile(r"[^\W_](?:(?:[^\W_]| (?! )|[,;:'\".%/-])*[^\W_])?:?")
_CLOSED: Final = frozenset(" ,.;:!?)")
"""What may stand behind a closing mark."""
_SIMPLE_CODE = re.compile(r"[^\s`\\](?:[^\s`\\]| (?! ))*(?<! )")
_SIMPLE_ADDRESS = re.compile(r"https?://[a-z0-9]+(?:[.-][a-z0-9]+)*(?::\d{2,5})?(?:/[A-Za-z0-9./=?+-]*)?")
_BACKTICKS = re.compile(r"`+")
_FENCES = re.compile(r"^\s*(`{3,}|~{3,})", re.MULTILINE)


def to_markdown(document: Document, *, normalised: bool = False) -> str:
    """Return `document` as Markdown; `parse_markdown` of it gives `normalise(document)` again.

    A document that a reader has just made is `normalised` already. The exception is a text longer than the reader looks for markup in.
    """
    blocks = document.blocks if normalised else normalise(document).blocks
    simple = _written_simply(blocks)
    if simple is not None:
        return simple
    written = _write(blocks, careful=frozenset())
    if parse_markdown(written).blocks == blocks:
        return written
    careful = frozenset(
        number
        for number, block in enumerate(blocks)
        if parse_markdown(_write((block,), careful=frozenset())).blocks != (block,)
    )
    return _write(blocks, careful=careful)


def _written_simply(blocks: Sequence[Block]) -> str | None:
    """Write paragraphs, headings and flat lists of words that cannot be markup; None where there is more.

    Among the words may be strong or emphasised ones between spaces, code, and links. Most texts are made so, and need neither escapes
    nor to be read back to be sure.
    """
    parts: list[str] = []
    before: type[Block] | None = None
    for block in blocks:
        match block:
            case Paragraph(inlines):
                written = _simple_lines(inlines)
            case Heading(level, inlines):
                line = _simple_line(inlines)
                written = f"{'#' * level} {line}" if line else None
            case BulletList(items) if before is not BulletList:
                written = _simple_list(items, ["-"] * len(items))
            case OrderedList(items, start) if before is not OrderedList:
                written = _simple_list(items, [f"{start + number}." for number in range(len(items))])
            case _:
                written = None
        if written is None:
            return None
        parts.append(written)
        before = type(block)
    return "\n\n".join(parts)


def _simple_list(items: Sequence[ListItem], marks: Sequence[str]) -> str | None:
    lines: list[str] = []
    for mark, item in zip(marks, items, strict=True):
        match item.blocks:
            case (Paragraph(inlines),) if item.checked is None:
                line = _simple_line(inlines)
            case _:
                line = None
        if not line:
            return None
        lines.append(f"{mark} {line}")
    return "\n".join(lines)


def _simple_line(inlines: Sequence[Inline]) -> str | None:
    line = _simple_lines(inlines)
    return None if line is None or "\n" in line else line


def _simple_lines(inlines: Sequence[Inline]) -> str | None:
    before = ""  # as the reader sees it: nothing at the start of a line, then the last character, or `*` behind a mark
    out: list[str] = []
    for part in inlines:
        if isinstance(part, LineBreak):
            written = "\n"
        elif not isinstance(part, Text) or part.strike:
            return None
        elif part.code or part.link is not None:
            written = _simple_code(part) if part.code else _simple_link(part)
            if before in {"`", "]"}:
                return None
        elif part.strong or part.em:
            apart = before in {"", " "} and not (part.strong and part.em)
            if not apart or _MARKED_WORDS.fullmatch(part.text) is None:
                return None
            mark = _DELIMITERS["strong" if part.strong else "em"]
            written = f"{mark}{part.text}{mark}"
        else:
            text = part.text
            if (not before and not _begins_plainly(text)) or (before == "*" and text[0] not in _CLOSED):
                return None
            written = text if _WORDS.fullmatch(text) is not None else ""
        if not written:
            return None
        out.append(written)
        before = _as_seen(part, written)
    return "".join(out)


def _begins_plainly(text: str) -> bool:
    return (text[0].isalnum() or text[0] in "\"'(") and _NUMBER_START.match(text) is None


def _as_seen(part: Inline, written: str) -> str:
    if isinstance(part, LineBreak):
        return ""
    if isinstance(part, Text):
        if part.code or part.link is not None:
            return "`" if part.code else "]"
        if part.strong or part.em:
            return "*"
    return written[-1]


def _simple_code(part: Text) -> str:
    alone = not (part.strong or part.em or part.link)
    return f"`{part.text}`" if alone and _SIMPLE_CODE.fullmatch(part.text) else ""


def _simple_link(part: Text) -> str:
    alone = not (part.strong or part.em)
    if not alone or not _MARKED_WORDS.fullmatch(part.text) or not _SIMPLE_ADDRESS.fullmatch(part.link or ""):
        return ""
    return f"[{part.text}]({part.link})"


def _write(blocks: Sequence[Block], *, careful: frozenset[int]) -> str:
    parts: list[str] = []
    odd = False
    for number, block in enumerate(blocks):
        # Lists of one kind in a row stay apart by another bullet.
        odd = not odd if number and type(blocks[number - 1]) is type(block) else False
        parts.append(_block(block, _Style(careful=number in careful, odd=odd)))
    return "\n\n".join(parts)


@dataclass(frozen=True, slots=True)
class _Style:
    careful: bool = False
    odd: bool = False


def _block(block: Block, style: _Style) -> str:  # noqa: PLR0911 - one case per kind of block
    match block:
        case Paragraph(inlines):
            return _lines(inlines, careful=style.careful)
        case Heading(level, inlines):
            # A closing sequence of #s at the end would be taken off.
            return "#" * level + " " + re.sub(r"#$", r"\\#", _inline(inlines, careful=style.careful))
        case BulletList(items):
            return _list([("*" if style.odd else "-") for _ in items], items, style)
        case OrderedList(items, start):
            mark = ")" if style.odd else "."
            return _list([f"{start + number}{mark}" for number in range(len(items))], items, style)
        case CodeBlock(text, language):
            fence = "`" * max([3, *(len(found[1]) + 1 for found in _FENCES.finditer(text))])
            return f"{fence}{language}\n{text}\n{fence}" if text else f"{fence}{language}\n{fence}"
        case Quote(blocks):
            inner = _write(blocks, careful=frozenset(range(len(blocks)) if style.careful else ()))
            return "\n".join(f"> {line}" if line else ">" for line in inner.split("\n"))
        case Rule():
            return "___"  # not a character that a list item could begin with
        case Table(header, rows):
            return _table(header, rows, careful=style.careful)


def _list(marks: Sequence[str], items: Sequence[ListItem], style: _Style) -> str:
    tight = all(_is_tight(item) for item in items)
    return ("\n" if tight else "\n\n").join(
        _item(mark, item, careful=style.careful, tight=tight) for mark, item in zip(marks, items, strict=True)
    )


def _is_tight(item: ListItem) -> bool:
    match item.blocks:
        case () | (Paragraph(),):
            return True
        case (Paragraph(), BulletList(items)) | (Paragraph(), OrderedList(items, 1)):
            return bool(items[0].blocks) and all(_is_tight(inner) for inner in items)
        case _:
            return False


def _item(mark: str, item: ListItem, *, careful: bool, tight: bool) -> str:
    every = frozenset(range(len(item.blocks)) if careful else ())
    body = _write(item.blocks, careful=every)
    if tight and len(item.blocks) > 1:
        body = "\n".join(_write((block,), careful=frozenset({0} if careful else ())) for block in item.blocks)
    if item.checked is not None:
        box = "[x]" if item.checked else "[ ]"
        joint = " " if item.blocks and isinstance(item.blocks[0], Paragraph) else "\n\n"
        body = f"{box}{joint}{body}" if body else box
    indent = " " * (len(mark) + 1)
    return f"{mark} {body}".replace("\n", f"\n{indent}").replace(f"\n{indent}\n", "\n\n").rstrip(" ")


def _table(
    header: Sequence[Sequence[Inline]], rows: Sequence[Sequence[Sequence[Inline]]], *, careful: bool
) -> str:
    def row(cells: Iterable[Sequence[Inline]]) -> str:
        return "| " + " | ".join(_cell(cell, careful=careful) for cell in cells) + " |"

    return "\n".join([row(header), "|" + " --- |" * len(header), *map(row, rows)])


def _cell(cell: Sequence[Inline], *, careful: bool) -> str:
    written = _inline(cell, careful=careful)
    return written if careful else written.replace("|", "\\|")


def _lines(inlines: Sequence[Inline], *, careful: bool) -> str:
    written = _inline(inlines, careful=careful)
    if careful:
        return written
    return "\n".join(
        _NUMBER_START.sub(r"\1\\\2", _LINE_START.sub(r"\\\g<0>", line)) for line in written.split("\n")
    )


@dataclass(slots=True)
class _Piece:
    """A part of a line: `text` may be changed at its ends, `mark` opens (+1) or closes (-1), the rest is fixed."""

    kind: str
    shown: str
    raw: str = ""
    turn: int = 0


def _inline(inlines: Sequence[Inline], *, careful: bool) -> str:
    pieces = list(_pieces(inlines))
    ends = {"first": False, "last": False}
    out: list[str] = []
    for number, piece in enumerate(pieces):
        if piece.kind != "text":
            out.append(piece.shown)
            continue
        before = pieces[number - 1] if number else None
        after = pieces[number + 1] if number + 1 < len(pieces) else None
        ends["first"] = (
            before is not None and before.turn < 0 and _spoils_closing(pieces, number - 1, careful=careful)
        )
        ends["last"] = (
            after is not None and after.turn > 0 and _spoils_opening(pieces, number + 1, careful=careful)
        )
        linked = _inside_link(pieces, number)
        out.append(
            _escaped(
                piece.raw,
                careful=careful,
                linked=linked,
                before_link=after is not None and after.shown == "[",
                first=ends["first"],
                last=ends["last"],
            )
        )
    return "".join(out)


def _pieces(inlines: Sequence[Inline]) -> Iterable[_Piece]:  # noqa: C901 - one case per kind of inline
    open_marks: list[tuple[str, object]] = []

    def close_to(keep: int) -> Iterable[_Piece]:
        while len(open_marks) > keep:
            name, value = open_marks.pop()
            if name == "link":
                yield _Piece("fixed", f"]({_destination(str(value))})")
            else:
                yield _Piece("mark", _DELIMITERS[name], turn=-1)

    for part in inlines:
        wanted: list[tuple[str, object]] = []
        if isinstance(part, Text):
            wanted = [(name, getattr(part, name)) for name in MARKS if getattr(part, name)]
        shared = 0
        while shared < min(len(wanted), len(open_marks)) and wanted[shared] == open_marks[shared]:
            shared += 1
        yield from close_to(shared)
        for name, value in wanted[shared:]:
            open_marks.append((name, value))
            yield _Piece("fixed", "[") if name == "link" else _Piece("mark", _DELIMITERS[name], turn=1)
        match part:
            case Text(text=text, code=True):
                yield _Piece("fixed", _code(text))
            case Text(text=text):
                yield _Piece("text", "", raw=text)
            case LineBreak():
                yield _Piece("fixed", "\n")
            case Mention(system, person, text):
                yield _Piece("fixed", "[")
                yield _Piece("text", "", raw=text)
                yield _Piece("fixed", f"]({MENTION_SCHEME}{system}:{quote(person, safe='')})")
    yield from close_to(0)


def _neighbour(pieces: Sequence[_Piece], number: int, step: int) -> str:
    """The character next to a mark, as the parser will see it; a space at the ends of the line."""
    at = number + step
    if not 0 <= at < len(pieces):
        return " "
    shown = pieces[at].raw if pieces[at].kind == "text" else pieces[at].shown
    return shown[0] if step > 0 else shown[-1]


def _spoils_opening(pieces: Sequence[_Piece], number: int, *, careful: bool) -> bool:
    """Whether the character before an opening mark must be written as a reference."""
    outside, inside = _neighbour(pieces, number, -1), _neighbour(pieces, number, 1)
    return not _is_apart(outside) and (careful or pieces[number].shown == "_" or _is_punctuation(inside))


def _spoils_closing(pieces: Sequence[_Piece], number: int, *, careful: bool) -> bool:
    inside, outside = _neighbour(pieces, number, -1), _neighbour(pieces, number, 1)
    return not _is_apart(outside) and (careful or pieces[number].shown == "_" or _is_punctuation(inside))


def _inside_link(pieces: Sequence[_Piece], number: int) -> bool:
    for piece in reversed(pieces[:number]):
        if piece.kind == "fixed" and piece.shown == "[":
            return True
        if piece.kind == "fixed" and piece.shown.startswith("]("):
            return False
    return False


def _escaped(raw: str, *, careful: bool, linked: bool, before_link: bool, first: bool, last: bool) -> str:
    head, body, tail = "", raw, ""
    if first:
        head, body = f"&#{ord(body[0])};", body[1:]
    if last and body:
        tail, body = f"&#{ord(body[-1])};", body[:-1]
    if careful:
        body = _PUNCTUATION.sub(r"\\\g<0>", body)
    else:
        body = _ALWAYS.sub(r"\\\g<0>", body)
        body = _UNDERSCORE.sub(r"\\_", body)
        body = _TILDE.sub(r"\\~", body)
        if linked:
            body = body.replace("]", "\\]")
        if before_link and body.endswith("!"):
            body = body[:-1] + "\\!"
    return head + body + tail


def _code(text: str) -> str:
    run = "`"
    used = {len(found.group()) for found in _BACKTICKS.finditer(text)}
    while len(run) in used:
        run += "`"
    pad = " " if text.startswith("`") or text.endswith("`") or _loses_spaces(text) else ""
    return f"{run}{pad}{text}{pad}{run}"


def _loses_spaces(text: str) -> bool:
    return text.startswith(" ") and text.endswith(" ") and bool(text.strip(" "))


def _destination(link: str) -> str:
    escaped = re.sub(r"[()\\*_`\[\]~|]|&(?=#?\w{1,40};)", r"\\\g<0>", link)
    return escaped or "<>"


def _is_punctuation(char: str) -> bool:
    return isMdAsciiPunct(ord(char)) or isPunctChar(char)


def _is_apart(char: str) -> bool:
    return isWhiteSpace(ord(char)) or _is_punctuation(char)
