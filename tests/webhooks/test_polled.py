"""What only a poll found is told as well, and nothing twice, whichever sees it first."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from callout.storage import Tx
from callout.webhooks.outbound.told import News, Told
from tests.stories.installation import Installation, running
from tests.stories.people import JIRA_SECRET, eventually
from tests.webhooks.lab import Lab
from tests.webhooks.sink import Sink
from tests.webhooks.test_tickets import came, configured, new_issue

T0 = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
SILENT = {"match": {"event": ".*"}, "effect": {"kind": "webhook_drop"}}


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


UPDATED, CREATED, COMMENTED, DELETED = (
    "TicketUpdated",
    "TicketCreated",
    "TicketCommentCreated",
    "TicketDeleted",
)


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        # (by a poll, name, second, comment) one after the other → the name it is told by, or None
        ([(False, UPDATED, 1, ""), (True, UPDATED, 1, "")], [UPDATED, None]),
        ([(True, UPDATED, 1, ""), (False, UPDATED, 1, "")], [UPDATED, None]),
        ([(False, UPDATED, 1, ""), (True, UPDATED, 2, "")], [UPDATED, UPDATED]),
        (
            [(True, UPDATED, 2, ""), (False, UPDATED, 1, ""), (False, UPDATED, 3, "")],
            [UPDATED, None, UPDATED],
        ),
        # Webhooks in any order are told each: only what a poll told covers them.
        ([(False, UPDATED, 2, ""), (False, UPDATED, 1, "")], [UPDATED, UPDATED]),
        ([(False, CREATED, 1, ""), (True, CREATED, 1, ""), (True, CREATED, 2, "")], [CREATED, None, UPDATED]),
        ([(True, CREATED, 1, ""), (False, CREATED, 1, "")], [CREATED, None]),
        ([(False, COMMENTED, 1, "7"), (False, COMMENTED, 1, "7")], [COMMENTED, None]),
        (
            [(False, COMMENTED, 1, "7"), (True, COMMENTED, 1, "7"), (True, UPDATED, 1, "")],
            [COMMENTED, None, None],
        ),
        ([(True, COMMENTED, 1, "7"), (False, COMMENTED, 1, "7")], [COMMENTED, None]),
        ([(True, COMMENTED, 1, "7"), (True, COMMENTED, 2, "8")], [COMMENTED, COMMENTED]),
        (
            [(False, DELETED, 1, ""), (True, DELETED, 1, ""), (False, DELETED, 9, "")],
            [DELETED, None, DELETED],
        ),
        # What has no name of ours, or is told each time, is never held back.
        ([(False, "", 1, ""), (False, "", 1, ""), (True, "", 1, "")], ["", "", None]),
    ],
)
async def test_each_thing_is_told_once(
    lab: Lab, told: list[tuple[bool, str, int, str]], wanted: list[str | None]
) -> None:
    ledger = Told(lab.clock)
    names: list[str | None] = []
    for polled, name, second, comment in told:
        news = [News("10", name, at(second), comment)]

        async def ask(tx: Tx, news: list[News] = news, *, polled: bool = polled) -> list[str | None]:
            asked = await ledger.first_time(tx, lab.account, "one", news, polled=polled, keep=False)
            kept = await ledger.first_time(tx, lab.account, "one", news, polled=polled)
            assert asked == kept
            return kept

        names += await lab.core.database.transaction(ask)
    assert names == wanted


async def polled(installation: Installation) -> None:
    """Wait until a poll has found something, then let the moment pass in which its webhook might still come."""

    async def found() -> bool:
        return ("webhooks.polled", "") in await installation.waiting_jobs("webhooks.polled")

    await eventually(found, what="a poll that finds it")
    await installation.skip(30)


async def names_at(sink: Sink, path: str, installation: Installation) -> list[str]:
    """Return what was told once everything has settled, the grace of webhooks over."""
    await installation.skip(30)
    await installation.quiet()
    return [str(one.json.get("event_type")) for one in sink.at(path)]


async def test_what_a_lost_webhook_would_have_told_is_told_by_the_poll_and_once(
    database_url: str, tmp_path: Path, sink: Sink
) -> None:
    async with running(database_url, tmp_path / "data", vendors=("jira",)) as installation:
        one = await configured(installation, {"webhook_url": f"{sink.url}/all"})
        key = await new_issue(installation, "told by its webhook")
        [created] = await came(sink, "/all", 1)
        assert created.json["event_type"] == "TicketCreated"
        await installation.jira.fault(SILENT)
        await installation.jira.edit(key, summary="its webhook is lost")
        other = await new_issue(installation, "its webhook is lost as well")
        await polled(installation)

        async def both() -> bool:
            # One poll may have found the first of them only: then another one waits, and its moment has to pass, too.
            if len(sink.at("/all")) < 3 and await installation.waiting_jobs("webhooks.polled"):
                await installation.skip(30)
            return len(sink.at("/all")) >= 3

        await eventually(both, what="the news of both")
        later = await came(sink, "/all", 3)
        later = later[1:]
        assert {(got.json["event_type"], got.json["ticket_id"]) for got in later} == {
            ("TicketUpdated", key),
            ("TicketCreated", other),
        }
        [edited] = [got for got in later if got.json["ticket_id"] == key]
        assert edited.json["short_description"] == "its webhook is lost"
        assert edited.json["integration_id"] == one
        assert "raw_payload" not in edited.json, "the provider sent nothing"
        await installation.jira.comment(key, "a comment whose webhook is lost")
        await polled(installation)
        comment = (await came(sink, "/all", 4))[3]
        assert comment.json["event_type"] == "TicketCommentCreated"
        assert comment.json["ticket_id"] == key
        await installation.jira.fault()
        await installation.jira.edit(key, summary="webhooks are well again")
        names = await names_at(sink, "/all", installation)
        assert names[4:] == ["TicketUpdated"], names
        assert "raw_payload" in sink.at("/all")[4].json


async def test_a_comment_that_jira_tells_twice_is_one_comment(
    sqlite_path: Path, tmp_path: Path, sink: Sink
) -> None:
    async with running(f"sqlite:///{sqlite_path}", tmp_path / "data", vendors=("jira",)) as installation:
        one = await configured(
            installation,
            {"webhook_url": f"{sink.url}/comments", "event_filter": ["TicketCommentCreated"]},
        )
        key = await new_issue(installation, "commented")
        comment = {
            "id": "4711",
            "self": "x",
            "body": "said once",
            "created": "2026-01-05T09:00:00.000+0000",
            "updated": "2026-01-05T09:00:00.000+0000",
        }
        issue = {"id": "10101", "key": key}
        stamp = int(installation.clock.now().timestamp() * 1000)
        for number, event in enumerate(("comment_created", "jira:issue_updated")):
            body = orjson.dumps(
                {
                    "timestamp": stamp,
                    "webhookEvent": event,
                    "issue_event_type_name": "issue_commented",
                    "issue": issue,
                    "comment": comment,
                }
            )
            answer = await installation.http.post(
                f"{installation.url}/v1/hooks/{one}",
                content=body,
                headers={
                    "x-hub-signature": "sha256="
                    + hmac.new(JIRA_SECRET.encode(), body, hashlib.sha256).hexdigest(),
                    "x-atlassian-webhook-identifier": f"delivery {number}",
                },
            )
            assert answer.status_code == 202
        await came(sink, "/comments", 1)
        await installation.quiet()
        assert len(sink.at("/comments")) == 1
