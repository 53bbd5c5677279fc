"""The live stream: a browser learns that something it shows has changed, from whichever process changed it.

A hint says which record changed and nothing of what: the page then reads again what its reader may see. The stream continues after
`Last-Event-ID` (or `after`), from the table of events, so that nothing is missed between a page and its stream, nor while
a process was away. One look at the table per process serves all of its streams.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextvars import Context
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Final

import orjson
import structlog
from prometheus_client import Gauge
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from callout.jobs.outbox import feed_heads, subjects_since
from callout.ports.errors import CalloutError
from callout.server.dashboard.visit import Visit
from callout.storage import StorageUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.routing import Route

    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors
    from callout.server.services import Services
    from callout.storage import Tx

LOOK_SECONDS: Final = 0.2
STILL_THERE_SECONDS: Final = 15.0
"""How often a quiet stream says that it is there."""
CHECK_SECONDS: Final = 1.0
"""For so long the answer holds that a reader may still read, when hints come one after another."""
QUIET_CHECK_SECONDS: Final = 5.0
"""How often readers of quiet streams are looked at: who was signed out is sent away by then."""
AT_ONCE: Final = 500
WAITING: Final = 64
"""Hints that may wait for a slow browser; one that is further behind is told to read everything again."""
MOST_STREAMS: Final = 1_000
AGAIN_MS: Final = 1_000
_log = structlog.get_logger(__name__)
open_streams = Gauge(
    "callout_live_streams", "Live streams of pages that are open", multiprocess_mode="livesum"
)


@dataclass(eq=False, slots=True)
class _Listener:
    """One stream. `seen` is the feed number it was told up to; `welcome` is False from when its reader may not read any more."""

    visit: Visit
    account_id: str
    seen: int
    checked: float
    hints: asyncio.Queue[tuple[int, tuple[str, ...]] | None] = field(
        default_factory=lambda: asyncio.Queue(WAITING)
    )
    behind: bool = False
    welcome: bool = True

    def tell(self, head: int, subjects: tuple[str, ...]) -> None:
        """Pass a hint on."""
        if head <= self.seen:
            return
        self.seen = head
        try:
            self.hints.put_nowait((head, subjects))
        except asyncio.QueueFull:
            self.behind = True

    def send_away(self) -> None:
        """End the stream."""
        self.welcome = False
        while not self.hints.empty():
            self.hints.get_nowait()
        self.hints.put_nowait(None)


@dataclass(frozen=True, slots=True)
class _Fresh:
    after: int
    reached: int
    subjects: tuple[str, ...]


class Hub:
    """Looks at the feed, and whether readers may still read, for all streams of this process, while there are any."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._listeners: set[_Listener] = set()
        self._looking: asyncio.Task[None] | None = None

    @property
    def listeners(self) -> int:
        """How many streams are open here."""
        return len(self._listeners)

    @contextlib.asynccontextmanager
    async def listening(self, visit: Visit, account_id: str, after: int) -> AsyncIterator[_Listener]:
        """Open a listener for what follows feed number `after` of an account."""
        one = _Listener(visit, account_id, after, monotonic())
        self._listeners.add(one)
        open_streams.inc()
        if self._looking is None or self._looking.done():
            # For all streams, and in none of their requests' contexts: it outlives them.
            self._looking = asyncio.create_task(self._look(), name="live stream", context=Context())
        try:
            yield one
        finally:
            self._listeners.discard(one)
            open_streams.dec()

    async def _look(self) -> None:
        while self._listeners:
            fresh: Mapping[str, _Fresh] = {}
            try:
                fresh = await self._services.database.read(self._fresh)
                await self._send_away(fresh)
            except StorageUnavailableError as error:
                # Nobody knows who may read: nothing is told meanwhile, and nothing is missed by that.
                _log.warning("live_stream_waits", error=str(error))
                fresh = {}
            for one in list(self._listeners):
                found = fresh.get(one.account_id)
                # Whoever came while this was read, from further back, is served by the next look.
                if one.welcome and found is not None and one.seen >= found.after:
                    one.tell(found.reached, found.subjects)
            if not any(len(found.subjects) >= AT_ONCE for found in fresh.values()):
                await asyncio.sleep(LOOK_SECONDS)

    async def _fresh(self, tx: Tx) -> Mapping[str, _Fresh]:
        wanted: dict[str, int] = {}
        for one in self._listeners:
            wanted[one.account_id] = min(one.seen, wanted.get(one.account_id, one.seen))
        found = {}
        for account_id, head in (await feed_heads(tx, sorted(wanted))).items():
            after = wanted[account_id]
            if head > after:
                reached, subjects = await subjects_since(tx, account_id, after, limit=AT_ONCE)
                found[account_id] = _Fresh(after, reached, subjects)
        return found

    async def _send_away(self, fresh: Mapping[str, _Fresh]) -> None:
        """End the streams of those who may not read any more: before anything is told, and every few seconds."""
        now = monotonic()
        due = [
            one
            for one in self._listeners
            if now - one.checked > (CHECK_SECONDS if one.account_id in fresh else QUIET_CHECK_SECONDS)
        ]
        if not due:
            return

        async def gone(tx: Tx) -> list[_Listener]:
            return [one for one in due if not await _may_read(tx, one)]

        for one in await self._services.database.read(gone):
            one.send_away()
        for one in due:
            one.checked = now


