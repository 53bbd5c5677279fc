from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import insert, text

from callout.audit import Audit, AuditTamperedError, Head, Sealer, audit_log
from callout.kit.secrets import KeyRing
from callout.ports.values import Actor

if TYPE_CHECKING:
    from callout.audit import Verification
    from callout.kit.clock import ManualClock
    from callout.storage import Database, Tx

DISARM = {
    "sqlite": (
        "DROP TRIGGER audit_log_no_update",
        "DROP TRIGGER audit_log_no_delete",
        "DROP TRIGGER audit_heads_no_delete",
    ),
    "postgresql": ("DROP FUNCTION audit_append_only() CASCADE",),
}


class Chain:
    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        self.audit = Audit(clock)
        self.keys = KeyRing.generate()
        self.sealer = Sealer(self.keys, clock)

    async def write(self, count: int) -> None:
        async def work(tx: Tx) -> None:
            for n in range(count):
                await self.audit.record(
                    tx,
                    action="thing.done",
                    actor=Actor.system(),
                    subject_type="thing",
                    subject_id=str(n),
                    data={"n": n, "x": 0.1},
                )

        await self.database.transaction(work)

    async def seal(self) -> int:
        return await self.database.transaction(self.sealer.seal)

    async def verify(self, expected: Head | None = None) -> Verification:
        return await self.database.read(lambda tx: self.sealer.verify(tx, expected=expected))

    async def tamper(self, *statements: str) -> None:
        """As somebody with full rights on the database: the triggers go first."""

        async def work(tx: Tx) -> None:
            for statement in (*DISARM[tx.dialect], *statements):
                await tx.execute(text(statement))

        await self.database.transaction(work)


@pytest.fixture
def chain(database: Database, clock: ManualClock) -> Chain:
    return Chain(database, clock)


async def test_an_untouched_chain_verifies(chain: Chain) -> None:
    await chain.write(3)
    assert (await chain.verify()).unsealed == 3
    assert await chain.seal() == 3
    await chain.write(2)
    assert await chain.seal() == 2
    assert await chain.seal() == 0
    result = await chain.verify()
    assert (result.ok, result.rows, result.unsealed) == (True, 5, 0)


async def test_an_empty_audit_verifies(chain: Chain) -> None:
    assert await chain.seal() == 0
    assert (await chain.verify()).ok


@pytest.mark.parametrize(
    "column", ["actor_id = 'eve'", "data = '{}'", "created_at = created_at + 1", "account_id = 'b'"]
)
async def test_an_altered_row_is_named(chain: Chain, column: str) -> None:
    await chain.write(5)
    await chain.seal()
    await chain.tamper(f"UPDATE audit_log SET {column} WHERE position = 3")  # noqa: S608
    (problem,) = (await chain.verify()).problems
    assert "position 3" in problem
    assert "altered" in problem


async def test_a_removed_row_is_named(chain: Chain) -> None:
    await chain.write(5)
    await chain.seal()
    await chain.tamper("DELETE FROM audit_log WHERE position = 2")
    assert (await chain.verify()).problems == ("row at position 2 was removed",)


async def test_a_cut_tail_is_noticed(chain: Chain) -> None:
    await chain.write(5)
    await chain.seal()
    await chain.tamper("DELETE FROM audit_log WHERE position > 3")
    (problem,) = (await chain.verify()).problems
    assert problem == "the end was cut off: rows at positions 4 to 5 were removed"
    # Later rows do not heal it.
    await chain.write(1)
    await chain.seal()
    assert (await chain.verify()).problems == ("rows at positions 4 to 5 were removed",)


async def test_a_cut_tail_with_the_head_edited_to_fit_is_noticed_and_not_sealed_over(chain: Chain) -> None:
    await chain.write(5)
    await chain.seal()
    await chain.tamper(
        "DELETE FROM audit_log WHERE position > 3",
        "UPDATE audit_heads SET count = 3, digest = (SELECT digest FROM audit_log WHERE position = 3)",
    )
    assert "the head was not signed by this installation's keys" in (await chain.verify()).problems
    await chain.write(1)
    with pytest.raises(AuditTamperedError):
        await chain.seal()


async def test_everything_removed_with_the_head_shows_against_an_exported_head(chain: Chain) -> None:
    await chain.write(5)
    await chain.seal()
    head = await chain.database.read(chain.sealer.head)
    assert head is not None
    exported = Head.from_json(head.to_json())
    assert exported == head
    assert (await chain.verify(exported)).ok
    await chain.write(1)
    await chain.seal()
    assert (await chain.verify(exported)).ok
    await chain.tamper("DELETE FROM audit_log", "DELETE FROM audit_heads")
    assert (await chain.verify()).ok
    (problem,) = (await chain.verify(exported)).problems
    assert "wound back: 0 rows, but 5" in problem
    assert not (await chain.verify(replace(exported, count=0))).ok


