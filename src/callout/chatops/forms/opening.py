"""From a button, a shortcut or a bare command to the form it opens: authorised, and sealed for the one who asked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from callout.chatops.commands import ACTIVE
from callout.chatops.forms import shapes
from callout.chatops.private import listed_for
from callout.incidents import IncidentFilter
from callout.ports.chat import Answer
from callout.ports.errors import InvalidRequestError, NotFoundError

if TYPE_CHECKING:
    from callout.chatops.handlers.asked import Asked
    from callout.incidents import Incident
    from callout.ports.chat_forms import Form
    from callout.sync.conflicts import OpenConflict

CHOICES: Final = 100
"""Most incidents, or services, in a menu."""


async def open_form(asked: Asked, action: str, value: str) -> Answer:
    """Return the form that `action` opens for `value`: an incident (empty: the channel's own), or a conflict as its buttons name it.

    Raises InvalidRequestError, NotFoundError, ForbiddenError.
    """
    opener = OPENERS.get(action)
    if opener is None:
        raise InvalidRequestError("there is no such form", remediation=f"See {asked.command} help.")
    return Answer("", form=await opener(asked, value))


async def timeline_form(asked: Asked, invocation: str) -> Answer:
    """Return the form that asks which incident a message belongs to; `invocation` names where the message waits."""
    asked.speaker.require("incident.note")
    active, _ = await listed_for(asked, IncidentFilter(statuses=ACTIVE), limit=CHOICES)
    if not active:
        raise InvalidRequestError(
            "no incident is active",
            remediation=f"Declare one with {asked.command} declare, then add the message to it.",
        )
    token = _token(asked, shapes.TIMELINE, {"message": invocation})
    return Answer("", form=shapes.timeline_form(active, token))


async def _declare(asked: Asked, value: str) -> Form:
    asked.speaker.require("incident.write")
    services = await asked.service_names(limit=CHOICES)
    return shapes.declare_form(_token(asked, shapes.DECLARE, {}), title=value, services=services)


async def _resolve(asked: Asked, value: str) -> Form:
    incident = await _writable(asked, value)
    token = _token(asked, shapes.RESOLVE, {"incident": incident.id})
    needs = asked.context.needs
    offered = [] if needs is None else await needs.of_incident(asked.tx, incident.id)
    return shapes.resolve_form(incident, token, asked=shapes.needed_fields(offered))


async def _note(asked: Asked, value: str) -> Form:
    incident = await _writable(asked, value, "incident.note")
    return shapes.note_form(incident, _token(asked, shapes.NOTE, {"incident": incident.id}))


async def _task(asked: Asked, value: str) -> Form:
    incident = await _writable(asked, value)
    return shapes.task_form(incident, _token(asked, shapes.TASK, {"incident": incident.id}))


async def _conflict(asked: Asked, value: str) -> Form:
    asked.speaker.require("conflict.resolve")
    conflict = await _open_conflict(asked, value)
    data = {"link": conflict.link.id, "field": conflict.field, "seen": conflict.seen}
    return shapes.conflict_form(conflict, _token(asked, shapes.CONFLICT, data))


async def _writable(asked: Asked, value: str, permission: str = "incident.write") -> Incident:
    asked.speaker.require(permission)
    return await asked.incident(value)


def _token(asked: Asked, action: str, data: Mapping[str, str]) -> str:
    return asked.context.tokens.make(asked.workspace, asked.speaker.identity.user_id, action, data)


async def _open_conflict(asked: Asked, value: str) -> OpenConflict:
    """Return the open conflict that a button names. Raises NotFoundError when it is over."""
    link_id, _, rest = value.partition("/")
    field = rest.partition("/")[0]
    for one in await asked.context.conflicts.of_account(asked.tx):
        if (one.link.id, one.field) == (link_id, field):
            return one
    raise NotFoundError(
        "this conflict is over", remediation=f"{asked.command} sync shows those that are open."
    )


OPENERS: Final[Mapping[str, Callable[[Asked, str], Awaitable[Form]]]] = {
    shapes.DECLARE: _declare,
    shapes.RESOLVE: _resolve,
    shapes.NOTE: _note,
    shapes.TASK: _task,
    shapes.CONFLICT: _conflict,
}
"""Action → who makes its form."""
