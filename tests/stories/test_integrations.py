"""Several integrations, rules for what becomes a ticket, pauses, tickets that go away, settings that change while it runs."""

from __future__ import annotations

import asyncio

import pytest

from callout.integrations.pauses import PauseScope
from tests.stories.installation import OPERATOR, Installation
from tests.stories.people import eventually


async def test_rules_say_which_incident_becomes_a_ticket_where(no_chat: Installation) -> None:
    installation, api, jira = no_chat, no_chat.api, no_chat.jira
    await installation.add_jira(
        "ops", project="OPS", sync={"create": [{"severity": ["SEV-1"]}, {"team": ["ops"]}]}
    )
    await installation.add_jira("never", project="OPS", sync={"create": False})
    await eventually(lambda: _known(installation, "ops"), what="the new integration")

    bad, mild = await api.declare("everything is down", severity="SEV-1"), await api.declare("a typo")
    await installation.ticket_of(bad, "jira")
    on_ops = await installation.ticket_of(bad, "ops")
    await installation.ticket_of(mild, "jira")
    theirs = await api.declare("disk", team="ops")
    await installation.ticket_of(theirs, "ops")
    await installation.quiet()

    assert on_ops.startswith("OPS-")
    assert [one["integration"] for one in await api.links(mild)] == ["jira"]
    made = await jira.effects("issue.create")
    assert sorted(one["target"].partition("-")[0] for one in made) == ["OPS", "OPS", "TST", "TST", "TST"]

    # A change that comes from one of them goes to the other.
    await jira.edit(on_ops, summary="everything is down in Berlin")
    await installation.issue_when(
        await installation.ticket_of(bad, "jira"), summary="everything is down in Berlin"
    )
    await installation.quiet()
    assert all(not link["conflicts"] and not link["problem"] for link in await api.links(bad))


async def _known(installation: Installation, name: str) -> bool:
    found = installation.wired.connections
    return await found.door(installation.integrations[name].id) is not None


@pytest.mark.parametrize("scope", ["link", "integration", "everything"])
async def test_nothing_is_written_while_paused_and_all_is_caught_up_after(
    no_chat: Installation, scope: PauseScope
) -> None:
    installation, api, jira = no_chat, no_chat.api, no_chat.jira
    key = await api.declare("login fails", severity="SEV-3")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    link = await api.link(key)
    scope_id = {"link": link["id"], "integration": link["integration_id"], "everything": ""}[scope]
    await installation.pause(scope, scope_id)
    since = await jira.last_seq()

    await api.patch(key, severity="SEV-1", title="login fails for everybody")
    await api.act(key, "acknowledge")
    await api.note(key, "written meanwhile")
    await jira.comment(ticket, "what comes in goes on")

    async def noted() -> bool:
        return "what comes in goes on" in await api.notes(key)

    await eventually(noted, what="the comment")
    assert await jira.our_writes(since=since) == []
    later = "" if scope == "link" else await api.declare("declared meanwhile")
    if later:
        assert [one["state"] for one in await api.links(later)] in ([], ["creating"])

    await installation.resume(scope, scope_id)
    await installation.issue_when(
        ticket, summary="login fails for everybody", priority="Highest", status="In Progress"
    )

    async def carried_over() -> bool:
        return any("written meanwhile" in body for body in await jira.comments(ticket))

    await eventually(carried_over, what="the note")
    if later:
        await installation.ticket_of(later)
    await installation.quiet()
    assert len(await jira.effects("comment.create")) == 2


async def test_a_visit_that_began_before_the_pause_sends_nothing_of_after(on_sqlite: Installation) -> None:
    installation, api, jira = on_sqlite, on_sqlite.api, on_sqlite.jira
    key = await api.declare("login fails")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    since = await jira.last_seq()
    slow = {"match": {"method": "GET", "path": "^/rest/api"}, "effect": {"kind": "latency", "seconds": 1}}
    await jira.fault(slow)
    await jira.edit(
        ticket, description="somebody looks at it"
    )  # the visit that follows reads the ticket, slowly

    async def reading() -> bool:
        return await jira.faults_fired() > 0

    await eventually(reading, what="a visit that reads")
    await installation.pause("everything")
    await api.patch(key, title="login fails for everybody")
    await jira.fault()
    await asyncio.sleep(1.5)  # longer than the slow answer
    assert await jira.our_writes(since=since) == []

    await installation.resume("everything")
    await installation.issue_when(ticket, summary="login fails for everybody")


