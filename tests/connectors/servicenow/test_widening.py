"""An instance that does not understand a condition drops it and answers with everything: what comes is judged again."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from callout.connectors.servicenow.config import ServiceNowConfig
from callout.connectors.servicenow.ticketing import ServiceNowTicketing
from callout.kit.clock import SystemClock
from callout.kit.http import VendorHttp
from callout.ports.errors import RecordNotFoundError, RejectedError
from callout.ports.ticketing import TicketFilter, TicketQuery
from callout.ports.values import Person

MINE, OTHER = "a" * 32, "b" * 32
ROWS: dict[str, list[dict[str, Any]]] = {
    "sys_db_object": [
        {"name": "incident", "label": "Incident", "super_class.name": "task"},
        {"name": "task", "label": "Task", "super_class.name": ""},
    ],
    "sys_choice": [
        {"name": "incident", "element": "state", "value": "1", "label": "New", "language": "en"},
        {"name": "problem", "element": "state", "value": "101", "label": "Foreign", "language": "en"},
    ],
    "sys_dictionary": [
        {"name": "incident", "element": "short_description"},
        {"name": "problem", "element": "u_foreign"},
    ],
    "sys_user": [
        {"sys_id": MINE, "user_name": "ann", "name": "Ann", "email": "ann@example.com", "active": "true"},
        {"sys_id": OTHER, "user_name": "bob", "name": "Bob", "email": "bob@example.com", "active": "true"},
    ],
    "sys_journal_field": [
        {
            "sys_id": "c" * 32,
            "element_id": MINE,
            "element": "work_notes",
            "value": "mine",
            "sys_created_by": "ann",
        },
        {
            "sys_id": "d" * 32,
            "element_id": OTHER,
            "element": "work_notes",
            "value": "other",
            "sys_created_by": "ann",
        },
        {
            "sys_id": "e" * 32,
            "element_id": MINE,
            "element": "close_notes",
            "value": "no comment",
            "sys_created_by": "ann",
        },
    ],
    "sys_attachment": [
        {"sys_id": "f" * 32, "table_sys_id": MINE, "file_name": "mine"},
        {"sys_id": "9" * 32, "table_sys_id": OTHER, "file_name": "other"},
    ],
}
for name in ("incident", "task"):
    ROWS[name] = [
        {
            "sys_id": sys_id,
            "sys_class_name": "incident",
            "number": number,
            "correlation_id": key,
            "short_description": number,
            "state": "1",
            "sys_created_on": "2026-01-02 03:04:05",
        }
        for sys_id, number, key in ((MINE, "INC1", "callout-1"), (OTHER, "INC2", "callout-2"))
    ]


def deaf(request: httpx.Request) -> httpx.Response:
    """Answer each list with all there is, whatever was asked."""
    *_, last = request.url.path.split("/")
    if last in {MINE, OTHER}:
        return httpx.Response(200, json={"result": next(r for r in ROWS["incident"] if r["sys_id"] == last)})
    rows = ROWS["sys_attachment" if last == "attachment" else last] if last in {*ROWS, "attachment"} else []
    return httpx.Response(200, json={"result": rows}, headers={"X-Total-Count": str(len(rows))})


@pytest.fixture
def provider() -> ServiceNowTicketing:
    http = VendorHttp("https://example.service-now.com", transport=httpx.MockTransport(deaf))
    return ServiceNowTicketing(ServiceNowConfig(url="https://example.service-now.com"), http, SystemClock())


async def test_our_key_is_compared_again(provider: ServiceNowTicketing) -> None:
    assert [ticket.id for ticket in await provider.find_by_key("callout-1")] == [MINE]
    assert not await provider.find_by_key("callout-3")


async def test_people_are_compared_again(provider: ServiceNowTicketing) -> None:
    assert await provider.find_person(email="bob@example.com") == Person(OTHER, "Bob", "bob@example.com")
    assert await provider.find_person(name="nobody") is None
    with pytest.raises(RejectedError):
        await provider._people.sys_id(Person("0" * 32), field="assignee")


async def test_numbers_comments_and_files_are_compared_again(provider: ServiceNowTicketing) -> None:
    ticket = await provider.get_ticket("INC1")
    assert (ticket.id, [file.file_name for file in ticket.attachments]) == (MINE, ["mine"])
    assert [comment.content for comment in await provider.list_comments(MINE)] == ["mine"]
    with pytest.raises(RecordNotFoundError):
        await provider.get_ticket("INC3")


async def test_filters_are_judged_again(provider: ServiceNowTicketing) -> None:
    page = await provider.query_tickets(TicketQuery((TicketFilter("key", "eq", ("INC2",)),)))
    assert [ticket.id for ticket in page.items] == [OTHER]


async def test_states_and_columns_of_other_tables_are_left_out(provider: ServiceNowTicketing) -> None:
    catalogue = await provider.field_catalogue("incident", "")
    assert [name for name, _ in catalogue.statuses] == ["New"]
    assert [field.id for field in catalogue.fields] == ["short_description"]
