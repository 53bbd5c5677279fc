"""Events API v2: alerts and changes, sent with an integration key of a service instead of an API key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, cast

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.errors import from_http
from callout.connectors.pagerduty.wire import EventAccepted
from callout.kit.clock import Clock
from callout.kit.http import VendorHttp
from callout.kit.http_errors import HttpError
from callout.kit.secrets import Secret
from callout.ports.errors import RejectedError

SUMMARY_LIMIT: Final = 1024
EventSeverity = Literal["critical", "error", "warning", "info"]


class EventsClient:
    """Sends events to one service.

    A `dedup_key` makes every event but a change repeatable: the same trigger twice is one alert. An event is accepted (202) before it
    is carried out; one for an unknown key is dropped without a word.

    Args:
        http: a client of the Events API's address, without credentials.
        routing_key: the integration key of the service.
        clock: to read `Retry-After` dates.
    """

    def __init__(self, http: VendorHttp, routing_key: Secret, clock: Clock) -> None:
        self._http = http
        self._routing_key = routing_key
        self._clock = clock

    async def trigger(
        self,
        summary: str,
        *,
        source: str,
        severity: EventSeverity,
        dedup_key: str,
        at: datetime | None = None,
        component: str = "",
        details: Mapping[str, Any] | None = None,
        links: Sequence[tuple[str, str]] = (),
    ) -> str:
        """Open an alert, or tell more of the open one with that key; return the key. `links` are (address, text)."""
        payload: dict[str, Any] = {
            "summary": summary[:SUMMARY_LIMIT],
            "source": source,
            "severity": severity,
        }
        if at is not None:
            payload["timestamp"] = mapping.stamp(at)
        if component:
            payload["component"] = component
        if details:
            payload["custom_details"] = dict(details)
        body = {"payload": payload, "links": [{"href": href, "text": text} for href, text in links]}
        return await self._event("trigger", dedup_key, body)

    async def acknowledge(self, dedup_key: str) -> str:
        """Acknowledge the open alert with that key."""
        return await self._event("acknowledge", dedup_key, {})

    async def resolve(self, dedup_key: str) -> str:
        """Resolve the open alert with that key."""
        return await self._event("resolve", dedup_key, {})

    async def change(
        self,
        summary: str,
        *,
        source: str,
        at: datetime,
        details: Mapping[str, Any] | None = None,
        links: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Tell of a change (a deployment). It has no key: after a lost answer nobody can tell whether it is there."""
        payload: dict[str, Any] = {
            "summary": summary[:SUMMARY_LIMIT],
            "source": source,
            "timestamp": mapping.stamp(at),
        }
        if details:
            payload["custom_details"] = dict(details)
        body = {"payload": payload, "links": [{"href": href, "text": text} for href, text in links]}
        await self._send("/v2/change/enqueue", body, doing="sending a change event", repeatable=False)

    async def _event(self, action: str, dedup_key: str, body: Mapping[str, Any]) -> str:
        if not dedup_key or len(dedup_key) > mapping.KEY_LIMIT:
            raise RejectedError(
                "an event needs a key of 1 to 255 characters", fields={"dedup_key": "1 to 255 characters"}
            )
        whole = {"event_action": action, "dedup_key": dedup_key, **body}
        answer = await self._send("/v2/enqueue", whole, doing=f"sending the event {action}", repeatable=True)
        return answer.get("dedup_key") or dedup_key

    async def _send(
        self, path: str, body: Mapping[str, Any], *, doing: str, repeatable: bool
    ) -> EventAccepted:
        try:
            answer = await self._http.request_json(
                # Repeatable for the vendor, but never at once by the client: the caller's job repeats it.
                "POST",
                path,
                json={"routing_key": self._routing_key, **body},
                safe=False,
            )
        except HttpError as error:
            raise from_http(error, doing=doing, repeatable=repeatable, now=self._clock.now()) from error
        return cast("EventAccepted", answer or {})
