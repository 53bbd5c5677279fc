"""Whatever is sent, the answer is a Problem: what happened, and what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from callout.incidents import Incidents
from tests.server.desk import problem_of

if TYPE_CHECKING:
    import pytest

    from tests.server.desk import Desk

JSON = {"content-type": "application/json"}
MIB = 1024 * 1024


async def test_unknown_paths_and_methods(desk: Desk) -> None:
    for path in ("/v1/nothing", "/v1", "/nothing", "/v1/incidents/INC-1/nothing", "/v1/incidents//notes"):
        problem_of(await desk.api.request("GET", path), 404, "not-found")
    for method, path in (
        ("PUT", "/v1/incidents"),
        ("DELETE", "/v1/incidents/INC-1"),
        ("GET", "/v1/incidents/INC-1/actions"),
        ("OPTIONS", "/v1/incidents"),
        ("POST", "/healthz"),
        ("POST", "/v1/meta/openapi"),
    ):
        answer = await desk.api.request(method, path)
        problem_of(answer, 405, "method-not-allowed")
        assert answer.headers["allow"], (method, path)


async def test_a_body_that_is_not_json(desk: Desk) -> None:
    before = await desk.written()
    for body in (b"{", b"title=x", b"\xff\xfe", b"", b"{'title': 'x'}", b'{"title": "x"', b"[" * 100_000):
        said = problem_of(await desk.api.request("POST", "/v1/incidents", content=body, headers=JSON), 400)
        assert said["type"] == "invalid-request"
    for body in (b"null", b"[]", b'"x"', b"5", b"{}", b'{"title": NaN}', b'{"title": 1e400}'):
        problem_of(await desk.api.request("POST", "/v1/incidents", content=body, headers=JSON), 400)
    assert await desk.written() == before


async def test_another_media_type(desk: Desk) -> None:
    before = await desk.written()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        answer = await desk.api.request(
            "POST", "/v1/incidents", content=b'{"title": "x"}', headers={"content-type": kind}
        )
        problem_of(answer, 415, "unsupported-media-type")
    assert await desk.written() == before
    for kind in ("application/json; charset=utf-8", "application/JSON"):
        answer = await desk.api.request(
            "POST", "/v1/incidents", content=b'{"title": "x"}', headers={"content-type": kind}
        )
        assert answer.status_code == 201, kind


async def chunks(size: int, *, piece: int = 65_536) -> AsyncIterator[bytes]:
    yield b'{"title": "'
    for _ in range(size // piece):
        yield b"x" * piece
    yield b'"}'


async def test_a_body_over_one_mebibyte(desk: Desk) -> None:
    before = await desk.written()
    for path in ("/v1/incidents", "/v1/hooks/nobody", "/v1/chat/nobody/commands", "/login"):
        announced = await desk.api.request("POST", path, content=b"x" * (MIB + 1), headers=JSON)
        problem_of(announced, 413, "too-large")
        chunked = await desk.api.request("POST", path, content=chunks(MIB + 65_536), headers=JSON)
        problem_of(chunked, 413, "too-large")
    assert await desk.written() == before
    whole = b'{"title": "x", "description": "' + b"y" * 90_000 + b'"}' + b" " * (MIB - 90_033)
    assert len(whole) == MIB
    assert (await desk.api.request("POST", "/v1/incidents", content=whole, headers=JSON)).status_code == 201


async def test_json_nested_deeply(desk: Desk) -> None:
    for depth in (30, 900):
        text = '{"title": ' + "[" * depth + '"x"' + "]" * depth + "}"
        problem_of(await desk.api.request("POST", "/v1/incidents", content=text.encode(), headers=JSON), 400)


async def test_nul_and_lone_surrogates_harm_nothing(desk_on_both: Desk) -> None:
    api = desk_on_both.api
    key = await api.declare("down")
    for odd in ("a\\u0000b", "a\\ud800b"):
        for body in (
            f'{{"title": "{odd}"}}',
            f'{{"title": "x", "description": "{odd}"}}',
            f'{{"title": "x", "service": "{odd}"}}',
            f'{{"title": "x", "tags": ["{odd}"]}}',
            f'{{"title": "x", "severity": "{odd}"}}',
            f'{{"title": "x", "assignee": {{"id": "{odd}", "name": "{odd}", "email": "{odd}"}}}}',
            f'{{"{odd}": "x"}}',
        ):
            answer = await api.request("POST", "/v1/incidents", content=body.encode(), headers=JSON)
            if answer.status_code != 201:
                problem_of(answer, 400)
            note = await api.request(
                "POST", f"/v1/incidents/{key}/notes", content=f'{{"text": "{odd}"}}'.encode(), headers=JSON
            )
            if note.status_code != 201:
                problem_of(note, 400)
    assert "\x00" not in str(await api("GET", "/v1/incidents")) + str(await api.notes(key))
    for path in (
        "/v1/incidents?text=%00",
        "/v1/incidents?service=a%00",
        "/v1/incidents?team=%00",
        "/v1/incidents?tag=%00",
        "/v1/incidents?cursor=%00",
        "/v1/incidents?account=%00",
        "/v1/incidents/%00",
        "/v1/incidents/%ED%A0%80",
        f"/v1/incidents/{key}/timeline?cursor=%00",
        "/v1/hooks/%00",
        "/v1/hooks?token=%00",
        "/v1/chat/%00/commands",
        "/incidents/%00",
    ):
        method = "POST" if "hooks" in path or "chat" in path else "GET"
        answer = await api.request(method, path, headers={"cookie": await desk_on_both.cookie(api.token)})
        if "%00" in path:
            problem_of(answer, 400, "invalid-request")
        else:
            problem_of(answer, 404, "not-found")


async def test_huge_integers(desk: Desk) -> None:
    key = await desk.api.declare("down")
    huge = "9" * 5000
    for body in (
        f'{{"version": {huge}}}',
        f'{{"version": -{huge}}}',
        f'{{"title": {huge}}}',
        '{"version": 1e999}',
    ):
        answer = await desk.api.request("PATCH", f"/v1/incidents/{key}", content=body.encode(), headers=JSON)
        assert answer.status_code in {400, 409}
        problem_of(answer, answer.status_code)
    problem_of(await desk.api.request("GET", f"/v1/incidents?limit={huge}"), 400)
    assert (await desk.api.request("GET", f"/v1/incidents?limit={10**30}")).status_code in {200, 400}
    problem_of(await desk.api.request("GET", f"/v1/incidents/INC-{'9' * 18}"), 404)


async def test_a_fault_of_ours_says_nothing_about_us(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(Incidents, "search", broken)
    with capture_logs() as logs:
        answer = await desk.api.request("GET", "/v1/incidents")
    problem_of(answer, 500, "internal")
    assert "hunter2" not in answer.text
    assert [line["event"] for line in logs] == ["request_failed"]


async def test_the_doors_of_the_machine(desk: Desk) -> None:
    assert (await desk.http.get("/healthz")).json() == {"status": "ok"}
    ready = await desk.http.get("/readyz")
    assert (ready.status_code, ready.json()["ready"], ready.json()["database"]) == (200, True, "sqlite")
    metrics = await desk.http.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert "# TYPE callout_webhooks_accepted_total counter" in metrics.text
