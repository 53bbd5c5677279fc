"""Tickets that were there before: each becomes one incident, quietly, also when workers are killed on the way."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from callout.bootstrap.core import open_core, prepare_database
from callout.cli.bench.installation import add_integration, at_home, stop
from callout.incidents import IncidentFilter
from callout.ports.errors import ConflictError, InvalidRequestError
from callout.ports.values import Channel, Origin
from callout.sandbox.core.serve import SandboxServer
from callout.sync.backfill import Backfill, Backfills, BackfillState
from tests.stories.forked import forked
from tests.stories.installation import OPERATOR, TLS, Installation, running
from tests.stories.people import JIRA_USER, JiraPeople, eventually
from tests.stories.vendors import CHECKOUT, add_pagerduty, add_servicenow, settled

TWINS = ("jira", "slack", "pagerduty", "servicenow")
OPEN = {"project": ["TST"]}
SINCE = datetime(2020, 1, 2, tzinfo=UTC)
ASKED = Origin(Channel.CLI, OPERATOR)


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product with Slack, on both databases; the twins of all run."""
    async with running(database_url, tmp_path / "data", vendors=("slack",), twins=TWINS) as found:
        yield found


@pytest.fixture
async def small(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Installation]:
    """The same on SQLite, for stories in which the database plays no part."""
    url = f"sqlite:///{sqlite_path}"
    async with running(url, tmp_path / "data", vendors=("slack",), twins=TWINS) as found:
        yield found


async def past(jira: JiraPeople, count: int, *, step: timedelta = timedelta(hours=7)) -> list[str]:
    """Let people have made issues in the past, the newest an hour ago; return their keys, oldest first."""
    keys: list[str] = []
    for number in range(count):
        await jira.configure(clock_offset=-3600 - (count - number) * step.total_seconds())
        fields = {"project": "TST", "issuetype": "Incident", "summary": f"old {number}", "priority": "Medium"}
        keys.append((await jira.act("create_issue", fields=fields))["key"])
    await jira.configure(clock_offset=0)
    return keys


async def backfill(hub: Installation, name: str, *, since: datetime | None = None) -> Backfill:
    """Have the past taken over, and wait for its end."""
    desk = Backfills(hub.wired.sync)
    begun = await hub.in_account(lambda tx: desk.start(tx, name, ASKED, since=since))

    async def over() -> Backfill:
        found = await hub.in_account(lambda tx: desk.get(tx, begun.id))
        assert found.state is not BackfillState.RUNNING, found
        return found

    return await eventually(over, what="the end of the backfill")


def counts(one: Backfill) -> tuple[int, int, int]:
    return one.seen, one.made, one.known


async def test_what_was_there_becomes_incidents_once_and_nobody_is_disturbed(hub: Installation) -> None:
    keys = await past(hub.jira, 230)
    await hub.jira.comment(keys[3], "it was the *cache*")
    await hub.jira.transition(keys[5], "In Progress")
    for step in ("In Progress", "Done"):
        await hub.jira.transition(keys[7], step)
    _, servicenow = await add_servicenow(hub)  # which wants a ticket of every incident that is declared
    messages = await hub.rows("chat_message")
    await hub.add_jira(sync={"accept": [OPEN]})
    done = await backfill(hub, "jira")
    assert (done.state, done.problem, done.total) == (BackfillState.DONE, None, 229)
    # What changed just now may have been heard of by a poll before its page was read.
    assert (done.seen, done.made + done.known) == (229, 229)
    assert done.known <= 3

    found = {one["title"]: one for one in await hub.api("GET", "/v1/incidents", params={"limit": "200"})}
    assert len(found) == 200  # a page
    assert await hub.rows("incident") == await hub.rows("sync_link") == 229
    first = found["old 229"]
    assert datetime.fromisoformat(first["created_at"]) < datetime.now(UTC) - timedelta(hours=1)
    key = await _key_of(hub, "old 3")
    assert await hub.api.notes(key) == ["it was the **cache**"]
    link = await hub.api.link(key, "jira")
    assert (link["state"], link["ticket_key"], link["problem"]) == ("active", keys[3], None)
    lines = await hub.api.timeline(key)
    assert [line["kind"] for line in lines] == ["declared", "noted"]
    assert (lines[0]["data"]["ticket"], lines[0]["data"]["integration"]) == (keys[3], "jira")
    assert (await hub.api.incident(await _key_of(hub, "old 5")))["status"] == "acknowledged"

    # The audit and the feed tell of a page at once, and of every incident on it.
    pages = await hub.core.database.read(_imports)
    listed = [one for data in pages for one in json.loads(data)["incidents"]]
    assert f"{key} = {keys[3]}" in listed
    assert len(set(listed)) == len(listed) == 229
    assert len(pages) < 20

    # A second time everything is known.
    assert counts(await backfill(hub, "jira")) == (229, 0, 229)
    await settled(hub, servicenow)
    assert await hub.rows("incident") == 229
    assert await hub.rows("chat_message") == messages
    assert await hub.rows("chat_channel") == 0
    assert {link["integration_id"] for link in await hub.api.links(key)} == {link["integration_id"]}


