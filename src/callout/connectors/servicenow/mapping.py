"""Pure functions between ServiceNow's records and our values. Texts are plain there: Markdown goes over and back as it is written."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from callout.connectors.servicenow.meaning import category_of
from callout.connectors.servicenow.metadata import Table
from callout.connectors.servicenow.values import read_custom
from callout.connectors.servicenow.wire import Record
from callout.connectors.servicenow.zone import moment
from callout.ports.errors import RejectedError
from callout.ports.ticketing import AttachmentInfo, Comment, StatusCategory, Ticket
from callout.ports.values import Audience, Person, Priority

PRODUCT: Final = "Callout"
COMMENTS: Final = "comments"
WORK_NOTES: Final = "work_notes"
AUDIENCES: Final[Mapping[str, Audience]] = {COMMENTS: Audience.CUSTOMER, WORK_NOTES: Audience.RESPONDERS}
"""Who reads the entries of a journal column: additional comments are the caller's, work notes stay with those who work there."""
CONTACTS: Final = ("caller_id", "affected_user", "requested_by")
"""Whom a record is about: of an incident, a security incident, a change."""
PARENTS: Final[Mapping[str, str]] = {
    "parent_incident": "incident",
    "parent_security_incident": "sn_si_incident",
}
"""Columns for a parent of the same kind → the table it must be of; any other parent is `parent`."""

_PERSON_COLUMNS = ("opened_by", "assigned_to", *CONTACTS)
# from memory: that dot-walks are allowed in sysparm_fields.
TICKET_FIELDS: Final = (
    "sys_id",
    "number",
    "sys_class_name",
    "short_description",
    "description",
    "state",
    "priority",
    "active",
    *(f"{name}{path}" for name in _PERSON_COLUMNS for path in ("", ".name", ".email")),
    *(f"{name}{path}" for name in ("parent", *PARENTS) for path in ("", ".number")),
    "assignment_group",
    "assignment_group.name",
    "close_code",
    "close_notes",
    "hold_reason",
    "due_date",
    "resolved_at",
    "closed_at",
    "correlation_id",
    "correlation_display",
    "sys_created_on",
    "sys_created_by",
    "sys_updated_on",
    "sys_updated_by",
    "sys_mod_count",
)

MAPPING_DEFAULTS: Final[Mapping[str, Any]] = {
    # Unified priorities: 1 - Critical, 2 - High, 3 - Moderate, 4 - Low of a stock instance.
    "severities": {
        "SEV-1": Priority.CRITICAL,
        "SEV-2": Priority.HIGH,
        "SEV-3": Priority.MODERATE,
        "SEV-4": Priority.LOW,
    },
    # What is resolved there is closed after some days, by itself.
    "statuses_in": {"Closed": "closed"},
}
"""What sync starts from, in the shape of an integration's `sync` settings."""

KEY_LIMIT: Final = 100
_KEY = re.compile(r"[A-Za-z0-9_.:/-]+")
_KEY_UNSAFE = re.compile(r"[^A-Za-z0-9_.:/-]+")
_MARK = re.compile(r"\n*\[callout:([A-Za-z0-9_.:/-]+)\]\s*\Z")
_CODE_TAG = re.compile(r"\[(/?)code\]", re.IGNORECASE)
_TITLED = re.compile(r"\A\*\*(.+?)\*\*\n\n(.*)\Z", re.DOTALL)
_NOTE_TITLE_LIMIT: Final = 80


def correlation_of(key: str) -> str:
    """Return what carries `key` in correlation_id. A key that had to be altered keeps a digest, so that two never meet."""
    if len(key) <= KEY_LIMIT and _KEY.fullmatch(key):
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"{_KEY_UNSAFE.sub('-', key)[: KEY_LIMIT - 17]}-{digest}"


def version_of(record: Record) -> str:
    """Return the mark of a record's state: how often and when it was changed."""
    return f"{record.get('sys_mod_count', '')}@{record.get('sys_updated_on', '')}"


def person_in(record: Record, column: str) -> Person | None:
    """Return whom a reference of a record points to."""
    sys_id = record.get(column, "")
    if not sys_id:
        return None
    return Person(sys_id, record.get(f"{column}.name", ""), record.get(f"{column}.email", ""))


def contact_column(table: Table) -> str:
    """Return the column for whom a record is about, empty where the table has none."""
    return next((name for name in CONTACTS if table.has(name)), "")


def ticket(
    record: Record,
    table: Table,
    *,
    site: str,
    custom: Mapping[str, str],
    tags_field: str = "",
    attachments: Sequence[AttachmentInfo] = (),
) -> Ticket:
    """Return a record in the unified model.

    Args:
        record: raw values with the columns of `TICKET_FIELDS`.
        table: what its labels are taken from.
        site: the instance's address, for the link that people open.
        custom: our name → column, of the mapped fields.
        tags_field: the column that holds tags.
        attachments: the files on it.
    """
    label = table.label_of("state", record)
    contact = next((found for name in CONTACTS if (found := person_in(record, name))), None)
    key = record.get("correlation_id", "")
    return Ticket(
        id=record.get("sys_id", ""),
        key=record.get("number", ""),
        title=record.get("short_description", ""),
        created_at=moment(record.get("sys_created_on")),
        updated_at=moment(record.get("sys_updated_on")),
        description=record.get("description", ""),
        status=label,
        status_category=category(table, record),
        priority=table.priority_of(record),
        priority_name=table.label_of("priority", record),
        project=record.get("sys_class_name") or table.name,
        issue_type=table.label,
        creator=person_in(record, "opened_by"),
        assignee=person_in(record, "assigned_to"),
        contact=contact,
        parent=_parent(record),
        tags=tags_of(record.get(tags_field, "")) if tags_field else (),
        due_date=moment(record.get("due_date")),
        completion_date=moment(record.get("resolved_at")) or moment(record.get("closed_at")),
        attachments=tuple(attachments),
        custom_fields={name: read_custom(record, path, table) for name, path in custom.items()},
        unmapped=_unmapped(record, table),
        url=link_to(site, table.name, record.get("sys_id", "")),
        version=version_of(record),
        marks=(key,) if key else (),
    )


