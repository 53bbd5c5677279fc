"""What an instance offers to mappings: tables as projects and types, columns, states, choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from callout.connectors.servicenow.meaning import priority_of
from callout.connectors.servicenow.metadata import Column, Metadata, Table
from callout.connectors.servicenow.records import Records
from callout.connectors.servicenow.transitions import options
from callout.connectors.servicenow.writer import RecordWriter
from callout.kit.cursor import decode_cursor, encode_cursor
from callout.ports.errors import InvalidRequestError
from callout.ports.ticketing import FieldCatalogue, FieldOption, Page, Project, RemoteField

_SCOPE: Final = "servicenow tables"
_KINDS: Final[Mapping[str, str]] = {
    "string": "string",
    "integer": "number",
    "longint": "number",
    "decimal": "number",
    "float": "number",
    "boolean": "boolean",
    "glide_date_time": "datetime",
    "glide_date": "datetime",
    "due_date": "datetime",
    "glide_list": "array",
    "html": "string",
    "email": "string",
    "url": "string",
    "journal_input": "string",
}
_CARRIES: Final[Mapping[str, str]] = {
    "short_description": "title",
    "description": "description",
    "assigned_to": "assignee",
    "opened_by": "creator",
    "priority": "priority",
    "due_date": "due_date",
    "parent": "parent",
}
REQUIRED: Final = frozenset({"short_description"})
"""What we never leave out, whatever the dictionary says."""


class Catalogue:
    """Describes one instance."""

    def __init__(self, metadata: Metadata, records: Records, writer: RecordWriter) -> None:
        self._metadata = metadata
        self._records = records
        self._writer = writer

    async def _tables(self) -> list[tuple[str, str]]:
        found = dict(await self._metadata.task_tables())
        if self._records.default_table not in found:
            found[self._records.default_table] = (
                await self._metadata.table(self._records.default_table)
            ).label
        return sorted(found.items())

    async def projects(self, *, limit: int, cursor: str) -> Page[Project]:
        """Return one page of the tables that hold tasks, by name. Raises InvalidRequestError for a foreign cursor."""
        if limit < 1:
            raise InvalidRequestError("limit must be at least 1", fields={"limit": "at least 1"})
        after = ""
        if cursor:
            try:
                after = str(decode_cursor(cursor, scope=_SCOPE)["after"])
            except (ValueError, KeyError) as error:
                raise InvalidRequestError(
                    "this is not a cursor of this list", fields={"cursor": "not valid"}
                ) from error
        left = [(name, label) for name, label in await self._tables() if name > after]
        page = left[:limit]
        following = encode_cursor({"after": page[-1][0]}, scope=_SCOPE) if len(left) > limit else ""
        return Page([Project(name, label) for name, label in page], following)

    async def remote_fields(self) -> Sequence[RemoteField]:
        """Return every column of the default table."""
        table = await self._metadata.table(self._records.default_table)
        return _fields(table)

    async def of(self, project: str, issue_type: str) -> FieldCatalogue:
        """Return what one table needs and offers. Raises RejectedError for an unknown one."""
        table = await self._writer.place(project, issue_type)
        return FieldCatalogue(
            project=table.name,
            issue_type=table.label,
            fields=_fields(table),
            statuses=tuple((state.label, state.category) for state in table.states),
            priorities=_priorities(table),
            issue_types=tuple(FieldOption(name, label) for name, label in await self._tables()),
        )


def _fields(table: Table) -> tuple[RemoteField, ...]:
    return tuple(_field(column, table) for column in sorted(table.columns.values(), key=lambda c: c.name))


def _field(column: Column, table: Table) -> RemoteField:
    kind = _KINDS.get(column.kind, "other")
    if column.choice:
        kind = "enum"
    elif column.reference == "sys_user" and column.kind == "reference":
        kind = "user"
    own = column.name.startswith(("u_", "x_"))
    carries = _CARRIES.get(column.name, "")
    return RemoteField(
        id=column.name,
        name=column.label,
        path=column.name,
        kind=kind,
        scope="integration_custom" if own else "standard",
        project_id=table.name,
        required=(column.mandatory or column.name in REQUIRED) and not column.read_only,
        options=_priorities(table) if carries == "priority" else options(table, column.name),
        carries=carries,
        limit=column.max_length if carries in {"title", "description"} else 0,
        plain=carries == "description",
    )


def _priorities(table: Table) -> tuple[FieldOption, ...]:
    found = options(table, "priority")
    return tuple(
        replace(option, means=priority_of(option.name, place, len(found)) or "")
        for place, option in enumerate(found)
    )
