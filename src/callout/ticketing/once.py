"""Creating at a provider once: the caller's `Idempotency-Key` is claimed before the call and carried into the provider's record.

A call cannot stand inside a transaction, so there are three steps: claim, call, answer stored. Whoever comes again in between waits,
and whoever comes after a crash or a lost answer has the record searched for before anything is created a second time. A request
without a key gets one of its own, so that a lost answer can be looked up at once; its key is remembered for a while by the request
itself, because programs repeat a request by themselves when it fails with 5xx.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson

from callout.access import StoredAnswer
from callout.access.idempotency import IN_DOUBT
from callout.kit.crash import crash_point
from callout.kit.ids import new_id
from callout.ports.errors import CalloutError, ConflictError, ConnectorError, OutcomeUnknownError
from callout.ports.provider import Findable, Idempotent
from callout.storage import StorageError

if TYPE_CHECKING:
    from callout.storage import Tx
    from callout.ticketing.engine import Engine, Opened

PREFIX: Final = "api-"
ABANDONED: Final = timedelta(seconds=150)
"""A claim older than any request lives was left by a process that died."""
DOUBT_KEPT: Final = timedelta(minutes=15)
LOOK_AGAIN_SECONDS: Final = 1.5

Result = Mapping[str, Any]
Create = Callable[[str], Awaitable[Result]]
Find = Callable[[str], Awaitable[Result | None]]


@dataclass(frozen=True, slots=True)
class Creation:
    """One request to create.

    Args:
        operation: the contract's name, by which the connector declares what a repeat would do.
        digest: of method, address and body.
        key: the caller's Idempotency-Key, or None.
        create: creates with the key that it is given, which goes into the provider's record.
        find: looks for what was created with that key; None where the provider cannot be searched.
        action: for the audit, such as `ticket.created`.
    """

    operation: str
    digest: str
    key: str | None
    create: Create
    find: Find | None
    action: str


@dataclass(frozen=True, slots=True)
class Made:
    """The outcome: the result, and whether it is that of an earlier request."""

    result: Result
    replayed: bool = False


class Once:
    """Carries creations out."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._context = engine.context

    async def make(self, opened: Opened, one: Creation) -> Made:
        """Create, or return what the same request created before.

        Raises ConflictError for a key that is used for another request or is being worked on, and what the provider raises.
        """
        explicit = one.key is not None
        own = f"{opened.caller.token_id}:{one.key if explicit else f'implied:{one.digest}'}"
        stored = await self._claim(opened, own, one, explicit=explicit)
        if stored is not None and stored.status != IN_DOUBT:
            return Made(orjson.loads(stored.body), replayed=True)
        reference = (stored.body if stored is not None else "") or _reference(opened, one)
        since = None if stored is None else stored.since
        crash_point("ticketing.claimed")
        try:
            found = await self._sought(opened, one, reference, since=since) if stored is not None else None
            since = None  # from here on, what is in doubt is this attempt
            made = Made(await self._created(one, reference)) if found is None else Made(found, replayed=True)
        except (OutcomeUnknownError, asyncio.CancelledError):
            await asyncio.shield(self._doubted(opened, own, one, reference, since=since, explicit=explicit))
            raise
        except CalloutError:
            if explicit or stored is not None:  # nothing was created: the same key may be tried again at once
                await self._released(opened, own)
            raise
        crash_point("ticketing.created")
        await self._settled(opened, own, one, made, claimed=explicit, doubted=stored is not None)
        return made

    async def _claim(self, opened: Opened, own: str, one: Creation, *, explicit: bool) -> StoredAnswer | None:
        idempotency, database = self._context.idempotency, self._context.database
        account = opened.integration.account_id

        async def claim(tx: Tx) -> StoredAnswer | None:
            scoped = tx.account(account)
            taken = await idempotency.take_over(scoped, own, one.digest, abandoned=ABANDONED)
            if taken is not None or not explicit:
                return taken
            return await idempotency.begin(scoped, own, one.digest)

        if explicit:
            return await database.transaction(claim)
        if not await database.read(lambda tx: idempotency.open_doubt(tx.account(account), own)):
            return None
        taken = await database.transaction(claim)
        if taken is None:
            raise ConflictError(
                "the same request was left in doubt a moment ago and is being looked into",
                remediation="Send it again in a moment; use an Idempotency-Key to tell two requests apart.",
            )
        return taken

    @staticmethod
    async def _created(one: Creation, reference: str) -> Result:
        try:
            return await one.create(reference)
        except OutcomeUnknownError:
            # Most often it did happen and only the answer is lost: looking is quicker than the caller's next attempt.
            for wait in (0.0, LOOK_AGAIN_SECONDS):
                await asyncio.sleep(wait)
                try:
                    found = None if one.find is None else await one.find(reference)
                except ConnectorError:
                    found = None
                if found is not None:
                    return found
            raise

    async def _sought(
        self, opened: Opened, one: Creation, reference: str, *, since: datetime | None
    ) -> Result | None:
        """Return what an earlier attempt created, or None when it created nothing. Raises OutcomeUnknownError."""
        if one.find is not None:
            found = await one.find(reference)
            if found is not None:
                return found
        provider = await self._engine.provider(opened)
        effect = provider.effects.get(one.operation)
        words = "an earlier attempt may have been carried out"
        if isinstance(effect, Findable):
            left = timedelta() if since is None else since + effect.lag - self._context.clock.now()
            if left <= timedelta():
                return None
            raise OutcomeUnknownError(
                f"{words}, and {opened.manifest.title} may not show it yet",
                remediation="Send the same request again when Retry-After is over: it is searched for first.",
                retry_after=left + timedelta(seconds=1),
            )
        if isinstance(effect, Idempotent):
            return None
        raise OutcomeUnknownError(
            f"{words}, and {opened.manifest.title} cannot be searched for it",
            remediation="Look at the ticket; if it is not there, repeat the request with another Idempotency-Key.",
        )

    async def _settled(
        self, opened: Opened, own: str, one: Creation, made: Made, *, claimed: bool, doubted: bool
    ) -> None:
        """Store the answer with its audit row."""

        async def unit(tx: Tx) -> None:
            account = tx.account(opened.integration.account_id)
            if claimed:
                body = orjson.dumps(dict(made.result)).decode()
                await self._context.idempotency.finish(account, own, status=200, body=body)
            elif doubted:
                await self._context.idempotency.release(account, own)
            await self._engine.record(
                account, opened, one.action, str(made.result.get("id", "")), {"found": made.replayed}
            )

        await self._context.database.transaction(unit)

    async def _doubted(
        self,
        opened: Opened,
        own: str,
        one: Creation,
        reference: str,
        *,
        since: datetime | None,
        explicit: bool,
    ) -> None:
        async def unit(tx: Tx) -> None:
            await self._context.idempotency.doubt(
                tx.account(opened.integration.account_id),
                own,
                one.digest,
                reference=reference,
                since=since,
                keep_for=None if explicit else DOUBT_KEPT,
            )

        # Without the row a claim counts as abandoned after a while: the same, only later.
        with contextlib.suppress(StorageError):
            await self._context.database.transaction(unit)

    async def _released(self, opened: Opened, own: str) -> None:
        async def unit(tx: Tx) -> None:
            await self._context.idempotency.release(tx.account(opened.integration.account_id), own)

        with contextlib.suppress(StorageError):
            await self._context.database.transaction(unit)


def _reference(opened: Opened, one: Creation) -> str:
    """Return the key that the provider's record carries: always the same for a key of the caller's."""
    if one.key is None:
        return PREFIX + new_id().replace("-", "")[:32]
    text = f"{opened.integration.id}\n{opened.caller.token_id}\n{one.operation}\n{one.key}"
    return PREFIX + hashlib.sha256(text.encode()).hexdigest()[:32]
