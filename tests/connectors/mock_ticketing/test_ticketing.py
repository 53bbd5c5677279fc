from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from callout.connectors.mock_ticketing.config import MockTicketingConfig
from callout.connectors.mock_ticketing.manifest import MANIFEST
from callout.connectors.mock_ticketing.store import Store, Stores
from callout.connectors.mock_ticketing.ticketing import MockTicketing, build
from callout.kit.clock import ManualClock
from callout.ports.errors import RecordNotFoundError, RejectedError
from callout.ports.manifest import Credential, Tools
from callout.ports.provider import operations_of
from callout.ports.ticketing import (
    CommentDraft,
    TicketDraft,
    TicketFilter,
    TicketOrder,
    TicketPatch,
    TicketQuery,
)
from callout.ports.values import Audience, Person, Priority

NOW = datetime(2026, 4, 1, 12, 0, tzinfo=UTC)


def provider(**settings: object) -> MockTicketing:
    return MockTicketing(MockTicketingConfig.model_validate(settings), ManualClock(NOW), Store())


def tools(integration_id: str) -> Tools:
    def http(*_: object, **__: object) -> Any:
        pytest.fail("the test provider never calls anybody")

    return Tools(http, ManualClock(NOW), Credential("none"), integration_id=integration_id)


async def test_everything_given_at_creation_is_read_back_as_given() -> None:
    draft = TicketDraft(
        "Summary",
        "Text",
        project="OPS",
        issue_type="Problem",
        priority=Priority.MODERATE,
        status="Waiting for vendor",
        assignee=Person("a"),
        creator=Person("c"),
        contact=Person("k"),
        parent="1",
        tags=("x", "y"),
        due_date=NOW,
        completion_date=NOW,
        back_link="https://callout.example/INC-1",
    )
    made = await provider().create_ticket(draft)
    for name in (
        "title",
        "description",
        "project",
        "issue_type",
        "priority",
        "status",
        "assignee",
        "creator",
    ):
        assert getattr(made, name) == getattr(draft, name)
    for name in ("contact", "parent", "tags", "due_date", "completion_date"):
        assert getattr(made, name) == getattr(draft, name)
    assert made.unmapped["back_link"] == draft.back_link


async def test_an_integration_built_again_has_its_tickets_and_no_others() -> None:
    config = MockTicketingConfig(default_project="TST")
    made = await build(config, tools("test-int-1")).create_ticket(TicketDraft("x"))
    assert (await build(config, tools("test-int-1")).get_ticket(made.id)).title == "x"
    with pytest.raises(RecordNotFoundError):
        await build(config, tools("test-int-2")).get_ticket(made.id)


def test_the_integration_longest_unused_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callout.connectors.mock_ticketing.store.MAX_STORES", 2)
    stores = Stores()
    first = stores.of("1")
    stores.of("2")
    assert stores.of("1") is first
    stores.of("3")
    assert stores.of("1") is first
    assert stores.of("2").sequence == 0


async def test_the_default_project_is_used_and_looked_at() -> None:
    mock = provider(default_project="TST")
    made = await mock.create_ticket(TicketDraft("x"))
    await mock.create_ticket(TicketDraft("y", project="OPS"))
    assert [ticket.id for ticket in (await mock.query_tickets(TicketQuery())).items] == [made.id]


async def test_filters_and_orders_work_on_every_field() -> None:
    mock = provider(default_project="TST")
    draft = TicketDraft(
        "One",
        "Text",
        issue_type="Bug",
        contact=Person("k", "Kay"),
        parent="7",
        due_date=NOW,
        completion_date=NOW,
        creator=Person("c"),
    )
    made = await mock.create_ticket(draft)
    await mock.create_ticket(TicketDraft("Two"))
    later = (NOW + timedelta(days=1)).isoformat()
    for field, operator, value in (
        ("issue_type", "eq", "bug"),
        ("contact", "eq", "kay"),
        ("creator", "eq", "c"),
        ("parent", "eq", "7"),
        ("due_date", "lt", later),
        ("completion_date", "lte", NOW.isoformat()),
        ("description", "like", "te*"),
        ("name", "eq", "one"),
    ):
        query = TicketQuery((TicketFilter(field, operator, (value,)),))
        assert [ticket.id for ticket in (await mock.query_tickets(query)).items] == [made.id], field
        for descending in (False, True):
            order = (TicketOrder(field, descending),)
            assert len((await mock.query_tickets(TicketQuery(order=order))).items) == 2


async def test_three_statuses_are_shared_by_many_of_ours() -> None:
    mock = provider(default_project="TST", three_statuses=True)
    made = await mock.create_ticket(TicketDraft("x", status="acknowledged"))
    assert made.status == "In Progress"
    same = await mock.patch_ticket(made.id, TicketPatch({"status": "mitigated"}))
    assert (same.status, same.version) == ("In Progress", made.version)
    with pytest.raises(RejectedError):
        await mock.patch_ticket(made.id, TicketPatch({"status": "Nonsense"}))


async def test_texts_come_back_normalised_when_asked_to() -> None:
    mock = provider(default_project="TST", normalise_text=True)
    made = await mock.create_ticket(TicketDraft("  two \n lines " + "x" * 300, "  a  \r\nb\n\n"))
    assert made.title.startswith("two lines x")
    assert len(made.title) == 255
    assert made.description == "a\nb"


async def test_customers_read_only_what_is_for_them() -> None:
    mock = provider(default_project="TST", customer_comments=True)
    made = await mock.create_ticket(TicketDraft("x"))
    await mock.create_comment(made.id, CommentDraft("ours"))
    await mock.create_comment(made.id, CommentDraft("theirs", Audience.CUSTOMER, author_name="Ann"))
    comments = await mock.list_comments(made.id)
    assert [comment.audience for comment in comments] == [Audience.RESPONDERS, Audience.CUSTOMER]
    assert comments[1].author == Person("Ann", "Ann")


def test_the_manifest_offers_what_the_contract_lists_and_more() -> None:
    assert MANIFEST.provider_class is not None
    assert operations_of(MANIFEST.provider_class) == {
        "query_tickets",
        "get_ticket",
        "create_ticket",
        "patch_ticket",
        "list_comments",
        "create_comment",
        "delete_comment",
        "list_notes",
        "create_note",
        "patch_note",
        "delete_note",
        "list_projects",
        "list_remote_fields",
        "create_attachment",
        "list_attachments_metadata",
        "download_attachment",
        "delete_attachment",
    }
