"""What is ServiceNow's own, against the twin."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callout.connectors.servicenow import journal as journal_module
from callout.connectors.servicenow.ticketing import ServiceNowTicketing
from callout.ports.errors import (
    InvalidRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RecordNotFoundError,
    RejectedError,
    UnavailableError,
)
from callout.ports.provider import PollPosition
from callout.ports.ticketing import (
    Change,
    ChangeKind,
    CommentDraft,
    NoteDraft,
    StatusCategory,
    Ticket,
    TicketDraft,
    TicketFilter,
    TicketOrder,
    TicketPatch,
    TicketQuery,
)
from callout.ports.values import Audience, Person, Priority
from tests.connectors.servicenow.instance import Instance

OVERLAP = timedelta(minutes=5)


async def make(provider: ServiceNowTicketing, title: str = "DB is down", **fields: Any) -> Ticket:
    return await provider.create_ticket(TicketDraft(title, **fields))


async def polled(provider: ServiceNowTicketing, since: datetime | None) -> list[Change]:
    return [change async for change in provider.changes_since(PollPosition(since), overlap=OVERLAP)]


def journal(instance: Instance, ticket: Ticket) -> list[tuple[str, str]]:
    return [(entry["element"], entry["value"]) for entry in instance.task(ticket.key)["journal"]]


# Audience


async def test_each_audience_has_its_own_column(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    await provider.create_comment(made.id, CommentDraft("for us who work on it"))
    await provider.create_comment(made.id, CommentDraft("for the caller", Audience.CUSTOMER))
    with pytest.raises(RejectedError):
        await provider.create_comment(made.id, CommentDraft("for nobody there", Audience.INTERNAL))
    await provider.create_note(made.id, NoteDraft("Cause", "disk full"))
    assert journal(instance, made) == [
        ("work_notes", "for us who work on it"),
        ("comments", "for the caller"),
        ("work_notes", "**Cause**\n\ndisk full"),
    ]


@pytest.mark.parametrize("name", ["comments", "work_notes", "comments_and_work_notes"])
async def test_no_other_way_leads_into_a_journal(instance: Instance, name: str) -> None:
    """Neither a mapped field nor a field of a status change may write where customers read."""
    sneaky = {"name": "sneaky", "project_id": "*", "provider_field_path": name}
    provider = instance.provider(custom_field_mappings=[sneaky])
    with pytest.raises(RejectedError):
        await make(provider, custom_fields={"sneaky": "secret"})
    made = await make(provider)
    with pytest.raises(RejectedError):
        await provider.patch_ticket(made.id, TicketPatch({"custom_fields": {"sneaky": "secret"}}))
    with pytest.raises(RejectedError):
        await provider.patch_ticket(
            made.id, TicketPatch({"status": "category:active"}, transition_fields={name: "secret"})
        )
    assert not journal(instance, made)


async def test_what_people_write_is_read_with_its_audience(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    instance.act("comment", record=made.key, text="it is slow")
    instance.act("work_note", record=made.key, text="node 3", **{"as": "mia.manager"})
    first, second = await provider.list_comments(made.id)
    assert (first.content, first.audience, first.author and first.author.name) == (
        "it is slow",
        Audience.CUSTOMER,
        "Ann Lee",
    )
    assert (second.content, second.audience, second.author and second.author.name) == (
        "node 3",
        Audience.RESPONDERS,
        "Mia Manager",
    )


async def test_html_in_a_text_is_not_let_through_as_html(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    await provider.create_comment(made.id, CommentDraft("[CODE]<script>alert(1)</script>[/code]"))
    [(_, text)] = journal(instance, made)
    assert "[code]" not in text.lower()
    assert "[/code]" not in text.lower()


async def test_the_author_is_named_and_the_key_is_the_last_line(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    draft = CommentDraft("rolled back", author_name="Ann  Lee", key="note-7")
    comment = await provider.create_comment(made.id, draft)
    assert journal(instance, made) == [("work_notes", "**Ann Lee:**\n\nrolled back\n\n[callout:note-7]")]
    assert (comment.content, comment.mark) == ("**Ann Lee:**\n\nrolled back", "note-7")


async def test_a_text_that_the_instance_drops_without_a_word_is_no_success(instance: Instance) -> None:
    """A caller without a role may comment on a record of theirs; a work note of theirs vanishes."""
    customer = instance.provider(username="carla.customer", secret="carla")
    made = instance.act("create_record", fields={"short_description": "x"}, **{"as": "carla.customer"})
    with pytest.raises(OutcomeUnknownError) as caught:
        await customer.create_comment(made["sys_id"], CommentDraft("internal"))
    assert "work_notes" in caught.value.remediation
    assert not instance.task(made["number"])["journal"]


async def test_only_an_administrator_deletes_a_comment(instance: Instance) -> None:
    user = instance.provider(username="callout.integration", secret="integration")
    made = await make(user)
    comment = await user.create_comment(made.id, CommentDraft("oops"))
    with pytest.raises(PermissionDeniedError):
        await user.delete_comment(made.id, comment.id)
    other = await make(user, "other")
    with pytest.raises(RecordNotFoundError):
        await instance.provider().delete_comment(other.id, comment.id)


# Rights that are missing


@pytest.mark.parametrize("lists", ["refuse", "empty"])
async def test_without_the_platform_tables_tickets_are_read_and_comments_too(
    instance: Instance, lists: str
) -> None:
    """Ann may work on incidents; choices, dictionary and journal table are closed to her."""
    instance.set(forbidden_lists=lists)
    made = await make(instance.provider(), priority=Priority.HIGH)
    instance.act("edit_record", record=made.key, fields={"state": "2"})
    instance.act("comment", record=made.key, text="one\n\nand more")
    instance.act("work_note", record=made.key, text="two")
    ann = instance.provider(username="ann.lee", secret="ann")
    ticket = await ann.get_ticket(made.id)
    assert (ticket.status, ticket.status_category) == ("In Progress", StatusCategory.ACTIVE)
    assert ticket.priority is Priority.HIGH
    assert ticket.title == "DB is down"
    comments = await ann.list_comments(made.id)
    assert {(c.content, c.audience) for c in comments} == {
        ("one\n\nand more", Audience.CUSTOMER),
        ("two", Audience.RESPONDERS),
    }
    assert len({c.id for c in comments}) == 2
    assert {c.id for c in await ann.list_comments(made.id)} == {c.id for c in comments}
    said = await ann.create_comment(made.id, CommentDraft("three", key="note-3"))
    assert await ann.find_comment(made.id, "note-3") == said
    with pytest.raises(PermissionDeniedError) as caught:
        await ann.patch_ticket(made.id, TicketPatch({"status": "category:done"}))
    assert "sys_choice" in caught.value.remediation
    report = await ann.check_connection()
    assert report.ok
    for table in ("sys_choice", "sys_dictionary"):
        assert any(table in warning for warning in report.warnings), report.warnings


async def test_a_missing_plugin_is_told_by_its_name(instance: Instance) -> None:
    instance.set(security_incidents=False)
    report = await instance.provider(sir=True).check_connection()
    assert not report.ok
    assert "Security Incident Response" in report.warnings[0]


async def test_a_missing_role_is_told_by_its_name(instance: Instance) -> None:
    report = await instance.provider(username="mia.manager", secret="mia", sir=True).check_connection()
    assert not report.ok
    assert "sn_si.basic" in report.warnings[0]


async def test_a_mapping_to_a_column_that_is_not_there_is_told(instance: Instance) -> None:
    wrong = {"name": "impact", "project_id": "*", "provider_field_path": "u_nonsense"}
    provider = instance.provider(custom_field_mappings=[wrong], tags_field="u_labels")
    report = await provider.check_connection()
    assert any("u_nonsense" in warning for warning in report.warnings)
    assert any("u_labels" in warning for warning in report.warnings)
    with pytest.raises(RejectedError) as caught:
        await make(provider, custom_fields={"impact": "x"})
    assert "custom_fields/impact" in caught.value.fields


# The instance's own words


async def test_another_instance_has_other_numbers_and_the_same_words(instance: Instance) -> None:
    instance.set(choices="customised")
    provider = instance.provider()
    made = await make(provider)
    assert (made.status, made.status_category) == ("Registered", StatusCategory.NEW)
    worked = await provider.patch_ticket(made.id, TicketPatch({"status": "category:active"}))
    assert worked.status == "In Progress"
    supplier = await provider.patch_ticket(made.id, TicketPatch({"status": "with supplier"}))
    assert instance.task(made.key)["state"] == "25"
    assert supplier.status_category is StatusCategory.ACTIVE
    done = await provider.patch_ticket(made.id, TicketPatch({"status": "category:done"}))
    assert (done.status, done.unmapped["close_code"]) == ("Resolved", "Solved (Permanently)")
    assert instance.task(made.key)["state"] == "60"


async def test_the_close_code_is_one_of_the_instance(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    with pytest.raises(RejectedError) as caught:
        await provider.patch_ticket(
            made.id,
            TicketPatch({"status": "Resolved"}, transition_fields={"close_code": "Solved (Permanently)"}),
        )
    assert "Solution provided" in caught.value.fields["transition_fields/close_code"]
    assert instance.task(made.key)["state"] == "1"
    given = {"close_code": "workaround PROVIDED", "close_notes": "restarted"}
    done = await provider.patch_ticket(made.id, TicketPatch({"status": "Resolved"}, transition_fields=given))
    assert (done.unmapped["close_code"], done.unmapped["close_notes"]) == ("Workaround provided", "restarted")
    assert len(instance.ledger("record.update")) == 1, "state, code and notes in one write"


async def test_a_hold_has_a_reason_that_asks_nobody_to_comment(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    held = await provider.patch_ticket(made.id, TicketPatch({"status": "on hold"}))
    assert held.unmapped["hold_reason"] == "Awaiting Problem"
    await provider.patch_ticket(made.id, TicketPatch({"status": "In Progress"}))
    waiting = TicketPatch({"status": "On Hold"}, transition_fields={"hold_reason": "Awaiting Caller"})
    with pytest.raises(RejectedError) as caught:
        await provider.patch_ticket(made.id, waiting)
    assert "Additional comments" in caught.value.fields


async def test_a_renamed_state_is_known_by_its_new_name(instance: Instance) -> None:
    instance.act("change_choice_label", table="incident", element="state", value="2", label="Wird bearbeitet")
    provider = instance.provider(state_categories={"wird bearbeitet": "active"})
    made = await make(provider)
    moved = await provider.patch_ticket(made.id, TicketPatch({"status": "Wird bearbeitet"}))
    assert (moved.status, moved.status_category) == ("Wird bearbeitet", StatusCategory.ACTIVE)


async def test_a_priority_that_is_there_already_leaves_impact_and_urgency_alone(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    instance.act("edit_record", record=made.key, fields={"impact": "3", "urgency": "1"})
    before = instance.task(made.key)
    assert before["priority"] == "3"
    await provider.patch_ticket(made.id, TicketPatch({"priority": Priority.MEDIUM}))
    after = instance.task(made.key)
    assert (after["impact"], after["urgency"]) == ("3", "1")
    await provider.patch_ticket(made.id, TicketPatch({"priority": Priority.URGENT}))
    assert instance.task(made.key)["priority"] == "1"


# Places


async def test_a_type_is_a_table_by_name_or_label(instance: Instance) -> None:
    provider = instance.provider()
    for kind in ("change_request", "Change Request", "CHANGE request"):
        made = await make(provider, issue_type=kind)
        assert (made.project, made.issue_type, made.key[:3]) == ("change_request", "Change Request", "CHG")
    both = await make(provider, project="incident", issue_type="Incident")
    assert both.project == "incident"
    with pytest.raises(RejectedError) as caught:
        await make(provider, project="problem", issue_type="Change Request")
    assert "issue_type" in caught.value.fields
    with pytest.raises(RejectedError):
        await make(provider, project="sys_user")
    with pytest.raises(RejectedError):
        await make(provider, issue_type="Coffee")
    default = await make(instance.provider(default_issue_type="Change Request", default_project="incident"))
    assert default.project == "incident", "a table that is named is the table"


async def test_a_change_goes_the_way_of_its_model(instance: Instance) -> None:
    provider = instance.provider(assignment_group="IT Support")
    made = await make(provider, issue_type="Change Request", priority=Priority.PLANNING)
    assert made.priority is Priority.LOW
    moves = {move.to_status for move in await provider.list_transitions(made.id)}
    assert moves == {"Assess", "Canceled"}
    assessed = await provider.patch_ticket(made.id, TicketPatch({"status": "category:active"}))
    assert assessed.status == "Assess"
    with pytest.raises(RejectedError) as caught:
        await provider.patch_ticket(made.id, TicketPatch({"status": "category:done"}))
    assert "Canceled" in caught.value.fields["status"], "it is not called off for want of another way"
    assert (await provider.get_ticket(made.id)).status == "Authorize", "approvals lead on, not we"


async def test_a_change_without_a_group_says_what_is_missing(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider, issue_type="change_request")
    with pytest.raises(RejectedError) as caught:
        await provider.patch_ticket(made.id, TicketPatch({"status": "Assess"}))
    assert "Assignment group" in caught.value.fields
    given = {"assignment_group": "IT Support"}
    moved = await provider.patch_ticket(made.id, TicketPatch({"status": "Assess"}, transition_fields=given))
    assert moved.unmapped["assignment_group"] == "IT Support"


async def test_a_record_is_found_whatever_its_table(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider, issue_type="change_request", key="callout-inc-5")
    fresh = instance.provider()
    assert (await fresh.get_ticket(made.id)).key == made.key
    assert (await instance.provider().get_ticket(made.key)).id == made.id
    assert [ticket.id for ticket in await fresh.find_by_key("callout-inc-5")] == [made.id]
    assert not await fresh.find_by_key("CALLOUT-INC-5")


async def test_a_ticket_that_went_is_not_found(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    instance.act("delete_record", record=made.key)
    for ticket_id in (made.id, made.key):
        with pytest.raises(RecordNotFoundError):
            await provider.get_ticket(ticket_id)
    assert [c.kind for c in await polled(provider, made.created_at) if c.ticket_id == made.id] == [
        ChangeKind.DELETED
    ]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"assignee": Person("", "Nobody Here")}, "assignee"),
        ({"assignee": Person("", email="x^ORactive=true")}, "assignee"),
        ({"assignee": Person("0" * 32)}, "assignee"),
        ({"completion_date": datetime(2026, 1, 1, tzinfo=UTC)}, "completion_date"),
        ({"status": "Nonsense"}, "status"),
        ({"tags": ("a,b",)}, "tags"),
        ({"parent": "INC0999999"}, "parent"),
        ({"project": "x^y"}, "project"),
    ],
)
async def test_a_refused_draft_names_the_field_and_makes_nothing(
    instance: Instance, fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(RejectedError) as caught:
        await make(instance.provider(), **fields)
    assert named in caught.value.fields
    assert not instance.ledger("record.create")


async def test_without_a_column_tags_are_left_out_and_told(instance: Instance) -> None:
    provider = instance.provider(tags_field="")
    made = await make(provider, tags=("a",))
    assert made.unmapped["not_kept"] == ["tags"]
    with pytest.raises(RejectedError):
        await provider.patch_ticket(made.id, TicketPatch({"tags": ("a",)}))


async def test_a_text_that_is_too_long_is_cut_where_people_see_it(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider, "t" * 300, description="d" * 10_000_000)
    assert made.title == "t" * 159 + "…"
    assert len(made.description) == 4000
    assert made.description.endswith("(cut by Callout: the column is full)")
    assert made.unmapped["cut"] == ["description"]


async def test_the_link_back_is_on_the_record(instance: Instance) -> None:
    link = "https://callout.example/incidents/INC-7"
    made = await make(instance.provider(), key="callout-inc-7", back_link=link)
    task = instance.task(made.key)
    assert (task["correlation_id"], task["correlation_display"]) == ("callout-inc-7", link)
    assert made.url == f"{instance.url}/nav_to.do?uri=incident.do%3Fsys_id%3D{made.id}"


async def test_trouble_with_the_state_is_told_beside_the_ticket(instance: Instance) -> None:
    made = await make(instance.provider(), issue_type="change_request", status="Closed")
    assert "status" in made.unmapped
    assert made.status == "New"
    assert len(instance.ledger("record.create")) == 1


async def test_a_security_incident_takes_its_priority(instance: Instance) -> None:
    provider = instance.provider(sir=True, custom_field_mappings=[])
    made = await make(provider, priority=Priority.URGENT)
    assert (made.project, made.priority, made.status) == ("sn_si_incident", Priority.CRITICAL, "Draft")
    done = await provider.patch_ticket(made.id, TicketPatch({"status": "category:done"}))
    assert (done.status, done.unmapped["close_code"]) == ("Closed", "Threat mitigated")
    back = await provider.patch_ticket(made.id, TicketPatch({"status": "category:active"}))
    assert back.status == "Analysis"
    again = {"close_code": "False positive"}
    done = await provider.patch_ticket(made.id, TicketPatch({"status": "Closed"}, transition_fields=again))
    assert done.unmapped["close_code"] == "False positive"


# Queries


@pytest.mark.parametrize("text", ["a^b", "=x", "x^NQactive=true", "javascript:gs.x()", " y"])
async def test_texts_that_cannot_be_said_are_still_found_and_paged(instance: Instance, text: str) -> None:
    provider = instance.provider()
    made = [await make(provider, title) for title in (text, "b", f"{text} 2", "zz")]
    wanted = TicketFilter("summary", "eq", (made[0].title,))
    page = await provider.query_tickets(TicketQuery((wanted,)))
    assert [ticket.id for ticket in page.items] == [made[0].id]
    for descending in (False, True):
        seen: list[str] = []
        cursor = ""
        while True:
            query = TicketQuery((), (TicketOrder("summary", descending),), 1, cursor)
            page = await provider.query_tickets(query)
            seen += [ticket.title for ticket in page.items]
            cursor = page.cursor
            if not cursor:
                break
        assert seen == sorted((ticket.title for ticket in made), reverse=descending)


async def test_empty_values_are_paged_through_in_both_orders(instance: Instance) -> None:
    provider = instance.provider()
    due = datetime(2026, 5, 1, tzinfo=UTC)
    dates = [None, due, None, due + timedelta(days=1), due, None]
    for number, date in enumerate(dates):
        await make(provider, str(number), due_date=date)
    for descending in (False, True):
        seen: list[datetime | None] = []
        ids: set[str] = set()
        cursor = ""
        while True:
            order = (TicketOrder("due_date", descending), TicketOrder("assignee"))
            page = await provider.query_tickets(TicketQuery((), order, 1, cursor))
            seen += [ticket.due_date for ticket in page.items]
            ids |= {ticket.id for ticket in page.items}
            cursor = page.cursor
            if not cursor:
                break
        expected = sorted(dates, key=lambda date: (date is not None, date or due), reverse=descending)
        assert seen == expected
        assert len(ids) == len(dates)


async def test_an_order_that_no_column_gives_is_refused(instance: Instance) -> None:
    with pytest.raises(InvalidRequestError):
        await instance.provider().query_tickets(TicketQuery(order=(TicketOrder("description"),)))


async def test_hidden_records_shorten_pages_and_end_nothing(instance: Instance) -> None:
    """The limit comes before the rights: whole pages may be hidden, and more follows."""
    own = {"as": "carla.customer"}
    first = instance.act("create_record", fields={"short_description": "mine"}, **own)
    for number in range(5):
        instance.act("create_record", fields={"short_description": f"not hers {number}"})
    last = instance.act("create_record", fields={"short_description": "mine too"}, **own)
    carla = instance.provider(username="carla.customer", secret="carla")
    seen: list[str] = []
    cursor = ""
    while True:
        page = await carla.query_tickets(TicketQuery(limit=2, cursor=cursor))
        seen += [ticket.id for ticket in page.items]
        cursor = page.cursor
        if not cursor:
            break
    assert sorted(seen) == sorted([first["sys_id"], last["sys_id"]])


# Polling


async def test_a_second_full_of_changes_is_read_to_its_end(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from callout.connectors.servicenow import changes  # noqa: PLC0415

    monkeypatch.setattr(changes, "PAGE", 3)
    provider = instance.provider()
    start = instance.now()
    made = {(await make(provider, str(number))).id for number in range(17)}
    found = [
        change.ticket_id for change in await polled(provider, start) if change.kind is ChangeKind.CREATED
    ]
    assert len(found) == len(set(found))
    assert set(found) == made


async def test_files_are_told_although_their_record_did_not_change(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    instance.pass_time(timedelta(hours=1))
    start = instance.now()
    instance.act("attach", record=made.key, filename="log.txt", text="x")
    told = [(change.kind, change.ticket_id) for change in await polled(provider, start)]
    assert told == [(ChangeKind.ATTACHED, made.id)]


async def test_changes_come_in_the_order_of_time(instance: Instance) -> None:
    provider = instance.provider(tables=["change_request"])
    start = instance.now()
    first = await make(provider)
    instance.pass_time(timedelta(seconds=5))
    instance.act("attach", record=first.key, filename="log.txt", text="x")
    instance.pass_time(timedelta(seconds=5))
    second = await make(provider, issue_type="change_request")
    instance.pass_time(timedelta(seconds=5))
    instance.act("delete_record", record=first.key)
    found = await polled(provider, start)
    times = [change.occurred_at for change in found]
    assert times == sorted(times, key=lambda at: at or datetime.max.replace(tzinfo=UTC))
    told = [(change.kind, change.ticket_id) for change in found]
    assert told[-2:] == [(ChangeKind.CREATED, second.id), (ChangeKind.DELETED, first.id)]


async def test_comments_of_one_second_keep_their_order_over_pages(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "PAGE", 4)
    provider = instance.provider()
    made = await make(provider)
    for number in range(11):
        instance.act("work_note", record=made.key, text=str(number))
    assert [comment.content for comment in await provider.list_comments(made.id)] == [
        str(n) for n in range(11)
    ]


# Faults


async def test_a_hibernating_instance_is_said_to_hibernate(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    instance.faults.add({"kind": "html"})
    with pytest.raises(UnavailableError) as caught:
        await provider.get_ticket(made.id)
    assert "hibernat" in f"{caught.value.message} {caught.value.remediation}"
    with pytest.raises(UnavailableError):
        await provider.check_connection()


async def test_a_query_that_took_too_long_is_asked_again_for_less(instance: Instance) -> None:
    provider = instance.provider()
    made = {(await make(provider, str(number))).id for number in range(9)}
    await provider.query_tickets(TicketQuery())
    body = {"error": {"message": "Transaction cancelled: maximum execution time exceeded", "detail": ""}}
    instance.faults.add({"kind": "status", "status": 500, "body": body}, path=r"/table/incident$", first=1)
    seen: list[str] = []
    cursor = ""
    while True:
        page = await provider.query_tickets(TicketQuery(limit=8, cursor=cursor))
        seen += [ticket.id for ticket in page.items]
        cursor = page.cursor
        if not cursor:
            break
    assert sorted(seen) == sorted(made)


async def test_an_hourly_limit_says_until_when(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    instance.set(rate_limit=2)
    await provider.get_ticket(made.id)
    with pytest.raises(RateLimitedError) as caught:
        await provider.get_ticket(made.id)
    assert caught.value.retry_after is not None
    assert timedelta() < caught.value.retry_after <= timedelta(hours=1)
    assert "2 calls per hour" in caught.value.message


async def test_the_last_tenth_of_the_hour_is_kept_for_writes(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    await polled(provider, made.created_at)
    instance.set(rate_limit=200)

    async def poll_on() -> None:
        for _ in range(100):
            await polled(provider, made.created_at)

    with pytest.raises(RateLimitedError) as caught:
        await poll_on()
    assert caught.value.status is None, "we stopped by ourselves"
    assert caught.value.retry_after is not None
    assert timedelta() < caught.value.retry_after <= timedelta(hours=1)
    assert "kept for writes" in caught.value.message
    patched = await provider.patch_ticket(made.id, TicketPatch({"title": "still written"}))
    assert patched.title == "still written"


async def test_a_closed_table_is_not_asked_for_with_every_poll(instance: Instance) -> None:
    provider = instance.provider(username="callout.integration", secret="integration")
    made = await make(provider)
    for _ in range(3):
        await polled(provider, made.created_at)
    refused = [e for e in instance.ledger("http") if e["path"].endswith("/sys_audit_delete")]
    assert len(refused) == 1


async def test_a_file_that_is_too_large_is_refused_in_words(instance: Instance) -> None:
    instance.set(upload_limit=10)
    provider = instance.provider()
    made = await make(provider)

    async def content() -> AsyncIterator[bytes]:
        yield b"x" * 11

    with pytest.raises(RejectedError) as caught:
        await provider.create_attachment(made.id, file_name="x", content=content(), media_type="text/plain")
    assert "smaller" in caught.value.remediation


async def test_a_clock_that_is_off_is_told(instance: Instance) -> None:
    class Late:
        def now(self) -> datetime:
            return datetime.now(UTC) - timedelta(minutes=3)

        def monotonic(self) -> float:
            return 0.0

    provider = instance.provider()
    provider._clock = Late()
    report = await provider.check_connection()
    assert any("clocks differ by 1" in warning for warning in report.warnings), report
    assert report.clock_skew > timedelta(minutes=2)


async def test_what_can_be_known_beforehand_is_asked_once(instance: Instance) -> None:
    provider = instance.provider()
    await asyncio.gather(*(make(provider, str(number)) for number in range(3)))
    before = len(instance.ledger("http"))
    await make(provider)
    paths = [entry["path"] for entry in instance.ledger("http")[before:]]
    assert len(paths) == 1, f"the create alone, not {paths}"


async def test_people_are_found_by_name_and_login(instance: Instance) -> None:
    provider = instance.provider()
    by_name = await provider.find_person(name="Ann Lee")
    assert by_name is not None
    assert await provider.find_person(name="ann.lee") == by_name
    assert await provider.find_person(email="ann.lee@example.com") == by_name
    for text in ("x^ORactive=true", "Ann Lee^NQactive=true", "nobody"):
        assert await provider.find_person(name=text) is None
        assert await provider.find_person(email=text) is None
    made = await make(
        provider, assignee=Person("", "Ann Lee"), contact=Person("", email="carla.customer@example.com")
    )
    assert made.assignee == by_name
    assert made.contact is not None
    assert made.contact.name == "Carla Customer"
