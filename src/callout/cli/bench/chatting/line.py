"""A connection that requests go over one after the other, with as little work as can be.

Whoever makes the load shares the processors with what is measured, as people in chat do not: a common client took a quarter of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

SETTLE_SECONDS: Final = 0.1
_LENGTH: Final = b"\r\ncontent-length:"
_END: Final = b"\r\n\r\n"


class Line:
    """One connection to a server of ours."""

    def __init__(self, host: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._host = host
        self._reader = reader
        self._writer = writer

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        """Send a request; return the status and the text of its answer. Raises OSError and EOFError when the connection breaks."""
        lines = [f"POST {path} HTTP/1.1", f"host: {self._host}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join(lines).encode() + _END + body)
        head = (await self._reader.readuntil(_END)).lower()
        _, found, rest = head.partition(_LENGTH)
        length = int(rest.partition(b"\r\n")[0]) if found else 0
        text = await self._reader.readexactly(length)
        return int(head.split(b" ", 2)[1]), text.decode()


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[Line]:
    """Connect to the server of a plain `http://` address."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield Line(parts.netloc, reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


@asynccontextmanager
async def lines_to(url: str, people: Iterable[str]) -> AsyncIterator[dict[str, Line]]:
    """Connect each of `people`; once all are, and the server has taken notice of them, they may begin at one moment."""
    async with AsyncExitStack() as ending:
        lines = {one: await ending.enter_async_context(line_to(url)) for one in people}
        await asyncio.sleep(SETTLE_SECONDS)
        yield lines
