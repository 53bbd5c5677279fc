"""Incidents, alerts, log entries, notes and responders as JSON, for REST and for webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.pagerduty.model import Incident

if TYPE_CHECKING:
    from collections.abc import Collection

    from callout.sandbox.pagerduty.model import (
        Alert,
        CustomField,
        IncidentType,
        Json,
        JsonObject,
        LogEntry,
        Note,
        Responder,
    )
    from callout.sandbox.pagerduty.view import View


def incident_json(incident: Incident, view: View, include: Collection[str] = ()) -> JsonObject:
    """An incident as REST shows it."""
    people = "users" in include
    shown = {
        **view.head(incident),
        "incident_number": incident.number,
        "title": incident.title,
        # from memory: an old member that repeats the title.
        "description": incident.title,
        "created_at": view.stamp(incident.created_at),
        "updated_at": view.stamp(incident.updated_at),
        "status": incident.status,
        "incident_key": incident.key,
        "service": view.expand(incident.service, "services" in include),
        "assignments": [
            {"at": view.stamp(at), "assignee": view.expand(user, people or "assignees" in include)}
            for at, user in incident.assignments
        ],
        "assigned_via": incident.assigned_via,
        "last_status_change_at": view.stamp(incident.status_changed_at),
        "last_status_change_by": view.agent(incident.status_changed_by, whole="agents" in include),
        "resolved_at": view.stamp(incident.resolved_at),
        "first_trigger_log_entry": _first_entry(incident, view, include),
        "alert_counts": alert_counts(incident),
        # from memory: that incidents made by REST can be merged, too.
        "is_mergeable": incident.merged_into is None,
        "incident_type": {"name": incident.incident_type},
        "escalation_policy": view.expand(incident.escalation_policy, "escalation_policies" in include),
        "teams": [view.expand(team, "teams" in include) for team in incident.teams],
        "pending_actions": _pending(incident, view),
        "acknowledgements": [
            {
                "at": view.stamp(at),
                "acknowledger": view.agent(who, whole=people or "acknowledgers" in include),
            }
            for at, who in incident.acknowledgements
        ],
        "alert_grouping": None,
        "priority": view.expand(incident.priority, "priorities" in include),
        "resolve_reason": resolve_reason(incident, view),
        "incidents_responders": [responder_json(one, incident, view) for one in incident.responders],
        "responder_requests": [],
        "urgency": incident.urgency,
    }
    if "conference_bridge" in include and incident.conference_bridge is not None:
        shown["conference_bridge"] = incident.conference_bridge
    if "body" in include:
        shown["body"] = {"type": "incident_body"}
        if incident.details is not None:
            shown["body"]["details"] = incident.details
    if "custom_fields" in include:
        shown["custom_fields"] = field_values(incident, view)
    return shown


def _first_entry(incident: Incident, view: View, include: Collection[str]) -> JsonObject | None:
    first = incident.log[0]
    if "first_trigger_log_entries" in include:
        return log_entry_json(first, view, ("channels",) if "channels" in include else ())
    return view.reference(first)


def _pending(incident: Incident, view: View) -> list[JsonObject]:
    actions = (("escalate", incident.escalate_at), ("unacknowledge", incident.unacknowledge_at))
    return [{"type": kind, "at": view.stamp(at)} for kind, at in actions if at is not None]


def alert_counts(incident: Incident) -> JsonObject:
    """How many alerts there are, and in which state."""
    triggered = sum(alert.status == "triggered" for alert in incident.alerts)
    return {"all": len(incident.alerts), "triggered": triggered, "resolved": len(incident.alerts) - triggered}


def resolve_reason(incident: Incident, view: View) -> JsonObject | None:
    """Set for an incident that was merged into another."""
    if incident.merged_into is None:
        return None
    return {"type": "merge_resolve_reason", "incident": view.reference(incident.merged_into)}


def webhook_incident(incident: Incident, view: View) -> JsonObject:
    """An incident as webhooks show it: other names than REST, and no description."""
    api, page, _ = view.place(incident)
    return {
        "id": incident.id,
        "type": "incident",
        "self": api,
        "html_url": page,
        "number": incident.number,
        "status": incident.status,
        "incident_key": incident.key,
        "created_at": view.stamp(incident.created_at),
        "title": incident.title,
        "service": view.reference(incident.service),
        "assignees": [view.reference(user) for _, user in incident.assignments],
        "escalation_policy": view.reference(incident.escalation_policy),
        "teams": [view.reference(team) for team in incident.teams],
        "priority": view.reference(incident.priority),
        "urgency": incident.urgency,
        "conference_bridge": incident.conference_bridge,
        "resolve_reason": resolve_reason(incident, view),
        "incident_type": {"name": incident.incident_type},
    }


def incident_reference_in_webhook(incident: Incident, view: View) -> JsonObject:
    """A reference as webhooks carry it: the summary is the title alone."""
    return {**(view.reference(incident) or {}), "summary": incident.title}


def log_entry_json(entry: LogEntry, view: View, include: Collection[str] = ()) -> JsonObject:
    """A log entry."""
    incident = entry.incident
    more = {
        key: [view.reference(one) if hasattr(one, "id") else one for one in value]
        if isinstance(value, list)
        else value
        for key, value in entry.more.items()
    }
    whole = incident_json(incident, view) if "incidents" in include else view.reference(incident)
    return {
        **view.head(entry),
        "created_at": view.stamp(entry.created_at),
        "agent": view.agent(entry.agent),
        "channel": _channel(entry, "channels" in include),
        "service": view.expand(incident.service, "services" in include),
        "incident": whole,
        "teams": [view.expand(team, "teams" in include) for team in incident.teams],
        "contexts": [],
        **more,
    }


def _channel(entry: LogEntry, whole: bool) -> JsonObject:  # noqa: FBT001 - `include[]` names it
    """The means by which the entry came; only its type and summary unless the whole was asked for."""
    if whole:
        return entry.channel
    return {key: entry.channel[key] for key in ("type", "summary", "duration") if key in entry.channel}


def alert_json(alert: Alert, view: View, include: Collection[str] = ()) -> JsonObject:
    """An alert."""
    incident = (
        incident_json(alert.incident, view) if "incidents" in include else view.reference(alert.incident)
    )
    return {
        **view.head(alert),
        "created_at": view.stamp(alert.created_at),
        "status": alert.status,
        "alert_key": alert.key,
        "service": view.expand(alert.service, "services" in include),
        "body": {"type": "alert_body", "contexts": alert.contexts, "details": alert.details},
        "incident": incident,
        "suppressed": False,
        "severity": alert.severity,
        "integration": view.reference(alert.integration),
    }


def note_json(note: Note, view: View) -> JsonObject:
    """A note."""
    return {
        "id": note.id,
        "user": view.reference(note.user),
        "channel": {"summary": "The PagerDuty website or APIs"},
        "content": note.content,
        "created_at": view.stamp(note.created_at),
        "updated_at": view.stamp(note.updated_at),
    }


def responder_json(responder: Responder, incident: Incident, view: View) -> JsonObject:
    """A responder of an incident."""
    return {
        "state": responder.state,
        "user": view.reference(responder.user),
        "incident": view.reference(incident),
        "updated_at": view.stamp(responder.updated_at),
        "message": responder.message,
        "requester": view.reference(responder.requester),
        "requested_at": view.stamp(responder.requested_at),
        "escalation_policy_requests": [responder.policy.name] if responder.policy else [],
    }


def field_values(incident: Incident, view: View) -> list[JsonObject]:
    """The values of all custom fields."""
    return [
        {
            "id": field.id,
            "name": field.name,
            "type": "field_value",
            "display_name": field.display_name,
            "description": field.description,
            "data_type": field.data_type,
            "field_type": field.field_type,
            "value": incident.field_values.get(field.id),
        }
        for field in view.account.custom_fields.values()
    ]


def incident_type_json(kind: IncidentType, made: str) -> JsonObject:
    """A type of incident."""
    return {
        "id": kind.id,
        "type": "incident_type",
        "name": kind.name,
        "display_name": kind.display_name,
        "description": None,
        "enabled": True,
        "parent": {"id": kind.parent, "type": "incident_type_reference"} if kind.parent else None,
        "created_at": made,
        "updated_at": made,
    }


def custom_field_json(
    field: CustomField, kind: IncidentType, view: View, made: str, include: Collection[str]
) -> JsonObject:
    """A custom field of a type of incident."""
    shown: JsonObject = {
        "id": field.id,
        "type": "field",
        "self": f"{view.base}/incidents/types/{kind.id}/custom_fields/{field.id}",
        "summary": field.name,
        "name": field.name,
        "display_name": field.display_name,
        "description": field.description,
        "data_type": field.data_type,
        "field_type": field.field_type,
        "default_value": None,
        "incident_type": kind.id,
        "enabled": True,
        "created_at": made,
        "updated_at": made,
    }
    if "field_options" in include:
        shown["field_options"] = [
            {
                "id": f"{field.id}{number}",
                "type": "field_option",
                "data": {"data_type": "string", "value": value},
            }
            for number, value in enumerate(field.options, start=1)
        ]
    return shown


def subject_json(subject: Json, view: View) -> JsonObject:
    """The data of an event whose data is its subject."""
    if isinstance(subject, Incident):
        return webhook_incident(subject, view)
    return {
        **view.head(subject),
        "alert_creation": subject.alert_creation,
        "teams": [view.reference(team) for team in subject.teams],
    }
