"""Chat identities: which member a user of a chat platform is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from callout.access.members import Members
from callout.access.tables import chat_identities
from callout.audit import Audit
from callout.kit.clock import Clock
from callout.ports.errors import NotFoundError
from callout.ports.values import Actor, ActorKind, Origin, Person
from callout.storage import Tx
from callout.storage.upsert import insert_or_ignore


@dataclass(frozen=True, slots=True)
class ChatIdentity:
    """A user of one team (workspace, tenant) of a chat provider, and the member behind it where that is
    known.
    """

    provider: str
    team: str
    user_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    member_id: str | None = None
    email: str | None = None

    @property
    def actor(self) -> Actor:
        """The actor of what this user does: the member, else the chat user."""
        if self.member_id is not None:
            return Actor(ActorKind.MEMBER, self.member_id, self.name)
        return Actor(ActorKind.CHAT_USER, f"{self.provider}/{self.team}/{self.user_id}", self.name)


class ChatIdentities:
    """Remembers users of chat platforms and links them to members."""

    def __init__(self, clock: Clock, audit: Audit, members: Members) -> None:
        self._clock = clock
        self._audit = audit
        self._members = members

    async def remember(self, tx: Tx, provider: str, team: str, person: Person) -> ChatIdentity:
        """Return the identity of `person`, stored when new, with name and e-mail kept fresh.

        `person.email` must come from the platform's own directory, never from what the user typed: an
        identity with the e-mail of a member becomes that member's, once.
        """
        now = self._clock.now()
        row = {
            "provider": provider,
            "team": team,
            "user_id": person.id,
            "name": person.name or person.id,
            "created_at": now,
            "updated_at": now,
        }
        await tx.execute(insert_or_ignore(tx, chat_identities, row))
        found = await self._get(tx, provider, team, person.id)
        fresh: dict[str, Any] = {}
        email = person.email.strip().lower() or None
        if person.name and person.name != found.name:
            fresh["name"] = person.name
        if email is not None and email != found.email:
            fresh["email"] = email
        if found.member_id is None and email is not None:
            member = await self._members.by_email(tx, email)
            if member is not None:
                fresh["member_id"] = member.id
        if not fresh:
            return found
        await tx.execute(
            update(chat_identities).where(*_is(provider, team, person.id)).values(**fresh, updated_at=now)
        )
        return await self._get(tx, provider, team, person.id)

    async def find(self, tx: Tx, provider: str, team: str, user_id: str) -> ChatIdentity | None:
        """Return a known identity, or None."""
        row = await tx.one(select(chat_identities).where(*_is(provider, team, user_id)))
        return None if row is None else ChatIdentity(**row)

    async def of_member(self, tx: Tx, member_id: str) -> Sequence[ChatIdentity]:
        """Return every identity of a member."""
        rows = await tx.all(select(chat_identities).where(chat_identities.c.member_id == member_id))
        return [ChatIdentity(**row) for row in rows]

    async def link(
        self,
        tx: Tx,
        identity: ChatIdentity,
        *,
        member_id: str | None,
        actor: Actor,
        origin: Origin | None = None,
    ) -> ChatIdentity:
        """Say which member an identity is (None: nobody). Raises NotFoundError."""
        if member_id is not None:
            member_id = (await self._members.get(tx, member_id)).id
        where = _is(identity.provider, identity.team, identity.user_id)
        values: Mapping[str, Any] = {"member_id": member_id, "updated_at": self._clock.now()}
        await tx.execute(update(chat_identities).where(*where).values(**values))
        await self._audit.record(
            tx,
            action="chat_identity.linked",
            actor=actor,
            origin=origin,
            subject_type="chat_identity",
            subject_id=f"{identity.provider}/{identity.team}/{identity.user_id}",
            data={"member_id": member_id},
        )
        return await self._get(tx, identity.provider, identity.team, identity.user_id)

    async def _get(self, tx: Tx, provider: str, team: str, user_id: str) -> ChatIdentity:
        found = await self.find(tx, provider, team, user_id)
        if found is None:
            raise NotFoundError(f"the chat user {user_id!r} is not known")
        return found


def _is(provider: str, team: str, user_id: str) -> tuple[Any, ...]:
    table = chat_identities.c
    return (table.provider == provider, table.team == team, table.user_id == user_id)
