"""Calling people, from chat: the next step of an escalation, or somebody by name. Whoever is called is called by jobs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from callout.chatops import words
from callout.chatops.commands import Escalate, Page
from callout.chatops.grammar.words import is_person
from callout.ports.chat import Answer
from callout.ports.errors import InvalidRequestError

if TYPE_CHECKING:
    from callout.chatops.handlers.asked import Asked
    from callout.incidents.escalation import Escalations
    from callout.incidents.escalation.pages import Page as Called
    from callout.ports.values import Person


async def escalate(asked: Asked, command: Escalate) -> Answer:
    """Take the next step of the incident's escalation, or call the person who was named."""
    if command.person:
        return await page(asked, Page(command.person, command.incident, command.text))
    key = await asked.named(command.incident)
    done = await _service(asked).escalate(
        asked.tx, key, origin=asked.origin, policy=command.policy, reason=command.text
    )
    incident = await asked.incidents.get(asked.tx, key)
    text = (
        f"**{incident.key}** escalated by {words.literal(done.policy)}, step {done.step} of {done.steps}:"
        f" {_who(done.pages)}."
    )
    if done.next_at is not None:
        text += f" The next step follows at {done.next_at:%H:%M:%S} UTC unless somebody acknowledges."
    return Answer(text)


async def page(asked: Asked, command: Page) -> Answer:
    """Call a person, a team or whoever is on call for a service."""
    key = await asked.named(command.incident)
    service = _service(asked)
    made = await service.page(
        asked.tx, key, target=await _target(asked, command), origin=asked.origin, reason=command.text
    )
    incident = await asked.incidents.get(asked.tx, key)
    return Answer(f"Called for **{incident.key}**: {_who(made)}.")


async def _target(asked: Asked, command: Page) -> str | Person | Sequence[Person]:
    if command.service:
        return command.service  # by its bare name: its team's on-call
    if command.team:
        return f"team:{command.team}"
    if not is_person(command.person):
        return command.person  # a team or a service may be meant: the call's own look-up knows
    found = await asked.people(command.person)
    if not found:
        raise InvalidRequestError("nobody can be called", remediation="Say whom: @name")
    return found[0] if len(found) == 1 else found


def _who(made: Sequence[Called]) -> str:
    told = [
        words.literal(one.callee.who) + (f" (cannot be: {words.literal(one.why)})" if one.why else "")
        for one in made
    ]
    return ", ".join(told) or "nobody"


def _service(asked: Asked) -> Escalations:
    found = asked.context.escalations
    if found is None:
        raise InvalidRequestError("nobody can be called from here", remediation="Call them by telephone.")
    return found
