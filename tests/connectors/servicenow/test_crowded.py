"""People who edit a record in the very moment of a write of ours: the instance refuses nothing, its count and its audit tell."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from callout.ports.ticketing import FieldEdit, TicketPatch
from callout.ports.values import Priority
from callout.sync.connector import Connector
from tests.connectors.crowd import Crowd
from tests.connectors.servicenow.instance import make

if TYPE_CHECKING:
    from tests.connectors.servicenow.instance import Instance

OURS = {"title": "DB is down", "description": "one", "severity": "SEV-2", "status": "open", "assignee": None}


def crowded(instance: Instance, monkeypatch: pytest.MonkeyPatch, act: Callable[[], Any]) -> Connector:
    crowd: Any = Crowd(instance, "PATCH", "/table/incident", act=act, after=False)
    monkeypatch.setattr(instance, "transport", crowd)
    return Connector("servicenow", instance.provider(default_project="incident"))


async def in_step(instance: Instance) -> Any:
    connector = Connector("servicenow", instance.provider(default_project="incident"))
    return await connector.create(OURS, key="callout-inc-1-000000000001")


def audits(instance: Instance) -> int:
    return sum(entry["path"].endswith("/table/sys_audit") for entry in instance.ledger("http"))


async def test_what_our_write_took_the_place_of_is_a_conflict(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await in_step(instance)
    number = first.external.ticket.key

    def low() -> None:
        instance.act("edit_record", record=number, fields={"impact": "3", "urgency": "3"})

    connector = crowded(instance, monkeypatch, low)
    done = await connector.sync({**OURS, "severity": "SEV-3"}, first.external.id, first.state)
    [conflict] = done.conflicts
    assert (conflict.field, conflict.ours, conflict.overwritten) == ("severity", "SEV-3", True)
    assert (conflict.theirs, done.external.ticket.priority) == ("PLANNING", Priority.MODERATE)
    assert audits(instance) == 1

    again = await connector.sync(done.values, first.external.id, done.state)
    assert [one.field for one in again.conflicts] == ["severity"]


async def test_texts_and_people_are_told_as_a_read_tells_them(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await in_step(instance)
    number = first.external.ticket.key
    ann = await instance.provider().find_person(email="ann.lee@example.com")
    assert ann is not None

    def edit() -> None:
        instance.act("edit_record", record=number, fields={"description": "two", "assigned_to": ann.id})

    connector = crowded(instance, monkeypatch, edit)
    done = await connector.sync({**OURS, "description": "three"}, first.external.id, first.state)
    [conflict] = done.conflicts
    assert (conflict.field, conflict.theirs, conflict.held) == ("description", "two", "three")
    edits: dict[str, FieldEdit] = {one.field: one for one in done.external.ticket.edits or ()}
    assert edits["assignee"].after["assignee"] == done.external.ticket.assignee == ann
    assert (edits["assignee"].own, edits["description"].own) == (False, True)


async def test_nothing_is_asked_where_nobody_was_there(instance: Instance) -> None:
    first = await in_step(instance)
    connector = Connector("servicenow", instance.provider())
    values = {**OURS, "severity": "SEV-1", "title": "b", "status": "acknowledged"}
    done = await connector.sync(values, first.external.id, first.state)
    assert (done.conflicts, audits(instance)) == ((), 0)


async def test_where_the_audit_is_closed_it_is_said_that_there_was_an_edit(
    instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await make(instance.provider())
    crowd: Any = Crowd(
        instance,
        "PATCH",
        "/table/incident",
        act=lambda: instance.act("edit_record", record=made.key, fields={"short_description": "theirs"}),
        after=False,
    )
    monkeypatch.setattr(instance, "transport", crowd)
    provider = instance.provider(username="ann.lee", secret="ann")
    written = await provider.patch_ticket(made.id, TicketPatch({"title": "ours"}))
    assert (written.title, written.edits, written.unread_edits) == ("ours", None, True)
    again = await provider.patch_ticket(made.id, TicketPatch({"title": "ours again"}))
    assert not again.unread_edits
    report = await provider.check_connection()
    assert any("sys_audit" in warning for warning in report.warnings)


async def test_the_audit_is_told_in_the_tickets_own_values(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider, description="one")
    instance.act("edit_record", record=made.key, fields={"short_description": "b"})
    instance.act("resolve", record=made.key)
    instance.act("work_note", record=made.key, text="done")
    ticket = await provider.get_ticket_with_edits(made.id)
    edits = {one.field: one for one in ticket.edits or ()}
    assert (edits["title"].before, edits["title"].after) == ({"title": "DB is down"}, {"title": "b"})
    assert edits["status"].after == {"status": ticket.status, "status_category": ticket.status_category}
    assert all(one.at is not None and one.author is not None and not one.own for one in edits.values())
