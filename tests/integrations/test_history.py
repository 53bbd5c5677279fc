"""What is told of an integration's past is what happened, and no longer than it is kept."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from callout.integrations import Fared, History
from callout.integrations.history import KEPT
from callout.ports.errors import UnavailableError
from tests.integrations.hub import TRACKER

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


async def test_calls_of_many_integrations_are_noted_at_once_where_no_state_changes(hub: Hub) -> None:
    well, new, bad = [(await hub.create()).integration.id for _ in range(3)]
    made = hub.integrations.create
    other = await hub(lambda tx: made(tx.account(hub.blue), provider_config=TRACKER, actor=hub.ann))
    blue = other.integration.id
    await hub(lambda tx: hub.health.succeeded(tx.account(hub.red), well, requests=2))
    await hub(lambda tx: hub.health.succeeded(tx.account(hub.blue), blue, requests=1))
    await hub(lambda tx: hub.health.failed(tx.account(hub.red), bad, UnavailableError("away")))
    began = hub.clock.now()
    hub.clock.advance(timedelta(hours=1))
    places = ((hub.red, well, 5), (hub.red, new, 7), (hub.red, bad, 11), (hub.blue, blue, 13))
    fared = [Fared(*place) for place in (*places, (hub.red, "gone", 1), (hub.blue, well, 100))]
    # One that is new or did not fare well gets its change of state by itself; another account's row is nobody's to count.
    assert await hub(lambda tx: hub.health.still_well(tx, fared)) == {well, blue}
    assert await hub(lambda tx: hub.health.still_well(tx, fared[:1])) == {well}
    assert await hub(lambda tx: hub.health.still_well(tx, [])) == frozenset()

    health = {one.integration_id: one for one in await hub(hub.health.list_all)}
    assert {one: row.requests for one, row in health.items()} == {well: 12, bad: 1, blue: 14}
    assert health[well].last_success == health[well].updated_at == hub.clock.now()
    assert health[bad].state == "degraded"
    for one, counted in ((well, [2, 5 + 5]), (blue, [1, 13]), (bad, [0]), (new, [])):
        assert [hour.succeeded for hour in await _usage(hub, integration_id=one)] == counted
    assert [hour.hour for hour in await _usage(hub, integration_id=well)] == [
        began,
        began + timedelta(hours=1),
    ]
    assert [(e.state, e.requests) for e in await _events(hub, well)] == [("ok", 2)]
