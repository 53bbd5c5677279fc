"""Groups and people that somebody mentions: how they are called and who is in them, asked for once in a while and not awaited for long."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from callout.ports.chat import ChatEvent, ChatEventKind, ChatInput, GroupRef
from callout.ports.errors import CalloutError
from callout.ports.values import Person

if TYPE_CHECKING:
    from callout.access import ChatIdentity
    from callout.chatops.context import ChatContext, Workspace
    from callout.ports.chat import ChatProvider
    from callout.storage import Tx

GROUP_MENTION: Final = re.compile(r"<@&([A-Za-z0-9_.:-]{1,100})(?:\|@?([^<>]{0,200}))?>")
"""How connectors write the mention of a group: its id, and its handle where the platform told it."""
KNOWN_FOR: Final = timedelta(minutes=5)
"""So long a group is taken to be as it was."""
UNKNOWN_FOR: Final = timedelta(seconds=30)
"""So long a platform that did not tell is not asked again."""
PATIENCE: Final = 1.0
"""Seconds in which the platform has to tell all of it; a command, which has three to be answered in, waits for no longer."""
UNNAMED: Final = re.compile(r"<@([A-Za-z0-9_.:-]{1,100})>")
"""A person whose name the platform left out."""
_NOT_IN_NAME: Final = re.compile(r"[<>|]")
MOST_KNOWN: Final = 500
MOST_OF_A_GROUP: Final = 20
"""Of a larger group nobody is called or invited by a mention: that is what escalation policies and `invite_groups` are for."""
MOST_ASKED: Final = 5
"""So many groups of one text are looked up."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group as the platform told of it, with its people by the platform's id, as far as it told who they are."""

    ref: GroupRef
    people: Mapping[str, Person] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Kept:
    group: Group | None
    until: datetime


@dataclass(frozen=True, slots=True)
class Mentioned:
    """Whom a text mentions: groups by their ids, and names of people by theirs. What nobody could tell of is missing."""

    groups: Mapping[str, Group] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


class Groups:
    """Remembers groups for a while, in memory. No transaction is open while it asks."""

    def __init__(self, context: ChatContext) -> None:
        self._context = context
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._names: dict[tuple[str, str], tuple[str, datetime]] = {}

    async def mentioned(self, workspace: Workspace, given: ChatInput) -> Mentioned:
        """Return whom what was said mentions. Asks for a group, or for the name of somebody whom we do not know."""
        if "<@" not in (text := _heard(given)):
            return Mentioned()
        ours = given.bot_ids if isinstance(given, ChatEvent) else frozenset()
        unnamed = dict.fromkeys(match[1] for match in UNNAMED.finditer(text) if match[1] not in ours)
        groups, names = await asyncio.gather(
            self._groups(workspace, text),
            self._names_of(workspace, given.team, list(unnamed)[:MOST_ASKED]),
        )
        return Mentioned(groups, names)

    async def _groups(self, workspace: Workspace, text: str) -> Mapping[str, Group]:
        wanted = list(dict.fromkeys(match[1] for match in GROUP_MENTION.finditer(text)))[:MOST_ASKED]
        now = self._context.clock.now()
        kept = {one: self._kept.get((workspace.integration_id, one)) for one in wanted}
        missing = [one for one, known in kept.items() if known is None or known.until <= now]
        if missing:
            await self._ask(workspace, missing)
        found = {one: self._kept.get((workspace.integration_id, one)) for one in wanted}
        return {one: known.group for one, known in found.items() if known is not None and known.group}

    async def _names_of(self, workspace: Workspace, team: str, wanted: Sequence[str]) -> Mapping[str, str]:
        """Return names of people by their ids: as we know them, else as the platform tells; kept like groups."""
        now = self._context.clock.now()
        kept = {one: self._names.get((workspace.integration_id, one), ("", now)) for one in wanted}
        missing = [one for one, (_, until) in kept.items() if until <= now]
        told = await asyncio.gather(*(self._name_of(workspace, team, one) for one in missing))
        for one, name in zip(missing, told, strict=True):
            self._names.pop((workspace.integration_id, one), None)
            if len(self._names) >= MOST_KNOWN:
                del self._names[next(iter(self._names))]
            self._names[workspace.integration_id, one] = name, now + (KNOWN_FOR if name else UNKNOWN_FOR)
            kept[one] = (name, now)
        return {one: name for one, (name, _) in kept.items() if name}

    async def _name_of(self, workspace: Workspace, team: str, user: str) -> str:
        async def known(tx: Tx) -> ChatIdentity | None:
            return await self._context.identities.find(tx, workspace.provider, team, user)

        identity = await self._context.database.read(known)
        if identity is not None and identity.name.lower() != user.lower():
            return identity.name
        try:
            async with asyncio.timeout(PATIENCE):
                chat = await self._context.chat(workspace)
                person = await chat.get_person(user)
        except (CalloutError, TimeoutError):
            return ""
        return "" if person is None else person.name

    async def _ask(self, workspace: Workspace, wanted: list[str]) -> None:
        told: dict[str, Group] = {}
        try:
            async with asyncio.timeout(PATIENCE):
                chat = await self._context.chat(workspace)
                for one in wanted:
                    ref = await chat.read_group(one)
                    told[one] = Group(ref)
                    told[one] = Group(ref, await _people(chat, (ref.members or ())[:MOST_OF_A_GROUP]))
        except (CalloutError, TimeoutError):
            pass  # its handle is what stands in the text, and who is in it is not known for now
        now = self._context.clock.now()
        while len(self._kept) + len(wanted) > MOST_KNOWN:
            del self._kept[next(iter(self._kept))]
        for one in wanted:
            self._kept.pop((workspace.integration_id, one), None)
            group = told.get(one)
            lifetime = UNKNOWN_FOR if group is None or group.ref.members is None else KNOWN_FOR
            self._kept[workspace.integration_id, one] = _Kept(group, now + lifetime)


async def _people(chat: ChatProvider, members: Sequence[str]) -> Mapping[str, Person]:
    found = await asyncio.gather(*(chat.get_person(one) for one in members), return_exceptions=True)
    return {one: known for one, known in zip(members, found, strict=True) if isinstance(known, Person)}


def _heard(given: ChatInput) -> str:
    """Return the text in which groups count: nobody is asked because of a message that is not for us."""
    if isinstance(given, ChatEvent):
        heard = {ChatEventKind.MENTION, ChatEventKind.MESSAGE_CHANGED}
        return given.text if given.kind in heard or given.direct else ""
    return given.text


def labelled(given: ChatInput, mentioned: Mentioned) -> ChatInput:
    """Return what was said with handle and name in every mention of which they are known: platforms leave them out at times."""
    if not mentioned.groups and not mentioned.names:
        return given

    def group(match: re.Match[str]) -> str:
        known = mentioned.groups.get(match[1])
        return match[0] if known is None or not known.ref.handle else f"<@&{match[1]}|{known.ref.handle}>"

    def person(match: re.Match[str]) -> str:
        # An angle bracket in a name would end the mention early.
        name = " ".join(_NOT_IN_NAME.sub("", mentioned.names.get(match[1], "")).split())
        return f"<@{match[1]}|{name}>" if name else match[0]

    text = UNNAMED.sub(person, GROUP_MENTION.sub(group, given.text))
    return replace(given, text=text)


__all__ = ["GROUP_MENTION", "MOST_OF_A_GROUP", "Group", "Groups", "Mentioned", "labelled"]
