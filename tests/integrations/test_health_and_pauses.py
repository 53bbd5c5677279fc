from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from callout.integrations import HealthRecord, HealthState, Pause
from callout.ports.errors import (
    AuthFailedError,
    CalloutError,
    InvalidRequestError,
    NotFoundError,
    UnavailableError,
)

if TYPE_CHECKING:
    from tests.integrations.hub import Hub


async def _failed(hub: Hub, integration_id: str, error: CalloutError) -> HealthState:
    await hub(lambda tx: hub.health.failed(tx.account(hub.red), integration_id, error))
    return (await _health(hub, integration_id)).state


async def _health(hub: Hub, integration_id: str) -> HealthRecord:
    return await hub(lambda tx: hub.health.get(tx.account(hub.red), integration_id))


async def test_health_goes_down_by_failures_and_up_by_one_success(hub: Hub) -> None:
    made = (await hub.create()).integration.id
    assert (await _health(hub, made)).state is HealthState.UNKNOWN
    away = UnavailableError("no answer; sent Bearer canary-0123456789 along")
    assert [await _failed(hub, made, away) for _ in range(3)] == ["degraded", "degraded", "failed"]
    health = await _health(hub, made)
    assert (health.consecutive_failures, health.requests, health.failed) == (3, 3, 3)
    assert (health.error_code, health.next_step) == ("UNAVAILABLE", UnavailableError.default_remediation)
    assert "canary" not in str(health.last_error)
    await hub(lambda tx: hub.health.succeeded(tx.account(hub.red), made, requests=5))
    await hub(lambda tx: hub.health.webhook_received(tx.account(hub.red), made))
    health = await _health(hub, made)
    assert (health.state, health.consecutive_failures, health.requests, health.failed) == ("ok", 0, 8, 3)
    assert health.last_webhook == health.last_success == hub.clock.now()
    assert await _failed(hub, made, AuthFailedError("refused")) == "failed"
    await hub(lambda tx: hub.health.reset(tx.account(hub.red), made))
    assert (await _health(hub, made)).state is HealthState.UNKNOWN


async def _paused(hub: Hub, integration_id: str = "", link_id: str = "", account: str = "") -> Pause | None:
    return await hub(lambda tx: hub.pauses.is_paused(tx.account(account or hub.red), integration_id, link_id))


async def _pause(hub: Hub, *scope: str, **options: Any) -> Pause:
    options = {"reason": "maintenance", **options}
    return await hub(lambda tx: hub.pauses.pause(tx.account(hub.red), *scope, actor=hub.ann, **options))  # type: ignore[arg-type]


async def test_the_widest_pause_that_holds_is_found(hub: Hub) -> None:
    made = (await hub.create()).integration.id
    assert await _paused(hub, made, "l-1") is None
    await _pause(hub, "link", "l-1")
    found = await _paused(hub, made, "l-1")
    assert found is not None
    assert (found.scope, found.reason, found.by) == ("link", "maintenance", "Ann")
    assert await _paused(hub, made, "l-2") is None
    await _pause(hub, "integration", made)
    assert (await _paused(hub, made, "l-2")) is not None
    assert (await _paused(hub, "other", "l-2")) is None
    await _pause(hub, "everything")
    found = await _paused(hub, "other", "l-2")
    assert found is not None
    assert found.scope == "everything"
    assert await _paused(hub, made, "l-1", account=hub.blue) is None
    await hub(lambda tx: hub.pauses.pause(tx, "everything", reason="all", actor=hub.ann))
    found = await _paused(hub, "x", "y", account=hub.blue)
    assert found is not None
    assert (found.account_id, found.reason) == ("*", "all")


async def test_a_pause_ends_by_itself_or_by_hand(hub: Hub) -> None:
    until = hub.clock.now() + timedelta(minutes=5)
    await _pause(hub, "link", "l-1", until=until)
    hub.clock.advance(timedelta(minutes=5))
    assert await _paused(hub, "", "l-1") is None
    assert not await hub(lambda tx: hub.pauses.list(tx.account(hub.red)))
    assert await hub(hub.pauses.purge) == 1
    await _pause(hub, "link", "l-1")
    await _pause(hub, "link", "l-1", reason="again")
    (only,) = await hub(lambda tx: hub.pauses.list(tx.account(hub.red)))
    assert only.reason == "again"
    await hub(lambda tx: hub.pauses.resume(tx.account(hub.red), "link", "l-1", actor=hub.ann))
    assert await _paused(hub, "", "l-1") is None
    with pytest.raises(NotFoundError):
        await hub(lambda tx: hub.pauses.resume(tx.account(hub.red), "link", "l-1", actor=hub.ann))
    entries = await hub(lambda tx: hub.audit.entries(tx, subject_type="pause"))
    assert [e.action for e in entries] == [
        "writes.paused",
        "writes.paused",
        "writes.paused",
        "writes.resumed",
    ]


async def test_a_senseless_pause_is_refused(hub: Hub) -> None:
    for scope, options in (
        (("everything", "x"), {}),
        (("link",), {}),
        (("link", "l"), {"reason": " "}),
        (("link", "l"), {"until": hub.clock.now()}),
    ):
        with pytest.raises(InvalidRequestError):
            await _pause(hub, *scope, **options)
    with pytest.raises(NotFoundError):
        await _pause(hub, "integration", "nobody")
    with pytest.raises(InvalidRequestError):
        await hub(lambda tx: hub.pauses.pause(tx, "link", "l", reason="x", actor=hub.ann))
