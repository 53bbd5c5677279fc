"""A file attached on the incident's page: for its audience, once, within the limit, and never by who may not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.server.by_forms import Page, Visitor
from tests.server.desk import opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from tests.server.desk import Desk

MIB = 1024 * 1024
LOG = ("error.log", b"line one\r\n\x00\xff--boundary", "text/plain")


@pytest.fixture
async def small(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    """An application that keeps files of at most one MiB."""
    async with opened(f"sqlite:///{sqlite_path}", tmp_path / "data", attachment_mib=1) as desk:
        yield desk


class Uploader:
    """Somebody at the page of one incident."""

    def __init__(self, desk: Desk, me: Visitor, home: str) -> None:
        self._desk, self._me, self.home = desk, me, home

    async def send(self, *files: tuple[str, bytes, str], **typed: str) -> httpx.Response:
        form = (await self._me.see(self.home)).form(f"{self.home}/files")
        return await self.post({**form, **typed}, *files)

    async def post(self, fields: dict[str, Any], *files: tuple[str, bytes, str]) -> httpx.Response:
        fields.pop("file", None)
        cookie = {"cookie": self._me.cookie, "accept": "text/html"}
        sent = [("file", one) for one in files] or [("file", ("", b"", "application/octet-stream"))]
        return await self._desk.http.post(f"{self.home}/files", data=fields, files=sent, headers=cookie)

    async def listed(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._desk.api("GET", f"/v1{self.home}/attachments")
        return found


async def at_an_incident(desk: Desk, permission_set: str = "administrator") -> Uploader:
    key = await desk.api.declare("down")
    return Uploader(desk, await Visitor.of(desk, permission_set), f"/incidents/{key}")


async def test_a_file_is_attached_for_its_audience(desk_on_both: Desk) -> None:
    me = await at_an_incident(desk_on_both)
    done = await me.send(LOG, file_audience="internal")
    assert (done.status_code, done.headers["location"]) == (303, f"{me.home}#files"), done.text
    [one] = await me.listed()
    assert (one["name"], one["audience"], one["size"]) == ("error.log", "internal", len(LOG[1]))
    page = await Visitor.of(desk_on_both)
    [link] = [link for link in (await page.see(me.home)).links if "/files/" in link]
    assert (await page.answer(link)).content == LOG[1]
    hostile = ('../../<img src=x>"\\..\\x\r\n.html', b"<script>", "text/html")
    assert (await me.send(hostile)).status_code == 303
    shown = (await page.see(me.home)).text
    assert "<img src=x" not in shown
    assert "/" not in (await me.listed())[1]["name"]


async def test_what_is_wrong_stands_beside_the_field(small: Desk) -> None:
    me = await at_an_incident(small)
    before = await small.written()
    large = ("large.bin", b"x" * (MIB + 1), "application/octet-stream")
    empty = ("empty.txt", b"", "text/plain")
    for files, typed, field, words in (
        ((), {}, "file", "choose a file"),
        ((empty,), {}, "file", "empty"),
        ((large,), {"file_audience": "customer"}, "file", "at most"),
        ((LOG,), {"file_audience": "everybody"}, "file_audience", "choose one"),
    ):
        answer = await me.send(*files, **typed)
        assert answer.status_code == 422, answer.text
        page = Page(answer.text)
        assert f"e-{field}" in page.ids
        assert words in answer.text.partition(f'id="e-{field}"')[2].partition("</p>")[0]
        assert '<details id="attaching" open>' in answer.text
        assert "At most 1.0 MiB" in answer.text
        if typed.get("file_audience") == "customer":
            assert page.form(f"{me.home}/files")["file_audience"] == "customer", "what was chosen is kept"
    far = ("huge.bin", b"x" * (2 * MIB + 1), "application/octet-stream")
    answer = await me.send(far)
    assert (answer.status_code, "Too large" in answer.text) == (413, True)
    assert await small.written() == before
    largest = ("whole.bin", b"x" * MIB, "application/octet-stream")
    assert (await me.send(largest)).status_code == 303


async def test_a_file_without_its_mark_or_its_right_is_refused(desk: Desk) -> None:
    me, viewer = await at_an_incident(desk), await Visitor.of(desk, "viewer")
    before = await desk.written()
    assert (await me.post({"file_audience": "responders", "csrf": "wrong"}, LOG)).status_code == 403
    assert (await me.post({"file_audience": "responders"}, LOG)).status_code == 403
    page = await viewer.see(me.home)
    assert f"{me.home}/files" not in [action for action, _ in page.forms]
    theirs = Uploader(desk, viewer, me.home)
    mark = page.form("/logout")["csrf"]
    for audience in ("internal", "responders", "customer"):
        refused = await theirs.post({"file_audience": audience, "csrf": mark}, LOG)
        assert refused.status_code == 403, audience
    stranger = await desk.http.post(f"{me.home}/files", files=[("file", LOG)])
    assert stranger.status_code == 303
    assert stranger.headers["location"] == "/login"
    assert await desk.written() == before


async def test_what_is_no_form_with_a_file(desk: Desk) -> None:
    me = await Visitor.of(desk)
    key = await desk.api.declare("down")
    path = f"/incidents/{key}/files"
    headers = {"cookie": me.cookie, "accept": "text/html"}
    assert (await desk.http.post(path, content=b"{}", headers=headers)).status_code == 403
    odd = {**headers, "content-type": "application/json"}
    assert (await desk.http.post(path, content=b"{}", headers=odd)).status_code == 415
    for kind, body in (
        ("multipart/form-data", b"--x\r\n\r\n"),
        ("multipart/form-data; boundary=x", b"no parts"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n'),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\n" + b'Content-Disposition: form-data; name="a"\r\n\r\n' + b"y" * 70_000 + b"\r\n--x--",
        ),
    ):
        answer = await desk.http.post(path, content=body, headers={**headers, "content-type": kind})
        assert answer.status_code in {400, 403}, (kind, body[:80], answer.text)
        assert "<h1>" in answer.text
    assert await desk.api("GET", f"/v1/incidents/{key}/attachments") == []
