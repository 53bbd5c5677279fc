"""What operators do with deliveries: list them, look into one, send one or a range again, send a test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import RowMapping, delete, insert, select

from callout.kit.ids import new_id
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.storage.schema import from_micros, micros
from callout.webhooks.outbound.model import (
    ORGANIZATION,
    TEST_EVENT,
    Attempt,
    Delivery,
    DeliveryState,
    Endpoint,
    Happening,
)
from callout.webhooks.outbound.queue import wake
from callout.webhooks.outbound.routing import body_of, delivery_row, message_row, write
from callout.webhooks.outbound.told import purge_told
from callout.webhooks.tables import webhook_attempt, webhook_delivery, webhook_endpoint, webhook_message

if TYPE_CHECKING:
    from callout.audit import Audit
    from callout.jobs import Queue
    from callout.kit.clock import Clock
    from callout.ports.values import Actor, Origin
    from callout.storage import AccountTx, Tx

MOST_AT_ONCE: Final = 1_000
"""So many deliveries of a range are sent again by one request; the answer says where to go on."""
PURGE_AT_ONCE: Final = 5_000
FORGOTTEN_AFTER: Final = timedelta(minutes=15)
"""Longer than a circuit stays open by itself."""
_FINISHED: Final = ("delivered", "dead", "cancelled")


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Which deliveries are meant; None: no matter. `since` and `until` are about when they were made."""

    endpoint_id: str | None = None
    state: DeliveryState | None = None
    event_type: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Detail:
    """One delivery with its attempts, oldest first, and the bytes that are sent; None when its message is gone."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Redelivered:
    """How many of a range were set going again, and after which delivery to go on; None when it is done."""

    count: int
    after: int | None


class Deliveries:
    """The deliveries of one account. With `own` those of the organization's endpoints are left out, for who may not see these."""

    def __init__(self, queue: Queue, clock: Clock, audit: Audit) -> None:
        self._queue = queue
        self._clock = clock
        self._audit = audit

    async def search(
        self,
        tx: AccountTx,
        wanted: DeliveryFilter,
        *,
        limit: int = 100,
        before: int | None = None,
        own: bool = False,
    ) -> Sequence[Delivery]:
        """Return deliveries, the newest first; `before` goes on behind the one of that number."""
        query = _narrowed(_select(tx), wanted, own=own)
        if before is not None:
            query = query.where(webhook_delivery.c.seq < before)
        rows = await tx.system.all(query.order_by(webhook_delivery.c.seq.desc()).limit(limit))
        return [_delivery(row) for row in rows]

    async def get(self, tx: AccountTx, delivery_id: str, *, own: bool = False) -> Detail:
        """Return one delivery with its attempts and body. Raises NotFoundError."""
        delivery, row = await self._one(tx, delivery_id, own=own)
        # The delivery was found for this caller; what belongs to it has its account.
        attempts = await tx.system.all(
            select(webhook_attempt)
            .where(webhook_attempt.c.delivery_id == delivery_id)
            .order_by(webhook_attempt.c.id)
        )
        message = await tx.system.one(
            select(webhook_message).where(webhook_message.c.id == delivery.message_id)
        )
        body = None
        if message is not None:
            raw = None if message["raw"] is None else bytes(message["raw"])
            body = body_of(message["head"], raw, row["raw_format"] or "object")
        return Detail(delivery, tuple(_attempt(one) for one in attempts), body)

    async def redeliver(
        self,
        tx: AccountTx,
        delivery_id: str,
        *,
        actor: Actor,
        origin: Origin | None = None,
        own: bool = False,
    ) -> Delivery:
        """Send a delivery again, as a new delivery of the same message, behind what waits already.

        Raises NotFoundError, ConflictError when its endpoint is gone or switched off.
        """
        old, row = await self._one(tx, delivery_id, own=own)
        if row["endpoint_state"] is None:
            raise ConflictError("the delivery's webhook was removed")
        if row["endpoint_state"] != "enabled":
            raise ConflictError(
                f"the webhook {old.endpoint_name} is switched off",
                remediation="Switch it on again; what was held back for it is then sent, too.",
            )
        if old.state in {DeliveryState.PENDING, DeliveryState.HELD}:
            raise ConflictError("the delivery is still on its way: it is tried again by itself")
        [fresh] = await self._again(tx, [old])
        await self._record(tx, "delivery.redelivered", fresh, {"of": old.id}, actor=actor, origin=origin)
        return (await self._one(tx, fresh))[0]

    async def redeliver_range(
        self,
        tx: AccountTx,
        wanted: DeliveryFilter,
        *,
        actor: Actor,
        origin: Origin | None = None,
        after: int = 0,
        limit: int = MOST_AT_ONCE,
        own: bool = False,
    ) -> Redelivered:
        """Send what of a range is finished again, oldest first, at most `limit`; of dead ones unless a state is named.

        What was sent again already is left out, so a range may be named twice. Raises InvalidRequestError.
        """
        state = wanted.state or DeliveryState.DEAD
        if state.value not in _FINISHED:
            raise InvalidRequestError(
                f"what is {state.value} is sent by itself",
                fields={"/state": f"one of {', '.join(_FINISHED)}"},
            )
        again = webhook_delivery.alias("again")
        query = (
            _narrowed(_select(tx), wanted, own=own)
            .where(
                webhook_delivery.c.state == state.value,
                webhook_delivery.c.seq > after,
                webhook_delivery.c.test == 0,
                webhook_endpoint.c.state == "enabled",
                ~select(again.c.seq).where(again.c.redelivery_of == webhook_delivery.c.id).exists(),
            )
            .order_by(webhook_delivery.c.seq)
            .limit(limit)
        )
        found = [_delivery(row) for row in await tx.system.all(query)]
        if found:
            await self._again(tx, found)
            data = {"count": len(found), "state": state.value}
            await self._record(
                tx, "delivery.range_redelivered", wanted.endpoint_id or "*", data, actor=actor, origin=origin
            )
        return Redelivered(len(found), found[-1].seq if len(found) == limit else None)

    async def test(
        self, tx: AccountTx, endpoint: Endpoint, *, actor: Actor, origin: Origin | None = None
    ) -> Delivery:
        """Send an endpoint a test by the way of all deliveries; it is tried once, also where the endpoint is switched off."""
        now = self._clock.now()
        happening = Happening(
            id=f"msg_{new_id()}",
            event_type=TEST_EVENT,
            subject=f"test:{new_id()}",
            occurred_at=now,
            body={
                "event_type": TEST_EVENT,
                "timestamp": now.isoformat(),
                "data": {"webhook": endpoint.name, "text": "A test delivery. Nothing happened."},
            },
        )
        row = delivery_row(happening, tx.account_id, endpoint.id, micros(now), test=True)
        await write(tx.system, [message_row(happening, tx.account_id, self._clock)], [row])
        await wake(self._queue, tx.system, [endpoint.id])
        await self._record(
            tx, "webhook.tested", endpoint.id, {"delivery": row["id"]}, actor=actor, origin=origin
        )
        return (await self._one(tx, row["id"]))[0]

    async def purge(self, tx: Tx, *, before: datetime, limit: int = PURGE_AT_ONCE) -> int:
        """Remove deliveries made before that time which are finished or held, with their attempts and messages; return how many.

        What was told of tickets before it is forgotten, too.
        """
        await purge_told(tx, before=before)
        old = (
            select(webhook_delivery.c.seq, webhook_delivery.c.id, webhook_delivery.c.message_id)
            .where(webhook_delivery.c.created_at < micros(before), webhook_delivery.c.state != "pending")
            .order_by(webhook_delivery.c.seq)
            .limit(limit)
        )
        rows = await tx.all(old)
        if not rows:
            return 0
        await tx.execute(
            delete(webhook_attempt).where(webhook_attempt.c.delivery_id.in_([row["id"] for row in rows]))
        )
        await tx.execute(
            delete(webhook_delivery).where(webhook_delivery.c.seq.in_([row["seq"] for row in rows]))
        )
        used = select(webhook_delivery.c.seq).where(webhook_delivery.c.message_id == webhook_message.c.id)
        await tx.execute(
            delete(webhook_message).where(
                webhook_message.c.id.in_({row["message_id"] for row in rows}), ~used.exists()
            )
        )
        return len(rows)

    async def wake_forgotten(self, tx: Tx) -> int:
        """Wake endpoints whose deliveries are long due, should their job have been lost or given up; return how many."""
        late = micros(self._clock.now() - FORGOTTEN_AFTER)
        rows = await tx.all(
            select(webhook_delivery.c.endpoint_id)
            .join(webhook_endpoint, webhook_endpoint.c.id == webhook_delivery.c.endpoint_id)
            .where(
                webhook_delivery.c.state == "pending",
                webhook_delivery.c.next_at < late,
                webhook_endpoint.c.state == "enabled",
            )
            .distinct()
        )
        await wake(self._queue, tx, [row["endpoint_id"] for row in rows])
        return len(rows)

    async def _again(self, tx: AccountTx, old: Sequence[Delivery]) -> list[str]:
        now = micros(self._clock.now())
        rows = [
            {
                "id": new_id(),
                "account_id": one.account_id,
                "endpoint_id": one.endpoint_id,
                "message_id": one.message_id,
                "event_type": one.event_type,
                "subject": one.subject,
                "state": "pending",
                "next_at": now,
                "created_at": now,
                "redelivery_of": one.id,
            }
            for one in old
        ]
        await tx.system.execute(insert(webhook_delivery), rows)
        await wake(self._queue, tx.system, dict.fromkeys(one.endpoint_id for one in old))
        return [str(row["id"]) for row in rows]

    async def _one(
        self, tx: AccountTx, delivery_id: str, *, own: bool = False
    ) -> tuple[Delivery, RowMapping]:
        query = _narrowed(_select(tx), DeliveryFilter(), own=own).where(webhook_delivery.c.id == delivery_id)
        row = await tx.system.one(query)
        if row is None:
            raise NotFoundError(f"there is no delivery {delivery_id[:64]!r}")
        return _delivery(row), row

    async def _record(
        self,
        tx: AccountTx,
        action: str,
        subject: str,
        data: dict[str, Any],
        *,
        actor: Actor,
        origin: Origin | None,
    ) -> None:
        await self._audit.record(
            tx.system,
            action=action,
            actor=actor,
            origin=origin,
            subject_type="webhook" if action.startswith("webhook.") else "delivery",
            subject_id=subject,
            data=data,
            account_id=None if tx.account_id == ORGANIZATION else tx.account_id,
        )


