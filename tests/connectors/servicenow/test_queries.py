"""Queries and polling: nothing is skipped, nothing escapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from callout.connectors.servicenow import journal as journal_module
from callout.ports.errors import (
    InvalidRequestError,
)
from callout.ports.ticketing import (
    ChangeKind,
    TicketFilter,
    TicketOrder,
    TicketQuery,
)
from tests.connectors.servicenow.instance import Instance, make, polled

# Queries


@pytest.mark.parametrize("text", ["a^b", "=x", "x^NQactive=true", "javascript:gs.x()", " y"])
async def test_texts_that_cannot_be_said_are_still_found_and_paged(instance: Instance, text: str) -> None:
    provider = instance.provider()
    made = [await make(provider, title) for title in (text, "b", f"{text} 2", "zz")]
    wanted = TicketFilter("summary", "eq", (made[0].title,))
    page = await provider.query_tickets(TicketQuery((wanted,)))
    assert [ticket.id for ticket in page.items] == [made[0].id]
    for descending in (False, True):
        seen: list[str] = []
        cursor = ""
        while True:
            query = TicketQuery((), (TicketOrder("summary", descending),), 1, cursor)
            page = await provider.query_tickets(query)
            seen += [ticket.title for ticket in page.items]
            cursor = page.cursor
            if not cursor:
                break
        assert seen == sorted((ticket.title for ticket in made), reverse=descending)


async def test_empty_values_are_paged_through_in_both_orders(instance: Instance) -> None:
    provider = instance.provider()
    due = datetime(2026, 5, 1, tzinfo=UTC)
    dates = [None, due, None, due + timedelta(days=1), due, None]
    for number, date in enumerate(dates):
        await make(provider, str(number), due_date=date)
    for descending in (False, True):
        seen: list[datetime | None] = []
        ids: set[str] = set()
        cursor = ""
        while True:
            order = (TicketOrder("due_date", descending), TicketOrder("assignee"))
            page = await provider.query_tickets(TicketQuery((), order, 1, cursor))
            seen += [ticket.due_date for ticket in page.items]
            ids |= {ticket.id for ticket in page.items}
            cursor = page.cursor
            if not cursor:
                break
        expected = sorted(dates, key=lambda date: (date is not None, date or due), reverse=descending)
        assert seen == expected
        assert len(ids) == len(dates)


async def test_an_order_that_no_column_gives_is_refused(instance: Instance) -> None:
    with pytest.raises(InvalidRequestError):
        await instance.provider().query_tickets(TicketQuery(order=(TicketOrder("description"),)))


async def test_hidden_records_shorten_pages_and_end_nothing(instance: Instance) -> None:
    """The limit comes before the rights: whole pages may be hidden, and more follows."""
    own = {"as": "carla.customer"}
    first = instance.act("create_record", fields={"short_description": "mine"}, **own)
    for number in range(5):
        instance.act("create_record", fields={"short_description": f"not hers {number}"})
    last = instance.act("create_record", fields={"short_description": "mine too"}, **own)
    carla = instance.provider(username="carla.customer", secret="carla")
    seen: list[str] = []
    cursor = ""
    while True:
        page = await carla.query_tickets(TicketQuery(limit=2, cursor=cursor))
        seen += [ticket.id for ticket in page.items]
        cursor = page.cursor
        if not cursor:
            break
    assert sorted(seen) == sorted([first["sys_id"], last["sys_id"]])


# Polling


async def test_a_second_full_of_changes_is_read_to_its_end(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from callout.connectors.servicenow import changes  # noqa: PLC0415

    monkeypatch.setattr(changes, "PAGE", 3)
    provider = instance.provider()
    start = instance.now()
    made = {(await make(provider, str(number))).id for number in range(17)}
    found = [
        change.ticket_id for change in await polled(provider, start) if change.kind is ChangeKind.CREATED
    ]
    assert len(found) == len(set(found))
    assert set(found) == made


async def test_files_are_told_although_their_record_did_not_change(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    instance.pass_time(timedelta(hours=1))
    start = instance.now()
    instance.act("attach", record=made.key, filename="log.txt", text="x")
    told = [(change.kind, change.ticket_id) for change in await polled(provider, start)]
    assert told == [(ChangeKind.ATTACHED, made.id)]


async def test_changes_come_in_the_order_of_time(instance: Instance) -> None:
    provider = instance.provider(tables=["change_request"])
    start = instance.now()
    first = await make(provider)
    instance.pass_time(timedelta(seconds=5))
    instance.act("attach", record=first.key, filename="log.txt", text="x")
    instance.pass_time(timedelta(seconds=5))
    second = await make(provider, issue_type="change_request")
    instance.pass_time(timedelta(seconds=5))
    instance.act("delete_record", record=first.key)
    found = await polled(provider, start)
    times = [change.occurred_at for change in found]
    assert times == sorted(times, key=lambda at: at or datetime.max.replace(tzinfo=UTC))
    told = [(change.kind, change.ticket_id) for change in found]
    assert told[-2:] == [(ChangeKind.CREATED, second.id), (ChangeKind.DELETED, first.id)]


async def test_comments_of_one_second_keep_their_order_over_pages(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "PAGE", 4)
    provider = instance.provider()
    made = await make(provider)
    for number in range(11):
        instance.act("work_note", record=made.key, text=str(number))
    assert [comment.content for comment in await provider.list_comments(made.id)] == [
        str(n) for n in range(11)
    ]
