from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callout.ports.errors import RejectedError
from callout.ports.provider import PollPosition
from callout.ports.ticketing import ChangeKind, CommentDraft, TicketPatch
from callout.ports.values import Priority
from tests.conformance.harness import Harness
from tests.conformance.ticketing import LagContract, RemoteContract, TicketingContract
from tests.conformance.tools import BODY, all_pages, make, only
from tests.connectors.pagerduty.site import ANN, BATCH, CAROL, CHECKOUT, PagerDutySite


def harness_of(site: PagerDutySite, **settings: object) -> Harness:
    return Harness(
        site.provider(**settings),  # type: ignore[arg-type]
        site,
        project=CHECKOUT,
        other_project=BATCH,
        person=ANN,
        statuses=("triggered", "acknowledged", "resolved"),
        custom=("reference", "https://example.com/R-1"),
        faults=site.faults,
        wrong=site.provider(secret="revoked"),
        write_path=r"/incidents$",
        comment_path=r"/notes$",
        lag_control=lambda seconds: site.set(search_lag=seconds),
        time_control=site.pass_time,
        extra={
            "another_process": site.provider,
            "unreachable": lambda: site.provider(url="http://127.0.0.1:9"),
        },
    )


class WhatPagerDutyLacks(TicketingContract):
    """Incidents have no tags, due date or parent, keep their first description, and are always somebody's.

    Each test below takes the place of one that asks for such a thing, and asserts how it is said instead.
    """

    async def test_people_tags_and_dates_round_trip(self, harness: Harness) -> None:
        due = datetime(2026, 5, 1, tzinfo=UTC)
        made = await make(harness, assignee=harness.person, tags=("checkout", "p1"), due_date=due)
        assert made.assignee is not None
        assert made.assignee.id == harness.person.id
        assert (made.tags, made.due_date) == ((), None)
        assert made.unmapped["not_kept"] == ["tags", "due_date"]

    async def test_a_parent_is_kept(self, harness: Harness) -> None:
        parent = await make(harness, "parent")
        child = await make(harness, "child", parent=parent.key)
        assert child.parent == ""
        assert child.unmapped["not_kept"] == ["parent"]

    async def test_a_patch_changes_only_what_it_names(self, harness: Harness) -> None:
        made = await make(harness, description=BODY, priority=Priority.HIGH, assignee=harness.person)
        patched = await harness.provider.patch_ticket(made.id, TicketPatch({"title": "DB is slow"}))
        assert patched == await harness.provider.get_ticket(made.id)
        assert patched.title == "DB is slow"
        assert (patched.description, patched.priority, patched.assignee) == (
            BODY,
            made.priority,
            made.assignee,
        )

    async def test_none_empties_a_field(self, harness: Harness) -> None:
        made = await make(harness, description=BODY, assignee=harness.person, priority=Priority.HIGH)
        for name in ("description", "assignee"):
            with pytest.raises(RejectedError) as caught:
                await harness.provider.patch_ticket(made.id, TicketPatch({name: None}))
            assert name in caught.value.fields
        patched = await harness.provider.patch_ticket(made.id, TicketPatch({"priority": None, "tags": None}))
        assert patched.priority is None

    async def test_every_simple_field_can_be_patched(self, harness: Harness) -> None:
        made = await make(harness)
        values = {"title": "new", "priority": Priority.LOW, "assignee": harness.person}
        patched = await harness.provider.patch_ticket(made.id, TicketPatch(values))
        assert (patched.title, patched.priority) == ("new", Priority.LOW)
        assert patched.assignee is not None
        assert patched.assignee.id == harness.person.id

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("description", "new"),
            ("tags", ("kept", "new")),
            ("due_date", datetime(2026, 6, 30, tzinfo=UTC)),
            ("parent", "1"),
            ("completion_date", datetime(2026, 6, 30, tzinfo=UTC)),
        ],
    )
    async def test_what_cannot_be_kept_is_refused_by_name(
        self, harness: Harness, name: str, value: object
    ) -> None:
        made = await make(harness)
        with pytest.raises(RejectedError) as caught:
            await harness.provider.patch_ticket(made.id, TicketPatch({name: value, "title": "changed"}))
        assert name in caught.value.fields
        assert (await harness.provider.get_ticket(made.id)).title == made.title, "all or nothing"

    async def test_a_ticket_is_found_by_our_key_and_only_by_that(self, harness: Harness) -> None:
        provider = harness.provider
        made = await make(harness, key="callout-inc-7-0123456789ab")
        await make(harness, key="callout-inc-7-0123456789ac")
        assert made.marks == ("callout-inc-7-0123456789ab",)
        found = await provider.find_by_key("callout-inc-7-0123456789ab")  # type: ignore[attr-defined]
        assert [ticket.id for ticket in found] == [made.id]
        assert not await provider.find_by_key("callout-inc-7")  # type: ignore[attr-defined]

    async def test_filters_select_exactly(self, harness: Harness) -> None:
        high = await make(harness, "alpha one", priority=Priority.HIGH, assignee=CAROL)
        low = await make(harness, "beta one", priority=Priority.LOW, assignee=harness.person)
        done = await make(harness, "gamma two", priority=Priority.LOW, status=harness.statuses[2])
        expected = {
            (("priority", "eq", "high"),): {high.id},
            (("priority", "in", "HIGH,LOW"),): {high.id, low.id, done.id},
            (("priority", "gt", "LOW"),): {high.id},
            (("tags", "eq", "red"),): set[str](),
            (("tags", "neq", "blue"),): {high.id, low.id, done.id},
            (("status", "eq", harness.statuses[2].upper()),): {done.id},
            (("status", "neq", harness.statuses[2]),): {high.id, low.id},
            (("status", "eq", "no such status"),): set[str](),
            (("assignee", "eq", harness.person.id),): {low.id},
            (("assignee", "eq", harness.person.email),): {low.id},
            (("assignee", "neq", harness.person.id),): {high.id, done.id},
            (("summary", "like", "ONE"),): {high.id, low.id},
            (("summary", "like", "*ta one"),): {low.id},
            (("summary", "not like", "one"),): {done.id},
            (("name", "eq", "Alpha One"),): {high.id},
            (("id", "eq", high.id),): {high.id},
            (("id", "in", f"{high.id},{low.key},999999999"),): {high.id, low.id},
            (("priority", "eq", "LOW"), ("status", "eq", "triggered")): {low.id},
        }
        for conditions, wanted in expected.items():
            query = only(("project", "eq", harness.project), *conditions, limit=2)
            assert {ticket.id for ticket in await all_pages(harness, query)} == wanted, conditions

    async def test_polling_tells_of_new_and_changed_tickets_and_comments(self, harness: Harness) -> None:
        """As in the contract, but the old incident is acknowledged: left alone, it would be escalated after 30 minutes."""
        provider = harness.provider
        old = await make(harness, "old", status="acknowledged")
        harness.pass_time(timedelta(minutes=30))
        start = harness.clock.now() - timedelta(seconds=1)
        changed = await make(harness, "changed")
        harness.pass_time(timedelta(seconds=1))
        await provider.patch_ticket(changed.id, TicketPatch({"title": "changed twice"}))
        harness.pass_time(timedelta(seconds=1))
        comment = await provider.create_comment(changed.id, CommentDraft("said", key="note-9"))  # type: ignore[attr-defined]
        since = provider.changes_since(PollPosition(start), overlap=timedelta(minutes=5))  # type: ignore[attr-defined]
        mine = [change async for change in since if change.ticket_id in {old.id, changed.id}]
        assert {change.ticket_id for change in mine} == {changed.id}
        assert [change.kind for change in mine] == [ChangeKind.CREATED, ChangeKind.COMMENTED]
        assert {change.ticket.title for change in mine} == {"changed twice"}
        assert [(c.comment.id, c.comment.content, c.comment.mark) for c in mine if c.comment] == [
            (comment.id, "said", "note-9")
        ]


class TestPagerDuty(WhatPagerDutyLacks, LagContract, RemoteContract):
    @pytest.fixture
    def harness(self, site: PagerDutySite) -> Harness:
        return harness_of(site)


class TestPagerDutyWithoutPriorities(LagContract, RemoteContract):
    """Severity is urgency there."""

    @pytest.fixture
    def harness(self, site: PagerDutySite) -> Harness:
        site.set(priorities=False)
        return harness_of(site)

    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            (Priority.URGENT, Priority.HIGH),
            (Priority.HIGH, Priority.HIGH),
            (Priority.MEDIUM, Priority.LOW),
            (Priority.PLANNING, Priority.LOW),
        ],
    )
    async def test_urgency_is_all_there_is(self, harness: Harness, given: Priority, kept: Priority) -> None:
        made = await make(harness, priority=given)
        assert made.priority is kept
        assert made.unmapped["urgency"] == kept.lower()
        report = await harness.provider.check_connection()
        assert any("no priorities" in warning for warning in report.warnings)
