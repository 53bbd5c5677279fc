"""Tables and pure functions between Jira's values and ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

from callout.connectors.jira.wire import (
    AttachmentBean,
    CommentBean,
    IssueBean,
    NamedBean,
    ProjectBean,
    StatusBean,
    User,
)
from callout.ports.ticketing import (
    AttachmentInfo,
    Comment,
    Project,
    StatusCategory,
    Ticket,
)
from callout.ports.values import Audience, Person, Priority

CATEGORIES: Final[Mapping[str, StatusCategory]] = {
    "new": StatusCategory.NEW,
    "indeterminate": StatusCategory.ACTIVE,
    "done": StatusCategory.DONE,
}

PRIORITY_FROM_NAME: Final[Mapping[str, Priority]] = {
    "highest": Priority.URGENT,
    "blocker": Priority.URGENT,
    "urgent": Priority.URGENT,
    "critical": Priority.CRITICAL,
    "high": Priority.HIGH,
    "major": Priority.HIGH,
    "medium": Priority.MEDIUM,
    "normal": Priority.MEDIUM,
    "moderate": Priority.MODERATE,
    "low": Priority.LOW,
    "minor": Priority.LOW,
    "lowest": Priority.PLANNING,
    "trivial": Priority.PLANNING,
    "planning": Priority.PLANNING,
}
PRIORITY_NAMES: Final[Mapping[Priority, tuple[str, ...]]] = {
    Priority.URGENT: ("Highest", "Urgent", "Blocker", "Critical"),
    Priority.CRITICAL: ("Critical", "Highest", "Blocker", "Urgent"),
    Priority.HIGH: ("High", "Major"),
    Priority.MEDIUM: ("Medium", "Normal", "Moderate"),
    Priority.MODERATE: ("Medium", "Moderate", "Normal"),
    Priority.LOW: ("Low", "Minor"),
    Priority.PLANNING: ("Lowest", "Trivial", "Planning"),
}
"""Names to try for a unified priority, best first; sites may have renamed theirs."""

_PRIORITY_PLACE: Final[Mapping[Priority, float]] = {
    Priority.URGENT: 0.0,
    Priority.CRITICAL: 0.0,
    Priority.HIGH: 0.25,
    Priority.MEDIUM: 0.5,
    Priority.MODERATE: 0.5,
    Priority.LOW: 0.75,
    Priority.PLANNING: 1.0,
}

SERVICE_DESK: Final = "service_desk"
MARK_PREFIX: Final = "callout-"
COMMENT_PROPERTY: Final = "callout"
PUBLIC_COMMENT_PROPERTY: Final = "sd.public.comment"
TICKET_FIELDS: Final = (
    "summary",
    "description",
    "status",
    "priority",
    "issuetype",
    "project",
    "assignee",
    "reporter",
    "creator",
    "created",
    "updated",
    "resolution",
    "resolutiondate",
    "labels",
    "components",
    "parent",
    "duedate",
    "attachment",
)

_LABEL_UNSAFE = re.compile(r"[^A-Za-z0-9_.:/-]+")
_LABEL_LIMIT = 255


def mark_label(key: str) -> str:
    """Return the label that carries `key`: `callout-` and the key, or the key alone when it begins so.

    A key that had to be altered keeps a digest, so that two of them never meet.
    """
    safe = _LABEL_UNSAFE.sub("-", key.removeprefix(MARK_PREFIX))
    if safe != key.removeprefix(MARK_PREFIX) or len(MARK_PREFIX) + len(safe) > _LABEL_LIMIT:
        digest = hashlib.sha256(key.encode()).hexdigest()[:12]
        safe = f"{safe[: _LABEL_LIMIT - len(MARK_PREFIX) - 13]}-{digest}"
    return MARK_PREFIX + safe


def marks_of(labels: Sequence[str]) -> tuple[str, ...]:
    """Return our keys among the labels, with and without the prefix."""
    ours = [label for label in labels if label.startswith(MARK_PREFIX)]
    return (*ours, *(label.removeprefix(MARK_PREFIX) for label in ours))


def moment(text: object) -> datetime | None:
    """Read a Jira timestamp (`2026-01-30T18:30:41.962+0100`); None for anything else."""
    if not isinstance(text, str) or not text:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _text(value: object) -> str:
    """Return a text as it is, anything else as empty: what a webhook tells is not always what REST would tell."""
    return value if isinstance(value, str) else ""


def day(text: object) -> datetime | None:
    """Read a Jira date as midnight UTC."""
    value = moment(text)
    return None if value is None else datetime(value.year, value.month, value.day, tzinfo=UTC)


def version_of(updated: object) -> str:
    """Return the optimistic-concurrency mark of a ticket: the instant of its last change, whatever zone it was told in."""
    value = moment(updated)
    return "" if value is None else value.isoformat(timespec="milliseconds")


def person(user: User | None) -> Person | None:
    """Return a person; the e-mail is empty when its owner hides it."""
    if not user or not user.get("accountId"):
        return None
    return Person(str(user["accountId"]), _text(user.get("displayName")), _text(user.get("emailAddress")))


def category(status: StatusBean | None) -> StatusCategory:
    """Return what a status means."""
    key = ((status or {}).get("statusCategory") or {}).get("key", "")
    return CATEGORIES.get(key, StatusCategory.UNKNOWN)


def priority_of(bean: NamedBean | None) -> Priority | None:
    """Return the unified priority by name, or None for a name that no table knows."""
    return PRIORITY_FROM_NAME.get(_text((bean or {}).get("name")).strip().casefold())


def choose_priority(wanted: Priority, allowed: Sequence[NamedBean]) -> NamedBean | None:
    """Return the site's priority for `wanted`: by name, else by its place between the first (most urgent) and the last."""
    by_name = {(bean.get("name") or "").strip().casefold(): bean for bean in allowed}
    for name in PRIORITY_NAMES[wanted]:
        if name.casefold() in by_name:
            return by_name[name.casefold()]
    if not allowed:
        return None
    return allowed[round(_PRIORITY_PLACE[wanted] * (len(allowed) - 1))]


