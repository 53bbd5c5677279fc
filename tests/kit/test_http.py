"""Calls to a vendor: what is sent, what is repeated, what is said when it fails."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import httpx
import pytest

from callout.kit.clock import ManualClock
from callout.kit.http import (
    FilePart,
    HttpStatusError,
    NotJsonError,
    ResponseTooLarge,
    Timeouts,
    TransportError,
    TransportKind,
    VendorHttp,
    basic_auth,
    bearer_auth,
    path_segment,
)
from callout.kit.lanes import Lane, in_lane
from callout.kit.net import AddressRefused
from callout.kit.secrets import Secret

BASE = "https://vendor.example/jira"
CANARY = "c4nary-7731-token"


class Vendor:
    """Answers one prepared answer after the other and remembers what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.seen: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Waits:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


class RecordingGate:
    def __init__(self, *, closed: bool = False) -> None:
        self.log: list[str] = []
        self.closed = closed

    async def before(self, *, method: str, path: str, lane: Lane, part: str) -> None:
        self.log.append(f"before {method} {path} {lane.name.lower()}{part}")
        if self.closed:
            raise RuntimeError("budget spent")

    async def after(
        self, *, status: int | None, headers: Mapping[str, str], method: str, path: str, part: str
    ) -> None:
        self.log.append(f"after {status}{part}")


def client(handler: Callable[[httpx.Request], httpx.Response], **options: object) -> VendorHttp:
    given: dict[str, object] = {
        "auth": bearer_auth(Secret(CANARY)),
        "rng": random.Random(1),  # noqa: S311
        "sleep": Waits(),
        **options,
    }
    return VendorHttp(BASE, transport=httpx.MockTransport(handler), **given)  # type: ignore[arg-type]


async def test_a_call_goes_below_the_base_url_with_credentials_and_parameters() -> None:
    vendor = Vendor(httpx.Response(200, json={"ok": True}))
    params = {"jql": 'project = "A&B"', "none": None, "flag": True, "id": ["1", "2"]}
    answer = await client(vendor).request_json("get", "/rest/api/3/search", params=params)
    assert answer == {"ok": True}
    request = vendor.seen[0]
    assert (request.method, request.url.path) == ("GET", "/jira/rest/api/3/search")
    assert request.url.params.multi_items() == [
        ("jql", 'project = "A&B"'),
        ("flag", "true"),
        ("id", "1"),
        ("id", "2"),
    ]
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert request.headers["accept"] == "application/json"
    assert request.headers["user-agent"] == "callout"


async def test_secrets_in_a_body_are_revealed_on_the_wire_only() -> None:
    vendor = Vendor(httpx.Response(400, text=f"client secret {CANARY} is wrong"))
    http = client(vendor, auth=None)
    with pytest.raises(HttpStatusError) as form_error:
        await http.request_json("POST", "/token", form={"client_secret": Secret(CANARY), "grant": "x y"})
    assert vendor.seen[0].content == f"client_secret={CANARY}&grant=x+y".encode()
    with pytest.raises(HttpStatusError) as json_error:
        await http.request_json("POST", "/token", json={"nested": [{"key": Secret(CANARY)}]})
    assert json.loads(vendor.seen[1].content) == {"nested": [{"key": CANARY}]}
    assert CANARY not in f"{form_error.value}{form_error.value.body_text}{json_error.value}"


async def test_a_json_null_is_a_body_and_no_json_is_none() -> None:
    vendor = Vendor(httpx.Response(204))
    assert await client(vendor).request_json("PUT", "/a", json=None) is None
    await client(vendor).request_json("PUT", "/a")
    assert [request.content for request in vendor.seen] == [b"null", b""]


async def test_basic_credentials_follow_the_rfc() -> None:
    vendor = Vendor(httpx.Response(204))
    # RFC 7617, section 2.1.
    await client(vendor, auth=basic_auth("test", Secret("123£"))).request("GET", "/")
    assert vendor.seen[0].headers["authorization"] == "Basic dGVzdDoxMjPCow=="
    with pytest.raises(ValueError, match=":"):
        basic_auth("a:b", Secret("x"))


