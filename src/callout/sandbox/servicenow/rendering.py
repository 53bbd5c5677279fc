"""Records as the REST APIs show them: raw, by display value, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from callout.sandbox.servicenow.query_matching import walk
from callout.sandbox.servicenow.times import displayed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callout.sandbox.servicenow.instance import Instance
    from callout.sandbox.servicenow.model import Column, JsonObject, Row
    from callout.sandbox.servicenow.rights import Rights

Mode = Literal["false", "true", "all"]
_JOURNALS = frozenset({"journal_input", "journal_list"})
_ELEMENT_LABELS = {"comments": "Additional comments", "work_notes": "Work notes"}


@dataclass(frozen=True, slots=True)
class Rendering:
    """How one caller wants records.

    Args:
        base: absolute URL of the instance, for links.
        links: whether references carry a link.
    """

    instance: Instance
    rights: Rights
    base: str
    mode: Mode = "false"
    links: bool = True

    def record(self, row: Row, fields: Sequence[str] | None = None, *, table: str = "") -> JsonObject:
        """A record; with `fields` only those, dot-walks included, unknown names left out."""
        columns = self.instance.columns(table or row.table)
        shown: JsonObject = {}
        for path in columns if fields is None else fields:
            _, holder, name = walk(self.instance, row, path)
            if "." not in path and path not in columns and path not in self.instance.columns(row.table):
                continue
            if holder is None:
                shown[path] = self._shape("", "")
                continue
            column = self.instance.columns(holder.table).get(name)
            if column is not None and self.rights.reads_field(name):
                shown[path] = self.value(holder, column)
        return shown

    def value(self, row: Row, column: Column) -> str | JsonObject:
        """One field of a record."""
        raw = "" if column.kind in _JOURNALS else row[column.name]
        shown = raw if self.mode == "false" else self.display(row, column)
        if column.kind != "reference" or not raw:
            return self._shape(raw, shown)
        if not self.links:
            return self._shape(raw, shown)
        link = f"{self.base}/api/now/table/{column.reference}/{raw}"
        if self.mode == "false":
            return {"link": link, "value": raw}
        if self.mode == "true":
            return {"display_value": shown, "link": link}
        return {"display_value": shown, "link": link, "value": raw}

    def _shape(self, raw: str, shown: str) -> str | JsonObject:
        if self.mode == "all":
            return {"display_value": shown, "value": raw}
        return shown if self.mode == "true" else raw

    def display(self, row: Row, column: Column) -> str:
        """What a person sees in a field."""
        raw = row[column.name]
        if column.kind in _JOURNALS:
            return self._entries(row, (column.name,) if column.journal else tuple(_ELEMENT_LABELS))
        if column.time:
            account = self.rights.account
            return displayed(raw, self.instance.zone(account), self.instance.date_format(account))
        if column.reference:
            # An address in a list that is no user stays as it was typed.
            titles = [(self._title(column.reference, one), one) for one in raw.split(",") if one]
            return ", ".join(title or (one if column.kind == "glide_list" else "") for title, one in titles)
        return self._label(row, column, raw)

    def _label(self, row: Row, column: Column, raw: str) -> str:
        if column.kind == "sys_class_name" and raw in self.instance.tables:
            return self.instance.tables[raw].label
        chosen = self.instance.choices(row.table, column.name).get(raw) if column.choice and raw else None
        return chosen["label"] if chosen else raw

    def _title(self, table: str, sys_id: str) -> str:
        found = self.instance.find(table, sys_id) if table in self.instance.tables else None
        return self.instance.title(found) if found else ""

    def _entries(self, row: Row, elements: Sequence[str]) -> str:
        """All entries in one text, newest first, each below a line of time, author and audience."""
        account = self.rights.account
        zone, form = self.instance.zone(account), self.instance.date_format(account)
        written = []
        for entry in reversed(self.instance.journal_of(row.sys_id)):
            if entry["element"] not in elements or not self.rights.reads_field(entry["element"]):
                continue
            author = self.instance.person(entry["sys_created_by"])
            name = author["name"] if author else entry["sys_created_by"]
            when = displayed(entry["sys_created_on"], zone, form)
            written.append(f"{when} - {name} ({_ELEMENT_LABELS[entry['element']]})\n{entry['value']}\n\n")
        return "".join(written)
