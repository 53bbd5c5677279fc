"""The contract of a ticketing provider: every connector inherits it, the in-process test provider first.

A subclass gives the fixture `harness`. Optional operations are tested where the provider has them; that it has exactly those it
says is a test of its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from callout.ports import provider as port
from callout.ports.errors import (
    AuthFailedError,
    CalloutError,
    InvalidRequestError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RecordNotFoundError,
    RejectedError,
    StaleRecordError,
    UnavailableError,
)
from callout.ports.provider import OPERATIONS, PollPosition, operations_of
from callout.ports.ticketing import (
    ChangeKind,
    CommentDraft,
    NoteDraft,
    Page,
    StatusCategory,
    Ticket,
    TicketDraft,
    TicketFilter,
    TicketOrder,
    TicketPatch,
    TicketQuery,
)
from callout.ports.values import Audience, Priority
from tests.conformance.harness import ALL_PRIORITIES, EQUAL_PRIORITIES, Harness

BODY = "Checkout is slow.\n\nThe 95th percentile is **4.1 s**."


async def all_pages(harness: Harness, query: TicketQuery) -> list[Ticket]:
    """Walk a query to its end."""
    found: list[Ticket] = []
    cursor = ""
    while True:
        page = await harness.provider.query_tickets(
            TicketQuery(query.filters, query.order, query.limit, cursor)
        )
        assert page.items or not page.cursor, "a page that is not the last must not be empty"
        found += page.items
        if not page.cursor:
            return found
        assert page.cursor != cursor
        cursor = page.cursor


def only(
    *conditions: tuple[str, str, str], order: Sequence[TicketOrder] = (), limit: int = 100
) -> TicketQuery:
    """Return a query of simple conditions."""
    filters = tuple(
        TicketFilter(name, operator, tuple(value.split(","))) for name, operator, value in conditions
    )
    return TicketQuery(filters, tuple(order), limit)


async def make(harness: Harness, title: str = "DB is down", **fields: object) -> Ticket:
    """Create a ticket in the harness's project."""
    draft = TicketDraft(title, **{"project": harness.project, **fields})  # type: ignore[arg-type]
    return await harness.provider.create_ticket(draft)


