"""Writing records: rights, rules, system fields, journal, ledger, and the events that leave the instance."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from callout.sandbox.servicenow.errors import InstanceError, InvalidRequestError, NoRecordError
from callout.sandbox.servicenow.incoming import Draft, Reader
from callout.sandbox.servicenow.rights import Rights
from callout.sandbox.servicenow.rules import Write, apply, defaults
from callout.sandbox.servicenow.times import stored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callout.sandbox.servicenow.instance import Instance
    from callout.sandbox.servicenow.model import Account, JsonObject, Row, Values

Operation = Literal["insert", "update", "delete"]
AUDIENCES = {"comments": "customer", "work_notes": "internal"}


class Entry(NamedTuple):
    """A journal entry that was just written."""

    element: str
    value: str
    sys_id: str


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """A write that happened: what our business rule is told."""

    operation: Operation
    table: str
    sys_id: str
    values: Values
    changed: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()


@dataclass(slots=True)
class Records:
    """The writes of one instance.

    Args:
        record: called with ledger kind, user name, record and facts at the very change of state.
        publish: called with every event, right after the state changed.
    """

    instance: Instance
    record: Callable[[str, str, Row, JsonObject], None]
    publish: Callable[[RecordEvent], None]

    def find(self, table: str, sys_id: str, account: Account) -> Row:
        """A record that the account may read. Raises NoRecordError, InvalidRequestError."""
        self.instance.table(table)
        row = self.instance.find(table, sys_id)
        if row is None or not Rights(self.instance, account).reads(row):
            raise NoRecordError
        return row

    def insert(
        self, table: str, body: Mapping[str, Any], *, account: Account, by_display: bool = False
    ) -> Row:
        """Make a record. Raises InstanceError."""
        self.instance.table(table)
        Rights(self.instance, account).check_insert(table)
        draft = self._readable(Reader(self.instance, account, UTC, by_display).draft(table, body), account)
        fresh = {name: column.default for name, column in self.instance.columns(table).items()}
        values = {**fresh, **defaults(self.instance, table), **draft.values}
        if "caller_id" in values and not Rights(self.instance, account).staff:
            values["caller_id"] = values["caller_id"] or account.sys_id
        write = Write(self.instance, account, table, None, values, [name for name, _ in draft.entries])
        apply(write)
        if "number" in values and not values["number"]:
            values["number"] = self.instance.next_number(table)
        row = self.instance.create(table, values, by=account.user_name)
        written = tuple(name for name in draft.values if row[name])
        self.record("record.create", account.user_name, row, {"fields": list(written)})
        entries = self._journal(row, draft, account)
        self.publish(RecordEvent("insert", row.table, row.sys_id, row.values, written, entries))
        return row

    def update(
        self,
        row: Row,
        body: Mapping[str, Any],
        *,
        account: Account,
        by_display: bool = False,
        by_approval: bool = False,
    ) -> Row:
        """Change a record. A write that changes nothing leaves no trace. Raises InstanceError."""
        rights = Rights(self.instance, account)
        rights.check_update(row)
        draft = self._readable(
            Reader(self.instance, account, UTC, by_display).draft(row.table, body), account
        )
        if rights.adds_comments_only(row):
            draft.values.clear()
        old = row.values
        values = {**old, **draft.values}
        elements = [name for name, _ in draft.entries]
        apply(Write(self.instance, account, row.table, old, values, elements, by_approval))
        changed = tuple(name for name in values if values[name] != old.get(name, ""))
        if not changed and not draft.entries:
            return row
        self._touch(row, values, account)
        if changed:
            self._audit(row, old, changed, account)
            facts = {"fields": list(changed), "values": {name: values[name] for name in changed}}
            self.record("record.update", account.user_name, row, facts)
        entries = self._journal(row, draft, account)
        self.publish(RecordEvent("update", row.table, row.sys_id, row.values, changed, entries))
        return row

    def delete(self, row: Row, *, account: Account) -> None:
        """Delete a record with its attachments. Raises AclError."""
        Rights(self.instance, account).check_delete(row)
        attachments = self.instance.rows["sys_attachment"].values()
        for one in [a for a in attachments if a["table_sys_id"] == row.sys_id]:
            self.instance.drop(one)
        self.instance.drop(row)
        gone = {"tablename": row.table, "documentkey": row.sys_id, "display_value": self.instance.title(row)}
        self.instance.create("sys_audit_delete", gone, by=account.user_name)
        self.record("record.delete", account.user_name, row, {"fields": []})
        self.publish(RecordEvent("delete", row.table, row.sys_id, row.values))

    def attach(
        self, table: str, sys_id: str, name: str, content: bytes, *, content_type: str, account: Account
    ) -> Row:
        """Attach a file. Raises NoRecordError, InstanceError 413."""
        if not name:
            raise InvalidRequestError("Invalid file_name", "file_name is required")
        parent = self.find(table, sys_id, account)
        if len(content) > self.instance.settings.upload_limit:
            # from memory: status and words of the refusal.
            raise InstanceError(
                413, "Request Entity Too Large", "The file exceeds the maximum attachment size"
            )
        values = {
            "file_name": name,
            "content_type": content_type,
            "size_bytes": str(len(content)),
            "size_compressed": str(len(content)),
            "table_name": parent.table,
            "table_sys_id": sys_id,
            "hash": hashlib.sha256(content).hexdigest(),
        }
        row = self.instance.create("sys_attachment", values, by=account.user_name)
        self.instance.blobs[row.sys_id] = content
        facts = {
            "attachment": row.sys_id,
            "file_name": name,
            "size_bytes": len(content),
            "hash": values["hash"],
        }
        self.record("attachment.add", account.user_name, parent, facts)
        return row

    def detach(self, row: Row, *, account: Account) -> None:
        """Remove an attachment. Raises AclError unless it is one's own, or one administers."""
        if row["sys_created_by"] != account.user_name:
            Rights(self.instance, account).check_delete(row)
        self.instance.drop(row)
        facts = {"attachment": row.sys_id, "file_name": row["file_name"]}
        parent = self.instance.find(row["table_name"], row["table_sys_id"]) or row
        self.record("attachment.delete", account.user_name, parent, facts)

    def _readable(self, draft: Draft, account: Account) -> Draft:
        # A field one may not see one may not write; the platform says nothing about it.
        rights = Rights(self.instance, account)
        draft.entries = [entry for entry in draft.entries if rights.reads_field(entry[0])]
        return draft

    def _touch(self, row: Row, values: Values, account: Account) -> None:
        values["sys_updated_on"] = stored(self.instance.now())
        values["sys_updated_by"] = account.user_name
        values["sys_mod_count"] = str(int(values["sys_mod_count"] or 0) + 1)
        self.instance.put(row, values)

    def _audit(self, row: Row, old: Values, changed: tuple[str, ...], account: Account) -> None:
        for name in changed:
            values = {
                "tablename": row.table,
                "documentkey": row.sys_id,
                "fieldname": name,
                "oldvalue": old.get(name, ""),
                "newvalue": row[name],
                "user": account.user_name,
                "record_checkpoint": row["sys_mod_count"],
            }
            self.instance.create("sys_audit", values, by=account.user_name)

    def _journal(self, row: Row, draft: Draft, account: Account) -> tuple[Entry, ...]:
        made = []
        for element, text in draft.entries:
            values = {"name": row.table, "element_id": row.sys_id, "element": element, "value": text}
            entry = self.instance.create("sys_journal_field", values, by=account.user_name)
            made.append(Entry(element, text, entry.sys_id))
            facts = {
                "element": element,
                "audience": AUDIENCES[element],
                "value": text,
                "journal": entry.sys_id,
                "fields": [element],
            }
            self.record("journal.add", account.user_name, row, facts)
        return tuple(made)