async def test_a_paused_chat_is_told_later_and_once(on_sqlite: Installation) -> None:
    installation, api, slack = on_sqlite, on_sqlite.api, on_sqlite.slack
    one = installation.integrations["slack"].id
    await installation.pause("integration", one)
    key = await api.declare("login fails")
    await api.act(key, "acknowledge")
    await installation.ticket_of(key)
    assert await slack.texts("incidents") == []

    await installation.resume("integration", one)
    await installation.told("incidents", "login fails")
    await installation.told("incidents", "open → acknowledged")
    await installation.quiet()
    assert len([text for text in await slack.texts("incidents") if "→" in text]) == 1


async def test_a_moved_ticket_is_followed(no_chat: Installation) -> None:
    installation, api, jira = no_chat, no_chat.api, no_chat.jira
    key = await api.declare("login fails")
    ticket = await installation.ticket_of(key)
    await jira.act("move_issue", issue=ticket, project="OPS")

    async def followed() -> str:
        link = await api.link(key)
        return str(link["ticket_key"]) if link["ticket_key"].startswith("OPS-") else ""

    moved = await eventually(followed, what="the new key")
    await api.patch(key, title="login fails for everybody")
    await installation.issue_when(moved, summary="login fails for everybody")


@pytest.mark.parametrize("told", [True, False], ids=["told by webhook", "found by a write"])
async def test_a_deleted_ticket_is_shown_in_words(no_chat: Installation, told: bool) -> None:
    installation, api, jira = no_chat, no_chat.api, no_chat.jira
    key = await api.declare("login fails")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    if not told:
        await jira.fault({"match": {"event": ".*"}, "effect": {"kind": "webhook_drop"}})
    await jira.act("delete_issue", issue=ticket)
    if not told:
        await api.patch(key, title="login fails for everybody")

    async def gone() -> bool:
        link = await api.link(key)
        return link["state"] == "gone" and link["problem"] is not None

    await eventually(gone, what="the problem")
    problem = (await api.link(key))["problem"]
    assert problem["message"]
    assert problem["remediation"]
    assert (await api.incident(key))["status"] == "open"
    await api.act(key, "acknowledge")
    await installation.quiet()
    page = await installation.page(f"/incidents/{key}")
    assert problem["message"].split("'")[0] in page.text


async def test_changed_settings_count_without_a_restart(no_chat: Installation) -> None:
    installation, api, jira = no_chat, no_chat.api, no_chat.jira
    one = installation.integrations["jira"]
    first = await api.declare("one")
    await installation.ticket_of(first)

    async def change(**changes: object) -> None:
        await installation.in_account(
            lambda tx: installation.core.integrations.update(tx, one.id, changes=changes, actor=OPERATOR)
        )

    config = {**one.provider_config, "default_project": "OPS"}
    await change(provider_config=config)

    async def goes_to_ops() -> bool:
        return (await installation.ticket_of(await api.declare("two"))).startswith("OPS-")

    await eventually(goes_to_ops, what="a ticket in the other project")

    await change(settings={"sync": {"create": False}})
    third = await api.declare("three")
    await installation.quiet()
    assert await api.links(third) == []

    await change(webhook_config={"provider_key": "another-secret", "items": []})

    # Jira signs with the new key; what the old one signed is still let in for a day.
    await jira.register_webhook(f"{installation.url}/v1/hooks/{one.id}", secret="another-secret")

    async def both_let_in() -> bool:
        seen = len(await jira.drain())
        await jira.comment("TST-1", "hello")
        return [attempt["status"] for attempt in (await jira.drain())[seen:]] == [202, 202]

    await eventually(both_let_in, what="the new key counts")
    await change(enabled=False)

    async def closed() -> bool:
        return await installation.wired.connections.door(one.id) is None

    await eventually(closed, what="the door of a disabled integration")
