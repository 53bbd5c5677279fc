"""The gate, the control path and the webhook sender over real sockets."""

from __future__ import annotations

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.responses import PlainTextResponse

from callout.sandbox.core.clock import SandboxClock
from callout.sandbox.core.faults import FaultPlan
from callout.sandbox.core.serve import running_sandbox
from callout.sandbox.core.webhooks import Attempt, RetryRule, Webhook, WebhookSender

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sandbox.conftest import TwinControl

AUTH = {"Authorization": "Bearer xoxb-acc"}


def post(slack: TwinControl, text: str, timeout: float = 5.0) -> httpx.Response:
    return slack.http.post(
        f"{slack.url}/api/chat.postMessage",
        json={"channel": "C0INCIDENTS", "text": text},
        headers=AUTH,
        timeout=timeout,
    )


def test_latency_is_added(slack: TwinControl) -> None:
    slack.fault({"match": {"path": "auth.test"}, "effect": {"kind": "latency", "seconds": 0.2}})
    started = time.perf_counter()
    assert slack.http.post(f"{slack.url}/api/auth.test", headers=AUTH).json()["ok"]
    assert time.perf_counter() - started >= 0.2
    assert slack.get("faults")["rules"][0]["fired"] == 1


def test_a_timeout_after_the_write_shows_the_effect(slack: TwinControl) -> None:
    slack.fault({"match": {"path": "postMessage"}, "effect": {"kind": "timeout_after_write"}})
    with pytest.raises(httpx.ReadTimeout):
        post(slack, "did it arrive?", timeout=0.2)
    (effect,) = slack.effects("chat.postMessage")
    assert effect["summary"]["text"] == "did it arrive?"
    assert effect["fault"] == "timeout_after_write"


def test_a_connection_dropped_before_the_work_leaves_no_effect(slack: TwinControl) -> None:
    slack.fault({"effect": {"kind": "disconnect"}})
    with pytest.raises(httpx.RemoteProtocolError):
        post(slack, "lost")
    assert slack.effects("chat.postMessage") == []


def test_a_connection_dropped_after_the_work_leaves_one(slack: TwinControl) -> None:
    slack.fault({"match": {"nth": 1}, "effect": {"kind": "disconnect_after_write"}})
    with pytest.raises(httpx.RemoteProtocolError):
        post(slack, "kept")
    assert len(slack.effects("chat.postMessage")) == 1
    assert post(slack, "next").json()["ok"]


def test_html_comes_instead_of_json(slack: TwinControl) -> None:
    slack.fault({"effect": {"kind": "html"}})
    answer = post(slack, "x")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert slack.effects("chat.postMessage") == []


def test_a_status_is_shaped_as_the_vendor_shapes_it(slack: TwinControl) -> None:
    slack.fault(
        {"match": {"nth": 1}, "effect": {"kind": "status", "status": 429, "retry_after": 7}},
        {"match": {"nth": 2}, "effect": {"kind": "status", "status": 429}},
        {"match": {"nth": 3}, "effect": {"kind": "status", "status": 503, "body": "upstream"}},
    )
    answers = [post(slack, "x") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 503]
    assert answers[0].headers["retry-after"] == "7"
    assert answers[0].json() == {"ok": False, "error": "ratelimited"}


def test_a_server_error_after_the_write_is_possible_too(slack: TwinControl) -> None:
    slack.fault({"effect": {"kind": "status", "status": 500, "after_write": True}})
    assert post(slack, "perhaps").json() == {"ok": False, "error": "internal_error"}
    assert len(slack.effects("chat.postMessage")) == 1


def test_an_expired_token_is_the_vendors_own_answer(slack: TwinControl) -> None:
    slack.fault({"effect": {"kind": "expired_token"}})
    assert post(slack, "x").json() == {"ok": False, "error": "token_expired"}


def test_every_call_is_in_the_ledger_and_reset_forgets_it(slack: TwinControl) -> None:
    post(slack, "x")
    entries = slack.get("ledger")["entries"]
    assert [(e["kind"], e["effect"], e["status"]) for e in entries] == [
        ("chat.postMessage", True, 200),
        ("http", False, 200),
    ]
    assert slack.get("ledger", since=entries[0]["seq"])["entries"] == entries[1:]
    slack.reset()
    assert slack.get("ledger")["entries"] == []


