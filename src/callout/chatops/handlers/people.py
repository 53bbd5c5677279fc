"""Who does what: assignee, roles, taking part, and who somebody is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.chatops import words
from callout.chatops.commands import Assign, Invite, Join, Leave, Login, SetRole, ShowPeople
from callout.chatops.lookups import name_later
from callout.chatops.speakers import own_ids
from callout.ports.chat import Answer, Card, Fact

if TYPE_CHECKING:
    from callout.chatops.handlers.asked import Asked
    from callout.ports.values import Person


async def assign(asked: Asked, command: Assign) -> Answer:
    """Say who works on it."""
    return await _give(asked, "assignee", command.person, command.incident)


async def role(asked: Asked, command: SetRole) -> Answer:
    """Give a role to somebody, or to nobody."""
    return await _give(asked, asked.incidents.roles.check(command.role), command.person, command.incident)


async def _give(asked: Asked, name: str, typed: str, incident: str) -> Answer:
    key = await asked.named(incident)
    person = await asked.person(typed)
    changed = await asked.incidents.roles.set(asked.tx, key, name, person, asked.origin)
    if person is not None:
        await name_later(asked.context, asked.tx, asked.workspace, person, incident_id=changed.id, role=name)
    who = "nobody" if person is None else words.literal(words.called(person))
    return Answer(f"**{changed.key}**: {name} is {who} now.")


async def join(asked: Asked, command: Join) -> Answer:
    """Put the speaker on an incident."""
    incident = await asked.incident(command.incident)
    ids = await own_ids(asked)
    there = await asked.incidents.participants.of(asked.tx, incident.id)
    # Who joined before we knew which member they are is on it already.
    if not any(one.person.id in ids for one in there):
        await asked.incidents.participants.join(asked.tx, incident.id, asked.speaker.person, asked.origin)
    return Answer(
        f"You are on **{incident.key}** {words.literal(incident.title)}.", card=asked.card(incident)
    )


async def invite(asked: Asked, command: Invite) -> Answer:
    """Put others on an incident; who takes part is invited to its channel by the rules of the integration."""
    incident = await asked.incident(command.incident)
    found = [one for typed in command.people for one in await asked.people(typed)]
    people = {one.id: one for one in found}
    there = {one.person.id for one in await asked.incidents.participants.of(asked.tx, incident.id)}
    for person in people.values():
        if person.id not in there:
            await asked.incidents.participants.join(asked.tx, incident.id, person, asked.origin)
    names = ", ".join(words.literal(words.called(one)) for one in people.values())
    return Answer(f"On **{incident.key}**: {names}.")


async def leave(asked: Asked, command: Leave) -> Answer:
    """Take the speaker off an incident; a role is not lost by it, and that is said."""
    incident = await asked.incident(command.incident)
    ids = await own_ids(asked)
    was = await asked.incidents.participants.leave(
        asked.tx, incident.id, asked.speaker.person, asked.origin, also=ids
    )
    held = [
        one.role for one in await asked.incidents.roles.holders(asked.tx, incident.id) if one.person.id in ids
    ]
    text = f"You are no longer on **{incident.key}**." if was else f"You were not on **{incident.key}**."
    if held:
        text += (
            f" You are still its {' and '.join(held)}: give that on with"
            f" `{asked.command} role {incident.key} {held[0]} @name`."
        )
    return Answer(text)


async def who(asked: Asked, command: ShowPeople) -> Answer:
    """Show who is on an incident, or who has one role."""
    incident = await asked.incident(command.incident)
    holders = await asked.incidents.roles.holders(asked.tx, incident.id)
    if command.role:
        name = asked.incidents.roles.check(command.role)
        named = [words.literal(words.called(one.person)) for one in holders if one.role == name]
        return Answer(f"**{incident.key}**: {name} is {named[0] if named else 'nobody'}.")
    taking_part = await asked.incidents.participants.of(asked.tx, incident.id)
    facts = [Fact(one.role.capitalize(), words.called(one.person)) for one in holders]
    if taking_part:
        names = ", ".join(words.called(one.person) for one in taking_part)
        facts.append(Fact("Taking part", words.cut(names, words.NOTE_LIMIT)))
    if incident.declared_by is not None:
        facts.append(Fact("Declared by", words.called(incident.declared_by)))
    nobody = "" if holders or taking_part else "Nobody has a role, and nobody has joined."
    return Answer(
        "",
        card=Card(
            title=f"Who is on {incident.key}",
            text=nobody,
            facts=tuple(facts),
            link=asked.context.link(incident.key),
        ),
    )


async def login(asked: Asked, command: Login) -> Answer:
    """Link the speaker to the member whose code they typed. What went wrong is an answer, not an error: it has to be stored."""
    codes = asked.context.identities.codes
    if not command.code:
        return Answer(_how(asked.speaker.member is not None, asked.speaker.person, asked.command))
    if asked.in_public:
        await codes.void(asked.tx.system, command.code)
        return Answer(
            "Never show a code where others can read it: that one is void now."
            f" Make another, and type `{asked.command} login` with it."
        )
    member, problem = await codes.redeem(
        asked.tx.system, asked.speaker.identity, command.code, origin=asked.origin
    )
    if member is None:
        return Answer(problem)
    return Answer(f"You are **{words.literal(member.fullname or member.name)}** here now ({member.role}).")


def _how(linked: bool, person: Person, command: str) -> str:  # noqa: FBT001
    known = f"You are **{words.literal(words.called(person))}** here. To be somebody else: " if linked else ""
    return (
        f"{known}Sign in to Callout and make a code (`POST /v1/auth/chat_code`), or ask an operator to run"
        f" `callout member chat-code`; then type `{command} login` with the code within ten minutes."
    )
