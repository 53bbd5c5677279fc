"""What people do in ServiceNow's own pages, on the twin's control path. Each act runs the business rules."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from callout.sandbox.core.twin import ActError
from callout.sandbox.servicenow.choices import Phase
from callout.sandbox.servicenow.errors import InstanceError
from callout.sandbox.servicenow.rendering import Rendering
from callout.sandbox.servicenow.rights import Rights
from callout.sandbox.servicenow.rules import state_for
from callout.sandbox.servicenow.seed import ADMIN, ANN, MIA

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callout.sandbox.servicenow.instance import Instance
    from callout.sandbox.servicenow.model import Account, JsonObject, Row
    from callout.sandbox.servicenow.records import Records

# Who does it when nobody is named: Ann may not close, and only an administrator deletes or edits choices.
_USUAL = {
    "close": MIA,
    "delete_record": ADMIN,
    "change_choice_label": ADMIN,
    "add_choice": ADMIN,
}


class Acts:
    """The acts of one instance. `as` names the person by user name; `record` is a number or sys_id."""

    def __init__(self, records: Records, base: str) -> None:
        self._records = records
        self._instance: Instance = records.instance
        self._base = base

    def perform(self, action: str, body: JsonObject) -> JsonObject:
        """Carry out one act; returns the record's raw values as they are afterwards, and what was made.

        Raises:
            ActError: unknown act, a missing argument, or a refusal by the instance.
        """
        act = self._acts().get(action)
        if act is None:
            raise ActError(f"servicenow has no act {action!r}; there are: {', '.join(sorted(self._acts()))}")
        account = self._instance.accounts.get(str(body.get("as", _USUAL.get(action, ANN))))
        if account is None:
            raise ActError(f"nobody is called {body['as']!r}")
        try:
            return act(body, account)
        except InstanceError as error:
            raise ActError(str(error)) from error
        except KeyError as error:
            raise ActError(f"{action} needs {error}") from error

    def _acts(self) -> Mapping[str, Callable[[JsonObject, Account], JsonObject]]:
        return {
            "create_record": self.create_record,
            "edit_record": self.edit_record,
            "comment": self.comment,
            "work_note": self.work_note,
            "resolve": self.resolve,
            "close": self.close,
            "reopen": self.reopen,
            "delete_record": self.delete_record,
            "attach": self.attach,
            "change_choice_label": self.change_choice_label,
            "add_choice": self.add_choice,
        }

    def _row(self, body: JsonObject) -> Row:
        wanted = str(body["record"])
        for row in self._instance.all_rows(str(body.get("table", "task"))):
            if wanted in {row.sys_id, row["number"]}:
                return row
        raise ActError(f"no record {wanted!r}")

    def _result(self, row: Row, account: Account, **more: Any) -> JsonObject:
        shown = Rendering(self._instance, Rights(self._instance, account), self._base, "false", links=False)
        return {"table": row.table, **shown.record(row), **more}

    def _update(
        self, row: Row, values: JsonObject, account: Account, *, by_display: bool = False
    ) -> JsonObject:
        self._records.update(row, values, account=account, by_display=by_display)
        return self._result(row, account)

    def create_record(self, body: JsonObject, account: Account) -> JsonObject:
        """`{table?, fields, by_display?}`: an incident unless `table` says otherwise."""
        table = str(body.get("table", "incident"))
        by_display = body.get("by_display") is True
        row = self._records.insert(table, body["fields"], account=account, by_display=by_display)
        return self._result(row, account)

    def edit_record(self, body: JsonObject, account: Account) -> JsonObject:
        """`{record, fields, by_display?}`."""
        by_display = body.get("by_display") is True
        return self._update(self._row(body), body["fields"], account, by_display=by_display)

    def comment(self, body: JsonObject, account: Account) -> JsonObject:
        """`{record, text}`: an additional comment, which the customer sees."""
        return self._update(self._row(body), {"comments": body["text"]}, account)

    def work_note(self, body: JsonObject, account: Account) -> JsonObject:
        """`{record, text}`: internal."""
        return self._update(self._row(body), {"work_notes": body["text"]}, account)

    def _finish(self, body: JsonObject, account: Account, phase: Phase) -> JsonObject:
        row = self._row(body)
        codes = list(self._instance.choices(row.table, "close_code"))
        usual = "Solution provided" if "Solution provided" in codes else next(iter(codes), "")
        values = {
            "state": state_for(self._instance, row.table, phase),
            "close_code": body.get("close_code") or row["close_code"] or usual,
            "close_notes": body.get("close_notes") or row["close_notes"] or "Done.",
        }
        return self._update(row, values, account)

    def resolve(self, body: JsonObject, account: Account) -> JsonObject:
        """`{record, close_code?, close_notes?}`."""
        return self._finish(body, account, Phase.RESOLVED)

    def close(self, body: JsonObject, account: Account) -> JsonObject:
        """`{record, close_code?, close_notes?}`."""
        return self._finish(body, account, Phase.CLOSED)

    def reopen(self, body: JsonObject, account: Account) -> JsonObject:
        """`{record}`: back to work."""
        row = self._row(body)
        return self._update(row, {"state": state_for(self._instance, row.table, Phase.WORK)}, account)

    def delete_record(self, body: JsonObject, account: Account) -> JsonObject:
        """`{record, table?}`."""
        row = self._row(body)
        self._records.delete(row, account=account)
        return {"table": row.table, "sys_id": row.sys_id, "number": row["number"]}

    def attach(self, body: JsonObject, account: Account) -> JsonObject:
        """`{record, filename, text | base64, content_type?}`."""
        row = self._row(body)
        try:
            content = base64.b64decode(body["base64"]) if "base64" in body else str(body["text"]).encode()
        except binascii.Error as error:
            raise ActError(f"base64: {error}") from error
        kind = str(body.get("content_type", "application/octet-stream"))
        made = self._records.attach(
            row.table, row.sys_id, str(body["filename"]), content, content_type=kind, account=account
        )
        return self._result(row, account, attachment=made.sys_id)

    def change_choice_label(self, body: JsonObject, account: Account) -> JsonObject:
        """`{table, element, value, label}`."""
        for row in self._instance.rows["sys_choice"].values():
            if (row["name"], row["element"], row["value"]) == (body["table"], body["element"], body["value"]):
                return self._update(row, {"label": body["label"]}, account)
        raise ActError(f"{body['table']}.{body['element']} has no choice {body['value']!r}")

    def add_choice(self, body: JsonObject, account: Account) -> JsonObject:
        """`{table, element, value, label, sequence?}`: a table's first own choice replaces its parent's set."""
        fields = {
            "name": body["table"],
            "element": body["element"],
            "value": body["value"],
            "label": body["label"],
            "sequence": str(body.get("sequence", 1000)),
            "language": "en",
        }
        row = self._records.insert("sys_choice", fields, account=account)
        return self._result(row, account)
