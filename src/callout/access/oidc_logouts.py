"""What becomes of sessions here when somebody signed out, or was switched off, at the OpenID provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from callout.access.tables import oidc_identities, oidc_logouts
from callout.kit.secrets import hash_token
from callout.ports.values import Actor, ActorKind
from callout.storage.upsert import insert_or_ignore

if TYPE_CHECKING:
    from callout.access.oidc import SignedOut
    from callout.access.sessions import Sessions
    from callout.kit.clock import Clock
    from callout.ports.values import Origin
    from callout.storage import Tx


class OidcLogouts:
    """Carries out what a provider's notice says, each notice once: whoever sends one again ends no session that came after."""

    def __init__(self, clock: Clock, sessions: Sessions) -> None:
        self._clock = clock
        self._sessions = sessions

    async def carry_out(self, tx: Tx, notice: SignedOut, *, origin: Origin | None = None) -> int:
        """End the sessions that a notice is about; return how many. A notice that is known ends none."""
        mark = hash_token(f"{notice.issuer} {notice.mark}")
        if not await tx.execute(insert_or_ignore(tx, oidc_logouts, {"hash": mark, "until": notice.until})):
            return 0
        member_id: str | None = None
        if notice.subject:
            member_id = await tx.scalar(
                select(oidc_identities.c.member_id).where(
                    oidc_identities.c.issuer == notice.issuer, oidc_identities.c.subject == notice.subject
                )
            )
            if member_id is None:
                return 0  # nobody who was here
        actor = Actor(ActorKind.SYSTEM, "openid", notice.issuer)
        return await self._sessions.end_openid(tx, member_id, notice.sid, actor=actor, origin=origin)

    async def purge(self, tx: Tx) -> int:
        """Forget notices that would be refused by now; return how many."""
        return await tx.execute(delete(oidc_logouts).where(oidc_logouts.c.until <= self._clock.now()))
