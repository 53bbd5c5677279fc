"""All 19 operations of the ticketing API, called by the SDK for every provider against its twin; each answer's raw JSON is judged."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from synqly.engine import NotFoundError
from synqly.engine import NotImplementedError as Unsupported

if TYPE_CHECKING:
    from tests.unified.sdk import Connected, Sdk

ALL = frozenset(
    {"list_remote_fields", "list_projects", "query_tickets", "get_ticket", "create_ticket", "patch_ticket"}
)
COMMENTS = frozenset({"list_comments", "create_comment", "delete_comment"})
NOTES = frozenset({"list_notes", "create_note", "delete_note"})
FILES = frozenset(
    {"create_attachment", "list_attachments_metadata", "download_attachment", "delete_attachment"}
)
ON_CALL = frozenset({"query_escalation_policies", "list_on_call"})
EVERYTHING = ALL | COMMENTS | NOTES | {"patch_note"} | FILES | ON_CALL


@dataclass(frozen=True)
class Provider:
    """What a provider can do, what it is set up with, and its own words."""

    type: str
    can: frozenset[str]
    more: dict[str, Any] = field(default_factory=dict)
    done: str = "Done"
    other: str = ""


PROVIDERS = [
    Provider(
        "ticketing_mock_ticketing",
        ALL | COMMENTS | NOTES | {"patch_note"} | FILES,
        {"default_project": "TST"},
        other="OPS",
    ),
    Provider("ticketing_jira", ALL | COMMENTS | FILES, {"default_issue_type": "Task"}, other="OPS"),
    Provider("ticketing_servicenow", ALL | COMMENTS | NOTES | FILES, done="Resolved", other="problem"),
    Provider("ticketing_servicenow_sir", ALL | COMMENTS | NOTES | FILES, done="Closed", other="incident"),
    Provider("ticketing_pagerduty", ALL | COMMENTS | ON_CALL, done="resolved", other="PSVC002"),
]
each_provider = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.type)


async def connected(sdk: Sdk, provider: Provider, **more: Any) -> Connected:
    return await sdk.connect(sdk.config(provider.type, **{**provider.more, **more}))


def replace(path: str, value: Any) -> dict[str, Any]:
    return {"op": "replace", "path": path, "value": value}


@each_provider
async def test_a_ticket_is_created_read_changed_and_found(sdk: Sdk, provider: Provider) -> None:
    api = (await connected(sdk, provider)).engine.ticketing
    made = (await api.create_ticket(name="Disk full", description="On **db-1**.", priority="HIGH")).result
    assert (made.name, made.summary, made.priority) == ("Disk full", "Disk full", "HIGH")
    assert made.description == "On **db-1**."
    assert made.created_at <= made.updated_at
    read = (await api.get_ticket(made.id)).result
    assert read.dict() == made.dict()
    assert (await api.get_ticket(sdk.raw["result"]["key"])).result.id == made.id

    changed = (await api.patch_ticket(made.id, request=[replace("/summary", "Disk is full")])).result
    assert (changed.summary, changed.description) == ("Disk is full", "On **db-1**.")
    closed = (await api.patch_ticket(made.id, request=[replace("/status", provider.done)])).result
    assert closed.status == provider.done
    assert sdk.raw["result"]["status_category"] == "done"

    found = await api.query_tickets(filter=["summary[eq]Disk is full", f"status[eq]{provider.done}"])
    assert [one.id for one in found.result] == [made.id]
    assert found.cursor == ""
    assert (await api.query_tickets(filter="summary[eq]nothing of that name")).result == []


@each_provider
async def test_pages_hold_every_ticket_once_while_others_are_created(sdk: Sdk, provider: Provider) -> None:
    api = (await connected(sdk, provider)).engine.ticketing
    wanted = [(await api.create_ticket(name=f"paged {number}")).result.id for number in range(7)]
    for direction in ("asc", "desc"):
        seen: list[str] = []
        cursor = ""
        while True:
            page = await api.query_tickets(
                filter="summary[like]paged", order=f"created_at[{direction}]", limit=3, cursor=cursor or None
            )
            seen += [one.id for one in page.result]
            cursor = page.cursor
            assert page.result or not cursor
            if not cursor:
                break
            await api.create_ticket(name=f"paged between {direction} {len(seen)}")
        assert len(seen) == len(set(seen))
        assert set(wanted) <= set(seen)


@each_provider
async def test_the_default_project_is_where_tickets_go_and_are_looked_for(
    sdk: Sdk, provider: Provider
) -> None:
    api = (await connected(sdk, provider)).engine.ticketing
    here = (await api.create_ticket(name="scoped here")).result
    there = (await api.create_ticket(name="scoped there", project=provider.other)).result
    assert there.project == provider.other != here.project
    found = await api.query_tickets(filter="summary[like]scoped")
    assert [one.id for one in found.result] == [here.id]
    found = await api.query_tickets(
        filter=["summary[like]scoped", f"project[in]{here.project}, {there.project}"]
    )
    assert {one.id for one in found.result} == {here.id, there.id}


@each_provider
async def test_projects_and_fields_are_listed(sdk: Sdk, provider: Provider) -> None:
    api = (await connected(sdk, provider)).engine.ticketing
    names: list[str] = []
    cursor = ""
    while not names or cursor:
        page = await api.list_projects(limit=1, cursor=cursor or None)
        names += [one.id for one in page.result]
        cursor = page.cursor
    assert provider.other in names
    assert len(names) == len(set(names)) >= 2
    fields = (await api.list_remote_fields()).result
    assert sdk.raw["cursor"] == ""
    assert {one["schema"]["field_type_id"] for one in sdk.raw["result"]} <= {
        "string",
        "number",
        "enum",
        "other",
    }
    assert all("field_Type" in one["schema"] for one in sdk.raw["result"])
    titles = [one["field_id"] for one in sdk.raw["result"] if one.get("ticket_field") == "title"]
    assert len(titles) == 1
    assert len(fields) > 1


@each_provider
async def test_comments(sdk: Sdk, provider: Provider) -> None:
    api = (await connected(sdk, provider)).engine.ticketing
    ticket = (await api.create_ticket(name="talked about")).result.id
    first = (await api.create_comment(ticket, content="Seen by **me**")).result
    second = (await api.create_comment(ticket, content="Fixed")).result
    assert first.ticket_id == ticket
    found = (await api.list_comments(ticket)).result
    assert [(one.id, one.content) for one in found] == [(first.id, "Seen by **me**"), (second.id, "Fixed")]
    await api.delete_comment(ticket, first.id)
    assert [one.id for one in (await api.list_comments(ticket)).result] == [second.id]
    with pytest.raises(NotFoundError):
        await api.delete_comment(ticket, first.id)


@pytest.mark.parametrize("provider", [one for one in PROVIDERS if one.can >= NOTES], ids=lambda one: one.type)
async def test_notes(sdk: Sdk, provider: Provider) -> None:
    api = (await connected(sdk, provider)).engine.ticketing
    ticket = (await api.create_ticket(name="noted")).result.id
    await api.create_comment(ticket, content="for everybody")
    note = (await api.create_note(ticket, title="Cause", content="A full disk.")).result
    assert (note.title, note.content, note.ticket_id) == ("Cause", "A full disk.", ticket)
    assert [(one.id, one.title, one.content) for one in (await api.list_notes(ticket)).result] == [
        (note.id, "Cause", "A full disk.")
    ]
    # Notes and comments are kept apart, also where the provider has them in one list.
    assert [one.content for one in (await api.list_comments(ticket)).result] == ["for everybody"]
    if "patch_note" in provider.can:
        changed = (await api.patch_note(ticket, note.id, request=[replace("/title", "The cause")])).result
        assert (changed.title, changed.content) == ("The cause", "A full disk.")
    await api.delete_note(ticket, note.id)
    assert (await api.list_notes(ticket)).result == []
    with pytest.raises(NotFoundError):
        await api.delete_note(ticket, note.id)


@pytest.mark.parametrize("provider", [one for one in PROVIDERS if one.can >= FILES], ids=lambda one: one.type)
async def test_files(sdk: Sdk, provider: Provider) -> None:
    api = (await connected(sdk, provider)).engine.ticketing
    ticket = (await api.create_ticket(name="with files")).result.id
    data = bytes(range(256)) * 3
    sent = base64.b64encode(data).decode()
    made = (await api.create_attachment(ticket, file_name="core dump.bin", content=sent)).result
    assert (made.file_name, made.ticket_id, made.file_size) == ("core dump.bin", ticket, len(data))
    assert [one.id for one in (await api.list_attachments_metadata(ticket)).result] == [made.id]
    got = (await api.download_attachment(ticket, made.id)).result
    assert base64.b64decode(got.content) == data
    assert got.file_name == "core dump.bin"
    await api.delete_attachment(ticket, made.id)
    assert (await api.list_attachments_metadata(ticket)).result == []
    with pytest.raises(NotFoundError):
        await api.download_attachment(ticket, made.id)


async def test_escalation_policies_and_who_is_on_call(sdk: Sdk) -> None:
    api = (await connected(sdk, PROVIDERS[-1])).engine.ticketing
    page = await api.query_escalation_policies()
    assert page.cursor == ""
    policy = page.result[0]
    assert policy.rules
    assert all(rule.delay_seconds >= 60 for rule in policy.rules)
    assert [
        one.id for one in (await api.query_escalation_policies(filter=f"name[eq]{policy.name}")).result
    ] == [policy.id]
    assert (await api.query_escalation_policies(filter="name[eq]nothing")).result == []
    on_call = (await api.list_on_call(policy.id)).result
    assert on_call
    assert all(one.uid and one.full_name for one in on_call)
    with pytest.raises(NotFoundError):
        await api.list_on_call("PNOTHING")


CALLS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "create_comment": (("1",), {"content": "x"}),
    "list_comments": (("1",), {}),
    "delete_comment": (("1", "1"), {}),
    "create_note": (("1",), {"title": "x", "content": "x"}),
    "list_notes": (("1",), {}),
    "patch_note": (("1", "1"), {"request": [replace("/title", "x")]}),
    "delete_note": (("1", "1"), {}),
    "create_attachment": (("1",), {"file_name": "a", "content": "YQ=="}),
    "list_attachments_metadata": (("1",), {}),
    "download_attachment": (("1", "1"), {}),
    "delete_attachment": (("1", "1"), {}),
    "query_escalation_policies": ((), {}),
    "list_on_call": (("1",), {}),
    "list_remote_fields": ((), {}),
    "list_projects": ((), {}),
}


@each_provider
async def test_what_a_provider_cannot_do_is_said_before_it_is_called(sdk: Sdk, provider: Provider) -> None:
    one = await connected(sdk, provider, **({} if "mock" in provider.type else {"url": "http://127.0.0.1:9"}))
    for name in sorted(EVERYTHING - provider.can):
        args, options = CALLS[name]
        with pytest.raises(Unsupported) as refused:
            await getattr(one.engine.ticketing, name)(*args, **options)
        assert refused.value.body.type == "operation-not-supported"
        assert refused.value.body.remediation
