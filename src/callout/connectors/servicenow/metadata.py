"""What the live instance is made of: tables and what they extend, columns, choices. Remembered for a few minutes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from callout.connectors.servicenow import encoded
from callout.connectors.servicenow.client import TableApi
from callout.connectors.servicenow.config import ServiceNowConfig
from callout.connectors.servicenow.meaning import Choice, State, priority_of, states_of
from callout.connectors.servicenow.wire import LABEL_SUFFIX, Record
from callout.kit.clock import Clock
from callout.ports.errors import PermissionDeniedError, RejectedError
from callout.ports.values import Priority

KEPT_SECONDS: Final = 300.0
BASE_TABLE: Final = "task"
EVERYTHING: Final = 10_000
JOURNALS: Final = frozenset({"comments", "work_notes", "comments_and_work_notes"})
"""Columns whose text is read by an audience: written as comments and notes only, whatever the dictionary says or keeps from us."""
_DEEPEST: Final = 10
_LANGUAGE: Final = "en"

_NO_LABELS: Final[Mapping[str, str]] = {}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the dictionary describes it."""

    name: str
    label: str
    kind: str = "string"
    max_length: int = 0
    mandatory: bool = False
    read_only: bool = False
    reference: str = ""
    choice: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table: what it extends (itself first), its columns and its choices. Empty where the instance does not let us look.

    `readable` says whether the choices could be read at all.
    """

    name: str
    label: str
    lineage: tuple[str, ...]
    columns: Mapping[str, Column]
    choices: Mapping[str, tuple[Choice, ...]]
    states: tuple[State, ...]
    readable: bool
    # What records are asked by, thousands of them: by value instead of one after the other.
    _labels: dict[str, dict[str, str]] = field(init=False, repr=False, compare=False)
    _states: dict[str, State] = field(init=False, repr=False, compare=False)
    _priorities: dict[str, Priority | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Lay the choices out by value; of equal ones the first counts."""
        labels = {
            name: {one.value: one.label for one in reversed(found)} for name, found in self.choices.items()
        }
        ranked = self.choices.get("priority", ())
        priorities = {
            one.value: priority_of(one.label, place, len(ranked))
            for place, one in reversed(tuple(enumerate(ranked)))
        }
        object.__setattr__(self, "_labels", labels)
        object.__setattr__(self, "_states", {one.value: one for one in reversed(self.states)})
        object.__setattr__(self, "_priorities", priorities)

    def extends(self, name: str) -> bool:
        """Return whether the table is `name` or extends it."""
        return name in self.lineage

    def has(self, column: str) -> bool:
        """Return whether there is such a column, as far as we can tell."""
        return column in self.columns if self.columns else column in _STOCK.get(self.name, _TASK)

    def label_of(self, element: str, record: Record) -> str:
        """Return the label of a choice column of a record; its value where there is none."""
        value = record.get(element, "")
        found = self._labels.get(element, _NO_LABELS).get(value)
        return found or record.get(element + LABEL_SUFFIX, "") or value

    def state_of(self, record: Record) -> State | None:
        """Return the state of a record, None for one that has no choice."""
        return self._states.get(record.get("state", ""))

    def priority_of(self, record: Record) -> Priority | None:
        """Return the unified priority of a record."""
        value = record.get("priority", "")
        if value in self._priorities:
            return self._priorities[value]
        return priority_of(record.get("priority" + LABEL_SUFFIX, ""))

    @property
    def computes_priority(self) -> bool:
        """Whether priority is made of impact and urgency by the instance, so that writing it is in vain."""
        return self.extends("incident") or self.extends("problem")


_TASK: Final = frozenset(
    {"short_description", "description", "assigned_to", "opened_by", "due_date", "parent"}
)
_STOCK: Final = {
    "incident": _TASK | {"caller_id", "parent_incident", "close_code", "hold_reason"},
    "sn_si_incident": _TASK | {"affected_user", "parent_security_incident", "close_code"},
    "change_request": _TASK | {"requested_by", "close_code"},
}
"""Columns that we rely on where the dictionary may not be read."""


