"""The page read ahead is only ever the page that is asked for; whoever does not find it reads it himself."""

from __future__ import annotations

import asyncio

import pytest

from callout.ports.errors import UnavailableError
from callout.sync import read_ahead
from callout.sync.read_ahead import Page, ReadAhead

PART = ("b-1", 0)


async def page(cursor: str) -> Page:
    await asyncio.sleep(0)
    return (), f"after {cursor}"


async def refused() -> Page:
    await asyncio.sleep(0)
    raise UnavailableError("down")


async def never(gone: asyncio.Event) -> Page:
    try:
        await asyncio.Event().wait()
    finally:
        gone.set()
    raise AssertionError


async def test_what_was_begun_is_taken_once() -> None:
    ahead = ReadAhead()
    ahead.begin(PART, "c", page("c"))
    assert await ahead.take(("b-1", 1), "c") is None
    assert await ahead.take(PART, "c") == ((), "after c")
    assert await ahead.take(PART, "c") is None


async def test_another_cursor_and_a_second_begin_end_the_first() -> None:
    ahead, gone, gone_too = ReadAhead(), asyncio.Event(), asyncio.Event()
    ahead.begin(PART, "c", never(gone))
    await asyncio.sleep(0)
    ahead.begin(PART, "d", never(gone_too))
    await asyncio.wait_for(gone.wait(), 5)
    assert await ahead.take(PART, "e") is None
    await asyncio.wait_for(gone_too.wait(), 5)


async def test_what_went_wrong_is_told_to_whoever_comes_and_then_forgotten() -> None:
    ahead = ReadAhead()
    ahead.begin(PART, "c", refused())
    with pytest.raises(UnavailableError):
        await ahead.take(PART, "c")
    assert await ahead.take(PART, "c") is None


async def test_nobody_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_ahead, "KEPT_SECONDS", 0.0)
    ahead, gone = ReadAhead(), asyncio.Event()
    ahead.begin(PART, "c", never(gone))
    await asyncio.wait_for(gone.wait(), 5)
    assert await ahead.take(PART, "c") is None
