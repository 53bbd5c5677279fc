"""`Idempotency-Key`: the same request twice has one effect and one answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete

from callout.access.tables import idempotency_keys
from callout.kit.clock import Clock
from callout.ports.errors import ConflictError, InvalidRequestError
from callout.storage import AccountTx, Tx
from callout.storage.upsert import insert_or_ignore

KEEP_FOR: Final = timedelta(hours=48)
MAX_KEY: Final = 400
IN_DOUBT: Final = 0
"""Status of a request whose effect nobody knows; its body then is what the effect can be searched by."""


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What the first request was answered; for one in doubt, `since` when it was tried last."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)
    since: datetime | None = None


def request_digest(method: str, path: str, body: bytes) -> str:
    """Return what must be the same when a key is used again."""
    head = f"{method.upper()} {path}\n".encode()
    return hashlib.sha256(head + body).hexdigest()


class Idempotency:
    """Keeps answers by key and account, in the transaction of the effect: neither exists without the other."""

    def __init__(self, clock: Clock, *, keep_for: timedelta = KEEP_FOR) -> None:
        self._clock = clock
        self._keep_for = keep_for

    async def begin(self, tx: AccountTx, key: str, digest: str) -> StoredAnswer | None:
        """Claim `key`; return the stored answer when this request was answered before, None when it is fresh.

        A second request with the same key that arrives while the first is under way waits for its commit.

        Raises:
            InvalidRequestError: the key is empty or too long.
            ConflictError: the key was used for another request, or its first request has not been answered.
        """
        if not 0 < len(key) <= MAX_KEY or not key.isprintable():
            raise InvalidRequestError(
                f"an Idempotency-Key has 1 to {MAX_KEY} printable characters",
                fields={"Idempotency-Key": "empty, too long or unprintable"},
            )
        now = self._clock.now()
        mine = idempotency_keys.c.key == key
        await tx.execute(tx.delete(idempotency_keys).where(mine, idempotency_keys.c.expires <= now))
        row = {
            "account_id": tx.account_id,
            "key": key,
            "digest": digest,
            "created_at": now,
            "expires": now + self._keep_for,
        }
        if await tx.system.execute(insert_or_ignore(tx.system, idempotency_keys, row)):
            return None
        found = await tx.one(tx.select(idempotency_keys).where(mine))
        if found is not None and found["digest"] != digest:
            raise ConflictError(
                "this Idempotency-Key was used for another request",
                remediation="Use a new key for a new request.",
                fields={"Idempotency-Key": "used for another request"},
            )
        if found is None or found["status"] is None:
            raise ConflictError(
                "the first request with this Idempotency-Key has not been answered yet",
                remediation="Send the same request again in a moment.",
            )
        return StoredAnswer(found["status"], found["body"] or "", found["headers"] or {})

    async def finish(
        self, tx: AccountTx, key: str, *, status: int, body: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Store the answer of the request that claimed `key`, before the commit. Raises LookupError when none
        did.
        """
        touched = await tx.execute(
            tx.update(idempotency_keys)
            .where(idempotency_keys.c.key == key, idempotency_keys.c.status.is_(None))
            .values(status=status, body=body, headers=dict(headers or {})),
        )
        if not touched:
            raise LookupError("no open request holds this idempotency key")

    async def take_over(
        self, tx: AccountTx, key: str, digest: str, *, abandoned: timedelta
    ) -> StoredAnswer | None:
        """Claim `key` again when its request was left in doubt, or without an answer for longer than `abandoned`.

        Return what was remembered of it (status IN_DOUBT), or None when there is nothing to take over; of several who try, one gets it.
        """
        now = self._clock.now()
        mine = idempotency_keys.c.key == key
        found = await tx.one(
            tx.select(idempotency_keys).where(
                mine, idempotency_keys.c.digest == digest, idempotency_keys.c.expires > now
            )
        )
        if found is None:
            return None
        doubted = found["status"] == IN_DOUBT
        if not doubted and (found["status"] is not None or found["created_at"] > now - abandoned):
            return None
        unchanged = (
            idempotency_keys.c.status == IN_DOUBT if doubted else idempotency_keys.c.status.is_(None),
            idempotency_keys.c.created_at == found["created_at"],
        )
        values = {"status": None, "created_at": now}
        taken = await tx.execute(tx.update(idempotency_keys).where(mine, *unchanged).values(**values))
        since = found["created_at"]
        return StoredAnswer(IN_DOUBT, found["body"] or "", since=since) if taken else None

    async def open_doubt(self, tx: AccountTx, key: str) -> bool:
        """Return whether a request with `key` was left in doubt, or is being settled."""
        found = await tx.scalar(
            tx.select(idempotency_keys.c.key).where(
                idempotency_keys.c.key == key, idempotency_keys.c.expires > self._clock.now()
            )
        )
        return found is not None

    async def doubt(
        self,
        tx: AccountTx,
        key: str,
        digest: str,
        *,
        reference: str,
        since: datetime | None = None,
        keep_for: timedelta | None = None,
    ) -> None:
        """Remember that nobody knows whether the request with `key` had its effect, `since` when it was tried last.

        `reference` is what the effect is to be searched by.
        """
        now = self._clock.now()
        mine = idempotency_keys.c.key == key
        row = {
            "account_id": tx.account_id,
            "key": key,
            "digest": digest,
            "created_at": now,
            "expires": now + (keep_for or self._keep_for),
        }
        await tx.system.execute(insert_or_ignore(tx.system, idempotency_keys, row))
        await tx.execute(
            tx.update(idempotency_keys)
            .where(mine)
            .values(status=IN_DOUBT, body=reference, created_at=since or now)
        )

    async def release(self, tx: AccountTx, key: str) -> None:
        """Forget a claim: its request had no effect, and the key is free again."""
        await tx.execute(tx.delete(idempotency_keys).where(idempotency_keys.c.key == key))

    async def purge(self, tx: Tx, *, now: datetime | None = None) -> int:
        """Remove keys past their time; return how many."""
        moment = now or self._clock.now()
        return await tx.execute(delete(idempotency_keys).where(idempotency_keys.c.expires <= moment))


__all__ = ["KEEP_FOR", "Idempotency", "StoredAnswer", "request_digest"]