class Metadata:
    """The instance's own vocabulary, read when first needed and again after a while."""

    def __init__(self, config: ServiceNowConfig, api: TableApi, clock: Clock) -> None:
        self._config = config
        self._api = api
        self._clock = clock
        self._kept: dict[tuple[str, ...], tuple[float, Any]] = {}
        self._reading: dict[tuple[str, ...], asyncio.Lock] = {}
        self._closed: dict[str, float] = {}

    def forget(self) -> None:
        """Read everything again when next needed."""
        self._kept.clear()
        self._closed.clear()

    async def remembered(self, key: tuple[str, ...], read: Callable[[], Awaitable[_T]]) -> _T:
        """Return what `read` returns, remembered under `key`; many who ask at once wait for one answer."""
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock.monotonic():
            known: _T = kept[1]
            return known
        lock = self._reading.setdefault(key, asyncio.Lock())
        async with lock:
            kept = self._kept.get(key)
            if kept is not None and kept[0] > self._clock.monotonic():
                value: _T = kept[1]
                return value
            value = await read()
            self._kept[key] = (self._clock.monotonic() + KEPT_SECONDS, value)
            return value

    def is_closed(self, table: str) -> bool:
        """Return whether we were refused this table lately."""
        return self._closed.get(table, 0.0) > self._clock.monotonic()

    def closed(self, table: str) -> None:
        """Remember that we may not read a table, so that it is not asked for with every poll."""
        self._closed[table] = self._clock.monotonic() + KEPT_SECONDS

    async def _optional(self, table: str, query: str, fields: Sequence[str]) -> tuple[Record, ...] | None:
        """Return a list of one of the platform's own tables, None where we may not read it."""
        try:
            page = await self._api.query(table, query, fields=fields, limit=EVERYTHING)
        except PermissionDeniedError:
            return None
        return page.records

    async def table(self, name: str) -> Table:
        """Return a table of tasks. Raises RejectedError when there is none, or when it does not extend task."""

        async def read() -> Table:
            return await self._read_table(name)

        return await self.remembered(("table", name), read)

    async def _read_table(self, name: str) -> Table:
        # Nearly every table extends task itself: what such a one needs is asked for beside what it extends.
        likely = list(dict.fromkeys((name, BASE_TABLE)))
        (lineage, label), vocabulary = await asyncio.gather(self._lineage(name), self._vocabulary(likely))
        wanted = lineage if BASE_TABLE in lineage else [name, BASE_TABLE]
        described, rows = vocabulary if wanted == likely else await self._vocabulary(wanted)
        choices = _choices(rows or (), wanted)
        return Table(
            name=name,
            label=label,
            lineage=tuple(wanted),
            columns=_columns(described or (), wanted),
            choices=choices,
            states=states_of(choices.get("state", ()), self._config.category_of),
            readable=bool(rows),
        )

    async def _vocabulary(
        self, wanted: Sequence[str]
    ) -> tuple[tuple[Record, ...] | None, tuple[Record, ...] | None]:
        """Return what the dictionary and the lists of choices say of tables; None for one that may not be read."""
        dictionary = self._optional(
            "sys_dictionary",
            encoded.both(
                encoded.any_of("name", wanted),
                encoded.is_not_empty("element"),
                encoded.equals("active", "true"),
            ),
            (
                "name",
                "element",
                "column_label",
                "internal_type",
                "max_length",
                "mandatory",
                "read_only",
                "reference",
                "choice",
            ),
        )
        choice_rows = self._optional(
            "sys_choice",
            encoded.ordered(
                encoded.both(encoded.any_of("name", wanted), encoded.equals("inactive", "false")),
                [("sequence", False)],
            ),
            ("name", "element", "value", "label", "dependent_value", "language"),
        )
        return await asyncio.gather(dictionary, choice_rows)

    async def _lineage(self, name: str) -> tuple[list[str], str]:
        """Return the table's name and those of what it extends, and its label."""
        lineage: list[str] = []
        known: dict[str, Record] = {}
        label, table = "", name
        while table and table not in lineage and len(lineage) < _DEEPEST:
            if table not in known:
                # The base comes along: mostly it is the only one that the table extends, and it is there.
                asked = encoded.any_of("name", list(dict.fromkeys((table, BASE_TABLE))))
                rows = await self._optional("sys_db_object", asked, ("name", "label", "super_class.name"))
                if not rows:
                    # Tables may not be looked up: the instance will say so itself when there is none.
                    return [*lineage, table, BASE_TABLE], label or _titled(name)
                known |= {row.get("name", ""): row for row in rows}
            row = known.get(table)
            if row is None:
                raise unknown_table(name)
            lineage.append(table)
            label = label or row.get("label", "")
            table = row.get("super_class.name", "")
        if BASE_TABLE not in lineage:
            raise RejectedError(
                f"{name} is a table of ServiceNow, but not one of tasks",
                fields={"project": f"{name} does not extend task"},
                remediation="Choose incident, change_request, sn_si_incident or another table that extends task.",
            )
        return lineage, label or _titled(name)

    async def task_tables(self) -> Sequence[tuple[str, str]]:
        """Return name and label of every table that extends task, by name; none where we may not look."""

        async def read() -> list[tuple[str, str]]:
            found: dict[str, str] = {}
            parents = [BASE_TABLE]
            for _ in range(_DEEPEST):
                rows = await self._optional(
                    "sys_db_object", encoded.any_of("super_class.name", parents), ("name", "label")
                )
                parents = [row["name"] for row in rows or () if row.get("name", "") not in {"", *found}]
                found.update({row["name"]: row.get("label", "") for row in rows or () if row.get("name")})
                if not parents:
                    break
            return sorted((name, label or _titled(name)) for name, label in found.items())

        return await self.remembered(("tables",), read)


