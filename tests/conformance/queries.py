"""The contract of queries: filters, orders, paging, and finding what we made."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callout.ports import provider as port
from callout.ports.errors import (
    InvalidRequestError,
)
from callout.ports.provider import OPERATIONS
from callout.ports.ticketing import (
    Page,
    TicketOrder,
    TicketPatch,
    TicketQuery,
)
from callout.ports.values import Priority
from tests.conformance.harness import Harness
from tests.conformance.tools import all_pages, make, only


class QueryContract:
    """What every ticketing provider does alike with many tickets."""

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