async def _may_read(tx: Tx, one: _Listener) -> bool:
    try:
        scope = await one.visit.scope(tx)
        scope.require("incident.read")
    except CalloutError:
        return False
    return scope.tx.account_id == one.account_id


class LiveStream:
    """`GET /live`: the stream of one browser, for as long as its reader may see the account."""

    def __init__(self, services: Services) -> None:
        self.hub = Hub(services)
        self._services = services

    async def open(self, visit: Visit) -> Response:
        """Answer with the stream; it begins after `Last-Event-ID`, else after the parameter `after`, else now."""
        if self.hub.listeners >= MOST_STREAMS:
            return PlainTextResponse("too many streams are open", 503, headers={"Retry-After": "10"})
        head = await visit.look(_head)
        assert visit.visitor is not None  # noqa: S101  # set by the look
        last = visit.request.headers.get("last-event-id") or visit.query("after")
        after = int(last) if last.isascii() and last.isdigit() and len(last) < 19 else head  # noqa: PLR2004  # 64 bits
        hints = self._hints(visit, visit.visitor.account.id, min(after, head))
        headers = {
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
            "X-Content-Type-Options": "nosniff",
        }
        return StreamingResponse(hints, media_type="text/event-stream", headers=headers)

    async def _hints(self, visit: Visit, account_id: str, after: int) -> AsyncIterator[bytes]:
        yield f"retry: {AGAIN_MS}\nid: {after}\nevent: hello\ndata: {{}}\n\n".encode()
        stopping = asyncio.create_task(self._services.stopping.wait())
        try:
            async with self.hub.listening(visit, account_id, after) as one:
                while not stopping.done() and one.welcome:
                    hint = await _next(one, stopping)
                    yield _line(one, hint)
        finally:
            stopping.cancel()


async def _next(one: _Listener, stopping: asyncio.Task[bool]) -> tuple[int, tuple[str, ...]] | None:
    if one.behind:
        return None
    getting = asyncio.create_task(one.hints.get())
    try:
        await asyncio.wait(
            {getting, stopping}, timeout=STILL_THERE_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        return getting.result() if getting.done() else None
    finally:
        getting.cancel()


def _line(one: _Listener, hint: tuple[int, tuple[str, ...]] | None) -> bytes:
    if not one.welcome:
        return b"event: over\ndata: {}\n\n"
    if one.behind:
        one.behind = False
        while not one.hints.empty():
            one.hints.get_nowait()
        return f"id: {one.seen}\nevent: changed\ndata: {{}}\n\n".encode()
    if hint is None:
        return b": still there\n\n"
    head, subjects = hint
    return b"id: %d\nevent: changed\ndata: %b\n\n" % (head, orjson.dumps({"subjects": subjects}))


async def _head(scope: Scope) -> int:
    scope.require("incident.read")
    heads = await feed_heads(scope.tx.system, [scope.tx.account_id])
    return heads.get(scope.tx.account_id, 0)


def routes(doors: Doors) -> list[Route]:
    """Return the route of the stream."""
    return [doors.page("/live", LiveStream(doors.services).open)]
