"""Who may: the engine API is opened by the token of one integration, for that integration alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from callout.ports.values import Actor, ActorKind
from tests.server.desk import OPERATOR, problem_of
from tests.ticketing.caller import TICKETS, Caller, caller_of
from tests.ticketing.routes import EITHER, ENGINE, address

if TYPE_CHECKING:
    import httpx

    from tests.server.desk import Desk

ALL_ROUTES = {**ENGINE, **EITHER}


async def every(desk: Desk, routes: Any, token: str) -> list[tuple[str, str, httpx.Response]]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return [
        (method, path, await desk.http.request(method, address(path), json=body, headers=headers))
        for (method, path), body in routes.items()
    ]


async def test_without_or_with_an_unknown_token_nothing_opens(desk: Desk) -> None:
    for token, word in (("", "no token"), ("co_int_unknown", "not known")):
        for method, path, answer in await every(desk, ALL_ROUTES, token):
            assert word in problem_of(answer, 401, "unauthenticated")["message"], (method, path)


async def test_the_token_of_the_organization_opens_the_other_api_only(desk: Desk) -> None:
    for method, path, answer in await every(desk, ENGINE, desk.api.token):
        assert "token of an integration" in problem_of(answer, 403, "forbidden")["message"], (method, path)
    for _, path, answer in await every(desk, EITHER, desk.api.token):
        assert answer.status_code == (404 if "{provider}" in path else 501 if "operations" in path else 200)


async def test_the_refresh_half_opens_nothing(api: Caller) -> None:
    secret = api.token.primary.refresh.secret
    assert secret is not None
    for method, path, answer in await every(api.desk, ALL_ROUTES, secret.reveal()):
        assert "refresh half" in problem_of(answer, 403, "forbidden")["message"], (method, path)


async def test_expired_and_revoked_tokens_open_nothing(api: Caller) -> None:
    assert await api.names() == []
    desk = api.desk
    await desk.core.database.transaction(lambda tx: desk.core.tokens.revoke(tx, api.token.id, actor=OPERATOR))
    await api.refused(401, "unauthenticated", "GET", TICKETS)
    other = await caller_of(desk, name="other")
    desk.clock.advance(timedelta(days=4000))
    await other.refused(401, "unauthenticated", "GET", TICKETS)


async def test_the_token_of_a_deleted_integration_is_refused_at_once(api: Caller) -> None:
    desk = api.desk
    await desk.core.database.transaction(
        lambda tx: desk.core.integrations.delete(tx.account(desk.account), api.integration.id, actor=OPERATOR)
    )
    await api.refused(401, "unauthenticated", "GET", TICKETS)


async def test_a_change_of_the_integration_holds_from_the_next_call_on(api_on_both: Caller) -> None:
    desk = api_on_both.desk

    async def change(**changes: Any) -> None:
        await desk.core.database.transaction(
            lambda tx: desk.core.integrations.update(
                tx.account(desk.account), api_on_both.integration.id, changes=changes, actor=OPERATOR
            )
        )

    for name in ("once", "twice"):
        assert await api_on_both.names() == []
        await change(enabled=False, name=name)
        said = await api_on_both.refused(403, "forbidden", "GET", TICKETS)
        assert f"{name} is switched off" in said["message"]
        await change(enabled=True)


async def test_an_open_door_is_looked_at_in_one_statement_each_time(
    api_on_both: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, asked = api_on_both.desk, []
    read = desk.core.database.read

    class Counting:
        def __init__(self, tx: Any) -> None:
            self._tx = tx

        def __getattr__(self, name: str) -> Any:
            if name in {"execute", "all", "one", "scalar", "driver_all", "driver_many"}:
                asked.append(name)
            return getattr(self._tx, name)

    monkeypatch.setattr(desk.core.database, "read", lambda unit: read(lambda tx: unit(Counting(tx))))
    await api_on_both.names()
    asked.clear()
    for _ in range(3):
        await api_on_both.names()
    assert asked == ["driver_all"] * 3


async def test_writes_stop_while_they_are_paused_and_reads_go_on(api: Caller) -> None:
    made = await api.ticket("before")
    desk = api.desk
    await desk.core.database.transaction(
        lambda tx: desk.core.pauses.pause(
            tx.account(desk.account), "integration", api.integration.id, reason="maintenance", actor=OPERATOR
        )
    )
    said = await api.refused(409, "paused", "POST", TICKETS, json={"name": "during"})
    assert "maintenance" in said["message"]
    await api.refused(409, "paused", "PATCH", f"{TICKETS}/{made['id']}", json=[])
    assert await api.names() == ["before"]


async def test_an_integration_sees_nothing_of_another_one(desk_on_both: Desk) -> None:
    desk = desk_on_both
    theirs_account = await desk.add_account("theirs")
    ours = await caller_of(desk, name="ours", default_project="TST")
    theirs = await caller_of(desk, name="theirs", account=theirs_account, default_project="TST")
    hidden = await theirs.ticket("theirs")
    assert await ours.names() == []
    await ours.refused(404, "not-found", "GET", f"{TICKETS}/{hidden['id']}")
    await ours.refused(404, "not-found", "PATCH", f"{TICKETS}/{hidden['id']}", json=[])
    # Neither a parameter nor a header leads anywhere else: the token alone says which integration it is.
    for extra in (f"?account={theirs_account}", f"?integration={theirs.integration.id}"):
        assert (await ours("GET", f"{TICKETS}{extra}"))["result"] == []


async def test_a_cursor_of_another_integration_is_refused(desk: Desk) -> None:
    one = await caller_of(desk, name="one", default_project="TST")
    two = await caller_of(desk, name="two", default_project="TST")
    for number in range(3):
        await one.ticket(f"one {number}")
        await two.ticket(f"two {number}")
    cursor = (await one("GET", f"{TICKETS}?limit=1"))["cursor"]
    await two.refused(400, "invalid-cursor", "GET", TICKETS, params={"limit": "1", "cursor": cursor})


@pytest.mark.parametrize("operation", ["POST", "PATCH", "DELETE"])
async def test_writes_are_in_the_audit(api: Caller, operation: str) -> None:
    made = await api.ticket("audited")
    if operation == "PATCH":
        await api("PATCH", f"{TICKETS}/{made['id']}", [{"op": "replace", "path": "/summary", "value": "x"}])
    elif operation == "DELETE":
        comment = (await api("POST", f"{TICKETS}/{made['id']}/comments", {"content": "c"}))["result"]["id"]
        await api("DELETE", f"{TICKETS}/{made['id']}/comments/{comment}")
    entries = await api.desk.core.database.read(
        lambda tx: api.desk.core.audit.entries(tx.account(api.desk.account), limit=50)
    )
    [entry] = [
        one
        for one in entries
        if one.action
        == {"POST": "ticket.created", "PATCH": "ticket.updated", "DELETE": "comment.deleted"}[operation]
    ]
    assert entry.integration_id == api.integration.id
    assert entry.actor == Actor(ActorKind.TOKEN, api.token.id, entry.actor.name)