def test_control_refuses_what_it_does_not_know(slack: TwinControl) -> None:
    control = f"{slack.url}/_twin"
    assert slack.http.put(f"{control}/faults", json={"rules": [{"effect": {}}]}).status_code == 400
    assert slack.http.put(f"{control}/config", json={"colour": "red"}).status_code == 400
    assert slack.http.put(f"{control}/config", content=b"{").status_code == 400
    assert slack.http.post(f"{control}/act/dance").status_code == 400
    assert slack.http.get(f"{control}/ledger?since=x").status_code == 400
    slack.http.put(f"{control}/faults", json={"rules": [{"effect": {"kind": "html"}}]})
    assert slack.http.delete(f"{control}/faults").json()["rules"] == []


async def test_the_sandbox_runs_in_the_loop_of_a_test() -> None:
    async with running_sandbox(only=["slack"]) as base_url, httpx.AsyncClient(base_url=base_url) as http:
        assert (await http.get("/_twin/health")).json() == {"ok": True}
        assert "slack" in (await http.get("/_twin/credentials")).json()["twins"]
        assert (await http.post("/_twin/reset")).json() == {"ok": True}


@pytest.mark.parametrize("offset", [0.0, -600.0, 86_400.0])
async def test_the_date_of_an_answer_is_the_twins(offset: float) -> None:
    async with (
        running_sandbox(only=["slack", "jira"]) as base_url,
        httpx.AsyncClient(base_url=base_url) as http,
    ):
        (await http.put("/slack/_twin/config", json={"clock_offset": offset})).raise_for_status()

        async def ahead(path: str) -> float:
            answer = await http.get(path)
            [date] = answer.headers.get_list("date")
            return parsedate_to_datetime(date).timestamp() - time.time()

        assert -5 < await ahead("/slack/api/auth.test") - offset < 1
        assert -5 < await ahead("/jira/rest/api/3/myself") < 1
        assert -5 < await ahead("/_twin/health") < 1


class Sink:
    """A receiver that answers from a list of statuses, then 200."""

    def __init__(self, *statuses: int, wait: float = 0.0, headers: dict[str, str] | None = None) -> None:
        self.statuses = list(statuses)
        self.wait = wait
        self.headers = headers
        self.bodies: list[bytes] = []
        self.asked = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.bodies.append(body)
        self.asked.set()
        await asyncio.sleep(self.wait)
        status = self.statuses.pop(0) if self.statuses else 200
        await PlainTextResponse("", status_code=status, headers=self.headers)(scope, receive, send)


class Sending:
    """A sender with its own plan, for one test."""

    def __init__(self, rule: RetryRule) -> None:
        clock = SandboxClock()
        self.faults = FaultPlan(clock)
        self.sender = WebhookSender(clock, self.faults, rule)

    async def post(self, url: str, *names: str) -> list[str]:
        self.sender.open()
        for name in names:
            self.sender.post(Webhook(url, "event", name.encode(), name))
        await self.sender.drain()
        await self.sender.aclose()
        return [attempt.reason or str(attempt.status) for attempt in self.sender.attempts]


async def test_a_failed_webhook_is_tried_again_by_the_vendors_rule(serve: Callable[..., Any]) -> None:
    sink = Sink(500, 302)
    sending = Sending(RetryRule(delays=(0.0, 60.0, 300.0), timeout=3.0))
    sending.sender.speed = 10_000
    async with serve(sink) as url:
        assert await sending.post(url, "a") == ["http_error", "http_error", "200"]
    assert sink.bodies == [b"a"] * 3
    assert [attempt.will_retry for attempt in sending.sender.attempts] == [True, True, False]


@pytest.mark.filterwarnings("error")
async def test_a_large_webhook_is_sent_whole_and_without_a_warning(serve: Callable[..., Any]) -> None:
    sink = Sink(500, 307, headers={"location": "/elsewhere"})
    sending = Sending(RetryRule(delays=(0.0,), timeout=10.0))
    body = b"x" * (3 * 1024 * 1024)
    async with serve(sink) as url:
        sending.sender.post(Webhook(url, "event", body, "a"))
        await sending.sender.drain()
        await sending.sender.aclose()
    assert [attempt.status for attempt in sending.sender.attempts] == [500, 200]
    assert sink.bodies == [body] * 3  # refused, redirected, and where it was redirected to


