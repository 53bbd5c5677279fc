"""Rows read on the driver are those that a built statement gives, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from callout.bootstrap.tables import METADATA
from callout.storage import migrate, open_database
from callout.storage.bulk import insert_rows
from callout.storage.reading import Reading

if TYPE_CHECKING:
    from callout.storage import Tx

LINKS = METADATA.tables["sync_link"]
INTEGRATIONS = METADATA.tables["integrations"]
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
"""No time that a number of seconds would hold."""


def _integration(account: str, name: str, *, enabled: bool) -> dict[str, object]:
    texts = {
        one.name: f"{one.name} of {account}/{name}"
        for one in INTEGRATIONS.c
        if not one.nullable and str(one.type) == "TEXT"
    }
    return {
        **texts,
        "account_id": account,
        "name": name,
        "category": "chat",
        "enabled": enabled,
        "provider_config": {"é": [1, None, {"deep": True}]},
        "settings": {},
        "mappings": None,
        "created_at": AT,
        "updated_at": AT,
    }


async def test_rows_are_those_of_a_built_statement_and_of_one_account(database_url: str) -> None:
    await migrate.upgrade(database_url)
    database = await open_database(database_url)
    read = Reading(INTEGRATIONS, "category", "enabled", order="name")
    names = Reading(INTEGRATIONS, "name")

    async def unit(tx: Tx) -> None:
        rows = [
            _integration("a", "second", enabled=True),
            _integration("a", "first", enabled=True),
            _integration("a", "off", enabled=False),
            _integration("b", "first", enabled=True),
        ]
        await insert_rows(tx, INTEGRATIONS, rows)
        one = tx.account("a")
        found = await read.of_account(one, "chat", True)  # noqa: FBT003  # a value, as any other
        assert [row["name"] for row in found] == ["first", "second"]
        built = one.select(INTEGRATIONS).where(
            INTEGRATIONS.c.category == "chat", INTEGRATIONS.c.enabled.is_(True)
        )
        assert found == [dict(row) for row in await one.all(built.order_by(INTEGRATIONS.c.name))]
        assert [type(value) for value in found[0].values()] == [
            type(value) for value in dict((await one.all(built.order_by(INTEGRATIONS.c.name)))[0]).values()
        ]
        assert await read.of_account(one, "chat", False, lock=True) != []  # noqa: FBT003
        assert await read.of_account(one, "ticketing", True) == []  # noqa: FBT003
        assert await read.of_account(tx.account("c"), "chat", True) == []  # noqa: FBT003
        [named] = await names.of_account(tx.account("b"), "first")
        assert (named["id"], named["created_at"]) == ("id of b/first", AT)

    try:
        await database.transaction(unit)
    finally:
        await database.close()


@pytest.mark.parametrize("by", [(), ("id",), ("incident_id",)])
def test_no_query_forgets_the_account(by: tuple[str, ...]) -> None:
    assert "account_id = $1" in Reading(LINKS, *by)._postgresql
