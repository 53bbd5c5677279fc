"""WebSockets that we open: texts in and out, through the same address guard as every other connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import aiohttp

from callout.kit.net import AddressRefused

HEARTBEAT_SECONDS: Final = 20.0
"""How often the other side is asked whether it is still there; without an answer in half of that the connection counts as lost."""
MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024
CLOSE_SECONDS: Final = 2.0
_SCHEMES: Final = {"ws": "http", "wss": "https"}


class WebSocketError(Exception):
    """The connection could not be opened. The message holds no address: that may be a secret in itself."""


class WebSocket:
    """One open connection."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        self._connection = connection

    async def receive(self) -> str | None:
        """Return the next text; None when the connection is over, however it ended. Binary messages are passed over."""
        while True:
            message = await self._connection.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                return str(message.data)
            if message.type is not aiohttp.WSMsgType.BINARY:
                return None

    async def send(self, text: str) -> bool:
        """Send a text; False when the connection is over."""
        try:
            await self._connection.send_str(text)
        except (aiohttp.ClientError, ConnectionError):
            return False
        return True

    async def close(self) -> None:
        """End the connection."""
        await self._connection.close()


OpenWebSocket: TypeAlias = Callable[[str], Awaitable[WebSocket]]
"""Opens the connection to a `wss://` address. Raises WebSocketError, AddressRefused."""


def http_address(url: str) -> str:
    """Return a WebSocket's address as the http one that the guard judges. Raises AddressRefused for any other scheme."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() not in _SCHEMES:
        raise AddressRefused(
            "the address of a WebSocket must start with wss://", host="", reason="bad scheme"
        )
    return f"{_SCHEMES[scheme.lower()]}://{rest}"


async def open_on(session: aiohttp.ClientSession, url: str) -> WebSocket:
    """Open the connection to `url` on a guarded session. Raises WebSocketError; the session's own errors otherwise."""
    try:
        connection = await session.ws_connect(
            http_address(url),
            heartbeat=HEARTBEAT_SECONDS,
            max_msg_size=MAX_MESSAGE_BYTES,
            timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS),
            headers={"User-Agent": "callout"},
        )
    except aiohttp.WSServerHandshakeError as error:
        raise WebSocketError(f"HTTP {error.status} instead of a WebSocket") from None
    return WebSocket(connection)
