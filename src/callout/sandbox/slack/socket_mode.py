"""Socket Mode: the app holds WebSockets open and Slack sends events, commands and interactions over them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from starlette.websockets import WebSocketDisconnect, WebSocketState

from callout.sandbox.core.gate import ABORT_KEY
from callout.sandbox.core.twin import ActError
from callout.sandbox.slack import seed

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from starlette.websockets import WebSocket

    from callout.sandbox.core.clock import SandboxClock
    from callout.sandbox.core.ledger import Ledger
    from callout.sandbox.core.webhooks import Attempt

MOST_LINKS = 10
TICKET_SECONDS = 30.0  # from memory
# from memory: what `hello` tells; with `debug_reconnects=true` on the URL connections live six minutes.
LINK_SECONDS = 18_060.0
DEBUG_LINK_SECONDS = 360.0
WARNING_SECONDS = 10.0
REASONS = ("warning", "refresh_requested", "link_disabled", "too_many_websockets")
HTTP_OK = 200
# Payloads whose acknowledgement may carry an answer. # from memory: which interactions do
_ANSWERED = {"slash_commands", "view_submission", "block_suggestion"}


@dataclass(slots=True)
class Link:
    """One open WebSocket; `waiting` holds what was sent and not acknowledged yet, by envelope."""

    id: str
    websocket: WebSocket
    opened: float
    seconds: float
    waiting: dict[str, asyncio.Future[Any]] = field(default_factory=dict)
    open: bool = True
    sent: int = 0
    acknowledged: int = 0

    async def send(self, message: dict[str, Any]) -> None:
        """Send one message as a text frame."""
        await self.websocket.send_text(orjson.dumps(message).decode())

    def as_json(self) -> dict[str, Any]:
        """Return how the link stands."""
        counts = {"sent": self.sent, "acknowledged": self.acknowledged, "waiting": len(self.waiting)}
        return {"id": self.id, "opened": self.opened, "open": self.open, **counts}


class SocketHub:
    """The connections of the app; off until Socket Mode is switched on."""

    def __init__(self, clock: SandboxClock, ledger: Ledger) -> None:
        self._clock = clock
        self._ledger = ledger
        self._tickets: dict[str, float] = {}
        self._links: list[Link] = []
        self._turn = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self.enabled = False
        self.link_seconds = LINK_SECONDS
        self.warning_seconds = WARNING_SECONDS

    def reset(self) -> None:
        """Switch Socket Mode off, close every connection and forget the tickets."""
        self.enable(on=False)
        self._tickets.clear()
        self.link_seconds, self.warning_seconds = LINK_SECONDS, WARNING_SECONDS

    def enable(self, *, on: bool) -> None:
        """Switch Socket Mode on or off; switched off, every connection hears `link_disabled`."""
        self.enabled = on
        if not on:
            for link in list(self._links):
                self._background(self._end(link, "link_disabled"))

    def new_url(self, public_url: str) -> str:
        """Return a WebSocket URL with a ticket for one connection."""
        ticket = str(uuid.uuid4())
        self._tickets[ticket] = self._clock.now()
        return f"ws{public_url.removeprefix('http')}/link/?ticket={ticket}&app_id={seed.APP_ID}"

    def as_json(self) -> list[dict[str, Any]]:
        """Return the open connections, oldest first."""
        return [link.as_json() for link in self._links]

    # The app's side.

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one WebSocket for as long as it lives."""
        issued = self._tickets.pop(websocket.query_params.get("ticket", ""), None)
        if not self.enabled or issued is None or self._clock.now() - issued > TICKET_SECONDS:
            self._ledger.record("socket.refused", status=403, effect=False)
            await websocket.close()  # before it was accepted: the handshake is answered with 403
            return
        await websocket.accept()
        debug = websocket.query_params.get("debug_reconnects") == "true"
        seconds = DEBUG_LINK_SECONDS if debug else self.link_seconds
        link = Link(secrets.token_hex(4), websocket, self._clock.now(), seconds)
        if len(self._links) >= MOST_LINKS:
            await self._end(link, "too_many_websockets")  # from memory
            return
        self._links.append(link)
        self._ledger.record("socket.open", target=link.id, effect=False)
        ageing = asyncio.get_running_loop().create_task(self._age(link))
        try:
            await link.send(self._hello(link))
            while True:
                self._take(link, await websocket.receive_text())
        except (WebSocketDisconnect, KeyError, RuntimeError):
            # KeyError: a binary frame, which Slack does not take. RuntimeError: closed while sending.
            pass
        finally:
            ageing.cancel()
            self._gone(link)

    def _hello(self, link: Link) -> dict[str, Any]:
        return {
            "type": "hello",
            "num_connections": len(self._links),
            "debug_info": {
                "host": f"applink-{link.id}",
                "build_number": 1,
                "approximate_connection_time": int(link.seconds),
            },
            "connection_info": {"app_id": seed.APP_ID},
        }

    def _take(self, link: Link, text: str) -> None:
        try:
            message = orjson.loads(text)
        except orjson.JSONDecodeError:
            message = None
        envelope = message.get("envelope_id") if isinstance(message, dict) else None
        future = link.waiting.pop(envelope, None) if isinstance(envelope, str) else None
        if future is None:
            # Too late, twice, or not an acknowledgement at all: Slack says nothing to any of these.
            self._ledger.record("socket.ignored", target=link.id, effect=False)
            return
        link.acknowledged += 1
        if not future.done():
            future.set_result(message.get("payload"))

    def _gone(self, link: Link) -> None:
        link.open = False
        if link in self._links:
            self._links.remove(link)
            self._ledger.record("socket.close", target=link.id, effect=False)
        for future in link.waiting.values():
            if not future.done():
                future.set_exception(ConnectionError(link.id))
        link.waiting.clear()

    # Slack's side.

    async def carry(
        self, kind: str, attempt: Attempt, body: bytes, reason: str | None, seconds: float
    ) -> None:
        """Send one envelope of `kind` over the connection whose turn it is and wait for its acknowledgement.

        Fills in `attempt` as if it had been an HTTP request: status 200 and the answer's payload as body, or a
        `reason` such as `http_timeout` (the app was silent for `seconds`) or `connection_failed`.
        """
        payload = orjson.loads(body)
        live = [link for link in self._links if link.open]
        if not live:
            attempt.reason = "connection_failed"
            return
        link = live[next(self._turn) % len(live)]
        attempt.url = f"socket:{link.id}"
        answered = kind if kind == "slash_commands" else str(payload.get("type"))
        envelope: dict[str, Any] = {
            # from memory: a retry is a new envelope around the same payload.
            "envelope_id": str(uuid.uuid4()),
            "payload": payload,
            "type": kind,
            "accepts_response_payload": answered in _ANSWERED,
        }
        if kind == "events_api":
            said = {"http_timeout": "timeout"}.get(reason or "", reason or "")  # from memory: the words
            envelope |= {"retry_attempt": attempt.number, "retry_reason": said}
        future = asyncio.get_running_loop().create_future()
        link.waiting[envelope["envelope_id"]] = future
        try:
            link.sent += 1
            await link.send(envelope)
            # Not wait_for: that swallows a cancellation which meets the end of the future, as a reset does.
            async with asyncio.timeout(seconds):
                answer = await future
        except TimeoutError:
            attempt.reason = "http_timeout"
        except (ConnectionError, WebSocketDisconnect, RuntimeError):
            attempt.reason = "connection_failed"
        else:
            attempt.status = HTTP_OK
            if envelope["accepts_response_payload"] and answer is not None:
                attempt.response_body = answer if isinstance(answer, str) else orjson.dumps(answer).decode()
        finally:
            link.waiting.pop(envelope["envelope_id"], None)

    async def disconnect(self, reason: str, *, link_id: str | None = None) -> list[str]:
        """Tell connections (all, or one) to go: a `warning` leaves them open, the rest close. Raises ActError."""
        if reason not in REASONS:
            raise ActError(f"no such reason {reason!r} (there are: {', '.join(REASONS)})")
        links = self._chosen(link_id)
        for link in links:
            if reason == "warning":
                await link.send(self._goodbye(link, reason))
            else:
                await self._end(link, reason)
        return [link.id for link in links]

    def cut(self, link_id: str | None = None) -> list[str]:
        """Break connections (all, or one) without a word. Raises ActError."""
        links = self._chosen(link_id)
        for link in links:
            self._gone(link)
            abort = link.websocket.scope.get(ABORT_KEY)
            if abort is not None:
                abort()
        return [link.id for link in links]

    def _chosen(self, link_id: str | None) -> list[Link]:
        links = [link for link in self._links if link_id in {None, link.id}]
        if not links:
            raise ActError(f"no open connection {link_id or ''}".strip())
        return links

    async def _age(self, link: Link) -> None:
        await asyncio.sleep(max(0.0, link.seconds - self.warning_seconds))
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the app closed at this moment
            await link.send(self._goodbye(link, "warning"))
        await asyncio.sleep(min(self.warning_seconds, link.seconds))
        self._background(self._end(link, "refresh_requested"))

    async def _end(self, link: Link, reason: str) -> None:
        # What was sent before stays acknowledgeable until the connection is closed.
        link.open = False
        if link.websocket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # the app closed first
                await link.send(self._goodbye(link, reason))
                await link.websocket.close()
        self._gone(link)

    def _goodbye(self, link: Link, reason: str) -> dict[str, Any]:
        return {"type": "disconnect", "reason": reason, "debug_info": {"host": f"applink-{link.id}"}}

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
