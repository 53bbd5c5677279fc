"""Notifications over Slack, by the SDK: sent once, read again, cleared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from synqly.engine import BadRequestError, NotFoundError
from synqly.engine import NotImplementedError as Unsupported

from tests.server.desk import problem_of
from tests.stories.people import SlackPeople
from tests.unified.test_ticketing_faults import send

if TYPE_CHECKING:
    from tests.unified.sdk import Connected, Sdk


async def slack(sdk: Sdk, channel: str = "incidents") -> tuple[Connected, SlackPeople]:
    config = {
        "type": "notifications_slack",
        "url": f"{sdk.twin('slack')}/api",
        "channel": channel,
        "credential": {"type": "token", "secret": "xoxb-acc"},
    }
    return await sdk.connect(config), SlackPeople(sdk.http, sdk.installation.sandbox.base_url, "slack")


async def test_a_notification_is_sent_read_and_cleared(sdk: Sdk) -> None:
    one, people = await slack(sdk)
    api = one.engine.notifications
    given: dict[str, Any] = {
        "summary": "Disk full <!channel>",
        "priority": "CRITICAL",
        "description": "On **db-1**",
        "assignee": "ann@example.com",
        "tags": ["db", "disk"],
    }
    made = (await api.create_message(**given)).result
    assert (made.summary, made.name, made.notification_status) == (given["summary"], given["summary"], "OPEN")
    text = await people.told("incidents", "Disk full", "db-1", "ann@example.com", "CRITICAL")
    assert "<!channel>" not in text
    read = (await api.get_message(made.id)).result
    assert read.dict() == made.dict()
    assert (read.description, read.tags, read.priority) == ("On **db-1**", ["db", "disk"], "CRITICAL")

    await api.clear_message(made.id)
    await api.clear_message(made.id)
    assert (await api.get_message(made.id)).result.notification_status == "CLOSED"
    await people.told("incidents", "Disk full", "Cleared")
    assert len(await people.messages("incidents")) == 1


async def test_a_summary_alone_is_posted_as_it_is(sdk: Sdk) -> None:
    one, people = await slack(sdk, "critical-incidents")
    made = (await one.engine.notifications.create_message(summary="the *pump* stopped & nobody knows")).result
    [message] = await people.messages("critical-incidents")
    assert message["text"] == "the *pump* stopped &amp; nobody knows"
    assert not message.get("blocks")
    assert (await one.engine.notifications.get_message(made.id)).result.summary == made.summary


async def test_the_same_key_sends_once_also_when_the_answer_was_lost(sdk: Sdk) -> None:
    one, people = await slack(sdk)
    path, body = "/v1/notifications/create", {"summary": "once"}
    for _ in range(2):
        assert (await send(sdk, one, "POST", path, key="k", json=body)).status_code == 200
    assert len(await people.messages("incidents")) == 1
    await people.fault(
        {"match": {"path": "chat.postMessage", "first": 1}, "effect": {"kind": "disconnect_after_write"}}
    )
    answer = await send(sdk, one, "POST", path, json={"summary": "lost"})
    assert answer.status_code == 200, answer.text
    assert len(await people.messages("incidents")) == 2


async def test_what_is_wrong_with_a_notification(sdk: Sdk) -> None:
    one, _ = await slack(sdk)
    api = one.engine.notifications
    for notification in ("nothing", "C0INCIDENTS-1.1", "C0NOTHING-1700000000.000100"):
        with pytest.raises(NotFoundError):
            await api.get_message(notification)
        with pytest.raises(NotFoundError):
            await api.clear_message(notification)
    with pytest.raises(BadRequestError):
        await api.create_message(summary=" ")
    with pytest.raises(Unsupported):
        await one.engine.ticketing.query_tickets()
    nowhere, _ = await slack(sdk, "no-such-channel")
    answer = await send(sdk, nowhere, "POST", "/v1/notifications/create", json={"summary": "x"})
    problem_of(answer, 404, "not-found")
