"""Files at an incident over HTTP: kept byte by byte, seen by whom they are for, and never shown as a page."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import httpx

from callout.incidents import attachments
from tests.server.desk import problem_of
from tests.stories.people import Api

if TYPE_CHECKING:
    from tests.server.desk import Desk

PAGE = b"<!doctype html><script>alert(document.cookie)</script>"
BYTES = bytes(range(256)) * 8_000
"""2 MB: more than other bodies may have, and several parts."""


async def send(api: Api, key: str, content: bytes, **params: Any) -> httpx.Response:
    """Attach a file as curl does with --data-binary."""
    kind = params.pop("type", "application/octet-stream")
    headers = {"content-type": kind, **params.pop("headers", {})}
    address = f"/v1/incidents/{key}/attachments"
    return await api.request("POST", address, params=params, content=content, headers=headers)


async def test_a_file_comes_back_as_it_was_sent(desk_on_both: Desk) -> None:
    desk = desk_on_both
    key = await desk.api.declare("down")

    answer = await send(desk.api, key, BYTES, name="grafik ü 1.png", type="image/png; x=1")

    assert answer.status_code == 201, answer.text
    made = answer.json()["result"]
    digest = hashlib.sha256(BYTES).hexdigest()
    assert (
        made["name"],
        made["media_type"],
        made["size"],
        made["sha256"],
        made["audience"],
        made["state"],
    ) == (
        "grafik ü 1.png",
        "image/png",
        len(BYTES),
        digest,
        "responders",
        "stored",
    )
    assert await desk.api("GET", f"/v1/incidents/{key}/attachments") == [made]
    got = await desk.api.request("GET", f"/v1/incidents/{key}/attachments/{made['id']}")
    assert got.content == BYTES
    told = (await desk.api.timeline(key))[-1]
    assert (told["kind"], told["data"]["name"], told["data"]["sha256"]) == (
        "attached",
        "grafik ü 1.png",
        digest,
    )
    text = "SELECT count(*) FROM event WHERE kind = 'incident.attached'"
    rows = await desk.core.database.read(lambda tx: tx.driver_all(text, text))
    assert rows[0][0] == 1


async def test_nothing_that_was_uploaded_is_shown_as_a_page(desk: Desk) -> None:
    key = await desk.api.declare("down")
    name = 'x"\r\nset-cookie: a=b\u202e.html'
    made = (await send(desk.api, key, PAGE, name=name, type="text/html")).json()["result"]

    got = await desk.api.request("GET", f"/v1/incidents/{key}/attachments/{made['id']}")

    assert got.content == PAGE
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"].startswith("sandbox")
    assert got.headers["content-disposition"].startswith('attachment; filename="x_')
    assert "set-cookie" not in got.headers
    assert made["name"] == 'x" set-cookie: a=b .html'


async def test_too_much_and_nothing_are_refused_in_words(desk: Desk) -> None:
    key = await desk.api.declare("down")
    limit = desk.core.incidents.attachment_limit
    before = await desk.written()

    large = await send(desk.api, key, b"x" * (limit + 1), name="core.dump")
    assert large.status_code == 413
    assert str(limit) in large.json()["message"]
    empty = problem_of(await send(desk.api, key, b"", name="empty.log"), 400, "invalid-request")
    assert "empty" in empty["message"]
    nameless = problem_of(await send(desk.api, key, b"x"), 400, "invalid-request")
    assert "?name=" in nameless["remediation"]

    assert await desk.written() == before


async def test_an_internal_file_is_for_those_who_may_read_internal_notes(desk: Desk) -> None:
    key = await desk.api.declare("down")
    viewer = await desk.client("viewer")
    secret = (await send(desk.api, key, b"secret", name="suspects.txt", audience="internal")).json()["result"]
    shared = (await send(desk.api, key, b"shared", name="graph.png")).json()["result"]

    assert [one["id"] for one in await viewer("GET", f"/v1/incidents/{key}/attachments")] == [shared["id"]]
    hidden = await viewer.request("GET", f"/v1/incidents/{key}/attachments/{secret['id']}")
    problem_of(hidden, 404, "not-found")
    assert "suspects" not in str(await viewer("GET", f"/v1/incidents/{key}/timeline"))
    refused = await send(viewer, key, b"x", name="x.txt")
    problem_of(refused, 403, "forbidden")


async def test_a_file_of_another_incident_is_not_found(desk: Desk) -> None:
    one, other = await desk.api.declare("one"), await desk.api.declare("other")
    made = (await send(desk.api, one, b"x", name="x.txt")).json()["result"]
    strange = await desk.api.request("GET", f"/v1/incidents/{other}/attachments/{made['id']}")
    problem_of(strange, 404, "not-found")


async def test_the_same_key_sends_a_file_once(desk: Desk) -> None:
    key = await desk.api.declare("down")
    headers = {"idempotency-key": "upload-1"}
    first = await send(desk.api, key, b"x", name="x.txt", headers=headers)
    again = await send(desk.api, key, b"x", name="x.txt", headers=headers)
    assert (again.status_code, again.json()) == (201, first.json())
    other = await send(desk.api, key, b"x", name="y.txt", headers=headers)
    assert other.status_code == 409
    assert len(await desk.api("GET", f"/v1/incidents/{key}/attachments")) == 1


def test_names_are_safe_on_every_system() -> None:
    for given, kept in (
        ("../../etc/passwd", "passwd"),
        ("C:\\temp\\log.txt", "log.txt"),
        ("a\x00b\nc.txt", "a b c.txt"),
        ("...", "file"),
        ("", "file"),
        ("x" * 400 + ".log", "x" * 146 + ".log"),
        ("支払い.png", "支払い.png"),
    ):
        assert attachments.file_name(given) == kept
