"""What the gates saw is written down whole, and that of integrations that do well at one go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callout.kit.lanes import Lane
from tests.server.conftest import desk_on_both, postgres_url, sqlite_path
from tests.server.desk import JIRA

if TYPE_CHECKING:
    import pytest

    from callout.integrations import Integration
    from tests.server.desk import Desk

__all__ = ["desk_on_both", "postgres_url", "sqlite_path"]


async def test_integrations_that_do_well_share_a_transaction(
    desk_on_both: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, connections = desk_on_both, desk_on_both.wired.connections
    ones = [await desk.add(JIRA, name=f"jira-{number}") for number in range(4)]
    transactions: list[object] = []
    run = desk.core.database.transaction

    async def counted(unit: Any) -> Any:
        transactions.append(unit)
        return await run(unit)

    monkeypatch.setattr(desk.core.database, "transaction", counted)

    async def called(one: Integration, *statuses: int) -> None:
        about = {"method": "GET", "path": "/", "part": ""}
        for status in statuses:
            gate = connections._gate(one)
            await gate.before(lane=Lane.NORMAL, **about)
            await gate.after(status=status, headers={}, **about)

    async def reported() -> tuple[int, list[tuple[str, int, int]]]:
        transactions.clear()
        await connections.report_health()
        health = {one.integration_id: one for one in await desk.core.database.read(desk.core.health.list_all)}
        return len(transactions), [
            (health[one.id].state, health[one.id].requests, health[one.id].failed) for one in ones
        ]

    for one in ones:
        await called(one, 200, 200)
    assert await reported() == (1 + 4, [("ok", 2, 0)] * 4)  # each one's first state
    for one in ones:
        await called(one, 200, 404, 201)
    assert await reported() == (1, [("ok", 5, 0)] * 4)
    assert await reported() == (0, [("ok", 5, 0)] * 4)
    await called(ones[0], 200)
    await called(ones[1], 200, 401)
    await called(ones[2], 503, 200)
    assert await reported() == (1 + 2, [("ok", 6, 0), ("failed", 7, 1), ("ok", 7, 0), ("ok", 5, 0)])
    await called(ones[1], 200)
    assert await reported() == (1 + 1, [("ok", 6, 0), ("ok", 8, 1), ("ok", 7, 0), ("ok", 5, 0)])
