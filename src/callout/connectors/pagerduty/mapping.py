"""Tables and pure functions between PagerDuty's values and ours."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from callout.connectors.pagerduty.wire import (
    FieldValue,
    IncidentBean,
    NoteBean,
    PriorityBean,
    ServiceBean,
    UserBean,
)
from callout.ports.ticketing import Comment, Project, StatusCategory, Ticket
from callout.ports.values import Audience, Person, Priority

STATUSES: Final[Mapping[str, StatusCategory]] = {
    "triggered": StatusCategory.NEW,
    "acknowledged": StatusCategory.ACTIVE,
    "resolved": StatusCategory.DONE,
}
STATUS_OF: Final[Mapping[StatusCategory, str]] = {category: name for name, category in STATUSES.items()}
RESOLVED: Final = "resolved"

PRIORITY_FROM_NAME: Final[Mapping[str, Priority]] = {
    "p1": Priority.URGENT,
    "p2": Priority.HIGH,
    "p3": Priority.MEDIUM,
    "p4": Priority.LOW,
    "p5": Priority.PLANNING,
    "sev1": Priority.URGENT,
    "sev2": Priority.HIGH,
    "sev3": Priority.MEDIUM,
    "sev4": Priority.LOW,
    "sev5": Priority.PLANNING,
    "urgent": Priority.URGENT,
    "critical": Priority.CRITICAL,
    "high": Priority.HIGH,
    "medium": Priority.MEDIUM,
    "moderate": Priority.MODERATE,
    "low": Priority.LOW,
    "planning": Priority.PLANNING,
}
PRIORITY_NAMES: Final[Mapping[Priority, tuple[str, ...]]] = {
    Priority.URGENT: ("p1", "sev1", "urgent", "critical"),
    Priority.CRITICAL: ("critical", "p1", "sev1", "urgent"),
    Priority.HIGH: ("p2", "sev2", "high"),
    Priority.MEDIUM: ("p3", "sev3", "medium", "moderate"),
    Priority.MODERATE: ("moderate", "p3", "sev3", "medium"),
    Priority.LOW: ("p4", "sev4", "low"),
    Priority.PLANNING: ("p5", "sev5", "planning"),
}
"""Names to try for a unified priority, best first; accounts may have renamed theirs."""
_PLACE: Final[Mapping[Priority, float]] = {
    Priority.URGENT: 0.0,
    Priority.CRITICAL: 0.0,
    Priority.HIGH: 0.25,
    Priority.MEDIUM: 0.5,
    Priority.MODERATE: 0.5,
    Priority.LOW: 0.75,
    Priority.PLANNING: 1.0,
}
_BY_PLACE: Final = (Priority.URGENT, Priority.HIGH, Priority.MEDIUM, Priority.LOW, Priority.PLANNING)
HIGH_URGENCY: Final = frozenset({Priority.URGENT, Priority.CRITICAL, Priority.HIGH})
PRIORITY_FROM_URGENCY: Final[Mapping[str, Priority]] = {"high": Priority.HIGH, "low": Priority.LOW}
"""Where the account has no priorities, urgency is all there is."""

TITLE_LIMIT: Final = 1024  # from memory: the longest title of an incident
KEY_LIMIT: Final = 255
"""Documented for the Events API; from memory: the same for `incident_key` in REST."""

MAPPING_DEFAULTS: Final[Mapping[str, Any]] = {
    # Whatever calls people out in PagerDuty is an incident here, too.
    "accept": True,
    # PagerDuty keeps the description it was created with: no edit of either side can go over.
    "fields": {"description": {"direction": "none"}},
    "statuses": {
        "open": "triggered",
        "acknowledged": "acknowledged",
        "mitigated": "acknowledged",
        "resolved": "resolved",
        "closed": "resolved",
    },
    "statuses_in": {"triggered": "open", "acknowledged": "acknowledged", "resolved": "resolved"},
}
"""What sync starts from, in the shape of an integration's `sync` settings."""

_WHITE = re.compile(r"\s+")
_PLAIN_NAME = re.compile(r"[^a-z0-9]")


def moment(text: object) -> datetime | None:
    """Read a PagerDuty time; None for anything else."""
    if not isinstance(text, str) or not text:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def stamp(value: datetime) -> str:
    """Write a time as the API takes it, always in UTC."""
    return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def incident_key(key: str) -> str:
    """Return our key as `incident_key` holds it: itself, or a shorter one with a digest when it is too long."""
    if len(key) <= KEY_LIMIT:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"{key[: KEY_LIMIT - len(digest) - 1]}-{digest}"


def title(text: str) -> str:
    """Return a title as PagerDuty takes it: one line of at most 1024 characters."""
    line = _WHITE.sub(" ", text).strip()
    return line if len(line) <= TITLE_LIMIT else line[: TITLE_LIMIT - 1].rstrip() + "…"


