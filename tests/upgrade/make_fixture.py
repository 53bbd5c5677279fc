"""Makes what `test_upgrade.py` begins with: the database of an earlier commit with work under way, as SQL text.

It is run with the program and the tests of that commit, not of this one:

    git archive COMMIT | tar x -C /tmp/old
    cd /tmp/old
    export PYTHONPATH=/tmp/old/src:/tmp/old
    python REPOSITORY/tests/upgrade/make_fixture.py COMMIT REPOSITORY/tests/upgrade/fixtures/SCHEMA [postgresql://user@host/EMPTY_DATABASE]

Told is: a Jira ticket in conflict, then only the API runs (no worker), while an incident is declared, another noted, a webhook of Jira
comes in, and an endpoint that was not there has deliveries waiting. The clock stands forty days in the past: nothing may depend on when
the test runs.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import hmac
import json
import sqlite3
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

from callout.storage import migrate
from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import JIRA_SECRET, eventually
from tests.stories.test_conflicts import in_conflict

AHEAD = timedelta(days=-40)
NOWHERE = "http://127.0.0.1:9"
"""Where nobody listens; the test puts its receiver there."""
TABLES = ("incident", "timeline_entry", "inbound_event", "webhook_delivery", "audit_log", "event")


async def story(url: str, data: Path) -> dict[str, Any]:
    """Tell the story, and return what the test has to know of it."""
    async with running(url, data, vendors=(), twins=("jira", "slack"), ahead=AHEAD) as first:
        await first.skip(0)  # the vendors' clock is ours
        await first.add_jira()
        conflict = await in_conflict(first)
        await endpoint(first)
        await first.api.patch(conflict.key, title="login fails for everybody")
        await first.issue_when(conflict.ticket, summary="login fails for everybody")
        await eventually(lambda: attempted(first), what="a failed attempt")
        jira, ahead = first.jira.url, first.clock.ahead
        issue = await first.jira.issue(conflict.ticket)
        integration = first.integrations["jira"].id
        first.dead_allowed = True
    async with running(url, data, role="api", vendors=(), twins=("slack", "jira"), ahead=ahead) as second:
        await second.api.declare("search is slow", severity="SEV-2", tags=["search"])
        await second.api.note("INC-1", "noted before the upgrade", audience="responders")
        body = json.dumps(
            {"webhookEvent": "jira:issue_updated", "issue": {"id": issue["id"], "key": issue["key"]}}
        )
        signature = hmac.new(JIRA_SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
        answer = await second.api.request(
            "POST",
            f"/v1/hooks/{integration}",
            content=body,
            headers={"x-hub-signature": f"sha256={signature}", "content-type": "application/json"},
        )
        assert answer.status_code == 202, answer.text
        second.dead_allowed = True
        return {
            "now": second.wired.core.clock.now().isoformat(),
            "jira": jira,
            "receiver": NOWHERE,
            "integration": integration,
            "issue": {"id": issue["id"], "key": issue["key"], "fields": plain(issue["fields"])},
            "jobs": await left(
                second, "SELECT kind, count(*) FROM job WHERE state = 'waiting' GROUP BY kind"
            ),
            "rows": {name: await counted(second, name) for name in TABLES},
            "unsealed": await counted(second, "audit_log WHERE position IS NULL"),
        }


async def endpoint(first: Installation) -> None:
    core = first.core
    await first.in_account(
        lambda tx: core.outbound.endpoints.create(
            tx, name="receiver", url=f"{NOWHERE}/hook", filters=[], actor=OPERATOR
        )
    )


async def attempted(first: Installation) -> bool:
    return await counted(first, "webhook_attempt") > 0


async def counted(one: Installation, rows: str) -> int:
    return (await left(one, f"SELECT 'n', count(*) FROM {rows}"))["n"]  # noqa: S608  # named above


async def left(one: Installation, text: str) -> dict[str, int]:
    rows = await one.core.database.read(lambda tx: tx.driver_all(text, text))
    return {row[0]: int(row[1]) for row in rows}


def plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that a person would have typed."""
    return {
        "summary": fields["summary"],
        "description": fields["description"],
        "labels": fields["labels"],
        "priority": fields["priority"]["name"],
        "issuetype": fields["issuetype"]["name"],
        "project": fields["project"]["key"],
        "status": fields["status"]["name"],
    }


def text_of(url: str) -> str:
    """Return a database as SQL."""
    if url.startswith("sqlite"):
        with sqlite3.connect(url.removeprefix("sqlite:///")) as database:
            return "\n".join(database.iterdump())
    told = subprocess.run(
        ["pg_dump", "--inserts", "--no-owner", "--no-privileges", "--dbname", url],
        capture_output=True,
        text=True,
        check=True,
    )
    # Commands of psql, not of SQL.
    return "\n".join(line for line in told.stdout.splitlines() if not line.startswith(("\\", "--")))


def main() -> None:
    """Write SQL, keys and notes into the target folder."""
    commit, target, *urls = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        for url in (f"sqlite:///{folder}/callout.db", *urls):
            kind = "sqlite" if url.startswith("sqlite") else "postgresql"
            data = Path(folder) / kind
            data.mkdir()
            notes = asyncio.run(story(url, data))
            notes |= {"commit": commit, "schema": migrate.head(), "keys": (data / "keys").read_text()}
            place = Path(target) / kind
            place.mkdir(parents=True, exist_ok=True)
            (place / "notes.json").write_text(json.dumps(notes, indent=1, sort_keys=True) + "\n")
            with gzip.GzipFile(place / "database.sql.gz", "wb", mtime=0) as file:
                file.write(text_of(url).encode())


if __name__ == "__main__":
    main()
