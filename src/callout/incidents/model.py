"""The incident and what belongs to it, as frozen values, with the rules for each field."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callout.ports.errors import InvalidRequestError
from callout.ports.values import Audience, Origin, Person, Severity, Status

TITLE_LIMIT = 255
DEFAULT_SEVERITY = Severity(3)
TEXT_LIMIT = 100_000
TAG_LIMIT = 50
WORD_LIMIT = 100
KEY = re.compile(r"^INC-([1-9][0-9]{0,17})$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as it stands. `key` is what people say (INC-7); `version` grows by one with every commit that changes it."""

    id: str
    account_id: str
    number: int
    title: str
    severity: Severity
    status: Status
    created_at: datetime
    updated_at: datetime
    description: str = ""
    service: str = ""
    team: str = ""
    commander: Person | None = None
    assignee: Person | None = None
    declared_by: Person | None = None
    tags: tuple[str, ...] = ()
    acknowledged_at: datetime | None = None
    mitigated_at: datetime | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    version: int = 1

    @property
    def key(self) -> str:
        """What people call it."""
        return f"INC-{self.number}"

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form used in events and in the API."""
        return {
            "id": self.id,
            "key": self.key,
            "number": self.number,
            "account_id": self.account_id,
            "title": self.title,
            "description": self.description,
            "severity": str(self.severity),
            "status": self.status.value,
            "service": self.service,
            "team": self.team,
            "commander": person_json(self.commander),
            "assignee": person_json(self.assignee),
            "declared_by": person_json(self.declared_by),
            "tags": list(self.tags),
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
            "acknowledged_at": _iso(self.acknowledged_at),
            "mitigated_at": _iso(self.mitigated_at),
            "resolved_at": _iso(self.resolved_at),
            "closed_at": _iso(self.closed_at),
            "version": self.version,
        }


@dataclass(frozen=True, slots=True)
class DeclareIncident:
    """What somebody says when something breaks; `began_at` when it did, where that was not just now."""

    title: str
    severity: Severity = DEFAULT_SEVERITY
    description: str = ""
    service: str = ""
    team: str = ""
    commander: Person | None = None
    assignee: Person | None = None
    tags: tuple[str, ...] = ()
    began_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Note:
    """Something that somebody wrote down, for an audience."""

    id: str
    incident_id: str
    text: str
    audience: Audience
    author: Person | None
    created_at: datetime
    origin: Origin


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of the timeline. Never changed: a correction is a later entry that names the one it `corrects`."""

    id: str
    incident_id: str
    at: datetime
    kind: str
    origin: Origin
    data: Mapping[str, Any]
    audience: Audience = Audience.RESPONDERS
    corrects: str = ""


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents to list; every named condition must hold, an empty one is no condition.

    `person_ids` are the ids of one person: whose incidents, by a role or as somebody on it. `clock` is a clock of the service levels
    and how it stands: `met`, `breached` or `running`.
    """

    statuses: tuple[Status, ...] = ()
    severities: tuple[Severity, ...] = ()
    service: str = ""
    team: str = ""
    tag: str = ""
    text: str = ""
    created_from: datetime | None = None
    created_before: datetime | None = None
    person_ids: tuple[str, ...] = ()
    clock: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field's value before and after, in their JSON forms."""

    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"before": self.before, "after": self.after}


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def person_json(person: Person | None) -> dict[str, str] | None:
    """Return the JSON form of a person, or None."""
    return None if person is None else {"id": person.id, "name": person.name, "email": person.email}


def person_from_json(data: Mapping[str, str] | None) -> Person | None:
    """Read what :func:`person_json` wrote."""
    return None if not data else Person(data.get("id", ""), data.get("name", ""), data.get("email", ""))


def storable(text: str) -> str:
    """Return `text` without what no database and no JSON of ours can hold: NUL and lone surrogates. No person types them."""
    if text.isprintable():
        return text  # neither of them is
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def _text(name: str, limit: int, *, one_line: bool, required: bool = False) -> Callable[[Any], str]:
    def check(value: Any) -> str:  # noqa: ANN401
        if value is None:
            value = ""
        if not isinstance(value, str):
            raise InvalidRequestError(f"{name} must be text", fields={name: "must be text"})
        text = storable(value)
        text = " ".join(text.split()) if one_line else text.replace("\r\n", "\n").strip()
        if required and not text:
            raise InvalidRequestError(f"{name} must not be empty", fields={name: "must not be empty"})
        if len(text) > limit:
            raise InvalidRequestError(
                f"{name} is {len(text)} characters long; at most {limit} are allowed",
                fields={name: f"at most {limit} characters"},
                remediation=f"Shorten the {name}, or put the rest into a note.",
            )
        return text

    return check


def _person(name: str) -> Callable[[Any], Person | None]:
    def check(value: Any) -> Person | None:  # noqa: ANN401
        if value is None:
            return None
        if isinstance(value, Person):
            return Person(storable(value.id), storable(value.name), storable(value.email))
        raise InvalidRequestError(f"{name} must be a person or nothing", fields={name: "must be a person"})

    return check


def _severity(value: Any) -> Severity:  # noqa: ANN401
    if isinstance(value, Severity):
        return value
    try:
        return Severity.parse(str(value))
    except ValueError as error:
        raise InvalidRequestError(str(error), fields={"severity": "write SEV-1 to SEV-4"}) from error


def _tags(value: Any) -> tuple[str, ...]:  # noqa: ANN401
    if value is None:
        return ()
    if isinstance(value, str) or not all(isinstance(tag, str) for tag in value):
        raise InvalidRequestError("tags must be a list of words", fields={"tags": "must be a list of words"})
    tags = tuple(sorted({" ".join(storable(tag).split()) for tag in value} - {""}))
    if len(tags) > TAG_LIMIT or any(len(tag) > WORD_LIMIT for tag in tags):
        message = f"at most {TAG_LIMIT} tags of at most {WORD_LIMIT} characters are allowed"
        raise InvalidRequestError(message, fields={"tags": message})
    return tags


FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "title": _text("title", TITLE_LIMIT, one_line=True, required=True),
    "description": _text("description", TEXT_LIMIT, one_line=False),
    "severity": _severity,
    "service": _text("service", WORD_LIMIT, one_line=True),
    "team": _text("team", WORD_LIMIT, one_line=True),
    "commander": _person("commander"),
    "assignee": _person("assignee"),
    "tags": _tags,
}
"""Field of an incident that may be changed → its check, which returns the value as kept. Status moves by `lifecycle`."""

note_text = _text("note", TEXT_LIMIT, one_line=False, required=True)


def json_value(value: Any) -> Any:  # noqa: ANN401
    """Return a field's value in its JSON form."""
    if isinstance(value, Person):
        return person_json(value)
    if isinstance(value, Severity):
        return str(value)
    if isinstance(value, Status):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    return value


__all__ = [
    "FIELDS",
    "KEY",
    "DeclareIncident",
    "FieldChange",
    "Incident",
    "IncidentFilter",
    "Note",
    "TimelineEntry",
    "json_value",
    "note_text",
    "person_from_json",
    "person_json",
]
