"""What begins in their systems: a PagerDuty incident, a ServiceNow record by rule. Each becomes one incident here, and all follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from callout.sync import accept
from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import Json, eventually
from tests.stories.vendors import (
    BATCH,
    add_pagerduty,
    add_servicenow,
    incidents,
    settled,
    skip,
    the_incident,
)

TWINS = ("jira", "slack", "pagerduty", "servicenow")


@pytest.fixture
async def hub(database_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product with Jira, on both databases; the twins of all run."""
    async with running(database_url, tmp_path / "data", vendors=("jira",), twins=TWINS) as found:
        yield found


@pytest.fixture
async def small(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Installation]:
    """The same on SQLite, for stories in which the database plays no part."""
    url = f"sqlite:///{sqlite_path}"
    async with running(url, tmp_path / "data", vendors=("jira",), twins=TWINS) as found:
        yield found


async def test_a_pagerduty_incident_becomes_an_incident_and_all_follow(hub: Installation) -> None:
    _, pagerduty = await add_pagerduty(hub)
    theirs = await pagerduty.trigger("checkout is down", priority="P1", details="500 since noon")
    await pagerduty.act("note", incident=theirs, content="looking at it")

    key = await the_incident(hub, "checkout is down")
    found = await hub.api.incident(key)
    assert (found["severity"], found["status"]) == ("SEV-1", "open")
    assert found["declared_by"]["id"].startswith("vendor_user:")
    link = await hub.api.link(key, "pagerduty")
    assert (link["state"], link["ticket_id"], link["problem"]) == ("active", theirs, None)
    issue = await hub.ticket_of(key)
    await hub.issue_when(issue, summary="checkout is down", priority="Highest", status="To Do")

    async def noted() -> bool:
        return await hub.api.notes(key) == ["looking at it"] and len(await hub.jira.comments(issue)) == 1

    await eventually(noted, what="the note here and in Jira")

    await pagerduty.act("acknowledge", incident=theirs)
    await hub.incident_when(key, status="acknowledged")
    await hub.issue_when(issue, status="In Progress")
    await hub.jira.transition(issue, "Done")
    await hub.incident_when(key, status="resolved")

    async def resolved() -> bool:
        return (await pagerduty.incident(theirs))["status"] == "resolved"  # type: ignore[no-any-return]

    await eventually(resolved, what="the end in PagerDuty")
    await settled(hub, pagerduty)
    assert len(await incidents(hub)) == 1
    assert len(await pagerduty.incidents()) == 1, "it was not made a second time where it came from"
    kinds = [line["kind"] for line in await hub.api.timeline(key)]
    assert kinds[:2] == ["declared", "ticket_linked"]


async def test_nothing_is_made_twice_however_often_and_in_which_order_it_is_told(hub: Installation) -> None:
    one, pagerduty = await add_pagerduty(hub)
    await pagerduty.fault(
        {"match": {"event": ".*"}, "effect": {"kind": "webhook_repeat", "times": 3}},
        {"match": {"event": ".*"}, "effect": {"kind": "webhook_reorder", "window": 4}},
    )
    titles = [f"outage {number}" for number in range(6)]
    theirs = await asyncio.gather(*(pagerduty.trigger(title) for title in titles))
    for ident in theirs:
        await pagerduty.act("acknowledge", incident=ident)
    for title in titles:
        await the_incident(hub, title)
    await settled(hub, pagerduty)
    found = await incidents(hub)
    assert sorted(one["title"] for one in found) == titles
    assert {one["status"] for one in found} == {"acknowledged"}
    assert await hub.rows("sync_decided") == 6

    # What was made here is not taken for theirs, though a webhook may tell of it before its creation is recorded.
    key = await hub.api.declare("declared here")
    await hub.ticket_of(key, "pagerduty")
    await settled(hub, pagerduty)
    assert len(await incidents(hub)) == 7
    assert len(await pagerduty.incidents()) == 7
    assert one.id == (await hub.api.link(key, "pagerduty"))["integration_id"]


