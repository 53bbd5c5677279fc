"""Webhooks that are lost, repeated, disordered or late change nothing about where both sides end."""

from __future__ import annotations

import asyncio

import pytest

from tests.stories.installation import Installation
from tests.stories.people import Json, eventually

EVERY = {"event": ".*"}


def rule(kind: str, **options: object) -> Json:
    return {"match": EVERY, "effect": {"kind": kind, **options}}


async def test_lost_webhooks_are_healed_within_a_polling_interval(installation: Installation) -> None:
    api, jira = installation.api, installation.jira
    key = await api.declare("login fails", severity="SEV-3")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    stored = await installation.rows("inbound_event")
    await jira.fault(rule("webhook_drop"))

    await jira.edit(ticket, priority="Highest", summary="login fails for everybody")
    await jira.comment(ticket, "nobody was told")
    await jira.transition(ticket, "In Progress")

    await installation.incident_when(
        key, severity="SEV-1", title="login fails for everybody", status="acknowledged"
    )

    async def noted() -> bool:
        return await api.notes(key) == ["nobody was told"]

    await eventually(noted, what="the comment")
    assert await jira.faults_fired() >= 3
    assert await installation.rows("inbound_event") == stored


async def test_repeated_webhooks_act_once(installation: Installation) -> None:
    api, jira = installation.api, installation.jira
    key = await api.declare("login fails", severity="SEV-3")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    stored = await installation.rows("inbound_event")
    await jira.fault(rule("webhook_repeat", times=4))

    await jira.comment(ticket, "said once")
    await jira.edit(ticket, priority="High")
    await installation.incident_when(key, severity="SEV-2")
    await installation.quiet()

    assert await api.notes(key) == ["said once"]
    changes = [line["data"]["changes"] for line in await api.timeline(key) if line["kind"] == "changed"]
    assert len([one for one in changes if "severity" in one]) == 1
    assert await installation.rows("inbound_event") == stored + 2


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_disordered_webhooks_end_where_jira_ended(on_sqlite: Installation, seed: int) -> None:
    installation, api, jira = on_sqlite, on_sqlite.api, on_sqlite.jira
    key = await api.declare("login fails", severity="SEV-3")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    await jira.fault(rule("webhook_reorder", window=4), seed=seed)

    for name in ("Highest", "Low", "Highest", "High"):
        await jira.edit(ticket, priority=name)

    await installation.incident_when(key, severity="SEV-2")
    await installation.quiet()
    assert (await api.incident(key))["severity"] == "SEV-2"
    assert await jira.field(ticket, "priority") == "High"
    assert (await api.link(key))["conflicts"] == []


async def test_a_late_webhook_does_not_undo_what_came_after_it(installation: Installation) -> None:
    api, jira = installation.api, installation.jira
    key = await api.declare("login fails", severity="SEV-3")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    await jira.fault(
        {"match": {"event": ".*", "first": 1}, "effect": {"kind": "webhook_delay", "seconds": 2.5}}
    )

    await jira.edit(ticket, priority="Highest")  # told 2.5 s later
    await installation.incident_when(key, severity="SEV-1")  # found by polling
    await api.patch(key, severity="SEV-4")
    await installation.issue_when(ticket, priority="Low")
    attempts = await jira.drain()

    assert [one["status"] for one in attempts if one["fault"] == "webhook_delay"] == [202]
    await installation.quiet()
    assert (await api.incident(key))["severity"] == "SEV-4"
    assert await jira.field(ticket, "priority") == "Low"


async def test_a_burst_of_webhooks_is_stored_once_each_and_all_worked_on(no_chat: Installation) -> None:
    installation, api, jira = no_chat, no_chat.api, no_chat.jira
    keys = [await api.declare(f"incident {number}", severity="SEV-3") for number in range(6)]
    tickets = [await installation.ticket_of(key) for key in keys]
    await installation.quiet()

    await asyncio.gather(
        *(jira.comment(ticket, f"comment {number}") for ticket in tickets for number in range(5)),
        *(jira.edit(ticket, priority="High") for ticket in tickets),
    )

    for key in keys:
        await installation.incident_when(key, severity="SEV-2")

    async def all_noted() -> bool:
        for key in keys:
            assert sorted(await api.notes(key)) == [f"comment {number}" for number in range(5)]
        return True

    await eventually(all_noted, what="every comment")


async def test_an_unknown_hook_is_refused_like_a_wrong_signature(on_sqlite: Installation) -> None:
    unknown = await on_sqlite.http.post(f"{on_sqlite.url}/v1/hooks/nobody", json={})
    known = await on_sqlite.http.post(
        f"{on_sqlite.url}/v1/hooks/{on_sqlite.integrations['jira'].id}", json={}
    )
    chat = await on_sqlite.http.post(
        f"{on_sqlite.url}/v1/hooks/{on_sqlite.integrations['slack'].id}", json={}
    )
    assert [unknown.status_code, known.status_code, chat.status_code] == [401, 401, 401]
    told = [
        {k: v for k, v in one.json().items() if k not in {"occurred_at", "instance"}}
        for one in (unknown, known, chat)
    ]
    assert told[0] == told[1] == told[2]
