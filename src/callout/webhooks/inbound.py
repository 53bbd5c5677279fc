"""Accepting webhooks: verify the raw bytes, deduplicate, store, commit, answer.

Requests that arrive together share one commit. The event row and the job that will parse it are in that commit, so a 2xx means that
the webhook will be worked on, whatever happens to this process next.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import orjson
import structlog
from prometheus_client import Counter

from callout.jobs import NewJob, Queue
from callout.kit import tracing
from callout.kit.crash import crash_point
from callout.kit.ids import new_id
from callout.ports.errors import InvalidRequestError, UnavailableError
from callout.ports.inbound import InboundRequest, InboundWebhook, Reply, Trust, Verdict
from callout.storage import StorageUnavailableError
from callout.storage.group import GroupCommit
from callout.storage.schema import micros

if TYPE_CHECKING:
    from callout.storage import Database, Tx
    from callout.webhooks.pressure import Pressure

STORE_SECONDS = 5.0
"""How long a sender is kept waiting for the disk before it is asked to come again."""
WAITING_MOST = 5_000
_NOT_KEPT = frozenset({"authorization", "cookie", "token", "proxy-authorization", "x-callout-token"})
_log = structlog.get_logger(__name__)

accepted_total = Counter("callout_webhooks_accepted_total", "Webhooks stored", ["provider"])
duplicates_total = Counter(
    "callout_webhooks_duplicates_total", "Webhooks that were stored before", ["provider"]
)
refused_total = Counter(
    "callout_webhooks_refused_total", "Webhooks refused by signature", ["provider", "reason"]
)


@functools.cache
def _accepted(provider: str) -> Counter:
    return accepted_total.labels(provider)


@functools.cache
def _duplicate(provider: str) -> Counter:
    return duplicates_total.labels(provider)


class IntakeBusyError(UnavailableError):
    """Nothing was stored; the sender should come again in a moment."""

    code = "INTAKE_BUSY"


@dataclass(frozen=True, slots=True)
class HookBinding:
    """Where a webhook address leads: the integration, and its dialect with the secrets of the moment."""

    account_id: str
    integration_id: str
    provider: str
    dialect: InboundWebhook


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook address as it was looked up; `token_matches` when the request carried the integration's hook token."""

    binding: HookBinding
    token_matches: bool


@dataclass(frozen=True, slots=True)
class Accepted:
    """What to answer: our 202, the vendor's own reply, or 401."""

    status: int
    reply: Reply | None = None
    event_id: str = ""
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    account_id: str
    integration_id: str
    received_at: int
    dedupe: str
    trust: str
    headers: str
    body: bytes
    trace: str | None = None


_COLUMNS = "id, account_id, integration_id, received_at, dedupe, trust, headers, body, outcome, detail"
_SQLITE_TOGETHER = 64
_SQLITE_STORED = "SELECT id FROM inbound_event WHERE id IN (SELECT value FROM json_each(?))"
_POSTGRES = (
    f"INSERT INTO inbound_event ({_COLUMNS})"  # noqa: S608
    " SELECT i, a, g, r, d, t, h, b, 'received', ''"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bytea[])"
    # In one order everywhere: two groups with the same deliveries wait for each other in a line, not in a circle.
    " AS n(i, a, g, r, d, t, h, b) ORDER BY g, d"
    " ON CONFLICT (integration_id, dedupe) DO NOTHING RETURNING id"
)


class Wanted(Protocol):
    """Whether a subscriber wants the webhooks of an integration, asked in the transaction that stores them."""

    async def __call__(self, tx: Tx, account_id: str, integration_id: str, /) -> bool:
        """Return whether a job is to be made."""
        ...