class TicketingContract:
    """What every ticketing provider does alike."""

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

    # Queries

    async def test_filters_select_exactly(self, harness: Harness) -> None:
        high = await make(harness, "alpha one", priority=Priority.HIGH, tags=("red", "blue"))
        low = await make(harness, "beta one", priority=Priority.LOW, tags=("red",), assignee=harness.person)
        done = await make(harness, "gamma two", priority=Priority.LOW, status=harness.statuses[2])
        expected = {
            (("priority", "eq", "high"),): {high.id},
            (("priority", "in", "HIGH,LOW"),): {high.id, low.id, done.id},
            (("priority", "gt", "LOW"),): {high.id},
            (("tags", "eq", "red"),): {high.id, low.id},
            (("tags", "in", "blue,green"),): {high.id},
            (("tags", "neq", "blue"),): {low.id, done.id},
            (("status", "eq", harness.statuses[2].upper()),): {done.id},
            (("status", "neq", harness.statuses[2]),): {high.id, low.id},
            (("assignee", "eq", harness.person.id),): {low.id},
            (("assignee", "neq", harness.person.id),): {high.id, done.id},
            (("summary", "like", "ONE"),): {high.id, low.id},
            (("summary", "like", "*ta one"),): {low.id},
            (("summary", "not like", "one"),): {done.id},
            (("name", "eq", "Alpha One"),): {high.id},
            (("id", "eq", high.id),): {high.id},
            (("id", "in", f"{high.id},{low.key},999999999"),): {high.id, low.id},
            (("priority", "eq", "LOW"), ("tags", "eq", "red")): {low.id},
        }
        for conditions, wanted in expected.items():
            query = only(("project", "eq", harness.project), *conditions, limit=2)
            assert {ticket.id for ticket in await all_pages(harness, query)} == wanted, conditions

    async def test_times_select_to_the_second(self, harness: Harness) -> None:
        first = await make(harness, "first")
        harness.pass_time(timedelta(seconds=7))
        second = await make(harness, "second")
        assert first.created_at is not None
        assert second.created_at is not None
        middle = (first.created_at + (second.created_at - first.created_at) / 2).isoformat()
        for name, operator, value, wanted in (
            ("created_at", "gt", middle, {second.id}),
            ("created_at", "lt", middle, {first.id}),
            ("created_at", "gte", second.created_at.isoformat(), {second.id}),
            ("created_at", "gt", second.created_at.isoformat(), set[str]()),
            ("created_at", "lte", first.created_at.isoformat(), {first.id}),
            ("updated_at", "gte", middle, {second.id}),
            ("created_at", "eq", first.created_at.isoformat(), {first.id}),
            ("created_at", "neq", first.created_at.isoformat(), {second.id}),
        ):
            query = only(("project", "eq", harness.project), (name, operator, value))
            assert {ticket.id for ticket in await all_pages(harness, query)} == wanted, (name, operator)

    async def test_a_project_filter_keeps_other_projects_out(self, harness: Harness) -> None:
        mine = await make(harness)
        other = await make(harness, project=harness.other_project)
        found = await all_pages(harness, only(("project", "eq", harness.other_project)))
        assert {ticket.id for ticket in found} == {other.id}
        both = await all_pages(harness, only(("project", "in", f"{harness.project},{harness.other_project}")))
        assert {ticket.id for ticket in both} == {mine.id, other.id}

    async def test_orders_sort_and_ties_stay_stable(self, harness: Harness) -> None:
        titles = {}
        for title, priority in (("c", Priority.LOW), ("a", Priority.HIGH), ("b", Priority.LOW)):
            titles[(await make(harness, title, priority=priority)).id] = title
            harness.pass_time(timedelta(seconds=1))

        async def sorted_by(*order: TicketOrder) -> str:
            query = only(("project", "eq", harness.project), order=order, limit=1)
            return "".join(titles[ticket.id] for ticket in await all_pages(harness, query))

        assert await sorted_by(TicketOrder("summary")) == "abc"
        assert await sorted_by(TicketOrder("summary", descending=True)) == "cba"
        assert await sorted_by(TicketOrder("time")) == "cab"
        assert await sorted_by(TicketOrder("priority", descending=True), TicketOrder("summary")) == "abc"
        assert await sorted_by(TicketOrder("priority"), TicketOrder("summary", descending=True)) == "cba"

    @pytest.mark.parametrize("descending", [False, True])
    async def test_paging_neither_repeats_nor_skips_while_tickets_are_made(
        self,
        harness: Harness,
        descending: bool,
    ) -> None:
        before = {(await make(harness, f"ticket {number}")).id for number in range(7)}
        query = only(
            ("project", "eq", harness.project), order=(TicketOrder("created_at", descending),), limit=2
        )
        seen: list[str] = []
        cursor = ""
        for _ in range(20):
            page = await harness.provider.query_tickets(
                TicketQuery(query.filters, query.order, query.limit, cursor)
            )
            seen += [ticket.id for ticket in page.items]
            cursor = page.cursor
            if not cursor:
                break
            await make(harness, "made meanwhile")
            if len(seen) > 30:
                break
        assert len(seen) == len(set(seen)), "repeated"
        assert before <= set(seen), "skipped"

    async def test_an_empty_result_is_one_empty_last_page(self, harness: Harness) -> None:
        page = await harness.provider.query_tickets(
            only(("project", "eq", harness.project), ("summary", "eq", "none such"))
        )
        assert page == Page(page.items, "")
        assert not page.items

    @pytest.mark.parametrize("cursor", ["nonsense", "e30", "%%%", "eyJwIjp7fX0", "ä", "A" * 20_000])
    async def test_a_forged_cursor_is_refused(self, harness: Harness, cursor: str) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            await harness.provider.query_tickets(TicketQuery(cursor=cursor))
        assert "cursor" in caught.value.fields

    async def test_a_cursor_of_another_query_is_refused(self, harness: Harness) -> None:
        for number in range(3):
            await make(harness, f"ticket {number}")
        query = only(("project", "eq", harness.project), limit=1)
        page = await harness.provider.query_tickets(query)
        assert page.cursor
        other = only(("project", "eq", harness.project), ("status", "neq", "x"), limit=1)
        with pytest.raises(InvalidRequestError):
            await harness.provider.query_tickets(TicketQuery(other.filters, (), 1, page.cursor))

    @pytest.mark.parametrize(
        ("name", "operator", "value"),
        [
            ("colour", "eq", "red"),
            ("status", "near", "x"),
            ("created_at", "gt", "yesterday"),
            ("priority", "eq", "P0"),
        ],
    )
    async def test_a_filter_that_nobody_knows_is_refused(
        self, harness: Harness, name: str, operator: str, value: str
    ) -> None:
        with pytest.raises(InvalidRequestError) as caught:
            await harness.provider.query_tickets(only((name, operator, value)))
        assert "filter" in caught.value.fields

    async def test_an_unknown_order_and_a_zero_limit_are_refused(self, harness: Harness) -> None:
        with pytest.raises(InvalidRequestError):
            await harness.provider.query_tickets(TicketQuery(order=(TicketOrder("colour"),)))
        with pytest.raises(InvalidRequestError):
            await harness.provider.query_tickets(TicketQuery(limit=0))

    # Finding what we made

    async def test_a_ticket_is_found_by_our_key_and_only_by_that(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsFindByKey)
        made = await make(harness, key="callout-inc-7-0123456789ab", tags=("seen",))
        await make(harness, key="callout-inc-7-0123456789ac")
        assert made.tags == ("seen",), "our mark is no tag"
        assert "callout-inc-7-0123456789ab" in made.marks
        assert [ticket.id for ticket in await provider.find_by_key("callout-inc-7-0123456789ab")] == [made.id]
        assert not await provider.find_by_key("callout-inc-7")

    async def test_our_mark_survives_a_change_of_tags(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsFindByKey)
        made = await make(harness, key="callout-inc-8", tags=("a",))
        await provider.patch_ticket(made.id, TicketPatch({"tags": ()}))
        assert [ticket.id for ticket in await provider.find_by_key("callout-inc-8")] == [made.id]

    @pytest.mark.parametrize("key", ["with space", 'quote"d', "back\\slash", "ÜMLAUT", "x" * 400, "a,b"])
    async def test_any_key_can_be_found_again(self, harness: Harness, key: str) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsFindByKey)
        made = await make(harness, key=key)
        await make(harness, key=key + "x")
        assert [ticket.id for ticket in await provider.find_by_key(key)] == [made.id]

    async def test_effects_are_declared_for_every_write(self, harness: Harness) -> None:
        writes = {name for name in OPERATIONS.values() if name.startswith(("create_", "patch_", "delete_"))}
        offered = {name for name in writes if hasattr(harness.provider, name)}
        assert offered == set(harness.provider.effects)
        assert isinstance(harness.provider.effects["create_ticket"], port.Findable)

    # Comments and notes

    async def test_comments_come_back_oldest_first(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        made = await make(harness)
        for text in ("one", "two **bold**", "three"):
            await provider.create_comment(made.id, CommentDraft(text))
            harness.pass_time(timedelta(seconds=1))
        comments = await provider.list_comments(made.id)
        assert [comment.content for comment in comments] == ["one", "two **bold**", "three"]
        assert all(
            comment.ticket_id == made.id and comment.author and comment.created_at for comment in comments
        )
        assert {comment.audience for comment in comments} == {Audience.RESPONDERS}

    async def test_many_comments_are_all_listed(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        made = await make(harness)
        for number in range(103):
            await provider.create_comment(made.id, CommentDraft(f"comment {number}"))
        contents = [comment.content for comment in await provider.list_comments(made.id)]
        assert contents == [f"comment {number}" for number in range(103)]

    async def test_a_comment_is_found_by_our_key(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        assert isinstance(provider, port.SupportsFindComment)
        made = await make(harness)
        await provider.create_comment(made.id, CommentDraft("other", key="note-1"))
        ours = await provider.create_comment(made.id, CommentDraft("ours", key="note-2"))
        assert ours.mark == "note-2"
        assert await provider.find_comment(made.id, "note-2") == ours
        assert await provider.find_comment(made.id, "note") is None

    async def test_an_internal_text_never_becomes_a_comment(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        made = await make(harness)
        with pytest.raises(RejectedError) as caught:
            await provider.create_comment(made.id, CommentDraft("secret", Audience.INTERNAL))
        assert "audience" in caught.value.fields
        assert not await provider.list_comments(made.id)

    async def test_a_text_for_customers_may_be_read_by_fewer(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        made = await make(harness)
        comment = await provider.create_comment(made.id, CommentDraft("hello", Audience.CUSTOMER))
        assert comment.audience is Audience.RESPONDERS

    async def test_a_deleted_comment_is_gone(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsDeleteComment):
            return
        assert isinstance(provider, port.SupportsComments)
        made = await make(harness)
        comment = await provider.create_comment(made.id, CommentDraft("oops"))
        await provider.delete_comment(made.id, comment.id)
        assert not await provider.list_comments(made.id)
        with pytest.raises(RecordNotFoundError):
            await provider.delete_comment(made.id, comment.id)

    async def test_notes_live_their_life(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsNotes):
            return
        made = await make(harness)
        note = await provider.create_note(made.id, NoteDraft("Cause", "disk full"))
        assert [(n.title, n.content) for n in await provider.list_notes(made.id)] == [("Cause", "disk full")]
        if isinstance(provider, port.SupportsPatchNote):
            changed = await provider.patch_note(made.id, note.id, title=None, content="disk was full")
            assert (changed.title, changed.content) == ("Cause", "disk was full")
        if isinstance(provider, port.SupportsDeleteNote):
            await provider.delete_note(made.id, note.id)
            assert not await provider.list_notes(made.id)
            with pytest.raises(RecordNotFoundError):
                await provider.delete_note(made.id, note.id)

    # Attachments

    async def test_attachments_live_their_life(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsAttachments):
            return
        made = await make(harness)
        data = bytes(range(256)) * 300

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 10_000):
                yield data[start : start + 10_000]

        info = await provider.create_attachment(
            made.id, file_name="grafik ü.png", content=pieces(), media_type="image/png"
        )
        assert (info.file_name, info.media_type, info.size) == ("grafik ü.png", "image/png", len(data))
        assert info.ticket_id == made.id
        assert list(await provider.list_attachments(made.id)) == [info]
        assert [a.id for a in (await provider.get_ticket(made.id)).attachments] == [info.id]
        read = b"".join([chunk async for chunk in provider.download_attachment(made.id, info.id)])
        assert read == data
        other = await make(harness, "other")
        with pytest.raises(RecordNotFoundError):
            await provider.delete_attachment(other.id, info.id)
        await provider.delete_attachment(made.id, info.id)
        assert not await provider.list_attachments(made.id)
        with pytest.raises(RecordNotFoundError):
            await provider.delete_attachment(made.id, info.id)
        with pytest.raises(RecordNotFoundError):
            async for _ in provider.download_attachment(made.id, info.id):
                pass

    # Projects, fields, people, connection

    async def test_projects_are_paged(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsProjects):
            return
        found: list[str] = []
        cursor = ""
        while True:
            page = await provider.list_projects(limit=1, cursor=cursor)
            found += [project.id for project in page.items]
            assert all(project.name for project in page.items)
            cursor = page.cursor
            if not cursor:
                break
        assert len(found) == len(set(found))
        assert {harness.project, harness.other_project} <= set(found)
        with pytest.raises(InvalidRequestError):
            await provider.list_projects(limit=1, cursor="nonsense")

    async def test_the_catalogue_names_the_statuses(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsCatalogue):
            return
        catalogue = await provider.field_catalogue(harness.project, "")
        assert set(harness.statuses) <= {name for name, _ in catalogue.statuses}
        assert {category for _, category in catalogue.statuses} >= {StatusCategory.NEW, StatusCategory.DONE}
        assert any(field.required for field in catalogue.fields)
        assert catalogue.priorities
        assert catalogue.issue_types

    async def test_remote_fields_have_paths(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsRemoteFields):
            return
        fields = await provider.list_remote_fields()
        assert all(field.id and field.name and field.path for field in fields)
        assert len({field.id for field in fields}) == len(fields)

    async def test_people_are_found_by_mail_only_when_certain(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsPeople):
            return
        found = await provider.find_person(email=harness.person.email)
        assert found is not None
        assert found.id == harness.person.id
        assert await provider.find_person() is None

    async def test_the_connection_check_says_who_we_are(self, harness: Harness) -> None:
        report = await harness.provider.check_connection()
        assert report.ok
        assert report.account is not None
        assert abs(report.clock_skew) < timedelta(seconds=5)

    async def test_operations_are_what_the_class_implements(self, harness: Harness) -> None:
        offered = operations_of(harness.provider)
        assert offered == operations_of(type(harness.provider))
        required = {"query_tickets", "get_ticket", "create_ticket", "patch_ticket"}
        assert required <= offered
        for operation, method in OPERATIONS.items():
            assert hasattr(harness.provider, method) == (operation in offered)

    # Polling

    async def test_polling_tells_of_new_and_changed_tickets_and_comments(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsChanges):
            return
        assert isinstance(provider, port.SupportsComments)
        old = await make(harness, "old")
        harness.pass_time(timedelta(minutes=30))
        start = harness.clock.now() - timedelta(seconds=1)
        changed = await make(harness, "changed")
        harness.pass_time(timedelta(seconds=1))
        await provider.patch_ticket(changed.id, TicketPatch({"title": "changed twice"}))
        harness.pass_time(timedelta(seconds=1))
        comment = await provider.create_comment(changed.id, CommentDraft("said", key="note-9"))
        found = [
            change
            async for change in provider.changes_since(PollPosition(start), overlap=timedelta(minutes=5))
        ]
        mine = [change for change in found if change.ticket_id in {old.id, changed.id}]
        assert {change.ticket_id for change in mine} == {changed.id}
        told = [change for change in mine if change.ticket is not None]
        assert told[-1].ticket is not None
        assert told[-1].ticket.title == "changed twice"
        assert any(change.kind in {ChangeKind.CREATED, ChangeKind.UPDATED} for change in mine)
        said = [change.comment for change in mine if change.kind is ChangeKind.COMMENTED and change.comment]
        assert [(entry.id, entry.content, entry.mark) for entry in said] == [(comment.id, "said", "note-9")]

    async def test_polling_from_the_beginning_tells_everything_once(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsChanges):
            return
        made = {(await make(harness, f"ticket {number}")).id for number in range(5)}
        found = [
            change.ticket_id
            async for change in provider.changes_since(PollPosition(), overlap=timedelta(minutes=5))
            if change.kind is ChangeKind.CREATED
        ]
        assert made <= set(found)
        assert len(found) == len(set(found))


class LagContract:
    """For providers whose search lags behind their writes."""

    async def test_a_new_ticket_is_found_by_key_once_the_index_has_it(self, harness: Harness) -> None:
        provider = harness.provider
        async with harness.lagging(60):
            made = await make(harness, key="callout-inc-9")
            fresh = harness.extra["another_process"]()
            assert isinstance(provider, port.SupportsFindByKey)
            assert isinstance(fresh, port.SupportsFindByKey)
            assert not await fresh.find_by_key("callout-inc-9"), (
                "the lag must be real for this to mean anything"
            )
            harness.pass_time(timedelta(seconds=61))
            assert [ticket.id for ticket in await fresh.find_by_key("callout-inc-9")] == [made.id]


class RemoteContract:
    """For providers behind a wire: what can break there, and what we make of it."""

    @pytest.mark.parametrize(
        ("effect", "error"),
        [
            ({"kind": "status", "status": 401}, AuthFailedError),
            ({"kind": "status", "status": 403}, PermissionDeniedError),
            ({"kind": "status", "status": 404}, RecordNotFoundError),
            ({"kind": "status", "status": 409}, StaleRecordError),
            ({"kind": "status", "status": 429}, RateLimitedError),
            ({"kind": "status", "status": 500}, UnavailableError),
            ({"kind": "status", "status": 503}, UnavailableError),
            ({"kind": "html"}, UnavailableError),
            ({"kind": "html", "status": 503}, UnavailableError),
            ({"kind": "disconnect"}, UnavailableError),
        ],
        ids=lambda value: "-".join(str(v) for v in value.values()) if isinstance(value, dict) else None,
    )
    async def test_a_read_that_fails_says_what_to_do(
        self, harness: Harness, effect: dict[str, object], error: type[CalloutError]
    ) -> None:
        made = await make(harness)
        assert harness.faults is not None
        harness.faults.add(effect)
        with pytest.raises(error) as caught:
            await harness.provider.get_ticket(made.id)
        assert caught.value.message
        assert caught.value.code != "INTERNAL"
        harness.faults.clear()
        assert (await harness.provider.get_ticket(made.id)).id == made.id

    async def test_a_rate_limit_says_how_long_to_wait(self, harness: Harness) -> None:
        made = await make(harness)
        assert harness.faults is not None
        harness.faults.add({"kind": "status", "status": 429, "retry_after": 17})
        with pytest.raises(RateLimitedError) as caught:
            await harness.provider.get_ticket(made.id)
        assert caught.value.retry_after == timedelta(seconds=17)

    @pytest.mark.parametrize(
        "effect",
        [
            {"kind": "disconnect_after_write"},
            {"kind": "timeout_after_write", "hold": 0.05},
            {"kind": "status", "status": 504, "after_write": True},
            {"kind": "status", "status": 500, "after_write": True},
        ],
        ids=lambda effect: f"{effect['kind']}-{effect.get('status', '')}",
    )
    async def test_a_create_whose_answer_is_lost_is_found_by_its_key(
        self, harness: Harness, effect: dict[str, object]
    ) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsFindByKey)
        await make(harness, "warm up")
        assert harness.faults is not None
        harness.faults.add(effect, method="POST", path=harness.write_path, first=1)
        with pytest.raises(OutcomeUnknownError):
            await make(harness, "lost", key="callout-inc-10")
        found = await provider.find_by_key("callout-inc-10")
        assert [ticket.title for ticket in found] == ["lost"]

    async def test_a_create_that_never_left_is_not_in_doubt(self, harness: Harness) -> None:
        dead = harness.extra["unreachable"]()
        with pytest.raises(UnavailableError):
            await dead.create_ticket(TicketDraft("x", project=harness.project))

    async def test_a_comment_whose_answer_is_lost_is_found_by_its_key(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        assert isinstance(provider, port.SupportsFindComment)
        made = await make(harness)
        assert harness.faults is not None
        harness.faults.add(
            {"kind": "disconnect_after_write"}, method="POST", path=harness.comment_path, first=1
        )
        with pytest.raises(OutcomeUnknownError):
            await provider.create_comment(made.id, CommentDraft("lost", key="note-3"))
        found = await provider.find_comment(made.id, "note-3")
        assert found is not None
        assert found.content == "lost"

    async def test_a_wrong_credential_fails_the_connection_check(self, harness: Harness) -> None:
        assert harness.wrong is not None
        with pytest.raises(AuthFailedError):
            await harness.wrong.check_connection()
        with pytest.raises(AuthFailedError):
            await harness.wrong.create_ticket(TicketDraft("x", project=harness.project))
