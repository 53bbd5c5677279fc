"""The turnstile: so many at once, so many a second, the more urgent first, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from callout.kit.clock import ManualClock, SystemClock
from callout.kit.lanes import Lane
from callout.kit.turnstile import PATIENCE, Turnstile


async def enter(turnstile: Turnstile, lane: Lane, order: list[str], name: str) -> None:
    await turnstile.enter(lane)
    order.append(name)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def quick(clock: ManualClock | None = None, concurrent: int = 1) -> Turnstile:
    return Turnstile(clock or SystemClock(), rate=1e6, burst=1000, concurrent=concurrent)


async def test_an_urgent_call_overtakes_those_that_wait() -> None:
    turnstile, order = quick(), list[str]()
    await turnstile.enter(Lane.BACKFILL)
    waiting = [asyncio.create_task(enter(turnstile, Lane.BACKFILL, order, f"b{n}")) for n in range(3)]
    await settle()
    waiting.append(asyncio.create_task(enter(turnstile, Lane.NORMAL, order, "n")))
    waiting.append(asyncio.create_task(enter(turnstile, Lane.URGENT, order, "u")))
    await settle()
    for _ in range(5):
        turnstile.leave()
        await settle()
    await asyncio.gather(*waiting)
    assert order == ["u", "n", "b0", "b1", "b2"]


async def test_backfill_leaves_places_to_more_urgent_calls() -> None:
    turnstile, order = quick(concurrent=4), list[str]()
    waiting = [asyncio.create_task(enter(turnstile, Lane.BACKFILL, order, f"b{n}")) for n in range(4)]
    waiting += [asyncio.create_task(enter(turnstile, Lane.NORMAL, order, f"n{n}")) for n in range(2)]
    waiting += [asyncio.create_task(enter(turnstile, Lane.URGENT, order, "u"))]
    await settle()
    assert order == ["b0", "b1", "n0", "u"]
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_nobody_waits_for_ever_behind_a_stream_of_urgent_calls() -> None:
    clock = ManualClock(datetime(2026, 1, 1, tzinfo=UTC))
    turnstile, order = quick(clock), list[str]()
    await turnstile.enter(Lane.URGENT)
    waiting = [asyncio.create_task(enter(turnstile, Lane.BACKFILL, order, "b"))]
    await settle()
    turns = 0
    while "b" not in order:
        waiting.append(asyncio.create_task(enter(turnstile, Lane.URGENT, order, "u")))
        waiting.append(asyncio.create_task(enter(turnstile, Lane.URGENT, order, "u")))
        await settle()
        clock.advance(timedelta(seconds=1))
        turnstile.leave()
        await settle()
        turns += 1
        assert turns <= 2 * PATIENCE + 2, "it waited as long as others came"
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_rate_holds_and_urgent_calls_get_the_tokens_first() -> None:
    turnstile, order = Turnstile(SystemClock(), rate=50, burst=1, concurrent=100), list[str]()
    started = asyncio.get_running_loop().time()
    waiting = [asyncio.create_task(enter(turnstile, Lane.BACKFILL, order, f"b{n}")) for n in range(4)]
    await settle()
    waiting.append(asyncio.create_task(enter(turnstile, Lane.URGENT, order, "u")))
    await asyncio.gather(*waiting)
    assert order == ["b0", "u", "b1", "b2", "b3"]
    assert asyncio.get_running_loop().time() - started >= 4 / 50 - 0.005


async def test_a_wait_that_is_called_off_takes_no_place() -> None:
    turnstile, order = quick(), list[str]()
    await turnstile.enter(Lane.NORMAL)
    gone = asyncio.create_task(enter(turnstile, Lane.URGENT, order, "gone"))
    await settle()
    gone.cancel()
    late = asyncio.create_task(enter(turnstile, Lane.URGENT, order, "late"))
    await settle()
    turnstile.leave()
    late.cancel()  # in the very moment in which its turn came
    with pytest.raises(asyncio.CancelledError):
        await late
    await asyncio.wait_for(turnstile.enter(Lane.BACKFILL), 1)
    assert order == []
