"""Who may read and write what: tables, single records, single fields, journal entries by their audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.servicenow.errors import AclError

if TYPE_CHECKING:
    from callout.sandbox.servicenow.instance import Instance
    from callout.sandbox.servicenow.model import Account, Row

SECURITY_ROLES = ("sn_si.basic", "sn_si.analyst", "sn_si.admin")
STAFF_ROLES = ("itil", "itil_admin", "sn_incident_write", *SECURITY_ROLES)
CLOSING_ROLES = ("itil_admin",)
# What an administrator grants an integration, so that it may read the journal table and the choice lists.
GRANTED = "u_integration_read"
# from memory: which roles the platform's own tables ask for.
_READERS: dict[str, tuple[str, ...]] = {
    "sys_dictionary": ("personalize_dictionary", GRANTED),
    "sys_choice": ("personalize_choices", GRANTED),
    "sys_journal_field": (GRANTED,),
    "sys_db_object": ("personalize_dictionary", GRANTED),
    "sys_audit": (GRANTED,),
    "sys_audit_delete": (),
    "sys_properties": (),
    "sn_si_incident": SECURITY_ROLES,
    "change_request": STAFF_ROLES,
    "change_task": STAFF_ROLES,
    "problem": STAFF_ROLES,
}
_OWN = frozenset({"sys_audit", "sys_audit_delete", "sys_attachment", "sys_journal_field"})
"""What only the platform itself adds to."""
INTERNAL_FIELDS = frozenset({"work_notes", "comments_and_work_notes"})


class Rights:
    """The rights of one account on one instance."""

    def __init__(self, instance: Instance, account: Account) -> None:
        self._instance = instance
        self.account = account

    @property
    def staff(self) -> bool:
        """Whether the account works on tasks, and so sees work notes."""
        return self.account.has(*STAFF_ROLES)

    def reads_table(self, table: str) -> bool:
        """Whether any record of a table may be read."""
        return table not in _READERS or self.account.has(*_READERS[table])

    def reads(self, row: Row) -> bool:
        """Whether a record may be read: people without a role see the tasks that concern them."""
        if not self.reads_table(row.table):
            return False
        if row.table == "sys_journal_field":
            return self._reads_entry(row)
        if row.table == "sys_attachment":
            parent = self._instance.find(row["table_name"], row["table_sys_id"])
            return parent is None or self.reads(parent)
        if not self._instance.descends(row.table, "task") or self.staff:
            return True
        mine = {row["caller_id"], row["opened_by"], *row["watch_list"].split(",")}
        return self.account.sys_id in mine

    def _reads_entry(self, entry: Row) -> bool:
        if entry["element"] in INTERNAL_FIELDS and not self.staff:
            return False
        parent = self._instance.find("task", entry["element_id"])
        return parent is None or self.reads(parent)

    def reads_field(self, name: str) -> bool:
        """Whether a field is shown at all."""
        return self.staff or name not in INTERNAL_FIELDS

    def check_insert(self, table: str) -> None:
        """Raises AclError unless a record may be made."""
        allowed = self._writes_table(table) or table == "incident"
        if not allowed or table in _OWN:
            raise AclError("Insert")

    def check_update(self, row: Row) -> None:
        """Raises AclError unless a record may be changed."""
        if not self._writes_table(row.table) and not self.adds_comments_only(row):
            raise AclError("Update")

    def adds_comments_only(self, row: Row) -> bool:
        """Whether all the account may do to a record is to comment on it."""
        return not self.staff and row.table == "incident" and self.reads(row)

    def check_delete(self, row: Row) -> None:
        """Raises AclError unless a record may be deleted."""
        roles = CLOSING_ROLES if self._instance.descends(row.table, "task") else ()
        if not self.account.has(*roles):
            raise AclError("Delete")

    def _writes_table(self, table: str) -> bool:
        if not self._instance.descends(table, "task"):
            return self.account.has()
        return self.account.has(*(SECURITY_ROLES if table == "sn_si_incident" else STAFF_ROLES))
