"""The contract of tickets: what they keep, how they change, how their status moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callout.ports import provider as port
from callout.ports.errors import (
    RecordNotFoundError,
    RejectedError,
    StaleRecordError,
)
from callout.ports.ticketing import (
    StatusCategory,
    TicketDraft,
    TicketPatch,
)
from callout.ports.values import Priority
from tests.conformance.harness import ALL_PRIORITIES, EQUAL_PRIORITIES, Harness
from tests.conformance.tools import BODY, make


class TicketContract:
    """What every ticketing provider does alike with one ticket."""

    # What a ticket keeps

    async def test_a_created_ticket_can_be_read_back(self, harness: Harness) -> None:
        made = await make(harness, "DB is down", description=BODY)
        read = await harness.provider.get_ticket(made.id)
        assert read == made
        assert (read.title, read.description, read.project) == ("DB is down", BODY, harness.project)
        assert read.created_at is not None
        assert read.created_at.tzinfo is not None
        assert read.updated_at is not None
        assert read.status_category is StatusCategory.NEW

    async def test_a_ticket_can_be_read_by_its_key(self, harness: Harness) -> None:
        made = await make(harness)
        assert (await harness.provider.get_ticket(made.key)).id == made.id

    @pytest.mark.parametrize("priority", ALL_PRIORITIES)
    async def test_priorities_round_trip(self, harness: Harness, priority: Priority) -> None:
        made = await make(harness, priority=priority)
        allowed = frozenset({priority}) if harness.exact_priorities else EQUAL_PRIORITIES[priority]
        assert made.priority in allowed

    async def test_people_tags_and_dates_round_trip(self, harness: Harness) -> None:
        due = datetime(2026, 5, 1, tzinfo=UTC)
        made = await make(harness, assignee=harness.person, tags=("checkout", "p1"), due_date=due)
        assert made.assignee is not None
        assert made.assignee.id == harness.person.id
        assert set(made.tags) == {"checkout", "p1"}
        assert made.due_date == due

    async def test_a_custom_field_round_trips_under_its_name(self, harness: Harness) -> None:
        if harness.custom is None:
            pytest.fail("give the harness a mapped custom field")
        name, value = harness.custom
        made = await make(harness, custom_fields={name: value})
        assert made.custom_fields[name] == value
        patched = await harness.provider.patch_ticket(made.id, TicketPatch({"custom_fields": {name: None}}))
        assert patched.custom_fields[name] in (None, "", [])

    async def test_an_unmapped_custom_field_is_refused_by_name(self, harness: Harness) -> None:
        with pytest.raises(RejectedError) as caught:
            await make(harness, custom_fields={"nobody knows this": 1})
        assert any("nobody knows this" in name for name in caught.value.fields)

    async def test_a_parent_is_kept(self, harness: Harness) -> None:
        parent = await make(harness, "parent")
        child = await make(
            harness, "child", parent=parent.key, issue_type=harness.extra.get("child_type", "")
        )
        assert child.parent in {parent.key, parent.id}

    async def test_text_in_every_script_survives(self, harness: Harness) -> None:
        title = 'Zahlung "kaputt" \\ 支払い障害 🔥 <b>&amp;'
        made = await make(harness, title, description=title.replace("<b>", "").replace("\\", ""))
        assert made.title == title

    async def test_an_unknown_project_is_refused_by_name(self, harness: Harness) -> None:
        with pytest.raises(RejectedError) as caught:
            await harness.provider.create_ticket(TicketDraft("x", project="NOSUCH"))
        assert "project" in caught.value.fields

    async def test_an_empty_title_is_refused_by_name(self, harness: Harness) -> None:
        with pytest.raises(RejectedError) as caught:
            await make(harness, " ")
        assert "title" in caught.value.fields

    # Patch

    async def test_a_patch_changes_only_what_it_names(self, harness: Harness) -> None:
        made = await make(harness, description=BODY, priority=Priority.HIGH, tags=("a",))
        patched = await harness.provider.patch_ticket(made.id, TicketPatch({"title": "DB is slow"}))
        assert patched == await harness.provider.get_ticket(made.id)
        assert patched.title == "DB is slow"
        assert (patched.description, patched.priority, patched.tags) == (BODY, made.priority, ("a",))

    async def test_none_empties_a_field(self, harness: Harness) -> None:
        made = await make(harness, description=BODY, assignee=harness.person, tags=("a", "b"))
        patch = TicketPatch({"description": None, "assignee": None, "tags": None})
        patched = await harness.provider.patch_ticket(made.id, patch)
        assert (patched.description, patched.assignee, patched.tags) == ("", None, ())

    async def test_every_simple_field_can_be_patched(self, harness: Harness) -> None:
        made = await make(harness, tags=("old", "kept"))
        due = datetime(2026, 6, 30, tzinfo=UTC)
        values = {
            "description": "new",
            "priority": Priority.LOW,
            "assignee": harness.person,
            "tags": ("kept", "new"),
            "due_date": due,
        }
        patched = await harness.provider.patch_ticket(made.id, TicketPatch(values))
        assert patched.description == "new"
        assert patched.priority is Priority.LOW
        assert patched.assignee is not None
        assert patched.assignee.id == harness.person.id
        assert set(patched.tags) == {"kept", "new"}
        assert patched.due_date == due

    async def test_the_same_patch_twice_leaves_the_same_ticket(self, harness: Harness) -> None:
        made = await make(harness)
        patch = TicketPatch({"title": "again", "status": "category:done"})
        first = await harness.provider.patch_ticket(made.id, patch)
        second = await harness.provider.patch_ticket(made.id, patch)
        assert (first.title, first.status, first.tags) == (second.title, second.status, second.tags)

    async def test_a_stale_patch_changes_nothing(self, harness: Harness) -> None:
        made = await make(harness)
        assert made.version
        harness.pass_time(timedelta(seconds=2))
        current = await harness.provider.patch_ticket(made.id, TicketPatch({"title": "by somebody"}))
        assert current.version != made.version
        with pytest.raises(StaleRecordError):
            await harness.provider.patch_ticket(
                made.id, TicketPatch({"title": "too late"}, expected_version=made.version)
            )
        assert (await harness.provider.get_ticket(made.id)).title == "by somebody"
        fresh = TicketPatch({"title": "in time"}, expected_version=current.version)
        assert (await harness.provider.patch_ticket(made.id, fresh)).title == "in time"

    # Status

    async def test_a_status_is_reached_by_category_and_back(self, harness: Harness) -> None:
        made = await make(harness)
        for category in (StatusCategory.DONE, StatusCategory.ACTIVE, StatusCategory.NEW, StatusCategory.DONE):
            moved = await harness.provider.patch_ticket(
                made.id, TicketPatch({"status": f"category:{category}"})
            )
            assert moved.status_category is category

    async def test_a_status_is_reached_by_name_in_any_case(self, harness: Harness) -> None:
        made = await make(harness)
        _, active, done = harness.statuses
        assert (
            await harness.provider.patch_ticket(made.id, TicketPatch({"status": done.upper()}))
        ).status.casefold() == (done.casefold())
        moved = await harness.provider.patch_ticket(made.id, TicketPatch({"status": active}))
        assert moved.status == active

    async def test_a_draft_can_ask_for_a_status(self, harness: Harness) -> None:
        made = await make(harness, status=harness.statuses[2])
        assert made.status == harness.statuses[2]
        assert made.status_category is StatusCategory.DONE

    async def test_an_unknown_category_is_refused_by_name(self, harness: Harness) -> None:
        made = await make(harness)
        with pytest.raises(RejectedError) as caught:
            await harness.provider.patch_ticket(made.id, TicketPatch({"status": "category:nonsense"}))
        assert "status" in caught.value.fields
        assert (await harness.provider.get_ticket(made.id)).status == made.status

    async def test_transitions_lead_where_they_say(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsTransitions):
            return
        made = await make(harness)
        for move in await provider.list_transitions(made.id):
            fresh = await make(harness)
            moved = await provider.patch_ticket(fresh.id, TicketPatch({"status": move.to_status}))
            assert (moved.status, moved.status_category) == (move.to_status, move.to_category)

    # Unknown ids

    @pytest.mark.parametrize("ticket_id", ["999999999", "NOSUCH-1", "../../admin", "x y?z#"])
    async def test_an_unknown_ticket_is_not_found(self, harness: Harness, ticket_id: str) -> None:
        with pytest.raises(RecordNotFoundError):
            await harness.provider.get_ticket(ticket_id)
        with pytest.raises(RecordNotFoundError):
            await harness.provider.patch_ticket(ticket_id, TicketPatch({"title": "x"}))
        if isinstance(harness.provider, port.SupportsComments):
            with pytest.raises(RecordNotFoundError):
                await harness.provider.list_comments(ticket_id)
