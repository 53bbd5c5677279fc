"""The tables of the instance and their columns."""

from __future__ import annotations

from callout.sandbox.servicenow.model import Column, TableKind

SHORT_DESCRIPTION_LENGTH = 160
TEXT_LENGTH = 4000


def _text(name: str, label: str, length: int = 100, *, mandatory: bool = False) -> Column:
    return Column(name, label, max_length=length, mandatory=mandatory)


def _choice(name: str, label: str, default: str = "", *, none: bool = False, kind: str = "string") -> Column:
    return Column(name, label, kind, choice=1 if none else 3, default=default)


def _number_choice(name: str, label: str, default: str = "", *, none: bool = False) -> Column:
    return _choice(name, label, default, none=none, kind="integer")


def _ref(name: str, label: str, table: str) -> Column:
    return Column(name, label, "reference", max_length=32, reference=table)


def _time(name: str, label: str, *, read_only: bool = False) -> Column:
    return Column(name, label, "glide_date_time", read_only=read_only)


def _flag(name: str, label: str, default: str = "false") -> Column:
    return Column(name, label, "boolean", default=default)


def _journal(name: str, label: str) -> Column:
    return Column(name, label, "journal_input", max_length=TEXT_LENGTH)


def _count(name: str, label: str, default: str = "0") -> Column:
    return Column(name, label, "integer", default=default)


SYSTEM = (
    Column("sys_id", "Sys ID", "GUID", max_length=32, read_only=True),
    _time("sys_created_on", "Created", read_only=True),
    Column("sys_created_by", "Created by", read_only=True),
    _time("sys_updated_on", "Updated", read_only=True),
    Column("sys_updated_by", "Updated by", read_only=True),
    Column("sys_mod_count", "Updates", "integer", read_only=True),
)

TASK = TableKind(
    "task",
    "Task",
    (
        *SYSTEM,
        Column("sys_class_name", "Task type", "sys_class_name", max_length=80, read_only=True),
        _text("number", "Number", 40),
        _text("short_description", "Short description", SHORT_DESCRIPTION_LENGTH),
        _text("description", "Description", TEXT_LENGTH),
        _number_choice("state", "State", "1"),
        _number_choice("impact", "Impact", "3"),
        _number_choice("urgency", "Urgency", "3"),
        _number_choice("priority", "Priority", "4"),
        _flag("active", "Active", "true"),
        _ref("assigned_to", "Assigned to", "sys_user"),
        _ref("assignment_group", "Assignment group", "sys_user_group"),
        _ref("opened_by", "Opened by", "sys_user"),
        _time("opened_at", "Opened"),
        _ref("closed_by", "Closed by", "sys_user"),
        _time("closed_at", "Closed"),
        _text("close_notes", "Close notes", TEXT_LENGTH),
        _time("due_date", "Due date"),
        _ref("cmdb_ci", "Configuration item", "cmdb_ci"),
        _ref("business_service", "Service", "cmdb_ci"),
        _ref("parent", "Parent", "task"),
        _choice("contact_type", "Contact type", none=True),
        Column("watch_list", "Watch list", "glide_list", max_length=TEXT_LENGTH, reference="sys_user"),
        _text("correlation_id", "Correlation ID", 100),
        _text("correlation_display", "Correlation display", 100),
        # A column of the customer's own: records of ServiceNow have no tags.
        _text("u_tags", "Tags", 1000),
        _count("reassignment_count", "Reassignment count"),
        _journal("comments", "Additional comments"),
        _journal("work_notes", "Work notes"),
        Column("comments_and_work_notes", "Comments and Work notes", "journal_list", TEXT_LENGTH),
    ),
    display="number",
)

