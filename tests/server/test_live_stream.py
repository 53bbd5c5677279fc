"""The live stream, over HTTP: hints in order, nothing missed between a page and its stream, over as soon as the reader has no right."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from callout.server.dashboard import live
from callout.server.listen import serve_http
from tests.server.desk import OPERATOR, feed_numbered
from tests.stories.installation import reserved_port

if TYPE_CHECKING:
    from tests.server.desk import Desk

SOON = 60.0


@pytest.fixture
async def address(desk_on_both: Desk) -> AsyncIterator[str]:
    """The application on a port, with events numbered as a worker does it."""
    desk = desk_on_both
    stopping = asyncio.Event()

    with reserved_port() as port:
        serving = asyncio.create_task(serve_http(desk.web, "127.0.0.1", port, stopping))
        async with feed_numbered(desk):
            yield f"http://127.0.0.1:{port}"
        stopping.set()
        await serving


class Stream:
    """What one browser is told."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> tuple[str, str, Any]:
        """Return the next event: its id, its name, its data."""
        found = {"id": "", "event": "", "data": ""}
        async with asyncio.timeout(SOON):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                if name in found:
                    found[name] = value
                if not line and found["event"]:
                    return found["id"], found["event"], json.loads(found["data"])
        raise EOFError

    async def until(self, subject: str) -> str:
        """Return the id of the event that names `subject`."""
        while True:
            place, kind, data = await self.next()
            if kind == "changed" and subject in data["subjects"]:
                return place


@contextlib.asynccontextmanager
async def listening(
    desk: Desk, address: str, token: str, *, after: str = "", **headers: str
) -> AsyncIterator[Stream]:
    cookie = await desk.cookie(token)
    async with (
        httpx.AsyncClient(timeout=SOON) as http,
        http.stream(
            "GET",
            f"{address}/live",
            params={"after": after} if after else {},
            headers={"cookie": cookie, **headers},
        ) as answer,
    ):
        yield Stream(answer)


async def test_a_change_is_hinted_and_nothing_between_two_streams_is_missed(
    desk_on_both: Desk, address: str
) -> None:
    desk = desk_on_both
    first, second = [
        (await desk.api.incident(await desk.api.declare(title)))["id"] for title in ("one", "two")
    ]
    async with listening(desk, address, desk.api.token, after="0") as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert (await stream.next())[1] == "hello"
        place = await stream.until(second)
        key = (await desk.api.incident(first))["key"]
        await desk.api.note(key, "a note that only some may read", audience="internal")
        place, kind, data = await stream.next()
        assert (kind, data) == ("changed", {"subjects": [first]}), (
            "a hint says which record, and nothing of what"
        )
    await desk.api.act(key, "acknowledge")
    await desk.api.act((await desk.api.incident(second))["key"], "acknowledge")
    async with listening(desk, address, desk.api.token, **{"Last-Event-ID": place}) as again:
        assert (await again.next())[0] == place
        told: set[str] = set()
        while not told >= {first, second}:
            told |= set((await again.next())[2]["subjects"])


async def test_a_page_says_after_what_its_stream_is_to_begin(desk_on_both: Desk, address: str) -> None:
    desk = desk_on_both
    key = await desk.api.declare("down")
    one = await desk.api.incident(key)
    async with listening(desk, address, desk.api.token, after="0") as stream:
        await stream.until(one["id"])  # it has its number
    cookie = await desk.cookie(desk.api.token)
    page = await desk.http.get(f"/incidents/{key}", headers={"cookie": cookie})
    [after] = re.findall(r'<body[^>]* data-after="(\d+)"', page.text)
    line = (await desk.api.timeline(key))[0]
    fixed = {"text": "it was slow"}
    # A line that changes no field and calls nobody: and yet it is to be seen.
    await desk.api("POST", f"/v1/incidents/{key}/timeline/{line['id']}/corrections", fixed)
    async with listening(desk, address, desk.api.token, after=after) as stream:
        await stream.until(one["id"])


async def test_two_streams_from_different_places_are_both_told_all(desk_on_both: Desk, address: str) -> None:
    desk = desk_on_both
    ids = [(await desk.api.incident(await desk.api.declare(f"number {n}")))["id"] for n in range(4)]
    async with listening(desk, address, desk.api.token, after="0") as old:
        await old.until(ids[-1])
        async with listening(desk, address, desk.api.token, after="1") as fresh:
            seen: set[str] = set()
            while not seen >= set(ids[1:]):
                place, kind, data = await fresh.next()
                assert kind in {"hello", "changed"}, place
                seen |= set(data.get("subjects", ()))


async def test_a_stream_ends_with_the_right_to_read_it(desk_on_both: Desk, address: str) -> None:
    desk = desk_on_both
    token = await desk.token("viewer")
    async with listening(desk, address, desk.holder(token).token) as stream:
        assert (await stream.next())[1] == "hello"
        revoke = desk.core.tokens.revoke
        await desk.core.database.transaction(lambda tx: revoke(tx, token.id, actor=OPERATOR))
        assert (await stream.next())[1] == "over"
        with pytest.raises(EOFError):
            await stream.next()
    async with listening(desk, address, desk.holder(token).token) as refused:
        assert refused.answer.status_code == 303


async def test_another_account_is_told_nothing(desk_on_both: Desk, address: str) -> None:
    desk = desk_on_both
    await desk.add_account("other")
    reader = await desk.client("viewer", resources={"accounts": {"ids": ["other"]}})
    async with listening(desk, address, reader.token, after="0") as stream:
        assert (await stream.next())[1] == "hello"
        mine = await desk.api.request("POST", f"/v1/incidents?account={desk.account}", json={"title": "ours"})
        assert mine.status_code == 201
        theirs = await reader.request("GET", "/v1/incidents")
        assert theirs.json()["result"] == []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await stream.next()


@pytest.mark.parametrize("last", ["-1", "9" * 30, "x", "٣"])
async def test_a_place_that_is_none_begins_now(desk_on_both: Desk, address: str, last: str) -> None:
    desk = desk_on_both
    async with listening(desk, address, desk.api.token, after=last) as stream:
        assert (await stream.next())[1] == "hello"


async def test_too_many_streams_are_turned_away_and_told_when_to_come_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_STREAMS", 0)
    refused = await desk.http.get("/live", headers={"cookie": await desk.cookie(desk.api.token)})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "10")
