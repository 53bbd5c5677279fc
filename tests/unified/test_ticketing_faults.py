"""What goes wrong at a provider: one Problem with a next step, and nothing created twice that can be known."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.server.desk import problem_of
from tests.stories.people import JiraPeople
from tests.unified.test_ticketing_operations import PROVIDERS, Provider, connected

if TYPE_CHECKING:
    import httpx

    from tests.unified.sdk import Connected, Sdk

TICKETS = "/v1/ticketing/tickets"
JIRA = next(one for one in PROVIDERS if one.type == "ticketing_jira")
REMOTE = [one for one in PROVIDERS if "mock" not in one.type]


async def send(
    sdk: Sdk, one: Connected, method: str, path: str, *, key: str = "", **options: Any
) -> httpx.Response:
    headers = {"authorization": f"Bearer {one.token}", **({"idempotency-key": key} if key else {})}
    return await sdk.http.request(method, f"{sdk.url}{path}", headers=headers, timeout=90, **options)


def people(sdk: Sdk, provider: Provider) -> JiraPeople:
    name = provider.type.removeprefix("ticketing_").removesuffix("_sir")
    return JiraPeople(sdk.http, sdk.installation.sandbox.base_url, name)


@pytest.mark.parametrize("provider", REMOTE, ids=lambda one: one.type)
async def test_every_trouble_of_the_provider_is_one_problem(sdk: Sdk, provider: Provider) -> None:
    one = await connected(sdk, provider)
    twin = people(sdk, provider)
    ticket = (await one.engine.ticketing.create_ticket(name="reached")).result.id
    troubles = [
        ({"kind": "status", "status": 401}, 502, "provider-authentication-failed"),
        ({"kind": "status", "status": 403}, 502, "provider-permission-denied"),
        ({"kind": "status", "status": 429, "retry_after": 7}, 429, "rate-limited"),
        ({"kind": "status", "status": 500}, 503, "provider-unreachable"),
        ({"kind": "html", "status": 200}, 503, "provider-unreachable"),
        ({"kind": "html", "status": 503}, 503, "provider-unreachable"),
        ({"kind": "disconnect"}, 503, "provider-unreachable"),
    ]
    for effect, status, kind in troubles:
        await twin.fault({"match": {"path": "."}, "effect": effect})
        said = problem_of(await send(sdk, one, "GET", f"{TICKETS}/{ticket}"), status, kind)
        assert "tried again by itself" not in said["remediation"], said
        listed = await send(sdk, one, "GET", TICKETS)
        problem_of(listed, status, kind)
        if status == 429:
            assert int(listed.headers["retry-after"]) >= 1
        # The gate of a provider that asks us to wait stays shut for a while.
        sdk.installation.clock.advance(timedelta(seconds=30))
    await twin.fault()
    sdk.installation.clock.advance(timedelta(minutes=10))
    answer = await send(sdk, one, "GET", f"{TICKETS}/{ticket}")
    assert answer.status_code == 200, answer.text


async def test_a_provider_that_is_not_there(sdk: Sdk) -> None:
    one = await connected(sdk, JIRA, url="http://127.0.0.1:9")
    for method, path, body in (
        ("GET", TICKETS, None),
        ("GET", f"{TICKETS}/1", None),
        ("POST", TICKETS, {"name": "x"}),
        ("PATCH", f"{TICKETS}/1", [{"op": "replace", "path": "/status", "value": "x"}]),
        ("GET", "/v1/ticketing/projects", None),
    ):
        problem_of(await send(sdk, one, method, path, json=body), 503, "provider-unreachable")
    wrong = await connected(
        sdk, JIRA, credential={"type": "basic", "username": "admin@example.com", "secret": "wrong"}
    )
    said = problem_of(await send(sdk, wrong, "GET", TICKETS), 502, "provider-authentication-failed")
    assert said["context"]["provider_details"]["status"] == "401"
    assert "Renew" in said["remediation"]
    assert "wrong" not in str(said)


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.type)
async def test_the_same_key_creates_once(sdk: Sdk, provider: Provider) -> None:
    one = await connected(sdk, provider)
    body = {"name": "once only"}
    answers = await asyncio.gather(*(send(sdk, one, "POST", TICKETS, key="k-1", json=body) for _ in range(4)))
    made = [answer for answer in answers if answer.status_code == 200]
    assert made
    assert {answer.status_code for answer in answers} <= {200, 409}
    again = await send(sdk, one, "POST", TICKETS, key="k-1", json=body)
    assert again.headers["idempotent-replayed"] == "true"
    assert {answer.json()["result"]["id"] for answer in (*made, again)} == {made[0].json()["result"]["id"]}
    other = await send(sdk, one, "POST", TICKETS, key="k-1", json={"name": "something else"})
    problem_of(other, 409, "conflict")
    found = await one.engine.ticketing.query_tickets(filter="name[eq]once only")
    assert len(found.result) == 1
    ticket = made[0].json()["result"]["id"]
    for _ in range(2):
        said = await send(
            sdk, one, "POST", f"{TICKETS}/{ticket}/comments", key="c-1", json={"content": "said once"}
        )
        assert said.status_code == 200
    assert len((await one.engine.ticketing.list_comments(ticket)).result) == 1


@pytest.mark.parametrize("provider", REMOTE, ids=lambda one: one.type)
async def test_an_answer_that_was_lost_is_looked_for_and_nothing_is_created_twice(
    sdk: Sdk, provider: Provider
) -> None:
    one = await connected(sdk, provider)
    twin = people(sdk, provider)
    await one.engine.ticketing.query_tickets(limit=1)
    await twin.fault({"match": {"method": "POST", "first": 1}, "effect": {"kind": "disconnect_after_write"}})
    answer = await send(sdk, one, "POST", TICKETS, json={"name": "lost answer"})
    if answer.status_code != 200:
        # Not seen yet: the program sends the same request again, as the SDK does by itself.
        problem_of(answer, 504, "provider-timeout")
        await twin.fault()
        answer = await send(sdk, one, "POST", TICKETS, json={"name": "lost answer"})
    assert answer.status_code == 200, answer.text
    found = await one.engine.ticketing.query_tickets(filter="name[eq]lost answer")
    assert [ticket.id for ticket in found.result] == [answer.json()["result"]["id"]]


async def test_a_lost_answer_and_a_lagging_search_do_not_make_two(sdk: Sdk) -> None:
    one = await connected(sdk, JIRA)
    twin = people(sdk, JIRA)
    await one.engine.ticketing.query_tickets(limit=1)
    await twin.fault(
        {
            "match": {"method": "POST", "path": "/issue$", "first": 1},
            "effect": {"kind": "disconnect_after_write"},
        },
        {"match": {"path": "search"}, "effect": {"kind": "lagging_search", "seconds": 600}},
    )
    body = {"name": "lost and not seen"}
    said = problem_of(await send(sdk, one, "POST", TICKETS, key="k", json=body), 504, "provider-timeout")
    assert "Idempotency-Key" in said["remediation"]
    waiting = await send(sdk, one, "POST", TICKETS, key="k", json=body)
    problem_of(waiting, 504, "provider-timeout")
    assert 1 <= int(waiting.headers["retry-after"]) <= 60
    await twin.fault()
    answer = await send(sdk, one, "POST", TICKETS, key="k", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["idempotent-replayed"] == "true"
    issues = [entry for entry in await twin.effects() if entry["path"].endswith("/issue")]
    assert len(issues) == 1
    again = await send(sdk, one, "POST", TICKETS, key="k", json=body)
    assert again.json() == answer.json()


async def test_what_was_refused_can_be_tried_again_with_the_same_key(sdk: Sdk) -> None:
    one = await connected(sdk, JIRA)
    refused = await send(sdk, one, "POST", TICKETS, key="k", json={"name": "x", "project": "NOPE"})
    problem_of(refused, 400, "invalid-request")
    made = await send(sdk, one, "POST", TICKETS, key="k", json={"name": "x", "project": "TST"})
    assert made.status_code == 200, made.text


async def test_a_call_to_the_provider_is_made_only_where_it_is_allowed(sdk: Sdk) -> None:
    one = await connected(sdk, JIRA, url="http://169.254.169.254")
    said = problem_of(await send(sdk, one, "GET", TICKETS), 503, "provider-unreachable")
    assert "CALLOUT_ALLOW_NETWORKS" in said["remediation"]