async def test_an_incident_of_the_past_lives_on_and_chat_hears_of_it_when_it_matters(
    small: Installation,
) -> None:
    hub = small
    keys = await past(hub.jira, 3)
    await hub.add_jira(sync={"accept": [OPEN]})
    await backfill(hub, "jira")
    calm, worse, taken_up = [await _key_of(hub, f"old {number}") for number in range(3)]

    # Both ways it is in step, and nobody is told.
    await hub.jira.edit(keys[0], summary="old 0, as ever")
    await hub.incident_when(calm, title="old 0, as ever")
    await settled(hub, hub.jira, hub.slack)
    assert await hub.rows("chat_channel") == 0

    # It becomes worse over there, or somebody here does something about it.
    await hub.jira.edit(keys[1], priority="Highest")
    await hub.incident_when(worse, severity="SEV-1")
    await hub.api.act(taken_up, "acknowledge")
    await hub.issue_when(keys[2], status="In Progress")
    await settled(hub, hub.jira, hub.slack)
    assert await hub.rows("chat_channel") == 2
    # From then on all of it is told.
    await hub.jira.edit(keys[2], summary="old 2, under way")
    await hub.told("incidents", "old 2, under way")


async def test_only_what_changed_since_then_is_looked_at(small: Installation) -> None:
    keys = await past(small.jira, 12, step=timedelta(days=10))
    await small.add_jira(sync={"accept": [OPEN]})
    since = datetime.now(UTC) - timedelta(days=35)
    assert counts(await backfill(small, "jira", since=since)) == (3, 3, 0)
    assert counts(await backfill(small, "jira")) == (12, 9, 3)
    assert len(keys) == await small.rows("incident")


async def test_records_of_servicenow_come_with_their_journals(hub: Installation) -> None:
    servicenow_rule = {"project": ["incident"], "severity": ["SEV-1"]}
    _, servicenow = await add_servicenow(hub, sync={"accept": False})
    for number in range(30):
        await servicenow.configure(clock_offset=-86400.0 * (31 - number))
        grave = {"impact": "1", "urgency": "1"} if number % 2 else {"impact": "3", "urgency": "3"}
        await servicenow.create(f"record {number}", **grave, comments=f"said {number}")
    await servicenow.configure(clock_offset=0)
    await settled(hub, servicenow)
    assert await hub.rows("incident") == 0
    one = hub.integrations["servicenow"]
    await hub.in_account(
        lambda tx: hub.core.integrations.update(
            tx, one.id, changes={"settings": {"sync": {"accept": [servicenow_rule]}}}, actor=OPERATOR
        )
    )
    done = await backfill(hub, "servicenow")
    assert (done.state, done.made) == (BackfillState.DONE, 15)
    assert await hub.api.notes(await _key_of(hub, "record 29")) == ["said 29"]


async def test_a_vendor_without_pages_of_the_past_is_read_by_its_lists_and_comments_follow(
    small: Installation,
) -> None:
    _, pagerduty = await add_pagerduty(small, subscribe=False, sync={"accept": False})
    for number in range(5):
        theirs = await pagerduty.trigger(f"page {number}", service=CHECKOUT)
        await pagerduty.act("note", incident=theirs, content=f"noted {number}")
    one = small.integrations["pagerduty"]
    await small.in_account(
        lambda tx: small.core.integrations.update(
            tx, one.id, changes={"settings": {"sync": {"accept": True}}}, actor=OPERATOR
        )
    )
    done = await backfill(small, "pagerduty")
    assert (done.state, done.made) == (BackfillState.DONE, 5)
    key = await _key_of(small, "page 4")

    async def noted() -> bool:
        return await small.api.notes(key) == ["noted 4"]

    await eventually(noted, what="the note")
    assert await small.rows("chat_channel") == 0


async def test_it_waits_for_a_vendor_that_is_down_and_ends_when_asked(small: Installation) -> None:
    await past(small.jira, 4)
    await small.add_jira(sync={"accept": [OPEN]})
    await small.jira.fault({"match": {"path": "/search"}, "effect": {"kind": "status", "status": 503}})
    desk = Backfills(small.wired.sync)
    begun = await small.in_account(lambda tx: desk.start(tx, "jira", ASKED, since=SINCE))

    async def troubled() -> bool:
        found = await small.in_account(lambda tx: desk.get(tx, begun.id))
        return found.problem is not None

    await eventually(troubled, what="the problem shown")
    with pytest.raises(ConflictError):
        await small.in_account(lambda tx: desk.start(tx, "jira", ASKED))
    stopped = await small.in_account(lambda tx: desk.stop(tx, "jira", ASKED))
    assert stopped.state is BackfillState.STOPPED
    told = await small.core.database.read(_asked)
    assert [row[0] for row in told] == [
        "backfill.started",
        "backfill.stopped",
    ]  # not the one that was refused
    assert {row[1] for row in told} == {begun.id}
    assert {row[2] for row in told} == {begun.integration_id}
    assert {(row[3], row[4]) for row in told} == {(OPERATOR.id, "cli")}
    assert [json.loads(row[5]) for row in told] == [
        {"integration": "jira", "since": SINCE.isoformat()},
        {"seen": 0, "made": 0},
    ]
    await small.jira.fault()
    await small.skip(60)
    assert counts(await backfill(small, "jira")) == (4, 4, 0)