async def test_two_integrations_that_see_the_same_ticket_make_one_incident_of_it(hub: Installation) -> None:
    first, pagerduty = await add_pagerduty(hub, sync={"create": False})
    second, _ = await add_pagerduty(hub, name="pagerduty2", sync={"create": False})
    titles = [f"outage {number}" for number in range(6)]
    theirs = await asyncio.gather(*(pagerduty.trigger(title) for title in titles))
    for title in titles:
        await the_incident(hub, title)
    await settled(hub, pagerduty)
    await pagerduty.act("acknowledge", incident=theirs[0])
    await hub.incident_when(await the_incident(hub, titles[0]), status="acknowledged")
    await settled(hub, pagerduty)
    assert sorted(one["title"] for one in await incidents(hub)) == titles

    async def pagerduty_link(title: str) -> tuple[str, str]:
        key = await the_incident(hub, title)
        [link] = [
            one["id"] for one in await hub.api.links(key) if one["integration_id"] in {first.id, second.id}
        ]
        return key, link

    for title in titles:
        await pagerduty_link(title)

    # Taken off, the ticket makes no incident through the other integration either.
    key, link = await pagerduty_link(titles[1])
    await hub.api("DELETE", f"/v1/incidents/{key}/links/{link}")
    await pagerduty.act("acknowledge", incident=theirs[1])
    await settled(hub, pagerduty)
    assert len(await incidents(hub)) == len(titles)


async def test_a_lost_webhook_is_healed_by_polling_also_before_there_is_any_link(small: Installation) -> None:
    _, pagerduty = await add_pagerduty(small, subscribe=False)
    await pagerduty.trigger("nobody told us")
    key = await the_incident(small, "nobody told us")
    assert (await small.api.link(key, "pagerduty"))["state"] == "active"


async def test_what_is_told_while_an_incident_is_being_made_is_looked_at_after_it(
    sqlite_path: Path, tmp_path: Path
) -> None:
    url = f"sqlite:///{sqlite_path}"
    slow = {"poll_seconds": 3600.0}  # no poll heals here
    async with running(url, tmp_path / "data", vendors=(), twins=TWINS, settings=slow) as hub:
        one, pagerduty = await add_pagerduty(hub)
        theirs = await pagerduty.trigger("checkout is slow")
        key = await the_incident(hub, "checkout is slow")
        await settled(hub, pagerduty)
        await pagerduty.act("edit_title", incident=theirs, title="checkout is down")  # which no webhook tells
        late = accept.job(one.id, theirs, cause="webhook:late")
        await hub.in_account(lambda tx: hub.core.queue.enqueue_many(tx, [late]))
        await hub.incident_when(key, title="checkout is down")
        assert len(await incidents(hub)) == 1


async def test_while_pagerduty_is_down_the_incident_waits_and_then_comes_once(small: Installation) -> None:
    _, pagerduty = await add_pagerduty(small)
    await pagerduty.fault({"match": {"path": "/incidents"}, "effect": {"kind": "status", "status": 503}})
    await pagerduty.trigger("while they are down")
    await pagerduty.drain()

    async def waits() -> bool:
        return bool(await small.waiting_jobs("sync.accept"))

    await eventually(waits, what="the look that has to wait")
    assert await incidents(small) == []
    await pagerduty.fault()
    await skip(small, 60, pagerduty)
    await the_incident(small, "while they are down")
    await settled(small, pagerduty)
    assert len(await incidents(small)) == 1


