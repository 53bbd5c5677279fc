"""The link by which an installation without an administrator gets its first one: good once, for a day, and only until there is one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, or_, select

from callout.access.tables import members, setup_links
from callout.audit import ORGANIZATION_ID
from callout.kit.ids import random_token
from callout.kit.secrets import Secret, hash_token
from callout.ports.errors import ConflictError, ForbiddenError
from callout.ports.values import Actor, ActorKind

if TYPE_CHECKING:
    from callout.access.members import Member, Members
    from callout.audit import Audit
    from callout.kit.clock import Clock
    from callout.ports.values import Origin
    from callout.storage import Tx

LIFETIME: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class SetupLink:
    """A new link: the secret in its address is shown this once."""

    secret: Secret
    expires: datetime

    def address(self, base: str) -> str:
        """Return the link as it is printed; `base` is the server's own address. It holds the secret."""
        return f"{base}/setup/{self.secret.reveal()}"


class SetupLinks:
    """Makes set-up links and takes them."""

    def __init__(self, clock: Clock, audit: Audit, people: Members) -> None:
        self._clock = clock
        self._audit = audit
        self._members = people

    async def wanted(self, tx: Tx) -> bool:
        """Return whether nobody is a member yet."""
        return not await tx.scalar(select(func.count()).select_from(members))

    async def issue(self, tx: Tx, *, actor: Actor, origin: Origin | None = None) -> SetupLink:
        """Make a link. Raises ConflictError where there is an administrator: they make the others."""
        if await self._administrator(tx):
            raise ConflictError(
                "this installation has an administrator already",
                remediation="An administrator makes further members, in the dashboard or by the management API.",
            )
        secret, now = random_token(), self._clock.now()
        expires = now + LIFETIME
        row = {"hash": hash_token(secret), "created_at": now, "expires": expires}
        await tx.execute(setup_links.insert().values(**row))
        await self._audit.record(
            tx,
            action="setup_link.made",
            actor=actor,
            origin=origin,
            subject_type="organization",
            subject_id=ORGANIZATION_ID,
            data={"expires": expires.isoformat()},
        )
        return SetupLink(Secret(secret), expires)

    async def require(self, tx: Tx, secret: str) -> None:
        """Raise ForbiddenError unless the link with `secret` is good now."""
        good = (setup_links.c.hash == hash_token(secret), setup_links.c.expires > self._clock.now())
        if await tx.one(select(setup_links).where(*good)) is None or await self._administrator(tx):
            raise _refused()

    async def use(
        self,
        tx: Tx,
        secret: str,
        *,
        name: str,
        fullname: str,
        email: str,
        password_hash: str,
        origin: Origin | None = None,
    ) -> Member:
        """Make the first administrator. Raises ForbiddenError as `require` does, InvalidRequestError, ConflictError."""
        await self.require(tx, secret)
        # All of them, in one statement: of two people who come at the same moment, one waits here for the other and then sees them.
        if not await tx.execute(delete(setup_links)) or await self._administrator(tx):
            raise _refused()
        return await self._members.create(
            tx,
            actor=Actor(ActorKind.SYSTEM, "setup", "the set-up link"),
            origin=origin,
            name=name,
            fullname=fullname or None,
            email=email or None,
            role="admin",
            password_hash=password_hash,
        )

    async def purge(self, tx: Tx) -> int:
        """Remove links that are too old; return how many."""
        return await tx.execute(delete(setup_links).where(setup_links.c.expires <= self._clock.now()))

    async def _administrator(self, tx: Tx) -> bool:
        now = self._clock.now()
        able = (
            members.c.role == "admin",
            members.c.state == "enabled",
            or_(members.c.expires.is_(None), members.c.expires > now),
        )
        return await tx.scalar(select(members.c.id).where(*able).limit(1)) is not None


def _refused() -> ForbiddenError:
    return ForbiddenError(
        "this set-up link is not good: it was used, it is older than a day, or there is an administrator already",
        remediation="Sign in, or have an operator print another link: callout member setup-link",
    )
