"""The port's values as the contract's JSON. Keys that the contract does not know are ours and stand beside the others."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from callout.ports.oncall import EscalationActor, EscalationPolicy, OnCall
from callout.ports.ticketing import (
    AttachmentInfo,
    Comment,
    FieldCatalogue,
    FieldOption,
    Note,
    Project,
    RemoteField,
    Ticket,
)
from callout.ports.values import Person

LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands where the contract wants a time and the provider has none."""
_KINDS: Final = {"string": "string", "number": "number", "enum": "enum"}
_SCOPES: Final = frozenset({"standard", "integration_custom", "project_custom", "ticket_custom"})


def moment(value: datetime | None) -> str | None:
    """Return a time as RFC 3339 in UTC."""
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def name_of(person: Person | None) -> str:
    """Return the one text that stands for a person, and that the provider knows them by: the e-mail where it is told, else the id."""
    return "" if person is None else person.email or person.id or person.name


def told(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has a value: optional fields without one are left out."""
    return {name: value for name, value in values.items() if value not in (None, "", {})}


def person(one: Person) -> dict[str, Any]:
    """Return a person."""
    return {"id": one.id, "name": one.name, "email": one.email}


def ticket(one: Ticket) -> dict[str, Any]:
    """Return a ticket. Ours are: `key`, `url`, `status_category`, `priority_name`, `version` and `people`."""
    created = one.created_at or one.updated_at or LONG_AGO
    people = {
        role: person(who)
        for role, who in (("creator", one.creator), ("assignee", one.assignee), ("contact", one.contact))
        if who is not None
    }
    return {
        "id": one.id,
        "name": one.title,
        "summary": one.title,
        "created_at": moment(created),
        "updated_at": moment(one.updated_at or created),
        **told(
            {
                "creator": name_of(one.creator),
                "assignee": name_of(one.assignee),
                "contact": name_of(one.contact),
                "description": one.description,
                "priority": None if one.priority is None else one.priority.value,
                "due_date": moment(one.due_date),
                "completion_date": moment(one.completion_date),
                "status": one.status,
                "project": one.project,
                "issue_type": one.issue_type,
                "parent": one.parent,
                "unmapped": dict(one.unmapped),
                "key": one.key,
                # It becomes a link in somebody's page: an address of any other kind than the web's is not told.
                "url": one.url if one.url.startswith(("https://", "http://")) else "",
                "priority_name": one.priority_name,
                "version": one.version,
                "people": people,
            }
        ),
        "status_category": one.status_category.value,
        "tags": list(one.tags),
        "attachments": [attachment(info) for info in one.attachments],
        "custom_fields": dict(one.custom_fields),
    }


def attachment(one: AttachmentInfo) -> dict[str, Any]:
    """Return an attachment's facts."""
    return {
        "id": one.id,
        "ticket_id": one.ticket_id,
        "file_name": one.file_name,
        "file_type": one.media_type,
        "created_date": moment(one.created_at or LONG_AGO),
        "creator": name_of(one.creator),
        **told({"file_size": one.size, "unmapped": dict(one.unmapped)}),
    }


def comment(one: Comment) -> dict[str, Any]:
    """Return a comment. Ours is: `audience`."""
    created = one.created_at or one.updated_at or LONG_AGO
    return {
        "id": one.id,
        "ticket_id": one.ticket_id,
        "creator": name_of(one.author),
        "content": one.content,
        "created_at": moment(created),
        **told({"updated_at": moment(one.updated_at), "unmapped": dict(one.unmapped)}),
        "audience": one.audience.value,
        "people": {} if one.author is None else {"creator": person(one.author)},
    }


def note(one: Note) -> dict[str, Any]:
    """Return a note."""
    return {
        "id": one.id,
        "ticket_id": one.ticket_id,
        "title": one.title,
        "content": one.content,
        "creator": name_of(one.author),
        "created_at": moment(one.created_at or one.updated_at or LONG_AGO),
        **told({"updated_at": moment(one.updated_at)}),
    }


def project(one: Project) -> dict[str, Any]:
    """Return a project."""
    return {"id": one.id, "name": one.name, **told({"unmapped": dict(one.unmapped)})}


def _option(one: FieldOption) -> dict[str, Any]:
    return {
        "id": one.id,
        "name": one.name,
        **({"attributes": {"priority": one.means}} if one.means else {}),
    }


def remote_field(one: RemoteField) -> dict[str, Any]:
    """Return a field of the provider. Ours are: `required`, `ticket_field` (which field of a ticket it holds), `max_length`."""
    kind = "enum" if one.options else _KINDS.get(one.kind, "other")
    # `field_Type` is spelled so on the wire.
    schema: dict[str, Any] = {"field_type_id": kind, "field_Type": one.kind}
    if one.options:
        schema["enum_values"] = [option.name for option in one.options]
        schema["enum_option_values"] = [_option(option) for option in one.options]
    return {
        "field_id": one.id,
        "field_scope": one.scope if one.scope in _SCOPES else "unknown",
        "provider_field_name": one.name,
        "schema": schema,
        **told(
            {
                "provider_field_path": one.path,
                "project_id": one.project_id,
                "ticket_field": one.carries,
                "default": one.default,
                "max_length": one.limit or None,
            }
        ),
        "required": one.required,
    }


def create_form(one: FieldCatalogue) -> dict[str, Any]:
    """Return what a form that creates a ticket has to offer."""
    return {
        "project": one.project,
        "issue_type": one.issue_type,
        "fields": [remote_field(found) for found in one.fields],
        "statuses": [{"name": name, "category": category.value} for name, category in one.statuses],
        "priorities": [_option(found) for found in one.priorities],
        "issue_types": [_option(found) for found in one.issue_types],
    }


def agent(one: EscalationActor) -> dict[str, Any]:
    """Return somebody who is called."""
    return {
        "uid": one.id,
        "full_name": one.name,
        **told({"email_addr": one.email, "time_zone": one.time_zone, "job_title": one.job_title}),
    }


def _actor(one: EscalationActor) -> dict[str, Any]:
    if one.kind == "user" and one.email:
        return {"type": "agent", **agent(one)}
    kind = {"user": "agent_summary", "schedule": "schedule_summary", "team": "group_summary"}[one.kind]
    return {"type": kind, "id": one.id, "name": one.name, "additional_properties": False}


def escalation_policy(one: EscalationPolicy) -> dict[str, Any]:
    """Return a policy of the ticketing API: delays in seconds."""
    return {
        "id": one.id,
        "rules": [
            {
                "delay_seconds": int(rule.delay.total_seconds()),
                "actors": [_actor(actor) for actor in rule.actors],
                **told({"id": rule.id}),
            }
            for rule in one.rules
        ],
        **told({"name": one.name, "description": one.description, "unmapped": dict(one.unmapped)}),
    }


def on_call(one: OnCall) -> dict[str, Any]:
    """Return somebody on call. Ours are: `level`, `schedule`, `start`, `end`."""
    return {
        **agent(one.user),
        "level": one.level,
        **told({"schedule": one.schedule, "start": moment(one.start), "end": moment(one.end)}),
    }
