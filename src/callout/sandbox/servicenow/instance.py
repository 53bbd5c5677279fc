"""The state of one instance, and the look-ups everything else is built on. Knows no rights and no rules."""

from __future__ import annotations

import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callout.sandbox.servicenow.errors import InvalidRequestError
from callout.sandbox.servicenow.model import Account, Column, Row, TableKind, Values
from callout.sandbox.servicenow.times import stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from callout.sandbox.servicenow.choices import ChoiceProfile
    from callout.sandbox.servicenow.settings import Settings

KEPT_DELETIONS = 1000


@dataclass(slots=True)
class Instance:
    """Everything the instance holds; `now` is the twin's clock, aware UTC."""

    now: Callable[[], datetime]
    settings: Settings
    profile: ChoiceProfile
    tables: dict[str, TableKind] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    rows: dict[str, dict[str, Row]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    deleted: deque[Row] = field(default_factory=lambda: deque(maxlen=KEPT_DELETIONS))
    _columns: dict[str, dict[str, Column]] = field(default_factory=dict)
    _numbers: dict[str, int] = field(default_factory=dict)
    _choices: dict[tuple[str, str], dict[str, Row]] = field(default_factory=dict)
    # Journal entries by record, oldest first: a record may have many, and the table thousands.
    _journals: dict[str, list[Row]] = field(default_factory=dict)

    # Tables.

    def define(self, kind: TableKind) -> None:
        """Add a table; its parent must be there."""
        self.tables[kind.name] = kind
        inherited = self._columns[kind.parent] if kind.parent else {}
        self._columns[kind.name] = {**inherited, **{column.name: column for column in kind.columns}}
        self.rows[kind.name] = {}

    def table(self, name: str) -> TableKind:
        """A table by name. Raises InvalidRequestError."""
        if name not in self.tables:
            raise InvalidRequestError(f"Invalid table {name}")
        return self.tables[name]

    def columns(self, table: str) -> dict[str, Column]:
        """The columns of a table, inherited ones first."""
        return self._columns[table]

    def lineage(self, table: str) -> Iterator[str]:
        """The table, its parent, and so on up."""
        while table:
            yield table
            table = self.tables[table].parent

    def descends(self, table: str, ancestor: str) -> bool:
        """Whether a table is another or extends it."""
        return ancestor in self.lineage(table)

    # Records.

    def all_rows(self, table: str, *, as_of: float | None = None) -> Iterator[Row]:
        """The records of a table and of those that extend it; as they were at a moment if one is given."""
        names = [name for name in self.tables if self.descends(name, table)]
        for name in names:
            for row in self.rows[name].values():
                seen = row if as_of is None or row.past[-1][0] <= as_of else row.as_of(as_of)
                if seen is not None:
                    yield seen
        if as_of is not None:
            gone = (row.as_of(as_of) for row in self.deleted if row.table in names)
            yield from (row for row in gone if row is not None)

    def find(self, table: str, sys_id: str) -> Row | None:
        """A record of a table, or of one that extends it, by sys_id."""
        own = self.rows[table].get(sys_id) if table in self.rows else None
        if own is not None:
            return own
        for name in self.tables:
            if name != table and self.descends(name, table) and sys_id in self.rows[name]:
                return self.rows[name][sys_id]
        return None

    def put(self, row: Row, values: Values) -> None:
        """Give a record new values, and remember the old ones."""
        row.values = values
        row.past.append((self.now().timestamp(), values))
        self.rows[row.table][row.sys_id] = row
        self._changed(row)

    def drop(self, row: Row) -> None:
        """Take a record out."""
        row.past.append((self.now().timestamp(), None))
        del self.rows[row.table][row.sys_id]
        self.deleted.append(row)
        self.blobs.pop(row.sys_id, None)
        self._changed(row)

    def _changed(self, row: Row) -> None:
        if row.table == "sys_choice":
            self._choices.clear()
        elif row.table == "sys_journal_field":
            entries = self._journals.setdefault(row["element_id"], [])
            entries[:] = [entry for entry in entries if entry.sys_id != row.sys_id]
            if row.sys_id in self.rows[row.table]:
                entries.append(row)

    def create(self, table: str, values: Values, *, by: str, sys_id: str = "") -> Row:
        """Put a record in as it is, with defaults and system fields; no rights, no rules."""
        moment, ident = stored(self.now()), sys_id or uuid.uuid4().hex
        made = {name: column.default for name, column in self.columns(table).items()}
        made |= {name: value for name, value in values.items() if name in made}
        made |= {
            "sys_id": ident,
            "sys_created_on": moment,
            "sys_created_by": by,
            "sys_updated_on": moment,
            "sys_updated_by": by,
            "sys_mod_count": "0",
        }
        if "sys_class_name" in made:
            made["sys_class_name"] = table
        row = Row(table, ident, {})
        self.put(row, made)
        return row

    def next_number(self, table: str) -> str:
        """The next number of a table, `INC0010001`; empty where records are not numbered."""
        kind = self.tables[table]
        if not kind.prefix:
            return ""
        number = self._numbers.get(table, kind.first_number)
        self._numbers[table] = number + 1
        return f"{kind.prefix}{number:07d}"

    def title(self, row: Row) -> str:
        """What a record is called where something refers to it."""
        return row[self.tables[row.table].display]

    def journal_of(self, sys_id: str) -> list[Row]:
        """The journal entries of a record, oldest first."""
        return list(self._journals.get(sys_id, ()))

    # Choices, properties, people.

    def choices(self, table: str, element: str) -> dict[str, Row]:
        """The active choices of a column by value: the table's own set, or else its parent's."""
        key = (table, element)
        if key not in self._choices:
            self._choices[key] = self._read_choices(table, element)
        return self._choices[key]

    def _read_choices(self, table: str, element: str) -> dict[str, Row]:
        rows = [
            row
            for row in self.rows["sys_choice"].values()
            if row["element"] == element and row["inactive"] != "true" and row["language"] == "en"
        ]
        for name in self.lineage(table):
            own = [row for row in rows if row["name"] == name]
            if own:
                return {row["value"]: row for row in sorted(own, key=lambda row: int(row["sequence"] or 0))}
        return {}

    def property(self, name: str, default: str = "") -> str:
        """A system property."""
        rows = self.rows["sys_properties"].values()
        return next((row["value"] for row in rows if row["name"] == name), default)

    def zone(self, account: Account) -> ZoneInfo:
        """The user's time zone, or else the instance's."""
        row = self.rows["sys_user"].get(account.sys_id)
        name = (row["time_zone"] if row else "") or self.property("glide.sys.default.tz", "GMT")
        try:
            return ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("GMT")

    def date_format(self, account: Account) -> str:
        """The user's date format, or else the instance's."""
        row = self.rows["sys_user"].get(account.sys_id)
        return (row["date_format"] if row else "") or self.property("glide.sys.date_format", "yyyy-MM-dd")

    def person(self, user_name: str) -> Row | None:
        """A user's record by user name."""
        return next((row for row in self.rows["sys_user"].values() if row["user_name"] == user_name), None)
