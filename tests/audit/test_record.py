from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, text, update

from callout.audit import Audit, RequestFacts, audit_log
from callout.kit.secrets import MASK, Secret
from callout.ports.values import Actor, ActorKind, Channel, Origin

if TYPE_CHECKING:
    from callout.kit.clock import ManualClock
    from callout.storage import Database, Tx

ANN = Actor(ActorKind.MEMBER, "m-1", "Ann")


async def _one(audit: Audit, tx: Tx, **data: object) -> None:
    await audit.record(
        tx.account("a-1"),
        action="incident.declared",
        actor=ANN,
        subject_type="incident",
        subject_id="i-1",
        origin=Origin(Channel.CHAT, ANN, integration_id="int-1"),
        data=data,
    )


async def test_an_entry_is_read_back_with_who_what_when_and_how(
    database: Database, clock: ManualClock
) -> None:
    audit = Audit(clock)

    async def work(tx: Tx) -> None:
        await _one(audit, tx, severity="SEV-1", size=3)

    await database.transaction(work)
    (entry,) = await database.read(lambda tx: audit.entries(tx.account("a-1")))
    assert (entry.action, entry.actor, entry.channel) == ("incident.declared", ANN, "chat")
    assert (entry.subject_type, entry.subject_id, entry.account_id) == ("incident", "i-1", "a-1")
    assert (entry.integration_id, entry.member_id, entry.created_at) == ("int-1", "m-1", clock.now())
    assert entry.data == {"severity": "SEV-1", "size": 3}
    assert entry.position is None


async def test_an_account_sees_its_own_entries_only(database: Database, clock: ManualClock) -> None:
    audit = Audit(clock)

    async def work(tx: Tx) -> None:
        await _one(audit, tx)
        await audit.record(tx, action="member.created", actor=ANN, subject_type="member", subject_id="m-2")

    await database.transaction(work)
    assert len(await database.read(audit.entries)) == 2
    assert len(await database.read(lambda tx: audit.entries(tx.account("a-1")))) == 1
    assert not await database.read(lambda tx: audit.entries(tx.account("a-2")))


async def test_an_effect_that_is_rolled_back_leaves_no_entry(database: Database, clock: ManualClock) -> None:
    audit = Audit(clock)

    async def work(tx: Tx) -> None:
        await _one(audit, tx)
        raise LookupError("the effect failed")

    with pytest.raises(LookupError):
        await database.transaction(work)
    assert not await database.read(audit.entries)


async def test_secrets_are_masked_by_type_name_and_look(database: Database, clock: ManualClock) -> None:
    audit = Audit(clock)
    canary = "canary-5fd1b0c2"

    async def work(tx: Tx) -> None:
        await audit.record(
            tx,
            action="integration.created",
            actor=ANN,
            subject_type="integration",
            subject_id="x",
            data={
                "typed": Secret(canary),
                "config": {"client_secret": canary, "api_key": canary, "list": [{"password": canary}]},
                "text": f"header was Bearer {canary}, of co_int_{canary}{canary}",
                "token_ttl": "24h",
                "credential_id": "c-1",
                "nul": "a\x00b",
                "lone": "\ud800",
            },
            request=RequestFacts(method="POST", path=f"/v1/hooks/jira?token={canary}&a=1"),
        )

    await database.transaction(work)
    (entry,) = await database.read(audit.entries)
    assert canary not in str(entry)
    assert (entry.data["token_ttl"], entry.data["credential_id"]) == ("24h", "c-1")
    assert entry.data["typed"] == MASK
    assert entry.request.path == f"/v1/hooks/jira?token={MASK}&a=1"


async def test_the_database_refuses_to_change_or_delete_an_entry(
    database: Database, clock: ManualClock
) -> None:
    audit = Audit(clock)
    await database.transaction(lambda tx: _one(audit, tx))

    async def change(tx: Tx) -> None:
        await tx.execute(update(audit_log).values(actor_id="somebody else"))

    async def remove(tx: Tx) -> None:
        await tx.execute(delete(audit_log))

    async def head(tx: Tx) -> None:
        await tx.execute(text("DELETE FROM audit_heads"))

    for work in (change, remove):
        with pytest.raises(Exception, match="append-only"):
            await database.transaction(work)
    assert len(await database.read(audit.entries)) == 1


async def test_entries_page_by_the_last_one_seen(database: Database, clock: ManualClock) -> None:
    audit = Audit(clock)

    async def work(tx: Tx) -> None:
        for n in range(5):
            await _one(audit, tx, n=n)

    await database.transaction(work)
    first = await database.read(lambda tx: audit.entries(tx, limit=2, newest_first=True))
    then = await database.read(
        lambda tx: audit.entries(tx, limit=9, newest_first=True, after_id=first[-1].id)
    )
    assert [e.data["n"] for e in (*first, *then)] == [4, 3, 2, 1, 0]
