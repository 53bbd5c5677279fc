"""The instance's own words, whatever its numbers are; and what each of its states asks for."""

from __future__ import annotations

import pytest

from callout.ports.errors import (
    RejectedError,
)
from callout.ports.ticketing import (
    StatusCategory,
    TicketPatch,
)
from callout.ports.values import Priority
from tests.connectors.servicenow.instance import Instance, make


async def test_another_instance_has_other_numbers_and_the_same_words(instance: Instance) -> None:
    instance.set(choices="customised")
    provider = instance.provider()
    made = await make(provider)
    assert (made.status, made.status_category) == ("Registered", StatusCategory.NEW)
    worked = await provider.patch_ticket(made.id, TicketPatch({"status": "category:active"}))
    assert worked.status == "In Progress"
    supplier = await provider.patch_ticket(made.id, TicketPatch({"status": "with supplier"}))
    assert instance.task(made.key)["state"] == "25"
    assert supplier.status_category is StatusCategory.ACTIVE
    done = await provider.patch_ticket(made.id, TicketPatch({"status": "category:done"}))
    assert (done.status, done.unmapped["close_code"]) == ("Resolved", "Solved (Permanently)")
    assert instance.task(made.key)["state"] == "60"


async def test_the_close_code_is_one_of_the_instance(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    with pytest.raises(RejectedError) as caught:
        await provider.patch_ticket(
            made.id,
            TicketPatch({"status": "Resolved"}, transition_fields={"close_code": "Solved (Permanently)"}),
        )
    assert "Solution provided" in caught.value.fields["transition_fields/close_code"]
    assert instance.task(made.key)["state"] == "1"
    given = {"close_code": "workaround PROVIDED", "close_notes": "restarted"}
    done = await provider.patch_ticket(made.id, TicketPatch({"status": "Resolved"}, transition_fields=given))
    assert (done.unmapped["close_code"], done.unmapped["close_notes"]) == ("Workaround provided", "restarted")
    assert len(instance.ledger("record.update")) == 1, "state, code and notes in one write"


async def test_a_hold_has_a_reason_that_asks_nobody_to_comment(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    held = await provider.patch_ticket(made.id, TicketPatch({"status": "on hold"}))
    assert held.unmapped["hold_reason"] == "Awaiting Problem"
    await provider.patch_ticket(made.id, TicketPatch({"status": "In Progress"}))
    waiting = TicketPatch({"status": "On Hold"}, transition_fields={"hold_reason": "Awaiting Caller"})
    with pytest.raises(RejectedError) as caught:
        await provider.patch_ticket(made.id, waiting)
    assert "Additional comments" in caught.value.fields


async def test_a_renamed_state_is_known_by_its_new_name(instance: Instance) -> None:
    instance.act("change_choice_label", table="incident", element="state", value="2", label="Wird bearbeitet")
    provider = instance.provider(state_categories={"wird bearbeitet": "active"})
    made = await make(provider)
    moved = await provider.patch_ticket(made.id, TicketPatch({"status": "Wird bearbeitet"}))
    assert (moved.status, moved.status_category) == ("Wird bearbeitet", StatusCategory.ACTIVE)


async def test_a_priority_that_is_there_already_leaves_impact_and_urgency_alone(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    instance.act("edit_record", record=made.key, fields={"impact": "3", "urgency": "1"})
    before = instance.task(made.key)
    assert before["priority"] == "3"
    await provider.patch_ticket(made.id, TicketPatch({"priority": Priority.MEDIUM}))
    after = instance.task(made.key)
    assert (after["impact"], after["urgency"]) == ("3", "1")
    await provider.patch_ticket(made.id, TicketPatch({"priority": Priority.URGENT}))
    assert instance.task(made.key)["priority"] == "1"
