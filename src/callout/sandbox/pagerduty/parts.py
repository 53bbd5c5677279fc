"""What hangs on an incident: notes, status updates, responders, values of custom fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.pagerduty.calling import facts
from callout.sandbox.pagerduty.errors import InvalidInputError
from callout.sandbox.pagerduty.history import write
from callout.sandbox.pagerduty.model import EscalationPolicy, Note, PagerEvent, Responder
from callout.sandbox.pagerduty.oncall import called

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callout.sandbox.pagerduty.account import Account
    from callout.sandbox.pagerduty.model import Agent, Incident, JsonObject, User

NOTE_LIMIT = 2000
# from memory: at how many characters a webhook cuts a note or a status update.
TRIM_AT = 10_000


def add_note(account: Account, incident: Incident, user: User, content: str) -> Note:
    """Write a note.

    Raises:
        InvalidInputError: it is empty, or there are too many.
    """
    if not content.strip():
        raise InvalidInputError("Content cannot be empty")  # from memory: the words
    if len(incident.notes) >= NOTE_LIMIT:
        raise InvalidInputError(
            f"Incident cannot have more than {NOTE_LIMIT} notes"
        )  # from memory: the words
    now = account.moment()
    note = Note(account.new_id(), user, content, now, now)
    incident.notes.append(note)
    incident.updated_at = now
    write(
        account,
        incident,
        "annotate",
        user,
        said=f"Note added by {user.name}",
        channel={"type": "note", "summary": content},
    )
    account.record("note.create", user, note.id, {"incident": incident.id, "content": content})
    data = {"id": note.id, "content": content[:TRIM_AT], "trimmed": len(content) > TRIM_AT}
    account.publish(PagerEvent("incident.annotated", user, incident, "incident_note", data))
    return note


def edit_note(account: Account, incident: Incident, note: Note, user: User, content: str) -> None:
    """Change a note's text. No webhook tells of it.

    Raises:
        InvalidInputError: the new text is empty.
    """
    if not content.strip():
        raise InvalidInputError("Content cannot be empty")
    note.content, note.updated_at = content, account.moment()
    account.record("note.update", user, note.id, {"incident": incident.id, "content": content})


def delete_note(account: Account, incident: Incident, note: Note, user: User | None) -> None:
    """Take a note away. No webhook tells of it."""
    incident.notes.remove(note)
    account.record("note.delete", user, note.id, {"incident": incident.id})


def publish_status(account: Account, incident: Incident, user: User, message: str) -> str:
    """Tell the stakeholders; returns the update's id."""
    ident = account.new_id()
    incident.updated_at = account.moment()
    # from memory: the type of this entry.
    write(
        account,
        incident,
        "status_update",
        user,
        said="Status update added",
        channel={"type": "website", "summary": message},
    )
    account.record("status_update.create", user, ident, {"incident": incident.id, "message": message})
    data = {"id": ident, "message": message[:TRIM_AT], "trimmed": len(message) > TRIM_AT}
    account.publish(
        PagerEvent("incident.status_update_published", user, incident, "incident_status_update", data)
    )
    return ident


def request_responders(
    account: Account,
    incident: Incident,
    requester: User,
    message: str,
    targets: Sequence[User | EscalationPolicy],
) -> list[list[Responder]]:
    """Ask people to help; returns the responders of each target."""
    now, ident = account.moment(), account.new_id()
    made: list[list[Responder]] = []
    for target in targets:
        policy = target if isinstance(target, EscalationPolicy) else None
        users = called(target, 1, account.now()) if isinstance(target, EscalationPolicy) else [target]
        made.append([Responder(ident, user, requester, now, now, message, policy) for user in users])
        for responder in made[-1]:
            incident.responders.append(responder)
            # from memory: the type of this entry.
            write(account, incident, "responder_request", requester, said=f"Requested {responder.user.name}")
            account.publish(_responder_event("incident.responder.added", incident, responder, requester))
    account.record(
        "responder.request",
        requester,
        incident.id,
        {"users": [responder.user.id for group in made for responder in group], "message": message},
    )
    return made


def reply_to_request(account: Account, incident: Incident, responder: Responder, state: str) -> None:
    """A responder says `joined` or `declined`."""
    responder.state, responder.updated_at = state, account.moment()
    # from memory: the type of this entry.
    write(account, incident, "responder_reply", responder.user, said=f"{responder.user.name} {state}")
    account.record("responder.reply", responder.user, incident.id, {"state": state})
    account.publish(_responder_event("incident.responder.replied", incident, responder, responder.user))


def _responder_event(name: str, incident: Incident, responder: Responder, agent: User) -> PagerEvent:
    data = {
        "user": responder.user,
        "escalation_policy": responder.policy,
        "message": responder.message,
        "state": responder.state,
    }
    return PagerEvent(name, agent, incident, "incident_responder", data)


def set_field_values(account: Account, incident: Incident, user: Agent, values: JsonObject) -> None:
    """Give custom fields values, by field id."""
    changed = {ident: value for ident, value in values.items() if incident.field_values.get(ident) != value}
    if not changed:
        return
    incident.field_values.update(changed)
    incident.updated_at = account.moment()
    named = {account.custom_fields[ident].name: value for ident, value in changed.items()}
    write(
        account,
        incident,
        "custom_field_value_change",
        user,
        said="Custom field values changed",
        changeset=[f"Updated {name} to {value}" for name, value in named.items()],
    )
    account.record("incident.update", user, incident.id, {**facts(incident), "changed": sorted(named)})
    data = {
        "custom_fields": [
            {
                "id": field.id,
                "name": field.name,
                "type": "field_value",
                "value": incident.field_values.get(field.id),
            }
            for field in account.custom_fields.values()
        ],
        "changed_fields": sorted(named),
    }
    # from memory: the members besides `incident` and `type`.
    account.publish(
        PagerEvent("incident.custom_field_values.updated", user, incident, "incident_field_values", data)
    )
