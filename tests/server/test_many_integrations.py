"""Thousands of integrations: what every start and every poll does for all of them opens none of their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.bootstrap import connections as connections_module
from callout.bootstrap.standing import IntegrationStanding
from callout.bootstrap.wiring import define_budgets
from tests.server.desk import JIRA

if TYPE_CHECKING:
    import pytest

    from callout.storage import Tx
    from tests.server.desk import Desk

KEY = "jira-hook-secret"


async def test_starting_and_polling_decrypt_no_integration(desk_on_both: Desk) -> None:
    desk = desk_on_both
    one, other = await desk.add(JIRA, key=KEY), await desk.add(JIRA, key=KEY, name="other")
    spoilt = "UPDATE integrations SET hook_token_sealed = 'nobody can open this'"
    await desk.core.database.transaction(lambda tx: tx.driver_all(spoilt, spoilt))
    known = {other.id}
    await define_budgets(desk.core, known)
    assert known == {one.id, other.id}

    async def keys(tx: Tx) -> set[str]:
        text = "SELECT key FROM job_budget"
        return {row[0] for row in await tx.driver_all(text, text)}

    assert one.id in await desk.core.database.read(keys)
    standing = IntegrationStanding(desk.core)
    assert await desk.core.database.read(standing.accepting) == []
    assert await desk.core.database.read(standing.listened) == {}


async def test_connectors_are_kept_within_bounds(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "KEPT_PROVIDERS", 2)
    ids = [(await desk.add(JIRA, key=KEY, name=f"n{number}")).id for number in range(3)]
    kept = desk.wired.connections
    first, second, _ = [await kept.provider(desk.account, one) for one in ids]
    assert await kept.provider(desk.account, ids[1]) is second
    assert await kept.provider(desk.account, ids[0]) is not first, "the one used longest ago is built anew"
    assert len(kept._providers) == 2