def person(user: UserBean | None) -> Person | None:
    """Return a person; a reference tells no e-mail."""
    if not user or not user.get("id"):
        return None
    name = _text(user.get("name")) or _text(user.get("summary"))
    return Person(str(user["id"]), name, _text(user.get("email")))


def _plain(name: object) -> str:
    return _PLAIN_NAME.sub("", _text(name).casefold())


def name_of(bean: PriorityBean | None) -> str:
    """Return a priority's name; a reference has it as its summary."""
    return _text((bean or {}).get("name")) or _text((bean or {}).get("summary"))


def priority_of(bean: PriorityBean | None, scheme: Sequence[PriorityBean] = ()) -> Priority | None:
    """Return the unified priority by name, else by its place in the account's `scheme` (most severe first)."""
    if not bean:
        return None
    known = PRIORITY_FROM_NAME.get(_plain(name_of(bean)))
    if known is not None:
        return known
    ids = [one.get("id") for one in scheme]
    if bean.get("id") not in ids:
        return None
    at = ids.index(bean.get("id"))
    return _BY_PLACE[round(at * (len(_BY_PLACE) - 1) / max(1, len(ids) - 1))]


def choose_priority(wanted: Priority, scheme: Sequence[PriorityBean]) -> PriorityBean | None:
    """Return the account's priority for `wanted`: by name, else by place; None where there are none."""
    by_name = {_plain(name_of(bean)): bean for bean in reversed(scheme)}
    for name in PRIORITY_NAMES[wanted]:
        if name in by_name:
            return by_name[name]
    return scheme[round(_PLACE[wanted] * (len(scheme) - 1))] if scheme else None


def urgency_for(wanted: Priority) -> str:
    """Return whether somebody is to be woken for it."""
    return "high" if wanted in HIGH_URGENCY else "low"


def assigned(incident: IncidentBean) -> list[Person]:
    """Return whom an incident is assigned to, from REST or a webhook; nobody once it is resolved."""
    beans = [one.get("assignee") for one in incident.get("assignments") or []]
    beans += incident.get("assignees") or []
    return [found for found in map(person, beans) if found is not None]


# The way back to our incident stands under the description: there is no other place for it.
_BACK_LINK = re.compile(r"(?:\A|\n\n)Callout: (https?://\S+)\Z")


def with_back_link(description: str, link: str) -> str:
    """Return a description followed by the address of our incident."""
    return "\n\n".join(filter(None, (description, f"Callout: {link}" if link else "")))


def details(incident: IncidentBean) -> str:
    """Return the description an incident was created with, without the way back that :func:`with_back_link` added."""
    return _BACK_LINK.sub("", _details(incident))


def back_link(incident: IncidentBean) -> str:
    """Return the address of our incident that stands under the description, or an empty text."""
    found = _BACK_LINK.search(_details(incident))
    return found.group(1) if found else ""


def _details(incident: IncidentBean) -> str:
    """Return the whole description, from the incident's body or from its first log entry."""
    told = (incident.get("body") or {}).get("details")
    if told is None:
        channel = (incident.get("first_trigger_log_entry") or {}).get("channel") or {}
        told = channel.get("details")
    if isinstance(told, str):
        return told
    if isinstance(told, Mapping):
        # What an alert brought along: its custom details.
        return "\n".join(f"{name}: {value}" for name, value in told.items())
    return ""


def version_of(incident: IncidentBean) -> str:
    """Return the mark of an incident's state: its last change, told to the second, and what it says."""
    if not incident.get("updated_at"):
        return ""
    says = (
        incident.get("title"),
        incident.get("status"),
        incident.get("urgency"),
        (incident.get("priority") or {}).get("id"),
        (incident.get("service") or {}).get("id"),
        (incident.get("escalation_policy") or {}).get("id"),
        [found.id for found in assigned(incident)],
        (incident.get("incident_type") or {}).get("name"),
    )
    return f"{incident['updated_at']}.{hashlib.sha256(repr(says).encode()).hexdigest()[:12]}"


def merged_into(incident: IncidentBean) -> str:
    """Return the id of the incident that this one was merged into, or an empty text."""
    reason = incident.get("resolve_reason")
    target = reason.get("incident") if isinstance(reason, dict) else None
    return _text(target.get("id")) if isinstance(target, dict) else ""