async def test_an_error_status_carries_the_vendors_words_without_secrets() -> None:
    body = {"errorMessages": [f"token {CANARY} lacks scope"], "errors": {"summary": "required"}}
    vendor = Vendor(httpx.Response(400, json=body, headers={"X-Request-Id": "r1"}))
    with pytest.raises(HttpStatusError) as raised:
        await client(vendor).request("POST", "/issue", params={"token": Secret("q-secret-q")})
    error = raised.value
    assert (error.status, error.headers["x-request-id"]) == (400, "r1")
    assert error.json["errors"] == {"summary": "required"}
    assert "required" in error.body_text
    assert error.url == "https://vendor.example/jira/issue"
    everything = f"{error!r} {error} {error.body_text} {error.json}"
    assert CANARY not in everything
    assert "q-secret-q" not in everything


async def test_a_login_page_with_status_200_is_named() -> None:
    page = httpx.Response(200, html=f"<html>Your instance is hibernating {CANARY}</html>")
    with pytest.raises(NotJsonError, match=r"200 but not JSON \(text/html.*hibernating") as raised:
        await client(Vendor(page)).request_json("GET", "/api/now/table/incident")
    assert CANARY not in str(raised.value) + raised.value.body_text


async def test_absurdly_deep_json_is_an_error_not_a_crash() -> None:
    with pytest.raises(NotJsonError):
        await client(Vendor(httpx.Response(200, content=b"[" * 200_000))).request_json("GET", "/")


async def test_an_accepted_status_is_returned() -> None:
    response = await client(Vendor(httpx.Response(404, text="gone"))).request("GET", "/x", accept={404})
    assert (response.status, response.text) == (404, "gone")


@pytest.mark.parametrize(
    ("raised", "kind", "maybe_sent"),
    [
        (httpx.ConnectError("nobody home"), TransportKind.CONNECT, False),
        (httpx.ConnectTimeout("slow"), TransportKind.TIMEOUT, False),
        (httpx.PoolTimeout("full"), TransportKind.TIMEOUT, False),
        (httpx.ReadTimeout("slow"), TransportKind.TIMEOUT, True),
        (httpx.ReadError("broken"), TransportKind.READ, True),
        (httpx.RemoteProtocolError("Server disconnected"), TransportKind.CLOSED, True),
        (AddressRefused("10.0.0.1 is private", host="x", reason="private"), TransportKind.REFUSED, False),
    ],
)
async def test_a_failed_call_says_where_it_ended_and_whether_it_may_have_arrived(
    raised: Exception, kind: TransportKind, *, maybe_sent: bool
) -> None:
    vendor = Vendor(raised)
    with pytest.raises(TransportError) as failed:
        await client(vendor).request("POST", "/issue", json={})
    assert (failed.value.kind, failed.value.maybe_sent) == (kind, maybe_sent)
    assert len(vendor.seen) == 1


async def test_transport_errors_hide_secrets_too() -> None:
    vendor = Vendor(httpx.ConnectError(f"cannot reach https://u:{CANARY}@host/?token=abc {CANARY}"))
    with pytest.raises(TransportError) as failed:
        await client(vendor).request("POST", "/issue")
    assert CANARY not in str(failed.value)
    assert "token=abc" not in str(failed.value)
    assert failed.value.__suppress_context__


async def test_a_safe_call_is_repeated_twice_after_gateway_trouble() -> None:
    waits = Waits()
    vendor = Vendor(httpx.Response(503), httpx.ReadError("broken"), httpx.Response(200, json=1))
    assert await client(vendor, sleep=waits).request_json("GET", "/x") == 1
    assert len(vendor.seen) == 3
    assert len(waits.seconds) == 2
    assert all(0 <= wait <= 2 for wait in waits.seconds)


async def test_a_safe_call_gives_up_after_the_second_repeat() -> None:
    vendor = Vendor(httpx.Response(502))
    with pytest.raises(HttpStatusError):
        await client(vendor).request_json("GET", "/x")
    assert len(vendor.seen) == 3


