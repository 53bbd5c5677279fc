"""Writing records: drafts and patches as ServiceNow's columns, created once, changed only when unchanged since read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from callout.connectors.servicenow import columns, mapping
from callout.connectors.servicenow.audit import count_of
from callout.connectors.servicenow.client import SYS_ID, TableApi
from callout.connectors.servicenow.config import ServiceNowConfig
from callout.connectors.servicenow.meaning import same_words
from callout.connectors.servicenow.metadata import JOURNALS, Metadata, Table, unknown_table
from callout.connectors.servicenow.people import People
from callout.connectors.servicenow.records import Records
from callout.connectors.servicenow.transitions import Workflow, wanted_states
from callout.connectors.servicenow.values import write_custom
from callout.connectors.servicenow.wire import Record
from callout.ports.errors import (
    ConnectorError,
    OutcomeUnknownError,
    RecordNotFoundError,
    RejectedError,
    StaleRecordError,
)
from callout.ports.ticketing import Ticket, TicketDraft, TicketPatch
from callout.ports.values import Person

MAX_HOPS: Final = 8
_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Written:
    """A record as writes of ours left it. `count` is how often it was changed, had nobody else been there since the look at it."""

    record: Record
    count: int | None

    def next(self, record: Record) -> Written:
        """Return the record after one more write."""
        return Written(record, None if self.count is None else self.count + 1)

    @property
    def crowded(self) -> bool:
        """Whether somebody changed it between our look and our writes, or among them."""
        found = count_of(self.record)
        return found is not None and self.count is not None and found > self.count


class RecordWriter:
    """Creates and changes records."""

    def __init__(  # noqa: PLR0917  # what it works with, each of its own type
        self,
        config: ServiceNowConfig,
        api: TableApi,
        metadata: Metadata,
        people: People,
        records: Records,
        workflow: Workflow,
    ) -> None:
        self._config = config
        self._api = api
        self._metadata = metadata
        self._people = people
        self._records = records
        self._workflow = workflow

    async def place(self, project: str, issue_type: str) -> Table:
        """Return the table of a new ticket. Raises RejectedError.

        A type is a table too, by name or by label: it wins over the default table, and must not contradict a named one.
        """
        named = project or (self._config.default_project if not issue_type else "")
        kind = issue_type or ("" if named else self._config.default_issue_type)
        table = await self._metadata.table(_table_name(named)) if named else None
        if not kind or (table is not None and _is_called(table, kind)):
            return table or await self._metadata.table(self._records.default_table)
        other = await self._metadata.table(await self._table_called(kind))
        if table is None or table.name == self._config.default_project or other.extends(table.name):
            return other
        raise RejectedError(
            f"{kind} is the table {other.name}, not {table.name}",
            fields={"issue_type": f"records of {table.name} are {table.label}"},
            remediation="Leave out the type, or name the table that it means as the project.",
        )

    async def _table_called(self, kind: str) -> str:
        if _NAME.fullmatch(kind) and kind != "task":
            return kind
        for name, label in await self._metadata.task_tables():
            if same_words(label, kind):
                return name
        raise RejectedError(
            f"no table of tasks is called {kind!r}",
            fields={"issue_type": f"no table {kind}"},
            remediation="Name a table or its label, such as incident or Change Request.",
        )

    async def create(self, draft: TicketDraft) -> Ticket:
        """Create a record; the ticket's `unmapped` tells what could not be kept or set on the way.

        Raises:
            RejectedError: nothing was created.
            OutcomeUnknownError: it may have been created; look for the draft's key.
        """
        table = await self.place(draft.project, draft.issue_type)
        if draft.completion_date is not None:
            raise columns.sets_itself()
        if draft.status:
            wanted_states(draft.status, table)
        body, told = await self._draft_body(draft, table)
        labels = not table.readable
        record = await self._api.create(table.name, body, fields=self._records.fields, labels=labels)
        if not SYS_ID.fullmatch(record.get("sys_id", "")):
            raise OutcomeUnknownError("ServiceNow took a new record but did not say which it became")
        self._records.remember(record)
        if draft.status:
            # The record exists by now: trouble with its state is told beside it, not instead of it.
            try:
                made = await self._move(Written(record, None), table, draft.status, {}, {})
                record = made.record
            except ConnectorError as error:
                told["status"] = error.message
        # A new record has no files yet.
        ticket = self._records.mapped(record, await self._records.table_of(record))
        return replace(ticket, unmapped={**ticket.unmapped, **told}) if told else ticket

    async def _draft_body(self, draft: TicketDraft, table: Table) -> tuple[dict[str, str], dict[str, Any]]:
        values: dict[str, Any] = {
            name: value
            for name in (
                "title",
                "description",
                "priority",
                "assignee",
                "creator",
                "contact",
                "parent",
                "due_date",
            )
            if (value := getattr(draft, name)) not in (None, "")
        }
        if not draft.title.strip():
            raise RejectedError("a ticket needs a title", fields={"title": "empty"})
        if draft.creator is None and self._config.default_creator:
            values["creator"] = Person("", email=self._config.default_creator)
        told: dict[str, Any] = {}
        body: dict[str, str] = {}
        for name, value in values.items():
            body |= await self._columns(name, value, table, told)
        if draft.tags and self._config.tags_field:
            body[self._config.tags_field] = mapping.tags_text(draft.tags)
        elif draft.tags:
            told["not_kept"] = ["tags"]
        body |= self._custom(draft.custom_fields, table)
        if draft.key:
            body["correlation_id"] = mapping.correlation_of(draft.key)
            body["correlation_display"] = (
                draft.back_link if 0 < len(draft.back_link) <= mapping.KEY_LIMIT else mapping.PRODUCT
            )
        return body, told

    async def patch(self, ticket_id: str, patch: TicketPatch) -> Written:
        """Change the named columns and the state, in one write where the workflow takes one step.

        Raises:
            StaleRecordError: it is not what `expected_version` says.
            RejectedError: a value, a state or a missing field; says which.
        """
        # Who is named is looked up first, and remembered: nothing but the write comes after the look at the version.
        for name in ("assignee", "creator", "contact"):
            if patch.values.get(name) not in {None, ""}:
                value = patch.values[name]
                named = value if isinstance(value, Person) else Person(id=str(value))
                await self._people.sys_id(named, field=name)
        record = await self._records.read(ticket_id)
        if patch.expected_version and mapping.version_of(record) != patch.expected_version:
            raise StaleRecordError(
                f"{record.get('number')} was changed by somebody since it was read",
                remediation="Read it again and decide anew.",
            )
        table = await self._records.table_of(record)
        values = dict(patch.values)
        wanted = values.pop("status", None)
        if "status" in patch.values and not wanted:
            raise RejectedError("a record always has a state", fields={"status": "cannot be empty"})
        if values.get("priority") and columns.has_priority(record, table, values["priority"]):
            # Of several pairs of impact and urgency that make it, the one that people chose there stays.
            del values["priority"]
        body = await self._patch_body(values, table)
        begun = Written(record, count_of(record))
        if wanted:
            return await self._move(begun, table, str(wanted), body, patch.transition_fields)
        return await self._write(begun, table, body)

    async def _write(self, before: Written, table: Table, body: Mapping[str, str]) -> Written:
        # What the record has already is not written again, so that a repeat leaves no trace there.
        changed = {name: value for name, value in body.items() if before.record.get(name) != value}
        if not changed:
            return before
        record = await self._api.patch(
            table.name,
            before.record["sys_id"],
            changed,
            fields=self._records.fields,
            labels=not table.readable,
        )
        return before.next(record)

    async def _move(
        self, before: Written, table: Table, wanted: str, body: Mapping[str, str], given: Mapping[str, Any]
    ) -> Written:
        """Write the columns with the first step of the way to the wanted state, then take the others."""
        rest, made = dict(body), before
        for _ in range(MAX_HOPS):
            steps = await self._workflow.steps(made.record, table, wanted, given=given)
            if not steps:
                break
            for step in steps:
                made = await self._write(made, table, {**rest, **step})
                rest = {}
                if made.record.get("state") != step["state"]:
                    raise RejectedError(
                        f"{made.record.get('number')} did not take the state {wanted!r}",
                        fields={"status": f"stays {table.label_of('state', made.record)}"},
                        remediation="A rule of the instance kept it from changing: see the record's history there.",
                    )
        return await self._write(made, table, rest)

    async def _patch_body(self, values: Mapping[str, Any], table: Table) -> dict[str, str]:
        if "completion_date" in values:
            raise columns.sets_itself()
        if values.get("project") not in {None, "", table.name}:
            raise RejectedError(
                "ServiceNow does not move records to another table",
                fields={"project": f"is {table.name}"},
                remediation="Create a new ticket there, and relate the two in ServiceNow.",
            )
        kind = values.get("issue_type")
        if kind and not _is_called(table, str(kind)):
            raise RejectedError(
                "ServiceNow does not change what kind of task a record is",
                fields={"issue_type": f"is {table.label}"},
            )
        body: dict[str, str] = {}
        told: dict[str, Any] = {}
        for name in (
            "title",
            "description",
            "priority",
            "assignee",
            "creator",
            "contact",
            "parent",
            "due_date",
        ):
            if name in values:
                body |= await self._columns(name, values[name], table, told)
        if "tags" in values:
            body |= self._tags(values["tags"] or ())
        body |= self._custom(values.get("custom_fields") or {}, table)
        return body

    def _tags(self, tags: tuple[str, ...]) -> dict[str, str]:
        if self._config.tags_field:
            return {self._config.tags_field: mapping.tags_text(tags)}
        if not tags:
            return {}
        raise RejectedError(
            "ServiceNow's records have no tags of their own",
            fields={"tags": "no column"},
            remediation="Make a text column for them there and name it as tags_field of the integration.",
        )

    async def _columns(self, name: str, value: Any, table: Table, told: dict[str, Any]) -> dict[str, str]:  # noqa: ANN401
        """Return the columns that hold a field of ours."""
        if name == "title":
            return {"short_description": columns.title(str(value or ""), table)}
        if name == "description":
            return {"description": columns.description(str(value or ""), table, told)}
        if name == "priority":
            return columns.priority(value, table)
        if name == "due_date":
            return {"due_date": columns.due_date(value)}
        if name == "parent":
            return await self._parent(str(value or ""), table)
        return await self._person(name, value, table)

    async def _person(self, name: str, value: Any, table: Table) -> dict[str, str]:  # noqa: ANN401
        column = {"assignee": "assigned_to", "creator": "opened_by"}.get(name) or mapping.contact_column(
            table
        )
        if not column:
            raise RejectedError(
                f"{table.label} has no column for a contact", fields={name: f"not a column of {table.name}"}
            )
        if value in (None, ""):
            return {column: ""}
        wanted = value if isinstance(value, Person) else Person(id=str(value))
        return {column: await self._people.sys_id(wanted, field=name)}

    async def _parent(self, key: str, table: Table) -> dict[str, str]:
        names = [name for name in (*mapping.PARENTS, "parent") if table.has(name)]
        if not key:
            return dict.fromkeys(names, "")
        try:
            parent = await self._records.read(key)
        except RecordNotFoundError as error:
            raise RejectedError(
                f"there is no parent {key!r}", fields={"parent": f"no record {key}"}
            ) from error
        kind = await self._records.table_of(parent)
        for name in names:
            if name == "parent" or kind.extends(mapping.PARENTS[name]):
                return {name: parent["sys_id"]}
        return {"parent": parent["sys_id"]}

    def _custom(self, values: Mapping[str, Any], table: Table) -> dict[str, str]:
        paths = self._config.mappings_for(table.name)
        found: dict[str, str] = {}
        for name, value in values.items():
            path = paths.get(name)
            where = {f"custom_fields/{name}": "not mapped" if path is None else f"no column {path}"}
            if path is None:
                raise RejectedError(
                    f"no column is mapped as {name!r} for {table.name}",
                    fields=where,
                    remediation="Add it to custom_field_mappings of the integration.",
                )
            column = table.columns.get(path)
            journal = path in JOURNALS or (
                column is not None and column.kind in {"journal_input", "journal_list"}
            )
            if "." in path or journal:
                raise RejectedError(
                    f"{name}: {path} is read only here",
                    fields={f"custom_fields/{name}": "read only"},
                    remediation="Map a column of the record itself; comments and work notes are written as comments.",
                )
            if table.columns and column is None:
                # The instance would drop the value without a word.
                raise RejectedError(f"{name}: {table.name} has no column {path}", fields=where)
            found[path] = write_custom(value, column, table, name=name)
        return found


def _table_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise unknown_table(name)
    return name


def _is_called(table: Table, kind: str) -> bool:
    return kind == table.name or same_words(kind, table.label)
