"""The endpoints of a crash run, in a process of their own: every request is kept, and some are answered badly.

Prints its port and listens until it is killed. `GET /_got?from=N` answers what came from number N on, `POST /_calm` ends all trouble.
Under `/dead` it always answers 500. Run with `python -m`, with a number that decides which requests meet trouble.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

REFUSED: Final = 0.03
HUNG_UP: Final = 0.05
SLOW: Final = 0.12
TWICE: Final = 0.002
"""Up to which share of the deliveries the first attempt meets this kind of trouble, and how many meet one a second time."""
SLOW_SECONDS: Final = 0.4
DEAD: Final = "/dead"
_GOOD: Final = 204


class Sink:
    """The server."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._calm = False
        self._got: list[dict[str, Any]] = []
        self._times: dict[tuple[str, str], int] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                path = head[0].split(" ")[1]
                if path.startswith("/_"):
                    await self._control(path, writer)
                elif not await self._take(path, headers, body, writer):
                    break
        writer.close()

    async def _control(self, path: str, writer: asyncio.StreamWriter) -> None:
        answer: object = None
        if path == "/_calm":
            self._calm = True
        else:
            answer = self._got[int(path.partition("=")[2] or 0) :]
        await _say(writer, 200, json.dumps(answer).encode())

    async def _take(
        self, path: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        """Keep a request and answer it, well or badly; False when the connection is to be closed."""
        delivery = headers.get("webhook-id", "")
        times = self._times[path, delivery] = self._times.get((path, delivery), 0) + 1
        got = {"path": path, "id": delivery, "body": body.decode(), "at": time.time(), "answer": 0}
        self._got.append(got)
        status = 500 if path == DEAD else _GOOD
        chance = self._chance(path, delivery)
        if not self._calm and (times == 1 or (times == 2 and chance < TWICE)):  # noqa: PLR2004
            if chance < REFUSED:
                status = 500
            elif chance < HUNG_UP:
                return False
            elif chance < SLOW:
                await asyncio.sleep(SLOW_SECONDS)
        await _say(writer, status, b"")
        got["answer"] = status
        return True

    def _chance(self, path: str, delivery: str) -> float:
        digest = hashlib.sha256(f"{self._seed} {path} {delivery}".encode()).digest()
        return int.from_bytes(digest[:8], "big") / 2**64


async def _say(writer: asyncio.StreamWriter, status: int, body: bytes) -> None:
    writer.write(f"HTTP/1.1 {status} Said\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
    await writer.drain()


@contextmanager
def sink(seed: int) -> Iterator[str]:
    """Run a sink; yields its address."""
    command = [sys.executable, "-m", "callout.cli.bench.crashing.sink", str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603  # our own program
    try:
        assert process.stdout is not None  # noqa: S101  # asked for above
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


async def _main(seed: int) -> None:
    server = await asyncio.start_server(Sink(seed).serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201  # for whoever started it
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
