"""Events API v2: `/v2/enqueue` and `/v2/change/enqueue`, without any Authorization."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from callout.sandbox.pagerduty import events
from callout.sandbox.pagerduty.call import Desk, answer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from callout.sandbox.pagerduty.model import Integration, Json

ACCEPTED = 202


def invalid(*mistakes: str) -> Response:
    """The 400 of an event that is not sound."""
    return answer(
        {"status": "invalid event", "message": "Event object is invalid", "errors": list(mistakes)}, 400
    )


def throttled() -> Response:
    """The 429 of an integration that sends too much. From memory: the body."""
    body = {
        "status": "throttle exceeded",
        "message": "Requests for this service are arriving too quickly.  Please retry later.",
        "errors": ["Requests for this service are arriving too quickly.  Please retry later."],
    }
    return answer(body, 429)


async def enqueue(desk: Desk, request: Request) -> Response:
    """Take one event."""
    body = await _body(request)
    mistakes = events.mistakes(body)
    if mistakes:
        return invalid(*mistakes)
    integration = _integration(desk, body)
    if integration is None:
        return invalid("Invalid routing key")  # from memory: the words
    if not _allowed(desk, integration):
        return throttled()
    event = events.read(body, integration)
    events.accept(desk.account, event)
    return answer({"status": "success", "message": "Event processed", "dedup_key": event.key}, ACCEPTED)


async def enqueue_change(desk: Desk, request: Request) -> Response:
    """Take one change event: noted, and opens nothing."""
    body = await _body(request)
    payload = body.get("payload") if isinstance(body, dict) else None
    if not isinstance(payload, dict) or not payload.get("summary"):
        return invalid("'payload.summary' is missing or blank")
    integration = _integration(desk, body)
    if integration is None:
        return invalid("Invalid routing key")  # from memory: the words
    if not _allowed(desk, integration):
        return throttled()
    facts = {"summary": payload["summary"], "service": integration.service.id}
    desk.account.record("change_event.enqueue", integration, integration.id, facts)
    return answer({"status": "success", "message": "Change event processed"}, ACCEPTED)


async def _body(request: Request) -> Json:
    raw = await request.body()
    if len(raw) > events.SIZE_LIMIT:
        raise HTTPException(
            413, "Payload too large"
        )  # from memory: status and words; the limit is documented
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _integration(desk: Desk, body: Json) -> Integration | None:
    return desk.account.integration_by_key(str(body.get("routing_key", "")))


def _allowed(desk: Desk, integration: Integration) -> bool:
    limit = desk.account.settings.events_rate_limit
    return not desk.limits.take(f"events/{integration.id}", limit).exceeded
