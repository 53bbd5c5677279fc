"""Text to Jira's wiki markup (REST v2), and what of a text both of Jira's formats carry alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from callout.connectors.jira.adf import fitting
from callout.connectors.jira.wiki_reader import SYSTEM, from_wiki
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

__all__ = ["common", "from_wiki", "to_wiki"]

_MARKS: Final = (("link", ""), ("strike", "-"), ("strong", "*"), ("em", "_"))
_ENTITY = re.compile(r"&(?=#)")
_ALWAYS = re.compile(r"[{}\[\]|*_^~+]|-(?=[^\s-])|\?(?=\?)|(?<=\?)\?|!(?=\S)")
_INSIDE_WORD = re.compile(r"(?<=[A-Za-z0-9])[*_^~+!-](?=[A-Za-z0-9])")
# from memory: these become pictures
_EMOTICON = re.compile(r"\((?=(?:x|y|n|i|/|!|\?|\+|-|on|off|\*[rgby]?)\))|[:;](?=[()DP])")
_PUNCTUATION = re.compile(r"[!-/:-@\[-`{-~]")
_LINE_LETTER = re.compile(r"^(\s*)(h(?=[1-6]\.\s)|bq?(?=q?\.\s))")
_LINE_SIGN = re.compile(r"^(\s*)([#-])")
_NOT_IN_HREF = re.compile(r"[\]|\[{}\\]")
_HREF = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]{1,20}:|/|#).{0,2000}")
_MACROS: Final = ("{code", "{noformat")


def to_wiki(document: Document) -> str:
    """Return `document` as wiki markup; `from_wiki` of it gives `common(document)`.

    A block that would not read back the same is written again with every sign escaped.
    """
    blocks = common(document).blocks
    parts = []
    for block in blocks:
        written = _Writer(careful=False).block(block)
        alike = from_wiki(written).blocks == (block,)
        parts.append(written if alike else _Writer(careful=True).block(block))
    return "\n\n".join(parts)


def common(document: Document) -> Document:
    """Return what remains of a text in either of Jira's formats, to compare a webhook's body with a REST read.

    Beyond what ADF cannot hold, wiki markup knows no numbering that begins elsewhere than at 1, one paragraph per
    list item, no code inside lists, and a person's id but not their shown name.
    """
    once = normalise(Document(tuple(_commoner(block) for block in fitting(document).blocks)))
    return normalise(Document(tuple(_commoner(block) for block in once.blocks)))


def _commoner(block: Block) -> Block:  # noqa: PLR0911 - one case per kind of block
    match block:
        case Paragraph(inlines):
            return Paragraph(_people(inlines))
        case Heading(level, inlines):
            return Heading(level, _people(inlines))
        case Quote(blocks):
            return Quote(tuple(_commoner(inner) for inner in blocks))
        case BulletList(items):
            return BulletList(tuple(_flat_items(items)))
        case OrderedList(items, _):
            return OrderedList(tuple(_flat_items(items)))
        case CodeBlock(text, _) if all(macro in text for macro in _MACROS) or text.endswith("\\"):
            return Paragraph((Text(text),))
        case Table(header, rows):
            return Table(tuple(map(_people, header)), tuple(tuple(map(_people, row)) for row in rows))
        case _:
            return block


def _flat_items(items: Iterable[ListItem]) -> Iterator[ListItem]:
    for item in items:
        words: list[Inline] = []
        nested: list[BulletList | OrderedList] = []
        for block in item.blocks:
            if isinstance(block, BulletList | OrderedList):
                inner = tuple(_flat_items(block.items))
                if nested and type(nested[-1]) is type(block):
                    nested[-1] = replace(nested[-1], items=nested[-1].items + inner)
                else:
                    nested.append(BulletList(inner) if isinstance(block, BulletList) else OrderedList(inner))
                continue
            if words:
                words.append(LineBreak())
            if isinstance(block, Paragraph):
                words.extend(_people(block.inlines))
            elif isinstance(block, CodeBlock):
                # Blank lines would end the item.
                words.append(Text(re.sub(r"\s*\n\s*", "\n", block.text)))
        if not words and item.checked is None and nested:
            yield from (inner for block in nested for inner in block.items)
            continue
        first = (Paragraph(tuple(words)),) if words else ()
        yield ListItem((*first, *nested), item.checked)


def _people(inlines: Sequence[Inline]) -> tuple[Inline, ...]:
    return tuple(done for part in inlines for done in _plainer(part))


def _plainer(part: Inline) -> Iterator[Inline]:
    match part:
        case Mention(_, person, _):
            yield Mention(SYSTEM, person, f"@{person}")
        case Text(link=str(link)):
            href = _NOT_IN_HREF.sub(lambda found: f"%{ord(found.group()):02X}", link)
            if _HREF.fullmatch(href):
                yield replace(part, link=href)
            else:
                yield replace(part, link=None)
                yield Text(f" ({link})")
        case _:
            yield part


class _Writer:
    """Writes what `common` has made fit."""

    def __init__(self, *, careful: bool) -> None:
        self._careful = careful

    def block(self, block: Block) -> str:  # noqa: PLR0911 - one case per kind of block
        match block:
            case Paragraph(inlines):
                return "\n".join(_line_start(line) for line in self.inline(inlines).split("\n"))
            case Heading(level, inlines):
                return f"h{level}. {self.inline(inlines)}"
            case BulletList() | OrderedList():
                return "\n".join(self.list(block, ""))
            case CodeBlock(text, language):
                macro = "noformat" if "{code" in text else "code"
                option = f":{language}" if language and macro == "code" else ""
                return f"{{{macro}{option}}}\n{text}\n{{{macro}}}"
            case Quote(blocks):
                return "{quote}\n" + "\n\n".join(self.block(inner) for inner in blocks) + "\n{quote}"
            case Table(header, rows):
                lines = [self.row(header, "||")] if any(header) else []
                return "\n".join([*lines, *(self.row(row, "|") for row in rows)])
            case Rule():
                return "----"

    def list(self, block: BulletList | OrderedList, above: str) -> Iterator[str]:
        marker = above + ("*" if isinstance(block, BulletList) else "#")
        for item in block.items:
            box = {None: "", True: "\\[x\\] ", False: "\\[ \\] "}[item.checked]
            words = "".join(
                self.inline(inner.inlines) for inner in item.blocks if isinstance(inner, Paragraph)
            )
            first, *more = words.split("\n")
            yield f"{marker} {box}{first}"
            yield from (_line_start(line) for line in more)
            for inner in item.blocks:
                if isinstance(inner, BulletList | OrderedList):
                    yield from self.list(inner, marker)

    def row(self, cells: Sequence[Cell], bar: str) -> str:
        return bar + bar.join(self.inline(cell) or " " for cell in cells) + bar

    def inline(self, inlines: Sequence[Inline], depth: int = 0) -> str:
        if depth == len(_MARKS):
            return "".join(self.leaf(part) for part in inlines)
        name, sign = _MARKS[depth]
        runs = [
            (value, list(group))
            for value, group in groupby(
                inlines, key=lambda part: (isinstance(part, Text) and getattr(part, name)) or None
            )
        ]
        out = ""
        for number, (value, run) in enumerate(runs):
            inner = self.inline(run, depth + 1)
            if value is None:
                out += inner
            elif name == "link":
                out += f"[{inner}|{value}]"
            else:
                following = inline_plain(runs[number + 1][1])[:1] if number + 1 < len(runs) else ""
                # Against a word, a mark counts only in braces.
                touches = _touches(out[-1:]) or _touches(following) or depth > 1 or self._careful
                out += f"{{{sign}}}{inner}{{{sign}}}" if touches else f"{sign}{inner}{sign}"
        return out

    def leaf(self, part: Inline) -> str:
        match part:
            case Text(text=text, code=True):
                return "{{" + re.sub(r"[{}\\&|\[\]]", lambda found: f"&#{ord(found.group())};", text) + "}}"
            case Text(text=text):
                return self.escaped(text)
            case LineBreak():
                return "\n"
            case Mention(_, person, _):
                return f"[~accountid:{person}]"
            case _:
                return self.escaped(inline_plain([part]))

    def escaped(self, text: str) -> str:
        shielded = text if self._careful else _ENTITY.sub("&#38;", text)
        return "&#92;".join(self.signs(part) for part in shielded.split("\\"))

    def signs(self, text: str) -> str:
        if self._careful:
            return _PUNCTUATION.sub(r"\\\g<0>", text)
        inside = {found.start() for found in _INSIDE_WORD.finditer(text)}
        marked = {found.start() for found in _ALWAYS.finditer(text)} - inside
        marked |= {found.start() for found in _EMOTICON.finditer(text)}
        # A sign at either end may meet a mark.
        marked |= {at for at in (0, len(text) - 1) if text and text[at] in "*_-+^~?!"}
        return "".join(f"\\{char}" if at in marked else char for at, char in enumerate(text))


def _touches(char: str) -> bool:
    return bool(char) and not char.isspace()


def _line_start(line: str) -> str:
    line = _LINE_LETTER.sub(lambda found: f"{found[1]}&#{ord(found[2][0])};{found[2][1:]}", line)
    return _LINE_SIGN.sub(r"\1\\\2", line)
