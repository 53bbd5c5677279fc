"""Statements of whose rows nobody asks, sent to PostgreSQL by one round trip: each is a common table expression of the last one."""

# ruff: noqa: S608  # put together from statements that were constants
from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from callout.storage.given import FEW, Given

_MARK: Final = re.compile(r"\$(\d+)")
_WRITES: Final = ("INSERT", "UPDATE", "DELETE")
_OWN: Final = re.compile(r"@(\w+)")
OWN: Final = " @@ "
"""In a statement, between common table expressions of its own, their names with an `@` before them, and the rest."""
MOST_PARAMETERS: Final = 5_000
"""A statement has room for 32,767."""

Told = Callable[[Sequence[Sequence[Any]]], Awaitable[None]]
"""Hears of the rows of a statement once it was sent; what it asks the transaction for is sent behind."""


class Later:
    """What is to be sent."""

    __slots__ = ("_inserts", "_kinds", "_parameters", "_statements")

    def __init__(self) -> None:
        self._inserts: dict[str, tuple[str, Given, list[Sequence[Any]]]] = {}
        self._statements: list[tuple[str, Sequence[Any], Told | None]] = []
        self._kinds: set[str] = set()
        self._parameters = 0

    def __bool__(self) -> bool:
        return self._parameters > 0

    def holds(self, kind: str) -> bool:
        """Return whether a statement of that `kind` waits, or rows of a table of that name."""
        return kind in self._kinds or (kind in self._inserts and bool(kind))

    def takes(
        self,
        statement: str,
        parameters: Sequence[Any],
        *,
        kind: str = "",
        told: Told | None = None,
    ) -> bool:
        """Add a statement; False when the rest has to be sent before. `told` is called with its rows once it was sent.

        Two of one `kind` are not sent together, nor one of a kind with rows of the table of that name.
        """
        if self.holds(kind) or self._parameters + len(parameters) > MOST_PARAMETERS:
            return False
        self._parameters += len(parameters)
        if kind:
            self._kinds.add(kind)
        self._statements.append((statement, parameters, told))
        return True

    def takes_rows(self, table: str, into: str, given: Given, rows: Sequence[Sequence[Any]]) -> bool:
        """Add rows for `table`, which `into` begins to insert; False when the rest has to be sent before."""
        if table in self._kinds:
            return False
        known = self._inserts.get(table)
        if known is not None:
            if known[0] != into:
                return False  # two statements on one table would run in no order
            known[2].extend(rows)
            return True
        most = given.width(FEW)
        if self._parameters + most > MOST_PARAMETERS:
            return False
        self._parameters += most
        self._inserts[table] = (into, given, list(rows))
        return True

    def taken(self) -> tuple[str, list[Any], list[Told]]:
        """Return it all as one statement with its parameters, and forget it.

        Its row begins with an array of the rows for each of those to be told, in order.
        """
        found: list[tuple[str, Sequence[Any], Told | None]] = [
            (f"{into} {given.select(len(rows))}", given.parameters(rows), None)
            for into, given, rows in self._inserts.values()
        ]
        found += self._statements
        # Those to be told first.
        found.sort(key=lambda one: one[2] is None)
        self._inserts, self._statements, self._kinds, self._parameters = {}, [], set(), 0
        parameters = [one for _, given, _ in found for one in given]
        text = _together(tuple((text, len(given), told is not None) for text, given, told in found))
        return text, parameters, [told for *_, told in found if told is not None]


@lru_cache(maxsize=1_000)
def _together(statements: tuple[tuple[str, int, bool], ...]) -> str:
    """Return one statement out of several; each with how many parameters it has, and whether its rows are wanted."""
    if len(statements) == 1 and OWN not in statements[0][0] and not statements[0][2]:
        return statements[0][0]
    parts: list[str] = []
    looks: list[str] = []
    before = 0
    for place, (text, parameters, wanted) in enumerate(statements):
        moved = _OWN.sub(rf"l{place}_\1", _moved(text, before)) if OWN in text else _moved(text, before)
        before += parameters
        own, _, rest = moved.rpartition(OWN)
        parts += [*filter(None, (own,)), f"l{place} AS ({rest})"]
        if wanted:
            looks.append(f"(SELECT array_agg(l{place}) FROM l{place})")
        elif not rest.startswith(_WRITES):
            # What writes is carried out anyway; a function that is called only where its rows are wanted.
            looks.append(f"(SELECT count(*) FROM l{place})")
    return f"WITH {', '.join(parts)} SELECT {', '.join(looks) or '1'}"


def _moved(text: str, by: int) -> str:
    def mark(found: re.Match[str]) -> str:
        return f"${int(found[1]) + by}"

    return _MARK.sub(mark, text)


@dataclass(frozen=True, slots=True)
class Question:
    """A statement whose rows are wanted, with its parameters; see :meth:`Tx.driver_together`."""

    sqlite: str
    postgresql: str
    params: Sequence[Any] = ()
    behind: str = ""
    """Of what is to be sent later, the kind or table that it has to see."""


def asked_together(questions: Sequence[Question]) -> tuple[str, list[Any]]:
    """Return one statement that answers all: its row has an array of the rows of each."""
    parameters = [one for question in questions for one in question.params]
    return _asked(tuple((one.postgresql, len(one.params)) for one in questions)), parameters


@lru_cache(maxsize=1_000)
def _asked(statements: tuple[tuple[str, int], ...]) -> str:
    parts: list[str] = []
    before = 0
    for place, (text, parameters) in enumerate(statements):
        parts.append(f"q{place} AS ({_moved(text, before)})")
        before += parameters
    answers = ", ".join(f"(SELECT array_agg(q{place}) FROM q{place})" for place in range(len(statements)))
    return f"WITH {', '.join(parts)} SELECT {answers}"