def _select(tx: AccountTx) -> Any:  # noqa: ANN401  # a SELECT over two tables
    """Return a SELECT of the account's deliveries with their endpoint, which may be the organization's or gone."""
    joined = webhook_delivery.outerjoin(
        webhook_endpoint, webhook_endpoint.c.id == webhook_delivery.c.endpoint_id
    )
    query = select(
        webhook_delivery,
        webhook_endpoint.c.name.label("endpoint_name"),
        webhook_endpoint.c.account_id.label("endpoint_account"),
        webhook_endpoint.c.state.label("endpoint_state"),
        webhook_endpoint.c.raw_format,
    ).select_from(joined)
    # By hand: the organization's view sees its endpoints' deliveries of every account.
    if tx.account_id == ORGANIZATION:
        return query.where(webhook_endpoint.c.account_id == ORGANIZATION)
    # A test of an endpoint of the organization belongs to no account: whoever may see such endpoints sees it everywhere.
    return query.where(webhook_delivery.c.account_id.in_((tx.account_id, ORGANIZATION)))


def _narrowed(query: Any, wanted: DeliveryFilter, *, own: bool) -> Any:  # noqa: ANN401  # a SELECT
    columns = webhook_delivery.c
    conditions = (
        (wanted.endpoint_id, lambda value: columns.endpoint_id == value),
        (wanted.state, lambda value: columns.state == value.value),
        (wanted.event_type, lambda value: columns.event_type == value),
        (wanted.subject, lambda value: columns.subject == value),
        (wanted.since, lambda value: columns.created_at >= micros(value)),
        (wanted.until, lambda value: columns.created_at < micros(value)),
    )
    for value, condition in conditions:
        if value is not None:
            query = query.where(condition(value))
    if not own:
        return query
    return query.where(
        webhook_endpoint.c.account_id == columns.account_id, columns.account_id != ORGANIZATION
    )


def _delivery(row: RowMapping) -> Delivery:
    state = DeliveryState(row["state"])
    return Delivery(
        id=row["id"],
        account_id=row["account_id"],
        endpoint_id=row["endpoint_id"],
        endpoint_name=row["endpoint_name"] or "",
        message_id=row["message_id"],
        event_type=row["event_type"],
        subject=row["subject"],
        state=state,
        attempts=row["attempts"],
        next_at=from_micros(row["next_at"]) if state is DeliveryState.PENDING else None,
        created_at=from_micros(row["created_at"]),
        finished_at=None if row["finished_at"] is None else from_micros(row["finished_at"]),
        test=bool(row["test"]),
        redelivery_of=row["redelivery_of"],
        seq=row["seq"],
    )


def _attempt(row: RowMapping) -> Attempt:
    return Attempt(
        number=row["number"],
        at=from_micros(row["at"]),
        took=row["took"] / 1_000_000,
        status=row["status"],
        error=row["error"],
        answer=bytes(row["answer"]),
    )
