"""Whom somebody means: a mention, a name, an e-mail address or `me`, to a person of ours. Asks no platform."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from callout.chatops.groups import GROUP_MENTION, MOST_OF_A_GROUP
from callout.chatops.lookups import look_up
from callout.chatops.speakers import person_behind
from callout.chatops.words import called
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.ports.values import Person

if TYPE_CHECKING:
    from callout.access import ChatIdentity
    from callout.chatops.context import ChatContext, Workspace
    from callout.chatops.handlers.asked import Asked
    from callout.chatops.speakers import Speaker
    from callout.storage import AccountTx

NAMED_AT_ONCE = 5
_BROADCASTS = frozenset({"here", "channel", "everyone"})
_MENTION = re.compile(r"<@([A-Za-z0-9_.:-]{1,100})(?:\|([^<>]{0,200}))?>")
_MAIL_LINK = re.compile(r"<mailto:([^<>|]+)(?:\|[^<>]*)?>")
_EMAIL = re.compile(r"[^\s@<>]+@[^\s@<>]+\.[^\s@<>]+")


async def person_of(
    context: ChatContext, tx: AccountTx, workspace: Workspace, speaker: Speaker, typed: str
) -> Person:
    """Return the person that `typed` means.

    Raises InvalidRequestError when nobody of that name is known, or several are.
    """
    text = typed.strip()
    if text.startswith("@") and text[1:].lower() in _BROADCASTS:
        raise InvalidRequestError(
            f"{text} is everybody who reads the channel, and no person", remediation="Name one person"
        )
    if text.lower() in {"me", "myself", "i"}:
        return speaker.person
    mention = _MENTION.fullmatch(text)
    if mention is not None:
        mentioned = Person(mention[1], mention[2] or "")
        return await _mentioned(context, tx, workspace, speaker.identity.team, mentioned)
    link = _MAIL_LINK.fullmatch(text)
    address = link[1] if link is not None else text.removeprefix("@")
    if _EMAIL.fullmatch(address):
        return await _by_email(context, tx, workspace, speaker, address.lower())
    return await _by_name(context, tx, workspace, speaker, text.removeprefix("@"))


def group_of(typed: str) -> tuple[str, str] | None:
    """Return id and handle of the group that `typed` mentions, None where it is no group."""
    match = GROUP_MENTION.fullmatch(typed.strip())
    return None if match is None else (match[1], match[2] or match[1])


async def members_of(asked: Asked, group: tuple[str, str]) -> list[Person]:
    """Return the people of a group that was mentioned.

    Raises InvalidRequestError for one that is empty or too large, or of which the platform did not tell who is in it.
    """
    identity, handle = group
    context, tx, workspace = asked.context, asked.tx, asked.workspace
    known = asked.groups.get(identity)
    members = None if known is None else known.ref.members
    if known is None or members is None:
        raise InvalidRequestError(
            f"who is in the group @{handle} cannot be seen in {workspace.title} now, so nothing was done",
            remediation="Name the people one by one. The app needs the permission to read groups",
        )
    if not members:
        raise InvalidRequestError(
            f"nobody is in the group @{handle}", remediation="Name somebody who is not in it"
        )
    if len(members) > MOST_OF_A_GROUP:
        raise InvalidRequestError(
            f"the group @{handle} has {len(members)} people, and at most {MOST_OF_A_GROUP} are reached by a mention",
            remediation="Name the people, or use an escalation policy",
        )
    team = asked.speaker.identity.team
    for person in known.people.values():  # as the platform's own directory has them
        await context.identities.remember(tx.system, workspace.provider, team, person)
    return [await _mentioned(context, tx, workspace, team, Person(one)) for one in members]


async def only_member(asked: Asked, group: tuple[str, str]) -> Person:
    """Return the one person in a group. Raises InvalidRequestError, with the names of all, where there are several."""
    people = await members_of(asked, group)
    if len(people) == 1:
        return people[0]
    names = ", ".join(f"@{called(one)}" for one in people)
    raise InvalidRequestError(
        f"@{group[1]} is a group of {len(people)}: {names}. One person is needed here, so nothing was done",
        remediation="Which one? Write the same with the name of one of them",
    )


async def _mentioned(
    context: ChatContext, tx: AccountTx, workspace: Workspace, team: str, user: Person
) -> Person:
    """Return a mentioned user; one never seen before is remembered by their mention and looked up by a job."""
    found = await context.identities.find(tx.system, workspace.provider, team, user.id)
    if found is None:
        found = await context.identities.remember(tx.system, workspace.provider, team, user)
        await look_up(context, tx, workspace, team, user.id)
    return await _behind(context, tx, found)


async def _behind(context: ChatContext, tx: AccountTx, identity: ChatIdentity) -> Person:
    if identity.member_id is None:
        return person_behind(identity, None)
    return person_behind(identity, await context.members.get(tx.system, identity.member_id))


async def _by_email(
    context: ChatContext, tx: AccountTx, workspace: Workspace, speaker: Speaker, email: str
) -> Person:
    member = await context.members.by_email(tx.system, email)
    if member is not None:
        return Person(f"member:{member.id}", member.fullname or member.name, email)
    known = await context.identities.named(tx.system, workspace.provider, speaker.identity.team, email=email)
    # Nobody of ours: the address itself, as a ticketing system may know it.
    return await _behind(context, tx, known[0]) if known else Person(email, email, email)


async def _by_name(
    context: ChatContext, tx: AccountTx, workspace: Workspace, speaker: Speaker, name: str
) -> Person:
    found: dict[str, Person] = {}
    known = await context.identities.named(tx.system, workspace.provider, speaker.identity.team, name=name)
    for identity in known:
        person = await _behind(context, tx, identity)
        found[person.id] = person
    try:
        member = await context.members.get(tx.system, name)
    except NotFoundError:
        pass
    else:
        person = Person(f"member:{member.id}", member.fullname or member.name, member.email or "")
        found.setdefault(person.id, person)
    if len(found) == 1:
        return next(iter(found.values()))
    shown = name[:60]
    if found:
        names = ", ".join(sorted(f"{one.name} {one.email}".strip() for one in found.values())[:NAMED_AT_ONCE])
        raise InvalidRequestError(
            f"several people are called {shown}: {names}", remediation="Write the e-mail address instead"
        )
    raise InvalidRequestError(
        f"nobody called {shown} is known here",
        remediation="Mention them so that the platform completes the name, or write their e-mail address",
    )
