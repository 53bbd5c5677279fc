"""Real processes are killed while files are fetched and uploaded: each file comes once, in both directions."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from callout.access import DEFAULT_ACCOUNT
from callout.bootstrap.core import Core, open_core, prepare_database
from callout.bootstrap.run import run
from callout.bootstrap.wiring import wire
from callout.cli.bench.installation import Installation, add_integration, at_home, stop
from callout.incidents import AttachmentState, DeclareIncident, NewFile
from callout.ports.values import Actor, Audience, Channel, Origin
from callout.sandbox.core.serve import SandboxServer
from callout.sync import links
from tests.stories.forked import forked
from tests.stories.installation import TLS, SteppedClock
from tests.stories.people import JIRA_USER, JiraPeople, eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callout.storage import AccountTx

ORIGIN = Origin(Channel.CLI, Actor.system("tests"))
HURRY = {"CALLOUT_POLL_SECONDS": "1", "CALLOUT_TAKEOVER_SECONDS": "1"}
NAMES = {
    "sync.file_fetched": "fetched.log",
    "sync.file_sent": "sent.log",
    # Last: the fate of this one is waited out.
    "sync.file_begun": "begun.log",
}


async def in_account(core: Core, unit: Callable[[AccountTx], Awaitable[Any]]) -> Any:
    account = await core.database.read(lambda tx: core.accounts.get(tx, DEFAULT_ACCOUNT))
    return await core.database.transaction(lambda tx: unit(tx.account(account.id)))


async def killed_at(one: Installation, point: str) -> None:
    process = forked(one, "worker", **HURRY, CALLOUT_CRASH_AT=point)
    try:
        code = await asyncio.wait_for(asyncio.to_thread(process.wait), 40)
    finally:
        stop(process)
    assert code == -signal.SIGKILL, point


@pytest.mark.timeout(180)
async def test_killed_while_files_travel(database_url: str, tmp_path: Path) -> None:
    one = at_home(tmp_path, database_url)
    await prepare_database(one.settings(), migrate=True)
    clock = SteppedClock()
    settings = one.settings().model_copy(update={"poll_seconds": 1.0, "takeover_seconds": 1.0})
    async with (
        SandboxServer(only=("jira",)) as sandbox,
        httpx.AsyncClient(timeout=60, verify=TLS) as http,
        open_core(settings, clock=clock) as core,
    ):
        wired = wire(core)  # whoever declares and attaches tells the features
        jira = JiraPeople(http, sandbox.base_url, "jira")
        config = {
            "type": "ticketing_jira",
            "url": jira.url,
            "credential": {"type": "basic", "username": JIRA_USER[0], "secret": JIRA_USER[1]},
            "default_project": "TST",
            "default_issue_type": "Incident",
        }
        await add_integration(core, config, name="jira")
        made = await in_account(core, lambda tx: core.incidents.declare(tx, DeclareIncident("down"), ORIGIN))

        async def ticket() -> str:
            found = await in_account(core, lambda tx: links.of_incident(tx, made.id))
            return str(found[0].ticket_key) if found else ""

        def attach(name: str) -> Awaitable[Any]:
            file = NewFile(name, content=name.encode())
            return in_account(
                core, lambda tx: core.incidents.attach(tx, made.id, file, Audience.RESPONDERS, ORIGIN)
            )

        worker = forked(one, "worker", **HURRY)
        try:
            key = await eventually(ticket, what="the ticket")
        finally:
            stop(worker)
        for point, name in NAMES.items():
            if point == "sync.file_fetched":
                await jira.act("attach", issue=key, filename=name, text=name)
            else:
                await attach(name)
            await killed_at(one, point)
        # What was begun and not sent may arrive for as long as a call may take: that time goes by.
        clock.advance(timedelta(minutes=2))
        ending = asyncio.Event()
        working = asyncio.create_task(run(wired, "worker", ending))

        async def everywhere() -> bool:
            fields = (await jira.issue(key))["fields"]
            there = sorted(entry["filename"] for entry in fields["attachment"])
            here = await in_account(core, lambda tx: core.incidents.attachments(tx, made.id))
            assert there == sorted(NAMES.values())
            assert sorted(entry.name for entry in here) == there
            return all(entry.state is AttachmentState.STORED for entry in here)

        try:
            await eventually(everywhere, what="each file on both sides")
            before = await jira.last_seq()

            async def polled_again() -> bool:
                return sum("/search" in call["path"] for call in await jira.calls(since=before)) >= 2

            await eventually(polled_again, what="two more polls")
            assert await everywhere()
        finally:
            ending.set()
            await asyncio.gather(working, return_exceptions=True)
            await wired.connections.close()
        assert len(await jira.effects("attachment.create")) == len(NAMES)