async def test_without_a_rule_or_with_a_wrong_one_it_says_what_to_do(small: Installation) -> None:
    await small.add_jira()
    desk = Backfills(small.wired.sync)
    with pytest.raises(InvalidRequestError, match="makes no incidents"):
        await small.in_account(lambda tx: desk.start(tx, "jira", ASKED))
    await small.add_jira("other", sync={"accept": [{"project": ["NOSUCH"]}]})
    done = await backfill(small, "other")
    assert done.state is BackfillState.FAILED
    assert done.problem is not None
    assert "NOSUCH" in done.problem.message


KILLS = ("jobs.handled:2", "jobs.before_settle:3", "jobs.settled:3")


@pytest.mark.timeout(300)
async def test_killed_workers_lose_nothing_and_take_nothing_over_twice(
    database_url: str, tmp_path: Path
) -> None:
    one = at_home(tmp_path, database_url)
    hurry = {"CALLOUT_POLL_SECONDS": "3600", "CALLOUT_TAKEOVER_SECONDS": "1"}
    await prepare_database(one.settings(), migrate=True)
    async with (
        SandboxServer(only=("jira",)) as sandbox,
        httpx.AsyncClient(timeout=60, verify=TLS) as http,
        open_core(one.settings()) as core,
    ):
        jira = JiraPeople(http, sandbox.base_url, "jira")
        await past(jira, 330, step=timedelta(hours=1))
        config = {
            "type": "ticketing_jira",
            "url": jira.url,
            "credential": {"type": "basic", "username": JIRA_USER[0], "secret": JIRA_USER[1]},
            "default_project": "TST",
            "default_issue_type": "Incident",
        }
        await add_integration(core, config, name="jira", settings={"sync": {"accept": True}})
        assert (await _command(one, "--no-wait", "--json"))["state"] == "running"
        for point in KILLS:
            process = forked(one, "worker", **hurry, CALLOUT_CRASH_AT=point)
            try:
                code = await asyncio.wait_for(asyncio.to_thread(process.wait), 60)
            finally:
                stop(process)
            assert code == -signal.SIGKILL, point
        worker = forked(one, "worker", **hurry)
        try:

            async def over() -> Any:
                rows = await core.database.read(_backfills)
                assert len(rows) == 1
                assert rows[0][0] != "running", rows
                return rows[0]

            done = await eventually(over, within=90, what="the end")
        finally:
            stop(worker)
        # What a killed worker had read and not stored was read again, and counted once.
        assert list(done) == ["done", 330, 330, 330, 0]
        assert (await _command(one, "--status", "--json"))["made"] == 330

        async def stored(tx: Any) -> list[int]:
            tables = ("incident", "sync_link", "sync_decided")
            texts = [f"SELECT count(*) FROM {table}" for table in tables]  # noqa: S608  # names of this test
            return [(await tx.driver_all(text, text))[0][0] for text in texts]

        assert await core.database.read(stored) == [330, 330, 330]


async def _imports(tx: Any) -> list[str]:
    text = "SELECT data FROM audit_log WHERE action = 'incidents.imported'"
    told = [row[0] for row in await tx.driver_all(text, text)]
    events = "SELECT count(*) FROM event WHERE kind = 'incidents.imported'"
    assert (await tx.driver_all(events, events))[0][0] == len(told)
    return told


async def _asked(tx: Any) -> Any:
    text = "SELECT action, subject_id, integration_id, actor_id, channel, data FROM audit_log WHERE action LIKE 'backfill.%' ORDER BY id"
    return await tx.driver_all(text, text)


async def _backfills(tx: Any) -> Any:
    text = "SELECT state, total, seen, made, known FROM sync_backfill"
    return await tx.driver_all(text, text)


async def _command(one: Any, *options: str) -> Any:
    words = [sys.executable, "-m", "callout", "integration", "backfill", "jira", *options]
    ran = await asyncio.to_thread(
        subprocess.run,
        words,
        env=one.environment,
        cwd=one.folder,
        capture_output=True,
        check=False,
        timeout=150,
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return json.loads(ran.stdout)


async def _key_of(hub: Installation, title: str) -> str:
    wanted = IncidentFilter(text=title)
    found, _ = await hub.in_account(lambda tx: hub.core.incidents.search(tx, wanted, limit=200))
    keys = [one.key for one in found if one.title == title]
    assert len(keys) == 1, keys
    return keys[0]
