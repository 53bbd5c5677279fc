"""A worker that gives way begins less work while people are being answered; on PostgreSQL, where its statements cost others, too."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, ClassVar

import pytest

from callout.jobs.model import Lane
from callout.jobs.restraint import (
    LOOK_SECONDS,
    LOOKS,
    LOOKS_BACK,
    MOST_AHEAD_SECONDS,
    SHARE,
    Machine,
    Restraint,
    can_give_way,
)
from callout.kit import priority
from callout.storage import open_database
from callout.storage.database import SESSIONS_OF_WORKERS

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
    await look(used=0.05)
    machine.pass_by(3 * LOOK_SECONDS + 0.01)
    assert not await waits(restraint), "a look that does not come holds nobody"
    await server(False)  # noqa: FBT003
    for _ in range(LOOKS):
        await look(used=1.0)
    assert await waits(restraint), "people pause to read"
    for _ in range(LOOKS_BACK):
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
    on = [restraint.is_on]
    for _ in range(LOOKS):
        machine.pass_by(LOOK_SECONDS)
        await restraint.look()
        on.append(restraint.is_on)
    assert on == [True, True, False]


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
