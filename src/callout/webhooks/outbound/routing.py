"""Who is told: what happened becomes one message, and one delivery for every endpoint that wants it, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import insert, select

from callout.access.tables import accounts
from callout.kit.crash import crash_point
from callout.kit.ids import new_id
from callout.storage.schema import micros
from callout.webhooks.outbound.model import ORGANIZATION, Happening, family_of, wants
from callout.webhooks.outbound.queue import wake
from callout.webhooks.tables import webhook_delivery, webhook_message

if TYPE_CHECKING:
    from callout.jobs import Queue
    from callout.kit.clock import Clock
    from callout.storage import AccountTx, Tx

_ENDPOINTS = (
    "SELECT id, account_id, integration_id, environment, state, filters FROM webhook_endpoint"
    " WHERE account_id IN ({0}, {1})"
)
_ENDPOINTS_SQLITE, _ENDPOINTS_POSTGRES = _ENDPOINTS.format("?1", "?2"), _ENDPOINTS.format("$1", "$2")


class Router:
    """Writes messages and deliveries."""

    def __init__(self, queue: Queue, clock: Clock) -> None:
        self._queue = queue
        self._clock = clock

    async def tell(
        self, tx: AccountTx, happenings: Sequence[Happening], *, environment: str | None = None
    ) -> int:
        """Write a delivery of each of `happenings` for each endpoint that wants it; return how many there are.

        `environment` is the account's, for one that is just being removed.
        """
        endpoints = await self._endpoints(tx, environment) if happenings else []
        now = micros(self._clock.now())
        messages: list[dict[str, Any]] = []
        deliveries: list[dict[str, Any]] = []
        woken: dict[str, None] = {}
        for one in happenings:
            told = [endpoint for endpoint in endpoints if _is_for(endpoint, one)]
            if told:
                messages.append(message_row(one, tx.account_id, self._clock))
            for endpoint in told:
                enabled = endpoint["state"] == "enabled"
                deliveries.append(
                    delivery_row(
                        one, tx.account_id, endpoint["id"], now, state="pending" if enabled else "held"
                    )
                )
                if enabled:
                    woken[endpoint["id"]] = None
        if deliveries:
            await write(tx.system, messages, deliveries)
            await wake(self._queue, tx.system, woken)
            crash_point("webhooks.routed")
        return len(deliveries)

    async def _endpoints(self, tx: AccountTx, environment: str | None) -> list[Mapping[str, Any]]:
        # By hand: every event of every incident looks here, and mostly there is none.
        found = await tx.system.driver_all(
            _ENDPOINTS_SQLITE, _ENDPOINTS_POSTGRES, (tx.account_id, ORGANIZATION)
        )
        columns = ("id", "account_id", "integration_id", "environment", "state")
        rows: list[Mapping[str, Any]] = [
            {**dict(zip(columns, row, strict=False)), "filters": orjson.loads(row[5])} for row in found
        ]
        if environment is None and any(row["account_id"] == ORGANIZATION for row in rows):
            environment = await tx.system.scalar(
                select(accounts.c.environment).where(accounts.c.id == tx.account_id)
            )
        return [row for row in rows if row["account_id"] != ORGANIZATION or row["environment"] == environment]


def _is_for(endpoint: Mapping[str, Any], one: Happening) -> bool:
    if endpoint["account_id"] == ORGANIZATION:
        scope = "organization"
    else:
        scope = "integration" if endpoint["integration_id"] else "account"
        if scope == "integration" and endpoint["integration_id"] != one.integration_id:
            return False
    return wants(endpoint["filters"], scope, one.event_type)


def message_row(one: Happening, account_id: str, clock: Clock) -> dict[str, Any]:
    """Return the row that keeps what happened."""
    raw = one.raw
    if raw is not None and not _is_json(raw):
        raw = orjson.dumps(raw.decode("utf-8", "replace"))
    return {
        "id": one.id,
        "account_id": account_id,
        "event_type": one.event_type,
        "integration_id": one.integration_id,
        "occurred_at": one.occurred_at,
        "head": orjson.dumps(dict(one.body)).decode(),
        "raw": raw,
        "created_at": clock.now(),
    }


def delivery_row(
    one: Happening, account_id: str, endpoint_id: str, now: int, *, state: str = "pending", test: bool = False
) -> dict[str, Any]:
    """Return the row of one delivery. `now` in microseconds."""
    return {
        "id": new_id(),
        "account_id": account_id,
        "endpoint_id": endpoint_id,
        "message_id": one.id,
        "event_type": one.event_type,
        "subject": one.subject,
        "state": state,
        "next_at": now,
        "created_at": now,
        "test": int(test),
    }


async def write(
    tx: Tx, messages: Sequence[Mapping[str, Any]], deliveries: Sequence[Mapping[str, Any]]
) -> None:
    """Insert messages and their deliveries, in order."""
    await tx.execute(insert(webhook_message), list(messages))
    await tx.execute(insert(webhook_delivery), list(deliveries))


def body_of(head: str, raw: bytes | None, raw_format: str) -> bytes:
    """Return the bytes that are sent: the provider's own are spliced in, never read and written anew."""
    if raw is None:
        return head.encode()
    spliced = orjson.dumps(raw.decode()) if raw_format == "string" else raw
    comma = b"" if head == "{}" else b","
    return head[:-1].encode() + comma + b'"raw_payload":' + spliced + b"}"


def _is_json(raw: bytes) -> bool:
    try:
        orjson.loads(raw)
    except orjson.JSONDecodeError:
        return False
    return True


__all__ = ["Router", "body_of", "delivery_row", "family_of", "message_row", "write"]
