"""What a person does with what we show: pressed buttons, choices of menus, forms, shortcuts, actions on messages.

Each becomes an answer: a form is opened for the person, errors stand at a form's fields, anything else is told to them alone. What was
done shows on the cards and in their threads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from callout.chatops import forms
from callout.chatops.cards import ACTION_PREFIX, FORMS, MORE_MENU, SEVERITY_MENU
from callout.chatops.commands import Act, Change, Command, Escalate, Join, ShowPeople, ShowTickets
from callout.chatops.forms import shapes
from callout.chatops.handlers import carry_out
from callout.chatops.handlers.tasks import pressed_task
from callout.chatops.handlers.tickets import card_of
from callout.chatops.messages import add_to_timeline
from callout.chatops.once import SILENT, RefusedFormError
from callout.chatops.sent import SentMessages
from callout.chatops.tickets import ANSWER_PREFIX, pressed
from callout.chatops.troubles import SEND_AGAIN
from callout.incidents import ACTIONS
from callout.ports.chat import Answer, Interaction, InteractionKind
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Severity

if TYPE_CHECKING:
    from callout.chatops.handlers.asked import Asked

ADD_TO_TIMELINE: Final = "add_to_timeline"
"""The action on a message, as the app's manifest names it."""
DECLARE: Final = "declare"
"""The shortcut, as the app's manifest names it."""
_RESOLVE: Final = "resolve"


async def interact(asked: Asked, given: Interaction) -> Answer:  # noqa: PLR0911  # one answer per kind of act
    """Carry out what a person did. Raises ForbiddenError, InvalidRequestError and what the services raise."""
    if given.kind is InteractionKind.SUBMITTED:
        return await _submitted(asked, given)
    if given.kind is InteractionKind.SHORTCUT:
        return await forms.open_form(asked, shapes.DECLARE, "") if given.action == DECLARE else SILENT
    if given.kind is InteractionKind.MESSAGE_ACTION:
        return await _about_a_message(asked, given) if given.action == ADD_TO_TIMELINE else SILENT
    choice = pressed(given.action, given.value)
    if choice is not None:
        asked.speaker.require("conflict.resolve")
        link_id, field, decision = choice
        done = await asked.context.conflicts.resolve(asked.tx, link_id, field, decision, asked.origin)
        # The message in the channel is edited by a visit; an answer of ours is replaced by how things stand now.
        in_answer = given.action.startswith(ANSWER_PREFIX)
        return Answer("", card=await card_of(asked, done.conflict.incident.id)) if in_answer else SILENT
    if given.action in {SEVERITY_MENU, MORE_MENU}:
        return await _chosen(asked, given)
    if given.action == SEND_AGAIN:
        return await _sent_again(asked, given)
    if given.action.startswith(forms.PREFIX):
        return await _opened(asked, given)
    if (ticked := pressed_task(given.action, given.value)) is not None:
        told: Answer = await carry_out(asked, ticked)
        return told
    action = given.action.removeprefix(ACTION_PREFIX)
    if given.action.startswith(ACTION_PREFIX) and action in ACTIONS:
        await carry_out(asked, Act(action, given.value))
    return SILENT


async def _opened(asked: Asked, given: Interaction) -> Answer:
    if not given.trigger and given.action == FORMS[_RESOLVE]:
        await carry_out(asked, Act(_RESOLVE, given.value))  # a platform without forms
        return SILENT
    return await forms.open_form(asked, given.action, given.value)


async def _sent_again(asked: Asked, given: Interaction) -> Answer:
    """Have said again what one place did not get."""
    asked.speaker.require("incident.write")
    incident_id, _, place = given.value.partition("|")
    again = SentMessages(asked.context)
    count = await again.repost_place(
        asked.tx, incident_id, asked.workspace.integration_id, place, asked.origin
    )
    return Answer("Nothing of it is left to be sent." if not count else "It will be sent again.")


async def _submitted(asked: Asked, given: Interaction) -> Answer:
    try:
        return await forms.submit(asked, given)
    except InvalidRequestError as error:
        at_fields = forms.errors_of(error, given)
        if at_fields is None:
            raise
        raise RefusedFormError(at_fields) from error


async def _about_a_message(asked: Asked, given: Interaction) -> Answer:
    """Put a message on the timeline: of the incident whose channel this is, else of the one that a form asks for."""
    if given.message is None:
        return SILENT
    incident_id = await asked.named("", optional=True)
    if not incident_id:
        return await forms.timeline_form(asked, given.invocation)
    line = await add_to_timeline(
        asked, incident_id, given.message, given.text, author=given.author, files=given.files
    )
    incident = await asked.incidents.get(asked.tx, incident_id)
    if line is None:
        return Answer(f"Its files will be attached to **{incident.key}**.")
    return Answer(f"It is on the timeline of **{incident.key}**.")


def kept_message(given: Interaction) -> Mapping[str, object]:
    """Return the message of an action as it waits, with the stored answer, for the form that asks where it belongs."""
    if given.kind is not InteractionKind.MESSAGE_ACTION or given.message is None:
        return {}
    return {
        "message": {
            "channel": given.message.channel,
            "id": given.message.id,
            "thread": given.message.thread,
            "text": given.text,
            "author": "" if given.author is None else given.author.id,
            "files": [{"id": one.id, "name": one.name, "media_type": one.media_type} for one in given.files],
        }
    }


async def _chosen(asked: Asked, given: Interaction) -> Answer:
    incident_id, _, choice = given.value.partition("/")
    if given.action == SEVERITY_MENU:
        try:
            severity = Severity.parse(choice)
        except ValueError as error:
            raise InvalidRequestError(str(error), remediation="Choose one of the menu.") from error
        await carry_out(asked, Change(incident_id, {"severity": severity}))
        return SILENT
    form = _MORE_FORMS.get(choice)
    if form is not None:
        return await forms.open_form(asked, form, incident_id)
    command = _MORE_COMMANDS.get(choice)
    if command is None:
        raise InvalidRequestError("there is no such choice", remediation=f"See {asked.command} help.")
    answer: Answer = await carry_out(asked, command(incident_id))
    return answer


_MORE_FORMS: Final[Mapping[str, str]] = {"note": shapes.NOTE, "task": shapes.TASK}
_MORE_COMMANDS: Final[Mapping[str, Callable[[str], Command]]] = {
    "join": Join,
    "escalate": Escalate,
    "tickets": ShowTickets,
    "people": ShowPeople,
}
