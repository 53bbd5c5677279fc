"""Who does what over HTTP: roles, participants, tasks, messages on the timeline, and the code that chat knows a member by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.server.desk import problem_of

if TYPE_CHECKING:
    from tests.server.desk import Desk

BOB = {"id": "bob", "name": "Bob", "email": "bob@example.com"}
CAT = {"id": "chat_user:chat_slack/T1/U1", "name": "Cat", "email": ""}


async def test_roles_are_given_read_and_remembered(desk_on_both: Desk) -> None:
    api = desk_on_both.api
    key = await api.declare()
    path = f"/v1/incidents/{key}/roles"
    empty = await api("GET", path)
    assert empty == {
        "roles": ["commander", "assignee", "communications", "scribe", "operations"],
        "held": [],
    }
    await api("PUT", f"{path}/scribe", {"person": {"email": "bob@example.com"}})
    given = await api("PUT", f"{path}/scribe", {"person": BOB})
    assert [(one["role"], one["person"]) for one in given["held"]] == [("scribe", BOB)]
    await api("PUT", f"{path}/commander", {"person": CAT})
    assert (await api.incident(key))["commander"] == CAT
    assert len((await api("GET", f"{path}?history=true"))["held"]) == 3
    await api("PUT", f"{path}/scribe", {"person": None})
    assert [one["role"] for one in (await api("GET", path))["held"]] == ["commander"]
    wrong = await api.request("PUT", f"{path}/scrib", json={"person": BOB})
    assert "Did you mean scribe?" in problem_of(wrong, 400)["remediation"]
    problem_of(await api.request("PUT", f"{path}/scribe", json={"person": {}}), 400)
    problem_of(await api.request("PUT", f"{path}/scribe", json={}), 400)


async def test_people_join_and_leave(desk_on_both: Desk) -> None:
    api = desk_on_both.api
    key = await api.declare()
    path = f"/v1/incidents/{key}/participants"
    await api("POST", path, {"person": BOB})
    both = await api("POST", path, {"person": CAT})
    assert [one["person"] for one in both] == [BOB, CAT]
    left = await api("DELETE", f"{path}?person={CAT['id']}")
    assert [one["person"]["id"] for one in left] == ["bob"]
    assert [one["person"] for one in await api("GET", f"{path}?gone=true")] == [BOB, CAT]
    problem_of(await api.request("DELETE", path), 400)
    assert [one["kind"] for one in await api.timeline(key)] == ["declared", "joined", "joined", "left"]
    assert (await api.timeline(key))[-1]["data"]["person"] == CAT


async def test_what_no_database_can_hold_is_dropped_and_no_error_of_ours(desk_on_both: Desk) -> None:
    api = desk_on_both.api
    path = f"/v1/incidents/{await api.declare()}"
    problem_of(await api.request("DELETE", f"{path}/participants?person=x%00y"), 400)
    await api("POST", f"{path}/participants", {"person": {"name": "a\x00b"}})
    await api("PUT", f"{path}/roles/scribe", {"person": {"id": "a\x00b"}})
    await api("POST", f"{path}/tasks", {"title": "a\x00b"})
    line = await api("POST", f"{path}/timeline", {"text": "a\x00b", "source": "s\x001"})
    assert (line["data"]["text"], line["data"]["source"]) == ("ab", "api/s1")
    problem_of(await api.request("PUT", f"{path}/roles/a%00b", json={"person": None}), 400)


async def test_tasks_are_added_changed_ordered_and_ticked_off(desk_on_both: Desk) -> None:
    api = desk_on_both.api
    key = await api.declare()
    path = f"/v1/incidents/{key}/tasks"
    due = "2026-12-01T12:00:00+00:00"
    first = await api("POST", path, {"title": "check the lag", "assignee": BOB, "due": due})
    assert (first["number"], first["assignee"], first["done"]) == (1, BOB, False)
    await api("POST", path, {"title": "call the vendor"})
    changed = await api("PATCH", f"{path}/2", {"position": 1, "done": True, "title": "mail the vendor"})
    assert (changed["position"], changed["done"], changed["title"]) == (1, True, "mail the vendor")
    assert changed["done_by"]["name"]
    cleared = await api("PATCH", f"{path}/1", {"assignee": None, "due": None})
    assert (cleared["assignee"], cleared["due"]) == (None, None)
    assert [one["number"] for one in await api("GET", path)] == [2, 1]
    problem_of(await api.request("PATCH", f"{path}/9", json={"done": True}), 404)
    problem_of(await api.request("PATCH", f"{path}/1", json={"number": 3}), 400)
    problem_of(await api.request("POST", path, json={"title": "x", "due": "2026-12-01T12:00:00"}), 400)


async def test_a_message_is_put_on_the_timeline_once(desk_on_both: Desk) -> None:
    api = desk_on_both.api
    key = await api.declare()
    path = f"/v1/incidents/{key}/timeline"
    said = {
        "text": "fail-over started",
        "author": BOB,
        "permalink": "https://chat.example.com/p1",
        "audience": "customer",
    }
    line = await api("POST", path, said)
    assert (line["kind"], line["audience"], line["data"]["author"]) == ("message_added", "customer", BOB)
    assert (await api("POST", path, said))["id"] == line["id"]
    assert len(await api.timeline(key)) == 2
    problem_of(await api.request("POST", path, json={"text": "x", "permalink": "javascript:1"}), 400)


async def test_a_member_makes_a_code_for_chat_and_others_cannot(desk: Desk) -> None:
    refused = await desk.api.request("POST", "/v1/auth/chat_code")
    assert "no member's token" in problem_of(refused, 403, "forbidden")["message"]
    secret = "correct horse battery staple"
    await desk.api("POST", "/v1/members", {"name": "ann@example.com", "secret": secret})
    signed_in = await desk.http.post(
        "/v1/auth/logon/organization", json={"name": "ann@example.com", "secret": secret}
    )
    token = signed_in.json()["result"]["token"]["access"]["secret"]
    headers = {"authorization": f"Bearer {token}", "idempotency-key": "one"}
    made = (await desk.http.post("/v1/auth/chat_code", headers=headers)).json()["result"]
    assert len(made["code"]) == 11
    again = (await desk.http.post("/v1/auth/chat_code", headers=headers)).json()["result"]
    assert again == {"code": "", "expires": made["expires"]}