class Intake:
    """The way in for webhooks.

    Args:
        subscribers: the job kinds that work on every accepted webhook, bound by bootstrap.
        wanted: further kinds, each with the question whether it wants those of an integration.
        pressure: says whose webhooks have to wait; without it nobody's.
    """

    def __init__(
        self,
        database: Database,
        queue: Queue,
        *,
        subscribers: Sequence[str],
        wanted: Mapping[str, Wanted] | None = None,
        pressure: Pressure | None = None,
    ) -> None:
        self._pressure = pressure
        self._queue = queue
        self._subscribers = tuple(subscribers)
        self._wanted = dict(wanted or {})
        self._group: GroupCommit[_Row, bool] = GroupCommit(database, self._write)

    async def accept(self, binding: HookBinding, request: InboundRequest, *, admitted: bool) -> Accepted:
        """Verify and store one webhook.

        `admitted` tells that the request carried the integration's own hook token: without it, a request that no signature covers is
        refused like one with a wrong signature.

        Returns status 401 for a signature that is missing, wrong or stale (nothing is stored). Raises InvalidRequestError for a body that
        is not JSON, IntakeBusyError when it could not be stored, IntakeFullError and IntakeQuotaError when it has to wait.
        """
        verdict = binding.dialect.verify(request)
        if verdict.trust is Trust.HINT and not (verdict.covered or admitted):
            verdict = Verdict(Trust.REFUSED, "neither a signature nor the hook token")
        if verdict.trust is Trust.REFUSED:
            refused_total.labels(binding.provider, verdict.reason).inc()
            _log.warning(
                "webhook_refused",
                provider=binding.provider,
                integration_id=binding.integration_id,
                reason=verdict.reason,
            )
            return Accepted(401)
        reply = binding.dialect.reply(request)
        if reply is not None and not reply.store:
            return Accepted(reply.status, reply)
        if not verdict.is_json:
            _check_json(request.body)
        row = _Row(
            id=new_id(),
            account_id=binding.account_id,
            integration_id=binding.integration_id,
            received_at=micros(request.received_at),
            dedupe=binding.dialect.delivery_id(request) or _digest(request.body),
            trust=verdict.trust.value,
            headers=orjson.dumps(_kept(request.headers)).decode(),
            body=request.body,
            trace=tracing.current(),
        )
        if self._pressure is None:
            fresh = await self._store(row, binding.provider)
        else:
            self._pressure.admit(binding.account_id)
            try:
                fresh = await self._store(row, binding.provider)
            finally:
                self._pressure.landed(binding.account_id)
        crash_point("webhooks.stored")
        (_accepted if fresh else _duplicate)(binding.provider).inc()
        return Accepted(
            202 if reply is None else reply.status, reply, row.id if fresh else "", duplicate=not fresh
        )

    async def _store(self, row: _Row, provider: str) -> bool:
        """Put a webhook on disk; return whether it was not there before."""
        if self._group.waiting > WAITING_MOST:
            raise _busy("too many webhooks are waiting to be stored")
        try:
            return await self._group.add(row, within=STORE_SECONDS)
        except StorageUnavailableError as error:
            _log.error("webhook_not_stored", provider=provider, error=str(error))
            raise _busy(str(error)) from error
        except TimeoutError as error:
            # Its group may still commit behind our back: nobody knows, so nothing may be promised.
            _log.error("webhook_not_stored_in_time", provider=provider, error=str(error))
            raise IntakeBusyError(
                f"the webhook may not be stored: {error}",
                remediation="Send it again in a moment; if it was kept after all, it is still stored once.",
            ) from error

    async def _write(self, tx: Tx, rows: Sequence[_Row]) -> Sequence[bool]:
        fresh = await _insert(tx, rows)
        groups: dict[tuple[str, str], list[_Row]] = {}
        for row in rows:
            if row.id in fresh:
                groups.setdefault((row.account_id, row.integration_id), []).append(row)
        jobs = [
            NewJob(
                kind,
                {"integration_id": integration_id, "event_ids": [row.id for row in group]},
                key=f"inbound:{kind}:{integration_id}",
                account_id=account_id,
                trace=tracing.joined([row.trace for row in group]) if tracing.is_on() else None,
            )
            for (account_id, integration_id), group in groups.items()
            for kind in [*self._subscribers, *await self._wanting(tx, account_id, integration_id)]
        ]
        await self._queue.enqueue_many(tx, jobs)
        return [row.id in fresh for row in rows]

    async def _wanting(self, tx: Tx, account_id: str, integration_id: str) -> list[str]:
        return [kind for kind, wanted in self._wanted.items() if await wanted(tx, account_id, integration_id)]


async def _insert(tx: Tx, rows: Sequence[_Row]) -> set[str]:
    if tx.dialect == "sqlite":
        fresh: set[str] = set()
        for at in range(0, len(rows), _SQLITE_TOGETHER):
            fresh |= await _insert_sqlite(tx, rows[at : at + _SQLITE_TOGETHER])
        return fresh
    columns = (
        [r.id for r in rows],
        [r.account_id for r in rows],
        [r.integration_id for r in rows],
        [r.received_at for r in rows],
        [r.dedupe for r in rows],
        [r.trust for r in rows],
        [r.headers for r in rows],
        [r.body for r in rows],
    )
    return {row[0] for row in await tx.driver_all("", _POSTGRES, columns)}


@functools.cache
def _sqlite(rows: int) -> str:
    one = "(?,?,?,?,?,?,?,?,'received','')"
    return (
        f"INSERT INTO inbound_event ({_COLUMNS}) VALUES {','.join([one] * rows)}"  # noqa: S608  # constant text
        " ON CONFLICT (integration_id, dedupe) DO NOTHING"
    )


async def _insert_sqlite(tx: Tx, rows: Sequence[_Row]) -> set[str]:
    """Insert with one statement: each call into SQLite gives the interpreter away, and gets it back late under load."""
    values = [
        value
        for r in rows
        for value in (
            r.id,
            r.account_id,
            r.integration_id,
            r.received_at,
            r.dedupe,
            r.trust,
            r.headers,
            r.body,
        )
    ]
    await tx.driver_all(_sqlite(len(rows)), "", values)
    ids = [r.id for r in rows]
    [(stored,)] = await tx.driver_all("SELECT changes()", "")
    if stored == len(rows):
        return set(ids)
    return {row[0] for row in await tx.driver_all(_SQLITE_STORED, "", (orjson.dumps(ids).decode(),))}


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in _NOT_KEPT}


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


def _busy(why: str) -> IntakeBusyError:
    return IntakeBusyError(
        f"the webhook was not stored: {why}", remediation="Send it again in a moment; nothing of it was kept."
    )


def _check_json(body: bytes) -> None:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError(
            f"the body is not JSON: {error}",
            remediation="Send the event as a JSON document; check the webhook's body template.",
            fields={"": "not JSON"},
        ) from error
