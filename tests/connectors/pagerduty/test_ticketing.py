from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.ticketing import PagerDutyTicketing
from callout.kit.clock import SystemClock
from callout.kit.cursor import encode_cursor
from callout.kit.http import VendorHttp
from callout.ports.errors import (
    InvalidRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RejectedError,
)
from callout.ports.ticketing import CommentDraft, TicketDraft, TicketOrder, TicketPatch, TicketQuery
from callout.ports.values import Person, Priority
from tests.connectors.pagerduty.site import ADMIN, ANN, BATCH, CAROL, CHECKOUT, PagerDutySite


def draft(title: str = "DB is down", **more: Any) -> TicketDraft:
    return TicketDraft(title, **{"project": CHECKOUT, **more})


# Creation


async def test_a_second_create_with_the_key_of_an_open_incident_adopts_it(site: PagerDutySite) -> None:
    first = await site.provider().create_ticket(draft(key="callout-inc-1"))
    again = await site.provider().create_ticket(draft("another title", key="callout-inc-1"))
    assert (again.id, again.title) == (first.id, "DB is down")
    assert len(site.ledger("incident.create")) == 1


async def test_after_resolution_the_key_is_free_again(site: PagerDutySite) -> None:
    provider = site.provider()
    first = await provider.create_ticket(draft(key="callout-inc-1"))
    await provider.patch_ticket(first.id, TicketPatch({"status": "resolved"}))
    second = await provider.create_ticket(draft(key="callout-inc-1"))
    assert second.id != first.id
    assert [ticket.id for ticket in await provider.find_by_key("callout-inc-1")] == [first.id, second.id]


async def test_the_same_key_on_another_service_is_another_incident(site: PagerDutySite) -> None:
    provider = site.provider()
    first = await provider.create_ticket(draft(key="k"))
    other = await provider.create_ticket(draft(key="k", project=BATCH))
    assert {ticket.id for ticket in await provider.find_by_key("k")} == {first.id, other.id}


async def test_a_taken_key_that_the_list_does_not_show_yet_is_no_failure(site: PagerDutySite) -> None:
    provider = site.provider()
    await provider.create_ticket(draft(key="k"))
    site.set(search_lag=60.0)
    with pytest.raises(OutcomeUnknownError):
        await provider.create_ticket(draft(key="k"))


@pytest.mark.parametrize("key", ["", " "])
async def test_a_blank_key_never_finds_all_open_incidents(site: PagerDutySite, key: str) -> None:
    provider = site.provider()
    await provider.create_ticket(draft())
    assert not await provider.find_by_key(key)


@pytest.mark.parametrize("description", ["slow", "", "ends with\n\nCallout: nothing"])
async def test_the_way_back_stands_under_the_description_and_is_no_part_of_it(
    site: PagerDutySite, description: str
) -> None:
    provider = site.provider()
    link = "https://callout.test/incidents/INC-1"
    made = await provider.create_ticket(draft(description=description, back_link=link))
    assert (made.description, made.unmapped["back_link"]) == (description, link)
    stored = (await provider._client.get_incident(made.id))["body"]["details"]
    assert stored.endswith(f"Callout: {link}")
    await provider.patch_ticket(made.id, TicketPatch({"description": description}))


