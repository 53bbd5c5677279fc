"""Events: stored with their change, one job per subscriber, numbered per account after the commit."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from callout.jobs import Loop, NewJob, Outbox, Sequencer, Settle, Subscription, Subscriptions, events_since
from callout.jobs.outbox import EventWork
from callout.kit.ids import new_id
from callout.ports.events import EventEnvelope
from callout.ports.values import Actor, ActorKind, Channel, Origin
from callout.storage import Tx
from tests.jobs.support import Lab, eventually, note_effect


def event(
    n: int, kind: str = "incident.declared", account: str = "default", subject: str = "INC-1"
) -> EventEnvelope:
    origin = Origin(Channel("system"), Actor(ActorKind("system"), "test"))
    return EventEnvelope(new_id(), kind, account, subject, datetime.now(UTC), origin, {"n": n})


async def handle(happened: EventEnvelope, work: EventWork) -> Settle:
    async def settle(tx: Tx) -> None:
        await note_effect(tx, int(happened.data["n"]), work.job.kind)

    return settle


def bound() -> Subscriptions:
    subscriptions = Subscriptions()
    subscriptions.bind(Subscription("sync", "incident.*", handle))
    subscriptions.bind(Subscription("chat", "incident.declared", handle, wanted=lambda e: e.data["n"] != 2))
    return subscriptions


async def test_each_subscriber_gets_each_event_it_wants_once_in_order(lab: Lab) -> None:
    subscriptions = bound()
    outbox = Outbox(lab.queue, subscriptions)

    async def change(tx: Tx) -> None:
        await outbox.publish(tx, event(1), event(2), event(3, "incident.resolved"), event(4, "note.added"))

    async with lab.worker(*subscriptions.consumers()):
        await lab.database.transaction(change)
        await lab.idle()
    effects = await lab.effects()
    assert [n for n, kind in effects if kind == "event:sync"] == [1, 2, 3]
    assert [n for n, kind in effects if kind == "event:chat"] == [1]


async def test_where_nobody_listens_no_job_is_made_and_who_listens_since_misses_nothing(lab: Lab) -> None:
    listening = "EXISTS (SELECT 1 FROM event_feed f WHERE f.account_id = {account})"  # a table that is there
    subscriptions = bound()
    subscriptions.bind(Subscription("webhooks", "incident.*", handle, only_where=listening))
    outbox = Outbox(lab.queue, subscriptions)

    async def listen(tx: Tx) -> None:
        text = "INSERT INTO event_feed (account_id, last_seq) VALUES ('default', 0)"
        await tx.driver_all(text, text)

    async def both(tx: Tx) -> None:
        await listen(tx)
        await outbox.publish(tx, event(3), event(4, account="other"))

    await lab.database.transaction(lambda tx: outbox.publish(tx, event(1), event(2)))
    await lab.database.transaction(both)
    await lab.database.transaction(
        lambda tx: outbox.publish(
            tx, *(event(n, account="other" if n % 2 else "default") for n in range(5, 11))
        )
    )
    jobs = "SELECT count(*) FROM job WHERE kind = 'event:sync'"
    assert await lab.rows(jobs) == [(10,)]
    async with lab.worker(*subscriptions.consumers()):
        await lab.idle()
    told = [n for n, kind in await lab.effects() if kind == "event:webhooks"]
    assert sorted(told) == [3, 6, 8, 10]


async def test_a_job_that_has_nothing_to_do_has_no_number(lab: Lab) -> None:
    never = NewJob("never", only_where="{account} = 'nobody'", account_id="default")
    always = NewJob("always", only_where="{account} = 'default'", account_id="default")
    made = await lab.database.transaction(
        lambda tx: lab.queue.enqueue_many(tx, [never, always, NewJob("plain")])
    )
    assert [number is None for number in made] == [True, False, False]
    assert await lab.rows("SELECT kind FROM job ORDER BY kind") == [("always",), ("plain",)]


async def test_a_rolled_back_change_publishes_nothing_and_a_foreign_account_is_refused(lab: Lab) -> None:
    outbox = Outbox(lab.queue, bound())

    async def fails(tx: Tx) -> None:
        await outbox.publish(tx, event(1))
        raise LookupError

    with pytest.raises(LookupError):
        await lab.database.transaction(fails)
    with pytest.raises(ValueError, match="in a transaction of account default"):
        await lab.database.transaction(
            lambda tx: outbox.publish(tx.account("default"), event(1, account="other"))
        )
    assert await lab.rows("SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM job)") == [(0,)]


async def test_feed_numbers_are_gapless_per_account_and_never_appear_below_what_was_seen(lab: Lab) -> None:
    outbox = Outbox(lab.queue, Subscriptions())
    seen: dict[str, list[int]] = {"a": [], "b": []}

    async def publish(n: int) -> None:
        await lab.database.transaction(lambda tx: outbox.publish(tx, event(n, account="ab"[n % 2])))

    async def follow(account: str) -> None:
        while len(seen[account]) < 30:
            last = seen[account][-1] if seen[account] else 0
            found = await lab.database.read(lambda tx, last=last: events_since(tx, account, last))  # type: ignore[misc]
            seen[account].extend(number for number, _ in found)
            await asyncio.sleep(0.01)

    loops = [[Loop("sequencer", Sequencer(lab.database).turn)] for _ in range(2)]
    async with lab.worker(loops=loops[0]), lab.worker(loops=loops[1]):
        followers = [asyncio.create_task(follow(account)) for account in "ab"]
        for first in range(0, 60, 6):
            await asyncio.gather(*(publish(n) for n in range(first, first + 6)))
        await asyncio.wait_for(asyncio.gather(*followers), 10)
    assert seen == {"a": list(range(1, 31)), "b": list(range(1, 31))}
    assert await lab.rows("SELECT account_id, last_seq FROM event_feed ORDER BY account_id") == [
        ("a", 30),
        ("b", 30),
    ]


async def test_the_hint_wakes_the_sequencer(lab: Lab) -> None:
    outbox = Outbox(lab.queue, Subscriptions())
    async with lab.worker(loops=[Loop("sequencer", Sequencer(lab.database).turn, hint=outbox.published)]):
        await lab.database.transaction(lambda tx: outbox.publish(tx, event(1)))

        async def numbered() -> bool:
            return await lab.rows("SELECT feed_seq FROM event") == [(1,)]

        await eventually(numbered, 3, "not numbered")
