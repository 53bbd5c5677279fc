"""What is kept of an accepted webhook, what becomes of it, and how long it stays."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from callout.storage import Tx
from callout.webhooks import purge_events
from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import JIRA_SECRET, eventually


async def send(installation: Installation, body: bytes, **headers: str) -> int:
    digest = hmac.new(JIRA_SECRET.encode(), body, hashlib.sha256).hexdigest()
    door = f"{installation.url}/v1/hooks/{installation.integrations['jira'].id}"
    signed = {"x-hub-signature": f"sha256={digest}", **headers}
    return (await installation.http.post(door, content=body, headers=signed)).status_code


def told(event: str, **more: object) -> bytes:
    return json.dumps({"timestamp": int(time.time() * 1000), "webhookEvent": event, **more}).encode()


async def stored(installation: Installation) -> list[dict[str, Any]]:
    text = "SELECT outcome, detail, headers, body, trust FROM inbound_event ORDER BY id"
    rows = await installation.core.database.read(lambda tx: tx.driver_all(text, text))
    return [dict(zip(("outcome", "detail", "headers", "body", "trust"), row, strict=True)) for row in rows]


async def test_the_body_is_kept_as_it_came_and_no_secret_header_is(database_url: str, tmp_path: Path) -> None:
    async with running(database_url, tmp_path / "data", role="api", vendors=("jira",)) as installation:
        body = told("jira:issue_updated", odd="  spaces and ünïcode \u2028  ")
        assert (
            await send(
                installation, body, authorization="Bearer co_hook_secret", cookie="a=secret", token="secret"
            )
            == 202
        )
        (row,) = await stored(installation)
        assert bytes(row["body"]) == body
        assert row["trust"] == "signed"
        assert row["outcome"] == "received"  # nobody works here
        kept = json.loads(row["headers"])
        assert "x-hub-signature" in kept
        assert "secret" not in str(kept).replace("x-hub-signature", "")


async def test_what_becomes_of_a_webhook_is_written_down(database_url: str, tmp_path: Path) -> None:
    async with running(database_url, tmp_path / "data", vendors=("jira",)) as installation:
        bodies = {
            "parsed": told("jira:issue_updated", issue={"id": "10000", "key": "TST-1", "fields": {}}),
            "ignored": told("sprint_started"),
            "unreadable": told("jira:issue_updated", issue="not an object"),
        }
        for body in bodies.values():
            assert await send(installation, body) == 202

        async def outcomes() -> bool:
            assert [row["outcome"] for row in await stored(installation)] == list(bodies)
            return True

        await eventually(outcomes, what="the outcomes")
        assert "sprint_started" in (await stored(installation))[1]["detail"]


async def test_webhooks_of_a_removed_integration_are_orphans(database_url: str, tmp_path: Path) -> None:
    async with running(database_url, tmp_path / "data", role="api", vendors=("jira",)) as installation:
        assert await send(installation, told("jira:issue_updated", issue={"id": "1", "key": "X-1"})) == 202
        one = installation.integrations["jira"].id
        await installation.in_account(
            lambda tx: installation.core.integrations.delete(tx, one, actor=OPERATOR)
        )
    async with running(database_url, tmp_path / "data", vendors=()) as installation:

        async def orphaned() -> bool:
            return [row["outcome"] for row in await stored(installation)] == ["orphan"]

        await eventually(orphaned, what="the outcome")


async def test_old_webhooks_go_except_those_not_worked_on_yet(database_url: str, tmp_path: Path) -> None:
    async with running(database_url, tmp_path / "data", role="api", vendors=("jira",)) as installation:
        for number in range(3):
            assert await send(installation, told("sprint_started", number=number)) == 202
        before = installation.core.clock.now() + timedelta(seconds=1)

        async def purge(tx: Tx) -> int:
            return await purge_events(tx, before=before)

        assert await installation.transaction(purge) == 0
    async with running(database_url, tmp_path / "data", vendors=()) as installation:

        async def worked_on() -> bool:
            return [row["outcome"] for row in await stored(installation)] == ["ignored"] * 3

        await eventually(worked_on, what="the work")
        assert await installation.transaction(purge) == 3
        assert await installation.transaction(purge) == 0
