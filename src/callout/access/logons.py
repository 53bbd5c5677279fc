"""Members who sign in with a name and a secret. Comparing secrets takes long, so it is done between two transactions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, or_, select, update

from callout.access import passwords
from callout.access.errors import Reason, UnauthenticatedError
from callout.access.members import Member, Members
from callout.access.tables import members
from callout.access.tokens import RefreshToken, Tokens
from callout.audit import Audit
from callout.kit.clock import Clock
from callout.kit.secrets import Secret
from callout.ports.errors import ForbiddenError, NotFoundError
from callout.ports.values import Actor, ActorKind, Origin
from callout.storage import Database, Tx

MOST_FAILURES: Final = 5
LOCKED_FOR: Final = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class _Candidate:
    member: Member
    password_hash: str | None
    locked_until: datetime | None


class Logons:
    """Opens tokens for members who know their secret. Guessing is slowed down: after five wrong ones, 15 minutes."""

    def __init__(self, clock: Clock, audit: Audit, people: Members, tokens: Tokens) -> None:
        self._clock = clock
        self._audit = audit
        self._members = people
        self._tokens = tokens

    async def compare(self, database: Database, name: str, secret: Secret) -> str | None:
        """Return the id of the member with that name (or e-mail) when `secret` is theirs; takes as long when there is none."""
        found = await database.read(lambda tx: self._candidate(tx, name))
        fits = await passwords.fits(secret, None if found is None else found.password_hash)
        return found.member.id if found is not None and fits else None

    async def failed(self, tx: Tx, name: str, *, origin: Origin | None = None) -> None:
        """Count a wrong secret for `name`; one too many locks the member for a while."""
        found = await self._candidate(tx, name)
        if found is None:
            return
        one = found.member
        await tx.execute(
            update(members)
            .where(members.c.id == one.id)
            .values(failed_logons=func.coalesce(members.c.failed_logons, 0) + 1)
        )
        count = int(await tx.scalar(select(members.c.failed_logons).where(members.c.id == one.id)) or 0)
        locked = count >= MOST_FAILURES
        if locked:
            until = self._clock.now() + LOCKED_FOR
            values = {"failed_logons": None, "locked_until": until}
            await tx.execute(update(members).where(members.c.id == one.id).values(**values))
        await self._audit.record(
            tx,
            action="member.locked" if locked else "member.logon_failed",
            actor=_actor(one),
            origin=origin,
            subject_type="member",
            subject_id=one.id,
            data={"name": one.name},
            audit_type="ALARM" if locked else "API",
        )

    async def open(
        self, tx: Tx, member_id: str, *, origin: Origin | None = None
    ) -> tuple[Member, RefreshToken]:
        """Open a token for a member whose secret was right. Raises UnauthenticatedError when they may not sign in now."""
        member = await self.admit(tx, member_id)
        return member, await self._tokens.create_for_logon(tx, member, origin=origin)

    async def admit(self, tx: Tx, member_id: str) -> Member:
        """Return the member whose secret was right; wrong ones before are forgiven. Raises as :meth:`open` does."""
        found = await self._candidate(tx, member_id)
        now = self._clock.now()
        if found is None or (found.locked_until is not None and now < found.locked_until):
            raise UnauthenticatedError(Reason.WRONG_SECRET)
        if not found.member.may_act(now):
            raise UnauthenticatedError(Reason.MEMBER_DISABLED)
        await tx.execute(
            update(members)
            .where(members.c.id == found.member.id)
            .values(last_logon=now, failed_logons=None, locked_until=None)
        )
        return await self._members.get(tx, found.member.id)

    async def is_locked(self, tx: Tx, member_id: str) -> bool:
        """Return whether a member is locked out because of wrong secrets, whatever secret they know."""
        found = await self._candidate(tx, member_id)
        return found is not None and found.locked_until is not None and self._clock.now() < found.locked_until

    async def locked(self, tx: Tx) -> dict[str, datetime]:
        """Return until when members are locked out because of wrong secrets, by id."""
        now = self._clock.now()
        rows = await tx.all(select(members.c.id, members.c.locked_until).where(members.c.locked_until > now))
        return {row["id"]: row["locked_until"] for row in rows}

    async def has_secret(self, tx: Tx, member_id: str) -> bool:
        """Return whether a member has a secret to sign in with."""
        kept = await tx.scalar(select(members.c.password_hash).where(members.c.id == member_id))
        return kept is not None

    async def may_change(self, tx: Tx, member_id: str) -> Member:
        """Return the member whose secret is to be changed. Raises ForbiddenError while they are locked."""
        found = await self._candidate(tx, member_id)
        if found is None:
            raise NotFoundError(f"there is no member {member_id!r}")
        if found.locked_until is not None and self._clock.now() < found.locked_until:
            raise ForbiddenError("the old secret is wrong")
        return found.member

    async def _candidate(self, tx: Tx, name: str) -> _Candidate | None:
        lower = name.strip().lower()
        named = or_(members.c.id == name, members.c.name == lower, members.c.email == lower)
        rows = await tx.all(select(members).where(named))
        if not rows:
            return None
        row = min(rows, key=lambda one: (one["id"] != name, one["name"] != lower))
        member = await self._members.get(tx, row["id"])
        return _Candidate(member, row["password_hash"], row["locked_until"])


def _actor(member: Member) -> Actor:
    return Actor(ActorKind.MEMBER, member.id, member.fullname)