async def test_severity_becomes_priority_and_urgency(site: PagerDutySite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(draft(priority=Priority.MEDIUM))
    assert (made.priority_name, made.unmapped["urgency"]) == ("P3", "low")
    worse = await provider.patch_ticket(made.id, TicketPatch({"priority": Priority.URGENT}))
    assert (worse.priority_name, worse.unmapped["urgency"]) == ("P1", "high")
    left = await site.provider(urgency="service").create_ticket(draft(priority=Priority.LOW))
    assert (left.priority_name, left.unmapped["urgency"]) == ("P4", "high")


async def test_who_acts_is_the_creator_or_the_default(site: PagerDutySite) -> None:
    provider = site.provider()
    await provider.create_ticket(draft())
    by_mail = await provider.create_ticket(draft(creator=Person("", "", ANN.email)))
    await provider.create_ticket(draft(creator=Person(CAROL.id)))
    await provider.patch_ticket(by_mail.id, TicketPatch({"title": "x", "creator": Person(CAROL.id)}))
    assert [entry["actor"] for entry in site.ledger("incident.create")] == [ADMIN.id, ANN.id, CAROL.id]
    assert [entry["actor"] for entry in site.ledger("incident.update")] == [CAROL.id]


async def test_without_a_creator_an_account_key_is_told_what_to_set(site: PagerDutySite) -> None:
    with pytest.raises(RejectedError) as caught:
        await site.provider(default_creator="").create_ticket(draft())
    assert "creator" in caught.value.fields
    assert "default_creator" in caught.value.remediation
    with pytest.raises(RejectedError) as caught:
        await site.provider(default_creator="nobody@example.com").create_ticket(draft())
    assert "default_creator" in caught.value.remediation


async def test_a_users_own_key_needs_no_creator(site: PagerDutySite) -> None:
    provider = site.provider(secret="pd-user-key-00000000", default_creator="")
    await provider.create_ticket(draft())
    assert [entry["actor"] for entry in site.ledger("incident.create")] == [ANN.id]
    assert (await provider.check_connection()).account == ANN


async def test_a_read_only_key_is_refused_in_words(site: PagerDutySite) -> None:
    provider = site.provider(secret="pd-readonly-00000000")
    assert (await provider.check_connection()).ok
    with pytest.raises(PermissionDeniedError) as caught:
        await provider.create_ticket(draft())
    assert "may write" in caught.value.remediation


async def test_a_service_may_be_named_by_its_name(site: PagerDutySite) -> None:
    made = await site.provider().create_ticket(draft(project="Nightly batch"))
    assert made.project == BATCH


async def test_without_a_service_there_is_no_incident(site: PagerDutySite) -> None:
    with pytest.raises(RejectedError) as caught:
        await site.provider().create_ticket(TicketDraft("x"))
    assert "project" in caught.value.fields


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"assignee": Person("", "Nobody Such")}, "assignee"),
        ({"assignee": Person("", "", "nobody@example.com")}, "assignee"),
        ({"creator": Person("PNOBODY")}, "creator"),
        ({"status": "closed"}, "status"),
        ({"status": "category:unknown"}, "status"),
        ({"title": "\n"}, "title"),
    ],
)
async def test_bad_values_are_refused_by_name(site: PagerDutySite, more: dict[str, Any], field: str) -> None:
    with pytest.raises(RejectedError) as caught:
        await site.provider().create_ticket(draft(**{"title": "x", **more}))
    assert field in caught.value.fields
    assert not site.ledger("incident.create")


async def test_a_very_long_text_and_odd_characters_arrive(site: PagerDutySite) -> None:
    text = "h1. *jira* {code}x{code} <b>&amp; 支払い 🔥\n" * 5_000
    made = await site.provider().create_ticket(draft("T" * 3000, description=text))
    assert made.description == text
    assert len(made.title) == 1024


async def test_custom_values_of_every_kind_round_trip(site: PagerDutySite) -> None:
    paths = {
        "env": "custom_fields.environment",
        "wake": "urgency",
        "kind": "incident_type",
        "call": "conference_bridge.conference_url",
        "dial": "conference_bridge.conference_number",
        "policy": "escalation_policy",
    }
    mappings = [
        {"name": name, "project_id": "*", "provider_field_path": path} for name, path in paths.items()
    ]
    provider = site.provider(custom_field_mappings=mappings)
    values = {
        "env": "staging",
        "wake": "low",
        "kind": "major_incident",
        "call": "https://meet.test/1",
        "dial": "+1",
        "policy": "PEP0001",
    }
    made = await provider.create_ticket(draft(custom_fields=values))
    assert made.custom_fields == values
    assert (await provider.query_tickets(TicketQuery())).items[0].custom_fields == values
    patched = await provider.patch_ticket(
        made.id, TicketPatch({"custom_fields": {"env": "production", "dial": None, "wake": "high"}})
    )
    assert patched.custom_fields == {**values, "env": "production", "dial": None, "wake": "high"}
    with pytest.raises(RejectedError) as caught:
        await provider.patch_ticket(made.id, TicketPatch({"custom_fields": {"wake": None}}))
    assert "custom_fields/wake" in caught.value.fields
    with pytest.raises(RejectedError):
        await provider.patch_ticket(made.id, TicketPatch({"custom_fields": {"env": "the moon"}}))


