"""What is Jira's own, against the twin."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callout.connectors.jira import ticketing
from callout.connectors.jira.issues import remote_link
from callout.connectors.jira.ticketing import JiraTicketing
from callout.kit.clock import ManualClock
from callout.ports.errors import (
    InvalidRequestError,
    OutcomeUnknownError,
    RateLimitedError,
    RecordNotFoundError,
    RejectedError,
)
from callout.ports.provider import PollPosition
from callout.ports.ticketing import (
    ChangeKind,
    CommentDraft,
    StatusCategory,
    Ticket,
    TicketDraft,
    TicketFilter,
    TicketPatch,
    TicketQuery,
)
from callout.ports.values import Audience, Person
from tests.connectors.jira.site import JiraSite

ANN = Person("5b10ac8d82e05b22cc7d4ef5", "Ann Agent", "ann@example.com")


async def make(
    provider: JiraTicketing,
    title: str = "DB is down",
    project: str = "OPS",
    **fields: Any,
) -> Ticket:
    return await provider.create_ticket(TicketDraft(title, project=project, **fields))


def raw(site: JiraSite, key: str) -> dict[str, Any]:
    issue: dict[str, Any] = site.control.get("state").json()["issues"][key]
    return issue


# Creating


async def test_what_can_be_known_beforehand_is_asked_once(site: JiraSite) -> None:
    provider = site.provider()
    await make(provider)
    before = len(site.ledger("http"))
    await make(provider)
    paths = [entry["path"] for entry in site.ledger("http")[before:]]
    assert len(paths) == 2, f"the create and the reading back, not {paths}"


async def test_a_link_back_is_made_once_however_often_it_is_written(site: JiraSite) -> None:
    provider = site.provider()
    link = "https://callout.example/incidents/INC-7"
    made = await make(provider, key="callout-inc-7", back_link=link)
    answer = await provider._client._get(f"/issue/{made.id}/remotelink", {}, doing="test")
    assert [(entry["globalId"], entry["object"]["url"]) for entry in answer] == [
        ("callout=callout-inc-7", link)
    ]
    draft = TicketDraft("x", key="callout-inc-7", back_link=link)
    await provider._client.create_or_update_remote_link(made.id, remote_link(draft))
    answer = await provider._client._get(f"/issue/{made.id}/remotelink", {}, doing="test")
    assert len(answer) == 1


async def test_trouble_after_the_create_is_told_beside_the_ticket(site: JiraSite) -> None:
    provider = site.provider()
    site.faults.add({"kind": "status", "status": 403}, path="remotelink|transitions")
    made = await make(provider, back_link="https://callout.example/x", status="Done", project="TST")
    assert set(made.unmapped) >= {"back_link", "status"}
    assert made.status == "To Do"
    assert len(site.ledger("issue.create")) == 1


async def test_the_default_project_and_type_are_used(site: JiraSite) -> None:
    provider = site.provider(default_project="TST", default_issue_type="Bug")
    made = await provider.create_ticket(TicketDraft("x"))
    assert (made.project, made.issue_type) == ("TST", "Bug")
    elsewhere = await make(provider, "y", project="OPS")
    page = await provider.query_tickets(TicketQuery())
    assert [ticket.id for ticket in page.items] == [made.id]
    page = await provider.query_tickets(TicketQuery((TicketFilter("project", "eq", ("OPS",)),)))
    assert [ticket.id for ticket in page.items] == [elsewhere.id]


async def test_an_incident_type_is_preferred_where_none_is_named(site: JiraSite) -> None:
    assert (await make(site.provider())).issue_type == "Incident"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"project": ""}, "project"),
        ({"issue_type": "Epic"}, "issue_type"),
        ({"assignee": Person("", "Nobody Here")}, "assignee"),
        ({"assignee": Person("nobody@example.com")}, "assignee"),
        ({"completion_date": datetime(2026, 1, 1, tzinfo=UTC)}, "completion_date"),
        ({"status": "Nonsense"}, "status"),
        ({"tags": ("two words",)}, "tags"),
        ({"parent": "OPS-999"}, "parent"),
    ],
)
async def test_a_refused_draft_names_the_field_and_makes_nothing(
    site: JiraSite, fields: dict[str, Any], named: str
) -> None:
    with pytest.raises(RejectedError) as caught:
        await make(site.provider(), **fields)
    assert named in caught.value.fields
    assert not site.ledger("issue.create")


async def test_a_ticket_that_cannot_be_read_back_is_not_made_twice(site: JiraSite) -> None:
    provider = site.provider()
    await make(provider)
    site.faults.add({"kind": "status", "status": 503}, method="GET", path=r"/issue/\d+$")
    with pytest.raises(OutcomeUnknownError):
        await make(provider, "lost", key="callout-inc-3")
    site.faults.clear()
    assert [ticket.title for ticket in await provider.find_by_key("callout-inc-3")] == ["lost"]


async def test_an_own_new_issue_is_found_however_far_search_lags(site: JiraSite) -> None:
    provider = site.provider()
    site.set(search_lag=3600.0)
    made = await make(provider, key="callout-inc-4")
    assert [ticket.id for ticket in await provider.find_by_key("callout-inc-4")] == [made.id]


# Status


async def test_a_move_over_several_hops_takes_the_resolution_it_needs(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider)
    done = await provider.patch_ticket(made.id, TicketPatch({"status": "category:done"}))
    assert (done.status, done.unmapped["resolution"]) == ("Done", "Done")
    assert done.completion_date is not None
    assert len(site.ledger("issue.transition")) == 2


async def test_a_given_resolution_is_used(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider)
    patch = TicketPatch({"status": "Done"}, transition_fields={"Resolution": "duplicate"})
    assert (await provider.patch_ticket(made.id, patch)).unmapped["resolution"] == "Duplicate"


async def test_a_resolution_that_nobody_knows_is_refused_with_the_allowed_ones(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider)
    patch = TicketPatch({"status": "Done"}, transition_fields={"resolution": "Magic"})
    with pytest.raises(RejectedError) as caught:
        await provider.patch_ticket(made.id, patch)
    assert "Won't Do" in caught.value.fields["Resolution"]


async def test_reopening_and_changing_go_together(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider, project="TST")
    await provider.patch_ticket(made.id, TicketPatch({"status": "Done"}))
    patch = TicketPatch({"status": "category:new", "title": "It is back"})
    again = await provider.patch_ticket(made.id, patch)
    assert (again.title, again.status_category) == ("It is back", StatusCategory.NEW)


async def test_transitions_name_their_required_fields(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider)
    await provider.patch_ticket(made.id, TicketPatch({"status": "In Progress"}))
    moves = {move.to_status: move for move in await provider.list_transitions(made.id)}
    (resolution,) = moves["Done"].fields
    assert (resolution.id, resolution.required) == ("resolution", True)
    assert "Won't Do" in {option.name for option in resolution.options}


async def test_a_project_cannot_be_changed_and_says_so(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider)
    with pytest.raises(RejectedError) as caught:
        await provider.patch_ticket(made.id, TicketPatch({"project": "TST"}))
    assert "project" in caught.value.fields
    assert (await provider.patch_ticket(made.id, TicketPatch({"project": "OPS"}))).project == "OPS"


async def test_labels_that_others_add_meanwhile_stay(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider, tags=("a", "b"), key="callout-inc-5")
    body = {"labels": [{"remove": "a"}]}
    site.act("edit_issue", issue=made.key, update={"labels": [{"add": "theirs"}]})
    await provider._client.edit_issue(made.id, {"update": body})
    assert set((await provider.get_ticket(made.id)).tags) == {"b", "theirs"}


# Comments and audience


async def test_a_service_desk_keeps_public_and_internal_comments_apart(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider, project="HELP")
    internal = await provider.create_comment(made.id, CommentDraft("for us", Audience.RESPONDERS))
    public = await provider.create_comment(made.id, CommentDraft("for you", Audience.CUSTOMER))
    assert (internal.audience, public.audience) == (Audience.RESPONDERS, Audience.CUSTOMER)
    facts = {
        entry["summary"]["body"]: entry["summary"]["internal"] for entry in site.ledger("comment.create")
    }
    assert facts == {"for us": True, "for you": False}
    listed = await provider.list_comments(made.id)
    assert [comment.audience for comment in listed] == [Audience.RESPONDERS, Audience.CUSTOMER]
    with pytest.raises(RejectedError):
        await provider.create_comment(made.id, CommentDraft("secret", Audience.INTERNAL))
    assert len(site.ledger("comment.create")) == 2


async def test_a_customers_comment_is_the_customers(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider, project="HELP")
    site.act("comment", issue=made.key, body="When is it *fixed*?")
    (comment,) = await provider.list_comments(made.id)
    assert comment.audience is Audience.CUSTOMER
    assert comment.author == ANN
    assert comment.mark == ""


async def test_a_comment_is_opened_by_who_said_it(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider)
    comment = await provider.create_comment(made.id, CommentDraft("hi", author_name="Zoë *Z*"))
    assert comment.content.splitlines()[0] == r"**Zoë \*Z\*:**"
    assert comment.content.endswith("hi")


# Attachments


async def test_a_download_shows_no_credentials_to_the_media_host(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider)
    site.act("attach", issue=made.key, filename="a.txt", text="hello")
    (info,) = await provider.list_attachments(made.id)
    data = b"".join([chunk async for chunk in provider.download_attachment(made.id, info.id)])
    assert data == b"hello"
    assert not site.ledger("media.credentials_seen")
    assert any("_media" in entry["path"] for entry in site.ledger() if "path" in entry)


async def test_a_file_too_large_for_us_never_leaves(site: JiraSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticketing, "MAX_UPLOAD_BYTES", 10)
    provider = site.provider()
    made = await make(provider)

    async def pieces() -> Any:
        yield b"12345678"
        yield b"9012"

    with pytest.raises(RejectedError):
        await provider.create_attachment(made.id, file_name="x", content=pieces(), media_type="text/plain")
    assert not site.ledger("attachment.create")


async def test_a_file_too_large_for_jira_is_refused_in_words(site: JiraSite) -> None:
    site.set(upload_limit=5)
    provider = site.provider()
    made = await make(provider)

    async def pieces() -> Any:
        yield b"123456"

    with pytest.raises(RejectedError) as caught:
        await provider.create_attachment(made.id, file_name="x", content=pieces(), media_type="text/plain")
    assert caught.value.status == 413
    assert "maximum size" in caught.value.message


# Moves, people, connection


async def test_a_moved_issue_is_found_under_its_old_key(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider)
    site.act("move_issue", issue=made.key, project="TST")
    moved = await provider.get_ticket(made.key)
    assert (moved.id, moved.project) == (made.id, "TST")
    assert moved.key != made.key


async def test_a_deleted_issue_is_not_found(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider)
    site.act("delete_issue", issue=made.key)
    with pytest.raises(RecordNotFoundError):
        await provider.get_ticket(made.id)


@pytest.mark.parametrize(
    "person", [ANN, Person("ann@example.com"), Person("", "", "ANN@example.com"), Person("", "Ann Agent")]
)
async def test_people_are_known_by_id_mail_or_name(site: JiraSite, person: Person) -> None:
    made = await make(site.provider(), assignee=person)
    assert made.assignee == ANN


async def test_a_hidden_mail_is_nobody_rather_than_a_guess(site: JiraSite) -> None:
    provider = site.provider()
    assert await provider.find_person(email="carol@example.com") is None
    found = await provider.find_person(name="Carol Quiet")
    assert found is not None
    assert found.email == ""


async def test_the_connection_check_tells_zone_and_missing_rights(site: JiraSite) -> None:
    report = await site.provider(default_project="OPS").check_connection()
    assert (report.ok, report.time_zone, report.warnings) == (True, "Europe/Berlin", ())
    assert report.account is not None
    assert report.account.email == "admin@example.com"
    carol = site.provider(username="carol@example.com", secret="token3", default_project="OPS")
    report = await carol.check_connection()
    assert report.ok
    assert "Browse Projects" in report.warnings[0]


async def test_the_connection_check_notices_a_wrong_clock(site: JiraSite) -> None:
    site.clock = ManualClock(datetime.now(UTC) - timedelta(minutes=10))
    report = await site.provider().check_connection()
    assert timedelta(minutes=9, seconds=50) < report.clock_skew < timedelta(minutes=10, seconds=10)
    assert any("NTP" in warning for warning in report.warnings)


async def test_an_address_that_is_no_jira_is_told_apart(site: JiraSite) -> None:
    with pytest.raises(RecordNotFoundError):
        await site.provider(url=site.url.replace("/jira", "/nothing")).check_connection()


async def test_remote_fields_tell_choices_of_the_default_project(site: JiraSite) -> None:
    fields = {field.name: field for field in await site.provider(default_project="TST").list_remote_fields()}
    assert [option.name for option in fields["Environment name"].options] == ["Production", "Staging", "Test"]
    assert fields["Environment name"].kind == "enum"
    assert fields["Environment name"].scope == "integration_custom"


@pytest.mark.parametrize(
    ("path", "value", "read"),
    [
        ("customfield_10040", "text", "text"),
        ("customfield_10041", "All *of* them", "All _of_ them"),
        ("customfield_10042", "staging", "Staging"),
        ("customfield_10042.value", "Staging", "Staging"),
        ("customfield_10043", "12.5", 12.5),
        ("customfield_10044", ["Europe", "10023"], ["Europe", "Asia"]),
        ("customfield_10046", ANN.id, ANN.id),
        ("customfield_10047", ["a", "b"], ["a", "b"]),
    ],
)
async def test_custom_fields_of_every_kind_round_trip(
    site: JiraSite, path: str, value: object, read: object
) -> None:
    mapping = {"name": "f", "project_id": "OPS", "project_field_path": path}
    provider = site.provider(custom_field_mappings=[mapping])
    made = await make(provider, custom_fields={"f": value})
    assert made.custom_fields == {"f": read}
    changed = await provider.patch_ticket(made.id, TicketPatch({"custom_fields": {"f": value}}))
    assert changed.custom_fields == {"f": read}


async def test_a_custom_choice_that_is_not_allowed_lists_the_allowed(site: JiraSite) -> None:
    mapping = {"name": "environment", "project_id": "*", "provider_field_path": "customfield_10042"}
    with pytest.raises(RejectedError) as caught:
        await make(site.provider(custom_field_mappings=[mapping]), custom_fields={"environment": "Moon"})
    assert "Production, Staging, Test" in caught.value.fields["environment"]


# Search and polling


@pytest.mark.parametrize(
    "value",
    ['x" OR project = TST OR labels = "y', "\\", '"', "x\\", "a\nb", "*", "O'Brien", "(", "currentUser()"],
)
@pytest.mark.parametrize("field", ["tags", "assignee", "summary", "id"])
async def test_no_filter_value_gets_out_of_its_quotes(site: JiraSite, field: str, value: str) -> None:
    provider = site.provider()
    await make(provider, project="TST")
    await make(provider, project="OPS")
    query = TicketQuery((TicketFilter("project", "eq", ("OPS",)), TicketFilter(field, "eq", (value,))))
    assert not (await provider.query_tickets(query)).items


async def test_a_value_that_jira_does_not_know_is_the_filters_fault(site: JiraSite) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await site.provider().query_tickets(TicketQuery((TicketFilter("status", "eq", ("Nonsense",)),)))
    assert "filter" in caught.value.fields


async def test_a_change_while_polling_hides_no_other(site: JiraSite) -> None:
    """Each issue edited during the walk leaves its place; those behind it move up over the page border."""
    site.set(page_limit=3)
    provider = site.provider()
    made = []
    for number in range(9):
        made.append(await make(provider, f"ticket {number}", project="TST"))
        site.pass_time(timedelta(minutes=1))
    seen: list[str] = []
    disturbed = 0
    async for change in provider.changes_since(PollPosition(), overlap=timedelta(minutes=5)):
        seen.append(change.ticket_id)
        if disturbed < 3:
            site.act("edit_issue", issue=made[disturbed].key, fields={"summary": f"edited {disturbed}"})
            disturbed += 1
    assert {ticket.id for ticket in made} <= set(seen)


async def test_polling_sees_what_people_wrote_and_when(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider, project="HELP")
    site.act("comment", issue=made.key, body="long ago")
    site.pass_time(timedelta(hours=2))
    start = site.now() - timedelta(minutes=1)
    for number in range(25):
        site.act("comment", issue=made.key, body=f"said {number}", internal=number % 2 == 0)
    found = [c async for c in provider.changes_since(PollPosition(start), overlap=timedelta(minutes=5))]
    said = [change.comment for change in found if change.comment is not None]
    assert [comment.content for comment in said] == [f"said {number}" for number in range(25)]
    assert said[0].audience is Audience.RESPONDERS
    assert said[1].audience is Audience.CUSTOMER
    assert {change.kind for change in found} == {ChangeKind.UPDATED, ChangeKind.COMMENTED}
    assert all(change.actor == ANN for change in found if change.comment)


@pytest.mark.parametrize("zone", ["America/St_Johns", "Asia/Kolkata", "Pacific/Kiritimati", "UTC"])
async def test_times_are_asked_in_the_accounts_zone(site: JiraSite, zone: str) -> None:
    site.set(admin_time_zone=zone)
    provider = site.provider()
    first = await make(provider, "first")
    site.pass_time(timedelta(minutes=10))
    middle = site.now() - timedelta(minutes=5)
    second = await make(provider, "second")
    for operator, wanted in (("gte", second.id), ("lt", first.id)):
        condition = TicketFilter("created_at", operator, (middle.isoformat(),))
        assert [ticket.id for ticket in (await provider.query_tickets(TicketQuery((condition,)))).items] == [
            wanted
        ]
    found = [c async for c in provider.changes_since(PollPosition(middle), overlap=timedelta(seconds=1))]
    assert {change.ticket_id for change in found} == {second.id}


async def test_concurrent_calls_do_not_disturb_each_other(site: JiraSite) -> None:
    provider = site.provider()
    made = await asyncio.gather(*(make(provider, f"ticket {n}", key=f"callout-inc-{n}") for n in range(8)))
    assert len({ticket.id for ticket in made}) == 8
    found = await asyncio.gather(*(provider.find_by_key(f"callout-inc-{n}") for n in range(8)))
    assert [ticket.id for (ticket,) in found] == [ticket.id for ticket in made]


async def test_the_reason_of_a_rate_limit_is_told(site: JiraSite) -> None:
    provider = site.provider()
    made = await make(provider)
    headers = {"RateLimit-Reason": "jira-per-issue-on-write"}
    site.faults.add({"kind": "status", "status": 429, "headers": headers}, method="PUT")
    with pytest.raises(RateLimitedError) as caught:
        await provider.patch_ticket(made.id, TicketPatch({"title": "x"}))
    assert caught.value.vendor_code == "jira-per-issue-on-write"
    assert "too many writes to this issue" in caught.value.message
