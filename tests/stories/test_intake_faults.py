"""What must not come in: webhooks without the right signature, bodies of the wrong kind or size, requests that ask nonsense."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable

import pytest

from tests.stories.installation import Installation
from tests.stories.people import JIRA_SECRET, Json

MIB = 1024 * 1024
PROBLEM = {"type", "message", "status", "occurred_at", "instance", "remediation"}


def webhook(*, age: float = 0, **more: object) -> bytes:
    """A body as Jira sends it."""
    body = {"timestamp": int((time.time() - age) * 1000), "webhookEvent": "jira:issue_updated", **more}
    return json.dumps({**body, "issue": {"id": "10001", "key": "TST-1"}}).encode()


def signed(body: bytes, secret: str = JIRA_SECRET) -> dict[str, str]:
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return {"content-type": "application/json", "x-hub-signature": f"sha256={digest}"}


async def post(installation: Installation, body: object, headers: dict[str, str]) -> tuple[int, Json]:
    door = f"{installation.url}/v1/hooks/{installation.integrations['jira'].id}"
    answer = await installation.http.post(door, content=body, headers=headers)  # type: ignore[arg-type]
    return answer.status_code, answer.json()


REFUSED: dict[str, Callable[[bytes], tuple[bytes, dict[str, str]]]] = {
    "no signature": lambda body: (body, {}),
    "wrong key": lambda body: (body, signed(body, "another")),
    "altered body": lambda body: (body.replace(b"TST-1", b"TST-2"), signed(body)),
    "one space more": lambda body: (body + b" ", signed(body)),
    "another hash": lambda body: (body, {"x-hub-signature": "sha1=" + "0" * 40}),
    "not hexadecimal": lambda body: (body, {"x-hub-signature": "sha256=zzzz"}),
    "empty": lambda body: (body, {"x-hub-signature": ""}),
    "stale": lambda _body: (old := webhook(age=25 * 3600), signed(old)),
    "from the future": lambda _body: (new := webhook(age=-25 * 3600), signed(new)),
}


async def test_a_webhook_without_the_right_signature_is_refused_counted_and_not_stored(
    on_sqlite: Installation,
) -> None:
    for how, make in REFUSED.items():
        counted = await on_sqlite.metric("callout_webhooks_refused_total", provider="ticketing_jira")

        status, problem = await post(on_sqlite, *make(webhook()))

        assert status == problem["status"] == 401, how
        assert set(problem) >= PROBLEM, how
        now = await on_sqlite.metric("callout_webhooks_refused_total", provider="ticketing_jira")
        assert now == counted + 1, how
    assert await on_sqlite.rows("inbound_event") == 0


async def test_a_signed_webhook_is_stored_before_it_is_answered(on_sqlite: Installation) -> None:
    body = webhook()
    status, answer = await post(on_sqlite, body, signed(body))
    assert status == 202
    assert answer["result"]["duplicate"] is False
    assert await on_sqlite.rows("inbound_event") == 1
    status, again = await post(on_sqlite, body, signed(body))
    assert (status, again["result"]["duplicate"]) == (202, True)
    assert await on_sqlite.rows("inbound_event") == 1


async def test_a_signed_body_that_is_not_json(on_sqlite: Installation) -> None:
    for body in (b"<html>", b"", b"{", b"\xff\xfe", b'{"timestamp": 1'):
        status, problem = await post(on_sqlite, body, signed(body))
        assert status in {400, 401}, (body, problem)
        assert set(problem) >= PROBLEM
    assert await on_sqlite.rows("inbound_event") == 0


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
async def test_a_body_that_is_too_large(on_sqlite: Installation, *, chunked: bool) -> None:
    most = on_sqlite.core.settings.webhook_mib

    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 65536):
            yield body[start : start + 65536]

    jira, slack = (on_sqlite.integrations[name].id for name in ("jira", "slack"))
    limits = {f"/v1/hooks/{jira}": most, f"/v1/chat/{slack}/commands": 1, "/v1/incidents": 1, "/login": 1}
    for path, mebibytes in limits.items():
        body = b" " * (mebibytes * MIB + 1)
        answer = await on_sqlite.http.post(
            on_sqlite.url + path,
            content=pieces(body) if chunked else body,
            headers={"authorization": f"Bearer {on_sqlite.api.token}", "content-type": "application/json"},
        )
        assert answer.status_code == 413, path
        assert set(answer.json()) >= PROBLEM, path
    assert await on_sqlite.rows("inbound_event") == 0


async def test_a_body_of_just_a_mebibyte_is_taken(on_sqlite: Installation) -> None:
    body = webhook(padding="")
    body = webhook(padding="x" * (MIB - len(body)))
    assert len(body) == MIB
    status, _ = await post(on_sqlite, body, signed(body))
    assert status == 202


WRONG: dict[str, tuple[str, str, object, int, str]] = {
    "not JSON": ("POST", "/v1/incidents", b"{", 400, "JSON"),
    "no body": ("POST", "/v1/incidents", b"", 400, "body"),
    "an unknown field": ("POST", "/v1/incidents", {"title": "x", "severty": "SEV-1"}, 400, "severty"),
    "no title": ("POST", "/v1/incidents", {}, 400, "title"),
    "an empty title": ("POST", "/v1/incidents", {"title": "  "}, 400, "title"),
    "a title that is too long": ("POST", "/v1/incidents", {"title": "x" * 256}, 400, "255"),
    "an unknown severity": ("POST", "/v1/incidents", {"title": "x", "severity": "terrible"}, 400, "SEV-1"),
    "an unknown audience": (
        "POST",
        "/v1/incidents/INC-1/notes",
        {"text": "x", "audience": "all"},
        400,
        "audience",
    ),
    "an unknown action": ("POST", "/v1/incidents/INC-1/actions", {"action": "explode"}, 400, "action"),
    "an illegal transition": ("POST", "/v1/incidents/INC-1/actions", {"action": "close"}, 409, "open"),
    "a stale version": ("PATCH", "/v1/incidents/INC-1", {"title": "y", "version": 99}, 409, "version"),
    "a bad cursor": ("GET", "/v1/incidents?cursor=nonsense", None, 400, "cursor"),
    "another list's cursor": ("GET", "/v1/incidents?cursor=eyJ4IjoxfQ", None, 400, "cursor"),
    "a limit of nothing": ("GET", "/v1/incidents?limit=0", None, 400, "limit"),
    "a status that is none": ("GET", "/v1/incidents?status=broken", None, 400, "status"),
    "a time without a zone": ("GET", "/v1/incidents?created_from=2026-01-01T00:00:00", None, 400, "zone"),
    "no such incident": ("GET", "/v1/incidents/INC-77", None, 404, "INC-77"),
    "no such path": ("GET", "/v1/nothing", None, 404, ""),
    "no such method": ("DELETE", "/v1/incidents", None, 405, ""),
}


async def test_what_is_wrong_with_a_request_and_what_to_do_is_said(on_sqlite: Installation) -> None:
    await on_sqlite.api.declare("one")
    for name, (method, path, body, status, words) in WRONG.items():
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        answer = await on_sqlite.api.request(
            method, path, content=content, headers={"content-type": "application/json"}
        )
        problem = answer.json()
        assert answer.status_code == status, (name, problem)
        assert set(problem) >= PROBLEM, name
        assert problem["status"] == status, name
        assert words.lower() in json.dumps(problem).lower(), (name, problem)
    assert len(await on_sqlite.api("GET", "/v1/incidents")) == 1