@pytest.mark.parametrize("status", [400, 404, 429, 500])
async def test_other_answers_are_never_repeated_here(status: int) -> None:
    vendor = Vendor(httpx.Response(status))
    with pytest.raises(HttpStatusError):
        await client(vendor).request_json("GET", "/x")
    assert len(vendor.seen) == 1


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_write_is_never_repeated_by_itself(method: str) -> None:
    vendor = Vendor(httpx.Response(503))
    with pytest.raises(HttpStatusError):
        await client(vendor).request(method, "/x")
    assert len(vendor.seen) == 1


async def test_a_post_that_only_reads_may_be_declared_safe() -> None:
    vendor = Vendor(httpx.Response(503), httpx.Response(200, json=[]))
    assert await client(vendor).request_json("POST", "/search", json={}, safe=True) == []


async def test_retry_after_is_obeyed_when_short_and_left_to_the_job_when_long() -> None:
    waits = Waits()
    vendor = Vendor(httpx.Response(503, headers={"Retry-After": "3"}), httpx.Response(200, json=1))
    await client(vendor, sleep=waits).request_json("GET", "/x")
    assert 3 <= waits.seconds[0] <= 4
    long = Vendor(httpx.Response(503, headers={"Retry-After": "60"}))
    with pytest.raises(HttpStatusError):
        await client(long).request_json("GET", "/x")
    assert len(long.seen) == 1


async def test_no_repeat_starts_that_the_total_time_does_not_allow() -> None:
    vendor = Vendor(httpx.Response(503, headers={"Retry-After": "3"}))
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(HttpStatusError):
        await client(vendor, clock=clock, timeouts=Timeouts(total=2.0)).request_json("GET", "/x")
    assert len(vendor.seen) == 1


