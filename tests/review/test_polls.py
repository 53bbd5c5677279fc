"""Polling when the other side is away, when very much happened, and when the integration is gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from callout.jobs import RetryLater, Work
from callout.ports.errors import NotFoundError, UnavailableError
from callout.sync import poll
from callout.sync.poll import POLL, POLL_ALL, Polls
from callout.sync.tables import sync_poll
from tests.review.test_sync_visits import Lab

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from callout.ports.provider import PollPosition
    from callout.ports.ticketing import Change
    from callout.storage import Database, Tx


@pytest.fixture
def lab(database: Database) -> Lab:
    return Lab(database)


async def _fence(_tx: Tx) -> bool:
    return True


async def _poll(lab: Lab) -> None:
    job = lab.job(POLL, {"integration_id": "one"})
    settle = await Polls(lab.context).handle(Work([job], lab.database, _fence))
    if settle is not None:
        await lab.database.transaction(settle)


async def _waiting(lab: Lab) -> int:
    count = "SELECT count(*) FROM job WHERE kind = 'sync.poll'"
    rows = await lab.database.read(lambda tx: tx.driver_all(count, count))
    return int(rows[0][0])


async def test_ticks_do_not_pile_up_while_a_poll_waits(lab: Lab) -> None:
    await lab.declare()
    for _ in range(5):
        await lab.database.transaction(lambda tx: Polls(lab.context).spread(tx, [lab.job(POLL_ALL, {})]))
    assert await _waiting(lab) == 1


async def test_more_changes_than_one_poll_takes_are_gone_through(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(poll, "AT_ONCE", 3)
    await lab.declare()
    await lab.visit()
    seen: list[str] = []
    inner = lab.provider.changes_since

    async def watched(position: PollPosition, *, overlap: timedelta) -> AsyncIterator[Change]:
        async for change in inner(position, overlap=overlap):
            seen.append(change.ticket.title)
            yield change

    lab.provider.changes_since = watched
    [record] = lab.provider._store.records.values()
    for number in range(10):
        lab.edit_there(title=f"title {number}")
        lab.provider._happened("updated", record)
    for _ in range(8):
        await _poll(lab)
    assert "title 9" in seen


async def test_a_removed_integration_is_not_polled_for_ever(lab: Lab) -> None:
    await lab.declare()

    async def gone(_account: str, _integration: str) -> Any:
        raise NotFoundError("there is no such integration")

    object.__setattr__(lab.context, "provider", gone)
    await _poll(lab)


async def test_an_unreachable_vendor_is_noted_and_asked_again(lab: Lab) -> None:
    await lab.declare()

    async def away(_account: str, _integration: str) -> Any:
        raise UnavailableError("no answer")

    object.__setattr__(lab.context, "provider", away)
    with pytest.raises(RetryLater):
        await _poll(lab)
    problem = await lab.database.read(lambda tx: tx.scalar(select(sync_poll.c.problem)))
    assert problem["code"] == "UNAVAILABLE"