INCIDENT = TableKind(
    "incident",
    "Incident",
    (
        _number_choice("incident_state", "Incident state", "1"),
        _number_choice("severity", "Severity", "3"),
        _choice("category", "Category", "inquiry", none=True),
        _choice("subcategory", "Subcategory", none=True),
        _ref("caller_id", "Caller", "sys_user"),
        _number_choice("hold_reason", "On hold reason", none=True),
        _choice("close_code", "Resolution code", none=True),
        _time("resolved_at", "Resolved"),
        _ref("resolved_by", "Resolved by", "sys_user"),
        _count("reopen_count", "Reopen count"),
        _ref("parent_incident", "Parent Incident", "incident"),
        _ref("problem_id", "Problem", "problem"),
        _ref("rfc", "Change Request", "change_request"),
        _text("u_external_reference", "External reference", 255),
    ),
    parent="task",
    prefix="INC",
    display="number",
)

SECURITY_INCIDENT = TableKind(
    "sn_si_incident",
    "Security Incident",
    (
        _choice("substate", "Substate", none=True),
        _choice("attack_vector", "Attack vector", none=True),
        _ref("affected_user", "Affected user", "sys_user"),
        _choice("category", "Category", none=True),
        _choice("subcategory", "Subcategory", none=True),
        Column("risk_score", "Risk score", "integer", read_only=True, default="0"),
        _number_choice("business_criticality", "Business impact", "3"),
        _number_choice("severity", "Severity", "3"),
        _ref("parent_security_incident", "Parent security incident", "sn_si_incident"),
        _ref("incident", "Incident", "incident"),
        _ref("change_request", "Change request", "change_request"),
        _choice("close_code", "Close code", none=True),
    ),
    parent="task",
    prefix="SIR",
    display="number",
)

CHANGE = TableKind(
    "change_request",
    "Change Request",
    (
        _choice("type", "Type", "normal"),
        _number_choice("risk", "Risk", "3"),
        _choice("category", "Category", "Other", none=True),
        _choice("close_code", "Close code", none=True),
        _choice("approval", "Approval", "not requested"),
        _flag("on_hold", "On hold"),
        _text("on_hold_reason", "On hold reason", TEXT_LENGTH),
        _ref("requested_by", "Requested by", "sys_user"),
        _ref(
            "std_change_producer_version", "Standard change template version", "std_change_producer_version"
        ),
        _time("start_date", "Planned start date"),
        _time("end_date", "Planned end date"),
        _text("reason", "Reason", TEXT_LENGTH),
        _text("justification", "Justification", TEXT_LENGTH),
        _text("implementation_plan", "Implementation plan", TEXT_LENGTH),
        _text("backout_plan", "Backout plan", TEXT_LENGTH),
        _text("test_plan", "Test plan", TEXT_LENGTH),
    ),
    parent="task",
    prefix="CHG",
    first_number=30_001,
    display="number",
)

CHANGE_TASK = TableKind(
    "change_task",
    "Change Task",
    (_ref("change_request", "Change request", "change_request"),),
    parent="task",
    prefix="CTASK",
    display="number",
)

PROBLEM = TableKind(
    "problem",
    "Problem",
    (_choice("close_code", "Resolution code", none=True), _text("cause_notes", "Cause notes", TEXT_LENGTH)),
    parent="task",
    prefix="PRB",
    first_number=40_001,
    display="number",
)


def _plain(name: str, label: str, *columns: Column, display: str = "name") -> TableKind:
    return TableKind(name, label, (*SYSTEM, *columns), display=display)