def ticket(
    incident: IncidentBean,
    *,
    scheme: Sequence[PriorityBean] | None,
    custom: Mapping[str, str] | None = None,
) -> Ticket:
    """Return an incident in the unified model.

    Args:
        incident: as REST or a webhook tells it.
        scheme: the account's priorities; empty when it has none (urgency then counts), None when that is not known.
        custom: our name → PagerDuty's path, of the mapped values.
    """
    status = _text(incident.get("status"))
    number = incident.get("incident_number") or incident.get("number")
    bean = incident.get("priority")
    people = assigned(incident)
    urgency = _text(incident.get("urgency"))
    priority = priority_of(bean, scheme or ())
    if priority is None and scheme is not None and not scheme:
        priority = PRIORITY_FROM_URGENCY.get(urgency)
    key = _text(incident.get("incident_key"))
    updated = incident.get("updated_at")
    return Ticket(
        id=str(incident["id"]),
        key=str(number or ""),
        title=_text(incident.get("title")),
        created_at=moment(incident.get("created_at")),
        updated_at=moment(updated),
        description=details(incident),
        status=status,
        status_category=STATUSES.get(status, StatusCategory.UNKNOWN),
        priority=priority,
        priority_name=name_of(bean),
        project=_text((incident.get("service") or {}).get("id")),
        issue_type=_text((incident.get("incident_type") or {}).get("name")),
        assignee=people[0] if people else None,
        completion_date=moment(incident.get("resolved_at")),
        custom_fields={name: at_path(incident, path) for name, path in (custom or {}).items()},
        unmapped=_unmapped(incident, urgency, people),
        url=_text(incident.get("html_url")),
        version=version_of(incident),
        marks=(key,) if key else (),
    )


def _unmapped(incident: IncidentBean, urgency: str, people: Sequence[Person]) -> dict[str, Any]:
    """Return what has a value but no place of its own."""
    policy = incident.get("escalation_policy") or {}
    rest = {
        "urgency": urgency,
        "service_name": _text((incident.get("service") or {}).get("summary")),
        "escalation_policy": _text(policy.get("id")),
        "assignees": [one.id for one in people[1:]],
        "teams": [_text(team.get("id")) for team in incident.get("teams") or []],
        "merged_into": merged_into(incident),
        "conference_bridge": incident.get("conference_bridge"),
        "alerts": (incident.get("alert_counts") or {}).get("all"),
        "back_link": back_link(incident),
    }
    return {name: value for name, value in rest.items() if value not in (None, "", [], 0)}


CUSTOM_PREFIX: Final = "custom_fields."
STANDARD_PATHS: Final = frozenset(
    {
        "urgency",
        "escalation_policy",
        "incident_type",
        "conference_bridge.conference_url",
        "conference_bridge.conference_number",
    }
)
"""Paths of a mapping that are no custom field of the account."""


def custom_name(path: str) -> str:
    """Return the name (or id) of the custom field that a path leads to; empty for a standard path."""
    return "" if path in STANDARD_PATHS else path.removeprefix(CUSTOM_PREFIX)


def at_path(incident: IncidentBean, path: str) -> Any:  # noqa: ANN401  # any JSON
    """Return the value a mapped path leads to, or None."""
    if path == "escalation_policy":
        return (incident.get("escalation_policy") or {}).get("id")
    if path == "incident_type":
        return (incident.get("incident_type") or {}).get("name")
    if path == "urgency":
        return incident.get("urgency")
    if path in STANDARD_PATHS:
        return (incident.get("conference_bridge") or {}).get(path.removeprefix("conference_bridge."))
    return custom_value(incident.get("custom_fields") or [], custom_name(path))


def custom_value(values: Sequence[FieldValue], name: str) -> Any:  # noqa: ANN401  # any JSON
    """Return the value of the custom field with that name or id, or None."""
    return next((one.get("value") for one in values if name in {one.get("name"), one.get("id")}), None)


def project(bean: ServiceBean) -> Project:
    """Return a service as the project it plays."""
    policy = bean.get("escalation_policy") or {}
    rest = {
        "status": bean.get("status"),
        "description": bean.get("description"),
        "escalation_policy": policy.get("id"),
        "url": bean.get("html_url"),
    }
    name = bean.get("name") or bean.get("summary") or bean["id"]
    return Project(bean["id"], name, {key: value for key, value in rest.items() if value})


# What a note cannot carry beside its text stands in its last line.
_MARK = re.compile(r"\s*\(callout: ([^\s()]+)\)\s*\Z")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.:-]")


def note_mark(key: str) -> str:
    """Return our key as the last line of a note holds it; one with other characters keeps a digest."""
    safe = _UNSAFE.sub("-", key)
    return safe if safe == key else f"{safe[:80]}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"


def signed(content: str, *, author: str = "", key: str = "") -> str:
    """Return a note's text, opened by who said it (to PagerDuty all are by one user) and closed by our key."""
    opened = f"{' '.join(author.split())}: {content}" if author.strip() else content
    return f"{opened}\n\n(callout: {note_mark(key)})" if key else opened


def comment(note: NoteBean, ticket_id: str) -> Comment:
    """Return a note as a comment: plain text, read by everybody who may see the incident."""
    content = _text(note.get("content"))
    found = _MARK.search(content)
    return Comment(
        id=str(note.get("id", "")),
        ticket_id=ticket_id,
        content=content[: found.start()] if found else content,
        audience=Audience.RESPONDERS,
        author=person(note.get("user")),
        created_at=moment(note.get("created_at")),
        updated_at=moment(note.get("updated_at")) or moment(note.get("created_at")),
        mark=found.group(1) if found else "",
    )
