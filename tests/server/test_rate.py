"""The API asks whoever sends too much to wait: by token, and by address where a token is missing or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from callout.server import rate
from callout.server.rate import LimitRate, believed
from tests.server.desk import ADDRESS, opened, problem_of
from tests.server.test_metrics import value
from tests.server.visitor import Browser, member

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.server.desk import Desk


@pytest.fixture
async def slow_desk(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    """An application that answers one request a minute, ten seconds' worth at once: the first."""
    async with opened(database_url, tmp_path / "data", api_per_second=1 / 60) as one:
        yield one


async def test_a_token_that_is_used_too_much_is_asked_to_wait_and_nobody_else(slow_desk: Desk) -> None:
    desk = slow_desk
    other = await desk.client(name="another")
    first = await desk.http.get("/v1/incidents", headers=bearer(desk.api))
    assert first.status_code == 200  # counted by the address, as every token is the first time
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(desk.web, client=("198.51.100.7", 1)), base_url=ADDRESS
    ) as elsewhere:
        assert (await elsewhere.get("/v1/incidents", headers=bearer(other))).status_code == 200
        said = []
        for _ in range(2):
            answer = await elsewhere.get("/v1/incidents", headers=bearer(desk.api))
            told = problem_of(answer, 429, "rate-limited")
            assert 1 <= int(answer.headers["retry-after"]) <= 60
            assert "with this token" in told["message"]
            assert "CALLOUT_API_PER_SECOND" in told["remediation"]
            said.append(answer.text)
        refused = problem_of(await elsewhere.get("/v1/incidents"), 429, "rate-limited")
        assert "from this address" in refused["message"]
        assert desk.api.token not in str(said) + str(refused)
    # Pages, health and webhooks have their own ways.
    await member(desk)
    browser = Browser(desk, client="198.51.100.7")
    assert (await browser.sign_in()).status_code == 303
    for _ in range(3):
        assert (await browser.open("/incidents")).status_code == 200
        assert (await desk.http.get("/readyz")).status_code == 200
    metrics = (await desk.http.get("/metrics")).text
    assert value(metrics, "callout_api_turned_away_total", reason="token") >= 2
    assert value(metrics, "callout_api_turned_away_total", reason="address") >= 1


async def test_an_answer_that_anybody_gets_makes_no_token_known(slow_desk: Desk) -> None:
    made_up = {"authorization": "Bearer made-up"}
    assert (await slow_desk.http.get("/v1/meta/openapi", headers=made_up)).status_code == 200
    refused = problem_of(await slow_desk.http.get("/v1/meta/openapi", headers=made_up), 429, "rate-limited")
    assert "from this address" in refused["message"]


def bearer(api: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {api.token}"}


class Gate:
    """The limit before an application that knows one token, with a clock that stands still."""

    def __init__(self, per_second: float) -> None:
        self.now = 1000.0
        self.answered = 0
        self.limit = LimitRate(self._app, per_second, monotonic=lambda: self.now)

    async def _app(self, scope: Any, _receive: Any, send: Any) -> None:
        self.answered += 1
        known = (b"authorization", b"Bearer good") in scope["headers"]
        if known:
            believed(scope)
        await send({"type": "http.response.start", "status": 200 if known else 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def asked(self, token: str = "", client: str = "192.0.2.1") -> int:
        said: list[Any] = []

        async def send(message: Any) -> None:
            said.append(message)

        headers = [(b"authorization", f"Bearer {token}".encode())] if token else []
        scope = {"type": "http", "path": "/v1/incidents", "headers": headers, "client": (client, 1)}
        await self.limit(scope, None, send)  # type: ignore[arg-type]
        status: int = said[0]["status"]
        return status


async def test_a_burst_goes_through_and_the_rate_holds_behind_it() -> None:
    gate = Gate(per_second=2)
    said = [await gate.asked("good") for _ in range(30)]
    # One was counted by the address; then ten seconds' worth of the token's own, of which the first was one.
    assert said == [200] * 20 + [429] * 10
    gate.now += 3
    assert [await gate.asked("good") for _ in range(8)] == [200] * 6 + [429] * 2
    gate.now += 3600
    assert [await gate.asked("good") for _ in range(30)] == [200] * 20 + [429] * 10


async def test_a_new_token_for_each_request_is_no_way_round_it() -> None:
    gate = Gate(per_second=2)
    said = [await gate.asked(f"made up {number}") for number in range(30)]
    assert said == [401] * 20 + [429] * 10
    assert gate.answered == 20
    assert await gate.asked("good", client="192.0.2.2") == 200
    assert await gate.asked("good") == 200, "whoever is known is not held up by their neighbours"
    # An address of IPv6 is that of a whole house.
    assert [await gate.asked(client=f"2001:db8::{number:x}") for number in range(1, 31)] == [401] * 20 + [
        429
    ] * 10


async def test_no_limit_is_no_limit_and_what_is_remembered_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    free = Gate(per_second=0)
    assert {await free.asked() for _ in range(100)} == {401}
    monkeypatch.setattr(rate, "MOST", 5)
    gate = Gate(per_second=1)
    for number in range(50):
        await gate.asked(client=f"192.0.2.{number}")
    assert len(gate.limit._addresses) == 5
