"""Real processes are killed between the reading of a ticket and the storing of its incident: one incident comes of it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import httpx
import pytest

from callout.access import DEFAULT_ACCOUNT
from callout.bootstrap.core import open_core, prepare_database
from callout.cli.bench.installation import add_integration, at_home, stop
from callout.incidents import IncidentFilter
from callout.sandbox.core.serve import SandboxServer
from tests.stories.forked import forked
from tests.stories.installation import TLS
from tests.stories.people import eventually
from tests.stories.vendors import CHECKOUT, PAGERDUTY_KEY, PagerDutyPeople

KILLS = ("sync.accept_read", "sync.accept_read:2", "jobs.before_settle:6", "jobs.settled:6")
TITLES = sorted(f"outage {number}" for number in range(len(KILLS)))


@pytest.mark.timeout(180)
async def test_killed_while_a_ticket_becomes_an_incident(database_url: str, tmp_path: Path) -> None:
    one = at_home(tmp_path, database_url)
    hurry = {"CALLOUT_POLL_SECONDS": "1", "CALLOUT_TAKEOVER_SECONDS": "1"}
    await prepare_database(one.settings(), migrate=True)
    async with (
        SandboxServer(only=("pagerduty",)) as sandbox,
        httpx.AsyncClient(timeout=60, verify=TLS) as http,
        open_core(one.settings()) as core,
    ):
        pagerduty = PagerDutyPeople(http, sandbox.base_url)
        config = {
            "type": "ticketing_pagerduty",
            "url": pagerduty.url,
            "credential": {"type": "token", "secret": PAGERDUTY_KEY},
            "default_project": CHECKOUT,
            "default_creator": "admin@example.com",
        }
        await add_integration(core, config, name="pagerduty")

        async def titles() -> list[str]:
            account = await core.database.read(lambda tx: core.accounts.get(tx, DEFAULT_ACCOUNT))
            found, _ = await core.database.read(
                lambda tx: core.incidents.search(tx.account(account.id), IncidentFilter(), limit=100)
            )
            return sorted(incident.title for incident in found)

        for title, point in zip(TITLES, KILLS, strict=True):
            await pagerduty.trigger(title)
            process = forked(one, "worker", **hurry, CALLOUT_CRASH_AT=point)
            try:
                code = await asyncio.wait_for(asyncio.to_thread(process.wait), 30)
            finally:
                stop(process)
            assert code == -signal.SIGKILL, point
        workers = [forked(one, "worker", **hurry) for _ in range(2)]
        try:

            async def all_there() -> bool:
                return len(await titles()) >= len(TITLES)

            await eventually(all_there, what="an incident for each ticket")
            before = await pagerduty.last_seq()

            async def polled_again() -> bool:
                calls = await pagerduty.calls(since=before)
                return sum("/log_entries" in call["path"] for call in calls) >= 2

            await eventually(polled_again, what="two more polls")
        finally:
            for worker in workers:
                stop(worker)
        assert await titles() == TITLES
        assert len(await pagerduty.incidents()) == len(TITLES)
