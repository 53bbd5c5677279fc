"""Field mappings: how an incident's fields and a ticket's fields stand for each other.

A mapping works on the unified ticket, so its defaults hold for every vendor; an integration overrides what differs there
(its settings' `sync` object, see :meth:`FieldMappings.from_settings`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from callout.incidents import Incident
from callout.incidents.model import TITLE_LIMIT, person_json
from callout.kit.text import normalise, parse_markdown, to_markdown
from callout.ports.errors import InvalidRequestError
from callout.ports.ticketing import Ticket
from callout.ports.values import Person, Priority, Severity, Status
from callout.sync.merge import NO_MEANING, FieldRule, Resolution, SyncDirection, ValueKind

SEVERITY_TO_PRIORITY: Mapping[str, str] = {
    "SEV-1": Priority.URGENT,
    "SEV-2": Priority.HIGH,
    "SEV-3": Priority.MEDIUM,
    "SEV-4": Priority.LOW,
}
PRIORITY_TO_SEVERITY: Mapping[str, str] = {
    Priority.URGENT: "SEV-1",
    Priority.CRITICAL: "SEV-1",
    Priority.HIGH: "SEV-2",
    Priority.MEDIUM: "SEV-3",
    Priority.MODERATE: "SEV-3",
    Priority.LOW: "SEV-4",
    Priority.PLANNING: "SEV-4",
}
STATUS_TO_THEIRS: Mapping[str, str] = {
    Status.OPEN: "category:new",
    Status.ACKNOWLEDGED: "category:active",
    Status.MITIGATED: "category:active",
    Status.RESOLVED: "category:done",
    Status.CLOSED: "category:done",
}
STATUS_TO_OURS: Mapping[str, str] = {
    "category:new": Status.OPEN,
    "category:active": Status.ACKNOWLEDGED,
    "category:done": Status.RESOLVED,
}
SYNCED_FIELDS = ("title", "description", "severity", "status", "assignee")


@dataclass(frozen=True, slots=True)
class FieldMappings:
    """The mapping of one integration.

    `directions` and `resolutions` are by our field name. `statuses` maps our status to theirs (their text, or `category:…`),
    `statuses_in` theirs to ours; `severities` and `severities_in` do so for severity and unified priority.
    """

    directions: Mapping[str, SyncDirection] = field(default_factory=dict)
    resolutions: Mapping[str, Resolution] = field(default_factory=dict)
    severities: Mapping[str, str] = field(default_factory=lambda: SEVERITY_TO_PRIORITY)
    severities_in: Mapping[str, str] = field(default_factory=lambda: PRIORITY_TO_SEVERITY)
    statuses: Mapping[str, str] = field(default_factory=lambda: STATUS_TO_THEIRS)
    statuses_in: Mapping[str, str] = field(default_factory=lambda: STATUS_TO_OURS)
    transition_fields: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    comments: SyncDirection = SyncDirection.BIDIRECTIONAL
    files: SyncDirection = SyncDirection.BIDIRECTIONAL

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> FieldMappings:
        """Read an integration's `sync` settings: any of `fields` {name: {direction, resolution}}, `severities`, `statuses` …

        Raises InvalidRequestError that names the wrong key.
        """
        directions: dict[str, SyncDirection] = {}
        resolutions: dict[str, Resolution] = {}
        for name, rule in _object(settings, "fields").items():
            if name not in SYNCED_FIELDS:
                raise InvalidRequestError(
                    f"mapping names {name!r}, which is not a synced field",
                    fields={f"/sync/fields/{name}": "unknown field"},
                    remediation=f"Synced fields: {', '.join(SYNCED_FIELDS)}.",
                )
            where = f"/sync/fields/{name}"
            if not isinstance(rule, Mapping):
                raise _wrong_kind(where)
            # What is not named keeps the field's own way: a status still merges when only its direction is set.
            if "direction" in rule:
                directions[name] = _choice(SyncDirection, rule["direction"], f"{where}/direction")
            if "resolution" in rule:
                resolutions[name] = _choice(Resolution, rule["resolution"], f"{where}/resolution")
        return cls(
            directions=directions,
            resolutions=resolutions,
            severities={**SEVERITY_TO_PRIORITY, **_values(settings, "severities", Severity.parse, Priority)},
            severities_in={
                **PRIORITY_TO_SEVERITY,
                **_values(settings, "severities_in", Priority, Severity.parse),
            },
            statuses={**STATUS_TO_THEIRS, **_values(settings, "statuses", Status, _word)},
            statuses_in={**STATUS_TO_OURS, **_values(settings, "statuses_in", _word, Status)},
            transition_fields=dict(_object(settings, "transition_fields")),
            comments=_choice(SyncDirection, settings.get("comments", "bidirectional"), "/sync/comments"),
            files=_choice(SyncDirection, settings.get("files", "bidirectional"), "/sync/files"),
        )

    def rules(self, integration_id: str) -> dict[str, FieldRule]:
        """Return the merge rules of the integration, by our field name."""
        built = {
            "title": FieldRule("title", _text, _title_in, _same_title, kind=ValueKind.SCALAR),
            "description": FieldRule(
                "description", _text, _text, _same_text, kind=ValueKind.TEXT, resolution=Resolution.MERGE
            ),
            "severity": FieldRule("severity", self._severity_out, self._severity_in, self._same_severity),
            "status": FieldRule(
                "status",
                self._status_out,
                self._status_in,
                self._same_status,
                # Both sides moved on: the one further along is where the incident is.
                resolution=Resolution.MERGE,
                kind=ValueKind.PROGRESS,
                steps=tuple(Status),
            ),
            "assignee": FieldRule(
                "assignee",
                lambda ours: _person_out(ours, integration_id),
                lambda theirs: _person_in(theirs, integration_id),
                lambda ours, theirs: _same_person(ours, theirs, integration_id),
                identity=_person_identity,
            ),
        }
        return {
            name: replace(
                rule,
                direction=self.directions.get(name, SyncDirection.BIDIRECTIONAL),
                resolution=self.resolutions.get(name, rule.resolution),
            )
            for name, rule in built.items()
        }

    def _severity_out(self, ours: str) -> str:
        # A severity beyond the configured ones is as low as the lowest.
        return self.severities.get(ours, Priority.LOW)

    def _severity_in(self, theirs: str | None) -> Any:  # noqa: ANN401  # a severity's text or NO_MEANING
        return self.severities_in.get(theirs or "", NO_MEANING)

    def _same_severity(self, ours: str, theirs: str | None) -> bool:
        if theirs is None:
            return False
        return bool(self._severity_in(theirs) == ours) or self._severity_out(ours) == theirs

    def _status_out(self, ours: str) -> str:
        return self.statuses[ours]

    def _status_in(self, theirs: str) -> Any:  # noqa: ANN401  # a status or NO_MEANING
        name, _, category = theirs.rpartition("|")
        known = self.statuses_in.get(name) or self.statuses_in.get(f"category:{category}")
        # Not open by default: a status that nobody mapped must not reopen what is resolved.
        return known or NO_MEANING

    def _same_status(self, ours: str, theirs: str) -> bool:
        """Whether their status is the one that ours leads to, or leads to ours: acknowledged stays while theirs says In Progress."""
        name, _, category = theirs.rpartition("|")
        target = self.statuses[ours]
        return target in {name, f"category:{category}"} or bool(self._status_in(theirs) == ours)


def _wrong_kind(where: str) -> InvalidRequestError:
    return InvalidRequestError(f"{where} must be an object", fields={where: "must be an object"})


def _object(settings: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = settings.get(name, {})
    if not isinstance(found, Mapping):
        raise _wrong_kind(f"/sync/{name}")
    return found


def _word(value: Any) -> str:  # noqa: ANN401  # whatever the settings hold
    if not isinstance(value, str) or not value.strip():
        raise ValueError("write a name")
    return value


def _values(
    settings: Mapping[str, Any], name: str, key: Callable[[str], Any], value: Callable[[Any], Any]
) -> dict[str, str]:
    """Return the table `name` of the settings in the spelling that merging compares; `key` and `value` read its two sides."""
    table: dict[str, str] = {}
    for left, right in _object(settings, name).items():
        try:
            table[str(key(left))] = str(value(right))
        except (TypeError, ValueError) as error:
            where = f"/sync/{name}/{left}"
            raise InvalidRequestError(f"{where}: {error}", fields={where: "not known"}) from error
    return table


def _choice(kind: type[Any], value: Any, where: str) -> Any:  # noqa: ANN401
    try:
        return kind(value)
    except ValueError:
        allowed = ", ".join(str(one) for one in kind)
        raise InvalidRequestError(
            f"{value!r} is not one of {allowed}", fields={where: f"one of {allowed}"}
        ) from None


def _text(value: str | None) -> str:
    return value or ""


def _title_in(value: str | None) -> Any:  # noqa: ANN401  # a title or NO_MEANING
    """Return a title of theirs as an incident can hold it; an empty one says nothing."""
    return " ".join((value or "").split())[:TITLE_LIMIT].rstrip() or NO_MEANING


def _same_title(ours: str, theirs: str) -> bool:
    return " ".join((ours or "").split()) == " ".join((theirs or "").split())


def canonical_text(markdown: str) -> str:
    """Return Markdown in the one normal form in which texts of both sides are compared."""
    return to_markdown(normalise(parse_markdown(markdown))) if markdown else ""


def _same_text(ours: str, theirs: str) -> bool:
    return ours == theirs or canonical_text(ours) == canonical_text(theirs)


def person_prefix(integration_id: str) -> str:
    """Return how the id of a person known only from that integration begins on our side."""
    return f"{integration_id}:"


def _person_out(ours: Mapping[str, str] | None, integration_id: str) -> dict[str, str] | None:
    if ours is None:
        return None
    prefix = person_prefix(integration_id)
    known = ours["id"].removeprefix(prefix) if ours["id"].startswith(prefix) else ""
    return {"id": known, "name": ours["name"], "email": ours["email"]}


def _person_in(theirs: Mapping[str, str] | None, integration_id: str) -> dict[str, str] | None:
    if theirs is None:
        return None
    return {
        "id": person_prefix(integration_id) + theirs["id"],
        "name": theirs["name"],
        "email": theirs["email"],
    }


def _person_identity(person: Mapping[str, str] | None) -> Any:  # noqa: ANN401
    """Return what tells one person from another: the id. Names are changed, e-mails are shown in some answers only."""
    return person if person is None else person.get("id") or person


def _same_person(
    ours: Mapping[str, str] | None, theirs: Mapping[str, str] | None, integration_id: str
) -> bool:
    if ours is None or theirs is None:
        return ours is None and theirs is None
    if ours["id"] == person_prefix(integration_id) + theirs["id"]:
        return True
    return bool(ours["email"]) and ours["email"].casefold() == theirs["email"].casefold()


def ours_of(incident: Incident) -> dict[str, Any]:
    """Return the synced values of an incident."""
    return {
        "title": incident.title,
        "description": incident.description,
        "severity": str(incident.severity),
        "status": incident.status.value,
        "assignee": person_json(incident.assignee),
    }


def theirs_of(ticket: Ticket, known: frozenset[str] | None = None) -> dict[str, Any]:
    """Return the synced values of a ticket; with `known`, only those that were told (by ticket field name)."""
    values: dict[str, Any] = {
        "title": ticket.title,
        "description": ticket.description,
        "severity": None if ticket.priority is None else ticket.priority.value,
        "status": f"{ticket.status}|{ticket.status_category.value}",
        "assignee": person_json(ticket.assignee),
    }
    if known is None:
        return values
    return {name: value for name, value in values.items() if TICKET_FIELD[name] in known}


TICKET_FIELD: Mapping[str, str] = {
    "title": "title",
    "description": "description",
    "severity": "priority",
    "status": "status",
    "assignee": "assignee",
}
"""Our field → the ticket's."""


def patch_values(to_theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a :class:`~callout.ports.ticketing.TicketPatch` for what a merge wants to send."""
    return {TICKET_FIELD[name]: ticket_value(name, value) for name, value in to_theirs.items()}


def ticket_value(name: str, value: Any) -> Any:  # noqa: ANN401
    """Return a value of theirs as the ticket's field holds it."""
    if name == "severity":
        return None if value is None else Priority(value)
    if name == "assignee":
        return None if value is None else Person(value["id"], value["name"], value["email"])
    return value


_severity = lru_cache(maxsize=64)(Severity.parse)


def incident_values(to_ours: Mapping[str, Any]) -> tuple[dict[str, Any], Status | None]:
    """Return what a merge wants of the incident: field values, and the status to walk to."""
    values: dict[str, Any] = {}
    status: Status | None = None
    for name, value in to_ours.items():
        if name == "status":
            status = Status(value)
        elif name == "severity":
            values[name] = _severity(value)
        elif name == "assignee":
            values[name] = None if value is None else Person(value["id"], value["name"], value["email"])
        else:
            values[name] = value
    return values, status


__all__ = ["FieldMappings", "canonical_text", "incident_values", "ours_of", "patch_values", "theirs_of"]
