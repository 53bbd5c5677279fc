"""Reading the past: each record once with its whole journal, wherever pages, windows and chunks end."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from callout.connectors.servicenow import history, journal, sweep
from callout.connectors.servicenow.client import TableApi
from callout.connectors.servicenow.errors import TooSlowError
from callout.connectors.servicenow.ticketing import ServiceNowTicketing
from callout.connectors.servicenow.wire import RecordPage
from callout.ports.history import PastScope, PastTicket
from callout.ports.values import Audience
from tests.connectors.servicenow.instance import Instance

BEGIN = datetime(2026, 1, 5, 10, tzinfo=UTC)


async def past(provider: ServiceNowTicketing, *, parts: int) -> list[PastTicket]:
    plan = await provider.plan_past(PastScope(), parts=parts)
    found: list[PastTicket] = []
    for begin in plan.parts:
        cursor = begin
        while True:
            page = await provider.read_past(cursor, comments=True)
            found += page.tickets
            cursor = page.cursor
            if not cursor:
                break
    return found


def record(instance: Instance, title: str, *, at: datetime, **fields: str) -> str:
    instance.set(clock_offset=(at - datetime.now(UTC)).total_seconds())
    return str(instance.act("create_record", fields={"short_description": title, **fields})["sys_id"])


def said(one: PastTicket) -> list[str]:
    return [comment.content for comment in one.comments or ()]


@pytest.mark.parametrize(("page", "chunk"), [(4, 3), (3, 3), (100, 100)])
async def test_records_of_one_second_and_entries_beyond_the_window_come_once(
    instance: Instance, monkeypatch: pytest.MonkeyPatch, page: int, chunk: int
) -> None:
    monkeypatch.setattr(history, "PAGE", page)
    monkeypatch.setattr(journal, "CHUNK", chunk)
    cuts = [None, BEGIN + timedelta(minutes=1), BEGIN + timedelta(minutes=2), None]
    monkeypatch.setattr(history, "windows", lambda *_: list(pairwise(cuts)))
    before = {one.ticket.id for one in await past(instance.provider(), parts=1)}
    # Nine of one second, just where a window ends; others a minute before and behind.
    minutes = [0, *[1] * 9, 2, 3]
    made = [
        record(instance, f"old {number}", at=BEGIN + timedelta(minutes=at), comments=f"first {number}")
        for number, at in enumerate(minutes)
    ]
    # Said long after the record's own window, by the newest and the oldest.
    for number in (0, 9, 11):
        instance.set(clock_offset=0)
        instance.act("comment", record=made[number], text=f"late {number}")
    found = [one for one in await past(instance.provider(), parts=4) if one.ticket.id not in before]
    assert sorted(one.ticket.id for one in found) == sorted(made)
    by_id = {one.ticket.id: said(one) for one in found}
    for number, sys_id in enumerate(made):
        late = [f"late {number}"] if number in {0, 9, 11} else []
        assert by_id[sys_id] == [f"first {number}", *late]


async def test_a_journal_that_is_shorter_than_the_questions_is_read_once_as_a_whole(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PAGE", 4)
    monkeypatch.setattr(journal, "CHUNK", 1)
    monkeypatch.setattr(sweep, "CHUNK", 1)
    monkeypatch.setattr(sweep, "PAGE", 3)
    made = [
        record(instance, f"old {number}", at=BEGIN + timedelta(minutes=number), **told)
        for number, told in enumerate([{"comments": "of customers"}, {"work_notes": "of ours"}] * 4)
    ]
    instance.set(clock_offset=0)
    instance.act("comment", record=made[0], text="late")
    asked: list[str] = []
    whole = TableApi.query

    async def heard(self: TableApi, table: str, query: str, **more: Any) -> RecordPage:
        asked.extend([query] * (table == journal.JOURNAL))
        return await whole(self, table, query, **more)

    monkeypatch.setattr(TableApi, "query", heard)
    found = {one.ticket.id: one for one in await past(instance.provider(), parts=2)}
    first, second = found[made[0]], found[made[1]]
    assert (said(first), said(second)) == (["of customers", "late"], ["of ours"])
    assert [comment.audience for comment in (*(first.comments or ()), *(second.comments or ()))] == [
        Audience.CUSTOMER,
        Audience.CUSTOMER,
        Audience.RESPONDERS,
    ]
    assert not any("element_id" in query for query in asked)
    assert len(asked) < len(made)


async def test_what_is_said_while_the_past_is_read_is_read_too(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "pays", lambda *_, **__: True)
    monkeypatch.setattr(history, "pays", lambda *_, **__: True)
    sys_id = record(instance, "old", at=BEGIN)
    instance.set(clock_offset=0)
    provider = instance.provider()
    plan = await provider.plan_past(PastScope(), parts=1)
    for number in range(2):
        instance.act("comment", record=sys_id, text=f"said {number}")
        page = await provider.read_past(plan.parts[0], comments=True)
        [one] = [one for one in page.tickets if one.ticket.id == sys_id]
        assert said(one) == [f"said {at}" for at in range(number + 1)]
        monkeypatch.setattr(sweep, "FRESH_SECONDS", 0.0)
        provider._sweep._fresh_until = 0.0


@pytest.mark.parametrize(
    ("entries", "records", "worth"),
    [
        (1_000, 10_000, True),
        (0, 249, False),
        (20_001, 10_000_000, False),
        (None, 10_000, False),
        (1_000, 300, False),
    ],
)
def test_a_sweep_pays_where_it_takes_fewer_calls(entries: int | None, records: int, *, worth: bool) -> None:
    assert sweep.pays(entries, records=records) is worth


async def test_a_list_that_the_instance_cut_short_is_not_taken_for_the_end(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = instance.provider()
    before = {one.ticket.id for one in await past(provider, parts=1)}
    made = [record(instance, f"old {n}", at=BEGIN + timedelta(minutes=n)) for n in range(9)]
    gave_up = 0
    whole = TableApi._list
    monkeypatch.setattr(history, "PAGE", 8)

    async def short(self: TableApi, path: str, params: Any, *, doing: str) -> RecordPage:
        nonlocal gave_up
        if path.endswith("/incident") and int(params["sysparm_limit"]) == 8:
            gave_up += 1
            raise TooSlowError("too slow")
        return await whole(self, path, params, doing=doing)

    monkeypatch.setattr(TableApi, "_list", short)
    found = [one.ticket.id for one in await past(provider, parts=1) if one.ticket.id not in before]
    assert gave_up > 1
    assert sorted(found) == sorted(made)


async def test_what_was_made_after_a_look_at_an_empty_table_is_found(instance: Instance) -> None:
    provider = instance.provider()
    await provider._records.zone()  # which looked for the newest record
    made = record(instance, "first of all", at=BEGIN)
    assert made in [one.ticket.id for one in await past(provider, parts=2)]


async def test_a_plan_takes_few_calls_and_the_first_page_of_another_process_does_not_wait(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [record(instance, f"old {n}", at=BEGIN + timedelta(hours=n)) for n in range(8)]
    instance.set(clock_offset=0)
    monkeypatch.setattr(history, "PAGE", 3)
    before = len(instance.ledger("http"))
    plan = await instance.provider().plan_past(PastScope(), parts=2)
    asked = [entry["path"].rpartition("/")[2] for entry in instance.ledger("http")[before:]]
    assert len(plan.parts) == 2
    # Who we are, zone, what the table extends, its columns, its choices, the journal's size; oldest, newest, and the zone tried out.
    assert sorted(asked) == sorted(
        [
            *("sys_user", "sys_properties", "sys_db_object", "sys_dictionary", "sys_choice"),
            *("sys_journal_field", "incident", "incident", "incident"),
        ]
    )
    other, began = instance.provider(), asyncio.Event()
    whole = TableApi.query

    async def held(self: TableApi, table: str, query: str, **more: Any) -> RecordPage:
        if table == "incident" and more["limit"] == 3:
            began.set()
        elif table != journal.JOURNAL:
            await asyncio.wait_for(began.wait(), 5)
        return await whole(self, table, query, **more)

    monkeypatch.setattr(TableApi, "query", held)
    found: list[str] = []
    for part in plan.parts:
        cursor = part
        while cursor:
            page = await other.read_past(cursor, comments=True)
            found += [one.ticket.id for one in page.tickets]
            cursor = page.cursor
    assert set(made) <= set(found)
    assert len(found) == len(set(found))