async def test_silence_and_refused_connections_have_reasons(serve: Callable[..., Any]) -> None:
    async with serve(Sink(wait=0.3)) as url:
        assert await Sending(RetryRule(timeout=0.05)).post(url, "a") == ["http_timeout"]
    assert await Sending(RetryRule()).post("http://127.0.0.1:1/", "a") == ["connection_failed"]


async def test_webhooks_are_dropped_repeated_delayed_and_altered(serve: Callable[..., Any]) -> None:
    sink = Sink()
    sending = Sending(RetryRule())
    sending.faults.set(
        {
            "rules": [
                {"match": {"nth": 1}, "effect": {"kind": "webhook_drop"}},
                {"match": {"nth": 2}, "effect": {"kind": "webhook_repeat", "times": 3}},
                {"match": {"nth": 3}, "effect": {"kind": "webhook_delay", "seconds": 0.2}},
                {"match": {"nth": 4}, "effect": {"kind": "webhook_tamper"}},
            ]
        }
    )
    async with serve(sink) as url:
        await sending.post(url, "drop", "repeat", "late", "alter")
    assert b"drop" not in sink.bodies
    assert sink.bodies.count(b"repeat") == 3
    assert sink.bodies[-1] == b"late"
    assert b"alter " in sink.bodies
    assert [attempt.reason for attempt in sending.sender.attempts if attempt.fault == "webhook_drop"] == [
        "dropped"
    ]


async def test_a_closed_sender_sends_nothing_and_opens_nothing_until_it_is_opened(
    serve: Callable[..., Any],
) -> None:
    sink = Sink(wait=5.0)
    sending = Sending(RetryRule(delays=(0.0, 0.0), timeout=10.0))
    sender = sending.sender
    async with serve(sink) as url:
        sender.post(Webhook(url, "event", b"under way", "1"))
        await asyncio.wait_for(sink.asked.wait(), 2)
        await asyncio.wait_for(sender.aclose(), 2)
        assert sender.as_json()["in_flight"] == 0
        sender.post(Webhook(url, "event", b"late", "2"))
        await asyncio.wait_for(sender.drain(), 2)
        asked = await sender.deliver(Webhook(url, "event", b"late too", "3"))
        assert (asked.status, asked.reason) == (0, "sandbox_stopped")
        assert sender._session is None
        assert sink.bodies == [b"under way"]
        sink.wait = 0.0
        assert (await sending.post(url, "again"))[-1] == "200"


async def test_closing_waits_for_one_that_takes_its_cancellation_for_a_time_out(
    serve: Callable[..., Any],
) -> None:
    """A time-out within aiohttp is a cancellation too: ours may pass for one when both come at once, and a retry follow."""
    sending = Sending(RetryRule(delays=(0.0,) * 3))
    tried: list[int] = []
    begun = asyncio.Event()

    async def carry(attempt: Attempt, _body: bytes, _reason: str | None, _timeout: float) -> None:
        tried.append(attempt.number)
        begun.set()
        try:
            await asyncio.sleep(5)
        except asyncio.CancelledError:
            attempt.reason = "http_timeout"

    sending.sender.post(Webhook("http://127.0.0.1:1/", "event", b"x", "1", carry=carry))
    await asyncio.wait_for(begun.wait(), 2)
    await asyncio.wait_for(sending.sender.aclose(), 2)
    assert sending.sender.as_json()["in_flight"] == 0
    assert tried == [0]


async def test_a_delivery_that_breaks_inside_is_shown_and_not_lost() -> None:
    def broken(body: bytes, number: int, reason: str | None) -> dict[str, str]:
        raise LookupError("no key")

    errors: list[str] = []
    sending = Sending(RetryRule())
    sending.sender.on_error = errors.append
    sending.sender.post(Webhook("http://127.0.0.1:1/", "event", b"x", "1", sign=broken))
    await sending.sender.drain()
    assert "LookupError: no key" in errors[0]


async def test_webhooks_of_a_window_come_in_another_order(serve: Callable[..., Any]) -> None:
    sink = Sink()
    sending = Sending(RetryRule())
    sending.faults.set({"seed": 3, "rules": [{"effect": {"kind": "webhook_reorder", "window": 4}}]})
    async with serve(sink) as url:
        await sending.post(url, "1", "2", "3", "4")
        await sending.post(url, "5")
    assert sorted(sink.bodies[:4]) == [b"1", b"2", b"3", b"4"]
    assert sink.bodies[:4] != [b"1", b"2", b"3", b"4"]
    assert sink.bodies[4:] == [b"5"]