def attachment(bean: AttachmentBean, ticket_id: str) -> AttachmentInfo:
    """Return an attachment's facts."""
    return AttachmentInfo(
        id=str(bean.get("id", "")),
        ticket_id=ticket_id,
        file_name=_text(bean.get("filename")),
        media_type=_text(bean.get("mimeType")) or "application/octet-stream",
        size=bean.get("size"),
        created_at=moment(bean.get("created")),
        creator=person(bean.get("author")),
    )


def project(bean: ProjectBean) -> Project:
    """Return a project; its key is what tickets name."""
    rest = {
        name: bean.get(name)
        for name in ("id", "projectTypeKey", "simplified", "style", "isPrivate")
        if bean.get(name) is not None
    }
    return Project(id=bean["key"], name=bean.get("name", bean["key"]), unmapped=rest)


def is_service_desk(fields: Mapping[str, Any]) -> bool:
    """Return whether an issue belongs to a Jira Service Management project, where customers may read comments."""
    return (fields.get("project") or {}).get("projectTypeKey") == SERVICE_DESK


def comment_audience(bean: CommentBean, *, service_desk: bool) -> Audience:
    """Return who can read a comment: the customer only where there is one and the comment is public."""
    if bean.get("visibility"):
        # Kept for a role or group there: it must not reach the circle that reads here.
        return Audience.INTERNAL
    if not service_desk:
        return Audience.RESPONDERS
    internal = properties_of(bean).get(PUBLIC_COMMENT_PROPERTY)
    if isinstance(internal, dict) and internal.get("internal") is True:
        return Audience.RESPONDERS
    # What does not say that it is public is taken for internal: read too narrow it can be read again, too wide it is out.
    return Audience.CUSTOMER if bean.get("jsdPublic") is True else Audience.RESPONDERS


def properties_of(bean: CommentBean) -> dict[str, Any]:
    """Return a comment's properties by key."""
    return {entry.get("key", ""): entry.get("value") for entry in bean.get("properties") or []}


