"""What is told of an integration's past is what happened, and no longer than it is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from callout.integrations import History
from callout.integrations.history import KEPT
from callout.ports.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callout.integrations import StatusEvent, Usage
    from tests.integrations.hub import Hub


async def _events(hub: Hub, one: str, account: str = "") -> Sequence[StatusEvent]:
    return await hub(lambda tx: History(hub.clock).events(tx.account(account or hub.red), one))


async def _usage(hub: Hub, **which: object) -> Sequence[Usage]:
    since = hub.clock.now() - timedelta(days=365)
    return await hub(lambda tx: History(hub.clock).usage(tx, since=since, **which))  # type: ignore[arg-type]


async def test_calls_are_counted_by_the_hour_and_changes_of_state_are_kept(hub: Hub) -> None:
    one = (await hub.create()).integration.id
    for _ in range(3):
        await hub(lambda tx: hub.health.succeeded(tx.account(hub.red), one, requests=2))
    hub.clock.advance(timedelta(hours=2))
    for _ in range(2):
        await hub(
            lambda tx: hub.health.failed(tx.account(hub.red), one, UnavailableError("away"), requests=3)
        )
    assert [(hour.succeeded, hour.failed) for hour in await _usage(hub, integration_id=one)] == [
        (6, 0),
        (4, 2),
    ]
    assert await _usage(hub, among=frozenset({hub.blue})) == []
    assert await _usage(hub, integration_id="another") == []
    # The second failure changed neither the state nor its reason.
    assert [(e.state, e.requests, e.error) for e in await _events(hub, one)] == [
        ("ok", 2, None),
        ("degraded", 9, "away"),
    ]
    assert await _events(hub, one, hub.blue) == []

    hub.clock.advance(KEPT - timedelta(hours=1))
    await hub(History(hub.clock).purge)
    assert [e.state for e in await _events(hub, one)] == ["degraded"]
    assert [hour.failed for hour in await _usage(hub)] == [2]
    await hub(lambda tx: hub.integrations.delete(tx.account(hub.red), one, actor=hub.ann))
    assert (await _events(hub, one), await _usage(hub)) == ([], [])
