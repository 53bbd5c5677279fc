"""A person changes a ticket in Jira: endpoints are told, with the body that Jira sent, though no incident knows the ticket."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from callout.storage import Tx
from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import JIRA_SECRET, Json, eventually
from tests.webhooks.sink import Got, Sink

KEY = "the integrator's key, 24 to 64"


async def configured(installation: Installation, *items: Json) -> str:
    one = installation.integrations["jira"].id
    await installation.in_account(
        lambda tx: installation.core.integrations.update(
            tx,
            one,
            changes={"webhook_config": {"provider_key": JIRA_SECRET, "items": list(items)}},
            actor=OPERATOR,
        )
    )
    return one


async def new_issue(installation: Installation, summary: str) -> str:
    fields = {
        "project": {"key": "TST"},
        "issuetype": {"name": "Incident"},
        "summary": summary,
        "priority": {"name": "High"},
    }
    made = await installation.jira.act("create_issue", fields=fields, **{"as": "ann@example.com"})
    return str(made["key"])


async def stored(installation: Installation) -> list[bytes]:
    async def bodies(tx: Tx) -> list[bytes]:
        text = "SELECT body FROM inbound_event ORDER BY id"
        return [bytes(row[0]) for row in await tx.driver_all(text, text)]

    return await installation.core.database.read(bodies)


async def came(sink: Sink, path: str, count: int) -> list[Got]:
    async def there() -> bool:
        assert len(sink.at(path)) >= count
        return True

    await eventually(there, what=f"{count} at {path}")
    return sink.at(path)


async def test_a_ticket_that_no_incident_knows_is_told_of_with_jiras_own_body(
    database_url: str, tmp_path: Path, sink: Sink
) -> None:
    async with running(database_url, tmp_path / "data", vendors=("jira",)) as installation:
        one = await configured(
            installation,
            {"webhook_url": f"{sink.url}/all", "integrator_key": KEY},
            {"webhook_url": f"{sink.url}/created", "event_filter": ["TicketCreated"], "integrator_key": KEY},
            {
                "webhook_url": f"{sink.url}/comments",
                "event_filter": ["TicketCommentCreated"],
                "integrator_key": KEY,
                "raw_payload_format": "string",
            },
        )
        key = await new_issue(installation, "the printer is on fire")
        # Jira sends side by side: who wants an order waits until one has come.
        await came(sink, "/all", 1)
        await installation.jira.edit(key, summary="the printer was on fire")
        await came(sink, "/all", 2)
        await installation.jira.comment(key, "it is out now")
        got = await came(sink, "/all", 3)
        [created] = await came(sink, "/created", 1)
        [comment] = await came(sink, "/comments", 1)

        names = [one.json["event_type"] for one in got]
        assert names[:2] == ["TicketCreated", "TicketUpdated"]
        assert "TicketCommentCreated" in names
        assert created.json["event_type"] == "TicketCreated"
        assert created.json["ticket_id"] == key
        assert created.json["priority"] == "HIGH"
        assert created.json["short_description"] == "the printer is on fire"
        raw = created.json["raw_payload"]
        assert created.json["entity_date"] == raw["issue"]["fields"]["updated"]
        assert created.json["integration_id"] == one
        bodies = await stored(installation)
        assert any(created.body.endswith(b'"raw_payload":' + body + b"}") for body in bodies)
        assert comment.json["raw_payload"].encode() in bodies
        assert json.loads(comment.json["raw_payload"])["webhookEvent"] == "comment_created"
        for each in (*got, created, comment):
            wanted = "sha256=" + hmac.new(KEY.encode(), each.body, hashlib.sha256).hexdigest()
            assert each.headers["synqly-signature"] == each.headers["x-synqly-signature"] == wanted
        assert await installation.rows("incident") == 0
        assert len({one.id for one in got}) == len(got)


async def test_an_event_without_a_name_goes_only_to_endpoints_without_a_filter(
    sqlite_path: Path, tmp_path: Path, sink: Sink
) -> None:
    async with running(f"sqlite:///{sqlite_path}", tmp_path / "data", vendors=("jira",)) as installation:
        one = await configured(
            installation,
            {"webhook_url": f"{sink.url}/all"},
            {"webhook_url": f"{sink.url}/some", "event_filter": ["TicketUpdated", "TicketCreated"]},
        )
        body = b'{"timestamp":  1, "webhookEvent": "sprint_started" , "sprint": {"id": 1.0}}'
        stamp = str(int(installation.clock.now().timestamp() * 1000)).encode()
        body = body.replace(b"  1,", b"  " + stamp + b",")
        digest = hmac.new(JIRA_SECRET.encode(), body, hashlib.sha256).hexdigest()
        answer = await installation.http.post(
            f"{installation.url}/v1/hooks/{one}",
            content=body,
            headers={"x-hub-signature": f"sha256={digest}"},
        )
        assert answer.status_code == 202
        [got] = await came(sink, "/all", 1)
        assert "event_type" not in got.json
        assert got.body.endswith(b'"raw_payload":' + body + b"}")
        await installation.quiet()
        assert sink.at("/some") == []


async def test_without_endpoints_no_job_is_made_for_a_webhook(
    sqlite_path: Path, tmp_path: Path, sink: Sink
) -> None:
    async with running(
        f"sqlite:///{sqlite_path}", tmp_path / "data", role="api", vendors=("jira",)
    ) as installation:
        await new_issue(installation, "nobody listens")

        async def there() -> bool:
            return len(await stored(installation)) >= 1

        await eventually(there, what="the webhook")
        kinds = {kind for kind, _ in await installation.waiting_jobs()}
        assert kinds == {"sync.inbound"}
        await configured(installation, {"webhook_url": f"{sink.url}/all"})
        await new_issue(installation, "somebody listens")

        async def wanted() -> bool:
            return ("webhooks.tickets", "") in await installation.waiting_jobs()

        await eventually(wanted, what="the job")
