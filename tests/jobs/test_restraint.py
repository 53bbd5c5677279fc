"""A worker that gives way begins less work while people are being answered; on PostgreSQL, where its statements cost others, too."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import pytest

from callout.jobs import Consumer, NewJob, Work, WorkerSettings
from callout.jobs.model import Lane
from callout.jobs.restraint import (
    BACK_SECONDS,
    FRESH_SECONDS,
    LOOK_SECONDS,
    MOST_AHEAD_SECONDS,
    RECENT_SECONDS,
    SHARE,
    STEP_SECONDS,
    Machine,
    Restraint,
    can_give_way,
)
from callout.kit import priority
from callout.storage import StorageUnavailableError, Turns, open_database
from callout.storage.database import SESSIONS_OF_WORKERS
from callout.storage.postgres import PostgresDatabase
from tests.jobs.support import eventually, open_lab

if TYPE_CHECKING:
    from callout.storage import Database, Tx


@pytest.fixture
async def worker(postgres_url: str) -> AsyncIterator[Database]:
    database = await open_database(postgres_url, name=SESSIONS_OF_WORKERS)
    yield database
    await database.close()


class Told(Machine):
    """A machine whose times are set: how long a process ran and waited to run, and how much of a processor it used, in seconds."""

    def __init__(self) -> None:
        super().__init__(monotonic=lambda: self.now["moment"], used=lambda: self.now["used"])

    now: ClassVar[dict[str, float]] = {}

    def scheduled(self) -> tuple[int, int]:
        return int(self.now["ran"] * 1e9), int(self.now["waited"] * 1e9)

    def crowded(self) -> bool:
        return bool(self.now.get("crowded"))

    def pass_by(self, seconds: float, *, used: float = 0.0, waited: float = 0.05) -> None:
        self.now["moment"] += seconds
        self.now["used"] += used
        self.now["ran"] += 0.05
        self.now["waited"] += waited


@pytest.fixture
def machine() -> Told:
    Told.now.clear()
    Told.now.update(moment=100.0, used=10.0, ran=0.0, waited=0.0)
    return Told()


@pytest.fixture
async def server(postgres_url: str) -> AsyncIterator[Callable[[bool], Awaitable[None]]]:
    """Somebody who is answered, and is not any more."""
    database = await open_database(postgres_url)
    answering: list[asyncio.Task[None]] = []
    ended = asyncio.Event()

    async def answer(tx: Tx) -> None:
        await tx.driver_all("", "SELECT 1")
        begun.set()
        await ended.wait()

    begun = asyncio.Event()

    async def turn(on: bool) -> None:
        if on:
            answering.append(asyncio.create_task(database.transaction(answer)))
            await asyncio.wait_for(begun.wait(), 30)
        else:
            ended.set()
            await asyncio.gather(*answering)

    yield turn
    await turn(False)  # noqa: FBT003
    await database.close()


async def waits(restraint: Restraint, lane: Lane = Lane.NORMAL) -> bool:
    """Return whether work does not begin: the clock of the machine stands, so it would wait for ever."""
    try:
        await asyncio.wait_for(restraint.begin(lane), 0.03)
    except TimeoutError:
        return True
    return False


Server = Callable[[bool], Awaitable[None]]


async def test_work_begins_by_its_share_while_people_are_answered_and_at_once_when_they_are_not(
    worker: Database, server: Server, machine: Told
) -> None:
    restraint = Restraint(worker, machine=machine)

    async def look(seconds: float = LOOK_SECONDS, *, used: float = 0.0) -> None:
        machine.pass_by(seconds, used=used)
        await restraint.look()

    await look()
    await look()
    assert not restraint.is_on, "a server that has nothing to do is in nobody's way"
    await server(True)  # noqa: FBT003
    await look()
    assert not await waits(restraint), "a little of a processor is always left to work"
    await look(used=0.03)
    assert await waits(restraint)
    assert not await waits(restraint, Lane.URGENT)
    debt = 0.03 / SHARE  # seconds until that is earned
    waited = 0.0
    while await waits(restraint, Lane.BACKFILL):
        await look(0.05)
        waited += 0.05
        assert waited < 2 * debt
    assert waited >= debt - 0.1, "what was used is not forgiven at the next look"
    await look(used=10.0)
    waited = 0.0
    while await waits(restraint):
        await look(0.1)
        waited += 0.1
    assert waited <= MOST_AHEAD_SECONDS + 0.2, "nobody starves because of one long piece of work"
    await server(False)  # noqa: FBT003
    for _ in range(int(2 * RECENT_SECONDS / LOOK_SECONDS)):
        await look(used=1.0)
    assert await waits(restraint), "people pause to read"
    for _ in range(int(BACK_SECONDS / LOOK_SECONDS)):
        await look(used=1.0)
    assert not restraint.is_on
    assert not await waits(restraint)


async def test_who_was_seen_once_is_in_the_way_for_a_moment(
    worker: Database, server: Server, machine: Told
) -> None:
    restraint = Restraint(worker, machine=machine)
    machine.pass_by(LOOK_SECONDS)
    await server(True)  # noqa: FBT003
    await restraint.look()
    await server(False)  # noqa: FBT003
    assert restraint.is_on
    for _ in range(2):
        machine.pass_by(RECENT_SECONDS / 2)
        await restraint.look()
        assert restraint.is_on, "seen in a tenth of the last looks"
    for _ in range(int(BACK_SECONDS / LOOK_SECONDS)):
        machine.pass_by(LOOK_SECONDS)
        await restraint.look()
    assert not restraint.is_on


async def test_a_look_that_does_not_come_holds_nobody(
    worker: Database, server: Server, machine: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    restraint = Restraint(worker, machine=machine)
    machine.pass_by(LOOK_SECONDS)
    await server(True)  # noqa: FBT003
    await restraint.look()
    machine.pass_by(LOOK_SECONDS, used=1.0)
    await restraint.look()
    assert await waits(restraint)

    async def gone(_tx: Tx) -> bool:
        raise StorageUnavailableError("gone")

    monkeypatch.setattr("callout.jobs.restraint._answering", gone)
    machine.pass_by(3 * LOOK_SECONDS + 0.01)
    assert not await waits(restraint)


async def test_work_that_finds_an_old_look_looks_itself(
    worker: Database, server: Server, machine: Told
) -> None:
    restraint = Restraint(worker, machine=machine)
    await server(True)  # noqa: FBT003
    machine.pass_by(1.0, waited=0.0)
    assert not await waits(restraint)
    await restraint.look()
    machine.now["crowded"] = True
    on = [restraint.is_on]
    for passed in (FRESH_SECONDS / 2, FRESH_SECONDS):
        machine.pass_by(passed, used=1.0)
        assert not await waits(restraint), "the first is free"
        on.append(restraint.is_on)
    assert on == [False, False, True]
    machine.now["used"] += 1.0
    assert await waits(restraint)


async def test_units_of_work_that_have_time_wait_and_look_themselves(
    worker: Database, server: Server, machine: Told
) -> None:
    assert isinstance(worker, PostgresDatabase)
    restraint = Restraint(worker, machine=machine)
    worker.restrained_by(partial(restraint.begin, Lane.NORMAL))
    await server(True)  # noqa: FBT003
    await restraint.look()
    machine.now["crowded"] = True
    machine.pass_by(2 * FRESH_SECONDS)

    async def one(tx: Tx) -> int:
        [(number,)] = await tx.driver_all("", "SELECT 1")
        return int(number)

    with priority.work_that(has_time=True):
        assert await asyncio.wait_for(worker.transaction(one), 10) == 1, "the first is free"
        machine.now["used"] += 1.0
        waiting = asyncio.create_task(worker.transaction(one))
    assert not (await asyncio.wait({waiting}, timeout=0.1))[0]
    assert await worker.transaction(one) == 1
    machine.pass_by(2 * MOST_AHEAD_SECONDS)
    assert await asyncio.wait_for(waiting, 10) == 1


async def test_on_a_crowded_machine_it_does_not_take_a_wait_to_see_them(
    worker: Database, server: Server, machine: Told
) -> None:
    restraint = Restraint(worker, machine=machine)
    await server(True)  # noqa: FBT003
    on = []
    for crowded in (False, True):
        machine.now["crowded"] = crowded
        machine.pass_by(LOOK_SECONDS, waited=0.0)
        await restraint.look()
        on.append(restraint.is_on)
    assert on == [False, True]


async def test_who_has_processors_to_spare_does_not_ask(
    worker: Database, server: Server, machine: Told
) -> None:
    restraint = Restraint(worker, machine=machine)
    await server(True)  # noqa: FBT003
    for _ in range(5):
        machine.pass_by(LOOK_SECONDS, used=0.05, waited=0.01)
        await restraint.look()
    assert not restraint.is_on
    assert not await waits(restraint)


async def test_urgent_work_is_done_while_other_work_that_was_begun_is_held_back(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_gate = asyncio.Event()
    held: list[Lane] = []

    async def begin(_self: Restraint, lane: Lane) -> None:
        if priority.has_time():  # not before a set of partitions is begun: they hold their places
            held.append(lane)
            await open_gate.wait()

    monkeypatch.setattr(Restraint, "begin", begin)
    lab = await open_lab(postgres_url)
    done: list[int] = []

    async def handle(work: Work) -> None:
        done.extend(job.payload["n"] for job in work.jobs)

    two_places = WorkerSettings(concurrency=2, takeover=timedelta(seconds=1), sweep_seconds=0.2)
    async with lab.worker(Consumer("work", handle), settings=two_places):
        await lab.enqueue_many([NewJob("work", {"n": n}, key=f"normal {n}") for n in range(4)])
        await eventually(lambda: len(held) >= 1, 10, "nothing was held")
        await lab.enqueue("work", {"n": 100}, key="urgent", lane=Lane.URGENT)
        await eventually(lambda: done == [100], 10, f"urgent work waited: {done}")
        await asyncio.sleep(1.5)  # longer than the takeover
        assert done == [100]
        open_gate.set()
        await lab.idle()
    assert sorted(done) == [0, 1, 2, 3, 100], "each once"
    await lab.database.close()


@pytest.mark.skipif(not os.path.exists("/proc/self/schedstat"), reason="told by Linux")  # noqa: PTH110  # before the test
def test_only_a_process_that_was_told_to_gives_way() -> None:
    ran, waited = Machine().scheduled()
    assert ran > 0
    assert waited >= 0
    assert Machine().crowded() in {True, False}
    if os.nice(0) > 0:  # as the tests were started
        return
    assert not can_give_way()
    child = os.fork()
    if not child:
        priority.give_way(10)
        os._exit(int(can_give_way()))
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1


async def test_a_process_that_is_both_begins_a_unit_of_work_a_step_while_its_own_people_wait(
    worker: Database, machine: Told
) -> None:
    people = {"wait": False}
    restraint = Restraint(worker, machine=machine, queued=lambda _seconds: people["wait"])
    assert not await waits(restraint)
    assert not await waits(restraint)
    people["wait"] = True
    assert await waits(restraint)
    assert not await waits(restraint, Lane.URGENT)
    machine.pass_by(STEP_SECONDS)
    assert not await waits(restraint)
    assert await waits(restraint)
    machine.pass_by(STEP_SECONDS / 2)
    assert await waits(restraint)
    waiting = asyncio.create_task(restraint.begin(Lane.BACKFILL))
    await asyncio.sleep(0.03)
    assert not waiting.done()
    people["wait"] = False  # they were answered
    await asyncio.wait_for(waiting, 30)


async def test_jobs_are_done_a_few_at_a_time_while_people_wait_and_all_of_them_behind(
    postgres_url: str,
) -> None:
    """Whoever asks without a pause slows jobs down, and keeps none of them from being done."""
    lab = await open_lab(postgres_url)
    done: list[int] = []

    async def handle(work: Work) -> None:
        done.extend(job.payload["n"] for job in work.jobs)

    async def act(tx: Tx) -> None:
        await tx.driver_all("", "SELECT pg_sleep(0.01)")

    turns, ended = Turns(1), asyncio.Event()

    async def ask() -> None:
        while not ended.is_set():
            await lab.database.transaction(act, turns=turns)

    people = [asyncio.create_task(ask()) for _ in range(3)]
    async with lab.worker(Consumer("work", handle)):
        await lab.enqueue_many([NewJob("work", {"n": n}, key=f"of {n}") for n in range(60)])
        await eventually(lambda: bool(done), 60, "nothing was done while people waited")
        while_they_waited = len(done)
        ended.set()
        await asyncio.gather(*people)
        await lab.idle()
    assert while_they_waited < 60
    assert sorted(done) == list(range(60))
    await lab.database.close()