async def test_a_mapping_to_a_field_that_the_account_lacks_is_said(site: PagerDutySite) -> None:
    provider = site.provider(
        custom_field_mappings=[
            {"name": "x", "project_id": "*", "provider_field_path": "custom_fields.no_such"}
        ]
    )
    made = await provider.create_ticket(draft(custom_fields={"x": 1}))
    assert "not found" in made.unmapped["custom_fields"], (
        "the incident is there, what is missing is told beside it"
    )
    with pytest.raises(RejectedError) as caught:
        await provider.patch_ticket(made.id, TicketPatch({"custom_fields": {"x": 1}}))
    assert "custom_fields" in caught.value.fields


async def test_where_asking_for_the_body_is_refused_it_is_asked_once() -> None:
    asked: list[httpx.URL] = []
    entry = {"id": "R", "channel": {"type": "api", "details": "slow"}}

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        if request.url.path == "/priorities":
            return httpx.Response(200, json={"priorities": [], "more": False})
        if "body" in request.url.params.get_list("include[]"):
            refusal = {
                "code": 2001,
                "message": "Invalid Input Provided",
                "errors": ["include[] body is unknown"],
            }
            return httpx.Response(400, json={"error": refusal})
        incident = {"id": "Q1", "status": "triggered", "first_trigger_log_entry": entry}
        return httpx.Response(200, json={"incident": incident})

    http = VendorHttp("https://api.pagerduty.com", transport=httpx.MockTransport(answer))
    provider = PagerDutyTicketing(PagerDutyConfig(), http, SystemClock())
    for _ in range(2):
        assert (await provider.get_ticket("Q1")).description == "slow"
    assert [url.path for url in asked].count("/incidents/Q1") == 3


# Status


