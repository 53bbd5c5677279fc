"""Conflicts and links over HTTP, on both databases, with no vendor and no worker: what a choice stores at once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from callout.kit.ids import new_id
from callout.storage import AccountTx
from callout.sync import Base, FieldConflict, Link, LinkState, LinkStatus, links
from callout.sync.links import SyncProblem
from callout.sync.loops import Write
from tests.server.desk import JIRA, problem_of

if TYPE_CHECKING:
    from tests.server.desk import Desk
    from tests.stories.people import Json


async def linked(
    desk: Desk,
    key: str,
    *,
    name: str = "jira",
    field: str = "severity",
    ours: Any = "SEV-3",
    theirs: Any = "LOW",
) -> Link:
    """Return a link of the incident that is in conflict about a field."""
    one = await desk.add(JIRA, name=name)
    incident = await desk.api.incident(key)
    conflict = FieldConflict(field, ours, theirs, Base("SEV-2", "HIGH"))
    others = {"title": Base(incident["title"], incident["title"])}
    link = Link(
        id=new_id(),
        account_id=desk.account,
        incident_id=incident["id"],
        integration_id=one.id,
        mark=f"callout-{key.lower()}-{name}",
        status=LinkStatus.ACTIVE,
        created_at=desk.clock.now(),
        ticket_id="10001",
        ticket_key="TST-1",
        merge=LinkState({**others, field: conflict.base}, {}, {field: conflict}),
    )
    await in_account(desk, lambda tx: links.insert(tx, link))
    return link


async def in_account(desk: Desk, work: Any) -> Any:
    return await desk.core.database.transaction(lambda tx: work(tx.account(desk.account)))


async def stored(desk: Desk, link: Link) -> Link:
    found = await in_account(desk, lambda tx: links.load(tx, link.id))
    assert isinstance(found, Link)
    return found


async def visits(desk: Desk) -> int:
    text = "SELECT count(*) FROM job WHERE kind = 'sync.visit'"
    return int((await desk.core.database.read(lambda tx: tx.driver_all(text, text)))[0][0])


def place(link: Link, key: str = "INC-1", field: str = "severity") -> str:
    return f"/v1/incidents/{key}/conflicts/{link.id}/{field}"


async def test_a_conflict_is_shown_with_both_values_and_what_taking_theirs_would_mean(
    desk_on_both: Desk,
) -> None:
    desk = desk_on_both
    key = await desk.api.declare(severity="SEV-3")
    link = await linked(desk, key)
    (shown,) = await desk.api("GET", f"/v1/incidents/{key}/conflicts")
    assert (shown["field"], shown["ours"], shown["theirs"], shown["theirs_here"]) == (
        "severity",
        "SEV-3",
        "LOW",
        "SEV-4",
    )
    assert (shown["link_id"], shown["integration"], shown["ticket_key"], shown["agreed"]) == (
        link.id,
        "jira",
        "TST-1",
        "SEV-2",
    )

    other = await desk.api.declare("no conflict here")
    assert await desk.api("GET", f"/v1/incidents/{other}/conflicts") == []
    found = await in_account(desk, desk.conflicts.of_account)
    assert [(one.incident.key, one.field) for one in found] == [(key, "severity")]


@pytest.mark.parametrize(
    ("body", "value", "pending"),
    [
        ({"choice": "ours"}, "SEV-3", "SEV-3"),
        ({"choice": "theirs"}, "SEV-4", None),
        ({"choice": "value", "value": "sev1"}, "SEV-1", "SEV-1"),
        ({"choice": "value", "value": "SEV-4"}, "SEV-4", None),
    ],
)
async def test_a_choice_is_stored_at_once_with_whoever_made_it(
    desk_on_both: Desk, body: Json, value: str, pending: str | None
) -> None:
    desk = desk_on_both
    key = await desk.api.declare(severity="SEV-3")
    link = await linked(desk, key)
    before = await visits(desk)
    done = await desk.api("POST", place(link), body)
    assert (done["choice"], done["value"], done["ours"], done["theirs"]) == (
        body["choice"],
        value,
        "SEV-3",
        "LOW",
    )
    assert (await desk.api.incident(key))["severity"] == value
    now = await stored(desk, link)
    assert now.merge.conflicts == {}
    assert (now.merge.pending["severity"].ours if "severity" in now.merge.pending else None) == pending
    if pending is None:
        assert now.merge.bases["severity"] == Base(value, "LOW")
    assert await visits(desk) > before
    (line,) = [one for one in await desk.api.timeline(key) if one["kind"] == "sync_conflict_resolved"]
    assert (line["actor"]["name"], line["channel"]) == ("tests", "api")
    assert (line["data"]["choice"], line["data"]["value"]) == (body["choice"], value)
    if value != "SEV-3":
        changed = (await desk.api.timeline(key))[-2]
        assert changed["data"]["rules"] == {"severity": "person_decided"}
        assert changed["actor"]["name"] == "tests"
    text = "SELECT actor_name, action FROM audit_log WHERE action = 'incident.sync_conflict_resolved'"
    rows = await desk.core.database.read(lambda tx: tx.driver_all(text, text))
    assert [row[0] for row in rows] == ["tests"]

    again = await desk.api.request("POST", place(link), json=body)
    assert "no open conflict" in problem_of(again, 404, "not-found")["message"]


async def test_a_choice_about_other_values_than_those_seen_is_refused(desk_on_both: Desk) -> None:
    desk = desk_on_both
    key = await desk.api.declare(severity="SEV-3")
    link = await linked(desk, key)
    (shown,) = await desk.api("GET", f"/v1/incidents/{key}/conflicts")
    conflict = link.merge.conflicts["severity"]
    later = replace(link.merge, conflicts={"severity": replace(conflict, theirs="URGENT")})
    await in_account(desk, lambda tx: links.save(tx, replace(link, merge=later), desk.clock.now()))
    written = await desk.written()

    for choice in ("ours", "theirs"):
        body = {"choice": choice, "seen": shown["seen"]}
        said = problem_of(await desk.api.request("POST", place(link), json=body), 409, "conflict")
        assert "URGENT" in said["message"]
    assert await desk.written() == written
    assert (await desk.api.incident(key))["severity"] == "SEV-3"

    (fresh,) = await desk.api("GET", f"/v1/incidents/{key}/conflicts")
    await desk.api.patch(key, severity="SEV-2")  # ours moved on, too
    stale = {"choice": "ours", "seen": fresh["seen"]}
    problem_of(await desk.api.request("POST", place(link), json=stale), 409, "conflict")
    (fresh,) = await desk.api("GET", f"/v1/incidents/{key}/conflicts")
    assert fresh["ours"] == "SEV-2"
    await desk.api("POST", place(link), {"choice": "theirs", "seen": fresh["seen"]})
    assert (await desk.api.incident(key))["severity"] == "SEV-1"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"choice": "mine"}, "choice"),
        ({"choice": "value"}, "is missing"),
        ({"choice": "ours", "value": "SEV-1"}, "alone"),
        ({"choice": "value", "value": "terrible"}, "cannot be the severity"),
        ({"choice": "value", "value": 7}, "cannot be the severity"),
        ({}, "choice"),
    ],
)
async def test_a_choice_that_cannot_be_is_refused_in_words(desk: Desk, body: Json, words: str) -> None:
    key = await desk.api.declare(severity="SEV-3")
    link = await linked(desk, key)
    said = problem_of(await desk.api.request("POST", place(link), json=body), 400, "invalid-request")
    assert words in said["message"]
    assert (await stored(desk, link)).merge.conflicts


async def test_a_conflict_belongs_to_its_incident(desk: Desk) -> None:
    key = await desk.api.declare(severity="SEV-3")
    link = await linked(desk, key)
    other = await desk.api.declare("another")
    problem_of(await desk.api.request("POST", place(link, other), json={"choice": "ours"}), 404)
    problem_of(await desk.api.request("POST", place(link, key, "title"), json={"choice": "ours"}), 404)
    for path in ("conflicts", "links"):
        tail = "severity" if path == "conflicts" else "actions"
        body = {"choice": "ours"} if path == "conflicts" else {"action": "stop"}
        problem_of(
            await desk.api.request("POST", f"/v1/incidents/{other}/{path}/{link.id}/{tail}", json=body), 404
        )


async def test_their_value_that_means_nothing_here_cannot_be_taken(desk: Desk) -> None:
    key = await desk.api.declare(severity="SEV-3")
    link = await linked(desk, key, theirs="SOMETHING")
    said = problem_of(await desk.api.request("POST", place(link), json={"choice": "theirs"}), 400)
    assert "no counterpart" in said["message"]
    await desk.api("POST", place(link), {"choice": "ours"})


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("ann@example.com", "ann@example.com"),
        ({"name": "Ann", "email": "ann@example.com"}, "Ann"),
        (None, None),
    ],
)
async def test_a_person_can_be_given(desk: Desk, given: Any, name: str | None) -> None:
    key = await desk.api.declare(assignee={"name": "Bob"})
    theirs = {"id": "5b", "name": "Cid", "email": ""}
    link = await linked(desk, key, field="assignee", theirs=theirs)
    await desk.api("POST", place(link, key, "assignee"), {"choice": "value", "value": given})
    assignee = (await desk.api.incident(key))["assignee"]
    assert (assignee and assignee["name"]) == name


async def test_the_same_key_resolves_once(desk: Desk) -> None:
    key = await desk.api.declare(severity="SEV-3")
    link = await linked(desk, key)
    answers = [
        await desk.api.request(
            "POST", place(link), json={"choice": "theirs"}, headers={"Idempotency-Key": "k1"}
        )
        for _ in range(2)
    ]
    assert [one.status_code for one in answers] == [200, 200]
    assert answers[0].content == answers[1].content


async def test_a_link_is_stopped_started_again_and_retried(desk_on_both: Desk) -> None:
    desk = desk_on_both
    key = await desk.api.declare(severity="SEV-3")
    link = await linked(desk, key)
    now = desk.clock.now()
    trouble = replace(
        link,
        problem=SyncProblem("UNAVAILABLE", "down", "", now),
        failures=3,
        retry_at=now,
        writes=(Write(now),) * 40,
    )
    await in_account(desk, lambda tx: links.save(tx, trouble, now))
    actions = f"/v1/incidents/{key}/links/{link.id}/actions"

    before = await visits(desk)
    await desk.api("POST", actions, {"action": "retry"})
    after = await stored(desk, link)
    assert (after.failures, after.retry_at, after.writes) == (0, None, ())
    assert after.problem is not None  # shown until a visit found that it is over
    assert await visits(desk) == before + 1

    stopped = await desk.api("POST", actions, {"action": "stop"})
    assert (stopped["state"], stopped["problem"]) == ("stopped", None)
    await desk.api("POST", actions, {"action": "stop"})
    problem_of(await desk.api.request("POST", actions, json={"action": "retry"}), 409, "conflict")
    assert await visits(desk) == before + 1

    resumed = await desk.api("POST", actions, {"action": "resume"})
    assert resumed["state"] == "active"
    await desk.api("POST", actions, {"action": "resume"})
    assert await visits(desk) == before + 2
    kinds = [line["kind"] for line in await desk.api.timeline(key)]
    assert [kind for kind in kinds if kind.startswith("sync_")] == [
        "sync_retried",
        "sync_stopped",
        "sync_resumed",
    ]


async def test_a_link_whose_ticket_was_not_made_yet_goes_on_making_it(desk: Desk) -> None:
    key = await desk.api.declare()
    link = await linked(desk, key)
    making = replace(link, status=LinkStatus.CREATING, ticket_id="", ticket_key="", merge=LinkState())

    async def put(tx: AccountTx) -> None:
        await links.save(tx, making, desk.clock.now())

    await in_account(desk, put)
    actions = f"/v1/incidents/{key}/links/{link.id}/actions"
    await desk.api("POST", actions, {"action": "stop"})
    assert (await desk.api("POST", actions, {"action": "resume"}))["state"] == "creating"
