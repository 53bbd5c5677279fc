"""Caches and loops of the composition root, and what one odd webhook may do to the others."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from callout.bootstrap.connections import Connections
from callout.ports.inbound import Trust
from callout.ports.ticketing import Change, ChangeKind
from callout.sync.changes import _parse
from callout.webhooks import InboundEvent, mark_events

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callout.storage import AccountTx, Database


class _Database:
    """Runs units at once; `during` happens in the middle of each."""

    def __init__(self) -> None:
        self.during: Callable[[], object] = lambda: None

    async def read(self, unit: Callable[[Any], Awaitable[Any]]) -> Any:
        result = await unit(SimpleNamespace(account=lambda _account: None))
        self.during()
        return result

    transaction = read


def _connections(database: _Database) -> Connections:
    settings = SimpleNamespace(allow_networks=(), require_https=True, address="")
    core: Any = SimpleNamespace(settings=settings, database=database, health=None)
    return Connections(core)


async def test_what_was_read_before_a_change_is_not_remembered_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    database = _Database()
    connections = _connections(database)
    connections_: Any = connections
    states = iter(["old", "new", "newer"])

    async def open_door(_tx: Any, _integration: str) -> str:
        return next(states)

    monkeypatch.setattr(connections, "_open_door", open_door)
    database.during = connections.forget
    assert await connections_.door("one") == "old"
    database.during = lambda: None
    assert await connections_.door("one") == "new"
    assert await connections_.door("one") == "new"
    await connections.close()


async def test_a_new_integration_does_not_break_a_report_of_health() -> None:
    database = _Database()
    connections = _connections(database)

    written: list[int] = []

    async def report(*_given: object) -> Any:
        return lambda: written.append(1)

    def gate() -> Any:
        return SimpleNamespace(has_news=True, successes=0, report=report)

    gates: dict[Any, Any] = connections._gates
    gates["a", "1"] = gate()
    database.during = lambda: gates.setdefault(("a", "2"), gate())
    await connections.report_health()
    assert written
    await connections.close()


@pytest.mark.parametrize("fault", [IndexError, KeyError, TypeError, RecursionError, "nul"])
def test_one_odd_webhook_is_unreadable_and_takes_no_other_along(fault: Any) -> None:
    def parse(_request: object) -> list[Change]:
        if fault == "nul":
            return [Change(ChangeKind.UPDATED, "1\x002")]
        raise fault

    event = InboundEvent("e", "one", datetime.now(UTC), Trust.SIGNED, {}, b"{}")
    assert _parse(SimpleNamespace(parse=parse), event).outcome == "unreadable"


async def test_an_outcome_may_quote_a_nul(database: Database) -> None:
    async def unit(tx: AccountTx) -> None:
        await mark_events(tx, [("nobody", "ignored", "an\x00event")])

    await database.transaction(lambda tx: unit(tx.account("default")))
