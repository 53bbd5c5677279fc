"""Statements of whose rows nobody asks, sent to PostgreSQL by one round trip: each is a common table expression of the last one."""

# ruff: noqa: S608  # put together from statements that were constants
from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Protocol

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

Statement = tuple[str, Sequence[Any], Told | None]
"""What is sent, its parameters, and who is told."""


class MakesStatement(Protocol):
    """Makes one statement of rows that came one after the other; those of equal makers are sent together."""

    @property
    def width(self) -> int:
        """How many parameters it may have at most."""
        ...

    def __call__(self, rows: Sequence[Any], /) -> Statement:
        """Return the statement for `rows`, in the order in which they came."""
        ...


@dataclass(frozen=True, slots=True)
class Insert:
    """Rows of a table, which `into` begins to insert."""

    into: str
    given: Given

    @property
    def width(self) -> int:
        return self.given.width(FEW)

    def __call__(self, rows: Sequence[Sequence[Any]]) -> Statement:
        return f"{self.into} {self.given.select(len(rows))}", self.given.parameters(rows), None


class Later:
    """What is to be sent."""

    __slots__ = ("_kinds", "_parameters", "_rows", "_statements")

    def __init__(self) -> None:
        self._rows: dict[str, tuple[MakesStatement, list[Any]]] = {}
        self._statements: list[Statement] = []
        self._kinds: set[str] = set()
        self._parameters = 0

    def __bool__(self) -> bool:
        return self._parameters > 0

    def holds(self, *kinds: str) -> bool:
        """Return whether a statement or rows of one of these kinds wait."""
        return any(kind in self._kinds or (kind in self._rows and bool(kind)) for kind in kinds)

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

    def takes_rows(self, kind: str, make: MakesStatement, rows: Sequence[Any]) -> bool:
        """Add rows of which `make` makes a statement; False when the rest has to be sent before.

        Rows of one table have its name as their `kind`.
        """
        if kind in self._kinds:
            return False
        known = self._rows.get(kind)
        if known is not None:
            if known[0] != make:
                return False  # two statements on one table would run in no order
            known[1].extend(rows)
            return True
        if self._parameters + make.width > MOST_PARAMETERS:
            return False
        self._parameters += make.width
        self._rows[kind] = (make, list(rows))
        return True

    def taken(self) -> tuple[str, list[Any], list[Told]]:
        """Return it all as one statement with its parameters, and forget it.

        Its row begins with an array of the rows for each of those to be told, in order.
        """
        found = [make(rows) for make, rows in self._rows.values()]
        found += self._statements
        # Those to be told first.
        found.sort(key=lambda one: one[2] is None)
        self._rows, self._statements, self._kinds, self._parameters = {}, [], set(), 0
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
    name: str = ""
    """With it, it is asked once in a transaction: whoever asks by that name again is given the same rows."""


class Answers:
    """The rows of the questions of a transaction that have a name."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[str, Sequence[Sequence[Any]]] = {}

    async def of(self, questions: Sequence[Question], ask: Ask) -> Sequence[Sequence[Sequence[Any]]]:
        """Return the rows of each; only those are asked that were not before."""
        open_ = [one for one in questions if one.name not in self._rows]
        found = await ask(open_) if open_ else ()
        self._rows.update({one.name: rows for one, rows in zip(open_, found, strict=True) if one.name})
        if len(open_) == len(questions):
            return found
        asked = {id(one): rows for one, rows in zip(open_, found, strict=True)}
        return [self._rows[one.name] if one.name else asked[id(one)] for one in questions]

    def forget(self, name: str) -> None:
        """Ask that again: what it tells of was changed."""
        self._rows.pop(name, None)


Ask = Callable[[Sequence[Question]], Awaitable[Sequence[Sequence[Sequence[Any]]]]]
"""Answers questions, each with its rows."""


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
