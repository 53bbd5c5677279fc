"""`callout bench pages`: how soon the dashboard's pages are there with years of incidents, and what two hundred open streams cost.

A real `callout serve` of two processes with a worker beside them. The times are those of a client on the same machine, so that they
are a little more than the server's own.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.chatting.answers import percentile
from callout.cli.bench.installation import Installation, installation, stop
from callout.cli.bench.rounds import middle
from callout.cli.bench.table import Row

if TYPE_CHECKING:
    import aiohttp

    from callout.storage import Tx

GOAL_MS: Final = 50.0
GOAL_HINT_MS: Final = 1_000.0
GOAL_MB: Final = 300.0
LINES: Final = 10
"""Lines of the timeline of each incident."""
AT_ONCE: Final = 500
YEARS: Final = 2
WARM_UP: Final = 10
EVERY: Final = 40
"""One incident in so many is still under way."""
SHOWN: Final = (
    "/incidents",
    "/incidents/list",
    "/incidents/list?text=number+77",
    "/incidents/list?status=resolved&severity=SEV-2",
    "/incidents/INC-77",
    "/incidents/INC-77/why/severity",
    "/insights",
)


@dataclass(frozen=True, slots=True)
class Streams:
    """What the open streams showed: milliseconds until each was told of a change, and megabytes of all server processes together."""

    waits: Sequence[float]
    megabytes: float


def run(
    database: str,
    postgres_url: str | None,
    *,
    incidents: int,
    looks: int,
    streams: int,
    say: Callable[[str], None],
) -> list[Row]:
    """Measure on one database; rows say `not measured` where something is missing."""
    what = f"pages, {incidents:,} incidents, {incidents * LINES:,} lines of timelines"
    live = f"live: {streams} streams over two processes"
    try:
        with installation(database, postgres_url) as one:
            say(f"{what}, {database}: making them")
            token = asyncio.run(_fill(one, incidents))
            # Several processes of the API need PostgreSQL; on SQLite the worker is the second.
            api = one.start("api", *(() if one.embedded else ("--processes", "2")))
            worker = one.start("worker")
            try:
                one.wait_ready(api)
                times = asyncio.run(_look(one, token, looks, say))
                told = asyncio.run(_listen(one, token, streams, (api, worker) if one.embedded else (api,)))
            finally:
                stop(api)
                stop(worker)
    except NotMeasuredError as error:
        return [Row(name, database, note=f"not measured: {error}") for name in (what, live)]
    rows = [
        Row(
            f"{what}: {path}",
            database,
            rate=middle(waits),
            unit="ms",
            goal=f"<= {GOAL_MS:g} ms p50",
            met=middle(waits) <= GOAL_MS,
            detail={"p99_ms": round(percentile(waits, 0.99), 1)},
        )
        for path, waits in times.items()
    ]
    hint = percentile(told.waits, 0.99)
    return [
        *rows,
        Row(
            f"{live}: a change is told, p99",
            database,
            rate=hint,
            unit="ms",
            goal=f"<= {GOAL_HINT_MS:g} ms",
            met=hint <= GOAL_HINT_MS,
            detail={"p50_ms": round(middle(told.waits), 1)},
        ),
        Row(
            f"{live}: memory",
            database,
            rate=told.megabytes,
            unit="MB",
            goal=f"<= {GOAL_MB:g} MB",
            met=told.megabytes <= GOAL_MB,
        ),
    ]


async def _fill(one: Installation, count: int) -> str:
    """Declare `count` incidents over two years, most of them resolved; return an administrator's token."""
    from callout.access import DEFAULT_ACCOUNT, SYSTEM
    from callout.bootstrap.core import open_core
    from callout.incidents import DeclareIncident, TimelineEntry, store
    from callout.kit.ids import new_id
    from callout.ports.values import Actor, Channel, Origin, Severity, Status

    origin = Origin(Channel.API, Actor.system("bench"))
    now = datetime.now(UTC)
    step = timedelta(days=365 * YEARS) / count

    async with open_core(one.settings()) as core:

        async def account(tx: Tx) -> str:
            return (await core.accounts.get(tx, DEFAULT_ACCOUNT)).id

        mine = await core.database.read(account)

        async def batch(system: Tx, *, first: int, size: int) -> None:
            tx = system.account(mine)
            drafts = [
                (
                    DeclareIncident(
                        title=f"incident number {number}",
                        severity=Severity(1 + number % 4),
                        description="What was seen. " * 10,
                        service=f"service-{number % 12}",
                        team=f"team-{number % 5}",
                        tags=("eu", f"tag-{number % 20}"),
                        began_at=now - step * (count - number),
                    ),
                    origin,
                )
                for number in range(first, first + size)
            ]
            edits = await core.incidents.begin(tx, drafts)
            lines = []
            for edit in edits:
                at = edit.incident.created_at
                if edit.incident.number % EVERY:
                    edit.change(
                        {},
                        status=Status.RESOLVED,
                        origin=origin,
                        at=at + timedelta(minutes=edit.incident.number % 600),
                    )
                lines += [
                    TimelineEntry(
                        new_id(), edit.incident.id, at, "noted", origin, {"text": f"step {step} was taken"}
                    )
                    for step in range(LINES - 2)
                ]
            await core.incidents.save_new(tx, edits)
            await store.add_entries(tx, lines)

        for first in range(0, count, AT_ONCE):
            size = min(AT_ONCE, count - first)
            await core.database.transaction(partial(batch, first=first, size=size))
        token = await core.database.transaction(
            lambda tx: core.tokens.create(tx, SYSTEM, permission_set="administrator", ttl="24h")
        )
    assert token.primary.access.secret is not None  # noqa: S101  # a new one has it
    return token.primary.access.secret.reveal()