async def test_a_servicenow_record_becomes_an_incident_only_where_a_rule_says_so(hub: Installation) -> None:
    rule = {
        "severity": ["SEV-1"],
        "status": ["New", "In Progress"],
        "set": {"service": "mail", "tags": ["from-servicenow"]},
    }
    _, servicenow = await add_servicenow(hub, sync={"accept": [rule]})
    minor = await servicenow.create("printer jams", impact="3", urgency="3")
    major = await servicenow.create("mail is down", impact="1", urgency="1", comments="we cannot write")

    key = await the_incident(hub, "mail is down")
    found = await hub.api.incident(key)
    assert (found["severity"], found["service"], found["tags"]) == ("SEV-1", "mail", ["from-servicenow"])
    await hub.ticket_of(key)

    async def noted() -> bool:
        return await hub.api.notes(key) == ["we cannot write"]

    await eventually(noted, what="the comment")
    await settled(hub, servicenow)
    assert len(await incidents(hub)) == 1

    # It becomes worse there: now the rule fits.
    await servicenow.act("edit_record", record=minor["sys_id"], fields={"impact": "1", "urgency": "1"})
    await the_incident(hub, "printer jams")
    await hub.api.act(key, "resolve")

    async def resolved() -> bool:
        return (await servicenow.record(major["sys_id"]))["state"] == "Resolved"  # type: ignore[no-any-return]

    await eventually(resolved, what="the end in ServiceNow")


async def test_what_was_over_already_and_what_another_installation_made_is_left_alone(
    small: Installation,
) -> None:
    _, pagerduty = await add_pagerduty(small, subscribe=False, sync={"accept": False})
    over = await pagerduty.trigger("over before we came", service=BATCH)
    await pagerduty.act("resolve", incident=over)
    await pagerduty.trigger("of another installation", incident_key="callout-inc-9-0123456789ab")
    await small.in_account(
        lambda tx: small.core.integrations.put_settings(
            tx, "pagerduty", feature="sync", value={}, actor=OPERATOR
        )
    )
    await pagerduty.act("note", incident=over, content="a late note")
    await pagerduty.trigger("a new one")
    await the_incident(small, "a new one")
    await settled(small, pagerduty)
    assert [one["title"] for one in await incidents(small)] == ["a new one"]


async def test_a_ticket_that_exists_is_attached_by_hand_and_taken_off_for_good(small: Installation) -> None:
    _, pagerduty = await add_pagerduty(small, sync={"create": False})
    theirs = await pagerduty.trigger("pager says so", priority="P2")
    made = await the_incident(small, "pager says so")
    key = await small.api.declare("we say so", severity="SEV-3")

    refused = await small.api.request(
        "POST", f"/v1/incidents/{key}/links", json={"integration": "pagerduty", "ticket": theirs}
    )
    assert refused.status_code == 409
    assert f"linked to {made} already" in refused.text
    link = await small.api.link(made, "pagerduty")
    await small.api("DELETE", f"/v1/incidents/{made}/links/{link['id']}")
    await pagerduty.act("note", incident=theirs, content="is anybody there?")
    await settled(small, pagerduty)
    assert len(await incidents(small)) == 2, "a ticket that was taken off makes no incident again"

    body = {"integration": "pagerduty", "ticket": theirs, "prefer": "incident"}
    attached = await small.api("POST", f"/v1/incidents/{key}/links", body, status=201)
    assert attached["state"] == "attaching"
    assert await small.ticket_of(key, "pagerduty")

    async def same() -> bool:
        found = await pagerduty.incident(theirs)
        return (found["title"], found["priority"]["summary"]) == ("we say so", "P3")

    await eventually(same, what="our words in PagerDuty")

    async def noted() -> bool:
        return await small.api.notes(key) == ["is anybody there?"]

    await eventually(noted, what="the note")
    again = await small.api.request("POST", f"/v1/incidents/{key}/links", json=body)
    assert again.status_code == 409
    missing = await small.api.declare("no such ticket")
    await small.api("POST", f"/v1/incidents/{missing}/links", {"integration": "pagerduty", "ticket": "PNONE"})

    async def problem() -> Json:
        found: Json | None = (await small.api.link(missing, "pagerduty"))["problem"]
        return found or {}

    assert (await eventually(problem, what="the problem"))["code"] == "INCIDENT_NOT_FOUND"
