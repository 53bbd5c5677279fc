"""Commands that only tell: nothing is written for them, and asked again they tell what is true by then. On both databases."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from callout.chatops import grammar
from callout.chatops.handlers import HANDLERS
from callout.storage import Tx
from callout.storage.schema import metadata
from tests.chatops.lab import ChatLab

TYPED = (
    "status",
    "status INC-1",
    "list",
    "list --all --mine",
    "who INC-1",
    "timeline INC-1",
    "changes",
    "changes INC-1",
    "tasks INC-1",
    "sync INC-1",
    "why INC-1 status",
    "help",
    "help ack",
    "delcare x",
    "status INC-99",
)


async def everything(lab: ChatLab) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables that there are."""

    async def unit(tx: Tx) -> dict[str, list[tuple[Any, ...]]]:
        there = await tx.driver_all(
            "SELECT name FROM sqlite_master WHERE type = 'table'",
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
        )
        names = {row[0] for row in there}
        return {
            table.name: sorted((tuple(row.values()) for row in await tx.all(select(table))), key=repr)
            for table in metadata.sorted_tables
            if table.name in names
        }

    return await lab.database.read(unit)


def test_every_command_that_only_tells_is_tried_here() -> None:
    tried = {type(grammar.parse(typed).command) for typed in TYPED}
    assert tried == {kind for kind, handler in HANDLERS.items() if handler.only_tells}


@pytest.mark.parametrize("typed", TYPED)
async def test_what_only_tells_writes_nothing(lab: ChatLab, typed: str) -> None:
    await lab.type("declare sev1 db is down")
    before = await everything(lab)
    assert before["incident"]
    answer = await lab.type(typed)
    assert answer.text or answer.card is not None
    assert await everything(lab) == before


async def test_asked_again_it_tells_what_is_true_by_then(lab: ChatLab) -> None:
    await lab.type("declare db is down")
    first = await lab.type("status INC-1", invocation="13.37.abc")
    await lab.type("resolve INC-1")
    again = await lab.type("status INC-1", invocation="13.37.abc")
    assert first.card is not None
    assert again.card is not None
    assert first.card.buttons != again.card.buttons


async def test_somebody_new_who_only_asks_is_remembered(lab: ChatLab) -> None:
    assert (await lab.type("list")).text
    assert [row[2] for row in (await everything(lab))["chat_identities"]] == ["U0ANN"]
    assert await lab.waiting(), "they are looked up in the platform's directory"
