"""What tickets need to be resolved, over HTTP and on both databases, with no vendor and no worker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from callout.kit.ids import new_id
from callout.ports.values import Actor, ActorKind, Channel, Origin, Status
from callout.sync import Base, Link, LinkState, LinkStatus, links, needs_store
from callout.sync.given import is_over, sent_fields
from callout.sync.mapping import FieldMappings
from callout.sync.needs import Needs
from callout.sync.needs_reading import Asked, NeededField, Reading
from callout.sync.needs_store import Known
from tests.server.desk import JIRA

if TYPE_CHECKING:
    from tests.server.desk import Desk

DONE = "category:done"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
RESOLUTION = NeededField(
    "resolution", "Resolution", "enum", required=True, choices=(("1", "Fixed"), ("2", "Won't do"))
)
ASKED = Asked(
    DONE,
    (
        RESOLUTION,
        NeededField("effort", "Effort", "number"),
        NeededField("day", "Fixed on", "datetime"),
        NeededField("regions", "Regions", "array", choices=(("e", "Europe"), ("a", "Asia"))),
    ),
)


async def in_account(desk: Desk, work: Any) -> Any:
    return await desk.core.database.transaction(lambda tx: work(tx.account(desk.account)))


async def linked(desk: Desk, key: str, *, theirs: str = "In Progress|active", asked: Asked = ASKED) -> Link:
    """Return the link of an incident whose place is known."""
    one = await desk.add(JIRA, name="jira")
    link = Link(
        id=new_id(),
        account_id=desk.account,
        incident_id=(await desk.api.incident(key))["id"],
        integration_id=one.id,
        mark=f"callout-{key.lower()}",
        status=LinkStatus.ACTIVE,
        created_at=desk.clock.now(),
        ticket_id="10001",
        ticket_key="TST-1",
        project="TST",
        merge=LinkState({"status": Base("acknowledged", theirs)}),
    )
    await in_account(desk, lambda tx: links.insert(tx, link))
    reading = Reading({Status.RESOLVED: asked, Status.CLOSED: asked})
    await in_account(desk, lambda tx: needs_store.keep(tx, one.id, "TST", reading, desk.clock.now()))
    return link


async def given(desk: Desk, link: Link) -> dict[str, Any]:
    return dict((await in_account(desk, lambda tx: links.load(tx, link.id))).given)


async def resolve(desk: Desk, key: str, fields: object, action: str = "resolve") -> Any:
    body = {"action": action, "fields": fields}
    return await desk.api.request("POST", f"/v1/incidents/{key}/actions", json=body)


async def test_what_is_given_is_kept_with_the_resolve(desk_on_both: Desk) -> None:
    desk = desk_on_both
    key = await desk.api.declare("x")
    link = await linked(desk, key)
    [found] = await desk.api("GET", f"/v1/incidents/{key}/needs")
    assert (found["integration"], found["ticket"], found["known"]) == ("jira", "TST-1", True)
    first = found["fields"][0]
    assert (first["name"], first["missing"], first["given_by"]) == ("jira.resolution", True, "")
    values = {"Resolution": "won't DO", "effort": 3, "day": "2026-03-02", "regions": ["Asia", "e"]}
    answer = await resolve(desk, key, {"TST-1": values})
    assert answer.status_code == 200, answer.text
    assert answer.json()["result"]["status"] == "resolved"
    assert await given(desk, link) == {
        "resolution": "2",
        "effort": "3",
        "day": "2026-03-02",
        "regions": ["a", "e"],
    }
    [line] = [one for one in await desk.api.timeline(key) if one["kind"] == "ticket_fields_given"]
    assert line["data"]["fields"] == {
        "Resolution": "Won't do",
        "Effort": "3",
        "Fixed on": "2026-03-02",
        "Regions": "Asia, Europe",
    }
    [found] = await desk.api("GET", f"/v1/incidents/{key}/needs")
    assert {one["given_by"] for one in found["fields"]} == {"person"}
    assert found["fields"][0]["value"] == "Won't do"


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("resolution", "Magic", "choose one of: Fixed, Won't do"),
        ("effort", "much", "write a number"),
        ("day", "tomorrow", "YYYY-MM-DD"),
        ("regions", ["Mars"], "choose one of: Europe, Asia"),
        ("resolution", {"id": "1"}, "write a text"),
        ("effort", True, "write a text"),
        ("colour", "red", "no ticket asks for it"),
    ],
)
async def test_a_wrong_value_is_said_by_its_name_and_nothing_is_done(
    desk: Desk, field: str, value: object, words: str
) -> None:
    key = await desk.api.declare("x")
    link = await linked(desk, key)
    answer = await resolve(desk, key, {"jira": {field: value}})
    assert answer.status_code == 400
    assert f"jira.{field}" in answer.text
    assert words in answer.json()["detail"] + answer.text
    assert (await desk.api.incident(key))["status"] == "open"
    assert await given(desk, link) == {}


async def test_fields_go_with_the_end_alone(desk: Desk) -> None:
    key = await desk.api.declare("x")
    await linked(desk, key)
    assert (await resolve(desk, key, {"jira": {"effort": 1}}, action="acknowledge")).status_code == 400
    assert (await desk.api.incident(key))["status"] == "open"
    answer = await desk.api.request("GET", f"/v1/incidents/{key}/needs", params={"status": "open"})
    assert answer.status_code == 400


async def test_a_ticket_that_is_done_already_is_asked_for_nothing(desk: Desk) -> None:
    key = await desk.api.declare("x")
    await linked(desk, key, theirs="Done|done")
    assert await desk.api("GET", f"/v1/incidents/{key}/needs") == []


async def test_a_mapping_that_changed_since_is_not_known(desk: Desk) -> None:
    key = await desk.api.declare("x")
    await linked(desk, key, asked=Asked("Finished", (RESOLUTION,)))
    [found] = await desk.api("GET", f"/v1/incidents/{key}/needs")
    assert (found["known"], found["fields"]) == (False, [])
    # What nobody knows of is taken as it is written: the ticket's own system judges it.
    assert (await resolve(desk, key, {"jira": {"resolution": "Fixed"}})).status_code == 200


async def test_given_twice_for_an_incident_that_is_resolved_sets_a_visit(desk_on_both: Desk) -> None:
    desk = desk_on_both
    key = await desk.api.declare("x")
    link = await linked(desk, key)
    await desk.api.act(key, "resolve")
    origin = Origin(Channel.CLI, Actor(ActorKind.SYSTEM, "cli", "the command line"))
    service = Needs(desk.wired.sync)
    waiting = await in_account(desk, lambda tx: desk.core.queue.waiting(tx, [link.partition()]))
    assert waiting == set()
    done = await in_account(desk, lambda tx: service.give(tx, link.id, {"resolution": "fixed"}, origin))
    assert done.given == {"resolution": "1"}
    waiting = await in_account(desk, lambda tx: desk.core.queue.waiting(tx, [link.partition()]))
    assert waiting == {link.partition()}


async def test_what_could_not_be_read_now_is_kept(desk_on_both: Desk) -> None:
    desk = desk_on_both
    later = NOW + timedelta(hours=2)
    only = Reading({Status.RESOLVED: ASKED}, ("To Do",))
    await in_account(desk, lambda tx: needs_store.keep(tx, "i", "P", only, NOW))
    await in_account(desk, lambda tx: needs_store.keep(tx, "i", "P", None, later))
    known = await in_account(desk, lambda tx: needs_store.of_place(tx, "i", "P"))
    assert known.asked == {Status.RESOLVED: ASKED}
    assert (known.learned_at, known.tried_at, known.unread) == (NOW, later, ("To Do",))
    other = Asked(DONE, ())
    closed = Reading({Status.CLOSED: other})
    await in_account(desk, lambda tx: needs_store.keep(tx, "i", "P", closed, later))
    known = await in_account(desk, lambda tx: needs_store.of_place(tx, "i", "P"))
    assert known.asked == {Status.RESOLVED: ASKED, Status.CLOSED: other}
    assert known.unread == ()


async def test_what_is_known_goes_with_its_integration(desk_on_both: Desk) -> None:
    desk = desk_on_both
    await linked(desk, await desk.api.declare("x"))
    other = await desk.add(JIRA, name="other")
    for place in ("TST", "OPS"):
        await in_account(desk, lambda tx, at=place: needs_store.keep(tx, other.id, at, None, NOW))
    actor = Actor(ActorKind.SYSTEM, "cli", "the command line")
    await in_account(desk, lambda tx: desk.core.integrations.delete(tx, other.id, actor=actor))
    left = await desk.core.database.read(needs_store.everywhere)
    assert [place for _, place in left] == ["TST"]
    assert other.id not in {integration for integration, _ in left}


def test_when_a_vendor_is_asked_again() -> None:
    hour, day = timedelta(hours=1), timedelta(days=1)
    assert Known("P").due(NOW)
    read = Known("P", learned_at=NOW, tried_at=NOW, unread=("To Do",))
    assert not read.due(NOW + hour)
    assert read.due(NOW + day)
    assert read.due(NOW, status="to do")
    assert not read.due(NOW, status="In Progress")
    assert read.due(NOW, changed_at=NOW + hour)
    failed = Known("P", tried_at=NOW)
    assert not failed.due(NOW + hour / 2)
    assert failed.due(NOW + hour)


def test_what_a_person_gives_wins_over_the_settings() -> None:
    settings = {"transition_fields": {DONE: {"Resolution": "Done", "team": "A"}}}
    mappings = FieldMappings.from_settings(settings)
    assert sent_fields(mappings, DONE, {}) == {"Resolution": "Done", "team": "A"}
    assert sent_fields(mappings, DONE, {"resolution": "2"}) == {"team": "A", "resolution": "2"}
    assert sent_fields(mappings, "category:active", {"resolution": "2"}) == {}


def test_when_there_is_no_move_left() -> None:
    rule = FieldMappings().rules("")["status"]
    assert is_over(Status.OPEN, "To Do|new", rule)
    assert is_over(Status.RESOLVED, "Done|done", rule)
    assert not is_over(Status.RESOLVED, "In Progress|active", rule)
