"""Socket Mode: Slack sends through a WebSocket that we open, so that no address of ours has to be reachable.

What comes is what the request URLs would get, already read from its form, without a signature: the connection itself is proof
enough, since only the holder of the app-level token can open it. An envelope is acknowledged when what it asks for is committed;
one that is not acknowledged is sent again, on any of the app's connections (docs.slack.dev/apis/events-api/using-socket-mode).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

import structlog

from callout.connectors.slack.client import SlackApi
from callout.connectors.slack.events import event_of
from callout.connectors.slack.payloads import interaction, slash_command
from callout.connectors.slack.views import reply_to
from callout.kit.net import AddressRefused
from callout.kit.websocket import OpenWebSocket, WebSocket, WebSocketError
from callout.ports.chat import ChatInput
from callout.ports.errors import AuthFailedError, ConnectorError, UnavailableError
from callout.ports.listening import Receive

AT_ONCE: Final = 32
"""How many envelopes of one connection are carried out side by side."""
LEAVING: Final = frozenset({"warning", "refresh_requested"})
_log = structlog.get_logger(__name__)


class SlackListener:
    """Opens Socket Mode connections of one app. `api` carries the app-level token (`xapp-…`)."""

    def __init__(self, api: SlackApi, open_websocket: OpenWebSocket) -> None:
        self._api = api
        self._open = open_websocket

    async def connect(self) -> SlackSocket:
        """Ask for an address, which is good for one connection, and open it. Raises AuthFailedError, UnavailableError."""
        try:
            address = await self._api.apps_connections_open()
        except AuthFailedError as error:
            if error.vendor_code == "socket_mode_not_enabled":
                raise
            raise AuthFailedError(
                "Slack does not accept the app-level token",
                remediation="Give the integration an app-level token (xapp-…) with the scope connections:write as app_credential.",
                vendor_code=error.vendor_code,
            ) from error
        try:
            return SlackSocket(await self._open(address))
        except (WebSocketError, AddressRefused) as error:
            raise UnavailableError(f"Slack's socket could not be opened: {error}") from error


class SlackSocket:
    """One Socket Mode connection."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self.leaving = asyncio.Event()

    async def serve(self, receive: Receive) -> str:
        """Hand over what comes until the connection is over; return why it is."""
        places = asyncio.Semaphore(AT_ONCE)
        under_way: set[asyncio.Task[None]] = set()
        reason = "the connection was lost"
        try:
            while (text := await self._socket.receive()) is not None:
                frame = _frame(text)
                if frame.get("type") == "disconnect":
                    told = frame.get("reason")
                    reason = told if isinstance(told, str) and told else reason
                    if reason not in LEAVING:
                        break
                    self.leaving.set()
                elif "envelope_id" in frame:
                    await places.acquire()
                    task = asyncio.create_task(self._carry_out(frame, receive))
                    under_way.add(task)
                    task.add_done_callback(lambda _: places.release())
                _raise_failures(under_way)
        finally:
            # What is being carried out is acknowledged if the connection still takes it; otherwise Slack sends it again, to no effect.
            await asyncio.gather(*under_way, return_exceptions=True)
            await self._socket.close()
        return reason

    async def _carry_out(self, frame: Mapping[str, Any], receive: Receive) -> None:
        try:
            given = read_envelope(frame)
        except ValueError as error:
            # It would be no better the second time.
            _log.warning("slack_envelope_malformed", reason=str(error))
            given = None
        body: dict[str, Any] = {"envelope_id": frame["envelope_id"]}
        if given is not None:
            try:
                answer = await receive(given)
            except ConnectorError as error:
                _log.warning("slack_envelope_not_acknowledged", reason=error.message)
                return
            reply = reply_to(given, answer) if frame.get("accepts_response_payload") else None
            if reply is not None:
                body["payload"] = reply
        await self._socket.send(
            json.dumps(body)
        )  # in ASCII: half a character, if we were sent one, has no UTF-8


def read_envelope(frame: Mapping[str, Any]) -> ChatInput | None:
    """Return what a person did, or None when it is nothing for us. Raises ValueError for what Slack does not send."""
    payload = frame.get("payload")
    if not isinstance(payload, dict):
        return None
    kind = frame.get("type")
    if kind == "slash_commands":
        return slash_command({name: value for name, value in payload.items() if isinstance(value, str)})
    if kind == "interactive":
        return interaction(payload)
    return event_of(payload) if kind == "events_api" else None


def _frame(text: str) -> dict[str, Any]:
    try:
        frame = json.loads(text)
    except (ValueError, RecursionError):
        _log.warning("slack_frame_malformed")
        return {}
    return frame if isinstance(frame, dict) else {}


def _raise_failures(tasks: set[asyncio.Task[None]]) -> None:
    """Forget those that have ended; raise what one of them ended with: a defect, which must not pass in silence."""
    ended = {task for task in tasks if task.done()}
    tasks -= ended
    for task in ended:
        task.result()
