"""REST for deliveries: what was sent to webhooks, every attempt of it, and sending it again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from callout.access import Caller
from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.server.api.webhook_models import (
    ManyDeliveries,
    OneDelivery,
    OneDeliveryDetail,
    OneRange,
    RangeBody,
    attempt_out,
    delivery_out,
)
from callout.server.api.webhooks import ERRORS, ThisCall
from callout.server.call import Call, Scope
from callout.webhooks.outbound import DeliveryFilter, DeliveryState

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"], responses=ERRORS)
DeliveryId = Annotated[str, Path(max_length=64, description="Id of the delivery.")]


def _own(caller: Caller) -> bool:
    """Return whether the caller may see deliveries to the account's own webhooks alone, not to the organization's."""
    return caller.account_ids is not None


class Wanted(BaseModel):
    """Which deliveries a list holds."""

    model_config = ConfigDict(extra="ignore")

    webhook: str | None = Field(None, max_length=200, description="To this one alone, by id or name.")
    state: DeliveryState | None = None
    event_type: str | None = Field(None, max_length=100)
    since: datetime | None = Field(None, description="Made at or after this time.")
    until: datetime | None = Field(None, description="Made before this time.")
    limit: int = Field(100, ge=1, le=1000)
    cursor: str = Field("", pattern=r"^[0-9]{0,18}$", description="`cursor` of the page before.")


@router.get("", response_model=ManyDeliveries, summary="List deliveries")
async def listing(call: ThisCall, asked: Annotated[Wanted, Query()]) -> Response:
    """List deliveries, the newest first."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("delivery.read")
        wanted = DeliveryFilter(
            endpoint_id=await _webhook_id(call, scope, asked.webhook),
            state=asked.state,
            event_type=asked.event_type,
            since=_aware("since", asked.since),
            until=_aware("until", asked.until),
        )
        before = int(asked.cursor) if asked.cursor else None
        found = await call.services.deliveries.search(
            scope.tx, wanted, limit=asked.limit, before=before, own=_own(scope.caller)
        )
        more = str(found[-1].seq) if len(found) == asked.limit else ""
        return {"result": [delivery_out(one) for one in found], "cursor": more}

    return await call.read(unit)


@router.get("/{delivery}", response_model=OneDeliveryDetail, summary="Look into a delivery")
async def read(delivery: DeliveryId, call: ThisCall) -> Response:
    """Read a delivery with every attempt; with the permission to read webhooks, what was sent, too."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("delivery.read")
        found = await call.services.deliveries.get(scope.tx, delivery, own=_own(scope.caller))
        may_see = scope.caller.may("webhook.read", scope.tx.account_id)
        body = found.body.decode("utf-8", "replace") if found.body is not None and may_see else None
        return {
            "result": {
                **delivery_out(found.delivery),
                "attempt_list": [attempt_out(one) for one in found.attempts],
                "body": body,
            }
        }

    return await call.read(unit)


@router.post("/{delivery}/redeliver", response_model=OneDelivery, summary="Send a delivery again")
async def redeliver(delivery: DeliveryId, call: ThisCall) -> Response:
    """Send a finished delivery again: a new delivery of the same message, with the same `webhook-id`."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("delivery.replay")
        fresh = await call.services.deliveries.redeliver(
            scope.tx, delivery, actor=scope.caller.actor, origin=scope.origin, own=_own(scope.caller)
        )
        return {"result": delivery_out(fresh)}

    return await call.write(unit)


@router.post("/redeliver", response_model=OneRange, summary="Send a range of deliveries again")
async def redeliver_range(body: RangeBody, call: ThisCall) -> Response:
    """Send finished deliveries again, oldest first: the dead ones unless another state is named. What was sent again already is not."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("delivery.replay")
        wanted = DeliveryFilter(
            endpoint_id=await _webhook_id(call, scope, body.webhook),
            state=DeliveryState(body.state),
            event_type=body.event_type,
            since=_aware("since", body.since),
            until=_aware("until", body.until),
        )
        done = await call.services.deliveries.redeliver_range(
            scope.tx,
            wanted,
            actor=scope.caller.actor,
            origin=scope.origin,
            after=body.after,
            own=_own(scope.caller),
        )
        return {"result": {"count": done.count, "after": done.after}}

    return await call.write(unit)


async def _webhook_id(call: Call, scope: Scope, named: str | None) -> str | None:
    """Return the id of a webhook of the account or, where the caller may see those, of the organization."""
    if named is None:
        return None
    endpoints = call.services.endpoints
    try:
        return (await endpoints.get(scope.tx, named)).id
    except NotFoundError:
        if _own(scope.caller):
            raise
        return (await endpoints.get(endpoints.organization(scope.tx), named)).id


def _aware(name: str, moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise InvalidRequestError(
            f"{name} has no time zone",
            remediation="Write it as 2026-01-31T12:00:00Z.",
            fields={name: "no time zone"},
        )
    if not 1970 <= moment.year <= 9000:  # noqa: PLR2004  # what a database keeps
        raise InvalidRequestError(f"{name} is out of range", fields={name: "between 1970 and 9000"})
    return moment