def comment(bean: CommentBean, ticket_id: str, *, service_desk: bool, text: Callable[[Any], str]) -> Comment:
    """Return a comment; `text` reads the body (ADF in REST, wiki markup in webhooks)."""
    ours = properties_of(bean).get(COMMENT_PROPERTY)
    rest = {"visibility": bean["visibility"]} if bean.get("visibility") else {}
    return Comment(
        id=str(bean.get("id", "")),
        ticket_id=ticket_id,
        content=text(bean.get("body")),
        audience=comment_audience(bean, service_desk=service_desk),
        author=person(bean.get("author")),
        created_at=moment(bean.get("created")),
        updated_at=moment(bean.get("updated")),
        mark=str(ours.get("key", "")) if isinstance(ours, dict) else "",
        unmapped=rest,
    )


def ticket(
    issue: IssueBean,
    *,
    site: str,
    custom: Mapping[str, str],
    text: Callable[[Any], str],
    read_custom: Callable[[Any], Any],
) -> Ticket:
    """Return an issue in the unified model.

    Args:
        issue: as REST or a webhook tells it.
        site: the site's address, for the link that people open.
        custom: our name → Jira's path, of the mapped custom fields.
        text: reads rich text.
        read_custom: reads a custom field's value.
    """
    fields = issue.get("fields") or {}
    status = cast("StatusBean | None", fields.get("status"))
    labels = [str(label) for label in fields.get("labels") or []]
    reporter, creator = person(fields.get("reporter")), person(fields.get("creator"))
    ticket_id, key = str(issue["id"]), _text(issue.get("key"))
    return Ticket(
        id=ticket_id,
        key=key,
        title=_text(fields.get("summary")),
        created_at=moment(fields.get("created")),
        updated_at=moment(fields.get("updated")),
        description=text(fields.get("description")),
        status=_text((status or {}).get("name")),
        status_category=category(status),
        priority=priority_of(fields.get("priority")),
        priority_name=_text((fields.get("priority") or {}).get("name")),
        project=_text((fields.get("project") or {}).get("key")),
        issue_type=_text((fields.get("issuetype") or {}).get("name")),
        # Jira's reporter can be set and says for whom; its creator is whoever called the API.
        creator=reporter or creator,
        assignee=person(fields.get("assignee")),
        contact=reporter if is_service_desk(fields) else None,
        parent=_text((fields.get("parent") or {}).get("key")),
        tags=tuple(label for label in labels if not label.startswith(MARK_PREFIX)),
        due_date=day(fields.get("duedate")),
        completion_date=moment(fields.get("resolutiondate")),
        attachments=tuple(attachment(bean, ticket_id) for bean in fields.get("attachment") or []),
        custom_fields={name: read_custom(at_path(fields, path)) for name, path in custom.items()},
        unmapped=_unmapped(fields, set(custom.values()), creator, read_custom),
        url=f"{site}/browse/{key}" if key else "",
        version=version_of(fields.get("updated")),
        marks=marks_of(labels),
    )


def _unmapped(
    fields: Mapping[str, Any], mapped: set[str], creator: Person | None, read_custom: Callable[[Any], Any]
) -> dict[str, Any]:
    """Return what has a value but no place: resolution, components, who called the API, unmapped custom fields."""
    roots = {path.split(".")[0] for path in mapped}
    rest: dict[str, Any] = {
        name: read_custom(value)
        for name, value in fields.items()
        if name.startswith("customfield_") and name not in roots and value not in (None, [], "")
    }
    if fields.get("resolution"):
        rest["resolution"] = fields["resolution"].get("name", "")
    if fields.get("components"):
        rest["components"] = [bean.get("name", "") for bean in fields["components"]]
    if creator is not None:
        rest["created_by"] = creator.id
    return rest


def at_path(fields: Mapping[str, Any], path: str) -> Any:  # noqa: ANN401  # any JSON
    """Return what is at a dotted path below `fields` (`customfield_10042.value`), or None."""
    value: Any = fields
    for part in path.removeprefix("fields.").split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value
