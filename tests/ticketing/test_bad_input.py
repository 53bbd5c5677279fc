"""What is wrong with a request is said by a Problem that names the place and a next step; nothing of it is a fault of ours."""

from __future__ import annotations

from typing import Any

from tests.ticketing.caller import TICKETS, Caller

LONE = b'"\\ud800"'


def nested(depth: int) -> Any:
    value: Any = "deep"
    for _ in range(depth):
        value = {"x": [value]} if depth < 50 else [value]
    return value


QUERIES: list[tuple[dict[str, Any], str, str]] = [
    ({"filter": "colour[eq]red"}, "invalid-filter", "colour"),
    ({"filter": "status[about]Done"}, "invalid-filter", "about"),
    ({"filter": "status"}, "invalid-filter", "cannot be read"),
    ({"filter": "status[eq]"}, "invalid-filter", "no value"),
    ({"filter": "status[in],,"}, "invalid-filter", "no value"),
    ({"filter": "created_at[gte]yesterday"}, "invalid-filter", "yesterday"),
    ({"filter": "created_at[like]2026"}, "invalid-filter", "does not apply"),
    ({"filter": "priority[eq]WHATEVER"}, "invalid-filter", "WHATEVER"),
    ({"filter": "x" * 5000}, "invalid-filter", "at most"),
    ({"filter": ["status[eq]a"] * 60}, "invalid-filter", "at most"),
    ({"order": "colour"}, "invalid-filter", "colour"),
    ({"order": "name[up]"}, "invalid-filter", "cannot be read"),
    ({"cursor": "garbage"}, "invalid-cursor", "not a cursor"),
    ({"cursor": "eyJwIjp7ImMiOiJ4In0sInMiOiJhIn0"}, "invalid-cursor", "another query"),
    ({"cursor": "€€€"}, "invalid-cursor", "not a cursor"),
    ({"limit": "0"}, "invalid-request", "limit"),
    ({"limit": "-1"}, "invalid-request", "limit"),
    ({"limit": "many"}, "invalid-request", "limit"),
]


async def test_a_query_that_cannot_be_carried_out(api: Caller) -> None:
    for params, kind, word in QUERIES:
        said = await api.refused(400, kind, "GET", TICKETS, params=params)
        assert word in said["message"] + said.get("detail", "") + str(said["context"])
        assert said["context"]["parameter"]["location"] == "query"
        assert said["context"]["parameter"]["id"] in {"filter", "order", "cursor", "limit"}


async def test_a_cursor_belongs_to_its_query(api: Caller) -> None:
    for number in range(3):
        await api.ticket(f"t {number}")
    cursor = (await api("GET", TICKETS, params={"limit": "1", "filter": "name[like]t"}))["cursor"]
    assert cursor
    for other in ({"filter": "name[like]x"}, {"filter": "name[like]t", "order": "name"}, {}):
        await api.refused(400, "invalid-cursor", "GET", TICKETS, params={**other, "cursor": cursor})
    with_another_size = {"limit": "2", "filter": "name[like]t", "cursor": cursor}
    assert len((await api("GET", TICKETS, params=with_another_size))["result"]) == 2


TICKETS_THAT_ARE_NONE: list[tuple[dict[str, Any], str]] = [
    ({}, "/name"),
    ({"name": ""}, "/name"),
    ({"name": " \n"}, "/name"),
    ({"name": 7}, "/name"),
    ({"name": None}, "/name"),
    ({"name": "x" * 300_000}, "/name"),
    ({"name": "x", "priority": "VERY"}, "/priority"),
    ({"name": "x", "due_date": "soon"}, "/due_date"),
    ({"name": "x", "due_date": "9999-12-31T23:59:59-14:00"}, "/due_date"),
    ({"name": "x", "tags": "one"}, "/tags"),
    ({"name": "x", "tags": [1]}, "/tags/0"),
    ({"name": "x", "assignee": {"id": 1}}, "/assignee"),
    ({"name": "x", "custom_fields": []}, "/custom_fields"),
    ({"name": "x", "custom_fields": {"a": nested(15)}}, "/custom_fields/a"),
    ({"name": "x", "custom_fields": {"unknown": 1}}, "/custom_fields/unknown"),
    ({"name": "x", "project": "NOPE"}, "/project"),
    ({"name": "a\x00b"}, "/name"),
]


async def test_a_ticket_that_cannot_be_created(api: Caller) -> None:
    for body, pointer in TICKETS_THAT_ARE_NONE:
        said = await api.refused(400, "invalid-request", "POST", TICKETS, json=body)
        assert said["context"]["parameter"]["location"] == "body"
        assert said["context"]["parameter"]["id"] == pointer
    assert await api.names() == []


BODIES = [
    (b"", 400),
    (b"{", 400),
    (b"[1]", 400),
    (b'"text"', 400),
    (b'{"name": ' + LONE + b"}", 400),
    (b'{"name": "x", "custom_fields": {"a": ' + b"[" * 5000 + b"]" * 5000 + b"}}", 400),
    (b'{"name": "\xff\xfe"}', 400),
    (b'{"name": "' + b"x" * 2_000_000 + b'"}', 413),
]


