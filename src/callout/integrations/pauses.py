"""Write pauses: per link, per integration, for an account, or for everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import delete, or_, select

from callout.access.version import SettingsVersion
from callout.audit import Audit
from callout.integrations.tables import integrations, pauses
from callout.kit.clock import Clock
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.ports.values import Actor, Origin
from callout.storage import AccountTx, Tx

PauseScope = Literal["everything", "integration", "link"]
EVERYWHERE: Final = "*"
"""The account of a pause that holds for all accounts."""
_WIDTH: Final = ("everything", "integration", "link")


@dataclass(frozen=True, slots=True)
class Pause:
    """Writes that wait: to a link, to an integration, or to everything (of the account, or of all of them)."""

    account_id: str
    scope: str
    scope_id: str
    reason: str
    until: datetime | None
    by: str
    created_at: datetime


class Pauses:
    """Sets, ends and looks up pauses. An AccountTx pauses within its account, a Tx everything everywhere."""

    def __init__(self, clock: Clock, audit: Audit, version: SettingsVersion) -> None:
        self._clock = clock
        self._audit = audit
        self._version = version

    async def pause(
        self,
        tx: AccountTx | Tx,
        scope: PauseScope,
        scope_id: str = "",
        *,
        reason: str,
        actor: Actor,
        until: datetime | None = None,
        origin: Origin | None = None,
    ) -> Pause:
        """Pause writes; a pause of the same scope is replaced.

        Args:
            tx: the account, or all of them.
            scope: how wide.
            scope_id: id of the integration or link; empty for everything.
            reason: in words, for whoever meets the pause.
            actor: who does it.
            until: when it ends by itself; None: when somebody ends it.
            origin: by which way in.

        Raises InvalidRequestError, NotFoundError for an integration that is not the account's.
        """
        if (scope == "everything") != (not scope_id):
            raise InvalidRequestError(
                "a pause of everything has no id, any other has one", fields={"/id": "invalid"}
            )
        if not isinstance(tx, AccountTx) and scope != "everything":
            raise InvalidRequestError("an integration or link is paused within its account")
        if not reason.strip():
            raise InvalidRequestError("say why writes are paused", fields={"/reason": "missing"})
        now = self._clock.now()
        if until is not None and until <= now:
            raise InvalidRequestError("the pause would have ended already", fields={"/until": "in the past"})
        if isinstance(tx, AccountTx) and scope == "integration":
            mine = tx.select(integrations.c.id).where(integrations.c.id == scope_id)
            if await tx.scalar(mine) is None:
                raise NotFoundError(f"there is no integration {scope_id!r}")
        account, system = _place(tx)
        await system.execute(delete(pauses).where(*_is(account, scope, scope_id)))
        pause = Pause(account, scope, scope_id, reason.strip(), until, actor.name or actor.id, now)
        await system.execute(pauses.insert().values(**_columns(pause)))
        await self._record(tx, "writes.paused", pause, actor=actor, origin=origin)
        await self._version.bump(system)
        return pause

    async def resume(
        self,
        tx: AccountTx | Tx,
        scope: PauseScope,
        scope_id: str = "",
        *,
        actor: Actor,
        origin: Origin | None = None,
    ) -> None:
        """End a pause. Raises NotFoundError when there is none of exactly this scope."""
        account, system = _place(tx)
        where = _is(account, scope, scope_id)
        row = await system.one(select(pauses).where(*where))
        if row is None:
            raise NotFoundError("these writes are not paused")
        await system.execute(delete(pauses).where(*where))
        await self._record(tx, "writes.resumed", Pause(**row), actor=actor, origin=origin)
        await self._version.bump(system)

    async def is_paused(self, tx: AccountTx, integration_id: str = "", link_id: str = "") -> Pause | None:
        """Return the widest pause that holds for writes to this link of this integration, or None."""
        rows = await tx.system.all(
            select(pauses).where(
                pauses.c.account_id.in_((tx.account_id, EVERYWHERE)),
                or_(pauses.c.until.is_(None), pauses.c.until > self._clock.now()),
                or_(
                    pauses.c.scope == "everything",
                    (pauses.c.scope == "integration") & (pauses.c.scope_id == integration_id),
                    (pauses.c.scope == "link") & (pauses.c.scope_id == link_id),
                ),
            ),
        )
        found = [Pause(**row) for row in rows]
        return min(found, key=lambda p: (_WIDTH.index(p.scope), p.account_id != EVERYWHERE), default=None)

    async def list(self, tx: AccountTx | Tx) -> Sequence[Pause]:
        """Return the pauses that hold now: those of the account and of everything, or all of them."""
        query = select(pauses).where(or_(pauses.c.until.is_(None), pauses.c.until > self._clock.now()))
        if isinstance(tx, AccountTx):
            query = query.where(pauses.c.account_id.in_((tx.account_id, EVERYWHERE)))
        rows = await _place(tx)[1].all(query.order_by(pauses.c.created_at))
        return [Pause(**row) for row in rows]

    async def purge(self, tx: Tx) -> int:
        """Remove pauses that have ended by themselves; return how many."""
        return await tx.execute(delete(pauses).where(pauses.c.until <= self._clock.now()))

    async def _record(
        self, tx: AccountTx | Tx, action: str, pause: Pause, *, actor: Actor, origin: Origin | None
    ) -> None:
        await self._audit.record(
            tx,
            action=action,
            actor=actor,
            origin=origin,
            subject_type="pause",
            subject_id=f"{pause.scope}/{pause.scope_id}",
            integration_id=pause.scope_id if pause.scope == "integration" else None,
            data={"account": pause.account_id, "reason": pause.reason, "until": pause.until},
        )


def _place(tx: AccountTx | Tx) -> tuple[str, Tx]:
    return (tx.account_id, tx.system) if isinstance(tx, AccountTx) else (EVERYWHERE, tx)


def _is(account_id: str, scope: str, scope_id: str) -> tuple[Any, ...]:
    return (pauses.c.account_id == account_id, pauses.c.scope == scope, pauses.c.scope_id == scope_id)


def _columns(pause: Pause) -> dict[str, Any]:
    return {column.name: getattr(pause, column.name) for column in pauses.c}
