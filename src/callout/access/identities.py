"""Chat identities: which member a user of a chat platform is."""

# ruff: noqa: S608  # every statement is put together from constants of this file
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, func, select, update

from callout.access.chat_codes import ChatCodes
from callout.access.members import Member, Members
from callout.access.tables import chat_identities
from callout.audit import Audit
from callout.kit.clock import Clock
from callout.ports.errors import NotFoundError
from callout.ports.values import Actor, ActorKind, Origin, Person
from callout.storage import Question, Tx
from callout.storage.schema import from_micros
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
    membership: str | None = None
    """How they belong to the team, as the platform says; None: it was not asked yet."""

    @property
    def actor(self) -> Actor:
        """The actor of what this user does: the member, else the chat user."""
        if self.member_id is not None:
            return Actor(ActorKind.MEMBER, self.member_id, self.name)
        return Actor(ActorKind.CHAT_USER, f"{self.provider}/{self.team}/{self.user_id}", self.name)


_FIELDS = tuple(field.name for field in fields(ChatIdentity))
_MEMBER = tuple(field.name for field in fields(Member))
_TIMES = frozenset({"created_at", "updated_at", "last_logon", "expires"})
# By hand: it is asked for with every command.
_WHO = (
    f"SELECT {', '.join(f'i.{name}' for name in _FIELDS)}, {', '.join(f'm.{name}' for name in _MEMBER)}"
    " FROM chat_identities i LEFT JOIN members m ON m.id = i.member_id"
    " WHERE i.provider = {0} AND i.team = {1} AND i.user_id = {2}"
)
_WHO_SQLITE, _WHO_POSTGRES = _WHO.format("?1", "?2", "?3"), _WHO.format("$1", "$2", "$3")


Known = tuple[ChatIdentity, Member | None]
"""A chat user, and the member behind them, as far as one is."""


class ChatIdentities:
    """Remembers users of chat platforms and links them to members."""

    def __init__(self, clock: Clock, audit: Audit, members: Members) -> None:
        self._clock = clock
        self._audit = audit
        self._members = members
        self.codes = ChatCodes(clock, audit, members, self)

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

    async def stand(self, tx: Tx, provider: str, team: str, user_id: str, membership: str) -> None:
        """Note how a known user belongs to the team, as its directory says now."""
        values = {"membership": membership, "updated_at": self._clock.now()}
        await tx.execute(update(chat_identities).where(*_is(provider, team, user_id)).values(**values))

    async def find(self, tx: Tx, provider: str, team: str, user_id: str) -> ChatIdentity | None:
        """Return a known identity, or None."""
        found = await self.who(tx, provider, team, user_id)
        return None if found is None else found[0]

    async def who(self, tx: Tx, provider: str, team: str, user_id: str) -> Known | None:
        """Return a known identity with the member behind it, as far as one is; or None."""
        asked = self.asking(provider, team, user_id)
        return self.told(await tx.driver_all(asked.sqlite, asked.postgresql, asked.params))

    def asking(self, provider: str, team: str, user_id: str) -> Question:
        """Return the question that :meth:`who` asks, for those who ask more at the same moment; :meth:`told` reads its rows."""
        return Question(_WHO_SQLITE, _WHO_POSTGRES, (provider, team, user_id))

    def told(self, rows: Sequence[Sequence[Any]]) -> Known | None:
        """Return whom the rows of :meth:`asking` tell of, or None."""
        if not rows:
            return None
        values = _named(_FIELDS, rows[0])
        member = None if values["member_id"] is None else Member(**_named(_MEMBER, rows[0][len(_FIELDS) :]))
        return ChatIdentity(**values), member

    async def of_member(self, tx: Tx, member_id: str) -> Sequence[ChatIdentity]:
        """Return every identity of a member."""
        rows = await tx.all(select(chat_identities).where(chat_identities.c.member_id == member_id))
        return [_identity(row) for row in rows]

    async def named(
        self, tx: Tx, provider: str, team: str, *, name: str = "", email: str = ""
    ) -> Sequence[ChatIdentity]:
        """Return the known users of a team with that name, whatever its case, or that e-mail."""
        table = chat_identities.c
        same = func.lower(table.name) == name.lower() if name else table.email == email.lower()
        statement = select(chat_identities).where(table.provider == provider, table.team == team, same)
        return [_identity(row) for row in await tx.all(statement.order_by(table.user_id).limit(20))]

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


def _identity(row: Mapping[str, Any] | RowMapping) -> ChatIdentity:
    return ChatIdentity(**{name: row[name] for name in _FIELDS})


def _named(names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
    """Return a part of a row of the driver as fields."""
    return {
        name: from_micros(value) if name in _TIMES and value is not None else value
        for name, value in zip(names, values, strict=False)
    }


def _is(provider: str, team: str, user_id: str) -> tuple[Any, ...]:
    table = chat_identities.c
    return (table.provider == provider, table.team == team, table.user_id == user_id)
