"""An installation of an earlier commit, stopped with work under way, is upgraded: the present program does all of it, nothing twice.

The databases are real ones of such commits (`make_fixture.py` says how they were made), forty days old when they were made; their folders
are named by their schema. The commit of `0015` is not in the history any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from click.testing import CliRunner

from callout.cli import main
from callout.cli.bench.installation import at_home
from callout.sandbox.core.serve import SandboxServer
from callout.storage import migrate
from tests.stories.installation import TLS, Installation, running
from tests.stories.people import JIRA_USER, Json, eventually
from tests.webhooks.sink import Sink, sink_running

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FIXTURES = Path(__file__).parent / "fixtures"
INTERNAL = ("audit.", "retention.", "schedule", "sync.poll", "integrations.watch", "webhooks.polled")


SCHEMAS = sorted(one.name for one in FIXTURES.iterdir())
CLOCKS = "0010"
"""Incidents have clocks since that schema. Those that were declared before have none."""


@pytest.fixture(params=SCHEMAS)
def schema(request: pytest.FixtureRequest) -> str:
    """The schema that the installation has before."""
    return str(request.param)


def load(url: str, schema: str, *, instead: dict[str, str]) -> Json:
    """Bring an empty database to where the fixture was, with other addresses in it; return what is known of it."""
    folder = FIXTURES / schema / ("sqlite" if url.startswith("sqlite") else "postgresql")
    notes: Json = json.loads((folder / "notes.json").read_text())
    text = gzip.decompress((folder / "database.sql.gz").read_bytes()).decode()
    for name, address in instead.items():
        assert notes[name] in text
        text = text.replace(notes[name], address)
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
            database.executescript(text)
    else:
        with psycopg.connect(url, autocommit=True) as database:
            database.execute(text.encode())
    return notes


def keys(data: Path, notes: Json) -> Path:
    """Make the data directory, with the keys of that installation."""
    data.mkdir()
    (data / "keys").write_text(notes["keys"])
    (data / "keys").chmod(0o600)
    return data


class Upgraded:
    """The present program on that database, with its vendor and its receiver."""

    def __init__(self, one: Installation, sink: Sink, notes: Json) -> None:
        self.one, self.sink, self.notes = one, sink, notes

    async def number(self, text: str) -> int:
        """Return the number that a query gives."""
        return int((await self.one.core.database.read(lambda tx: tx.driver_all(text, text)))[0][0])

    async def still(self) -> bool:
        """Fail while something waits that could be done."""
        waiting = await self.one.waiting_jobs()
        assert [kind for kind, _ in waiting if not kind.startswith(INTERNAL)] == []
        return True


@contextlib.asynccontextmanager
async def upgraded(url: str, schema: str, folder: Path) -> AsyncIterator[Upgraded]:
    """Load the fixture, upgrade it and run it, at its own time."""
    async with (
        SandboxServer(only=("jira", "slack")) as sandbox,
        sink_running() as sink,
        httpx.AsyncClient(verify=TLS) as http,
    ):
        jira = f"{sandbox.base_url}/jira"
        notes = await asyncio.to_thread(load, url, schema, instead={"jira": jira, "receiver": sink.url})
        assert await migrate.current(url) == notes["schema"] != migrate.head()
        await _same_issue(http, jira, notes["issue"])
        ahead = datetime.fromisoformat(notes["now"]) + timedelta(minutes=1) - datetime.now(UTC)
        async with running(
            url, keys(folder / "data", notes), vendors=(), sandbox=sandbox, ahead=ahead
        ) as one:
            assert await migrate.current(url) == migrate.head()
            found = Upgraded(one, sink, notes)
            await one.skip(0)  # the vendors' clock is ours
            yield found


async def _same_issue(http: httpx.AsyncClient, jira: str, issue: Json) -> None:
    """Make the ticket there that the installation has a link to."""
    fields = issue["fields"]
    body = {
        "project": {"key": fields["project"]},
        "issuetype": {"name": fields["issuetype"]},
        "priority": {"name": fields["priority"]},
        **{name: fields[name] for name in ("summary", "description", "labels")},
    }
    answer = await http.post(f"{jira}/rest/api/2/issue", json={"fields": body}, auth=JIRA_USER)
    made = answer.json()
    assert (made["id"], made["key"]) == (issue["id"], issue["key"]), answer.text


@pytest.mark.timeout(180)
async def test_what_was_under_way_is_done_after_the_upgrade_and_nothing_twice(
    database_url: str, schema: str, tmp_path: Path
) -> None:
    async with upgraded(database_url, schema, tmp_path) as found:
        one, notes = found.one, found.notes
        ticket = notes["issue"]["key"]

        # The incident that was declared last gets its ticket, the note its comment.
        issue = await one.ticket_of("INC-2")
        await one.issue_when(issue, summary="search is slow")
        await eventually(lambda: _commented(one, ticket), what="the note at the ticket")
        # Both sides of the conflict are as they were, until somebody decides.
        [conflict] = await one.api("GET", "/v1/incidents/INC-1/conflicts")
        assert (conflict["field"], conflict["ours"], conflict["theirs"]) == ("severity", "SEV-1", "LOW")
        await one.skip(31)
        await eventually(found.still, within=30, what="quiet")
        place = f"/v1/incidents/INC-1/conflicts/{conflict['link_id']}/severity"
        await one.api("POST", place, json={"choice": "ours"})
        await one.issue_when(ticket, priority="Highest")
        # Timers that waited go off, each once.
        await one.skip(24 * 3600)
        if schema >= CLOCKS:
            await eventually(lambda: _breached(found), what="the breaches")
        await eventually(found.still, within=30, what="quiet")

        assert notes["unsealed"] > 0
        # One was there before; the program may have made the other before this test could look.
        assert len(await one.jira.effects("issue.create")) == 2
        texts = await one.jira.comments(ticket)
        assert len([text for text in texts if "noted before the upgrade" in text]) == 1
        # The webhooks that had come in were worked on.
        assert await found.number("SELECT count(*) FROM inbound_event WHERE outcome = 'pending'") == 0
        assert await found.number("SELECT count(*) FROM inbound_event") >= notes["rows"]["inbound_event"]
        # What a timer or a poll of a day later tells of may have come up behind the quiet, and be on its way.
        await eventually(lambda: _told_once(found), what="every message, once")
        await eventually(lambda: _sealed(found), what="the seal")
        assert await found.number("SELECT count(*) FROM audit_log") > notes["rows"]["audit_log"]
        verified = await one.core.database.read(one.core.sealer.verify)
        assert verified.ok, verified
        assert await found.number("SELECT count(*) FROM timeline_entry WHERE kind = 'declared'") == 2


async def _commented(one: Installation, ticket: str) -> bool:
    return any("noted before the upgrade" in text for text in await one.jira.comments(ticket))


async def _breached(found: Upgraded) -> bool:
    missed = "SELECT count(*) FROM incident_clock WHERE breached_at IS NOT NULL"
    lines = "SELECT count(*) FROM timeline_entry WHERE kind = 'sla_breached'"
    number = await found.number(missed)
    return number > 0 and number == await found.number(lines)


async def _told_once(found: Upgraded) -> bool:
    """The endpoint that was not there before got every message once, those that had waited among them."""
    assert await found.number("SELECT count(*) FROM webhook_delivery WHERE state <> 'delivered'") == 0
    number = await found.number("SELECT count(*) FROM webhook_delivery")
    got = [one.id for one in found.sink.at("/hook")]
    assert len(got) == len(set(got)) == number > found.notes["rows"]["webhook_delivery"]
    return True


async def _sealed(found: Upgraded) -> bool:
    return await found.number("SELECT count(*) FROM audit_log WHERE position IS NULL") == 0


def test_a_backup_of_before_is_put_back_and_upgraded(database_url: str, schema: str, tmp_path: Path) -> None:
    """`callout restore --replace` of a backup that was made at the older schema: it says so, and all of it is there."""
    notes = load(database_url, schema, instead={})
    place = at_home(keys(tmp_path / "data", notes), database_url)

    def said(*words: str) -> Any:
        answer = CliRunner().invoke(main, [*words, "--json"], env=place.environment)
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.stdout)

    made = said("backup", str(tmp_path / "old.backup"))
    assert (made["schema"], made["counts"]["incident"]) == (notes["schema"], 2)
    words = CliRunner().invoke(
        main, ["restore", str(tmp_path / "old.backup"), "--replace"], env=place.environment
    )
    assert words.exit_code == 0, words.output
    assert f"migrated from schema {notes['schema']} to {migrate.head()}" in words.stdout
    assert "cannot be read" not in words.output
    assert said("audit", "verify")["ok"] is True
    assert len(said("incident", "list")) == 2
    # What waited then is still there, held.
    kinds = {kind for kind in notes["jobs"] if not kind.startswith(INTERNAL)}
    assert all(f"{kind}:" in words.stdout for kind in kinds - {"incident.clock"}), words.stdout
