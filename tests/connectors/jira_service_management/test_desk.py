"""Clocks, the catalogue, attachments, polling and the connection check of a service project."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from callout.ports.errors import PermissionDeniedError
from callout.ports.provider import PollPosition
from callout.ports.ticketing import TicketDraft, TicketPatch
from tests.connectors.jira.site import JiraSite
from tests.connectors.jira_service_management.desk import DUE, provider_of

GOAL = timedelta(hours=4)


async def test_clocks_are_read(site: JiraSite) -> None:
    provider = provider_of(site, custom_field_mappings=[DUE])
    made = await provider.create_ticket(TicketDraft("DB is down"))
    assert made.created_at is not None
    (clock,) = await provider.list_clocks(made.id)
    assert (clock.name, clock.goal, clock.due_at) == ("Time to resolution", GOAL, made.created_at + GOAL)
    assert (clock.running, clock.breached, clock.paused, clock.stopped_at) == (True, False, False, None)
    assert made.unmapped["sla"]["Time to resolution"]["breached"] is False
    assert made.custom_fields == {"due": (made.created_at + GOAL).isoformat()}
    site.pass_time(timedelta(hours=5))
    (late,) = await provider.list_clocks(made.id)
    assert late.breached
    assert late.remaining is not None
    assert late.remaining < timedelta(0)
    done = await provider.patch_ticket(made.id, TicketPatch({"status": "Done"}))
    (stopped,) = await provider.list_clocks(made.id)
    assert (stopped.running, stopped.stopped_at) == (False, done.completion_date)
    assert done.unmapped["sla"]["Time to resolution"]["breached"] is True


async def test_a_ticket_read_twice_is_the_same_however_its_clock_runs(site: JiraSite) -> None:
    provider = provider_of(site)
    made = await provider.create_ticket(TicketDraft("DB is down"))
    site.pass_time(timedelta(minutes=7))
    assert await provider.get_ticket(made.id) == made


async def test_clocks_cannot_be_set(site: JiraSite) -> None:
    provider = provider_of(site, custom_field_mappings=[DUE])
    made = await provider.create_ticket(TicketDraft("DB is down"))
    with pytest.raises(Exception, match="not on the screen"):
        await provider.patch_ticket(made.id, TicketPatch({"custom_fields": {"due": "2026-01-01"}}))


async def test_who_is_no_agent_reads_requests_without_clocks(site: JiraSite) -> None:
    provider = provider_of(site)
    made = await provider.create_ticket(TicketDraft("DB is down"))
    site.act("licence", user="admin@example.com", agent=False)
    assert "sla" not in (await provider.get_ticket(made.id)).unmapped
    with pytest.raises(PermissionDeniedError):
        await provider.list_clocks(made.id)


async def test_a_poll_says_that_it_does_not_know_clocks(site: JiraSite) -> None:
    provider = provider_of(site, custom_field_mappings=[DUE])
    made = await provider.create_ticket(TicketDraft("DB is down"))
    (change,) = [c async for c in provider.changes_since(PollPosition(), overlap=timedelta(minutes=1))]
    assert (change.ticket_id, change.partial) == (made.id, True)
    assert "custom_fields" not in change.known
    assert "title" in change.known
    (plain,) = [
        c async for c in provider_of(site).changes_since(PollPosition(), overlap=timedelta(minutes=1))
    ]
    assert not plain.partial


async def test_a_file_is_attached_without_a_comment(site: JiraSite) -> None:
    provider = provider_of(site, default_request_type="10")
    made = await provider.create_ticket(TicketDraft("DB is down"))

    async def content() -> AsyncIterator[bytes]:
        yield b"hello"

    info = await provider.create_attachment(
        made.id, file_name="a.txt", content=content(), media_type="text/plain"
    )
    assert [entry.id for entry in await provider.list_attachments(made.id)] == [info.id]
    assert not await provider.list_comments(made.id)


async def test_desks_and_request_types_are_listed(site: JiraSite) -> None:
    provider = provider_of(site)
    assert [desk["projectKey"] for desk in await provider.list_service_desks()] == ["HELP"]
    types = await provider.list_request_types("HELP")
    assert [kind["name"] for kind in types] == [
        "Report a system problem",
        "Ask a question",
        "Report broken hardware",
    ]
    assert [project.id for project in (await provider.list_projects(limit=10, cursor="")).items] == ["HELP"]


async def test_the_catalogue_says_what_a_form_needs(site: JiraSite) -> None:
    provider = provider_of(site, default_request_type="12")
    catalogue = await provider.field_catalogue("", "")
    assert catalogue.issue_type == "Report broken hardware"
    assert {field.id for field in catalogue.fields if field.required} == {"summary", "customfield_10042"}
    assert catalogue.issue_types[0].id == "request:10"
    assert "Incident" in {option.name for option in catalogue.issue_types}
    other = await provider.field_catalogue("HELP", "request:11")
    assert {field.id for field in other.fields if field.required} == {"summary"}


async def test_clocks_are_among_the_fields_a_mapping_may_name(site: JiraSite) -> None:
    provider = provider_of(site)
    assert not [field for field in await provider.list_remote_fields() if field.path.startswith("sla.")]
    await provider.create_ticket(TicketDraft("DB is down"))
    paths = {field.path for field in await provider.list_remote_fields()}
    assert {"sla.Time to resolution.due_at", "sla.Time to resolution.breached", "request_type.name"} <= paths


# The connection check


async def test_a_good_connection_has_nothing_to_say(site: JiraSite) -> None:
    report = await provider_of(site, default_request_type="11").check_connection()
    assert (report.ok, report.warnings) == (True, ())


async def test_a_project_that_is_no_service_project_is_told_in_words(site: JiraSite) -> None:
    report = await provider_of(site, default_project="OPS").check_connection()
    assert not report.ok
    (warning,) = report.warnings
    assert "OPS is a software project, not a service project" in warning
    assert "HELP" in warning


async def test_a_missing_licence_is_told_in_words(site: JiraSite) -> None:
    site.act("licence", user="admin@example.com", agent=False)
    report = await provider_of(site).check_connection()
    (warning,) = report.warnings
    assert "no agent of HELP" in warning
    assert "licence" in warning


async def test_a_site_without_service_management_is_told_in_words(site: JiraSite) -> None:
    site.faults.add({"kind": "status", "status": 403}, path=r"/rest/servicedeskapi/")
    report = await provider_of(site).check_connection()
    assert not report.ok
    assert "no Jira Service Management" in report.warnings[-1]


async def test_an_unknown_request_type_is_told_with_those_there_are(site: JiraSite) -> None:
    report = await provider_of(site, default_request_type="Pizza").check_connection()
    (warning,) = report.warnings
    assert "no request type 'Pizza'" in warning
    assert "Ask a question" in warning


async def test_an_invisible_project_is_told_once(site: JiraSite) -> None:
    report = await provider_of(site, default_project="NOPE").check_connection()
    assert not report.ok
    assert len(report.warnings) == 1