def unknown_table(name: str) -> RejectedError:
    """Return the refusal of a table that is not there."""
    return RejectedError(
        f"ServiceNow has no table {name!r} that the integration's user can see",
        fields={"project": f"no table {name}"},
        remediation="Check the table's name, and that its plugin is installed.",
    )


def _titled(name: str) -> str:
    return name.replace("_", " ").capitalize()


def _columns(rows: Sequence[Record], lineage: Sequence[str]) -> dict[str, Column]:
    found: dict[str, Column] = {}
    # The most general table first, so that what a table says of itself wins.
    for table in reversed(lineage):
        for row in rows:
            if row.get("name") == table and row.get("element"):
                length = row.get("max_length", "")
                found[row["element"]] = Column(
                    name=row["element"],
                    label=row.get("column_label", "") or row["element"],
                    kind=row.get("internal_type", "") or "string",
                    max_length=int(length) if length.isdecimal() else 0,
                    mandatory=row.get("mandatory") == "true",
                    read_only=row.get("read_only") == "true",
                    reference=row.get("reference", ""),
                    choice=row.get("choice", "") in {"1", "2", "3"},
                )
    return found


def _choices(rows: Sequence[Record], lineage: Sequence[str]) -> dict[str, tuple[Choice, ...]]:
    """Return the choices by column; a table that has any of its own does not inherit its parent's."""
    found: dict[str, tuple[Choice, ...]] = {}
    for table in reversed(lineage):
        own: dict[str, list[Record]] = {}
        for row in rows:
            if row.get("name") == table:
                own.setdefault(row.get("element", ""), []).append(row)
        for element, entries in own.items():
            spoken = [row for row in entries if row.get("language", "") == _LANGUAGE] or entries
            by_value = {row.get("value", ""): row for row in spoken}
            found[element] = tuple(
                Choice(value, row.get("label", "") or value, row.get("dependent_value", ""))
                for value, row in by_value.items()
                if value
            )
    return found