async def test_a_body_that_is_none(api: Caller) -> None:
    for content, status in BODIES:
        said = await api.refused(
            status, "", "POST", TICKETS, content=content, headers={"content-type": "application/json"}
        )
        assert said["remediation"]
    assert await api.names() == []


PATCHES: list[Any] = [
    {},
    {"status": "Done"},
    [1],
    [{}],
    [{"op": "replace"}],
    [{"op": "replace", "path": "/status"}],
    [{"op": "set", "path": "/status", "value": "Done"}],
    [{"op": "replace", "path": "status", "value": "Done"}],
    [{"op": "replace", "path": "", "value": {}}],
    [{"op": "replace", "path": "/~2", "value": "x"}],
    [{"op": "replace", "path": "/colour", "value": "red"}],
    [{"op": "replace", "path": "/id", "value": "1"}],
    [{"op": "replace", "path": "/created_at", "value": "2026-01-01T00:00:00Z"}],
    [{"op": "add", "path": "/attachments/-", "value": {}}],
    [{"op": "remove", "path": "/unmapped"}],
    [{"op": "remove", "path": "/tags/7"}],
    [{"op": "replace", "path": "/priority", "value": "VERY"}],
    [{"op": "replace", "path": "/summary", "value": ""}],
    [{"op": "replace", "path": "/summary", "value": None}],
    [{"op": "replace", "path": "/tags", "value": "x"}],
    [{"op": "replace", "path": "/status/deeper", "value": "x"}],
    [{"op": "copy", "from": "/nothing", "path": "/summary"}],
    [{"op": "move", "path": "/summary"}],
    [{"op": "replace", "path": "/custom_fields/unknown", "value": 1}],
    [{"op": "replace", "path": "/custom_fields/a", "value": nested(15)}],
    [{"op": "add", "path": "/tags/-", "value": "x"}] * 300,
]


async def test_a_patch_that_cannot_be_applied_changes_nothing(api: Caller) -> None:
    made = await api.ticket("as it was", tags=["one"])
    for patch in PATCHES:
        first = [{"op": "replace", "path": "/description", "value": "changed"}]
        body = first + patch if isinstance(patch, list) and patch else patch
        said = await api.refused(400, "", "PATCH", f"{TICKETS}/{made['id']}", json=body)
        assert said["type"] in {"invalid-patch", "invalid-request"}
        assert (await api("GET", f"{TICKETS}/{made['id']}"))["result"] == made


async def test_a_test_that_does_not_hold_is_a_conflict(api: Caller) -> None:
    made = await api.ticket("as it was", status="To Do")
    patch = [
        {"op": "replace", "path": "/status", "value": "Done"},
        {"op": "test", "path": "/summary", "value": "something else"},
    ]
    await api.refused(409, "conflict", "PATCH", f"{TICKETS}/{made['id']}", json=patch)
    assert (await api("GET", f"{TICKETS}/{made['id']}"))["result"] == made


async def test_what_is_not_there(api: Caller) -> None:
    for ticket in ("nothing", "%2e%2e", "%20", "x" * 250, "%C3%BC", "%0A", "-1", "TST-999999"):
        for path in ("", "/comments", "/notes", "/transitions"):
            await api.refused(404, "", "GET", f"{TICKETS}/{ticket}{path}")


PARTS: list[tuple[str, dict[str, Any], str]] = [
    ("comments", {}, "/content"),
    ("comments", {"content": ""}, "/content"),
    ("comments", {"content": "x", "audience": "everybody"}, "/audience"),
    ("notes", {"content": "x"}, "/title"),
    ("notes", {"title": "x", "content": " "}, "/content"),
]


async def test_a_part_that_cannot_be_created(api: Caller) -> None:
    made = await api.ticket()
    for path, body, pointer in PARTS:
        said = await api.refused(400, "invalid-request", "POST", f"{TICKETS}/{made['id']}/{path}", json=body)
        assert said["context"]["parameter"]["id"] == pointer


FILES: list[tuple[dict[str, Any], str]] = [
    ({"content": "YQ=="}, "/file_name"),
    ({"file_name": "", "content": "YQ=="}, "/file_name"),
    ({"file_name": "a"}, "/content"),
    ({"file_name": "a", "content": "not base64!"}, "/content"),
    ({"file_name": "a", "content": "YQ"}, "/content"),
]


async def test_a_file_that_cannot_be_put_on_a_ticket(api: Caller) -> None:
    made = await api.ticket()
    address = f"/v1/ticketing/attachments/{made['id']}"
    for body, pointer in FILES:
        said = await api.refused(400, "invalid-request", "POST", address, json=body)
        assert said["context"]["parameter"]["id"] == pointer


async def test_what_is_no_route_or_no_method_is_a_problem_too(api: Caller) -> None:
    for path in ("/v1/ticketing", "/v1/ticketing/users", "/v1/chat/channels", "/v1/jobs"):
        await api.refused(404, "not-found", "GET", path)
    await api.refused(405, "method-not-allowed", "DELETE", f"{TICKETS}/1")
    await api.refused(405, "method-not-allowed", "PUT", TICKETS)