async def test_a_call_ends_when_its_total_time_is_over() -> None:
    async def slow(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(30)
        return httpx.Response(200)

    http = VendorHttp(BASE, transport=httpx.MockTransport(slow), timeouts=Timeouts(total=0.05))
    with pytest.raises(TransportError, match=r"within 0\.05 seconds") as failed:
        await http.request("POST", "/x")
    assert (failed.value.kind, failed.value.maybe_sent) == (TransportKind.TIMEOUT, True)


async def test_time_spent_at_the_gate_counts_and_means_not_sent() -> None:
    class SlowGate(RecordingGate):
        async def before(self, *, method: str, path: str, lane: Lane, part: str) -> None:
            await asyncio.sleep(30)

    vendor = Vendor(httpx.Response(200))
    http = client(vendor, gate=SlowGate(), timeouts=Timeouts(total=0.05))
    with pytest.raises(TransportError) as failed:
        await http.request("POST", "/x")
    assert not failed.value.maybe_sent
    assert vendor.seen == []


async def test_the_gate_is_asked_before_and_told_after_every_attempt() -> None:
    gate = RecordingGate()
    vendor = Vendor(httpx.ReadError("x"), httpx.Response(503), httpx.Response(200, json=1))
    await client(vendor, gate=gate).request_json("GET", "/x", lane=Lane.URGENT)
    before = "before GET /jira/x urgent"
    assert gate.log == [before, "after None", before, "after 503", before, "after 200"]


async def test_a_call_stands_in_the_lane_of_the_work_at_hand() -> None:
    gate = RecordingGate()
    http = client(Vendor(*(httpx.Response(200) for _ in range(3))), gate=gate)
    with in_lane(Lane.BACKFILL):
        await http.request("GET", "/a")
        await http.request("GET", "/b", lane=Lane.URGENT, part="@C1")
    await http.request("GET", "/c")
    assert [line for line in gate.log if line.startswith("before")] == [
        "before GET /jira/a backfill",
        "before GET /jira/b urgent@C1",
        "before GET /jira/c normal",
    ]
    assert "after 200@C1" in gate.log


async def test_a_closed_gate_lets_nothing_through() -> None:
    gate = RecordingGate(closed=True)
    vendor = Vendor(httpx.Response(200))
    with pytest.raises(RuntimeError, match="budget spent"):
        await client(vendor, gate=gate).request("GET", "/x")
    assert vendor.seen == []
    assert gate.log == ["before GET /jira/x normal"]


async def test_too_long_an_answer_is_cut_off_also_when_compressed() -> None:
    bomb = httpx.Response(200, content=gzip.compress(b"0" * 5_000_000), headers={"Content-Encoding": "gzip"})
    with pytest.raises(ResponseTooLarge) as raised:
        await client(Vendor(bomb), max_bytes=100_000).request("GET", "/x")
    assert raised.value.limit == 100_000


async def test_broken_compression_is_a_transport_error() -> None:
    class Broken(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]  # noqa: ANN204
            yield b"not gzip"

    answer = httpx.Response(200, stream=Broken(), headers={"Content-Encoding": "gzip"})
    with pytest.raises(TransportError) as raised:
        await client(Vendor(answer)).request("POST", "/x")
    assert raised.value.kind is TransportKind.READ


async def test_an_upload_is_multipart_and_not_repeated() -> None:
    vendor = Vendor(httpx.Response(200, json=[{"id": "1"}]))
    part = FilePart(field="file", filename="log é.txt", content=b"hello", content_type="text/plain")
    answer = await client(vendor).upload(
        "/attachments", files=[part], form={"comment": "c"}, headers={"X-Atlassian-Token": "no-check"}
    )
    assert answer == [{"id": "1"}]
    request = vendor.seen[0]
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert request.headers["content-length"] == str(len(request.content))
    assert b"hello" in request.content
    assert b'name="comment"' in request.content
    assert request.headers["x-atlassian-token"] == "no-check"


async def test_a_download_comes_in_pieces_within_its_own_limit() -> None:
    vendor = Vendor(httpx.Response(200, content=b"x" * 1000, headers={"Content-Type": "text/plain"}))
    async with client(vendor).download("/file", max_bytes=1000) as file:
        assert file.headers["content-type"] == "text/plain"
        assert await file.read() == b"x" * 1000
    with pytest.raises(ResponseTooLarge):
        async with client(vendor).download("/file", max_bytes=999) as file:
            await file.read()


async def test_a_redirect_is_an_error_unless_asked_for() -> None:
    vendor = Vendor(httpx.Response(302, headers={"Location": "https://sso.example/login"}))
    with pytest.raises(HttpStatusError) as raised:
        await client(vendor).request("GET", "/x")
    assert raised.value.status == 302
    with pytest.raises(ValueError, match="safe"):
        await client(vendor).request("POST", "/x", follow_redirects=True)


async def test_credentials_do_not_follow_a_redirect_to_another_host() -> None:
    vendor = Vendor(
        httpx.Response(303, headers={"Location": "/jira/hop"}),
        httpx.Response(302, headers={"Location": "https://cdn.example/f?sig=abc"}),
        httpx.Response(200, content=b"file"),
    )
    http = client(vendor, headers={"X-Api-Key": Secret("k-123")})
    async with http.download("/file", max_bytes=10, headers={"X-One": "1"}) as file:
        assert await file.read() == b"file"
    assert [str(request.url) for request in vendor.seen] == [
        f"{BASE}/file",
        f"{BASE}/hop",
        "https://cdn.example/f?sig=abc",
    ]
    own, hop, foreign = (request.headers for request in vendor.seen)
    assert own["authorization"] == hop["authorization"] == f"Bearer {CANARY}"
    assert (hop["x-api-key"], hop["x-one"]) == ("k-123", "1")
    assert not {"authorization", "x-api-key", "x-one"} & set(foreign)


@pytest.mark.parametrize("location", ["http://vendor.example/x", "file:///etc/passwd"])
async def test_a_redirect_out_of_https_is_refused(location: str) -> None:
    vendor = Vendor(httpx.Response(302, headers={"Location": location}))
    with pytest.raises(TransportError) as raised:
        await client(vendor).request("GET", "/x", follow_redirects=True)
    assert raised.value.kind is TransportKind.REFUSED
    assert len(vendor.seen) == 1


async def test_a_redirect_loop_ends() -> None:
    vendor = Vendor(httpx.Response(302, headers={"Location": "/jira/x"}))
    waits = Waits()
    with pytest.raises(TransportError, match="redirects"):
        await client(vendor, sleep=waits).request("GET", "/x", follow_redirects=True, safe=True)
    assert waits.seconds == []


async def test_a_foreign_url_gets_no_credentials_and_is_not_shown() -> None:
    vendor = Vendor(httpx.Response(500, text="no"))
    with pytest.raises(HttpStatusError) as raised:
        await client(vendor).request("POST", "https://hooks.example/actions/T1/very-private?x=1", json={})
    assert "authorization" not in vendor.seen[0].headers
    assert "very-private" not in str(raised.value)
    assert "https://hooks.example/…" in str(raised.value)


async def test_an_absolute_url_of_the_vendor_itself_gets_credentials() -> None:
    vendor = Vendor(httpx.Response(200, json=1))
    await client(vendor).request_json("GET", "https://vendor.example/jira/next?page=2")
    assert "authorization" in vendor.seen[0].headers
    assert vendor.seen[0].url.query == b"page=2"


async def test_a_route_stands_for_a_path_that_is_secret() -> None:
    gate = RecordingGate()
    with pytest.raises(HttpStatusError) as raised:
        await client(Vendor(httpx.Response(400)), gate=gate).request(
            "POST", "/webhooks/1/very-private", route="/webhooks/{id}/{token}"
        )
    assert "very-private" not in str(raised.value) + "".join(gate.log)


@pytest.mark.parametrize("path", ["/a/../b", "/a/%2e%2e/b", "..", "/a/./b", "/a\\b"])
async def test_a_path_cannot_leave_the_base_url(path: str) -> None:
    with pytest.raises(ValueError, match="segments"):
        await client(Vendor(httpx.Response(200))).request("GET", path)


def test_a_path_segment_is_quoted_whole() -> None:
    assert path_segment("a/b?c#d é") == "a%2Fb%3Fc%23d%20%C3%A9"
    for bad in ("", ".", ".."):
        with pytest.raises(ValueError, match="segment"):
            path_segment(bad)


async def test_two_bodies_are_refused() -> None:
    with pytest.raises(ValueError, match="one body"):
        await client(Vendor(httpx.Response(200))).request("POST", "/x", json={}, content=b"x")


class Refreshing:
    """Credentials whose first token has expired."""

    def __init__(self, *, recovers: bool = True) -> None:
        self.token = "old"
        self.recovers = recovers
        self.asked = 0

    async def headers(self) -> Mapping[str, str | Secret]:
        return {"Authorization": Secret(f"Bearer {self.token}")}

    async def rejected(self) -> bool:
        self.asked += 1
        self.token = "new"
        return self.recovers


async def test_after_401_fresh_credentials_are_tried_once_for_any_method() -> None:
    def vendor(request: httpx.Request) -> httpx.Response:
        return httpx.Response(201 if request.headers["authorization"] == "Bearer new" else 401)

    auth = Refreshing()
    assert (await client(vendor, auth=auth).request("POST", "/x")).status == 201
    assert auth.asked == 1


@pytest.mark.parametrize("recovers", [True, False])
async def test_a_lasting_401_is_reported(*, recovers: bool) -> None:
    auth = Refreshing(recovers=recovers)
    vendor = Vendor(httpx.Response(401))
    with pytest.raises(HttpStatusError):
        await client(vendor, auth=auth).request("GET", "/x")
    assert auth.asked == 1
    assert len(vendor.seen) == 1 + recovers


@pytest.mark.parametrize("url", ["ftp://x", "https://", "https://u:p@host", "https://h ost", "nonsense"])
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        VendorHttp(url, transport=httpx.MockTransport(Vendor(httpx.Response(200))))
