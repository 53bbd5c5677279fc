"""Rights that are missing, and an instance that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from callout.ports.errors import (
    PermissionDeniedError,
    RateLimitedError,
    RejectedError,
    UnavailableError,
)
from callout.ports.ticketing import (
    CommentDraft,
    StatusCategory,
    TicketPatch,
    TicketQuery,
)
from callout.ports.values import Audience, Person, Priority
from tests.connectors.servicenow.instance import Instance, make, polled

# Rights that are missing


@pytest.mark.parametrize("lists", ["refuse", "empty"])
async def test_without_the_platform_tables_tickets_are_read_and_comments_too(
    instance: Instance, lists: str
) -> None:
    """Ann may work on incidents; choices, dictionary and journal table are closed to her."""
    instance.set(forbidden_lists=lists)
    made = await make(instance.provider(), priority=Priority.HIGH)
    instance.act("edit_record", record=made.key, fields={"state": "2"})
    instance.act("comment", record=made.key, text="one\n\nand more")
    instance.act("work_note", record=made.key, text="two")
    ann = instance.provider(username="ann.lee", secret="ann")
    ticket = await ann.get_ticket(made.id)
    assert (ticket.status, ticket.status_category) == ("In Progress", StatusCategory.ACTIVE)
    assert ticket.priority is Priority.HIGH
    assert ticket.title == "DB is down"
    comments = await ann.list_comments(made.id)
    assert {(c.content, c.audience) for c in comments} == {
        ("one\n\nand more", Audience.CUSTOMER),
        ("two", Audience.RESPONDERS),
    }
    assert len({c.id for c in comments}) == 2
    assert {c.id for c in await ann.list_comments(made.id)} == {c.id for c in comments}
    said = await ann.create_comment(made.id, CommentDraft("three", key="note-3"))
    assert await ann.find_comment(made.id, "note-3") == said
    with pytest.raises(PermissionDeniedError) as caught:
        await ann.patch_ticket(made.id, TicketPatch({"status": "category:done"}))
    assert "sys_choice" in caught.value.remediation
    report = await ann.check_connection()
    assert report.ok
    for table in ("sys_choice", "sys_dictionary"):
        assert any(table in warning for warning in report.warnings), report.warnings


async def test_a_missing_plugin_is_told_by_its_name(instance: Instance) -> None:
    instance.set(security_incidents=False)
    report = await instance.provider(sir=True).check_connection()
    assert not report.ok
    assert "Security Incident Response" in report.warnings[0]


async def test_a_missing_role_is_told_by_its_name(instance: Instance) -> None:
    report = await instance.provider(username="mia.manager", secret="mia", sir=True).check_connection()
    assert not report.ok
    assert "sn_si.basic" in report.warnings[0]


async def test_a_mapping_to_a_column_that_is_not_there_is_told(instance: Instance) -> None:
    wrong = {"name": "impact", "project_id": "*", "provider_field_path": "u_nonsense"}
    provider = instance.provider(custom_field_mappings=[wrong], tags_field="u_labels")
    report = await provider.check_connection()
    assert any("u_nonsense" in warning for warning in report.warnings)
    assert any("u_labels" in warning for warning in report.warnings)
    with pytest.raises(RejectedError) as caught:
        await make(provider, custom_fields={"impact": "x"})
    assert "custom_fields/impact" in caught.value.fields


# Faults


async def test_a_hibernating_instance_is_said_to_hibernate(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    instance.faults.add({"kind": "html"})
    with pytest.raises(UnavailableError) as caught:
        await provider.get_ticket(made.id)
    assert "hibernat" in f"{caught.value.message} {caught.value.remediation}"
    with pytest.raises(UnavailableError):
        await provider.check_connection()


async def test_a_query_that_took_too_long_is_asked_again_for_less(instance: Instance) -> None:
    provider = instance.provider()
    made = {(await make(provider, str(number))).id for number in range(9)}
    await provider.query_tickets(TicketQuery())
    body = {"error": {"message": "Transaction cancelled: maximum execution time exceeded", "detail": ""}}
    instance.faults.add({"kind": "status", "status": 500, "body": body}, path=r"/table/incident$", first=1)
    seen: list[str] = []
    cursor = ""
    while True:
        page = await provider.query_tickets(TicketQuery(limit=8, cursor=cursor))
        seen += [ticket.id for ticket in page.items]
        cursor = page.cursor
        if not cursor:
            break
    assert sorted(seen) == sorted(made)


async def test_an_hourly_limit_says_until_when(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    instance.set(rate_limit=2)
    await provider.get_ticket(made.id)
    with pytest.raises(RateLimitedError) as caught:
        await provider.get_ticket(made.id)
    assert caught.value.retry_after is not None
    assert timedelta() < caught.value.retry_after <= timedelta(hours=1)
    assert "2 calls per hour" in caught.value.message


async def test_a_closed_table_is_not_asked_for_with_every_poll(instance: Instance) -> None:
    provider = instance.provider(username="callout.integration", secret="integration")
    made = await make(provider)
    for _ in range(3):
        await polled(provider, made.created_at)
    refused = [e for e in instance.ledger("http") if e["path"].endswith("/sys_audit_delete")]
    assert len(refused) == 1


async def test_a_file_that_is_too_large_is_refused_in_words(instance: Instance) -> None:
    instance.set(upload_limit=10)
    provider = instance.provider()
    made = await make(provider)

    async def content() -> AsyncIterator[bytes]:
        yield b"x" * 11

    with pytest.raises(RejectedError) as caught:
        await provider.create_attachment(made.id, file_name="x", content=content(), media_type="text/plain")
    assert "smaller" in caught.value.remediation


async def test_a_clock_that_is_off_is_told(instance: Instance) -> None:
    class Late:
        def now(self) -> datetime:
            return datetime.now(UTC) - timedelta(minutes=3)

        def monotonic(self) -> float:
            return 0.0

    provider = instance.provider()
    provider._clock = Late()
    report = await provider.check_connection()
    assert any("clocks differ by 1" in warning for warning in report.warnings), report
    assert report.clock_skew > timedelta(minutes=2)


async def test_what_can_be_known_beforehand_is_asked_once(instance: Instance) -> None:
    provider = instance.provider()
    await asyncio.gather(*(make(provider, str(number)) for number in range(3)))
    before = len(instance.ledger("http"))
    await make(provider)
    paths = [entry["path"] for entry in instance.ledger("http")[before:]]
    assert len(paths) == 1, f"the create alone, not {paths}"


async def test_people_are_found_by_name_and_login(instance: Instance) -> None:
    provider = instance.provider()
    by_name = await provider.find_person(name="Ann Lee")
    assert by_name is not None
    assert await provider.find_person(name="ann.lee") == by_name
    assert await provider.find_person(email="ann.lee@example.com") == by_name
    for text in ("x^ORactive=true", "Ann Lee^NQactive=true", "nobody"):
        assert await provider.find_person(name=text) is None
        assert await provider.find_person(email=text) is None
    made = await make(
        provider, assignee=Person("", "Ann Lee"), contact=Person("", email="carla.customer@example.com")
    )
    assert made.assignee == by_name
    assert made.contact is not None
    assert made.contact.name == "Carla Customer"
