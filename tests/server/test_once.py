"""`Idempotency-Key`: the same request twice has one effect and one answer."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.server.desk import OPERATOR, problem_of
from tests.ticketing.caller import TICKETS, caller_of

if TYPE_CHECKING:
    import httpx

    from tests.server.desk import Desk
    from tests.stories.people import Api, Json

# One way in of each kind: what belongs to an account, what belongs to the organization, what an integration's token opens.
DOORS = [("/v1/incidents", {"title": "x"}), ("/v1/accounts", {"name": "x"}), (TICKETS, {"name": "x"})]


def declare(api: Api, key: str, title: str = "once") -> asyncio.Task[httpx.Response]:
    return asyncio.create_task(
        api.request("POST", "/v1/incidents", json={"title": title}, headers={"idempotency-key": key})
    )


async def test_a_replay_gives_the_same_answer_and_has_no_effect(desk_on_both: Desk) -> None:
    desk = desk_on_both
    first = await declare(desk.api, "a")
    assert first.status_code == 201
    assert "idempotent-replayed" not in first.headers
    before = await desk.written()

    again = await declare(desk.api, "a")

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["content-type"] == first.headers["content-type"]
    assert await desk.written() == before
    other = await declare(desk.api, "b")
    assert other.json()["result"]["key"] == "INC-2"


async def test_concurrent_twins_have_one_effect(desk_on_both: Desk) -> None:
    desk = desk_on_both
    answers = await asyncio.gather(*(declare(desk.api, "twin") for _ in range(8)))
    made = [one for one in answers if one.status_code == 201]
    assert {one.status_code for one in answers} <= {201, 409}
    assert len({one.content for one in made}) == 1
    assert len([one for one in made if "idempotent-replayed" not in one.headers]) == 1
    assert len(await desk.api("GET", "/v1/incidents")) == 1


async def test_a_key_for_another_request_is_refused(desk_on_both: Desk) -> None:
    desk = desk_on_both
    await declare(desk.api, "a")
    before = await desk.written()
    said = problem_of(await declare(desk.api, "a", "something else"), 409)
    assert "another request" in said["message"]
    assert said["context"]["parameter"] == {"id": "Idempotency-Key", "location": "header"}
    note = await desk.api.request(
        "POST", "/v1/incidents/INC-1/notes", json={"text": "x"}, headers={"idempotency-key": "a"}
    )
    problem_of(note, 409)
    assert await desk.written() == before


@pytest.mark.parametrize(("path", "body"), DOORS, ids=lambda one: one if isinstance(one, str) else "")
async def test_a_key_for_another_query_is_refused(desk: Desk, path: str, body: Json) -> None:
    engine = await caller_of(desk, default_project="TST")

    async def ask(query: str) -> httpx.Response:
        options = {"json": body, "headers": {"idempotency-key": "a"}}
        who = engine if path == TICKETS else desk.api
        return await who.request("POST", f"{path}{query}", **options)

    first = await ask("?said=once")
    assert first.is_success, first.text
    said = problem_of(await ask("?said=twice"), 409)
    assert "another request" in said["message"]
    assert problem_of(await ask(""), 409)["message"] == said["message"]
    again = await ask("?said=once")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()


@pytest.mark.parametrize("path", ["/v1/webhooks/gone?account=default", "/v1/accounts/gone"])
async def test_a_replay_of_an_answer_without_a_body_has_none(desk: Desk, path: str) -> None:
    await desk.api("POST", "/v1/webhooks", {"name": "gone", "url": "https://hooks.example.com/in"})
    await desk.add_account("gone")
    headers = {"idempotency-key": "gone"}
    answers = [await desk.api.request("DELETE", path, headers=headers) for _ in range(2)]
    assert [one.status_code for one in answers] == [204, 204], answers[0].text
    assert ["idempotent-replayed" in one.headers for one in answers] == [False, True]
    assert [(one.content, "content-type" in one.headers) for one in answers] == [(b"", False)] * 2


async def test_a_key_belongs_to_its_token(desk: Desk) -> None:
    other = await desk.client("member")
    mine, theirs = await declare(desk.api, "a"), await declare(other, "a", "other")
    assert [mine.json()["result"]["key"], theirs.json()["result"]["key"]] == ["INC-1", "INC-2"]


async def test_a_refused_request_leaves_its_key_free(desk: Desk) -> None:
    key = await desk.api.declare()
    headers = {"idempotency-key": "close"}
    address, body = f"/v1/incidents/{key}/actions", {"action": "close"}
    problem_of(await desk.api.request("POST", address, json=body, headers=headers), 409)
    await desk.api.act(key, "resolve")
    closed = await desk.api.request("POST", address, json=body, headers=headers)
    assert closed.status_code == 200
    assert closed.json()["result"]["status"] == "closed"
    # Without the key the second close would be refused: the replay answers as the first time.
    again = await desk.api.request("POST", address, json=body, headers=headers)
    assert (again.status_code, again.content) == (200, closed.content)


async def test_a_key_is_kept_for_two_days(desk: Desk) -> None:
    await declare(desk.api, "a")
    desk.clock.advance(timedelta(hours=47))
    assert (await declare(desk.api, "a")).json()["result"]["key"] == "INC-1"
    desk.clock.advance(timedelta(hours=2))
    fresh = await declare(desk.api, "a")
    assert fresh.json()["result"]["key"] == "INC-2"
    assert "idempotent-replayed" not in fresh.headers


async def test_a_replay_needs_the_permission_still(desk: Desk) -> None:
    token = await desk.token()
    caller = desk.holder(token)
    await declare(caller, "a")
    await desk.core.database.transaction(lambda tx: desk.core.tokens.revoke(tx, token.id, actor=OPERATOR))
    problem_of(await declare(caller, "a"), 401)


async def test_a_key_that_is_none_is_refused(desk: Desk) -> None:
    before = await desk.written()
    for key in ("k" * 401, "a\x7fb", "a\tb"):
        said = problem_of(await declare(desk.api, key), 400)
        assert "Idempotency-Key" in said["message"]
    assert await desk.written() == before
