"""A real HTTP server that endpoints can be: it keeps what it was sent, and answers as it is told to, well or badly."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Got:
    """One request as it arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)

    @property
    def id(self) -> str:
        """The `webhook-id`."""
        return self.headers["webhook-id"]


Answer = Callable[[Got, asyncio.StreamWriter], Awaitable[None]]


def answering(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Answer with a status and a body."""

    async def answer(_got: Got, out: asyncio.StreamWriter) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        out.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        await out.drain()

    return answer


async def never(_got: Got, _out: asyncio.StreamWriter) -> None:
    """Take the request and say nothing, for ever."""
    await asyncio.sleep(3600)


async def endless(_got: Got, out: asyncio.StreamWriter) -> None:
    """Say 200, and then ten gigabytes."""
    out.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n")
    block = b"x" * 65_536
    for _ in range(163_840):
        out.write(block)
        await out.drain()


async def dripping(_got: Got, out: asyncio.StreamWriter) -> None:
    """Say 200 and then a letter a second."""
    out.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    while True:
        out.write(b"x")
        await out.drain()
        await asyncio.sleep(1)


async def hanging_up(_got: Got, out: asyncio.StreamWriter) -> None:
    """Break the connection off."""
    out.transport.abort()


class Sink:
    """The server. `script` holds the next answers by path; without any it answers 204."""

    def __init__(self) -> None:
        self.got: list[Got] = []
        self.script: dict[str, list[Answer]] = {}
        self.always: dict[str, Answer] = {}
        self.url = ""
        self.sent_bytes = 0
        self._open: set[asyncio.Task[None]] = set()

    def at(self, path: str) -> list[Got]:
        """Return what came to a path, in order."""
        return [one for one in self.got if one.path == path]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not reader.at_eof():
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                got = Got(head[0].split(" ")[1], headers, body)
                self.got.append(got)
                queued = self.script.get(got.path)
                answer = queued.pop(0) if queued else self.always.get(got.path, answering(204))
                await answer(got, writer)
        self._open.discard(task)
        writer.close()

    async def end(self) -> None:
        """Leave everybody who still waits for an answer."""
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)


@contextlib.asynccontextmanager
async def sink_running() -> AsyncIterator[Sink]:
    """Run a sink on a port of its own."""
    sink = Sink()
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0)
    sink.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield sink
    finally:
        server.close()
        await sink.end()
