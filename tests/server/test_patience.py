"""A real socket at which somebody dribbles, or of which there are too many: nobody holds a connection by saying nothing."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any

import pytest

from callout.server.limits import read_body
from callout.server.listen import serve_http
from callout.server.patience import Patience
from tests.stories.people import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SHORT = Patience(head=0.6, body=0.6, rate=1_000_000, look=0.05, most=3)
REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
GONE = 20.0


async def echo(scope: Any, receive: Any, send: Any) -> None:
    body = await read_body(scope, receive, 1 << 20)
    head = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})


async def slow(scope: Any, receive: Any, send: Any) -> None:
    """Answer late, and look at nothing meanwhile."""
    await asyncio.sleep(2)
    await echo(scope, receive, send)


@contextlib.asynccontextmanager
async def served(app: Any, patience: Patience = SHORT) -> AsyncIterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    stop = asyncio.Event()
    serving = asyncio.create_task(serve_http(app, "127.0.0.1", port, stop, patience=patience))

    async def answers() -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    await eventually(answers, what="the server to listen")
    try:
        yield port
    finally:
        stop.set()
        await serving


async def dribbled(port: int, first: bytes, drop: bytes = b"") -> bytes:
    """Send `first`, then `drop` again and again; return what came back before the connection was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = asyncio.create_task(reader.read())
    try:
        with contextlib.suppress(ConnectionError):
            writer.write(first)
            while not answer.done():
                writer.write(drop)
                await asyncio.wait({answer}, timeout=0.05)
        async with asyncio.timeout(GONE):
            return await answer
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("first", "drop", "told"),
    [
        (b"", b"", b""),
        (b"GET / HT", b"", b"HTTP/1.1 408 "),
        # Who still sends when the connection is closed may not get to read why.
        (b"GET / HTTP/1.1\r\nx: y", b"z", b""),
        (b"", b"\r\n", b""),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n", b"", b""),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n", b"z", b""),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\nz\r\n", b""),
    ],
    ids=[
        "nothing",
        "half a line",
        "a header without end",
        "empty lines",
        "no body",
        "a dribbled body",
        "in chunks",
    ],
)
async def test_who_does_not_come_to_the_point_is_hung_up_on(first: bytes, drop: bytes, told: bytes) -> None:
    async with served(echo) as port, asyncio.timeout(GONE):
        assert (await dribbled(port, first, drop)).startswith(told)


async def test_the_next_request_of_a_connection_has_its_own_time() -> None:
    async with served(echo) as port, asyncio.timeout(GONE):
        said = await dribbled(port, REQUEST + b"GET / HT")
        assert said.startswith(b"HTTP/1.1 200 ")
        assert b"HTTP/1.1 408 " in said


async def test_whoever_waits_for_us_is_left_alone() -> None:
    async with served(slow) as port, asyncio.timeout(GONE):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            # Longer than a head or a body may take, and so much that we stop reading meanwhile.
            body = b"x" * 500_000
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(body)) == body
        writer.close()


async def test_too_many_connections_are_told_so_and_there_is_room_again() -> None:
    async with served(echo, Patience(most=3)) as port, asyncio.timeout(GONE):
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]

        async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
            writer.write(REQUEST)
            return (await reader.readuntil(b"\r\n\r\n")).lower()

        for reader, writer in held:
            assert (await asked(reader, writer)).startswith(b"http/1.1 200 ")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        refused = await asked(reader, writer)
        assert refused.startswith(b"http/1.1 503 ")
        assert b"retry-after: 5" in refused
        assert b'"message":"the server has as many connections' in await reader.read()
        for _, one in (*held, (reader, writer)):
            one.close()

        async def room() -> bool:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                return (await asked(reader, writer)).startswith(b"http/1.1 200 ")
            finally:
                writer.close()

        await eventually(room, what="room for a connection")
