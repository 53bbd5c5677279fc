"""The contract's own checklist (its sections 15 and 16), as far as it is about operations: one test a line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from synqly.engine import BadRequestError, ConflictError
from synqly.engine.ticketing import Priority

from tests.server.desk import problem_of
from tests.unified.test_ticketing_faults import send
from tests.unified.test_ticketing_operations import PROVIDERS, Provider, connected, each_provider, replace

if TYPE_CHECKING:
    from tests.unified.sdk import Sdk

MOCK, JIRA, SERVICENOW, _, PAGERDUTY = PROVIDERS
TICKETS = "/v1/ticketing/tickets"


@each_provider
async def test_1_the_cursor_is_always_a_text(sdk: Sdk, provider: Provider) -> None:
    one = await connected(sdk, provider)
    for path in ("tickets", "projects", "remote-fields"):
        answer = await send(sdk, one, "GET", f"/v1/ticketing/{path}")
        assert isinstance(answer.json()["cursor"], str), path


@each_provider
async def test_2_patches_are_taken_as_either_media_type(sdk: Sdk, provider: Provider) -> None:
    one = await connected(sdk, provider)
    ticket = (await one.engine.ticketing.create_ticket(name="patched")).result.id
    for number, kind in enumerate(("application/json", "application/json-patch+json")):
        answer = await sdk.http.patch(
            f"{sdk.url}{TICKETS}/{ticket}",
            content=f'[{{"op": "replace", "path": "/summary", "value": "patched {number}"}}]',
            headers={"authorization": f"Bearer {one.token}", "content-type": kind},
        )
        assert answer.json()["result"]["summary"] == f"patched {number}"


@each_provider
async def test_4_priorities_are_the_seven_and_no_others(sdk: Sdk, provider: Provider) -> None:
    api = (await connected(sdk, provider)).engine.ticketing
    for wanted in ("URGENT", "CRITICAL", "HIGH", "MEDIUM", "MODERATE", "LOW", "PLANNING"):
        made = (await api.create_ticket(name=wanted, priority=wanted)).result
        told = sdk.raw["result"].get("priority")
        assert told in {one.value for one in Priority if not one.name.startswith("_")}
        assert (await api.get_ticket(made.id)).result.priority == told
        if provider is MOCK:
            assert told == wanted


@each_provider
async def test_10_ids_are_safe_in_a_path(sdk: Sdk, provider: Provider) -> None:
    api = (await connected(sdk, provider)).engine.ticketing
    ticket = (await api.create_ticket(name="ids")).result
    comment = (await api.create_comment(ticket.id, content="x")).result
    projects = [one.id for one in (await api.list_projects()).result]
    for found in (ticket.id, ticket.key, comment.id, *projects):
        assert re.fullmatch(r"[A-Za-z0-9._~-]+", found), found


async def test_12_what_a_tier_leaves_out_is_a_problem_too(sdk: Sdk) -> None:
    one = await connected(sdk, MOCK)
    for path in ("/v1/operations/1", "/v1/jobs", "/v1/jobs/history"):
        answer = await send(sdk, one, "GET", path)
        assert problem_of(answer, answer.status_code)["status"] in {404, 501}


async def test_13_lists_without_paging_are_whole(sdk: Sdk) -> None:
    for provider in (JIRA, SERVICENOW):
        api = (await connected(sdk, provider)).engine.ticketing
        ticket = (await api.create_ticket(name="much said")).result.id
        for number in range(55):
            await api.create_comment(ticket, content=f"said {number}")
        assert len((await api.list_comments(ticket)).result) == 55


async def test_16_the_test_provider_reads_back_what_was_given(sdk: Sdk) -> None:
    mappings = [{"name": "effort", "project_id": "*", "provider_field_path": "fields.effort"}]
    one = await connected(sdk, MOCK, custom_field_mappings=mappings)
    given: dict[str, Any] = {
        "summary": "whole",
        "status": "Waiting for nobody",
        "tags": ["one", "two words"],
        "issue_type": "Story",
        "creator": "ann@example.com",
        "assignee": "Bob the Builder",
        "contact": "c-17",
        "due_date": datetime(2026, 12, 24, 18, 30, tzinfo=UTC),
        "completion_date": datetime(2027, 1, 2, tzinfo=UTC),
        "parent": "10001",
        "description": "**all** of it",
        "priority": "MODERATE",
        "project": "OPS",
        "custom_fields": {"effort": {"points": [1, 2, 3]}},
    }
    made = (await one.engine.ticketing.create_ticket(name="whole", **given)).result
    read = (await one.engine.ticketing.get_ticket(made.id)).result
    assert {name: getattr(read, name) for name in given} == given


async def test_16_filters_and_orders_work_on_every_field(sdk: Sdk) -> None:
    one = await connected(sdk, MOCK)
    api = one.engine.ticketing
    fields = {
        "status": ("Alpha", "Beta"),
        "priority": ("LOW", "URGENT"),
        "creator": ("ann", "bob"),
        "assignee": ("ann", "bob"),
        "contact": ("ann", "bob"),
        "issue_type": ("Alpha", "Beta"),
        "parent": ("1", "2"),
        "description": ("alpha", "beta"),
        "due_date": ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
        "completion_date": ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
    }
    first = (
        await api.create_ticket(name="a first", tags=["x"], **{n: v[0] for n, v in fields.items()})
    ).result
    second = (
        await api.create_ticket(name="b second", tags=["y"], **{n: v[1] for n, v in fields.items()})
    ).result
    values = {
        **fields,
        "name": ("a first", "b second"),
        "summary": ("a first", "b second"),
        "tags": ("x", "y"),
    }
    values |= {"id": (first.id, second.id)}
    values |= {"created_at": (first.created_at.isoformat(), second.created_at.isoformat())}
    for name, (low, high) in values.items():
        for text, wanted in (
            (f"{name}[eq]{low}", [first.id]),
            (f'{name}[eq]"{low}"', [first.id]),
            (f"{name}={low}", [first.id]),
            (f"{name}[ne]{low}", [second.id]),
            (f"{name}[neq]{low}", [second.id]),
            (f"{name}[in]{low}, {high}", [first.id, second.id]),
            (f"{name}[not in]{low}", [second.id]),
            (f"{name}[not_in]{low},{high}", []),
        ):
            found = await api.query_tickets(filter=text)
            assert [ticket.id for ticket in found.result] == wanted, text
        for direction, wanted in (("asc", [first.id, second.id]), ("desc", [second.id, first.id])):
            found = await api.query_tickets(order=f"{name}[{direction}]")
            assert [ticket.id for ticket in found.result] == wanted, (name, direction)
    for text, wanted in (
        ("name[like]FIRST", [first.id]),
        ("name[like]first*", []),
        ("name[like]a*", [first.id]),
        ("name[not like]a*", [second.id]),
        ("priority[gt]LOW", [second.id]),
        ("priority[eq]low", [first.id]),
        ("status[eq]aLPHA", [first.id]),
        ("due_date[lt]2026-01-15", [first.id]),
        ("created_at[gte]2020-01-01T00:00:00Z", [first.id, second.id]),
    ):
        found = await api.query_tickets(filter=text, order="time")
        assert [ticket.id for ticket in found.result] == wanted, text
    both = await api.query_tickets(
        filter=["status[in]Alpha,Beta", "priority[eq]URGENT"], order=["name", "id"]
    )
    assert [ticket.id for ticket in both.result] == [second.id]


@each_provider
async def test_16_a_patch_that_fails_leaves_everything_as_it_was(sdk: Sdk, provider: Provider) -> None:
    api = (await connected(sdk, provider)).engine.ticketing
    made = (await api.create_ticket(name="as it was")).result
    with pytest.raises(BadRequestError):
        await api.patch_ticket(made.id, request=[replace("/summary", "new"), replace("/id", "7")])
    with pytest.raises(ConflictError):
        await api.patch_ticket(
            made.id,
            request=[replace("/summary", "new"), {"op": "test", "path": "/status", "value": "no such"}],
        )
    assert (await api.get_ticket(made.id)).result.dict() == made.dict()
    changed = (
        await api.patch_ticket(
            made.id,
            request=[
                {"op": "test", "path": "/summary", "value": "as it was"},
                replace("/priority", "LOW"),
                {"op": "copy", "from": "/summary", "path": "/name"},
            ],
        )
    ).result
    assert changed.created_at == made.created_at
    assert changed.updated_at >= made.updated_at
    assert changed.summary == "as it was"


async def test_tags_are_added_and_removed_one_by_one(sdk: Sdk) -> None:
    for provider in (MOCK, JIRA):
        api = (await connected(sdk, provider, name=provider.type)).engine.ticketing
        made = (await api.create_ticket(name="tagged")).result
        assert made.tags == []
        add = {"op": "add", "path": "/tags/-", "value": "first"}
        assert (await api.patch_ticket(made.id, request=[add])).result.tags == ["first"]
        both = [{"op": "add", "path": "/tags/0", "value": "zero"}, {"op": "remove", "path": "/tags/1"}]
        assert (await api.patch_ticket(made.id, request=both)).result.tags == ["zero"]
        assert (await api.patch_ticket(made.id, request=[replace("/tags", ["a", "b"])])).result.tags == [
            "a",
            "b",
        ]


async def test_pagerduty_acts_as_the_creator_that_is_named(sdk: Sdk) -> None:
    one = await connected(sdk, PAGERDUTY, default_creator=None)
    api = one.engine.ticketing
    with pytest.raises(BadRequestError) as refused:
        await api.create_ticket(name="by nobody")
    assert "From" in str(refused.value.body) or "creator" in str(refused.value.body)
    made = (await api.create_ticket(name="by somebody", creator="admin@example.com")).result
    await api.patch_ticket(
        made.id, request=[replace("/creator", "admin@example.com"), replace("/status", "acknowledged")]
    )
    comment = (await api.create_comment(made.id, content="mine", creator="admin@example.com")).result
    assert comment.content == "mine"
    with pytest.raises(BadRequestError):
        await api.create_comment(made.id, content="nobody's")


async def test_custom_fields_are_named_mapped_and_bound_to_their_project(sdk: Sdk) -> None:
    one = await connected(
        sdk,
        MOCK,
        custom_field_mappings=[
            {"name": "cost", "project_id": "*", "provider_field_path": "f1"},
            {"name": "cost", "project_id": "OPS", "provider_field_path": "f2"},
            {"name": "team", "project_id": "OPS", "project_field_path": "f3"},
        ],
    )
    api = one.engine.ticketing
    here = (await api.create_ticket(name="h", project="TST", custom_fields={"cost": 5})).result
    there = (await api.create_ticket(name="t", project="OPS", custom_fields={"cost": 7, "team": "db"})).result
    assert here.custom_fields == {"cost": 5}
    assert there.custom_fields == {"cost": 7, "team": "db"}
    with pytest.raises(BadRequestError) as refused:
        await api.create_ticket(name="x", project="TST", custom_fields={"team": "db"})
    assert refused.value.body.context.parameter.id == "/custom_fields/team"
    patched = await api.patch_ticket(
        there.id, request=[replace("/custom_fields/cost", 8), {"op": "remove", "path": "/custom_fields/team"}]
    )
    assert patched.result.custom_fields == {"cost": 8, "team": None}


async def test_custom_fields_of_jira_and_servicenow_are_typed_by_their_field(sdk: Sdk) -> None:
    jira = await connected(sdk, JIRA)
    fields = (await jira.engine.ticketing.list_remote_fields()).result
    [number] = [
        f for f in fields if f.schema_.field_type_id == "number" and f.field_scope == "integration_custom"
    ][:1]
    mapped = await sdk.connect(
        sdk.config(
            JIRA.type,
            default_issue_type="Task",
            custom_field_mappings=[
                {"name": "points", "project_id": "*", "provider_field_path": number.provider_field_path}
            ],
        ),
        name="mapped",
    )
    made = (await mapped.engine.ticketing.create_ticket(name="counted", custom_fields={"points": 3})).result
    assert made.custom_fields == {"points": 3}
    patched = await mapped.engine.ticketing.patch_ticket(
        made.id, request=[replace("/custom_fields/points", 5)]
    )
    assert patched.result.custom_fields == {"points": 5}
