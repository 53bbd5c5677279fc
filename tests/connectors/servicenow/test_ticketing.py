"""Records: where they go, how they are found, what cannot be kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from callout.ports.errors import (
    RecordNotFoundError,
    RejectedError,
)
from callout.ports.ticketing import (
    ChangeKind,
    TicketPatch,
)
from callout.ports.values import Person, Priority
from tests.connectors.servicenow.instance import Instance, make, polled


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
