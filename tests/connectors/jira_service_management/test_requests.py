"""Requests made through forms: what goes into the form, what follows, and how a lost answer is found."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from callout.connectors.jira.service_management import marks
from callout.ports.errors import OutcomeUnknownError, RejectedError
from callout.ports.ticketing import TicketDraft
from callout.ports.values import Person, Priority
from tests.connectors.jira.site import EXTERNAL_REFERENCE, JiraSite
from tests.connectors.jira_service_management.desk import KIND, provider_of

ENVIRONMENT = {"name": "environment", "project_id": "*", "provider_field_path": "customfield_10042"}
ANN = Person("5b10ac8d82e05b22cc7d4ef5", "Ann Agent", "ann@example.com")


async def test_a_request_is_made_once_and_completed(site: JiraSite) -> None:
    provider = provider_of(site, default_request_type="11", custom_field_mappings=[EXTERNAL_REFERENCE, KIND])
    due = datetime(2026, 5, 1, tzinfo=UTC)
    made = await provider.create_ticket(
        TicketDraft(
            "VPN is\ndown",
            "1. _since_ noon\n2. for all",
            priority=Priority.LOW,
            assignee=ANN,
            contact=ANN,
            tags=("vpn",),
            due_date=due,
            custom_fields={"reference": "R-7"},
            key="callout-inc-3",
            back_link="https://callout.example/i/3",
            status="In Progress",
        )
    )
    assert (made.title, made.description) == ("VPN is down", "1. _since_ noon\n2. for all")
    assert (made.priority, made.assignee, made.contact) == (Priority.LOW, ANN, ANN)
    assert (made.tags, made.due_date, made.status) == (("vpn",), due, "In Progress")
    assert made.custom_fields == {"reference": "R-7", "asked for": "Ask a question"}
    assert "callout-inc-3" in made.marks
    assert made.unmapped["request_type"] == {"id": "11", "name": "Ask a question"}
    assert not {"mark", "fields", "status", "back_link", "not_on_screen"} & set(made.unmapped)
    assert len(site.ledger("issue.create")) == 1
    assert [ticket.id for ticket in await provider.find_by_key("callout-inc-3")] == [made.id]


@pytest.mark.parametrize("wanted", ["ask a question", "request:11"])
async def test_a_draft_may_name_a_request_type(site: JiraSite, wanted: str) -> None:
    provider = provider_of(site, default_request_type="10")
    made = await provider.create_ticket(TicketDraft("VPN", issue_type=wanted))
    assert made.unmapped["request_type"]["id"] == "11"
    assert made.issue_type == "Task"


async def test_an_issue_type_makes_an_issue_without_a_form(site: JiraSite) -> None:
    provider = provider_of(site, default_request_type="10")
    await provider.create_ticket(TicketDraft("VPN", issue_type="Bug"))
    assert not [entry for entry in site.ledger() if entry.get("path", "").endswith("/servicedeskapi/request")]


async def test_a_field_that_the_form_needs_is_named_before_anything_is_made(site: JiraSite) -> None:
    provider = provider_of(
        site, default_request_type="Report broken hardware", custom_field_mappings=[ENVIRONMENT]
    )
    with pytest.raises(RejectedError) as caught:
        await provider.create_ticket(TicketDraft("Screen is dark"))
    assert list(caught.value.fields) == ["custom_fields/environment"]
    assert "Environment name" in caught.value.message
    assert not site.ledger("issue.create")
    made = await provider.create_ticket(
        TicketDraft("Screen is dark", custom_fields={"environment": "Production"})
    )
    assert made.custom_fields == {"environment": "Production"}


async def test_an_unknown_request_type_is_refused_with_those_there_are(site: JiraSite) -> None:
    provider = provider_of(site, default_request_type="Order a pizza")
    with pytest.raises(RejectedError) as caught:
        await provider.create_ticket(TicketDraft("x"))
    assert "Ask a question" in caught.value.fields["issue_type"]


async def test_a_project_that_is_no_service_project_is_refused(site: JiraSite) -> None:
    provider = provider_of(site, default_project="OPS")
    with pytest.raises(RejectedError) as caught:
        await provider.create_ticket(TicketDraft("x"))
    assert caught.value.fields == {"project": "not a service project"}
    assert "HELP" in caught.value.message
    with pytest.raises(RejectedError):
        await provider.list_request_types("OPS")


async def test_a_form_whose_answer_is_lost_is_found_and_shows_nothing_of_it(site: JiraSite) -> None:
    provider = provider_of(site, default_request_type="10")
    site.faults.add(
        {"kind": "disconnect_after_write"}, method="POST", path=r"/servicedeskapi/request$", first=1
    )
    with pytest.raises(OutcomeUnknownError):
        await provider.create_ticket(TicketDraft("lost", "Text.", key="callout-inc-4"))
    (found,) = await provider_of(site).find_by_key("callout-inc-4")
    assert (found.title, found.description) == ("lost", "Text.")
    assert "callout-inc-4" in found.marks
    assert not await provider.find_by_key("callout-inc-5")


async def test_trouble_after_the_form_is_told_beside_the_request(site: JiraSite) -> None:
    provider = provider_of(site, default_request_type="10")
    site.faults.add({"kind": "status", "status": 503}, method="PUT", path=r"/rest/api/3/issue/")
    made = await provider.create_ticket(TicketDraft("half", "Text.", assignee=ANN, key="callout-inc-6"))
    assert {"mark", "fields"} <= set(made.unmapped)
    assert made.description == "Text."
    assert [ticket.id for ticket in await provider_of(site).find_by_key("callout-inc-6")] == [made.id]


async def test_a_customer_cannot_make_a_request_look_like_ours(site: JiraSite) -> None:
    """The line that carries our key counts only in what our own account made."""
    text = marks.description_text("Help!", "callout-inc-7")
    site.act("create_issue", fields={"project": "HELP", "summary": "x", "description": text})
    assert not await provider_of(site).find_by_key("callout-inc-7")
