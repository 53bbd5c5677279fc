"""The door for webhooks of ticketing systems."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING

from tests.server.desk import JIRA, problem_of

if TYPE_CHECKING:
    import httpx

    from callout.integrations import Integration
    from tests.server.desk import Desk

KEY = "jira-hook-secret"
MIB = 1024 * 1024
BODY = b'{"webhookEvent": "jira:issue_updated", "issue": {"id": "1", "key": "TST-1"}}'


def signed(body: bytes, key: str = KEY, **more: str) -> dict[str, str]:
    mac = hmac.new(key.encode(), body, hashlib.sha256).hexdigest()
    return {"x-hub-signature": f"sha256={mac}", "content-type": "application/json", **more}


async def send(
    desk: Desk, one: Integration, body: bytes = BODY, *, key: str = KEY, **headers: str
) -> httpx.Response:
    return await desk.http.post(f"/v1/hooks/{one.id}", content=body, headers=signed(body, key, **headers))


async def test_a_signed_webhook_is_stored_once(desk_on_both: Desk) -> None:
    desk = desk_on_both
    one = await desk.add(JIRA, key=KEY)
    first = await send(desk, one)
    assert first.status_code == 202
    assert first.json()["result"]["duplicate"] is False
    assert first.json()["result"]["id"]
    before = await desk.written()
    again = await send(desk, one)
    assert (again.status_code, again.json()["result"]) == (202, {"id": "", "duplicate": True})
    twins = await asyncio.gather(*(send(desk, one, b'{"n": 2}') for _ in range(10)))
    assert sorted(twin.json()["result"]["duplicate"] for twin in twins) == [False] + [True] * 9
    assert (await desk.written())["inbound_event"] == before["inbound_event"] + 1 == 2


async def test_what_is_not_signed_right_is_refused_and_not_stored(desk: Desk) -> None:
    one = await desk.add(JIRA, key=KEY)
    before = await desk.written()
    url = f"/v1/hooks/{one.id}"
    for headers in (
        {},
        signed(BODY, "another key"),
        signed(BODY + b" "),
        {"x-hub-signature": "sha256="},
        {"x-hub-signature": "nonsense"},
        {"authorization": "Bearer wrong"},
        {"token": "wrong"},
    ):
        problem_of(await desk.http.post(url, content=BODY, headers=headers), 401, "unauthenticated")
    for address in (
        "/v1/hooks/nobody",
        "/v1/hooks",
        "/v1/hooks/",
        f"{url}?token=wrong",
        "/v1/hooks?token=wrong",
    ):
        problem_of(await desk.http.post(address, content=BODY), 401, "unauthenticated")
    problem_of(await desk.http.post("/v1/hooks/nobody", content=BODY, headers=signed(BODY)), 401)
    assert await desk.written() == before


async def test_the_hook_token_finds_the_integration_by_itself(desk: Desk) -> None:
    one = await desk.add(JIRA)
    token = one.hook_token.reveal()
    for number, (address, headers) in enumerate(
        (
            (f"/v1/hooks?token={token}", {}),
            ("/v1/hooks", {"token": token}),
            ("/v1/hooks", {"authorization": f"Bearer {token}"}),
            (f"/v1/hooks/{one.id}?token={token}", {}),
        )
    ):
        answer = await desk.http.post(address, content=b'{"n": %d}' % number, headers=headers)
        assert answer.status_code == 202, (address, answer.text)
    problem_of(await desk.http.post(f"/v1/hooks/{one.id}", content=BODY), 401)
    assert (await desk.written())["inbound_event"] == 4


async def test_a_webhook_is_posted(desk: Desk) -> None:
    one = await desk.add(JIRA, key=KEY)
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        answer = await desk.http.request(method, f"/v1/hooks/{one.id}")
        problem_of(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == "POST"


async def test_a_signed_body_that_is_not_json_is_refused(desk: Desk) -> None:
    one = await desk.add(JIRA, key=KEY)
    before = await desk.written()
    for body in (b"", b"{", b"a=b", b"\xff", b"[" * 5000, b'{"a": "\xed\xa0\x80"}'):
        said = problem_of(await send(desk, one, body), 400, "invalid-request")
        assert "not JSON" in said["message"]
    assert await desk.written() == before


async def test_while_the_database_is_locked_the_sender_is_asked_to_come_again(desk: Desk) -> None:
    one = await desk.add(JIRA, key=KEY)
    path = desk.core.settings.database.removeprefix("sqlite:///")
    with sqlite3.connect(path, isolation_level=None, timeout=5) as other:
        other.execute("BEGIN IMMEDIATE")
        hook, declared = await asyncio.gather(
            send(desk, one), desk.api.request("POST", "/v1/incidents", json={"title": "x"})
        )
        other.execute("ROLLBACK")
    other.close()
    said = problem_of(hook, 503, "intake-busy")["remediation"]
    problem_of(declared, 503, "unavailable")
    assert int(hook.headers["retry-after"]) >= 1
    assert int(declared.headers["retry-after"]) >= 1
    again = await send(desk, one)
    assert again.status_code == 202
    # The database gives up first, or our patience does: then the write may still have come through.
    assert ("nothing of it was kept" in said) is not ("stored once" in said)
    if "nothing of it was kept" in said:
        assert again.json()["result"]["duplicate"] is False
    assert (await desk.written())["inbound_event"] == 1
    assert await desk.api("GET", "/v1/incidents") == []


async def test_a_webhook_of_megabytes_is_taken_and_one_that_is_too_large_is_said(desk_on_both: Desk) -> None:
    desk = desk_on_both
    one = await desk.add(JIRA, key=KEY)
    large = BODY[:-1] + b', "more": "' + b"x" * (3 * MIB) + b'"}'
    assert (await send(desk, one, large)).status_code == 202

    async def problems() -> list[str]:
        health = await desk.core.database.read(
            lambda tx: desk.core.health.get(tx.account(desk.account), one.id)
        )
        return [f"{problem.code}: {problem.message}" for problem in health.problems]

    assert await problems() == []
    before = await desk.written()
    too_large = BODY[:-1] + b', "more": "' + b"x" * (5 * MIB) + b'"}'
    for _ in range(2):
        problem_of(await send(desk, one, too_large), 413, "too-large")
    assert await desk.written() == before
    [told] = await problems()
    assert told.startswith("WEBHOOK_TOO_LARGE: a webhook of more than 5 MiB was refused")
    metrics = (await desk.http.get("/metrics")).text
    assert 'callout_webhooks_refused_total{provider="ticketing_jira",reason="too large"}' in metrics
    # Nobody whose address is wrong makes us hold as much.
    nobody = await desk.http.post("/v1/hooks/nobody", content=large, headers=signed(large))
    problem_of(nobody, 413, "too-large")

    desk.clock.advance(timedelta(hours=25))
    assert await problems() == []
