"""Who reads the files of a record: whoever works there, and the caller where the record has one."""

from __future__ import annotations

from callout.ports.ticketing import TicketPatch
from callout.ports.values import Audience, Person
from tests.connectors.servicenow.instance import Instance, make


async def test_a_caller_counts_as_a_reader_from_when_there_is_one(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    assert await provider.attachment_readers(made.id) is Audience.RESPONDERS
    caller = await provider.find_person(email="ann.lee@example.com")
    assert isinstance(caller, Person)
    await provider.patch_ticket(made.id, TicketPatch({"contact": caller}))
    assert await provider.attachment_readers(made.id) is Audience.CUSTOMER
