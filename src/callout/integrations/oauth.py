"""Rotating OAuth tokens: renewed by one process at a time, and stored before they are used.

Many vendors let a refresh token work once. So the right to exchange it is a lease in the row, taken in a
short transaction of its own: no transaction is open while the vendor is asked. A process that dies between
the exchange and the storing leaves an expired lease behind; whoever comes next tries the stored refresh token
once more (some vendors allow it for a while) and, when that is refused, says in plain words that the grant is
lost and has to be given again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import select, update

from callout.integrations.tables import oauth_tokens
from callout.kit.clock import Clock
from callout.kit.crash import crash_point
from callout.kit.ids import new_id
from callout.kit.redaction import redact_text
from callout.kit.secrets import KeyRing, Secret
from callout.ports.errors import AuthFailedError, ConnectorError, OutcomeUnknownError, UnavailableError
from callout.ports.manifest import TokenSet
from callout.storage import AccountTx, Database, Tx
from callout.storage.schema import EPOCH
from callout.storage.upsert import insert_or_ignore

LEASE: Final = timedelta(seconds=60)
"""Longer than any call to a token endpoint may take."""
WAIT_AT_MOST: Final = timedelta(seconds=30)
LOOK_EVERY: Final = timedelta(milliseconds=100)
INTERRUPTED: Final = (
    "A renewal of the OAuth tokens was interrupted before the new ones could be stored, "
    "and the vendor no longer takes the old refresh token"
)
CONNECT_AGAIN: Final = "Connect the integration again: give its credential a new refresh token."


@dataclass(frozen=True, slots=True)
class _State:
    generation: int
    tokens: TokenSet
    lease_by: str | None
    leased: bool
    interrupted: bool


class OAuthTokens:
    """The :class:`~callout.ports.manifest.TokenStore` of one integration."""

    def __init__(
        self, database: Database, keys: KeyRing, clock: Clock, *, account_id: str, integration_id: str
    ) -> None:
        self._database = database
        self._keys = keys
        self._clock = clock
        self._account_id = account_id
        self._integration_id = integration_id

    async def current(self) -> TokenSet:
        """Return the stored tokens; an expired empty set when there are none yet."""
        state = await self._database.read(self._read)
        return _nothing() if state is None else state.tokens

    async def rotate(self, stale: TokenSet, exchange: Callable[[TokenSet], Awaitable[TokenSet]]) -> TokenSet:
        """Return fresh tokens: by `exchange`, unless somebody stored others since `stale` was read.

        Raises AuthFailedError when the vendor refuses, UnavailableError when another process holds the lease
        too long.
        """
        me, waited = new_id(), timedelta()
        while True:
            state, mine = await self._database.transaction(lambda tx: self._lease(tx, me, stale))
            if state.tokens.access != stale.access:
                return state.tokens
            if mine:
                return await self._exchange(me, state, exchange)
            if waited >= WAIT_AT_MOST:
                raise UnavailableError("another process has been renewing the OAuth tokens for too long")
            await asyncio.sleep(LOOK_EVERY.total_seconds())
            waited += LOOK_EVERY

    async def problem(self) -> str | None:
        """Return what is wrong with the tokens, in words, or None."""

        async def work(tx: Tx) -> str | None:
            found = tx.account(self._account_id)
            query = found.select(oauth_tokens.c.problem).where(
                oauth_tokens.c.integration_id == self._integration_id
            )
            problem: str | None = await found.scalar(query)
            return problem

        return await self._database.read(work)

    @staticmethod
    async def put(
        tx: AccountTx,
        keys: KeyRing,
        clock: Clock,
        integration_id: str,
        *,
        access: Secret,
        refresh: Secret | None,
    ) -> None:
        """Store the tokens that a person's consent gave; they end any problem. They count as due for renewal."""
        place = (tx.account_id, integration_id)
        values = {
            "access_sealed": keys.seal(access, context=(*place, "oauth/access")),
            "refresh_sealed": None
            if refresh is None
            else keys.seal(refresh, context=(*place, "oauth/refresh")),
            "expires_at": None if access else EPOCH,
            "lease_by": None,
            "lease_until": None,
            "problem": None,
            "updated_at": clock.now(),
        }
        first = {"integration_id": integration_id, "account_id": tx.account_id, "generation": 1, **values}
        if not await tx.system.execute(insert_or_ignore(tx.system, oauth_tokens, first)):
            await tx.execute(
                tx.update(oauth_tokens)
                .where(oauth_tokens.c.integration_id == integration_id)
                .values(**values, generation=oauth_tokens.c.generation + 1),
            )

    @staticmethod
    async def rewrap(tx: Tx, keys: KeyRing) -> int:
        """Seal tokens that an older key sealed with the primary key; return how many rows were."""
        done = 0
        for row in await tx.all(select(oauth_tokens)):
            place = (row["account_id"], row["integration_id"])
            fresh = {
                f"{name}_sealed": keys.rewrap(sealed, context=(*place, f"oauth/{name}"))
                for name in ("access", "refresh")
                if (sealed := row[f"{name}_sealed"]) is not None
            }
            if any(row[name] != value for name, value in fresh.items()):
                done += await tx.execute(
                    update(oauth_tokens)
                    .where(
                        oauth_tokens.c.integration_id == row["integration_id"],
                        oauth_tokens.c.generation == row["generation"],
                    )
                    .values(**fresh),
                )
        return done

    async def _exchange(
        self, me: str, state: _State, exchange: Callable[[TokenSet], Awaitable[TokenSet]]
    ) -> TokenSet:
        try:
            fresh = await exchange(state.tokens)
        except ConnectorError as error:
            # A cancelled call leaves its lease behind, which says the same once it has run out.
            lost = isinstance(error, AuthFailedError)
            unsure = not lost and (state.interrupted or isinstance(error, OutcomeUnknownError))
            words = INTERRUPTED if lost and state.interrupted else redact_text(error.message)
            problem = words if lost else None
            await self._database.transaction(lambda tx: self._release(tx, me, problem=problem, unsure=unsure))
            if lost and state.interrupted:
                raise AuthFailedError(INTERRUPTED, remediation=CONNECT_AGAIN) from error
            raise
        crash_point("oauth.exchanged")
        if await self._database.transaction(lambda tx: self._store(tx, state.generation, fresh)):
            return fresh
        return await self.current()

    async def _lease(self, tx: Tx, me: str, stale: TokenSet) -> tuple[_State, bool]:
        scoped = tx.account(self._account_id)
        first = {
            "integration_id": self._integration_id,
            "account_id": self._account_id,
            "generation": 0,
            "updated_at": self._clock.now(),
        }
        await tx.execute(insert_or_ignore(tx, oauth_tokens, first))
        state = await self._read(tx, lock=True)
        if state is None:
            raise AuthFailedError("the integration is gone")
        if state.tokens.access != stale.access or state.leased:
            return state, False
        await scoped.execute(
            scoped.update(oauth_tokens)
            .where(oauth_tokens.c.integration_id == self._integration_id)
            .values(lease_by=me, lease_until=self._clock.now() + LEASE),
        )
        return state, True

    async def _read(self, tx: Tx, *, lock: bool = False) -> _State | None:
        scoped = tx.account(self._account_id)
        query = scoped.select(oauth_tokens).where(oauth_tokens.c.integration_id == self._integration_id)
        row = await scoped.one(query.with_for_update() if lock else query)
        if row is None:
            return None
        held = row["lease_until"] is not None
        leased = held and self._clock.now() < row["lease_until"]
        if row["access_sealed"] is None:
            tokens = _nothing()
        else:
            place = (self._account_id, self._integration_id)
            refresh = row["refresh_sealed"]
            tokens = TokenSet(
                self._keys.open(row["access_sealed"], context=(*place, "oauth/access")),
                None if refresh is None else self._keys.open(refresh, context=(*place, "oauth/refresh")),
                row["expires_at"],
            )
        return _State(row["generation"], tokens, row["lease_by"], leased, interrupted=held and not leased)

    async def _store(self, tx: Tx, generation: int, fresh: TokenSet) -> bool:
        scoped, place = tx.account(self._account_id), (self._account_id, self._integration_id)
        refresh = fresh.refresh
        # By generation and not by lease: when the lease ran out during a slow call, these tokens are still
        # the only ones.
        touched = await scoped.execute(
            scoped.update(oauth_tokens)
            .where(
                oauth_tokens.c.integration_id == self._integration_id, oauth_tokens.c.generation == generation
            )
            .values(
                generation=generation + 1,
                access_sealed=self._keys.seal(fresh.access, context=(*place, "oauth/access")),
                refresh_sealed=None
                if refresh is None
                else self._keys.seal(refresh, context=(*place, "oauth/refresh")),
                expires_at=fresh.expires_at,
                lease_by=None,
                lease_until=None,
                problem=None,
                updated_at=self._clock.now(),
            ),
        )
        return bool(touched)

    async def _release(self, tx: Tx, me: str, *, problem: str | None, unsure: bool) -> None:
        scoped, now = tx.account(self._account_id), self._clock.now()
        # A lease that has run out is the mark of a renewal whose end nobody knows.
        values: dict[str, object] = {
            "lease_by": None,
            "lease_until": now if unsure else None,
            "updated_at": now,
        }
        if problem is not None:
            values["problem"] = problem
        await scoped.execute(
            scoped.update(oauth_tokens)
            .where(oauth_tokens.c.integration_id == self._integration_id, oauth_tokens.c.lease_by == me)
            .values(**values),
        )


def _nothing() -> TokenSet:
    return TokenSet(Secret(""), None, EPOCH)