def category(table: Table, record: Record) -> StatusCategory:
    """Return what a record's state means: by its choice, or where the list may not be read by the label that came with the record."""
    state, label = table.state_of(record), table.label_of("state", record)
    if state is not None:
        return state.category
    if table.readable or label.lstrip("-").isdecimal():
        return StatusCategory.UNKNOWN
    return category_of(label)


def link_to(site: str, table: str, sys_id: str) -> str:
    """Return the address where people open a record."""
    return f"{site}/nav_to.do?uri={table}.do%3Fsys_id%3D{sys_id}" if sys_id else ""


def _parent(record: Record) -> str:
    for name in (*PARENTS, "parent"):
        if record.get(name):
            return record.get(f"{name}.number") or record[name]
    return ""


def _unmapped(record: Record, table: Table) -> dict[str, Any]:
    rest: dict[str, Any] = {}
    for name in ("close_code", "hold_reason"):
        if record.get(name):
            rest[name] = table.label_of(name, record)
    if record.get("close_notes"):
        rest["close_notes"] = record["close_notes"]
    if record.get("assignment_group"):
        rest["assignment_group"] = record.get("assignment_group.name") or record["assignment_group"]
    if record.get("sys_created_by"):
        rest["created_by"] = record["sys_created_by"]
    return rest


def tags_of(text: str) -> tuple[str, ...]:
    """Read a comma-separated list."""
    return tuple(dict.fromkeys(word for part in text.split(",") if (word := part.strip())))


def tags_text(tags: Sequence[str]) -> str:
    """Write a comma-separated list. Raises RejectedError for a tag that holds a comma."""
    for tag in tags:
        if "," in tag or not tag.strip():
            raise RejectedError(
                f"the tag {tag!r} cannot be kept in a comma-separated column", fields={"tags": f"not {tag!r}"}
            )
    return ", ".join(tag.strip() for tag in tags)


def fitted(text: str, limit: int, *, mark: str) -> str:
    """Return `text` no longer than the column: the instance would cut the rest without a word."""
    return text if limit <= 0 or len(text) <= limit else text[: max(limit - len(mark), 0)].rstrip() + mark


# Journal


def entry_text(content: str, *, author: str = "", key: str = "") -> str:
    """Return a text as it is added to a journal: opened by who said it, closed by our key.

    `[code]` would make the instance show what follows as HTML, which no text of a user may do.
    """
    safe = _CODE_TAG.sub(lambda tag: f"[ {tag[1]}code]", content)
    name = " ".join(author.split())
    said = f"**{name}:**\n\n{safe}" if name else safe
    return f"{said}\n\n[callout:{correlation_of(key)}]" if key else said


def entry_parts(value: str) -> tuple[str, str]:
    """Return the content and our key of a journal entry."""
    text = value.replace("\r\n", "\n")
    found = _MARK.search(text)
    return (text[: found.start()], found.group(1)) if found else (text, "")


def comment(entry: Record, ticket_id: str, author: Person | None) -> Comment:
    """Return a journal entry."""
    content, mark = entry_parts(entry.get("value", ""))
    return Comment(
        id=entry.get("sys_id", ""),
        ticket_id=ticket_id,
        content=content,
        # What is in no known column is shown to as few as possible.
        audience=AUDIENCES.get(entry.get("element", ""), Audience.INTERNAL),
        author=author,
        created_at=moment(entry.get("sys_created_on")),
        mark=mark,
        unmapped={"element": entry.get("element", "")},
    )


def note_text(title: str, content: str) -> str:
    """Return a titled note as one text."""
    line = " ".join(title.split()).replace("**", "")
    return f"**{line}**\n\n{content}" if line else content


def note_parts(content: str) -> tuple[str, str]:
    """Return title and content: of a note of ours both as given, of another the beginning of its first line."""
    found = _TITLED.match(content)
    if found:
        return found.group(1), found.group(2)
    first = content.strip().split("\n", 1)[0].strip()
    return fitted(first, _NOTE_TITLE_LIMIT, mark="…") or "Work note", content


def attachment(record: Record, creator: Person | None) -> AttachmentInfo:
    """Return an attachment's facts."""
    size = record.get("size_bytes", "")
    return AttachmentInfo(
        id=record.get("sys_id", ""),
        ticket_id=record.get("table_sys_id", ""),
        file_name=record.get("file_name", ""),
        media_type=record.get("content_type", "") or "application/octet-stream",
        size=int(size) if size.isdecimal() else None,
        created_at=moment(record.get("sys_created_on")),
        creator=creator,
        unmapped={"hash": record["hash"]} if record.get("hash") else {},
    )