async def _signed_in(http: aiohttp.ClientSession, one: Installation, token: str) -> None:
    async with http.post(f"{one.address}/login", data={"token": token, "next": "/incidents"}) as answer:
        if answer.status != 200:  # noqa: PLR2004  # the page it led on to
            raise NotMeasuredError(f"signing in answered {answer.status}")


async def _look(
    one: Installation, token: str, looks: int, say: Callable[[str], None]
) -> dict[str, list[float]]:
    """Open each page `looks` times, in turn; return the times in milliseconds."""
    import aiohttp

    times: dict[str, list[float]] = {path: [] for path in SHOWN}
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        await _signed_in(http, one, token)
        for turn in range(looks + WARM_UP):
            for path, found in times.items():
                began = time.perf_counter()
                async with http.get(one.address + path) as answer:
                    text = await answer.text()
                took = (time.perf_counter() - began) * 1_000
                if answer.status != 200 or "</html>" not in text:  # noqa: PLR2004
                    raise NotMeasuredError(f"{path} answered {answer.status}")
                if turn >= WARM_UP:
                    found.append(took)
    for path, found in times.items():
        say(f"  {path}: p50 {middle(found):.1f} ms")
    return times


async def _listen(
    one: Installation, token: str, count: int, servers: Sequence[subprocess.Popen[bytes]]
) -> Streams:
    """Open the streams, change incidents, and note when each stream is told."""
    import aiohttp

    changed: dict[str, float] = {}
    told: list[tuple[str, float]] = []
    opened = asyncio.Semaphore(0)

    async def listen(http: aiohttp.ClientSession) -> None:
        async with http.get(f"{one.address}/live") as answer:
            opened.release()
            async for line in answer.content:
                if line.startswith(b"data: ") and b"subjects" in line:
                    at = time.perf_counter()
                    told.extend((subject, at) for subject in json.loads(line[6:])["subjects"])

    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        connector=connector, timeout=timeout, cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as http:
        await _signed_in(http, one, token)
        streams = [asyncio.create_task(listen(http)) for _ in range(count)]
        try:
            async with asyncio.timeout(30):
                for _ in range(count):
                    await opened.acquire()
            for number in range(1, 11):
                await _change(http, one, number * EVERY, changed, token)
                await asyncio.sleep(1.5)
            megabytes = sum(_memory(server.pid) for server in servers)
        finally:
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)
    waits = [(at - changed[subject]) * 1_000 for subject, at in told if subject in changed]
    if len(waits) < count * len(changed):
        raise NotMeasuredError(f"{count * len(changed) - len(waits)} hints did not arrive")
    return Streams(waits, megabytes)


async def _change(
    http: aiohttp.ClientSession, one: Installation, number: int, changed: dict[str, float], token: str
) -> None:
    """Write a note to an incident; keep when it was committed at the earliest."""
    headers = {"Authorization": f"Bearer {token}"}
    address = f"{one.address}/v1/incidents/INC-{number}"
    async with http.get(address, headers=headers) as answer:
        found: dict[str, Any] = await answer.json()
    changed[found["result"]["id"]] = time.perf_counter()
    async with http.post(f"{address}/notes", json={"text": "a note"}, headers=headers) as answer:
        if answer.status != 201:  # noqa: PLR2004
            raise NotMeasuredError(f"a note was answered {answer.status}")


def _memory(pid: int) -> float:
    """Return the megabytes of a process and its children, what they share counted once. Raises NotMeasuredError."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        total = 0
        for one in (str(pid), *children):
            found = re.search(
                r"^Pss:\s+(\d+) kB", Path(f"/proc/{one}/smaps_rollup").read_text(), re.MULTILINE
            )
            total += int(found[1]) if found else 0
    except OSError as error:
        raise NotMeasuredError(f"memory is not told here: {error}") from error
    return total / 1024