PLATFORM = (
    _plain(
        "sys_user",
        "User",
        _text("user_name", "User ID", 40),
        _text("name", "Name", 151),
        _text("first_name", "First name", 50),
        _text("last_name", "Last name", 50),
        _text("email", "Email", 100),
        _flag("active", "Active", "true"),
        _choice("time_zone", "Time zone", none=True),
        _choice("date_format", "Date format", none=True),
    ),
    _plain(
        "sys_user_group",
        "Group",
        _text("name", "Name", 80),
        _text("description", "Description", 1000),
        _text("email", "Group email", 100),
        _ref("manager", "Manager", "sys_user"),
        _flag("active", "Active", "true"),
    ),
    _plain(
        "sys_user_grmember",
        "Group Member",
        _ref("group", "Group", "sys_user_group"),
        _ref("user", "User", "sys_user"),
        display="sys_id",
    ),
    _plain(
        "sys_db_object",
        "Table",
        _text("name", "Name", 80),
        _text("label", "Label", 80),
        _ref("super_class", "Extends table", "sys_db_object"),
        display="label",
    ),
    _plain(
        "sys_dictionary",
        "Dictionary Entry",
        _text("name", "Table", 80),
        _text("element", "Column name", 80),
        _text("column_label", "Column label", 80),
        _text("internal_type", "Type", 40),
        _count("max_length", "Max length", ""),
        _flag("mandatory", "Mandatory"),
        _flag("read_only", "Read only"),
        _flag("active", "Active", "true"),
        _text("reference", "Reference", 80),
        _count("choice", "Choice", "0"),
        _text("default_value", "Default value", 512),
        display="column_label",
    ),
    _plain(
        "sys_choice",
        "Choice",
        _text("name", "Table", 80),
        _text("element", "Element", 80),
        _text("value", "Value", 100),
        _text("label", "Label", 100),
        _text("language", "Language", 3),
        _count("sequence", "Sequence", ""),
        _text("dependent_value", "Dependent value", 100),
        _flag("inactive", "Inactive"),
        display="label",
    ),
    _plain(
        "sys_journal_field",
        "Journal Entry",
        _text("name", "Name", 80),
        _text("element_id", "Element ID", 32),
        _text("element", "Element", 80),
        _text("value", "Value", 65_000),
        display="sys_id",
    ),
    _plain(
        "sys_attachment",
        "Attachment",
        _text("file_name", "File name", 255),
        _text("content_type", "Content type", 255),
        _count("size_bytes", "Size bytes", ""),
        _count("size_compressed", "Size compressed", ""),
        _text("table_name", "Table name", 80),
        _text("table_sys_id", "Table sys ID", 80),
        _text("hash", "Hash", 128),
        display="file_name",
    ),
    _plain(
        "sys_properties",
        "System Property",
        _text("name", "Name", 100),
        _text("value", "Value", TEXT_LENGTH),
        _text("description", "Description", 512),
    ),
    # from memory: its columns; that values are raw; and that the record's sys_mod_count is kept as record_checkpoint.
    _plain(
        "sys_audit",
        "Audit",
        _text("tablename", "Table name", 80),
        _text("documentkey", "Document key", 32),
        _text("fieldname", "Field name", 80),
        _text("oldvalue", "Old value", 65_000),
        _text("newvalue", "New value", 65_000),
        _text("user", "User", 40),
        _count("record_checkpoint", "Record checkpoint", ""),
        display="fieldname",
    ),
    _plain(
        "sys_audit_delete",
        "Audit Deleted Record",
        _text("tablename", "Table name", 80),
        _text("documentkey", "Document key", 32),
        _text("display_value", "Display value", 255),
        display="display_value",
    ),
    _plain("cmdb_ci", "Configuration Item", _text("name", "Name", 255), _text("category", "Category", 40)),
    _plain(
        "std_change_producer_version",
        "Standard Change Template Version",
        _text("name", "Name", 100),
        _text("short_description", "Short description", SHORT_DESCRIPTION_LENGTH),
        _flag("active", "Active", "true"),
    ),
)

TABLES = (TASK, INCIDENT, SECURITY_INCIDENT, CHANGE, CHANGE_TASK, PROBLEM, *PLATFORM)
VIEWS = {
    # What a view of a form shows, where one other than the default is asked for.
    "ess": ("sys_id", "number", "short_description", "state", "opened_at", "comments"),
    "mobile": ("sys_id", "number", "short_description", "state", "priority", "assigned_to"),
}