async def test_a_removed_head_is_noticed(chain: Chain) -> None:
    await chain.write(2)
    await chain.seal()
    await chain.tamper("DELETE FROM audit_heads")
    assert (await chain.verify()).problems == ("sealed rows exist, but their signed head was removed",)
    await chain.write(1)
    with pytest.raises(AuditTamperedError):
        await chain.seal()


async def test_a_row_pushed_in_behind_the_head_is_noticed(chain: Chain) -> None:
    await chain.write(2)
    await chain.seal()
    await chain.write(1)
    await chain.tamper("UPDATE audit_log SET position = 3, digest = 'x' WHERE position IS NULL")
    assert (await chain.verify()).problems == ("1 rows claim positions behind the signed head",)


async def test_a_row_with_a_lower_id_that_commits_late_is_chained_later(chain: Chain) -> None:
    await chain.write(1)

    async def insert_at(tx: Tx) -> None:
        row = dict((await tx.all(text("SELECT * FROM audit_log WHERE id = 1")))[0])
        await tx.execute(insert(audit_log).values(**_typed(row), id=50))

    def _typed(row: dict[str, object]) -> dict[str, object]:
        keep = {k: v for k, v in row.items() if k not in {"id", "data", "origin", "created_at"}}
        return {**keep, "data": {}, "created_at": chain.clock.now()}

    await chain.database.transaction(insert_at)
    assert await chain.seal() == 2
    await chain.tamper()

    async def late(tx: Tx) -> None:
        await tx.execute(
            insert(audit_log).values(
                id=20,
                organization_id="organization",
                created_at=chain.clock.now(),
                audit_type="API",
                action="a",
                actor_kind="system",
                actor_id="",
                actor_name="",
                channel="system",
                subject_type="",
                subject_id="",
                data={},
            )
        )

    await chain.database.transaction(late)
    assert await chain.seal() == 1
    assert (await chain.verify()).ok
    entries = await chain.database.read(chain.audit.entries)
    assert [(e.id, e.position) for e in entries] == [(1, 1), (20, 3), (50, 2)]


async def test_writers_and_sealers_at_once_make_one_unbroken_chain(chain: Chain) -> None:
    await chain.write(1)
    writes = [chain.write(3) for _ in range(20)]
    seals = [chain.seal() for _ in range(10)]
    await asyncio.gather(*writes, *seals)
    await chain.seal()
    result = await chain.verify()
    assert (result.problems, result.rows, result.unsealed) == ((), 61, 0)


async def test_ten_thousand_rows_verify_fast(chain: Chain) -> None:
    await chain.write(1)

    async def many(tx: Tx) -> None:
        (row,) = await tx.all(text("SELECT * FROM audit_log"))
        columns = [k for k in row if k not in {"id", "subject_id"}]
        names = ", ".join(columns)
        await tx.execute(
            text(
                f"WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) "  # noqa: S608
                f"INSERT INTO audit_log (subject_id, {names}) "
                f"SELECT CAST(n.i AS TEXT), {', '.join('l.' + c for c in columns)} FROM n, audit_log l",
            ),
        )

    await chain.database.transaction(many)
    while await chain.seal():
        pass
    start = time.process_time()
    result = await chain.verify()
    took = time.process_time() - start
    assert (result.ok, result.rows) == (True, 10_000)
    assert took < 3


async def test_rows_past_their_retention_go_from_the_beginning_and_the_rest_verifies(chain: Chain) -> None:
    await chain.write(4)
    await chain.seal()
    chain.clock.advance(timedelta(days=400))
    await chain.write(2)
    await chain.seal()
    before = chain.clock.now() - timedelta(days=365)
    exported = await chain.database.read(chain.sealer.head)
    assert await chain.database.transaction(lambda tx: chain.sealer.purge(tx, before=before, limit=3)) == 3
    assert await chain.database.transaction(lambda tx: chain.sealer.purge(tx, before=before)) == 1
    assert await chain.database.transaction(lambda tx: chain.sealer.purge(tx, before=before)) == 0
    result = await chain.verify(exported)
    assert (result.problems, result.rows) == ((), 2)
    await chain.tamper("DELETE FROM audit_log WHERE position = 5")
    assert not (await chain.verify()).ok


async def test_a_head_survives_a_change_of_keys(chain: Chain) -> None:
    await chain.write(1)
    await chain.seal()
    rotated = chain.keys.with_new_primary()
    sealer = Sealer(rotated, chain.clock)
    assert await chain.database.transaction(sealer.resign)
    head = await chain.database.read(sealer.head)
    assert head is not None
    assert not rotated.needs_rewrap(head.signature)
    assert (await chain.database.read(sealer.verify)).ok
    assert not (await chain.database.read(Sealer(KeyRing.generate(), chain.clock).verify)).ok
