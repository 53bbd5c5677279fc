"""The tree. Marks lie flat on the text, as in ADF, so that `**a *b***` and its overlaps have one form only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

MAX_DEPTH: Final = 30
"""Lists and quotes inside each other; what lies deeper is lifted to this depth, its text kept."""


@dataclass(frozen=True, slots=True)
class Text:
    """A run of characters with the same marks; `link` is the address it points to."""

    text: str
    strong: bool = False
    em: bool = False
    strike: bool = False
    code: bool = False
    link: str | None = None


@dataclass(frozen=True, slots=True)
class LineBreak:
    """A new line within a paragraph."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A person, by the id one system knows them by (`jira`, `slack`, …); `text` is how they were shown."""

    system: str
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Emoji:
    """An emoji node; `text` is the character itself where known. Normalised to text."""

    short_name: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Date:
    """A date node, as an ISO date. Normalised to text."""

    iso: str


Inline: TypeAlias = Text | LineBreak | Mention | Emoji | Date
Cell: TypeAlias = tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    inlines: tuple[Inline, ...] = ()


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 to 6, on one line."""

    level: int
    inlines: tuple[Inline, ...] = ()


@dataclass(frozen=True, slots=True)
class ListItem:
    """One item; `checked` is None for an ordinary one, False or True for a task."""

    blocks: tuple[Block, ...] = ()
    checked: bool | None = None


@dataclass(frozen=True, slots=True)
class BulletList:
    """Items without numbers, tasks among them."""

    items: tuple[ListItem, ...]


@dataclass(frozen=True, slots=True)
class OrderedList:
    """Numbered items, counted from `start`."""

    items: tuple[ListItem, ...]
    start: int = 1


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Text kept as it is, line breaks and all."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """What someone else said."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells on one line each; a header of empty cells stands for none."""

    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...] = ()


Block: TypeAlias = Paragraph | Heading | BulletList | OrderedList | CodeBlock | Quote | Rule | Table


@dataclass(frozen=True, slots=True)
class Document:
    """A whole text; `normal` says that it has its one normal form already."""

    blocks: tuple[Block, ...] = ()
    normal: bool = field(default=False, compare=False, repr=False)
