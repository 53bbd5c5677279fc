"""The database in trouble: what cannot be stored is answered 503, what was answered 2xx is there, and work goes on by itself."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from callout.storage import Tx
from tests.stories.installation import Installation, running
from tests.stories.people import JIRA_SECRET, eventually

TEN_SECONDS = 10.0
HOLD_SQLITE = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.readline()
connection.execute("ROLLBACK")
"""


class Sender:
    """A vendor that sends numbered webhooks, and remembers how each was answered."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._door = f"{installation.url}/v1/hooks/{installation.integrations['jira'].id}"
        self.answers: dict[str, int] = {}
        self.longest = 0.0

    async def send(self, name: str) -> int:
        """Send one webhook, as often as it is called for; the vendor's own id makes repeats known."""
        body = json.dumps(
            {
                "timestamp": int(time.time() * 1000),
                "webhookEvent": "jira:issue_updated",
                "issue": {"id": "1", "key": "TST-1"},
            }
        ).encode()
        digest = hmac.new(JIRA_SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {"x-hub-signature": f"sha256={digest}", "x-atlassian-webhook-identifier": f"sent-{name}"}
        started = time.monotonic()
        answer = await self._installation.http.post(self._door, content=body, headers=headers)
        self.longest = max(self.longest, time.monotonic() - started)
        if answer.status_code == 503:
            assert answer.headers["retry-after"]
            assert {"message", "remediation", "instance", "occurred_at", "status"} <= set(answer.json())
        self.answers[name] = answer.status_code
        return answer.status_code

    async def keep_on(self, until: float) -> None:
        """Send a few at a time until the moment `until`."""
        round_ = 0
        while time.monotonic() < until:
            round_ += 1
            await asyncio.gather(*(self.send(f"{round_}-{n}") for n in range(4)), asyncio.sleep(0.5))

    async def again(self) -> None:
        """Send anew what was refused, as vendors do."""
        for name, status in list(self.answers.items()):
            if status != 202:
                assert await self.send(name) == 202

    async def nothing_lost(self) -> None:
        """Judge: each webhook was stored once, and all were worked on."""
        assert set(self.answers.values()) == {202}

        async def worked_on() -> bool:
            text = "SELECT outcome, count(*) FROM inbound_event GROUP BY outcome"
            rows = await self._installation.core.database.read(lambda tx: tx.driver_all(text, text))
            counts = {row[0]: row[1] for row in rows}
            assert "received" not in counts, counts
            return True

        await eventually(worked_on, what="every webhook worked on")
        text = "SELECT dedupe FROM inbound_event"
        rows = await self._installation.core.database.read(lambda tx: tx.driver_all(text, text))
        ours = {f"sent-{name}" for name in self.answers} & {row[0] for row in rows}
        assert len(ours) == len(self.answers)


@asynccontextmanager
async def _locked_sqlite(path: Path) -> AsyncIterator[None]:
    """Another process holds the file's write lock."""
    holder = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        HOLD_SQLITE,
        str(path),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert await holder.stdout.readline() == b"held\n"
    try:
        yield
    finally:
        holder.stdin.write(b"\n")
        await holder.communicate()


async def test_sqlite_locked_by_another_process_for_ten_seconds(sqlite_path: Path, tmp_path: Path) -> None:
    async with running(f"sqlite:///{sqlite_path}", tmp_path / "data", vendors=("jira",)) as installation:
        await installation.quiet()
        await _outage(installation, lambda: _locked_sqlite(sqlite_path))


@asynccontextmanager
async def _locked_table(url: str) -> AsyncIterator[None]:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        await connection.execute("LOCK TABLE inbound_event, incident IN ACCESS EXCLUSIVE MODE")
        yield
        await connection.rollback()


async def test_postgresql_locked_by_another_session_for_ten_seconds(
    postgres_url: str, tmp_path: Path
) -> None:
    async with running(postgres_url, tmp_path / "data", vendors=("jira",)) as installation:
        await installation.quiet()
        await _outage(installation, lambda: _locked_table(postgres_url))


async def test_postgresql_that_cuts_every_connection(
    postgres_url: str, postgres_admin: psycopg.Connection, tmp_path: Path
) -> None:
    name = postgres_url.rpartition("/")[2]

    @asynccontextmanager
    async def cut() -> AsyncIterator[None]:
        postgres_admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        postgres_admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
        try:
            yield
        finally:
            postgres_admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')

    async with running(postgres_url, tmp_path / "data", vendors=("jira",)) as installation:
        await installation.quiet()
        await _outage(installation, cut, seconds=3.0)


async def _outage(
    installation: Installation,
    trouble: Callable[[], AbstractAsyncContextManager[None]],
    *,
    seconds: float = TEN_SECONDS,
) -> None:
    sender = Sender(installation)
    assert await sender.send("before") == 202
    begun = time.monotonic()
    async with trouble():
        asking = asyncio.create_task(
            installation.api.request("POST", "/v1/incidents", json={"title": "meanwhile"})
        )
        await sender.keep_on(until=begun + seconds)
        alive = await installation.http.get(f"{installation.url}/healthz")
        assert alive.status_code == 200
    answer = await asking  # it may wait for the lock, but it must say what became of it
    assert answer.status_code in {201, 503}, answer.text
    found = await installation.api("GET", "/v1/incidents")
    assert len(found) == (1 if answer.status_code == 201 else 0)
    assert 503 in sender.answers.values()
    assert sender.longest < 9, "a sender is not kept waiting"

    async def works() -> bool:
        return await sender.send("after") == 202

    await eventually(works, what="intake works again")
    await sender.again()
    await sender.nothing_lost()
    key = await installation.api.declare("declared after")
    await installation.ticket_of(key)


async def test_a_full_disk(sqlite_path: Path, tmp_path: Path) -> None:
    async with running(f"sqlite:///{sqlite_path}", tmp_path / "data", vendors=("jira",)) as installation:
        key = await installation.api.declare("declared before")
        await installation.ticket_of(key)
        await installation.quiet()
        sender = Sender(installation)
        await installation.transaction(_pages(0))
        for number in range(200):
            if await sender.send(f"n{number}") != 202:
                break
        else:
            pytest.fail("the disk never was full")
        big = "x" * 60_000
        refused = await installation.api.request(
            "POST", "/v1/incidents", json={"title": "no", "description": big}
        )
        assert refused.status_code == 503
        assert "full" in refused.json()["message"]
        assert (await installation.api.incident(key))["title"] == "declared before"  # reading goes on

        await installation.transaction(_pages(100_000))
        await sender.again()
        await sender.nothing_lost()
        await installation.ticket_of(await installation.api.declare("declared after"))


def _pages(more: int) -> Callable[[Tx], Awaitable[None]]:
    """Return a unit of work that lets the file grow by so many pages and no further."""

    async def unit(tx: Tx) -> None:
        now = int((await tx.driver_all("PRAGMA page_count", ""))[0][0])
        await tx.driver_all(f"PRAGMA max_page_count={now + more}", "")

    return unit
