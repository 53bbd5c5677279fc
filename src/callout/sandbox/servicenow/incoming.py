"""What a client wrote, as the instance keeps it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from callout.sandbox.servicenow.times import NotATimeError, from_display, read_time, stored

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from callout.sandbox.servicenow.instance import Instance
    from callout.sandbox.servicenow.model import Account, Column, Values

_SYS_ID_LENGTH = 32


@dataclass(slots=True)
class Draft:
    """A write: values by column, and journal entries as (element, text) in the order written."""

    values: Values = field(default_factory=dict)
    entries: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the writes of one account; `by_display` is `sysparm_input_display_value`."""

    instance: Instance
    account: Account
    utc: tzinfo
    by_display: bool = False

    def draft(self, table: str, body: Mapping[str, Any]) -> Draft:
        """Read a body. Unknown, read-only and computed columns are silently left out, as the platform does."""
        draft, columns = Draft(), self.instance.columns(table)
        for name, given in body.items():
            column = columns.get(name)
            if column is None or column.read_only or column.kind == "journal_list":
                continue
            value, by_display = self._plain(given)
            if column.journal:
                if value.strip():
                    draft.entries.append((name, value))
                continue
            if column.choice == 3 and not value:  # noqa: PLR2004 - a dropdown without "None"
                # from memory: a choice without an empty option cannot be cleared.
                continue
            kept = self._by_display(table, column, value) if by_display else self._raw(column, value)
            if kept is not None:
                draft.values[name] = kept[: column.max_length]
        return draft

    def _plain(self, given: Any) -> tuple[str, bool]:
        if isinstance(given, dict):
            if "value" in given:
                return self._plain(given["value"])[0], False
            return self._plain(given.get("display_value"))[0], True
        if isinstance(given, bool):
            return str(given).lower(), self.by_display
        return "" if given is None else str(given), self.by_display

    def _raw(self, column: Column, value: str) -> str | None:
        if column.time and value:
            try:
                return stored(read_time(value, self.utc))
            except NotATimeError:
                return None
        if column.kind == "boolean":
            return "true" if value.lower() in {"true", "1"} else "false"
        if column.kind == "integer" and not column.choice:
            return value if value.lstrip("-").isdecimal() or not value else None
        return value

    def _by_display(self, table: str, column: Column, value: str) -> str | None:
        if column.time and value:
            zone, form = self.instance.zone(self.account), self.instance.date_format(self.account)
            try:
                return from_display(value, zone, form)
            except NotATimeError:
                return None
        if column.kind == "reference" and value:
            return self._by_title(column.reference, value)
        if column.choice:
            choices = self.instance.choices(table, column.name).values()
            return next((row["value"] for row in choices if row["label"] == value), value)
        return self._raw(column, value)

    def _by_title(self, table: str, value: str) -> str:
        if len(value) == _SYS_ID_LENGTH and self.instance.find(table, value):
            return value
        # Names are not unique: the platform takes the first.
        rows = self.instance.all_rows(table)
        return next((row.sys_id for row in rows if self.instance.title(row) == value), "")
