"""What a submitted form does: the same as the command it stands for, in one commit, with errors at their fields."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.chatops import store
from callout.chatops.commands import Act, AddNote, AddTask, Declare
from callout.chatops.forms import shapes
from callout.chatops.handlers import carry_out
from callout.chatops.messages import add_to_timeline
from callout.chatops.once import SILENT
from callout.ports.chat import Answer, MessageRef
from callout.ports.chat_files import SharedFile
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Audience, Person, Severity
from callout.sync.conflicts import Choice, Decision

if TYPE_CHECKING:
    from callout.chatops.handlers.asked import Asked
    from callout.ports.chat import Interaction

Submitted = Callable[["Asked", Mapping[str, str], Mapping[str, str]], Awaitable[Answer]]


async def submit(asked: Asked, given: Interaction) -> Answer:
    """Do what a form was filled in for. An answer with `errors` keeps it open; a silent one closes it.

    Raises InvalidRequestError for a form that is not ours, and everything that the command raises.
    """
    handler = SUBMITTED.get(given.action)
    if handler is None:
        raise InvalidRequestError("there is no such form", remediation=f"See {asked.command} help.")
    user = asked.speaker.identity.user_id
    data = asked.context.tokens.read(asked.workspace, user, given.action, given.value)
    return await handler(asked, data, given.values)


def errors_of(error: InvalidRequestError, given: Interaction) -> Answer | None:
    """Return what is wrong at the fields of the form, None where it is wrong as a whole."""
    at = {
        field: f"{message}. {error.remediation}".strip() if len(error.fields) == 1 else message
        for name, message in error.fields.items()
        if (field := _FIELDS.get(name, name)) in given.values
    }
    return Answer("", errors=at) if at else None


_FIELDS: Final[Mapping[str, str]] = {"note": "text", "assignee": "person"}
"""Where the service's field has another name than the form's."""


async def _declare(asked: Asked, _data: Mapping[str, str], values: Mapping[str, str]) -> Answer:
    severity = values.get("severity", "")
    await carry_out(
        asked,
        Declare(
            title=values.get("title", ""),
            severity=Severity.parse(severity) if severity else None,
            service=values.get("service", ""),
            description=values.get("description", ""),
        ),
    )
    return SILENT


async def _resolve(asked: Asked, data: Mapping[str, str], values: Mapping[str, str]) -> Answer:
    needs = asked.context.needs
    if needs is not None:
        asked.speaker.require("incident.write")
        offered = await needs.of_incident(asked.tx, data["incident"])
        # A field that is asked for no longer, as its ticket was moved meanwhile, is nobody's mistake.
        names = {need.name for one in offered for need in one.fields}
        given = {name: value for name, value in values.items() if name in names}
        await needs.give_all(asked.tx, data["incident"], given, asked.origin, demand=True)
    await carry_out(asked, Act("resolve", data["incident"], values.get("note", "").strip()))
    return SILENT


async def _note(asked: Asked, data: Mapping[str, str], values: Mapping[str, str]) -> Answer:
    audience = values.get("audience", "") or Audience.RESPONDERS.value
    if audience not in set(Audience):
        raise InvalidRequestError("no such audience", fields={"audience": "choose one of them"})
    await carry_out(asked, AddNote(values.get("text", ""), data["incident"], Audience(audience)))
    return SILENT


async def _task(asked: Asked, data: Mapping[str, str], values: Mapping[str, str]) -> Answer:
    person, due = values.get("person", ""), values.get("due", "")
    await carry_out(
        asked,
        AddTask(
            values.get("text", ""),
            data["incident"],
            f"<@{person}>" if person else "",
            f"{due}T23:59Z" if due else "",
        ),
    )
    return SILENT


async def _conflict(asked: Asked, data: Mapping[str, str], values: Mapping[str, str]) -> Answer:
    asked.speaker.require("conflict.resolve")
    decision = Decision(Choice.VALUE, values.get("value", ""), seen=data["seen"])
    await asked.context.conflicts.resolve(asked.tx, data["link"], data["field"], decision, asked.origin)
    return SILENT


async def _timeline(asked: Asked, data: Mapping[str, str], values: Mapping[str, str]) -> Answer:
    kept = await store.answer(asked.tx, asked.workspace.integration_id, data["message"])
    message: Mapping[str, Any] | None = None if kept is None else kept.get("message")
    if message is None:
        raise InvalidRequestError("the message is no longer at hand", remediation="Choose it again.")
    await add_to_timeline(
        asked,
        values.get("incident", ""),
        MessageRef(message["channel"], message["id"], message["thread"]),
        message["text"],
        author=Person(message["author"]) if message["author"] else None,
        files=[SharedFile(one["id"], one["name"], one["media_type"]) for one in message.get("files", ())],
    )
    return SILENT


SUBMITTED: Final[Mapping[str, Submitted]] = {
    shapes.DECLARE: _declare,
    shapes.RESOLVE: _resolve,
    shapes.NOTE: _note,
    shapes.TASK: _task,
    shapes.CONFLICT: _conflict,
    shapes.TIMELINE: _timeline,
}
"""Form → what submitting it does. A new form is one line here, one in :mod:`~callout.chatops.forms.opening`, and its shape."""
