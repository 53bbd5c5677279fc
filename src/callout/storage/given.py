"""Rows that a statement is given on PostgreSQL: a few as values, more as one array for each column.

Most statements are given one row. As arrays it costs the driver a look at each element, and the server a function and a sort; as values,
each number of rows is a statement of its own, which every connection has to prepare.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

FEW: Final = 6
"""So many rows are given as values."""


class Given:
    """The rows of one statement, by the names and types of their columns. Their parameters are its first ones."""

    __slots__ = ("_arrays", "_kinds", "_names", "_selects", "_sources")

    def __init__(self, columns: Iterable[tuple[str, str]]) -> None:
        self._names, self._kinds = zip(*columns, strict=True)
        self._arrays = ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(self._kinds, 1))
        self._selects: dict[int, str] = {}
        self._sources: dict[int, str] = {}

    @property
    def names(self) -> str:
        """The columns, as a statement lists them."""
        return ", ".join(self._names)

    def select(self, count: int) -> str:
        """Return what gives so many rows in order, behind an `INSERT INTO … (names)`."""
        if count > FEW:
            count = 0
        if count not in self._selects:
            self._selects[count] = (
                f"VALUES {', '.join(f'({self._marks(row)})' for row in range(count))}"
                if count
                else f"SELECT {self.names} FROM {self.source(count)} ORDER BY nth"  # noqa: S608  # names of ours
            )
        return self._selects[count]

    def source(self, count: int) -> str:
        """Return so many rows as an item behind `FROM`: `n`, with their place among them as `nth`."""
        if count > FEW:
            count = 0
        if count not in self._sources:
            rows = ", ".join(f"({self._marks(row)}, {row + 1})" for row in range(count))
            rows = f"(VALUES {rows})" if count else f"unnest({self._arrays}) WITH ORDINALITY"
            self._sources[count] = f"{rows} AS n({self.names}, nth)"
        return self._sources[count]

    def parameters(self, rows: Sequence[Sequence[Any]]) -> list[Any]:
        """Return the parameters for these rows."""
        if len(rows) <= FEW:
            return list(chain.from_iterable(rows))
        return [list(column) for column in zip(*rows, strict=True)]

    def width(self, count: int) -> int:
        """Return how many parameters so many rows have."""
        return len(self._names) * (count if count <= FEW else 1)

    def _marks(self, row: int) -> str:
        before = row * len(self._names) + 1
        return ", ".join(f"${place}::{kind}" for place, kind in enumerate(self._kinds, before))


__all__ = ["FEW", "Given"]