async def test_resolving_twice_and_acknowledging_twice_is_once(site: PagerDutySite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(draft())
    for status in ("acknowledged", "acknowledged", "resolved", "resolved"):
        assert (await provider.patch_ticket(made.id, TicketPatch({"status": status}))).status == status
    assert len(site.ledger("incident.update")) == 2


async def test_somebody_resolves_between_our_read_and_our_write(site: PagerDutySite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(draft())
    stale = await provider._client.get_incident(made.id)
    site.act("resolve", incident=made.id)
    await provider._writer.patch(stale, TicketPatch({"status": "resolved", "title": "after all"}))
    read = await provider.get_ticket(made.id)
    assert (read.status, read.title) == ("resolved", "after all")


async def test_a_resolution_is_kept_in_the_log(site: PagerDutySite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(draft())
    await provider.patch_ticket(
        made.id, TicketPatch({"status": "resolved"}, transition_fields={"resolution": "rolled back"})
    )
    log = await provider._client.list_incident_log_entries(made.id)
    assert [entry.get("note") for entry in log["log_entries"] if entry["type"] == "resolve_log_entry"] == [
        "rolled back"
    ]


async def test_reopening_is_refused_in_words_when_the_key_was_taken_meanwhile(site: PagerDutySite) -> None:
    provider = site.provider()
    first = await provider.create_ticket(draft(key="k"))
    await provider.patch_ticket(first.id, TicketPatch({"status": "resolved"}))
    await provider.create_ticket(draft(key="k"))
    with pytest.raises(RejectedError) as caught:
        await provider.patch_ticket(first.id, TicketPatch({"status": "triggered"}))
    assert "another open one has its key" in caught.value.message
    assert "status" in caught.value.fields


async def test_a_resolved_incident_keeps_its_last_assignee(site: PagerDutySite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(draft(assignee=CAROL))
    resolved = await provider.patch_ticket(made.id, TicketPatch({"status": "resolved"}))
    assert resolved.assignee is not None
    assert resolved.assignee.id == CAROL.id
    fresh = site.provider()
    assert (await fresh.get_ticket(made.id)).assignee == resolved.assignee
    with pytest.raises(RejectedError) as caught:
        await provider.patch_ticket(made.id, TicketPatch({"assignee": ANN}))
    assert "Reopen" in caught.value.remediation
    reopened = await provider.patch_ticket(
        made.id, TicketPatch({"status": "acknowledged", "assignee": Person("", "", CAROL.email)})
    )
    assert (reopened.status, reopened.assignee and reopened.assignee.id) == ("acknowledged", CAROL.id)


async def test_moves_can_be_listed_from_everywhere(site: PagerDutySite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(draft())
    for status, wanted in (
        ("triggered", {"acknowledged", "resolved"}),
        ("acknowledged", {"triggered", "resolved"}),
        ("resolved", {"triggered", "acknowledged"}),
    ):
        await provider.patch_ticket(made.id, TicketPatch({"status": status}))
        assert {move.to_status for move in await provider.list_transitions(made.id)} == wanted


async def test_an_incident_moves_to_another_service(site: PagerDutySite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(draft())
    moved = await provider.patch_ticket(
        made.id, TicketPatch({"project": BATCH, "issue_type": "major_incident"})
    )
    assert (moved.project, moved.issue_type) == (BATCH, "major_incident")


async def test_a_patch_that_changes_nothing_writes_nothing(site: PagerDutySite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(draft(priority=Priority.HIGH, assignee=ANN, description="d"))
    same = {
        "title": made.title,
        "description": "d",
        "status": "triggered",
        "priority": Priority.HIGH,
        "assignee": ANN,
        "project": CHECKOUT,
        "tags": (),
    }
    await provider.patch_ticket(made.id, TicketPatch(same))
    assert not site.ledger("incident.update")


# Notes


async def test_a_note_says_who_said_it(site: PagerDutySite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(draft())
    comment = await provider.create_comment(
        made.key, CommentDraft("It is back", author_name="Ann", key="note-1")
    )
    assert (comment.ticket_id, comment.content, comment.mark) == (made.id, "Ann: It is back", "note-1")
    site.act("note", incident=made.id, content="good")
    assert [entry.content for entry in await provider.list_comments(made.id)] == ["Ann: It is back", "good"]
    with pytest.raises(RejectedError):
        await provider.create_comment(made.id, CommentDraft(" \n"))


# Queries


async def test_a_query_goes_back_further_than_pagerduty_looks_at_once(site: PagerDutySite) -> None:
    provider = site.provider()
    made = []
    for _ in range(4):
        made.append((await provider.create_ticket(draft())).id)
        site.pass_time(timedelta(days=100))
    # The connector's own clock has not moved: it looks a day ahead and no further.
    ahead = site.provider()
    ahead._walker._clock = site
    for descending in (False, True):
        query = TicketQuery(order=(TicketOrder("created_at", descending),), limit=3)
        first = await ahead.query_tickets(query)
        rest = await ahead.query_tickets(TicketQuery(order=query.order, limit=3, cursor=first.cursor))
        found = [ticket.id for ticket in (*first.items, *rest.items)]
        assert found == (made[::-1] if descending else made)
        assert rest.cursor == ""


async def test_more_incidents_of_one_second_than_fit_on_a_page(site: PagerDutySite) -> None:
    provider = site.provider()
    made = {site.act("trigger", title=f"t {number}")["id"] for number in range(230)}
    for descending in (False, True):
        found: list[str] = []
        cursor = ""
        while True:
            page = await provider.query_tickets(
                TicketQuery(order=(TicketOrder("created_at", descending),), limit=90, cursor=cursor)
            )
            found += [ticket.id for ticket in page.items]
            cursor = page.cursor
            if not cursor:
                break
        assert len(found) == len(set(found))
        assert set(found) == made


async def test_the_default_service_scopes_queries(site: PagerDutySite) -> None:
    provider = site.provider(default_project=BATCH)
    await provider.create_ticket(draft())
    mine = await provider.create_ticket(TicketDraft("x"))
    assert [ticket.id for ticket in (await provider.query_tickets(TicketQuery())).items] == [mine.id]


@pytest.mark.parametrize(
    "after", [["x", 1], ["2026-01-01T00:00:00", 1], ["2026-01-01T00:00:00+00:00", "y"], [1]]
)
async def test_a_cursor_is_user_input(site: PagerDutySite, after: list[Any]) -> None:
    cursor = encode_cursor({"after": after}, scope=repr(((), ())))
    with pytest.raises(InvalidRequestError):
        await site.provider().query_tickets(TicketQuery(cursor=cursor))
